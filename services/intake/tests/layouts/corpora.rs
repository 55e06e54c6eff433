//! Hostile and odd input: what other people collected to try readers with, where it lies beside this repository (`../shared/data`), and the same
//! kinds of input of our own, always. Nothing of it is a panic, an error of ours, or a record that nobody checked.

use std::{
    fs,
    io::{BufReader, Read},
    ops::ControlFlow,
    path::{Path, PathBuf},
};

use intake::{Finding, Layout, Severity, archive, check, convert, edfi, layouts, read::Sender, sif};
use reference::tables::Tables;

use crate::{layout, rows::of_sample, tables};

/// A file of the corpora; `None` where they are absent.
fn corpus(path: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data").join(path);
    path.exists().then_some(path)
}

fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    entries.filter(|path| path.extension().is_some_and(|found| found == extension)).collect()
}

/// A layout whose columns are these names, each of any text.
fn columns(names: &[&str], fixed: bool) -> Layout {
    let mut at = 1;
    let mut field = |(number, name): (usize, &&str)| {
        let place = if fixed { format!("at = {at}, length = 200, ") } else { String::new() };
        at += 200;
        let allowed = if fixed { "" } else { ", allowed = \"lines\"" };
        let column = name.replace('\\', "\\\\").replace('"', "\\\"");
        format!(
            "  {{ name = \"c{number}\", column = \"{column}\", {place}type = \"text\", require = \"O\"{allowed} }},\n"
        )
    };
    let fields: String = names.iter().enumerate().map(&mut field).collect();
    let format = if fixed {
        "kind = \"fixed\"\nline_end = \"lf\""
    } else {
        "kind = \"delimited\"\nline_end = \"lf\"\ndelimiter = \",\"\nheader = true"
    };
    let text = format!(
        "id = \"any\"\ntitle = \"Any text\"\nsea = \"ct\"\nversion = \"1\"\nstatus = \"provisional\"\nsource = \"a test\"\nabout = \"Any text.\"\n\
        [format]\n{format}\n[[records]]\nname = \"row\"\nfields = [\n{fields}]\n"
    );
    let text = if fixed { text.replace("column = ", "title = ") } else { text };
    Layout::from_toml(&text).unwrap_or_else(|error| panic!("{error}"))
}

fn objects(layout: &Layout, bytes: &[u8]) -> (Vec<serde_json::Map<String, serde_json::Value>>, Vec<Finding>) {
    let (mut out, mut found) = (Vec::new(), Vec::new());
    let tables = Tables::builtin("ct").expect("it has tables");
    convert::to_ndjson(&mut { bytes }, layout, tables, &mut out, &mut |finding| found.push(finding)).expect("memory");
    let text = String::from_utf8(out).expect("JSON is text");
    (text.lines().map(|line| serde_json::from_str(line).expect("an object")).collect(), found)
}

fn check_rules(layout: &Layout, reader: &mut dyn std::io::BufRead) -> (u64, Vec<(u32, String, Severity)>) {
    let mut said = Vec::new();
    let mut sink = |finding: Finding| {
        said.push((finding.line, finding.rule, finding.severity));
        ControlFlow::Continue(())
    };
    let summary = check::check_file(reader, layout, tables(layout), Sender::default(), &mut sink).expect("it is read");
    (summary.rows_in - summary.rejected, said)
}

#[test]
fn csv_is_cut_as_the_spectrum_says() {
    let Some(folder) = corpus("csv-spectrum") else { return };
    let mut read = 0;
    for path in files(&folder.join("csvs"), "csv") {
        let name = path.file_stem().expect("it has a name").to_string_lossy().into_owned();
        let bytes = fs::read(&path).expect("a file");
        let expected = fs::read(folder.join("json").join(format!("{name}.json"))).expect("what it holds");
        let expected: serde_json::Value = serde_json::from_slice(&expected).expect("JSON");
        let expected = expected.as_array().cloned().unwrap_or_else(|| vec![expected]);
        let mut reader = csv::Reader::from_reader(bytes.as_slice());
        let header: Vec<String> = reader.headers().expect("a header").iter().map(str::to_owned).collect();
        let names: Vec<&str> = header.iter().map(String::as_str).collect();
        let (found, said) = objects(&columns(&names, false), &bytes);
        read += 1;
        // A character that another program lost is refused, here as everywhere.
        if String::from_utf8_lossy(&bytes).contains('\u{fffd}') {
            assert_eq!((found.len(), said[0].rule.as_str()), (0, "text.control_character"), "{name}");
            continue;
        }
        assert!(said.iter().all(|finding| finding.severity < Severity::Error), "{name}: {said:?}");
        assert_eq!(found.len(), expected.len(), "{name}");
        for (found, expected) in found.iter().zip(&expected) {
            for (number, column) in header.iter().enumerate() {
                let found = found.get(&format!("c{number}")).and_then(|value| value.as_str()).unwrap_or_default();
                // Blanks around a cell are not kept.
                let expected = expected[column].as_str().expect("text").trim_matches(' ').replace("\r\n", "\n");
                assert_eq!(found.replace("\r\n", "\n"), expected, "{name}: {column}");
            }
        }
    }
    assert!(read > 10, "{read}");
}

