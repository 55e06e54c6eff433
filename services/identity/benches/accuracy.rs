//! How often the matcher is right, on noise it was never tuned to, with every wrong link listed.
//!
//! `cargo bench -p identity --bench accuracy -- [--students N] [--clients N] [--seeds N] [--names DIR] [--out DIR] [--without]`
//! writes `accuracy.md`, `calibration.svg` and `wrong.csv`. The defaults link 1,000,000 students with 50,000 clients for five seeds:
//! 212,500 true links. `--without` also measures what is lost without each technique, on one seed. `--names` takes a folder of
//! frequency lists (name, share): `FirstName-<group>-<sex>.csv`, `Surname-<group>.csv`.

#![expect(clippy::disallowed_macros, reason = "a bench says what it measured")]

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fmt::Write as _,
    fs,
    path::Path,
};

use identity::{Config, Corpus, LinkResult, Matcher, Outcome, Pair, Person};

#[path = "../testing/invented.rs"]
mod invented;
#[path = "../testing/machine.rs"]
mod machine;
#[path = "../testing/score.rs"]
mod score;
#[path = "../testing/unseen.rs"]
mod unseen;

use invented::{Invented, NamePool, Profile};
use machine::{Args, cpu_seconds, peak_mb};
use unseen::done;

type Failed = Box<dyn std::error::Error>;

/// Upper bounds of the bins in which probabilities are held against the truth.
const BINS: [f64; 10] = [0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 0.999, 0.9999, 1.01];

fn main() -> Result<(), Failed> {
    let args = Args(std::env::args().collect());
    let out = Path::new(args.value("--out").unwrap_or("target/accuracy")).to_owned();
    fs::create_dir_all(&out)?;
    let names = args.names();
    let (students, clients) = (args.number("--students", 1_000_000), args.number("--clients", 50_000));
    let mut report = String::from("# Accuracy\n\n");
    let mut sum = Tally::default();
    for seed in 1..=args.number("--seeds", 5) {
        let (world, done) = unseen::invent(&names, students, clients, seed as u64);
        let before = cpu_seconds();
        let (matcher, corpus, result) = link(&world.left, &world.right, &Config::default())?;
        let mut tally = Tally::default();
        tally.add(&world, &done, &result);
        tally.list_wrong(seed, &world, &done, (&matcher, &corpus, &result));
        let line = format!(
            "seed {seed}: {} links of {}, {} wrong (estimated {:.1}), recall {:.4}; {} in review, {} of them right; missed {} (estimated {:.0}); threshold {:.4}; {:.1} s CPU",
            tally.all.links,
            tally.all.truths,
            tally.all.wrong,
            result.report.expected_wrong,
            tally.all.recall(),
            tally.reviews,
            tally.right_reviews,
            tally.all.truths - tally.all.right,
            result.report.expected_missed,
            result.report.match_probability_min,
            cpu_seconds() - before,
        );
        println!("{line}");
        writeln!(report, "- {line}")?;
        sum.merge(tally);
    }
    writeln!(report, "\n{}", sum.text())?;
    println!("{}; peak {} MB", sum.headline(), peak_mb());
    fs::write(out.join("calibration.svg"), sum.plot())?;
    fs::write(
        out.join("wrong.csv"),
        format!("seed,right_id,left_id,probability,kin,absent,done,comparisons\n{}", sum.wrong),
    )?;
    others(&names, &mut report)?;
    if args.has("--without") {
        without(&names, students.min(200_000), clients.min(20_000), &mut report)?;
    }
    fs::write(out.join("accuracy.md"), &report)?;
    println!("written to {}", out.display());
    Ok(())
}

fn link(left: &[Person], right: &[Person], config: &Config) -> Result<(Matcher, Corpus, LinkResult), Failed> {
    let corpus = Corpus::of(left, right);
    let matcher = Matcher::train(&corpus, 7, config, &|_, _, _| {})?;
    let result = matcher.link(&corpus, &|_, _, _| {})?;
    Ok((matcher, corpus, result))
}

