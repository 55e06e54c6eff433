//! A list as a document of the same kind: accessible, archivable, reproducible. What it says is the caller's; nothing here asks what it is about.

use chrono::NaiveDate;

use crate::{
    Error, Renderer,
    compose::compose,
    html,
    layout::{Align, Column, Kind, Layout, Section},
    paint::paint,
    text::Typesetter,
    view::{CellText, SectionView, View, clean, date, isolate},
};

/// A column of a [`Listing`].
#[derive(Clone, Debug, PartialEq)]
pub struct ListingColumn {
    /// Its head.
    pub title: String,
    /// Its share of the width.
    pub width: f32,
}

/// A titled list of rows of text.
#[derive(Clone, Debug, PartialEq)]
pub struct Listing {
    /// The document's title.
    pub title: String,
    /// What it is and under which rules it may be read, below the title.
    pub notice: String,
    /// A further paragraph, if there is something to add.
    pub remark: Option<String>,
    /// The day it was made.
    pub report_date: NaiveDate,
    /// In the head of the pages after the first.
    pub running: String,
    /// In the foot of each page.
    pub footer: String,
    /// The heading above the rows.
    pub heading: String,
    /// The columns.
    pub columns: Vec<ListingColumn>,
    /// The rows, each with a text a column; an empty text prints as a dash.
    pub rows: Vec<Vec<String>>,
    /// What stands there when there are no rows.
    pub none: String,
}

impl Renderer {
    /// Renders a list.
    pub fn render_listing(&self, listing: &Listing) -> Result<Vec<u8>, Error> {
        check(listing)?;
        let layout = layout(listing);
        let view = view(listing, &layout);
        let mut setter = Typesetter::new(self.fonts());
        let composition = compose(&view, &layout, &mut setter);
        paint(composition, &view, &layout, self.fonts(), None)
    }
}

/// The same as a web page of its own: no script, nothing to fetch. Its rows may come in parts.
pub struct ListingPage {
    layout: Layout,
    view: View,
    none: String,
    is_empty: bool,
}

impl ListingPage {
    /// The page of a list, whose own rows are left aside.
    pub fn new(listing: &Listing) -> Result<Self, Error> {
        check(listing)?;
        let layout = layout(listing);
        let view = view(&Listing { rows: Vec::new(), ..listing.clone() }, &layout);
        Ok(Self { layout, view, none: clean(&listing.none), is_empty: true })
    }

    /// What stands above the rows.
    pub fn begin(&self) -> String {
        html::opened_table(&self.view, &self.layout)
    }

    /// Rows.
    pub fn rows(&mut self, rows: &[Vec<String>]) -> Result<String, Error> {
        let columns = self.layout.sections.first().map_or(0, |section| section.columns.len());
        if rows.iter().any(|row| row.len() != columns) {
            return Err(UNEVEN);
        }
        self.is_empty &= rows.is_empty();
        Ok(html::table_rows(&self.view, &self.layout, &cells(rows, &self.layout)))
    }

    /// What stands below the rows.
    pub fn end(&self) -> String {
        html::closed_table(&self.view, &self.layout, self.is_empty.then_some(&*self.none))
    }
}

/// The whole page at once.
pub fn listing_page(listing: &Listing) -> Result<String, Error> {
    let mut page = ListingPage::new(listing)?;
    Ok([page.begin(), page.rows(&listing.rows)?, page.end()].concat())
}

const UNEVEN: Error = Error::Precondition("a list has columns, and each row a text a column");

fn check(listing: &Listing) -> Result<(), Error> {
    if listing.columns.is_empty() || listing.rows.iter().any(|row| row.len() != listing.columns.len()) {
        return Err(UNEVEN);
    }
    Ok(())
}

