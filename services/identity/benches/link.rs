//! Links an invented roster with an invented state and says how well, how fast and in how much memory.
//!
//! `cargo bench -p identity --bench link -- --students 200000 --clients 10000 [--seed S] [--profile roster|census|dirty]
//! [--names DIR] [--passes] [--model] [--explain N] [--missed]`. With `--write DIR` the two files and the truth are
//! only written; `--files DIR` links such files through `link_files` and measures that. The names folder holds
//! frequency lists (name, share) as `FirstName-<group>-<sex>.csv` and `Surname-<group>.csv`; without it names are
//! built in.

use std::collections::{HashMap, HashSet};
use std::io::{Result, Write};
use std::path::Path;
use std::time::Instant;

use identity::{Config, Corpus, LinkResult, Matcher, Outcome, Pair};

#[path = "../testing/invented.rs"]
mod invented;
#[path = "../testing/machine.rs"]
mod machine;
#[path = "../testing/score.rs"]
mod score;

use invented::{Invented, Profile, invent};
use machine::{Args, cpu_seconds, peak_mb};

fn main() -> Result<()> {
    let args = Args(std::env::args().collect());
    if let Some(folder) = args.value("--files") {
        return link_written(Path::new(folder));
    }
    let profile = match args.value("--profile") {
        Some("census") => Profile::CENSUS,
        Some("dirty") => Profile::DIRTY,
        _ => Profile::ROSTER,
    };
    let (students, clients) = (args.number("--students", 100_000), args.number("--clients", 5_000));
    let world = invent(&args.names(), students, clients, args.number("--seed", 1) as u64, profile);
    if let Some(folder) = args.value("--write") {
        return write_world(&world, Path::new(folder));
    }
    let mut out = std::io::stdout().lock();
    let run = Run::new(&world, &mut out)?;
    run.accuracy(&mut out)?;
    if args.has("--passes") {
        run.passes(&mut out)?;
    }
    if args.has("--model") {
        run.model(&mut out)?;
    }
    run.doubtful(args.number("--explain", 0), &mut out)?;
    if args.has("--missed") {
        run.missed(args.number("--explain", 50), &mut out)?;
    }
    Ok(())
}

/// A linkage and what it was of.
struct Run<'a> {
    world: &'a Invented,
    corpus: Corpus,
    matcher: Matcher,
    result: LinkResult,
}

impl<'a> Run<'a> {
    fn new(world: &'a Invented, out: &mut impl Write) -> Result<Self> {
        let (started, before) = (Instant::now(), cpu_seconds());
        let mut last = before;
        let mut lap = |out: &mut dyn Write, stage: &str| {
            let now = cpu_seconds();
            let spent = now - std::mem::replace(&mut last, now);
            writeln!(out, "{stage:<6} {spent:.2} s CPU")
        };
        let corpus = Corpus::of(&world.left, &world.right);
        lap(out, "load")?;
        let matcher = Matcher::train(&corpus, 7, &Config::default(), &|_, _, _| {}).expect("trained");
        lap(out, "train")?;
        let result = matcher.link(&corpus, &|_, _, _| {}).expect("linked");
        lap(out, "link")?;
        let (wall, cpu) = (started.elapsed().as_secs_f64(), cpu_seconds() - before);
        writeln!(out, "total  {cpu:.2} s CPU, {wall:.2} s wall; peak {} MB, the invented persons included", peak_mb())?;
        Ok(Self { world, corpus, matcher, result })
    }

    fn is_right(&self, pair: &Pair) -> bool {
        self.world.truth[pair.right as usize] == Some(pair.left)
    }

