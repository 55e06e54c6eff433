//! How fast a fixed and a delimited file are checked and read, beside counting the lines of the same bytes: the ratio is what
//! counts, the rate is this machine's.
//!
//! `cargo bench -p intake --bench check`

#![expect(
    clippy::disallowed_macros,
    clippy::print_stdout,
    clippy::expect_used,
    reason = "a bench prints what it measured"
)]

use std::{hint::black_box, ops::ControlFlow, time::Instant};

use intake::{Layout, RecordWriter, check, layouts, read};
use reference::tables::Tables;

/// Bytes of a file under test.
const FILE_BYTES: usize = 64 << 20;
const REPEATS: usize = 5;

fn main() {
    let tables = Tables::builtin("ct").expect("Connecticut has tables");
    println!("{:<14} {:>9} {:>12} {:>12} {:>10}", "layout", "MB", "check MB/s", "read MB/s", "of lines");
    for id in ["tcs-4.0", "tcs-4.0-csv", "sasid-2.1x", "ct-student"] {
        let layout = layouts::find(id).expect("the layout is there");
        let file = file(layout);
        let lines = best(|| memchr::memchr_iter(b'\n', black_box(&file)).count() as u64);
        let checked = best(|| {
            let mut findings = 0;
            let mut count = |_| {
                findings += 1;
                ControlFlow::Continue(())
            };
            let summary = check::check_file(&mut file.as_slice(), layout, tables, read::Sender::default(), &mut count)
                .expect("memory can be read");
            assert_eq!(findings, 0, "{id}");
            summary.rows_in
        });
        let read = best(|| {
            let mut sink = |item| {
                black_box(item);
                ControlFlow::Continue(())
            };
            read::read(&mut file.as_slice(), layout, tables, &mut sink).expect("memory can be read").rows_in
        });
        let megabytes = file.len() as f64 / 1e6;
        let rate = |seconds: f64| megabytes / seconds;
        println!("{id:<14} {megabytes:>9.1} {:>12.0} {:>12.0} {:>10.3}", rate(checked), rate(read), lines / checked);
    }
}

/// The fastest of several runs, in seconds.
fn best(mut run: impl FnMut() -> u64) -> f64 {
    let times = (0..REPEATS).map(|_| {
        let begun = Instant::now();
        black_box(run());
        begun.elapsed().as_secs_f64()
    });
    times.fold(f64::INFINITY, f64::min)
}

/// The sample's records, with other identifiers, until the file is large enough.
fn file(layout: &Layout) -> Vec<u8> {
    let path = format!("{}/layouts/{}/{}.sample", env!("CARGO_MANIFEST_DIR"), layout.sea, layout.id);
    let sample = std::fs::read(path).expect("it has a sample");
    let end = layout.line_end.bytes();
    let body = if layout.has_header() {
        let header = memchr::memchr(b'\n', &sample).map_or(0, |feed| feed + 1);
        sample.get(header..).unwrap_or_default()
    } else {
        &sample
    };
    assert!(sample.ends_with(end), "the sample ends as its layout says");
    let mut file = RecordWriter::new(layout, Vec::new()).finish().expect("memory can be written");
    while file.len() < FILE_BYTES {
        file.extend_from_slice(body);
    }
    file
}
