//! The whole way, from JSON to bytes.

use std::{fs, path::Path};

use proptest::prelude::*;

use crate::{
    Batch, Error, Form, Origin, RenderOptions, Renderer, RendererOptions,
    compose::{Composition, compose},
    frame::{Ink, Mark},
    from_json,
    layout::{Extent, Language, shipped},
    model::{Block, Cell, DisciplineRow, Summary},
    render_path,
    text::Typesetter,
    view::View,
};

#[path = "../tests/forms/piece.rs"]
#[expect(dead_code, reason = "documents are read back elsewhere")]
mod piece;
#[path = "../tests/forms/records.rs"]
#[expect(dead_code, reason = "documents are read back elsewhere")]
mod records;

const FILE: RenderOptions = RenderOptions { origin: Origin::File, form: Form::Pdf, language: Language::English };
const EXCHANGE: RenderOptions = RenderOptions { origin: Origin::Exchange, ..FILE };

fn fixture(name: &str) -> Summary {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name);
    from_json(&fs::read(path).expect("a fixture")).expect("a summary")
}

fn renderer() -> Renderer {
    Renderer::new(&RendererOptions::default()).expect("the embedded fonts are read")
}

/// Composes without writing; gives the structure tree with its text, and the text of each page.
fn text_of(summary: &Summary, options: RenderOptions) -> (String, Vec<String>) {
    let fonts = crate::fonts::FontSet::new(None).expect("the embedded fonts are read");
    let layout = shipped(options.language, Extent::Whole);
    let view = View::new(summary, options.origin, layout).expect("a view");
    let Composition { pages, tags } = compose(&view, layout, &mut Typesetter::new(&fonts));
    let mut leaves = vec![String::new(); tags.leaf_count()];
    let mut texts = Vec::new();
    for sheet in &pages.sheets {
        let mut page = String::new();
        for item in sheet.decor.iter().chain(&sheet.content) {
            let Ink::Text { line, .. } = &item.ink else { continue };
            page.push_str(&line.text());
            page.push('\n');
            if let Mark::Leaf(leaf) = item.mark {
                leaves[leaf.0].push_str(&line.text());
            }
        }
        texts.push(page);
    }
    (tags.dump(&leaves), texts)
}

#[test]
fn a_full_summary_reads_as_expected() {
    insta::assert_snapshot!("full", text_of(&fixture("full.json"), EXCHANGE).0);
}

#[test]
fn a_sparse_summary_says_what_is_missing_and_why() {
    insta::assert_snapshot!("sparse", text_of(&fixture("sparse.json"), FILE).0);
}

#[test]
fn the_same_summary_gives_the_same_bytes() {
    let summary = fixture("full.json");
    let first = renderer().render(&summary, EXCHANGE).expect("renders");
    let other = renderer();
    let mut worker = other.worker();
    worker.render(&fixture("sparse.json"), FILE).expect("renders");
    let second = worker.render(&summary, EXCHANGE).expect("renders");
    assert!(first == second, "a warm worker makes the same bytes");
    assert!(first.len() < 50_000, "{} bytes", first.len());
}

#[test]
fn a_file_is_never_passed_off_as_issued() {
    let summary = fixture("full.json");
    let code = summary.code.clone().expect("the fixture has a code");
    let (_, pages) = text_of(&summary, FILE);
    assert!(pages.iter().all(|page| page.contains("Not issued by the exchange") && !page.contains(&code)));
    let (_, pages) = text_of(&summary, EXCHANGE);
    assert!(pages.iter().all(|page| page.contains(&code) && !page.contains("Not issued")));
}

#[test]
fn nothing_is_issued_without_a_code() {
    let summary = Summary { code: None, ..fixture("full.json") };
    assert!(matches!(renderer().render(&summary, EXCHANGE), Err(Error::Precondition(_))));
}

#[test]
fn the_report_date_is_on_each_page_and_in_the_body() {
    let (tree, pages) = text_of(&fixture("full.json"), EXCHANGE);
    assert!(pages.iter().all(|page| page.contains("Report Date: 11/20/2026")));
    assert_eq!(tree.matches("«Report Date: 11/20/2026»").count(), 4);
}

