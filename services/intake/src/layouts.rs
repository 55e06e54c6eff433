//! The layouts the program knows. They are found when it is built, not listed: adding one is adding a file.

use std::sync::LazyLock;

use crate::Layout;

const TEXTS: &[&str] = include!(concat!(env!("OUT_DIR"), "/layouts.rs"));

static LAYOUTS: LazyLock<Vec<Layout>> = LazyLock::new(|| {
    TEXTS
        .iter()
        .map(|text| {
            // Cannot fail: the texts are part of the program, and a test reads every one.
            #[expect(
                clippy::panic,
                reason = "a layout of our own that does not compile is a defect of the program"
            )]
            Layout::from_toml(text).unwrap_or_else(|error| panic!("{error}"))
        })
        .collect()
});

/// All layouts, by source and id.
pub fn all() -> &'static [Layout] {
    &LAYOUTS
}

/// The layout of an id.
pub fn find(id: &str) -> Option<&'static Layout> {
    all().iter().find(|layout| layout.id == id)
}

#[cfg(test)]
mod tests {
    use reference::tables::Tables;

    use super::*;

    #[test]
    fn every_layout_compiles_and_names_tables_that_exist() {
        for layout in all() {
            let tables = Tables::builtin(&layout.sea).expect("its state has tables");
            for field in layout.records.iter().flat_map(|record| &record.fields) {
                if let Some(table) = &field.table {
                    assert!(tables.find(table).is_some(), "{}: {table}", layout.id);
                }
            }
        }
    }

    #[test]
    fn published_lengths_come_out() {
        fn check(id: &str, length: usize) {
            let layout = find(id).expect("the layout is there");
            assert_eq!(
                layout.records.first().map(|record| record.length),
                Some(length),
                "{id}"
            );
        }
        check("sasid-2.1", 279);
        check("sasid-2.1x", 292);
        check("tcs-4.0", 275);
    }
}
