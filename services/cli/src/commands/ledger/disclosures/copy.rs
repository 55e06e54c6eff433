//! A copy of a record of disclosures as it is written: a page of entries is read, written and forgotten before the next.

use chrono::NaiveDate;
use ledger::{Audience, Contents, CopyForm, CopyWriter, Students};
use pg::Role;
use summary::{Listing, ListingPage};

use super::{Of, document};
use crate::app::App;

/// A copy that is being written.
pub struct Copy<'a> {
    of: &'a Of,
    contents: &'a Contents,
    audience: Audience,
    form: Form,
    /// The entries that have been written.
    written: usize,
    step: Step,
}

/// How far a copy is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Begin,
    Entries,
    Done,
}

enum Form {
    Text(CopyWriter),
    Page(Box<ListingPage>),
    /// Page numbers and the document's structure need all of it: the texts of its cells are gathered, and nothing else of an entry.
    Document(Box<Listing>),
}

impl<'a> Copy<'a> {
    /// Of these entries, on that day, in a format of `ledger disclosures`.
    pub fn new(
        format: &str,
        of: &'a Of,
        contents: &'a Contents,
        (audience, today): (Audience, NaiveDate),
    ) -> anyhow::Result<Self> {
        let students = if of.student.is_some() { Students::One } else { Students::Named };
        let listing = || document::listing(of, audience, today);
        let form = match format {
            "html" => Form::Page(Box::new(ListingPage::new(&listing())?)),
            "pdf" => Form::Document(Box::new(listing())),
            "json" => Form::Text(CopyWriter::new(CopyForm::Json)),
            _ => Form::Text(CopyWriter::new(CopyForm::Csv(students))),
        };
        Ok(Self { of, contents, audience, form, written: 0, step: Step::Begin })
    }

    /// The next bytes of the copy, those of one page at most; `None`: that was all.
    pub async fn next(&mut self, app: &App) -> anyhow::Result<Option<Vec<u8>>> {
        let mut out = String::new();
        if self.step == Step::Done {
            return Ok(None);
        }
        if self.step == Step::Begin {
            self.step = Step::Entries;
            match &self.form {
                Form::Text(writer) => writer.begin(&mut out),
                Form::Page(page) => out.push_str(&page.begin()),
                Form::Document(_) => {}
            }
        }
        self.page(app, &mut out).await?;
        if self.written < self.contents.len() {
            return Ok(Some(out.into_bytes()));
        }
        self.step = Step::Done;
        Ok(Some(match &mut self.form {
            Form::Text(writer) => {
                writer.end(&mut out);
                out.into_bytes()
            }
            Form::Page(page) => {
                out.push_str(&page.end());
                out.into_bytes()
            }
            Form::Document(listing) => document::pdf(listing, &app.settings.summary.renderer())?,
        }))
    }

    async fn page(&mut self, app: &App, out: &mut String) -> anyhow::Result<()> {
        let (contents, from, limit) = (self.contents, self.written, app.settings.ledger.record_page_entries);
        if from >= contents.len() {
            return Ok(());
        }
        let rows = pg::run_tx(app.pool(), "ledger.disclosures_page", Role::Ledger, |tx| {
            Box::pin(async move { ledger::record_page(tx, contents, from, limit).await })
        })
        .await?;
        self.written = from.saturating_add(limit as usize);
        let cells = || rows.iter().map(|row| document::listed(row, self.audience, self.of.student.is_some())).collect();
        match &mut self.form {
            Form::Text(writer) => writer.entries(out, &rows)?,
            Form::Page(page) => {
                let cells: Vec<_> = cells();
                out.push_str(&page.rows(&cells)?);
            }
            Form::Document(listing) => listing.rows.extend::<Vec<_>>(cells()),
        }
        Ok(())
    }
}
