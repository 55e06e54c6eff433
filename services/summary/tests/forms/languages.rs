//! The report in Spanish and in Portuguese.

use std::collections::BTreeSet;

use summary::{Form, Language, Summary};

use super::{
    all, hold_equal, options, paper,
    piece::{Piece, plain},
    places::Places,
    renderer, web,
};

/// What is the same in all three languages.
const SAME: [&str; 1] = ["SASID"];

/// One record of each kind.
fn of_each_kind() -> Vec<(String, Summary)> {
    all().into_iter().filter(|(name, _)| !name.contains(char::is_numeric) || name.ends_with("-1")).collect()
}

/// Headings, heads of tables, and the words that begin the charts' text alternatives.
fn titles(pieces: &[Piece]) -> BTreeSet<String> {
    let mut titles = BTreeSet::new();
    for piece in pieces {
        match piece {
            Piece::Heading(_, text) => drop(titles.insert(text.clone())),
            Piece::Table { head, .. } => titles.extend(head.iter().cloned()),
            Piece::Figure(alt) => drop(titles.insert(alt.chars().take(12).collect())),
            Piece::Paragraph(_) | Piece::Item(_) => {}
        }
    }
    titles.into_iter().filter(|title| !SAME.contains(&&**title)).collect()
}

#[test]
fn no_heading_stays_in_english_whatever_the_record() {
    let renderer = renderer();
    let mut english = BTreeSet::new();
    for (_, summary) in of_each_kind() {
        for form in [Form::Pdf, Form::OnePage] {
            let pdf = renderer.render(&summary, options(form, Language::English)).expect("a PDF");
            english.extend(titles(&paper::read(&pdf)));
        }
    }
    assert!(english.len() > 50, "every heading and head was met: {english:?}");
    for (name, summary) in of_each_kind() {
        for (language, code) in [(Language::Spanish, "es-US"), (Language::Portuguese, "pt-BR")] {
            for form in [Form::Pdf, Form::OnePage] {
                let pdf = renderer.render(&summary, options(form, language)).expect("a PDF");
                let pieces = paper::read(&pdf);
                let left: Vec<String> = titles(&pieces).intersection(&english).cloned().collect();
                assert!(left.is_empty(), "{name}, {language:?}, {form:?}: {left:?}");
                assert_eq!(Places::of(&pdf).language(), code, "{name}");
                let said = paper::artifacts(&pdf);
                for words in ["Page 1 of", "Report Date", "Confidential student", "Verification code", "(continued)"] {
                    assert!(!said.contains(&plain(words)), "{name}, {language:?}: {words}");
                }
                if form == Form::Pdf {
                    let html = renderer.render(&summary, options(Form::Html, language)).expect("a page");
                    hold_equal(&name, &without_mark(&pieces), &without_mark(&web::read(&html)));
                    let html = String::from_utf8(html).expect("text");
                    assert!(html.contains(&format!("<html lang=\"{code}\"")), "{name}: {}", &html[..200]);
                }
            }
        }
    }
}

/// Without the sentence on the mark of replacement, which paper may say alone.
fn without_mark(pieces: &[Piece]) -> Vec<Piece> {
    let is_mark = |piece: &&Piece| !matches!(piece, Piece::Paragraph(text) if text.starts_with(&plain("La marca \u{fffd}")) || text.starts_with(&plain("A marca \u{fffd}")));
    pieces.iter().filter(is_mark).cloned().collect()
}

#[test]
fn what_is_issued_is_in_the_language_that_was_asked_for() {
    let (renderer, (_, summary)) = (renderer(), all().swap_remove(0));
    for (language, code) in
        [(Language::English, "en-US"), (Language::Spanish, "es-US"), (Language::Portuguese, "pt-BR")]
    {
        for form in [Form::Pdf, Form::PdfWithRecord, Form::OnePage] {
            let pdf = summary::issue(&renderer, &summary, options(form, language), None).expect("a PDF");
            assert_eq!(Places::of(&pdf).language(), code, "{form:?}");
        }
    }
}
