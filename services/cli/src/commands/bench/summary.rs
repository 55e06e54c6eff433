//! Rendering and signing summaries of invented clients with thirteen school years. No database.

use std::{
    fs,
    io::{Read as _, Write as _},
    path::Path,
    process::{Command, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use anyhow::{Context as _, ensure};
use flate2::{Compression, read::ZlibDecoder, write::ZlibEncoder};
use serde_json::{Value as Json, json};
use summary::{
    Form, Origin, RenderOptions, Renderer, RendererOptions, Summary,
    sign::{Seal, Signer, sign},
};

use super::{
    Figure,
    link::{Cost, cost},
    median, process,
};
use crate::{
    args::Bench,
    generate::dice::{Dice, Purpose},
    keys::Keys,
    signing,
    system::SystemClock,
};
use model::Clock as _;

/// Documents, unless told otherwise.
const DOCUMENTS: u64 = 400;
/// What rendering is held against.
const DEFLATE: &str = "the same streams, deflated once";
/// What size is held against.
const KILOBYTES_MAX: f64 = 40.0;
/// Between one look at a program and the next.
const LOOK: Duration = Duration::from_millis(2);
/// What memory is held against, in megabytes.
const MEGABYTES_MAX: f64 = 100.0;

/// Renders the same documents by one thread and by two, and signs them.
pub fn run(options: &Bench) -> anyhow::Result<Vec<Figure>> {
    let summaries = records(options.students.unwrap_or(DOCUMENTS), options.seed)?;
    let folder = tempfile::tempdir().context("cannot make a folder for a key")?;
    let signer = signing::signer(&summary::Config::default(), &Keys::open(folder.path())?, true, SystemClock.now())?;
    let signer = signer.context("a sandbox has a key")?;
    let renderer = Renderer::new(&RendererOptions::default())?;
    let peak = peak_of_a_program(&summaries, folder.path())?;
    let documents = render(&renderer, &summaries, 1, None)?;
    let streams = unpacked(&documents);
    let (mut one, mut two, mut signed, mut deflated) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..options.rounds {
        one.push(cost(|| render(&renderer, &summaries, 1, None).map(drop))?);
        two.push(cost(|| render(&renderer, &summaries, 2, None).map(drop))?);
        signed.push(cost(|| render(&renderer, &summaries, 1, Some(&*signer)).map(drop))?);
        deflated.push(cost(|| deflate(&streams))?);
    }
    let count = summaries.len() as f64;
    let each = |costs: &[Cost]| median(costs.iter().map(|cost| cost.cpu_ms / count).collect());
    let rate = |costs: &[Cost]| median(costs.iter().map(|cost| count * 1e3 / cost.wall_ms).collect());
    let sizes = |documents: &[Vec<u8>]| median(documents.iter().map(|pdf| pdf.len() as f64 / 1_024.0).collect());
    let limit = each(&deflated);
    let below = |what, value: f64, unit, limit, limit_value: f64| Figure {
        what,
        value,
        unit,
        limit,
        limit_value,
        ratio: limit_value / value,
    };
    let kilobytes = sizes(&documents);
    let signed_kilobytes = sizes(&render(&renderer, &summaries[..summaries.len().min(50)], 1, Some(&*signer))?);
    Ok(vec![
        Figure::time("summary: CPU a document", each(&one), DEFLATE, limit),
        Figure::time("summary: CPU a document, two threads", each(&two), DEFLATE, limit),
        Figure::time("summary: CPU a document, signed", each(&signed), DEFLATE, limit),
        Figure::rate(
            "summary: documents, one thread",
            (rate(&one), "documents/s"),
            "the deflating alone",
            rate(&deflated),
        ),
        Figure::rate(
            "summary: documents, two threads",
            (rate(&two), "documents/s"),
            "twice one thread",
            2.0 * rate(&one),
        ),
        below("summary: size, median", kilobytes, "KB", "the most a typical one may measure", KILOBYTES_MAX),
        below(
            "summary: size signed, median",
            signed_kilobytes,
            "KB",
            "the most a typical one may measure",
            KILOBYTES_MAX,
        ),
        below("summary: peak memory of `summary render --jobs 2`", peak, "MB", "the most it may take", MEGABYTES_MAX),
    ])
}

/// The most memory that a program holds which renders these by two threads and does nothing else: this one, as its own child.
fn peak_of_a_program(summaries: &[Summary], folder: &Path) -> anyhow::Result<f64> {
    let (from, to) = (folder.join("records"), folder.join("documents"));
    fs::create_dir(&from)?;
    for (number, summary) in summaries.iter().enumerate() {
        fs::write(from.join(format!("{number}.json")), serde_json::to_vec(summary)?)?;
    }
    let mut child = Command::new(std::env::current_exe()?)
        .args(["summary", "render", "--jobs", "2", "--in"])
        .arg(&from)
        .arg("--out")
        .arg(&to)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context("the program cannot be started")?;
    let mut peak = f64::NAN;
    // What it held at most only grows: the last look before it ends is the highest. At the first ones it may still be this program's copy.
    let status = loop {
        let held = process::peak_mb(&child.id().to_string());
        if !held.is_nan() {
            peak = held;
        }
        if let Some(status) = child.try_wait()? {
            break status;
        }
        std::thread::sleep(LOOK);
    };
    ensure!(status.success(), "the program could not render");
    Ok(peak)
}

/// Renders by some threads; documents come in the order of their records.
fn render(
    renderer: &Renderer,
    summaries: &[Summary],
    threads: usize,
    signer: Option<&dyn Signer>,
) -> anyhow::Result<Vec<Vec<u8>>> {
    let options = RenderOptions { origin: Origin::Exchange, form: Form::Pdf, ..RenderOptions::default() };
    let next = AtomicUsize::new(0);
    let work = || {
        let (mut worker, mut made) = (renderer.worker(), Vec::new());
        while let Some((at, summary)) =
            Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|at| Some((at, summaries.get(at)?)))
        {
            let pdf = worker.render(summary, options)?;
            let seal = signer.map(|signer| Seal { signer, at: SystemClock.now(), token_bytes_max: None });
            made.push((at, seal.map_or_else(|| Ok(pdf.clone()), |seal| sign(&pdf, seal))?));
        }
        anyhow::Ok(made)
    };
    let mut made = std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let parts: anyhow::Result<Vec<_>> =
            running.into_iter().map(|one| one.join().ok().context("a thread stopped").and_then(|made| made)).collect();
        parts.map(|parts| parts.concat())
    })?;
    made.sort_unstable_by_key(|(at, _)| *at);
    ensure!(made.len() == summaries.len(), "not every document was made");
    Ok(made.into_iter().map(|(_, pdf)| pdf).collect())
}

