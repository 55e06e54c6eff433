//! Records by type, as the reader tells them apart, beside those that a script counts which shares no code with it (`deploy/recount`, run where there
//! is Python).

use std::{collections::BTreeMap, fs, path::Path, process::Command};

use intake::{Layout, convert, layouts};

use crate::{rows::of_sample, sample, tables};

fn recounted(layout: &Layout, path: &Path) -> Option<BTreeMap<String, u64>> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/recount");
    let found = Command::new("python3").arg(script).arg(&layout.id).arg(path).output().ok()?;
    assert!(found.status.success(), "{}: {}", layout.id, String::from_utf8_lossy(&found.stderr));
    Some(serde_json::from_slice(&found.stdout).expect("one object"))
}

/// The records of a file by type: the code of their kind, the value of the field that tells types apart, or `record`.
fn read(layout: &Layout, bytes: &[u8]) -> (BTreeMap<String, u64>, u64) {
    let mut objects = Vec::new();
    let summary =
        convert::to_ndjson(&mut { bytes }, layout, tables(layout), &mut objects, &mut |_| {}).expect("memory");
    let types = layout.records[0].types.as_ref().map(|types| layout.records[0].fields[types.field].name.clone());
    let mut counts = BTreeMap::new();
    for line in String::from_utf8(objects).expect("JSON is text").lines() {
        let object: serde_json::Map<String, serde_json::Value> = serde_json::from_str(line).expect("an object");
        let named =
            types.as_deref().or(Some("record")).and_then(|name| object.get(name)).and_then(|value| value.as_str());
        *counts.entry(named.unwrap_or("record").to_owned()).or_default() += 1;
    }
    (counts, summary.rejected)
}

#[test]
fn every_sample_has_the_records_that_a_script_counts() {
    for layout in layouts::all() {
        let path = sample(layout, "sample");
        let Some(expected) = recounted(layout, &path) else { return };
        let (found, rejected) = read(layout, &fs::read(&path).expect("it has a sample"));
        assert_eq!((found, rejected), (expected, 0), "{}", layout.id);
    }
}

#[test]
fn a_file_with_bad_records_has_as_many_as_a_script_counts() {
    for layout in layouts::all() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("sent");
        let mut bytes = fs::read(sample(layout, "sample")).expect("it has a sample");
        // A control character in the middle of the last record, a blank line, and the sample's records once more.
        let end = bytes.len() - layout.line_end.bytes().len() - 3;
        bytes[end] = 1;
        bytes.extend_from_slice(layout.line_end.bytes());
        bytes.extend_from_slice(&fs::read(sample(layout, "sample")).expect("it has a sample"));
        fs::write(&path, &bytes).expect("room");
        let Some(expected) = recounted(layout, &path) else { return };
        let (found, rejected) = read(layout, &bytes);
        assert_eq!(found.values().sum::<u64>() + rejected, expected.values().sum::<u64>(), "{}", layout.id);
        assert_eq!(expected.values().sum::<u64>(), 2 * of_sample(layout).len() as u64, "{}", layout.id);
    }
}