/// The shipped sheet, sizes and colours with the list's words and its one section.
fn layout(listing: &Listing) -> Layout {
    let mut layout = Layout::own();
    let words = &mut layout.words;
    words.title = clean(&listing.title);
    words.notice = clean(&listing.notice);
    "{name}".clone_into(&mut words.running);
    "{title}. One row of heads.".clone_into(&mut words.table_outline);
    let columns = listing.columns.iter().enumerate().map(|(at, column)| Column {
        key: format!("column_{at}"),
        title: clean(&column.title),
        width: column.width.max(0.1),
        align: Align::Left,
        group: None,
    });
    layout.sections = vec![Section {
        id: "list".to_owned(),
        kind: Kind::Table,
        level: 2,
        title: clean(&listing.heading),
        source: String::new(),
        full: None,
        order: None,
        columns: columns.collect(),
        columns_of: None,
        beside_trend: false,
        timeline: false,
        new_page: false,
        brief: false,
        withheld_title: String::new(),
        reading_title: String::new(),
        verify_title: String::new(),
    }];
    layout
}

fn cells(rows: &[Vec<String>], layout: &Layout) -> Vec<Vec<CellText>> {
    let cell = |text: &String| {
        let text = clean(text);
        if text.is_empty() {
            CellText { text: layout.words.dash.clone(), is_value: false }
        } else {
            CellText { text, is_value: true }
        }
    };
    rows.iter().map(|row| row.iter().map(cell).collect()).collect()
}

fn view(listing: &Listing, layout: &Layout) -> View {
    let rows = cells(&listing.rows, layout);
    let message = rows.is_empty().then(|| clean(&listing.none));
    View {
        report_date: date(listing.report_date),
        report_day: listing.report_date,
        running: (isolate(&clean(&listing.running)), String::new()),
        footer: clean(&listing.footer),
        banner: None,
        disclosed: listing.remark.iter().map(|text| CellText { text: clean(text), is_value: false }).collect(),
        sections: vec![SectionView { rows, message, ..SectionView::default() }],
        trend: None,
        timeline: None,
        withheld: None,
        code: None,
        name_language: None,
        notes: Vec::new(),
        has_replaced: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RendererOptions;

    fn listing(rows: usize) -> Listing {
        Listing {
            title: "Record of Disclosures".to_owned(),
            notice: "What left, for whom and why.".to_owned(),
            remark: None,
            report_date: NaiveDate::from_ymd_opt(2026, 11, 21).expect("a day"),
            running: "student 1".to_owned(),
            footer: "Confidential".to_owned(),
            heading: "Disclosures".to_owned(),
            columns: ["Date", "Party"].map(|title| ListingColumn { title: title.to_owned(), width: 1.0 }).to_vec(),
            rows: (0..rows).map(|at| vec![format!("2026-11-{:02}", at % 28 + 1), format!("An agency, {at}")]).collect(),
            none: "Nothing was disclosed.".to_owned(),
        }
    }

    #[test]
    fn a_list_is_a_document_and_reproducible() {
        let renderer = Renderer::new(&RendererOptions::default()).expect("fonts");
        for rows in [0, 1, 200] {
            let once = renderer.render_listing(&listing(rows)).expect("a document");
            assert!(once.starts_with(b"%PDF-"));
            assert_eq!(once, renderer.render_listing(&listing(rows)).expect("a document"));
        }
        for rows in [0, 1, 5] {
            let of = listing(rows);
            let layout = layout(&of);
            let whole = listing_page(&of).expect("a page");
            assert_eq!(whole, html::page(&view(&of, &layout), &layout), "as every other page is made");
            let mut page = ListingPage::new(&of).expect("a list");
            let parts: String = of.rows.chunks(2).map(|part| page.rows(part).expect("rows")).collect();
            assert_eq!(whole, [page.begin(), parts, page.end()].concat(), "however it is cut");
        }
        let page = listing_page(&listing(2)).expect("a page");
        assert!(page.contains("<td") && page.contains("An agency, 1") && page.contains("What left, for whom and why."));
        assert!(listing_page(&listing(0)).expect("a page").contains("Nothing was disclosed."));
        let mut uneven = listing(1);
        uneven.rows[0].pop();
        assert!(renderer.render_listing(&uneven).is_err());
    }
}
