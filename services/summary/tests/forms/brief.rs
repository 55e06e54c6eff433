//! The one-page print says what the record says.

use summary::{Form, Language};

use super::{all, options, paper, records, renderer};

#[test]
fn the_cells_of_the_one_page_are_those_of_the_record() {
    let renderer = renderer();
    for (name, summary) in all() {
        let pdf = renderer.render(&summary, options(Form::OnePage, Language::English)).expect("a page");
        records::hold_brief_against_record(&name, &paper::read(&pdf), &serde_json::to_value(&summary).expect("JSON"));
    }
}