#[test]
fn what_was_received_is_said_to_be_received() {
    let mut summary = fixture("full.json");
    summary.history.discipline.provenance.as_reported_on = None;
    summary.history.discipline.provenance.received_on = Some(summary.report_date);
    let (tree, _) = text_of(&summary, EXCHANGE);
    assert!(tree.contains("«Received 11/20/2026, the day of this report; reported by 3 districts»"), "{tree}");
    summary.history.discipline.provenance.reported_by = None;
    let (tree, _) = text_of(&summary, EXCHANGE);
    assert!(tree.contains("«Received 11/20/2026, the day of this report»"), "{tree}");
}

#[test]
fn each_page_says_which_of_how_many() {
    let (_, pages) = text_of(&fixture("full.json"), EXCHANGE);
    let count = pages.len();
    for (i, page) in pages.iter().enumerate() {
        assert!(page.contains(&format!("Page {} of {count}", i + 1)));
    }
}

#[test]
fn a_name_too_long_for_the_running_head_leaves_the_identifier_whole() {
    let mut summary = fixture("full.json");
    summary.client.name = Cell::Value("Longname ".repeat(200));
    let (_, pages) = text_of(&summary, EXCHANGE);
    assert!(pages[1].contains('…') && pages[1].contains("SASID 9900000017"));
}

fn stays(rows: &[(Option<&str>, Option<&str>, Option<&str>)]) -> Summary {
    let mut summary = fixture("sparse.json");
    let day = |text: &str| Cell::Value(text.parse().expect("a day"));
    let row = |(entry, exit, missing): &(Option<&str>, Option<&str>, Option<&str>)| crate::model::SchoolRow {
        school: Cell::Value("Tallis High".to_owned()),
        entry_date: entry.map_or(Cell::Absent, day),
        exit_date: exit.map_or(Cell::Absent, day),
        exit_missing: missing.map_or(Cell::Absent, |text| Cell::Value(text.to_owned())),
        ..Default::default()
    };
    summary.history.schools = Block::from(rows.iter().map(row).collect::<Vec<_>>());
    summary
}

#[test]
fn a_stay_is_said_to_go_on_only_if_no_other_can_be_the_present_one() {
    let check = |rows: &[(Option<&str>, Option<&str>, Option<&str>)], present: bool, unknown: usize| {
        let summary = stays(rows);
        let (tree, _) = text_of(&summary, FILE);
        let alt = tree.lines().find(|line| line.contains("Timeline of enrollments")).expect("a timeline");
        assert_eq!(alt.contains("to present, no exit date reported"), present, "{alt}");
        assert_eq!(alt.matches("exit date not reported").count(), unknown, "{alt}");
        assert_eq!(tree.contains("An open right end"), present);
        assert_eq!(tree.contains("A first day with a short dash"), unknown > 0);
        let page = renderer().render(&summary, RenderOptions { form: Form::Html, ..FILE }).expect("a page");
        let page = String::from_utf8(page).expect("text");
        assert_eq!(page.matches("<rect class=\"open\"").count(), usize::from(present));
        assert_eq!(page.matches("<rect class=\"unknown\"").count(), unknown);
    };
    let open = (Some("2015-08-26"), None, None);
    let ended = (Some("2015-08-26"), None, Some("exit date not reported"));
    let whole = (Some("2013-08-26"), Some("2015-06-12"), None);
    check(&[whole, open], true, 0);
    check(&[whole, ended], false, 1);
    check(&[open, (Some("2020-09-01"), None, None)], false, 2);
    check(&[ended, (Some("2020-09-01"), None, None)], true, 1);
    check(&[open, (None, None, None)], false, 1);
    check(&[open, (Some("2020-09-01"), Some("2022-06-10"), None)], false, 1);
    let mut withheld = stays(&[open]);
    withheld.history.schools.not_permitted.insert("exit_date".to_owned());
    let (tree, _) = text_of(&withheld, FILE);
    assert!(tree.contains("from 8/26/2015, exit date not permitted") && !tree.contains("present"), "{tree}");
}

