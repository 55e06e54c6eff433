//! What holds of every file: what is written reads back, and odd bytes are never a panic.

use std::ops::ControlFlow;

use intake::{Layout, check, convert, layouts};
use proptest::prelude::*;

use crate::tables;

/// The good records of a file, converted there and back, are the good records of the file that comes back.
fn passes_alike(layout: &'static Layout, bytes: &[u8]) -> Result<(), TestCaseError> {
    let convert_once = |bytes: &[u8]| {
        let (mut objects, mut found) = (Vec::new(), Vec::new());
        let mut reader = bytes;
        let summary =
            convert::to_ndjson(&mut reader, layout, tables(layout), &mut objects, &mut |finding| found.push(finding))
                .expect("memory can be read");
        (objects, found, summary)
    };
    let (objects, _, summary) = convert_once(bytes);
    let mut again = Vec::new();
    let written =
        convert::from_ndjson(&mut objects.as_slice(), layout, &mut again, &mut |_| {}).expect("memory can be written");
    prop_assert_eq!(written, summary.rows_in - summary.rejected);
    let (objects_again, found_again, _) = convert_once(&again);
    if written > 0 {
        prop_assert!(found_again.iter().all(|finding| finding.severity < intake::Severity::Error));
        let unnumbered = |objects: &[u8]| -> Vec<String> {
            String::from_utf8_lossy(objects)
                .lines()
                .map(|line| line.split_once(',').map_or(String::new(), |(_, rest)| rest.to_owned()))
                .collect()
        };
        prop_assert_eq!(unnumbered(&objects), unnumbered(&objects_again));
    }
    Ok(())
}

fn any_layout() -> impl Strategy<Value = &'static Layout> {
    (0..layouts::all().len()).prop_map(|index| &layouts::all()[index])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn odd_bytes_are_findings_and_never_a_panic(layout in any_layout(), bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
        let mut reader = bytes.as_slice();
        check::check_file(&mut reader, layout, tables(layout), intake::read::Sender::default(), &mut |_| ControlFlow::Continue(())).expect("memory can be read");
        passes_alike(layout, &bytes)?;
    }

    #[test]
    fn a_damaged_sample_is_read_to_its_end(layout in any_layout(), at in 0.0..1.0_f64, byte in any::<u8>(), drop in any::<bool>()) {
        let mut bytes = std::fs::read(crate::sample(layout, "sample")).expect("it has a sample");
        let at = (at * bytes.len() as f64) as usize;
        if drop {
            bytes.remove(at);
        } else {
            bytes[at] = byte;
        }
        passes_alike(layout, &bytes)?;
    }
}
