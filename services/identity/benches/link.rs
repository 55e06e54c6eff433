//! Links an invented roster with an invented state and says how well, how fast and in how much memory.
//!
//! `cargo bench -p identity --bench link -- --students 200000 --clients 10000 [--seed S] [--profile roster|census|dirty]
//! [--names DIR] [--explain N] [--missed] [--model] [--passes]`. With `--write DIR` the two files and the truth are only written;
//! `--files DIR` links such files through `link_files` and measures that. The names folder holds frequency lists as `FirstName-<group>-<sex>.csv` and `Surname-<group>.csv`
//! (name, share); without it names are built in.

use std::io::Write;
use std::path::Path;
use std::time::Instant;

use identity::{Config, Corpus, Matcher};

#[path = "../testing/invented.rs"]
mod invented;
#[path = "../testing/score.rs"]
mod score;

use invented::{NamePool, Profile, Weighted, invent};

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let value = |name: &str| args.iter().position(|arg| arg == name).and_then(|at| args.get(at + 1)).cloned();
    let number = |name: &str, default: usize| value(name).map_or(default, |text| text.parse().expect("a number"));
    let (students, clients, seed) =
        (number("--students", 100_000), number("--clients", 5_000), number("--seed", 1) as u64);
    let profile = match value("--profile").as_deref() {
        Some("census") => Profile::CENSUS,
        Some("dirty") => Profile::DIRTY,
        _ => Profile::ROSTER,
    };
    if let Some(folder) = value("--files") {
        return link_written(Path::new(&folder));
    }
    let names = value("--names").map_or_else(NamePool::built_in, |folder| read_names(Path::new(&folder)));
    let mut out = std::io::stdout().lock();
    let config = Config::default();
    let world = invent(&names, students, clients, seed, profile);
    if let Some(folder) = value("--write") {
        return write_world(&world, Path::new(&folder));
    }
    let before = cpu_seconds();
    let started = Instant::now();
    let mut lap = {
        let mut last = (started, before);
        move || {
            let now = (Instant::now(), cpu_seconds());
            let spent = (now.0 - last.0, now.1 - last.1);
            last = now;
            format!("{:.2} s wall, {:.2} s CPU", spent.0.as_secs_f64(), spent.1)
        }
    };
    let corpus = Corpus::of(&world.left, &world.right);
    writeln!(out, "load   {}", lap()).expect("stdout");
    let matcher = Matcher::train(&corpus, 7, &config, &|_, _, _| {}).expect("trained");
    writeln!(out, "train  {}  ({} rounds)", lap(), matcher.model().trained.rounds).expect("stdout");
    let result = matcher.link(&corpus, &|_, _, _| {}).expect("linked");
    writeln!(out, "link   {}", lap()).expect("stdout");
    writeln!(
        out,
        "total  {:.2} s wall, {:.2} s CPU, peak {} MB with the invented persons themselves",
        started.elapsed().as_secs_f64(),
        cpu_seconds() - before,
        peak_mb()
    )
    .expect("stdout");
    let score = score::measure(&result.pairs, &world.truth);
    writeln!(
        out,
        "matches {} of {} true, {} wrong: precision {:.5}, recall {:.4}; reviews {} ({} right); listed {:.4}",
        score.links,
        score.true_links,
        score.wrong.len(),
        score.precision(),
        score.recall(),
        score.reviews,
        score.right_in_review,
        score.listed as f64 / score.true_links as f64
    )
    .expect("stdout");
    writeln!(
        out,
        "by probability alone >= 0.999: {} links, {} wrong; recall at precision {:?}",
        score.at_999.0, score.at_999.1, score.recall_at
    )
    .expect("stdout");
    for (from, to) in [(0.01, 0.1), (0.1, 0.5), (0.5, 0.9), (0.9, 0.99), (0.99, 0.999), (0.999, 0.9999), (0.9999, 2.0)]
    {
        let bin: Vec<_> = result.pairs.iter().filter(|pair| (from..to).contains(&pair.probability)).collect();
        let right = bin.iter().filter(|pair| world.truth[pair.right as usize] == Some(pair.left)).count();
        let said: f64 = bin.iter().map(|pair| pair.probability).sum();
        writeln!(out, "  probability from {from}: {} pairs, {right} right, {said:.1} expected", bin.len())
            .expect("stdout");
    }
    writeln!(
        out,
        "expected wrong {:.2}, expected missed {:.1}, coverage {:.4}, swap rate {:.4}",
        result.report.expected_wrong,
        result.report.expected_missed,
        result.report.coverage,
        matcher.model().swap_rate
    )
    .expect("stdout");
    for pass in result.report.passes.iter().filter(|_| args.iter().any(|arg| arg == "--passes")) {
        writeln!(
            out,
            "  {:<50} {:>10} pairs {:>6} skipped {:>7} matches",
            pass.pass, pass.pairs, pass.blocks_skipped, pass.matches_found
        )
        .expect("stdout");
    }
    if args.iter().any(|arg| arg == "--model") {
        for (comparison, levels) in &matcher.model().comparisons {
            for (level, p) in levels {
                writeln!(
                    out,
                    "    {comparison:<28}{level:<20} m {:.5} u {:.7} bits {:.2}  seen {:.0} {:.0}",
                    p.m,
                    p.u,
                    (p.m / p.u).log2(),
                    p.seen[0],
                    p.seen[1]
                )
                .expect("stdout");
            }
        }
    }
    for (title, pairs) in strata(&world, &result.pairs) {
        writeln!(out, "  {title:<40} {pairs}").expect("stdout");
    }
    let wrong = |pair: &&identity::Pair| world.truth[pair.right as usize] != Some(pair.left);
    let doubtful = result.pairs.iter().filter(wrong).filter(|pair| pair.probability > 0.5);
    for pair in doubtful.take(number("--explain", 0)) {
        let (a, b) = (
            &world.children[world.left_child[pair.left as usize] as usize],
            &world.children[world.right_child[pair.right as usize] as usize],
        );
        let explanation = matcher.explain(&corpus, pair.left, pair.right).expect("in range");
        let parts: Vec<_> = explanation
            .parts
            .iter()
            .map(|part| format!("{}={} {:.1}", part.comparison, part.level, part.bits))
            .collect();
        writeln!(
            out,
            "WRONG p {:.6} family {} {} twin {} {} in state {}: {}",
            pair.probability,
            a.family == b.family,
            a.birth == b.birth,
            a.twin,
            b.twin,
            world.truth[pair.right as usize].is_some(),
            parts.join(", ")
        )
        .expect("stdout");
    }
    if args.iter().any(|arg| arg == "--missed") {
        missed(&world, &result.pairs, &matcher, &corpus, &mut out, number("--explain", 0));
    }
}

