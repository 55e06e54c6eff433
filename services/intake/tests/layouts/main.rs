//! The layouts, seen from outside the crate: samples, bad input, properties.

#![expect(clippy::expect_used, clippy::panic, reason = "a test that cannot go on says why")]

mod bad_input;
mod corpora;
mod defects;
mod louisiana;
mod properties;
mod recount;
mod rows;
mod rules;
mod samples;
mod seeded;
mod seeded_xml;
mod several_kinds;

use std::{
    ops::ControlFlow,
    path::{Path, PathBuf},
};

use intake::{Finding, Item, Layout, layouts, read, read::ReadSummary};
use reference::tables::Tables;

/// The file beside a layout.
fn sample(layout: &Layout, extension: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("layouts").join(&layout.sea);
    folder.join(format!("{}.{extension}", layout.id))
}

fn layout(id: &str) -> &'static Layout {
    layouts::find(id).expect("the layout is there")
}

fn tables(layout: &Layout) -> &'static Tables {
    Tables::builtin(&layout.sea).expect("its state has tables")
}

fn read_all(layout: &Layout, bytes: &[u8]) -> (Vec<Item>, ReadSummary) {
    let mut items = Vec::new();
    let mut reader = bytes;
    let mut sink = |item| {
        items.push(item);
        ControlFlow::Continue(())
    };
    let summary = read::read(&mut reader, layout, tables(layout), &mut sink).expect("memory can be read");
    (items, summary)
}

fn items(layout: &Layout, bytes: &[u8]) -> Vec<Item> {
    read_all(layout, bytes).0
}

/// The findings of an item.
fn findings_of(item: &Item) -> &[Finding] {
    match item {
        Item::Person { findings, .. } | Item::Organization { findings, .. } | Item::Rejected { findings, .. } => {
            findings
        }
        Item::File(finding) => std::slice::from_ref(finding),
        Item::Passed { .. } | Item::Retracted { .. } | Item::Joint(_) | Item::Described { .. } | Item::Dependent(_) => {
            &[]
        }
    }
}
