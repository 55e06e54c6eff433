//! Linking an agency's clients with a state's students: the command's own function on two files of invented people. No database.

use std::{collections::HashMap, fs, path::Path, time::Instant};

use anyhow::Context as _;

use super::{Figure, median, process};
use crate::{
    args::{Bench, Place},
    console,
    generate::linking,
    settings::Settings,
    system::data_folder,
};

/// Students, unless told otherwise.
const STUDENTS: u64 = 1_000_000;
/// What linking is held against.
const READ: &str = "both files read, each field looked at";
/// What memory is held against.
const FILES: &str = "the two files";

/// What one piece of work asked of the machine.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    pub wall_ms: f64,
    pub cpu_ms: f64,
    pub peak_mb: f64,
}

/// Writes two files, links them without a model and then with the one learnt, and says how much that cost and how right it was.
pub fn run(place: &Place, options: &Bench) -> anyhow::Result<Vec<Figure>> {
    let data = place.data.clone().unwrap_or_else(data_folder);
    let config = Settings::load(place.config.as_deref(), &data)?.matching;
    let folder = tempfile::tempdir().context("cannot make a folder for the two files")?;
    let [left, right, out, model] =
        ["left.csv", "right.csv", "pairs.csv", "model.json"].map(|name| folder.path().join(name));
    let written =
        linking::write((options.students.unwrap_or(STUDENTS), options.clients), options.seed, (&left, &right))?;
    let link = |known: Option<&Path>, save: Option<&Path>| {
        identity::link::link_files(&left, &right, &out, known, save, &config, &|_, _, _| {})
    };
    let (mut read, mut cold, mut nightly) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..options.rounds {
        read.push(cost(|| read_both(&left, &right))?);
        cold.push(cost(|| Ok(link(None, Some(&model)).map(drop)?))?);
        nightly.push(cost(|| Ok(link(Some(&model), None).map(drop)?))?);
    }
    let (links, right_links) = count_right(&out)?;
    console::line(
        place.json,
        format!(
            "{} students, {} clients, {} of them students: {links} linked, {} wrong, recall {:.4}",
            written.students,
            written.clients,
            written.true_links,
            links - right_links,
            right_links as f64 / written.true_links.max(1) as f64
        ),
    );
    let of = |costs: &[Cost], what: fn(&Cost) -> f64| median(costs.iter().map(what).collect());
    let bytes = fs::metadata(&left)?.len() + fs::metadata(&right)?.len();
    let megabytes = bytes as f64 / 1_048_576.0;
    let (read_wall, read_cpu) = (of(&read, |cost| cost.wall_ms), of(&read, |cost| cost.cpu_ms));
    let peak = of(&cold, |cost| cost.peak_mb);
    Ok(vec![
        Figure::time("link: read, learn, link, write: wall", of(&cold, |cost| cost.wall_ms), READ, read_wall),
        Figure::time("link: read, learn, link, write: CPU", of(&cold, |cost| cost.cpu_ms), READ, read_cpu),
        Figure::time("link with a model learnt before: wall", of(&nightly, |cost| cost.wall_ms), READ, read_wall),
        Figure::time("link with a model learnt before: CPU", of(&nightly, |cost| cost.cpu_ms), READ, read_cpu),
        Figure {
            what: "link: peak memory",
            value: peak,
            unit: "MB",
            limit: FILES,
            limit_value: megabytes,
            ratio: megabytes / peak,
        },
    ])
}

/// What a piece of work asks of this process.
pub fn cost(work: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<Cost> {
    // From here on the highest is that of the work. Where that is not permitted it is the process's own so far.
    let _ = fs::write("/proc/self/clear_refs", "5");
    let (started, cpu) = (Instant::now(), process::cpu_ms());
    work()?;
    let wall_ms = started.elapsed().as_secs_f64() * 1e3;
    Ok(Cost { wall_ms, cpu_ms: process::cpu_ms() - cpu, peak_mb: process::peak_mb("self") })
}

/// The least that any linkage of two files does.
fn read_both(left: &Path, right: &Path) -> anyhow::Result<()> {
    let mut bytes = 0;
    for path in [left, right] {
        let mut reader = csv::Reader::from_path(path)?;
        let mut row = csv::StringRecord::new();
        while reader.read_record(&mut row)? {
            bytes += row.iter().map(|field| field.trim().len()).sum::<usize>();
        }
    }
    anyhow::ensure!(bytes > 0, "the files are empty");
    Ok(())
}

/// Links, and those of them that are right: both ids are the child's number.
fn count_right(pairs: &Path) -> anyhow::Result<(u64, u64)> {
    let mut links: HashMap<bool, u64> = HashMap::new();
    for row in csv::Reader::from_path(pairs)?.records() {
        let row = row?;
        if row.get(3) == Some("match") {
            *links.entry(row.get(0) == row.get(1)).or_default() += 1;
        }
    }
    let of = |is_right| links.get(&is_right).copied().unwrap_or(0);
    Ok((of(true) + of(false), of(true)))
}