#[test]
fn scores_that_the_table_leaves_out_are_counted_below_it() {
    let mut summary = fixture("sparse.json");
    summary.history.tests = Block::from(Vec::new());
    let other = |subject: &str| crate::model::OtherSubject { subject: subject.to_owned(), count: 3 };
    summary.history.tests_left_out.other_subjects = vec![other("Speaking"), other("Listening")];
    summary.history.tests_left_out.earlier_attempts = 2;
    let (tree, pages) = text_of(&summary, FILE);
    let note = "Scores in subjects that this report has no column for: 6 (Speaking 3, Listening 3). \
                Earlier attempts at the same test, left out because the last one is shown: 2.";
    assert!(tree.contains(note), "{tree}");
    let only = "«Only scores in subjects that this report has no column for»";
    assert!(tree.contains(only), "{tree}");
    let page = pages.iter().find(|page| page.contains("Test Score History\n")).expect("a page");
    assert!(page.contains("Speaking 3"), "it stands with its table: {page}");
}

#[test]
fn what_is_not_in_the_documents_language_says_so() {
    let summary = fixture("full.json");
    assert!(!summary.withheld.is_empty() && summary.notice.is_some());
    for language in [Language::Spanish, Language::Portuguese] {
        let (tree, _) = text_of(&summary, RenderOptions { language, ..EXCHANGE });
        assert!(tree.contains("Paragraph in en-US «The recipient may use this record"), "{tree}");
        assert_eq!(tree.matches("Item in en-US").count(), summary.withheld.len());
        let page =
            renderer().render(&summary, RenderOptions { language, form: Form::Html, ..EXCHANGE }).expect("a page");
        let page = String::from_utf8(page).expect("text");
        assert!(page.contains("<p class=\"note\" lang=\"en-US\">The recipient may use this record"));
        assert_eq!(page.matches("<li lang=\"en-US\">").count(), summary.withheld.len());
    }
    let (tree, _) = text_of(&summary, EXCHANGE);
    assert!(!tree.contains("in en-US"), "the English document is in one language");
}

#[test]
fn the_note_explains_what_occurs_and_nothing_else() {
    let check = |summary: &Summary, says: &[&str], is_silent_of: &[&str]| {
        let (tree, _) = text_of(summary, FILE);
        let note = tree.lines().find(|line| line.contains("Percentages are rounded")).expect("the note");
        assert!(says.iter().all(|text| note.contains(text)), "{note}");
        assert!(!is_silent_of.iter().any(|text| note.contains(text)), "{note}");
        tree.contains("The mark \u{fffd} stands for a character")
    };
    let (dash, not_reported, suppressed) = ("A dash", "“Not reported”", "“Suppressed”");
    assert!(!check(&fixture("full.json"), &[dash, suppressed], &["“None recorded”", not_reported, "“Not permitted”"]));
    let mut summary = fixture("sparse.json");
    assert!(!check(&summary, &[dash, "“None recorded”", not_reported, "“Not permitted”", suppressed], &[]));
    summary.client.name = Cell::Value("Sam\u{1}ple".to_owned());
    assert!(check(&summary, &[], &[]), "a control character was replaced");
    summary.client.name = Cell::Value("Sample \u{e000}".to_owned());
    assert!(check(&summary, &[], &[]), "a character without a glyph was replaced");
}

fn with_discipline(rows: usize) -> Summary {
    let mut summary = fixture("sparse.json");
    let row = |i| DisciplineRow { kind: Cell::Value(format!("marker{i:03}")), ..DisciplineRow::default() };
    summary.history.discipline = Block::from((0..rows).map(row).collect::<Vec<_>>());
    summary
}

#[test]
fn no_heading_and_no_row_stands_alone() {
    for rows in [1, 2, 3, 7, 12, 13, 14, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 40, 41, 42, 43, 44, 45, 46, 47, 300] {
        let (_, pages) = text_of(&with_discipline(rows), FILE);
        let counts: Vec<usize> =
            pages.iter().map(|page| page.matches("marker").count()).filter(|count| *count > 0).collect();
        assert_eq!(counts.iter().sum::<usize>(), rows);
        assert!(rows < 3 || counts.iter().all(|count| *count >= 2), "{rows} rows: {counts:?}");
        let first = pages.iter().position(|page| page.contains("marker")).expect("a page with rows");
        assert!(pages[first].contains("Disciplinary Action History\n"), "{rows} rows: the heading is elsewhere");
        let heads = pages.iter().filter(|page| page.contains("marker") && page.contains("Sanction Type")).count();
        assert_eq!(heads, counts.len(), "{rows} rows: each page repeats the head");
    }
}

