//! Text of every script comes out of the PDF in the order in which it is read.

use serde_json::json;
use summary::{Form, Language};

use super::{all, hold_equal, options, paper, piece::plain, places::Places, read, renderer, web};

/// The record of one client, whose schools have these names.
fn with_schools(names: &[&str]) -> summary::Summary {
    let mut record = serde_json::to_value(&all().swap_remove(0).1).expect("JSON");
    let row = |name: &&str| json!({"school": name, "district": format!("{name} 7, (North)"), "year": "2024-25"});
    record["history"]["special_ed"] = names.iter().map(row).collect();
    record["withheld"] = json!(names.iter().map(|name| name.chars().take(200).collect::<String>()).collect::<Vec<_>>());
    read(&record)
}

#[test]
fn what_is_set_in_any_script_is_read_as_it_was_written() {
    let odd: Vec<&str> = include_str!("../../fixtures/odd-texts.txt").lines().collect();
    let summary = with_schools(&odd);
    let renderer = renderer();
    let pdf = renderer.render(&summary, options(Form::Pdf, Language::English)).expect("a PDF");
    let html = renderer.render(&summary, options(Form::Html, Language::English)).expect("a page");
    hold_equal("odd texts", &paper::read(&pdf), &web::read(&html));
}

#[test]
fn a_name_from_right_to_left_is_read_from_its_first_letter() {
    // Two words, a comma, a number and brackets, which mirror; vowel points and lam-alef, where glyphs and letters are not as many.
    let names = ["לוי, נועה", "(דוגמה) 12", "שָׁלוֹם", "الأمثلة، ليلى", "Levi נועה 12 לוי [ab]", "مِثَالٌ"];
    let summary = with_schools(&names);
    let pdf = renderer().render(&summary, options(Form::Pdf, Language::English)).expect("a PDF");
    let rows: Vec<String> = Places::of(&pdf).elements().into_iter().map(|element| plain(&element.text)).collect();
    for name in names {
        let begins = |row: &String| row.starts_with(&plain(&format!("{name}{name} 7, (North)")));
        assert!(rows.iter().any(begins), "{name}: {rows:?}");
    }
}