const COLUMNS: [&str; 11] =
    ["id", "first_name", "middle_name", "last_name", "suffix", "birth_date", "sex", "race", "street", "town", "zip"];

fn write_world(world: &invented::Invented, folder: &Path) {
    for (file, people) in [("left.csv", &world.left), ("right.csv", &world.right)] {
        let mut writer = csv::Writer::from_path(folder.join(file)).expect("a file");
        writer.write_record(COLUMNS).expect("written");
        for person in people {
            let (name, home) = (&person.names[0], &person.addresses[0]);
            let birth = person.birth_dates.first().map(ToString::to_string).unwrap_or_default();
            let [sex, race] = [&person.sex, &person.race].map(|value| value.as_deref().unwrap_or(""));
            let (first, middle, last, suffix) = (&name.first, &name.middle, &name.last, &name.suffix);
            let row = [&person.id, first, middle, last, suffix, &birth, sex, race, &home.street, &home.town, &home.zip];
            writer.write_record(row).expect("written");
        }
    }
    let mut truth = csv::Writer::from_path(folder.join("truth.csv")).expect("a file");
    for (right, left) in world.truth.iter().enumerate() {
        let left = left.map_or("", |left| world.left[left as usize].id.as_str());
        truth.write_record([world.right[right].id.as_str(), left]).expect("written");
    }
}

fn link_written(folder: &Path) {
    let (left, right, out) = (folder.join("left.csv"), folder.join("right.csv"), folder.join("pairs.csv"));
    let started = Instant::now();
    let mut stage = (String::new(), cpu_seconds());
    let stages = std::cell::RefCell::new((Vec::new(), &mut stage));
    let progress = |name: &str, _: u64, _: u64| {
        let (done, last) = &mut *stages.borrow_mut();
        if last.0 != name {
            let now = cpu_seconds();
            done.push((std::mem::replace(&mut last.0, name.to_owned()), now - std::mem::replace(&mut last.1, now)));
        }
    };
    let report =
        identity::link::link_files(&left, &right, &out, None, None, &Config::default(), &progress).expect("linked");
    let mut stdout = std::io::stdout().lock();
    let (wall, cpu) = (started.elapsed().as_secs_f64(), cpu_seconds());
    for (name, seconds) in &stages.borrow().0 {
        writeln!(stdout, "  {name:<20} {seconds:.2} s CPU").expect("stdout");
    }
    writeln!(stdout, "{wall:.2} s wall, {cpu:.2} s CPU, peak {} MB; {} pairs", peak_mb(), report.pairs_written)
        .expect("stdout");
    let mut truth = std::collections::HashMap::new();
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_path(folder.join("truth.csv")).expect("truth");
    for row in reader.records().map(|row| row.expect("a row")) {
        truth.insert(row[0].to_owned(), row[1].to_owned());
    }
    let (mut right_links, mut wrong_links) = (0, 0);
    for row in csv::Reader::from_path(&out).expect("pairs").records().map(|row| row.expect("a row")) {
        if &row[3] == "match" {
            let hit = truth.get(&row[1]).is_some_and(|left| left == &row[0]);
            *if hit { &mut right_links } else { &mut wrong_links } += 1;
        }
    }
    writeln!(stdout, "{right_links} right links, {wrong_links} wrong").expect("stdout");
}