#[test]
fn the_report_date_is_never_a_page_of_its_own() {
    // The first page filled a little more each time, past its end.
    for words in 0..160 {
        let mut summary = fixture("full.json");
        let row = |i| DisciplineRow {
            kind: Cell::Value(format!("row{i} {}", "x ".repeat(words))),
            ..DisciplineRow::default()
        };
        summary.recent.discipline = Block::from((0..3).map(row).collect::<Vec<_>>());
        let (_, pages) = text_of(&summary, FILE);
        let lines: Vec<usize> = pages.iter().map(|page| page.lines().count()).collect();
        assert!(lines.iter().all(|lines| *lines > 8), "{words} words: {lines:?}");
    }
}

/// How much of each page's height is filled.
fn fills(summary: &Summary, options: RenderOptions) -> Vec<f32> {
    let fonts = crate::fonts::FontSet::new(None).expect("the embedded fonts are read");
    let layout = shipped(options.language, Extent::Whole);
    let view = View::new(summary, options.origin, layout).expect("a view");
    let Composition { pages, .. } = compose(&view, layout, &mut Typesetter::new(&fonts));
    let fill = |(at, sheet): (usize, &crate::flow::Sheet)| {
        let top = if at == 0 { layout.page.top } else { layout.page.top_next };
        let body = sheet.content.iter().filter(|item| matches!(item.mark, Mark::Leaf(_)));
        let bottom = body.map(|item| item.y).fold(top, f32::max);
        (bottom - top) / (layout.page.floor() - top)
    };
    pages.sheets.iter().enumerate().map(fill).collect()
}

#[test]
fn no_page_is_left_nearly_empty() {
    let generated = records::all()
        .into_iter()
        .map(|(name, json)| (name, from_json(json.to_string().as_bytes()).expect("a summary")));
    let fixtures = ["full.json", "sparse.json"].map(|name| (name.to_owned(), fixture(name)));
    for (name, summary) in generated.chain(fixtures) {
        for language in [Language::English, Language::Spanish, Language::Portuguese] {
            let fills = fills(&summary, RenderOptions { language, ..FILE });
            assert!(fills.iter().all(|fill| *fill >= 0.15), "{name}, {language:?}: {fills:.2?}");
        }
    }
}

#[test]
fn a_row_that_no_page_holds_is_cut_and_whole() {
    let mut summary = with_discipline(3);
    let long = "word ".repeat(399);
    summary.history.discipline = Block::from(vec![DisciplineRow {
        school: Cell::Value(long.clone()),
        kind: Cell::Value(long.clone()),
        sanction: Cell::Value(long),
        ..DisciplineRow::default()
    }]);
    let (_, pages) = text_of(&summary, FILE);
    assert_eq!(pages.iter().map(|page| page.matches("word").count()).sum::<usize>(), 3 * 399);
    renderer().render(&summary, FILE).expect("renders");
}

fn fill(summary: &mut Summary, texts: &[String]) {
    let text = |i: usize| Cell::Value(texts[i % texts.len()].clone());
    summary.client.name = text(0);
    summary.client.race_ethnicity = text(1);
    summary.summary = crate::model::Current { school: text(2), language: text(3), ..crate::model::Current::default() };
    summary.recipient = Some(texts[0].clone());
    summary.agreement = texts.get(1).cloned();
    summary.withheld = texts.iter().map(|text| text.chars().take(200).collect()).collect();
    let row = |i| DisciplineRow {
        school: text(i),
        district: text(i + 1),
        kind: text(i + 2),
        sanction: text(i + 3),
        ..DisciplineRow::default()
    };
    summary.history.discipline = Block::from((0..texts.len()).map(row).collect::<Vec<_>>());
    let row = |i: usize| crate::model::SchoolRow {
        school: text(i),
        entry_date: Cell::Value(summary.report_date - chrono::Days::new(i as u64 * 90)),
        ..Default::default()
    };
    summary.history.schools = Block::from((0..texts.len()).map(row).collect::<Vec<_>>());
    let row = |i: usize| crate::model::AttendanceRow {
        year: text(i),
        pct: Cell::Value(model::Decimal(i as i64 * 12_345)),
        ..Default::default()
    };
    summary.history.attendance = Block::from((0..texts.len()).map(row).collect::<Vec<_>>());
}