/// Counts of one group of clients.
#[derive(Clone, Copy, Default)]
struct Count {
    clients: u64,
    truths: u64,
    right: u64,
    wrong: u64,
    links: u64,
    /// Right ones that wait for a person.
    waiting: u64,
}

impl Count {
    fn recall(&self) -> f64 {
        self.right as f64 / self.truths.max(1) as f64
    }

    fn merge(&mut self, other: &Self) {
        self.clients += other.clients;
        self.truths += other.truths;
        self.right += other.right;
        self.wrong += other.wrong;
        self.links += other.links;
        self.waiting += other.waiting;
    }
}

#[derive(Default)]
struct Tally {
    all: Count,
    strata: BTreeMap<String, Count>,
    /// Pairs, right pairs and summed probability by bin.
    bins: [(u64, u64, f64); BINS.len()],
    reviews: u64,
    right_reviews: u64,
    recall_at: Vec<(f64, f64, u32)>,
    wrong: String,
}

impl Tally {
    fn add(&mut self, world: &Invented, done: &[u16], result: &LinkResult) {
        let mut linked: HashMap<u32, u32> = HashMap::new();
        let mut waits: HashSet<(u32, u32)> = HashSet::new();
        for pair in &result.pairs {
            let is_right = world.truth[pair.right as usize] == Some(pair.left);
            let bin = BINS.iter().position(|bound| pair.probability < *bound).unwrap_or(BINS.len() - 1);
            self.bins[bin].0 += 1;
            self.bins[bin].1 += u64::from(is_right);
            self.bins[bin].2 += pair.probability;
            match pair.outcome {
                Outcome::Match => drop(linked.insert(pair.right, pair.left)),
                Outcome::Review => {
                    self.reviews += 1;
                    self.right_reviews += u64::from(is_right);
                    waits.insert((pair.left, pair.right));
                }
                Outcome::NonMatch => {}
            }
        }
        let twins: HashSet<u32> = world.children.iter().filter(|child| child.twin).map(|child| child.family).collect();
        for (right, truth) in world.truth.iter().enumerate() {
            let child = &world.children[world.right_child[right] as usize];
            let link = linked.get(&(right as u32));
            let count = Count {
                clients: 1,
                truths: u64::from(truth.is_some()),
                right: u64::from(truth.is_some() && link == truth.as_ref()),
                wrong: u64::from(link.is_some() && link != truth.as_ref()),
                links: u64::from(link.is_some()),
                waiting: u64::from(truth.is_some_and(|left| waits.contains(&(left, right as u32)))),
            };
            self.all.merge(&count);
            for stratum in strata(child, twins.contains(&child.family), done[right], truth.is_none()) {
                self.strata.entry(stratum).or_default().merge(&count);
            }
        }
        let score = score::measure(&result.pairs, &world.truth);
        self.recall_at.extend(score.recall_at.iter().map(|(precision, recall)| (*precision, *recall, 1)));
    }

    fn list_wrong(
        &mut self,
        seed: usize,
        world: &Invented,
        done: &[u16],
        (matcher, corpus, result): (&Matcher, &Corpus, &LinkResult),
    ) {
        let is_wrong =
            |pair: &&Pair| pair.outcome == Outcome::Match && world.truth[pair.right as usize] != Some(pair.left);
        for pair in result.pairs.iter().filter(is_wrong) {
            let there = &world.children[world.left_child[pair.left as usize] as usize];
            let here = &world.children[world.right_child[pair.right as usize] as usize];
            let parts = matcher.explain(corpus, pair.left, pair.right).map(|all| all.parts).unwrap_or_default();
            let parts: Vec<_> = parts.iter().map(|p| format!("{}={} {:.1}", p.comparison, p.level, p.bits)).collect();
            let (kin, absent) = (there.family == here.family, world.truth[pair.right as usize].is_none());
            let line = format!(
                "{seed},R{},{},{:.6},{kin},{absent},{:#x},{}",
                pair.right,
                corpus.id(identity::Side::Left, pair.left),
                pair.probability,
                done[pair.right as usize],
                parts.join("; ")
            );
            println!("  wrong: {line}");
            self.wrong.push_str(&line);
            self.wrong.push('\n');
        }
    }

