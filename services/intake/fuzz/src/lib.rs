//! What must hold of every reader, whatever the bytes: it ends, in bounded memory, without a panic; what it takes can be written again and
//! is taken again; its counts add up; and a file that it refuses gives nothing after the word that refuses it.

use std::{fs, io::Read as _, ops::ControlFlow, path::Path};

use intake::{
    Finding, Format, Item, Layout, Severity, archive, check, convert,
    edfi::{self, Config, Expected, Index, Interchange},
    layouts,
    read::{self, Sender},
    sif,
};
use reference::tables::Tables;

/// Bytes that an archive may unpack to.
const UNPACKED_BYTES_MAX: u64 = 1 << 20;

/// The layouts of fixed records.
pub fn fixed() -> Vec<&'static Layout> {
    layouts::all().iter().filter(|layout| matches!(layout.format, Format::Fixed { .. })).collect()
}

/// The layouts of delimited records.
pub fn delimited() -> Vec<&'static Layout> {
    layouts::all().iter().filter(|layout| matches!(layout.format, Format::Delimited { .. })).collect()
}

/// The first byte chooses the layout, the others are the file.
pub fn records(layouts: &[&'static Layout], data: &[u8]) {
    let Some((first, bytes)) = data.split_first() else { return };
    let layout = layouts[usize::from(*first) % layouts.len()];
    let tables = Tables::builtin(&layout.sea).expect("its state has tables");
    let mut checked = Vec::new();
    let mut keep = |finding: Finding| {
        checked.push(finding);
        ControlFlow::Continue(())
    };
    let summary = check::check_file(&mut { bytes }, layout, tables, Sender::default(), &mut keep).expect("memory");
    assert_eq!(checked.iter().any(|finding| finding.severity == Severity::Fatal), summary.refused);
    items(layout, tables, bytes);
    let (mut objects, mut found) = (Vec::new(), Vec::new());
    let converted =
        convert::to_ndjson(&mut { bytes }, layout, tables, &mut objects, &mut |finding| found.push(finding))
            .expect("memory");
    assert_eq!((converted, &found), (summary, &checked));
    if summary.refused {
        return;
    }
    let mut again = Vec::new();
    let written = convert::from_ndjson(&mut objects.as_slice(), layout, &mut again, &mut |_| {}).expect("memory");
    assert_eq!(written, summary.rows_in - summary.rejected);
    if written == 0 {
        return;
    }
    let mut objects_again = Vec::new();
    let mut wrong = Vec::new();
    let mut keep = |finding: Finding| {
        if finding.severity >= Severity::Error {
            wrong.push(finding);
        }
    };
    convert::to_ndjson(&mut again.as_slice(), layout, tables, &mut objects_again, &mut keep).expect("memory");
    assert!(wrong.is_empty(), "{wrong:?}");
    assert_eq!(unnumbered(&objects), unnumbered(&objects_again));
}

fn unnumbered(objects: &[u8]) -> Vec<String> {
    let text = String::from_utf8(objects.to_vec()).expect("JSON is text");
    text.lines().map(|line| line.split_once(',').map_or(String::new(), |(_, rest)| rest.to_owned())).collect()
}

fn items(layout: &Layout, tables: &Tables, bytes: &[u8]) {
    let (mut rows, mut rejected, mut fatal) = (0, 0, false);
    let mut sink = |item: Item| {
        assert!(!fatal || matches!(item, Item::File(_)), "nothing is given once the file is refused");
        match &item {
            Item::File(finding) => fatal |= finding.severity == Severity::Fatal,
            Item::Rejected { findings, raw, .. } => {
                assert!(findings.iter().any(|finding| finding.severity >= Severity::Error));
                assert!(raw.expose().len() <= read::RECORD_BYTES_MAX);
                rejected += 1;
                rows += 1;
            }
            _ => rows += 1,
        }
        ControlFlow::Continue(())
    };
    let summary = read::read(&mut { bytes }, layout, tables, &mut sink).expect("memory");
    assert_eq!((summary.rows_in, summary.rejected, summary.refused), (rows, rejected, fatal));
    assert_eq!(summary.bytes <= bytes.len() as u64, true);
}

/// The first byte chooses what is expected, the others are an interchange.
pub fn edfi(data: &[u8]) {
    let Some((first, bytes)) = data.split_first() else { return };
    let versions = edfi::versions();
    let version = versions.get(usize::from(*first) % (versions.len() + 1));
    let config = Config::default();
    let mut index = Index::new(1 << 20);
    let _recognised = edfi::recognise(bytes);
    let mut fatal = 0;
    let mut sink = |item: Item| {
        if let Item::File(finding) = &item {
            fatal += u32::from(finding.severity == Severity::Fatal);
        }
        ControlFlow::Continue(())
    };
    let expected = Expected { interchange: Interchange::Other, version };
    // A delivery that describes more than the index may hold is refused by an error of its own.
    if let Ok(counts) = edfi::read_interchange(expected, &mut { bytes }, &mut index, &config, &mut sink) {
        assert_eq!(counts.is_complete, fatal == 0);
    }
}

/// A message of contacts, or its records as NDJSON.
pub fn sif(data: &[u8]) {
    let Some((first, bytes)) = data.split_first() else { return };
    let mut findings = Vec::new();
    let _looks = intake::sif::looks_like_sif(bytes);
    if first % 2 == 1 {
        let mut out = Vec::new();
        let _summary = sif::convert::from_ndjson(&mut { bytes }, &mut out, &mut |finding| findings.push(finding));
        return;
    }
    let mut out = Vec::new();
    let form = sif::convert::Form::Xml;
    let summary =
        sif::convert::from_xml(&mut { bytes }, form, &mut out, &mut |finding| findings.push(finding)).expect("memory");
    if findings.iter().any(|finding| finding.severity >= Severity::Error) || summary.objects == 0 {
        return;
    }
    // What was taken is written, taken again, and written alike.
    let mut again = Vec::new();
    sif::convert::from_xml(&mut out.as_slice(), form, &mut again, &mut |finding| {
        assert!(finding.severity < Severity::Error, "{finding:?}");
    })
    .expect("memory");
    assert_eq!(out, again);
}

/// The first byte chooses: a zip that is unpacked, or a gzip that is read through.
pub fn packed(data: &[u8]) {
    let Some((first, bytes)) = data.split_first() else { return };
    if first % 2 == 1 {
        let layout = fixed()[usize::from(*first / 2) % fixed().len()];
        let tables = Tables::builtin(&layout.sea).expect("its state has tables");
        let unpacked = flate2::read::MultiGzDecoder::new(bytes).take(UNPACKED_BYTES_MAX);
        let mut reader = std::io::BufReader::new(unpacked);
        let _damaged =
            check::check_file(&mut reader, layout, tables, Sender::default(), &mut |_| ControlFlow::Continue(()));
        return;
    }
    let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a folder");
    let (packed, out) = (folder.path().join("sent.zip"), folder.path().join("out"));
    fs::write(&packed, bytes).expect("room");
    // Names that the machine cannot write (too long, say) are its own error.
    let unpacked = archive::unpack_within(&packed, &out, UNPACKED_BYTES_MAX);
    let mut beside: Vec<_> = fs::read_dir(folder.path()).expect("a folder").flatten().map(|e| e.file_name()).collect();
    beside.retain(|name| name != "sent.zip" && name != "out");
    assert!(beside.is_empty(), "something left its folder");
    if let Ok(Ok(())) = unpacked {
        let limit = UNPACKED_BYTES_MAX.max(bytes.len() as u64 * 200);
        assert!(size(&out) <= limit, "it grew beyond its limit");
    }
}

fn size(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(found) if found.is_dir() => size(&entry.path()),
            Ok(found) => found.len(),
            Err(_) => 0,
        })
        .sum()
}

/// A control file, alone in its folder.
pub fn control(data: &[u8]) {
    let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a folder");
    let path = folder.path().join("delivery.ctl");
    fs::write(&path, data).expect("room");
    let Ok(delivery) = edfi::read_control(&path, &Config::default()) else { return };
    for file in &delivery.files {
        assert!(file.path.starts_with(folder.path()), "a listed file lies in the folder of its list");
    }
}