#[test]
fn odd_texts_are_printed_and_conform() {
    let texts: Vec<String> = include_str!("../fixtures/odd-texts.txt").lines().map(str::to_owned).collect();
    let mut summary = fixture("sparse.json");
    fill(&mut summary, &texts);
    // The writer checks PDF/A-2a and PDF/UA-1 as far as it can, and refuses what breaks them.
    renderer().render(&summary, FILE).expect("renders");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_a_report_fail(texts in proptest::collection::vec(any::<String>(), 1..6)) {
        static RENDERER: std::sync::LazyLock<Renderer> = std::sync::LazyLock::new(renderer);
        let mut summary = fixture("sparse.json");
        fill(&mut summary, &texts);
        prop_assert!(RENDERER.render(&summary, FILE).is_ok());
    }
}

#[test]
fn a_folder_is_rendered_whatever_one_file_holds() {
    let folder = tempfile::tempdir().expect("a folder");
    let (input, output) = (folder.path().join("in"), folder.path().join("out"));
    fs::create_dir(&input).expect("a folder");
    let full = serde_json::to_vec(&fixture("full.json")).expect("JSON");
    for name in ["a.json", "b.json", "d.json"] {
        fs::write(input.join(name), &full).expect("a file");
    }
    fs::write(input.join("c.json"), b"{\"format\": \"school-records-summary/1\", \"client\": 7}").expect("a file");
    fs::write(input.join("note.txt"), b"not a summary").expect("a file");
    let told = std::sync::atomic::AtomicUsize::new(0);
    let report = render_path(&input, &output, &Batch { jobs: 3, ..Batch::default() }, &|done, all| {
        assert_eq!(all, 4);
        told.fetch_max(done, std::sync::atomic::Ordering::Relaxed);
    })
    .expect("a report");
    let written = ["a", "b", "d"].map(|name| {
        let document = output.join(name).with_extension("pdf");
        let bytes = fs::metadata(&document).expect("a document").len();
        crate::Written { input: input.join(name).with_extension("json"), document, bytes, without_glyph: 0 }
    });
    assert_eq!(report.written, written);
    assert_eq!(report.failures.len(), 1);
    assert_eq!(report.failures[0].input, input.join("c.json"));
    assert!(report.failures[0].error.to_string().starts_with("client (line 1"), "{}", report.failures[0].error);
    assert_eq!(told.into_inner(), 4);
    let names = fs::read_dir(&output).expect("a folder").count();
    assert_eq!(names, 3, "nothing half-written is left");
    let one = fs::read(output.join("a.pdf")).expect("a document");
    render_path(&input.join("a.json"), &folder.path().join("one.pdf"), &Batch::default(), &|_, _| {})
        .expect("a report");
    assert!(one == fs::read(folder.path().join("one.pdf")).expect("a document"), "threads make no difference");
}

#[test]
fn a_packed_document_has_its_cross_reference_where_it_says() {
    let pdf = renderer().render(&fixture("sparse.json"), FILE).expect("renders");
    let tail = String::from_utf8_lossy(&pdf[pdf.len() - 40..]).into_owned();
    let start: usize = tail
        .split("startxref\n")
        .nth(1)
        .and_then(|rest| rest.lines().next())
        .and_then(|n| n.parse().ok())
        .expect("an offset");
    let object = String::from_utf8_lossy(&pdf[start..start + 120]).into_owned();
    assert!(object.contains(" 0 obj") && object.contains("/Type/XRef"), "{object}");
    assert!(pdf.starts_with(b"%PDF-1.7"));
}