    fn accuracy(&self, out: &mut impl Write) -> Result<()> {
        let score = score::measure(&self.result.pairs, &self.world.truth);
        let (precision, recall) = (score.precision(), score.recall());
        let (links, wrong, all) = (score.links, score.wrong.len(), score.true_links);
        writeln!(out, "{links} links, {wrong} wrong: precision {precision:.5}, recall {recall:.4} of {all}")?;
        writeln!(
            out,
            "{} in review, {} of them right; {} right ones listed",
            score.reviews, score.right_in_review, score.listed
        )?;
        let (links, wrong) = score.at_999;
        writeln!(out, "probability >= 0.999: {links}, {wrong} wrong; recall at precision {:?}", score.recall_at)?;
        let bounds = [0.01, 0.1, 0.5, 0.9, 0.99, 0.999, 0.9999, 2.0];
        for bin in bounds.windows(2) {
            let pairs: Vec<_> =
                self.result.pairs.iter().filter(|pair| (bin[0]..bin[1]).contains(&pair.probability)).collect();
            let right = pairs.iter().filter(|pair| self.is_right(pair)).count();
            let said: f64 = pairs.iter().map(|pair| pair.probability).sum();
            writeln!(
                out,
                "  probability from {:<6} {:>6} pairs, {right:>6} right, {said:>8.1} expected",
                bin[0],
                pairs.len()
            )?;
        }
        let report = &self.result.report;
        writeln!(
            out,
            "expected wrong {:.2}, missed {:.0}; coverage {:.4}",
            report.expected_wrong, report.expected_missed, report.coverage
        )?;
        for (title, line) in self.strata() {
            writeln!(out, "  {title:<20} {line}")?;
        }
        Ok(())
    }

    /// Recall and wrong links by heritage group and for twins.
    fn strata(&self) -> Vec<(String, String)> {
        let world = self.world;
        let matches = self.result.pairs.iter().filter(|pair| pair.outcome == Outcome::Match);
        let linked: HashMap<u32, u32> = matches.map(|pair| (pair.right, pair.left)).collect();
        let twins: HashSet<u32> = world.children.iter().filter(|child| child.twin).map(|child| child.family).collect();
        let mut rows = Vec::new();
        let mut row = |title: String, test: &dyn Fn(&invented::Child) -> bool| {
            let (mut all, mut hit, mut wrong) = (0_u32, 0_u32, 0_u32);
            for (right, left) in world.truth.iter().enumerate() {
                if !test(&world.children[world.right_child[right] as usize]) {
                    continue;
                }
                let link = linked.get(&(right as u32));
                all += u32::from(left.is_some());
                hit += u32::from(left.is_some() && link == left.as_ref());
                wrong += u32::from(link.is_some() && link != left.as_ref());
            }
            let recall = f64::from(hit) / f64::from(all.max(1));
            rows.push((title, format!("recall {recall:.4} of {all}, wrong {wrong}")));
        };
        for group in 0..4 {
            row(format!("heritage group {group}"), &|child| child.group == group);
        }
        row("twin family".to_owned(), &|child| twins.contains(&child.family));
        row("compound surname".to_owned(), &|child| child.last.contains(['-', ' ']));
        rows
    }

    fn passes(&self, out: &mut impl Write) -> Result<()> {
        for pass in &self.result.report.passes {
            let (name, pairs, skipped, found) = (pass.pass, pass.pairs, pass.blocks_skipped, pass.matches_found);
            writeln!(out, "  {name:<46} {pairs:>10} pairs {skipped:>6} skipped {found:>7} matches")?;
        }
        Ok(())
    }

    fn model(&self, out: &mut impl Write) -> Result<()> {
        for (comparison, levels) in &self.matcher.model().comparisons {
            for (level, p) in levels {
                let (m, u, bits, [true_pairs, random]) = (p.m, p.u, (p.m / p.u).log2(), p.seen);
                writeln!(
                    out,
                    "  {comparison:<26}{level:<20} m {m:.5} u {u:.7} {bits:>7.2} bits  seen {true_pairs:.0} {random:.0}"
                )?;
            }
        }
        Ok(())
    }