    fn merge(&mut self, other: Self) {
        self.all.merge(&other.all);
        for (name, count) in &other.strata {
            self.strata.entry(name.clone()).or_default().merge(count);
        }
        for (bin, more) in self.bins.iter_mut().zip(other.bins) {
            *bin = (bin.0 + more.0, bin.1 + more.1, bin.2 + more.2);
        }
        self.reviews += other.reviews;
        self.right_reviews += other.right_reviews;
        self.recall_at.extend(other.recall_at);
        self.wrong.push_str(&other.wrong);
    }

    fn headline(&self) -> String {
        let (low, high) = poisson_interval(self.all.wrong);
        let links = self.all.links.max(1) as f64;
        format!(
            "{} true links, {} linked, {} wrong: precision {:.6} (95 % interval {:.6} to {:.6}), recall {:.4}",
            self.all.truths,
            self.all.links,
            self.all.wrong,
            1.0 - self.all.wrong as f64 / links,
            1.0 - high / links,
            1.0 - low / links,
            self.all.recall()
        )
    }

    fn text(&self) -> String {
        let mut text = format!("{}\n\n", self.headline());
        for precision in [0.99, 0.999, 0.9999] {
            let runs: Vec<f64> = self
                .recall_at
                .iter()
                .filter(|(p, ..)| (*p - precision).abs() < f64::EPSILON)
                .map(|(_, r, _)| *r)
                .collect();
            let mean = runs.iter().sum::<f64>() / runs.len().max(1) as f64;
            let _ = writeln!(
                text,
                "- recall at precision {precision}, ranked by probability alone, mean of the seeds: {mean:.4}"
            );
        }
        let _ = writeln!(text, "- in review: {} pairs, {} of them right", self.reviews, self.right_reviews);
        text.push_str("\n| stratum | clients | in the state | recall | its 95 % interval | right ones in review | linked | wrong | precision, at least (95 %) |\n");
        text.push_str("|---|---|---|---|---|---|---|---|---|\n");
        for (name, count) in &self.strata {
            let (_, high) = poisson_interval(count.wrong);
            let (low_recall, high_recall) = share_interval(count.right, count.truths);
            let _ = writeln!(
                text,
                "| {name} | {} | {} | {:.4} | {low_recall:.4} to {high_recall:.4} | {} | {} | {} | {:.5} |",
                count.clients,
                count.truths,
                count.recall(),
                count.waiting,
                count.links,
                count.wrong,
                (1.0 - high / count.links.max(1) as f64).max(0.0)
            );
        }
        text.push_str("\n| probability below | pairs | right | expected |\n|---|---|---|---|\n");
        for (bound, (pairs, right, expected)) in BINS.iter().zip(self.bins) {
            let _ = writeln!(text, "| {} | {pairs} | {right} | {expected:.1} |", bound.min(1.0));
        }
        text
    }