/// Right pairs that were not linked, with the reason.
fn missed(
    world: &invented::Invented,
    pairs: &[identity::Pair],
    matcher: &Matcher,
    corpus: &Corpus,
    out: &mut impl Write,
    most: usize,
) {
    let linked: std::collections::HashSet<_> = pairs
        .iter()
        .filter(|pair| pair.outcome == identity::Outcome::Match)
        .map(|pair| (pair.left, pair.right))
        .collect();
    let listed: std::collections::HashMap<_, _> = pairs.iter().map(|pair| ((pair.left, pair.right), pair)).collect();
    let mut shown = 0;
    for (right, left) in
        world.truth.iter().enumerate().filter_map(|(right, left)| left.map(|left| (right as u32, left)))
    {
        if linked.contains(&(left, right)) || shown == most {
            continue;
        }
        shown += 1;
        let explanation = matcher.explain(corpus, left, right).expect("in range");
        let parts: Vec<_> = explanation
            .parts
            .iter()
            .map(|part| format!("{}={} {:.1}", part.comparison, part.level, part.bits))
            .collect();
        let state = listed.get(&(left, right)).map_or_else(
            || "not listed".to_owned(),
            |pair| format!("{:?} {:?} p {:.4}", pair.outcome, pair.reason, pair.probability),
        );
        writeln!(out, "MISSED {state} bits {:.1}: {}", explanation.score_bits, parts.join(", ")).expect("stdout");
    }
}

/// Recall and wrong links by heritage group and for twins.
fn strata(world: &invented::Invented, pairs: &[identity::Pair]) -> Vec<(String, String)> {
    let linked: std::collections::HashMap<u32, u32> = pairs
        .iter()
        .filter(|pair| pair.outcome == identity::Outcome::Match)
        .map(|pair| (pair.right, pair.left))
        .collect();
    let twins: std::collections::HashSet<u32> =
        world.children.iter().filter(|child| child.twin).map(|child| child.family).collect();
    let mut rows = Vec::new();
    let mut row = |title: String, test: &dyn Fn(&invented::Child) -> bool| {
        let (mut all, mut hit, mut wrong) = (0, 0, 0);
        for (right, left) in world
            .truth
            .iter()
            .enumerate()
            .filter(|(right, _)| test(&world.children[world.right_child[*right] as usize]))
        {
            let link = linked.get(&(right as u32));
            all += usize::from(left.is_some());
            hit += usize::from(left.is_some() && link == left.as_ref());
            wrong += usize::from(link.is_some() && link != left.as_ref());
        }
        rows.push((
            title,
            format!("recall {:.4} of {all}, wrong {wrong}", f64::from(hit as u32) / f64::from(all.max(1) as u32)),
        ));
    };
    for group in 0..4 {
        row(format!("heritage group {group}"), &|child| child.group == group);
    }
    row("twin family".to_owned(), &|child| twins.contains(&child.family));
    row("compound surname".to_owned(), &|child| child.last.contains(['-', ' ']));
    rows
}

fn read_names(folder: &Path) -> NamePool {
    let list = |file: String| {
        let mut reader = csv::Reader::from_path(folder.join(file)).expect("a frequency list");
        Weighted::new(
            reader
                .records()
                .map(|row| row.expect("a row"))
                .map(|row| (row[0].to_owned(), row[1].parse::<f64>().expect("a share")))
                .collect::<Vec<_>>(),
        )
    };
    let groups = ["White", "Hispanic", "Black", "Asian"];
    NamePool {
        given: groups
            .iter()
            .map(|group| ["Female", "Male"].map(|sex| list(format!("FirstName-{group}-{sex}.csv"))))
            .collect(),
        surnames: groups.iter().map(|group| list(format!("Surname-{group}.csv"))).collect(),
    }
}

/// User and system time of this process.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let ticks: f64 = stat
        .rsplit(')')
        .next()
        .unwrap_or("")
        .split_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|field| field.parse::<f64>().ok())
        .sum();
    ticks / 100.0
}

fn peak_mb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok())
        .unwrap_or(0)
        / 1024
}
