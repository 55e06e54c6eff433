//! Heads of tables that run over pages.

use summary::{Form, Language};

use super::{
    all, options, paper,
    piece::plain,
    places::{Element, Places},
    read, renderer,
};

/// A record with so many test scores in its history: the table with two rows of heads.
fn with_tests(rows: usize) -> summary::Summary {
    let mut json = serde_json::to_value(&all().swap_remove(0).1).expect("JSON");
    let row = |at: usize| {
        serde_json::json!({"school": format!("marker{at:03}"), "district": "Fernwick School District", "year": format!("{}-{:02}", 1900 + at, (at + 1) % 100),
            "type": "SBAC", "math": 2_400, "math_level": "Level 2"})
    };
    json["history"]["tests"] = (0..rows).map(row).collect();
    read(&json)
}

#[test]
fn a_table_over_pages_repeats_both_rows_of_its_head_once_a_page_and_for_the_eye_alone() {
    let renderer = renderer();
    for rows in [1, 2, 3, 14, 15, 16, 17, 18, 30, 31, 32, 33, 34, 60] {
        let pdf = renderer.render(&with_tests(rows), options(Form::Pdf, Language::English)).expect("a PDF");
        let elements = Places::of(&pdf).elements();
        let heading = elements.iter().position(|element| plain(&element.text) == "TestScoreHistory").expect("a block");
        let table: Vec<&Element> = elements[heading + 1..].iter().take_while(|element| element.kind == "TR").collect();
        let (head, body): (Vec<&Element>, Vec<&Element>) = table.into_iter().partition(|row| row.parent == "THead");
        let said: Vec<String> = head.iter().map(|row| plain(&row.text)).collect();
        let subjects = "SchoolNameSchoolDistrictYearTestTypeWritingReadingMathScience";
        assert_eq!(said, [subjects, &"ScoreLevel".repeat(4)], "{rows} rows: in the structure the head is said once");
        assert_eq!(body.len(), rows);
        // The head stands where the heading and the first rows do.
        let first = body[0].page;
        assert!(elements[heading].page == first && head.iter().all(|row| row.page == first), "{rows} rows");
        let artifacts = paper::artifacts_by_page(&pdf);
        for (page, artifact) in artifacts.iter().enumerate() {
            let here = body.iter().filter(|row| row.page == page).count();
            let repeated = usize::from(here > 0 && page != first);
            let is_as_said = artifact.matches("WritingReadingMathScience").count() == repeated
                && artifact.matches(&"ScoreLevel".repeat(4)).count() == repeated;
            assert!(is_as_said, "{rows} rows, {here} of them on page {page}: {artifact}");
            assert!(rows == 1 || here != 1, "{rows} rows: one stands alone on page {page}");
            let continued = plain("Test Score History (continued)");
            assert_eq!(artifact.matches(&continued).count(), repeated, "{rows} rows, page {page}");
        }
    }
}