    /// Share of right pairs against the probability said, by bin; the line is where both are one.
    fn plot(&self) -> String {
        let (size, edge) = (400.0, 50.0);
        let place = |x: f64, y: f64| (edge + x * size, edge + (1.0 - y) * size);
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" height=\"{0}\" font-family=\"sans-serif\" font-size=\"12\" role=\"img\"><title>Probability said and share of right pairs</title><rect width=\"{0}\" height=\"{0}\" fill=\"white\"/>",
            size + 2.0 * edge
        );
        let ((x0, y0), (x1, y1)) = (place(0.0, 0.0), place(1.0, 1.0));
        let _ = write!(svg, "<path d=\"M{x0} {y0} L{x1} {y1}\" stroke=\"#999\" stroke-dasharray=\"4\"/>");
        let _ = write!(svg, "<path d=\"M{x0} {y1} L{x0} {y0} L{x1} {y0}\" fill=\"none\" stroke=\"black\"/>");
        let mut line = String::new();
        for (pairs, right, expected) in self.bins.iter().filter(|(pairs, ..)| *pairs > 0) {
            let (said, seen) = (expected / *pairs as f64, *right as f64 / *pairs as f64);
            let half = 1.96 * (seen * (1.0 - seen) / *pairs as f64).sqrt();
            let (x, y) = place(said, seen);
            let (_, top) = place(said, (seen + half).min(1.0));
            let (_, bottom) = place(said, (seen - half).max(0.0));
            let _ = write!(line, "{}{x:.1} {y:.1} ", if line.is_empty() { "M" } else { "L" });
            let _ = write!(
                svg,
                "<path d=\"M{x:.1} {top:.1} V{bottom:.1}\" stroke=\"#06c\"/><circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\" fill=\"#06c\"><title>{pairs} pairs, said {said:.4}, right {seen:.4}</title></circle>"
            );
        }
        let _ = write!(svg, "<path d=\"{line}\" fill=\"none\" stroke=\"#06c\"/>");
        let _ = write!(
            svg,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">probability said</text>",
            edge + size / 2.0,
            size + edge + 35.0
        );
        let _ = write!(
            svg,
            "<text x=\"15\" y=\"{0}\" text-anchor=\"middle\" transform=\"rotate(-90 15 {0})\">share of right pairs</text></svg>",
            edge + size / 2.0
        );
        svg
    }
}

fn strata(child: &invented::Child, in_twin_family: bool, did: u16, is_absent: bool) -> Vec<String> {
    let mut all = vec![format!("race {}", ["white", "hispanic", "black", "asian"][child.group])];
    let mut put = |is: bool, name: &str| {
        if is {
            all.push(name.to_owned());
        }
    };
    put(is_absent, "not in the state");
    put(child.twin, "twin");
    put(in_twin_family, "twin family");
    put(child.last.contains(['-', ' ']), "compound surname");
    put(did & done::OTHER_SURNAME != 0, "changed surname");
    put(did & done::MISSING != 0, "missing fields");
    put(did & done::NO_DATE != 0, "birth date missing or a default");
    put(did & done::WRONG_DATE != 0, "wrong birth date");
    put(did & done::FIRST_SPELT != 0, "first name misspelt");
    put(did & done::LAST_SPELT != 0, "surname misspelt");
    put(did & done::OTHER_FORM != 0, "other form of the first name");
    put(did & done::SWAPPED != 0, "names swapped");
    put(did & done::MOVED != 0, "moved");
    put(did == 0, "nothing wrong");
    all
}

/// 95 % interval of a share (Wilson).
fn share_interval(hits: u64, of: u64) -> (f64, f64) {
    if of == 0 {
        return (0.0, 1.0);
    }
    let (n, z2) = (of as f64, 1.96_f64 * 1.96);
    let share = hits as f64 / n;
    let middle = (share + z2 / (2.0 * n)) / (1.0 + z2 / n);
    let half = 1.96 * (share * (1.0 - share) / n + z2 / (4.0 * n * n)).sqrt() / (1.0 + z2 / n);
    ((middle - half).max(0.0), (middle + half).min(1.0))
}

