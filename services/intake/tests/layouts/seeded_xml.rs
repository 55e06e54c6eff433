//! XML that is wrong as a file, each time in one way, for every file of SIF and Ed-Fi that the tests know: one fatal finding says so, and what was read
//! before it is what is read of the clean file.

use std::{fs, ops::ControlFlow, path::Path};

use intake::{Finding, Item, Severity, edfi, sif};

/// What a reader gave: its records as they print, and what it said.
struct Reading {
    records: Vec<String>,
    findings: Vec<Finding>,
}

fn read_sif(bytes: &[u8]) -> Reading {
    let (mut out, mut findings) = (Vec::new(), Vec::new());
    let form = sif::convert::Form::Ndjson;
    sif::convert::from_xml(&mut { bytes }, form, &mut out, &mut |finding| findings.push(finding)).expect("memory");
    let records = String::from_utf8_lossy(&out).lines().map(str::to_owned).collect();
    Reading { records, findings }
}

fn read_edfi(bytes: &[u8]) -> Reading {
    let (mut records, mut findings) = (Vec::new(), Vec::new());
    let expected = edfi::Expected { interchange: edfi::Interchange::Other, version: None };
    let mut index = edfi::Index::new(1 << 22);
    let mut sink = |item: Item| {
        match item {
            Item::File(finding) => findings.push(finding),
            other => records.push(format!("{other:?}")),
        }
        ControlFlow::Continue(())
    };
    edfi::read_interchange(expected, &mut { bytes }, &mut index, &edfi::Config::default(), &mut sink).expect("memory");
    Reading { records, findings }
}

/// The file with each defect, and what the finding's rule must begin with.
fn seeds(text: &str) -> Vec<(String, Vec<u8>, &'static str)> {
    let mut seeds: Vec<(String, Vec<u8>, &'static str)> = Vec::new();
    let mut add = |what: String, text: String, rule| seeds.push((what, text.into_bytes(), rule));
    let declared = text.find("?>").map_or(0, |at| at + 2);
    let (head, body) = text.split_at(declared);
    add("a document type".to_owned(), format!("{head}<!DOCTYPE a [<!ENTITY b \"c\">]>{body}"), "xml.doctype");
    add("a second root".to_owned(), format!("{}<a/>", text.trim_end()), "xml.");
    add("text after the end".to_owned(), format!("{}more", text.trim_end()), "xml.loose_text");
    let last = text.rfind("</").unwrap_or(text.len());
    for (at, _) in text.match_indices("</").filter(|(at, _)| *at < last) {
        let name = &text[at + 2..at + text[at..].find('>').expect("a tag ends")];
        add(
            format!("an end that is not {name}'s at {at}"),
            format!("{}</Xx{}", &text[..at], &text[at + 2 + name.len()..]),
            "xml.",
        );
        add(format!("an entity in {name} at {at}"), format!("{}&own;{}", &text[..at], &text[at..]), "xml.");
        add(format!("cut at {at}"), text[..at].to_owned(), "xml.truncated");
    }
    seeds.push(("UTF-16".to_owned(), text.encode_utf16().flat_map(u16::to_le_bytes).collect(), "xml.encoding"));
    let middle = text.match_indices("</").nth(2).map_or(declared, |(at, _)| at);
    let odd = [&text.as_bytes()[..middle], &[0xe9], &text.as_bytes()[middle..]].concat();
    seeds.push(("Windows-1252".to_owned(), odd, "xml.encoding"));
    seeds
}

fn check(name: &str, text: &str, read: fn(&[u8]) -> Reading) {
    let clean = read(text.as_bytes());
    assert!(clean.findings.iter().all(|finding| finding.severity < Severity::Error), "{name}: {:?}", clean.findings);
    for (what, bytes, rule) in seeds(text) {
        let found = read(&bytes);
        let fatal: Vec<&Finding> = found.findings.iter().filter(|one| one.severity == Severity::Fatal).collect();
        let [one] = fatal.as_slice() else { panic!("{name}: {what}: {:?}", found.findings) };
        assert!(one.rule.starts_with(rule) && one.message.len() > 10, "{name}: {what}: {one:?}");
        assert!(found.records.len() <= clean.records.len(), "{name}: {what}");
        let whole = found.records.iter().zip(&clean.records).take_while(|(found, clean)| found == clean).count();
        // The record in which reading ended may have been told as far as it went.
        assert!(whole + 1 >= found.records.len(), "{name}: {what}: {} of {}", whole, found.records.len());
    }
}

#[test]
fn each_defect_of_an_xml_file_is_one_fatal_finding() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let contact = root.join("layouts/sif/objects/student-contact-2.7.sample");
    check("student-contact-2.7", &fs::read_to_string(contact).expect("it has a sample"), read_sif);
    let mut read = 0;
    for folder in ["first", "second"] {
        for entry in fs::read_dir(root.join("fixtures/edfi").join(folder)).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.extension().is_some_and(|extension| extension == "xml") {
                check(&path.display().to_string(), &fs::read_to_string(&path).expect("a file"), read_edfi);
                read += 1;
            }
        }
    }
    assert!(read > 5, "{read}");
}