/// What the documents' streams hold.
fn unpacked(documents: &[Vec<u8>]) -> Vec<Vec<u8>> {
    const START: &[u8] = b">>\nstream\n";
    let mut out = Vec::new();
    for pdf in documents {
        for at in
            pdf.windows(START.len()).enumerate().filter(|(_, window)| *window == START).map(|(at, _)| at + START.len())
        {
            let mut stream = Vec::new();
            if ZlibDecoder::new(&pdf[at..]).read_to_end(&mut stream).is_ok() {
                out.push(stream);
            }
        }
    }
    out
}

/// The least that any writer of such files does.
fn deflate(streams: &[Vec<u8>]) -> anyhow::Result<()> {
    let mut bytes = 0;
    for stream in streams {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(stream)?;
        bytes += encoder.finish()?.len();
    }
    ensure!(bytes > 0, "there is nothing to deflate");
    Ok(())
}

/// Invented clients, each another.
fn records(count: u64, seed: u64) -> anyhow::Result<Vec<Summary>> {
    (0..count).map(|number| Ok(summary::from_json(record(number, seed).to_string().as_bytes())?)).collect()
}

fn record(number: u64, seed: u64) -> Json {
    let mut dice = Dice::new(seed, Purpose::Record, number);
    let mut roll = |sides: usize| dice.below(sides) as u64;
    let names = ["Elm", "Harbor", "Quarry", "Meadow", "Orchard", "Lantern"];
    let schools = ["Upper", "East", "Old"].map(|place| format!("{place} {} School", names[roll(6) as usize]));
    let district = "Fernwick School District";
    let year = |back: u64| format!("{}-{:02}", 2025 - back, (2026 - back) % 100);
    let attendance: Vec<Json> = (0..13)
        .map(|back| {
            let (scheduled, missed) = (176 + roll(8), roll(50));
            let pct = ((scheduled - missed) * 1_000 / scheduled) as f64 / 10.0;
            json!({"school": schools[back as usize / 5], "district": district, "town": "Fernwick", "year": year(back), "scheduled": scheduled,
                "attended": scheduled - missed, "pct": pct})
        })
        .collect();
    let tests: Vec<Json> = (0..9)
        .map(|back| {
            json!({"school": schools[back as usize / 5], "district": district, "year": year(back), "type": "SBAC", "reading": 2_100 + roll(700),
                "reading_level": format!("Level {}", 1 + roll(4)), "math": 2_100 + roll(700), "math_level": format!("Level {}", 1 + roll(4))})
        })
        .collect();
    let special: Vec<Json> = (0..6)
        .map(|back| json!({"school": schools[back as usize / 5], "district": district, "year": year(back), "disability": "Specific Learning Disability", "hours": roll(200) as f64 / 10.0}))
        .collect();
    let discipline: Vec<Json> = (0..roll(14))
        .map(|at| {
            let sanction = ["Detention", "In-school suspension", "Out-of-school suspension"][roll(3) as usize];
            json!({"school": schools[0], "district": district, "date": format!("20{:02}-{:02}-{:02}", 25 - at % 9, 1 + roll(12), 1 + roll(28)),
                "type": "Leaving grounds without permission", "sanction": sanction, "days": 1 + roll(9)})
        })
        .collect();
    let spells: Vec<Json> = (0..6)
        .map(|at| json!({"school": schools[2 - at as usize / 2], "district": district, "entry_date": format!("{}-08-2{}", 2013 + 2 * at, roll(9)),
            "exit_date": (at < 5).then(|| format!("{}-06-1{}", 2015 + 2 * at, roll(9))), "exit_reason": "Promoted to next school"}))
        .collect();
    let newest = |rows: &[Json]| rows.first().cloned().into_iter().collect::<Vec<_>>();
    json!({
        "format": "school-records-summary/1", "report_date": "2026-11-20",
        "client": {"name": format!("Sample{number}, Quillon"), "dob": format!("2009-03-{:02}", 1 + roll(28)), "sasid": format!("99{number:08}"), "gender": "Female"},
        "summary": {"school": schools[0], "district": district, "grade": "11", "free_lunch": "Reduced", "language": "English"},
        "recent": {"attendance": newest(&attendance), "special_ed": newest(&special), "tests": newest(&tests), "discipline": newest(&discipline)},
        "history": {"schools": spells, "attendance": attendance, "special_ed": special, "tests": tests, "discipline": discipline},
        "agreement": "Agreement on Records of Supervised Students (sample)", "recipient": "Probation Office of Fernwick",
        "withheld": ["Homeless status", "Section 504 plan"], "code": format!("00000000-0000-4000-8000-{number:012}"),
    })
}