/// Exact 95 % interval of a Poisson mean of which `seen` were counted.
fn poisson_interval(seen: u64) -> (f64, f64) {
    // P(X <= k | mean), summed from the largest term down.
    let at_most = |k: u64, mean: f64| -> f64 {
        let mut term = (-mean).exp();
        let mut sum = term;
        for i in 1..=k {
            term *= mean / i as f64;
            sum += term;
        }
        sum
    };
    let solve = |is_above: &dyn Fn(f64) -> bool| {
        let (mut low, mut high) = (0.0, 20.0 + 3.0 * seen as f64);
        for _ in 0..100 {
            let middle = f64::midpoint(low, high);
            if is_above(middle) { high = middle } else { low = middle }
        }
        low
    };
    let low = if seen == 0 { 0.0 } else { solve(&|mean| 1.0 - at_most(seen - 1, mean) > 0.025) };
    (low, solve(&|mean| at_most(seen, mean) < 0.025))
}

/// The noise the matcher was developed with, and files of the shape that public linkage tests have.
fn others(names: &NamePool, report: &mut String) -> Result<(), Failed> {
    writeln!(
        report,
        "\n| files | links | true links | wrong | precision | recall | recall at .99 / .999 / .9999 |\n|---|---|---|---|---|---|---|"
    )?;
    for (title, students, clients, profile) in [
        ("roster noise, 100,000 and 10,000", 100_000, 10_000, Profile::ROSTER),
        ("census-like, all ages, half moved, 39 % absent, 10,000 and 10,000", 10_000, 10_000, Profile::CENSUS),
        ("one original and one duplicate, three times the errors, 5,000 and 5,000", 5_000, 5_000, Profile::DIRTY),
    ] {
        let world = invented::invent(names, students, clients, 21, profile);
        let (_, _, result) = link(&world.left, &world.right, &Config::default())?;
        let score = score::measure(&result.pairs, &world.truth);
        let at: Vec<String> = score.recall_at.iter().map(|(_, recall)| format!("{recall:.4}")).collect();
        let (links, all, wrong) = (score.links, score.true_links, score.wrong.len());
        let (precision, recall) = (score.precision(), score.recall());
        writeln!(
            report,
            "| {title} | {links} | {all} | {wrong} | {precision:.5} | {recall:.4} | {} |",
            at.join(" / ")
        )?;
    }
    Ok(())
}

/// What each technique is worth: the same files without it.
fn without(names: &NamePool, students: usize, clients: usize, report: &mut String) -> Result<(), Failed> {
    let (world, _) = unseen::invent(names, students, clients, 99);
    let mut without_model = String::new();
    writeln!(report, "\n| without | recall | wrong | recall at .999 / .9999 |\n|---|---|---|---|")?;
    let mut row = |title: &str, world: &Invented, config: &Config| -> Result<(), Failed> {
        let (_, _, result) = link(&world.left, &world.right, config)?;
        let score = score::measure(&result.pairs, &world.truth);
        let [_, (_, third), (_, fourth)] = score.recall_at[..] else { return Err("three precisions".into()) };
        writeln!(report, "| {title} | {:.4} | {} | {third:.4} / {fourth:.4} |", score.recall(), score.wrong.len())?;
        Ok(())
    };
    row("nothing: the whole matcher", &world, &Config::default())?;
    let (matcher, corpus, whole) = link(&world.left, &world.right, &Config::default())?;
    for (title, comparisons, levels) in TECHNIQUES {
        let model = flattened(matcher.model(), comparisons, levels);
        let result = Matcher::new(model, &Config::default())?.link(&corpus, &|_, _, _| {})?;
        let score = score::measure(&result.pairs, &world.truth);
        let [_, (_, third), (_, fourth)] = score.recall_at[..] else { return Err("three precisions".into()) };
        let (recall, wrong) = (score.recall(), score.wrong.len());
        writeln!(without_model, "| {title} | {recall:.4} | {wrong} | {third:.4} / {fourth:.4} |")?;
    }
    let by_score = |pair: &Pair| Pair { probability: 1.0 / (1.0 + (-pair.score_bits / 4.0).exp2()), ..*pair };
    let scored: Vec<Pair> = whole.pairs.iter().map(by_score).collect();
    let [_, (_, third), (_, fourth)] = score::measure(&scored, &world.truth).recall_at[..] else {
        return Err("three precisions".into());
    };
    let greedy = format!("| who else could be meant: scores alone, one to one | | | {third:.4} / {fourth:.4} |");
    let [third, fourth] = [0.999, 0.9999].map(|precision| recall_of_all(&scored, &world, precision));
    let all = format!("| one to one: scores alone, every pair for itself | | | {third:.4} / {fourth:.4} |");
    writeln!(without_model, "{greedy}\n{all}")?;
    let mut passes = String::from("\n| blocking pass | pairs | links that it finds |\n|---|---|---|\n");
    for pass in &whole.report.passes {
        writeln!(passes, "| {} | {} | {} |", pass.pass, pass.pairs, pass.matches_found)?;
    }
    row("the household part of the score", &world, &Config { household_members: 0.0, ..Config::default() })?;
    row(
        "term frequencies (every value as common as one in 200)",
        &world,
        &Config { rarest_share: 0.005, ..Config::default() },
    )?;
    let blank = |change: &dyn Fn(&mut Person)| {
        let edit = |list: &[Person]| {
            let mut list = list.to_vec();
            list.iter_mut().for_each(change);
            list
        };
        Invented {
            left: edit(&world.left),
            right: edit(&world.right),
            truth: world.truth.clone(),
            left_child: world.left_child.clone(),
            right_child: world.right_child.clone(),
            children: world.children.clone(),
        }
    };
    let default = Config::default();
    row("middle names", &blank(&|p| p.names.iter_mut().for_each(|name| name.middle.clear())), &default)?;
    row("race", &blank(&|p| p.race = None), &default)?;
    row("sex", &blank(&|p| p.sex = None), &default)?;
    row("ZIP", &blank(&|p| p.addresses.iter_mut().for_each(|home| home.zip.clear())), &default)?;
    row("town and ZIP", &blank(&|p| p.addresses.clear()), &default)?;
    report.push_str(&without_model);
    report.push_str(&passes);
    Ok(())
}