    fn parts(&self, left: u32, right: u32) -> String {
        let explanation = self.matcher.explain(&self.corpus, left, right).expect("in range");
        let part = |part: &identity::Contribution| format!("{}={} {:.1}", part.comparison, part.level, part.bits);
        explanation.parts.iter().map(part).collect::<Vec<_>>().join(", ")
    }

    /// Wrong pairs that are likelier than not, with their reasons.
    fn doubtful(&self, most: usize, out: &mut impl Write) -> Result<()> {
        let wrong = self.result.pairs.iter().filter(|pair| !self.is_right(pair) && pair.probability > 0.5);
        for pair in wrong.take(most) {
            let there = &self.world.children[self.world.left_child[pair.left as usize] as usize];
            let here = &self.world.children[self.world.right_child[pair.right as usize] as usize];
            let kin = if there.family == here.family { "kin" } else { "strangers" };
            let absent = if self.world.truth[pair.right as usize].is_none() { ", not in the state" } else { "" };
            writeln!(
                out,
                "WRONG {:?} p {:.6} {kin}{absent}: {}",
                pair.outcome,
                pair.probability,
                self.parts(pair.left, pair.right)
            )?;
        }
        Ok(())
    }

    /// Right pairs that were not linked, with their reasons.
    fn missed(&self, most: usize, out: &mut impl Write) -> Result<()> {
        let listed: HashMap<_, _> = self.result.pairs.iter().map(|pair| ((pair.left, pair.right), pair)).collect();
        let mut shown = 0;
        for (right, left) in
            self.world.truth.iter().enumerate().filter_map(|(right, left)| Some((right as u32, (*left)?)))
        {
            let pair = listed.get(&(left, right));
            if shown == most || pair.is_some_and(|pair| pair.outcome == Outcome::Match) {
                continue;
            }
            shown += 1;
            let state = pair.map_or_else(
                || "not listed".to_owned(),
                |pair| format!("{:?} {:?} p {:.4}", pair.outcome, pair.reason, pair.probability),
            );
            writeln!(out, "MISSED {state}: {}", self.parts(left, right))?;
        }
        Ok(())
    }
}

const COLUMNS: [&str; 11] =
    ["id", "first_name", "middle_name", "last_name", "suffix", "birth_date", "sex", "race", "street", "town", "zip"];

fn write_world(world: &Invented, folder: &Path) -> Result<()> {
    for (file, people) in [("left.csv", &world.left), ("right.csv", &world.right)] {
        let mut writer = csv::Writer::from_path(folder.join(file))?;
        writer.write_record(COLUMNS)?;
        for person in people {
            let (name, home) = (&person.names[0], &person.addresses[0]);
            let birth = person.birth_dates.first().map(ToString::to_string).unwrap_or_default();
            let [sex, race] = [&person.sex, &person.race].map(|value| value.as_deref().unwrap_or(""));
            let (first, middle, last, suffix) = (&name.first, &name.middle, &name.last, &name.suffix);
            let row = [&person.id, first, middle, last, suffix, &birth, sex, race, &home.street, &home.town, &home.zip];
            writer.write_record(row)?;
        }
    }
    let mut truth = csv::Writer::from_path(folder.join("truth.csv"))?;
    for (right, left) in world.truth.iter().enumerate() {
        let left = left.map_or("", |left| world.left[left as usize].id.as_str());
        truth.write_record([world.right[right].id.as_str(), left])?;
    }
    Ok(())
}

fn link_written(folder: &Path) -> Result<()> {
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
        writeln!(stdout, "  {name:<20} {seconds:.2} s CPU")?;
    }
    writeln!(stdout, "{wall:.2} s wall, {cpu:.2} s CPU, peak {} MB; {} pairs", peak_mb(), report.pairs_written)?;
    let mut truth = HashMap::new();
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
    writeln!(stdout, "{right_links} right links, {wrong_links} wrong")
}
