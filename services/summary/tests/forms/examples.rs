//! The record as it is written: frozen, and every example of it against the schema.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;
use sha2::{Digest as _, Sha256};
use summary::from_json;

use super::{SCHEMA, all, rare};

/// What the fullest fixture and the record of what is rare are, written. Whoever reads records outside depends on it: a change is a new
/// version of the format, or an optional field, which the schema, the message and `deploy/API.md` then name too.
const WRITTEN: [&str; 2] = [
    "d951909192adf9590cef0c532db5ac3e2b4d1ebba57331b782916f115960295c",
    "e66f0dbb6f6bf0c9f17f64253f317856a79f834dba1ffd0e98f725135e98ad2b",
];

#[test]
fn the_record_is_written_as_it_always_was() {
    let full = all().swap_remove(0).1;
    let written = [full, rare()].map(|summary| {
        let bytes = serde_json::to_vec(&summary).expect("JSON");
        assert_eq!(
            serde_json::to_vec(&from_json(&bytes).expect("a summary")).expect("JSON"),
            bytes,
            "read and written"
        );
        hex::encode(Sha256::digest(bytes))
    });
    assert_eq!(written, WRITTEN);
}

/// Every JSON file below a folder that says it is a summary.
fn examples(folder: &Path, found: &mut Vec<PathBuf>) {
    const LEFT_OUT: [&str; 3] = ["target", "node_modules", ".git"];
    let Ok(entries) = fs::read_dir(folder) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if path.is_dir() && !path.is_symlink() && !LEFT_OUT.contains(&name) {
            examples(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "json") {
            let json = fs::read(&path).ok().and_then(|text| serde_json::from_slice::<Value>(&text).ok());
            if json
                .is_some_and(|json| json["format"].as_str().is_some_and(|of| of.starts_with("school-records-summary/")))
            {
                found.push(path);
            }
        }
    }
}

#[test]
#[expect(clippy::disallowed_macros, reason = "what was passed over is said")]
fn every_example_fits_the_schema() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut found = Vec::new();
    examples(&root, &mut found);
    assert!(found.len() >= 2, "the fixtures at least: {found:?}");
    let beside = root.join("../shared/examples/summary");
    if beside.is_dir() {
        let ours = found.len();
        examples(&beside, &mut found);
        assert!(found.len() > ours, "{} holds examples", beside.display());
    } else {
        eprintln!("{} is not there: its examples are skipped", beside.display());
    }
    let schema: Value = serde_json::from_str(SCHEMA).expect("JSON");
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    for path in found {
        let text = fs::read(&path).expect("a file");
        let json: Value = serde_json::from_slice(&text).expect("JSON");
        let wrong: Vec<String> = validator.iter_errors(&json).map(|error| error.to_string()).collect();
        assert!(wrong.is_empty(), "{}: {wrong:?}", path.display());
        assert!(from_json(&text).is_ok(), "{}: the reader takes it", path.display());
    }
}