/// Techniques that are levels of comparisons: without them such a pair counts as different.
const TECHNIQUES: [(&str, &[&str], &[&str]); 5] = [
    ("nicknames", &["first_name"], &["nickname"]),
    ("how names sound", &["first_name", "last_name"], &["phonetic"]),
    ("misspellings of names", &["first_name", "last_name"], &["misspelt", "alike", "similar", "near"]),
    ("parts of names, and parts moved", &["first_name", "last_name"], &["token", "moved_to_middle"]),
    (
        "birth dates swapped, mistyped or partly right",
        &["birth_date"],
        &["day_month_swapped", "one_digit", "month_and_day", "year_and_part", "first_of_year", "year"],
    ),
];

/// The model with these levels as good as "different".
fn flattened(model: &identity::Model, comparisons: &[&str], levels: &[&str]) -> identity::Model {
    let mut model = model.clone();
    for (name, of_one) in &mut model.comparisons {
        let Some(different) = of_one.get("different").copied() else { continue };
        if comparisons.iter().any(|prefix| name.starts_with(prefix)) {
            for (_, level) in of_one.iter_mut().filter(|(level, _)| levels.contains(&level.as_str())) {
                *level = different;
            }
        }
    }
    model
}

/// Recall at a precision where every pair above a score counts, not one for each person.
fn recall_of_all(pairs: &[Pair], world: &Invented, precision: f64) -> f64 {
    let mut ranked: Vec<&Pair> = pairs.iter().collect();
    ranked.sort_by(|a, b| b.score_bits.total_cmp(&a.score_bits));
    let all = world.truth.iter().flatten().count().max(1) as f64;
    let (mut hits, mut best) = (0_u32, 0.0_f64);
    for (count, pair) in ranked.iter().enumerate() {
        hits += u32::from(world.truth[pair.right as usize] == Some(pair.left));
        if f64::from(hits) / (count + 1) as f64 >= precision {
            best = f64::from(hits) / all;
        }
    }
    best
}