/// Strings that broke programs, and some of our own: each comes back as it was or is refused with a word.
#[test]
fn naughty_strings_come_back_or_are_refused() {
    let mut strings: Vec<String> =
        ["", "\u{0}", "\u{202e}txt", "=1+1", "'; DROP TABLE student;--", "a\u{301}", "\u{feff}x", "\"", "a,b", "\t"]
            .map(str::to_owned)
            .to_vec();
    if let Some(path) = corpus("naughty-strings/blns.json") {
        let more: Vec<String> = serde_json::from_slice(&fs::read(path).expect("a file")).expect("a list of strings");
        strings.extend(more);
    }
    for layout in [columns(&["a", "b"], false), columns(&["a", "b"], true)] {
        for string in &strings {
            let line = serde_json::json!({ "c0": "first", "c1": string }).to_string();
            let (mut file, mut refused) = (Vec::new(), Vec::new());
            let written =
                convert::from_ndjson(&mut line.as_bytes(), &layout, &mut file, &mut |finding| refused.push(finding))
                    .expect("memory");
            assert_eq!(written + refused.len() as u64, 1, "{string:?}");
            let (found, said) = objects(&layout, &file);
            if written == 1 {
                let back = found
                    .first()
                    .and_then(|object| object.get("c1"))
                    .and_then(|value| value.as_str())
                    .unwrap_or_default();
                let is_refused = said.iter().any(|finding| finding.rule == "text.control_character");
                assert!(is_refused || back == string.trim_matches(' '), "{string:?} {back:?} {said:?}");
            }
        }
    }
}

#[test]
fn json_that_is_no_record_is_refused_line_by_line() {
    let mut texts: Vec<Vec<u8>> = [
        "{\"sasid\":\"\\ud800\"}",
        "{\"sasid\":\"\\udc00x\"}",
        "{",
        "[]",
        "null",
        "1e999",
        "{\"sasid\":1,}",
        "\u{0}",
        "{\"a\":{\"a\":{}}}",
    ]
    .iter()
    .map(|text| text.as_bytes().to_vec())
    .collect();
    texts.push(b"{\"sasid\":\"\xed\xa0\x80\"}".to_vec());
    texts.push([b"[".repeat(100_000), b"]".repeat(100_000)].concat());
    texts.push([b"{\"a\":".repeat(100_000), b"1".to_vec(), b"}".repeat(100_000)].concat());
    if let Some(folder) = corpus("json-parsing") {
        texts.extend(files(&folder, "json").iter().map(|path| fs::read(path).expect("a file")));
        assert!(texts.len() > 100);
    }
    let tcs = layout("tcs-4.0");
    for text in texts {
        let (mut file, mut refused) = (Vec::new(), 0);
        let written = convert::from_ndjson(&mut text.as_slice(), tcs, &mut file, &mut |finding| {
            assert!(finding.severity >= Severity::Error && finding.message.len() > 10);
            refused += 1;
        });
        // A file of a record without values would be one of blanks; none of these is even that, but for the empty object.
        let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.iter().all(u8::is_ascii_whitespace)).count();
        assert_eq!(
            written.expect("memory") + refused,
            lines as u64,
            "{}",
            String::from_utf8_lossy(&text[..text.len().min(60)])
        );
        let mut out = Vec::new();
        sif::convert::from_ndjson(&mut text.as_slice(), &mut out, &mut |_| {}).expect("memory");
    }
}

#[test]
fn xml_attacks_are_refused_by_every_reader_of_xml() {
    let bomb = "<!DOCTYPE b [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;\">]>";
    let outside = "<!DOCTYPE b [<!ENTITY a SYSTEM \"file:///etc/hostname\">]>";
    let body =
        "<InterchangeStudentParent xmlns=\"http://ed-fi.org/0100\"><Student>&b;</Student></InterchangeStudentParent>";
    let message = "<SIF_Message><SIF_Response>&a;</SIF_Response></SIF_Message>";
    let deep = "<a>".repeat(200_000);
    let mut texts: Vec<Vec<u8>> = [bomb, outside]
        .iter()
        .flat_map(|dtd| [body, message].map(|body| format!("{dtd}{body}").into_bytes()))
        .collect();
    texts.push(deep.clone().into_bytes());
    texts.push(format!("<SIF_Message>{deep}").into_bytes());
    texts.push(b"<SIF_Message>\0</SIF_Message>".to_vec());
    texts.push(b"<SIF_Message>&#xD800;</SIF_Message>".to_vec());
    texts.push(b"<SIF_Message>\xed\xa0\x80</SIF_Message>".to_vec());
    texts.push(message.encode_utf16().flat_map(u16::to_le_bytes).collect());
    if let Some(folder) = corpus("xml-attacks") {
        texts.extend(files(&folder, "xml").iter().map(|path| fs::read(path).expect("a file")));
    }
    for text in &texts {
        let shown = String::from_utf8_lossy(&text[..text.len().min(80)]).into_owned();
        let mut fatal = Vec::new();
        sif::convert::check(&mut text.as_slice(), &mut |finding| fatal.push(finding)).expect("memory");
        assert!(fatal.iter().any(|finding| finding.severity >= Severity::Error), "SIF: {shown}");
        let mut said = Vec::new();
        let mut sink = |item| {
            if let intake::Item::File(finding) = item {
                said.push(finding);
            }
            ControlFlow::Continue(())
        };
        let expected = edfi::Expected { interchange: edfi::Interchange::Other, version: None };
        let mut index = edfi::Index::new(1 << 20);
        edfi::read_interchange(expected, &mut text.as_slice(), &mut index, &edfi::Config::default(), &mut sink)
            .expect("memory");
        assert!(said.iter().any(|finding| finding.severity == Severity::Fatal), "Ed-Fi: {shown}");
        for finding in fatal.iter().chain(&said) {
            assert!(!finding.message.contains("aaaa"), "nothing is expanded: {}", finding.message);
        }
    }
}

/// Extracts that no layout of ours describes: refused by every layout that reads them, and cut right by one that describes them.
#[test]
fn extracts_of_other_systems_are_refused_and_cut_right() {
    for path in ["tinysis-csv", "student-csv-5000"]
        .iter()
        .filter_map(|folder| corpus(folder))
        .flat_map(|folder| files(&folder, "csv"))
    {
        let bytes = fs::read(&path).expect("a file");
        let name = path.display();
        for layout in layouts::all() {
            let (good, said) = check_rules(layout, &mut bytes.as_slice());
            assert!(
                good == 0 && said.iter().any(|(.., severity)| *severity >= Severity::Error),
                "{name}: {}",
                layout.id
            );
        }
        let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(bytes.as_slice());
        let header: Vec<String> = reader.headers().expect("a header").iter().map(str::to_owned).collect();
        let names: Vec<&str> = header.iter().map(String::as_str).collect();
        // Some have no header: their first row names columns like 1 and 1.
        if !names.iter().all(|name| name.starts_with(char::is_alphabetic)) {
            continue;
        }
        let rows: Vec<csv::ByteRecord> = reader.into_byte_records().map(|row| row.expect("a row")).collect();
        let (found, said) = objects(&columns(&names, false), &bytes);
        let bad = said.iter().filter(|finding| finding.severity >= Severity::Error && finding.line > 1).count();
        assert_eq!(found.len() + bad, rows.len(), "{name}: {:?}", said.first());
    }
}

/// A gigabyte without a line end costs its own record, and as much memory as any other line.
#[test]
fn a_line_of_a_gigabyte_costs_its_own_record() {
    for layout in [layout("tcs-4.0"), layout("tcs-4.0-csv"), layout("ct-program"), layout("la-sis")] {
        let sample = fs::read(crate::sample(layout, "sample")).expect("it has a sample");
        let rows = of_sample(layout).len() as u64;
        let endless = std::io::repeat(b'9').take(1 << 30);
        let mut file =
            BufReader::with_capacity(1 << 18, sample.as_slice().chain(endless).chain(layout.line_end.bytes()));
        let (good, said) = check_rules(layout, &mut file);
        assert_eq!(good, rows, "{}: {said:?}", layout.id);
        let too_long = said.iter().filter(|(_, rule, _)| rule == "record.too_long").count();
        assert_eq!(too_long, 1, "{}: {said:?}", layout.id);
    }
}

/// A gzip of a gigabyte of one letter: read through, in a window.
#[test]
fn a_gzip_that_grows_a_thousandfold_is_read_in_a_window() {
    let mut packed = Vec::new();
    let mut encoder = flate2::write::GzEncoder::new(&mut packed, flate2::Compression::best());
    std::io::copy(&mut std::io::repeat(b'9').take(1 << 28), &mut encoder).expect("memory");
    encoder.finish().expect("memory");
    assert!(packed.len() < 1 << 19);
    let mut file = BufReader::new(flate2::read::MultiGzDecoder::new(packed.as_slice()));
    let (good, said) = check_rules(layout("tcs-4.0"), &mut file);
    assert_eq!(good, 0);
    assert!(said.iter().any(|(_, rule, _)| rule == "record.too_long"), "{said:?}");
}

#[test]
fn an_archive_of_odd_names_stays_in_its_folder() {
    use zip::{ZipWriter, write::SimpleFileOptions};
    let names = ["/etc/evil", "..\\evil", "C:\\evil", "a/../../evil", "./a", "a\u{0}b", "CON", "a//b", "..", "."];
    for name in names {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("sent.zip");
        let mut writer = ZipWriter::new(fs::File::create(&path).expect("a file"));
        writer.start_file(name, SimpleFileOptions::default()).expect("an entry");
        std::io::Write::write_all(&mut writer, b"evil").expect("room");
        writer.finish().expect("room");
        let _refused = archive::unpack(&path, &folder.path().join("out"));
        let beside: Vec<_> =
            fs::read_dir(folder.path()).expect("a folder").flatten().map(|entry| entry.file_name()).collect();
        assert!(beside.iter().all(|found| found == "out" || found == "sent.zip"), "{name}: {beside:?}");
        assert!(!Path::new("/etc/evil").exists());
    }
}
