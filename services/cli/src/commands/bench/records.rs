//! Records of disclosures at size: invented entries by COPY into a database of its own, then what a steward's command does for a student, a school and a
//! request, from the question to the bytes of the copy, the entry of the asking committed in between: to those of its first page, and to the last. Nothing
//! was disclosed.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Instant,
};

use anyhow::{Context as _, ensure};
use chrono::{DateTime, TimeDelta, Utc};
use ledger::{
    Audience, Clause, Delivery, Detail, Entry, Hash, Kind, OfRequest, RecordScope, Salts, Showing, Terms, TermsParts,
};
use model::{Domain, Entropy as _, Masked, SeededEntropy, StudentId};
use pg::{Access, Role};
use uuid::Uuid;

use super::{Figure, median};
use crate::{
    app::App,
    args::{Bench, Place},
    commands::{
        ledger::disclosures::{Copy, Of, gather},
        own_ask,
    },
    console::Progress,
    system::{SystemClock, SystemEntropy},
};

/// Entries of a student, on the average.
const ENTRIES_OF_STUDENT: u64 = 20;
/// Students of a school.
const STUDENTS_OF_SCHOOL: u64 = 1_000;
/// Entries of a run.
const ENTRIES_OF_RUN: u64 = 10_000;
/// The place of the first invented entry: behind those of the sandbox's own beginning.
const FIRST_PLACE: i64 = 1_000_000;
/// Agencies that asked.
const AGENCIES: usize = 4;
/// What the planner is to know.
const TABLES: &str =
    "ledger.entry, ledger.detail, ledger.sequence, history.fact, identity.crosswalk, identity.source_person";
/// What the answer is held against.
const GOAL: &str = "a second";
/// The same in milliseconds.
const GOAL_MS: f64 = 1_000.0;

/// Fills a ledger and asks it.
pub async fn run(place: &Place, options: &Bench) -> anyhow::Result<Vec<Figure>> {
    ensure!(options.entries >= 2 * ENTRIES_OF_RUN, "a bench of records needs at least {} entries", 2 * ENTRIES_OF_RUN);
    let folder = tempfile::tempdir().context("no temporary folder")?;
    let place = Place { config: None, data: Some(folder.path().join("data")), sandbox: true, json: place.json };
    let app = App::open(&place, Access::Alone).await?;
    let measured = async {
        let world = World {
            entries: options.entries,
            students: (options.entries / ENTRIES_OF_STUDENT).max(STUDENTS_OF_SCHOOL),
        };
        world.fill(&app).await?;
        world.ask(&app, options.rounds).await
    }
    .await;
    app.close().await?;
    measured
}

/// What is measured: the names of the whole copy and of its first page, what is asked for in a round, for whom.
type Asking<'a> = ([&'static str; 2], &'a dyn Fn(u64) -> Of, Audience);

/// An invented state whose students' records were asked for over five years.
#[derive(Clone, Copy)]
struct World {
    entries: u64,
    students: u64,
}

impl World {
    const fn student(number: u64) -> Uuid {
        Uuid::from_u128(0x5747_u128 << 112 | number as u128)
    }

    const fn run(number: u64) -> Uuid {
        Uuid::from_u128(0x7275_u128 << 112 | number as u128)
    }

    fn began_at() -> DateTime<Utc> {
        model::Clock::now(&SystemClock) - TimeDelta::days(5 * 365)
    }

    async fn fill(self, app: &App) -> anyhow::Result<()> {
        let terms: Vec<Arc<Terms>> = (0..AGENCIES).map(terms).collect::<Result<_, _>>()?;
        // Terms are stored with an entry of theirs.
        let first: Vec<Entry> = terms.iter().map(entry).collect();
        pg::run_tx(app.pool(), "bench.terms", Role::Disclosure, |tx| {
            let first = &first;
            Box::pin(async move { ledger::record_chunk(tx, first).await })
        })
        .await?;
        app.sequence().await?;
        self.fill_state(app).await?;
        self.fill_ledger(app, &terms).await?;
        Ok(pg::analyze(&app.database, TABLES).await?)
    }

    /// Who is of which school.
    async fn fill_state(self, app: &App) -> anyhow::Result<()> {
        let (began_at, students) = (Self::began_at(), self.students);
        let each = |put: fn(&mut pg::copy::Rows, u64, DateTime<Utc>)| {
            let mut next = 0;
            move |rows: &mut pg::copy::Rows| {
                rows.start();
                put(rows, next, began_at);
                next += 1;
                next < students
            }
        };
        let copy = "COPY identity.student (student_id, created_at) FROM STDIN (FORMAT BINARY)";
        pg::fill(
            &app.database,
            (copy, 2),
            each(|rows, number, at| {
                rows.put(&Self::student(number));
                rows.put(&at);
            }),
        )
        .await?;
        let copy =
            "COPY identity.source_person (source_person_id, sea, state_id, created_batch) FROM STDIN (FORMAT BINARY)";
        pg::fill(
            &app.database,
            (copy, 4),
            each(|rows, number, _| {
                rows.put(&(number as i64 + 1));
                rows.put("ct");
                rows.put(&format!("99{number:08}"));
                rows.put(&1_i64);
            }),
        )
        .await?;
        let copy = "COPY identity.crosswalk (student_id, source_person_id, from_at, decided_by, reason) FROM STDIN (FORMAT BINARY)";
        pg::fill(
            &app.database,
            (copy, 5),
            each(|rows, number, at| {
                rows.put(&Self::student(number));
                rows.put(&(number as i64 + 1));
                rows.put(&at);
                rows.put("bench");
                rows.put("invented");
            }),
        )
        .await?;
        let copy = "COPY history.batch (batch_id, sea, file_name, layout, recorded_at) FROM STDIN (FORMAT BINARY)";
        pg::fill(&app.database, (copy, 5), |rows| {
            rows.start();
            rows.put(&1_i64);
            rows.put("ct");
            rows.put("invented");
            rows.put("invented");
            rows.put(&began_at);
            false
        })
        .await?;
        let copy = "COPY history.fact_enrollment (source_person_id, recorded_batch, line, domain, school_year, certification, restriction,
            natural_key, kind, lea, facility, payload) FROM STDIN (FORMAT BINARY)";
        pg::fill(
            &app.database,
            (copy, 12),
            each(|rows, number, _| {
                rows.put(&(number as i64 + 1));
                rows.put(&1_i64);
                rows.put(&(number as i32 + 1));
                rows.put(&2_i16);
                rows.put(&2024_i16);
                rows.put(&1_i16);
                rows.put(&0_i16);
                rows.put(&Self::student(number));
                rows.put("snapshot");
                rows.put(&format!("D{:04}", number / (20 * STUDENTS_OF_SCHOOL)));
                rows.put(&format!("S{:06}", number / STUDENTS_OF_SCHOOL));
                rows.put(&pg::copy::Json("{}"));
            }),
        )
        .await?;
        Ok(())
    }

    async fn fill_ledger(self, app: &App, terms: &[Arc<Terms>]) -> anyhow::Result<()> {
        let progress = Progress::begin("fill the ledger", 3 * self.entries);
        let ids: Vec<Vec<u8>> = terms.iter().map(|terms| terms.id().0.as_bytes().to_vec()).collect();
        // The same ids come again for each table.
        let chance = || SeededEntropy::new(5);
        let (began_at, entries, students) = (Self::began_at(), self.entries, self.students);
        let step = TimeDelta::days(5 * 365 - 1) / i32::try_from(entries).unwrap_or(i32::MAX);
        let decided_at = |number: u64| began_at + step * i32::try_from(number).unwrap_or(i32::MAX);
        let draw = |chance: &SeededEntropy| {
            let mut drawn = [0; 16];
            chance.fill(&mut drawn);
            Uuid::from_bytes(drawn)
        };
        let mut filled = 0;
        let (mut number, ids_of) = (0_u64, chance());
        let copy = "COPY ledger.entry (entry_id, kind, terms_id, delivery, decided_at, run_id, salt, record_commitment, detail_commitment,
            content_commitment) FROM STDIN (FORMAT BINARY)";
        let more = |number: &mut u64, filled: &mut u64| {
            *number += 1;
            *filled += 1;
            if filled.is_multiple_of(100_000) {
                progress.at(*filled);
            }
            *number < entries
        };
        pg::fill(&app.database, (copy, 10), |rows| {
            let id = draw(&ids_of);
            rows.start();
            rows.put(&id);
            rows.put("disclosure");
            rows.put(ids.get(number as usize % ids.len()).unwrap_or(&Vec::new()));
            rows.put("file");
            rows.put(&decided_at(number));
            rows.put(&Self::run(number / ENTRIES_OF_RUN));
            rows.put(id.as_bytes());
            for _ in 0..3 {
                rows.put(Hash::of(id.as_bytes()).as_bytes());
            }
            more(&mut number, &mut filled)
        })
        .await?;
        let (mut number, ids_of) = (0_u64, chance());
        let copy = "COPY ledger.detail (entry_id, decided_at, terms_id, salt, content_salt, student_id, person, digest) FROM STDIN (FORMAT BINARY)";
        pg::fill(&app.database, (copy, 8), |rows| {
            let id = draw(&ids_of);
            rows.start();
            rows.put(&id);
            rows.put(&decided_at(number));
            rows.put(ids.get(number as usize % ids.len()).unwrap_or(&Vec::new()));
            rows.put(id.as_bytes());
            rows.put(id.as_bytes());
            // Far from the last one: a student's entries lie all over the table.
            rows.put(&Self::student(number.wrapping_mul(2_654_435_761) % students));
            rows.put("An invented officer");
            rows.put(Hash::of(id.as_bytes()).as_bytes());
            more(&mut number, &mut filled)
        })
        .await?;
        let (mut number, ids_of) = (0_u64, chance());
        let copy = "COPY ledger.sequence (leaf_index, entry_id, leaf_hash, era, xid) FROM STDIN (FORMAT BINARY)";
        pg::fill(&app.database, (copy, 5), |rows| {
            let id = draw(&ids_of);
            rows.start();
            rows.put(&(FIRST_PLACE + number as i64));
            rows.put(&id);
            rows.put(Hash::of(id.as_bytes()).as_bytes());
            rows.put(&1_i32);
            rows.put(&3_i64);
            more(&mut number, &mut filled)
        })
        .await?;
        progress.done(&format!("{entries} entries about {students} students"));
        Ok(())
    }

    async fn ask(self, app: &App, rounds: usize) -> anyhow::Result<Vec<Figure>> {
        let mut figures = Vec::new();
        let school = |number: u64| Of {
            school: Some(disclosure::School { sea: sea(), code: format!("S{number:06}") }),
            says: format!("school ct:S{number:06}"),
            ..Of::default()
        };
        let student = |number: u64| Of {
            student: Some(StudentId(Self::student(number))),
            says: "student".to_owned(),
            ..Of::default()
        };
        let request = |number: u64| {
            let request = OfRequest { ids: vec![Self::run(number)], authorities: Vec::new() };
            Of {
                scope: RecordScope { request: Some(request), ..RecordScope::default() },
                says: "request".to_owned(),
                ..Of::default()
            }
        };
        let schools = self.students / STUDENTS_OF_SCHOOL;
        let runs = self.entries / ENTRIES_OF_RUN;
        let asked: [Asking<'_>; 5] = [
            (
                ["records: a student's, for an auditor", "records: a student's, for an auditor, the first page"],
                &|round| student(round * 7 % self.students),
                Audience::Auditor,
            ),
            (
                ["records: a student's, for a parent", "records: a student's, for a parent, the first page"],
                &|round| student((round * 7 + 3) % self.students),
                Audience::Parent,
            ),
            (
                ["records: a school's, for an auditor", "records: a school's, for an auditor, the first page"],
                &|round| school(round % schools),
                Audience::Auditor,
            ),
            (
                ["records: a school's, for its district", "records: a school's, for its district, the first page"],
                &|round| school((round + 1) % schools),
                Audience::District,
            ),
            (
                ["records: a request's, for an auditor", "records: a request's, for an auditor, the first page"],
                &|round| request(round % runs),
                Audience::Auditor,
            ),
        ];
        for (names, of, audience) in asked {
            figures.extend(measure(app, names, of, (audience, rounds)).await?);
        }
        Ok(figures)
    }
}

/// The first page, where there are more, and the whole copy, each from the question on.
async fn measure(
    app: &App,
    [what, first]: [&'static str; 2],
    of: &dyn Fn(u64) -> Of,
    (audience, rounds): (Audience, usize),
) -> anyhow::Result<Vec<Figure>> {
    let today = app.clock().now().date_naive();
    let (mut firsts, mut wholes, mut count) = (Vec::new(), Vec::new(), 0);
    for round in 0..rounds as u64 {
        let of = of(round);
        let own = own_ask(app.own_consumer()?, "auditor", "bench");
        let started = Instant::now();
        let contents = gather(app, &own, &of, audience).await?;
        let mut copy = Copy::new("csv", &of, &contents, (audience, today))?;
        let mut bytes = copy.next(app).await?.map_or(0, |page| page.len());
        firsts.push(started.elapsed().as_secs_f64() * 1_000.0);
        while let Some(page) = copy.next(app).await? {
            bytes += page.len();
        }
        wholes.push(started.elapsed().as_secs_f64() * 1_000.0);
        ensure!(bytes > 100, "nothing was written");
        count = contents.len();
    }
    ensure!((count > 0) == (audience != Audience::District), "{what}: {count} entries are shown");
    tracing::info!(what, count, "entries were shown");
    let mut figures = Vec::new();
    if count > app.settings.ledger.record_page_entries as usize {
        figures.push(Figure::time(first, median(firsts), GOAL, GOAL_MS));
    }
    figures.push(Figure::time(what, median(wholes), GOAL, GOAL_MS));
    Ok(figures)
}

fn sea() -> model::Sea {
    // Cannot fail: a constant identifier.
    "ct".parse().unwrap_or_else(|_| unreachable!("ct is an identifier"))
}

fn terms(agency: usize) -> anyhow::Result<Arc<Terms>> {
    let elements =
        Domain::ALL.into_iter().flat_map(|domain| domains::definition(domain).elements).map(model::Element::id);
    let parts = TermsParts {
        consumer: format!("agency{agency}").parse().context("an identifier of a consumer")?,
        party: format!("Invented agency {agency}"),
        purpose: Some("measuring".to_owned()),
        legal_basis: Some("ferpa_juvenile_justice".to_owned()),
        clause: Some(Clause { agreement: format!("agreement{agency}"), version: 1, clause: "1".to_owned() }),
        elements: elements.take(150).collect(),
        withheld: BTreeSet::new(),
        onward: BTreeSet::new(),
        audiences: BTreeMap::from([(Audience::Parent, Showing::AfterReview)]),
    };
    Ok(Arc::new(Terms::new(parts)?))
}

fn entry(terms: &Arc<Terms>) -> Entry {
    let id = model::disclosure_id(&SystemEntropy);
    Entry {
        id,
        kind: Kind::Disclosure,
        terms: Arc::clone(terms),
        delivery: Delivery::File,
        decided_at: World::began_at(),
        run: None,
        count: None,
        reason: None,
        detail: Detail {
            student: Some(StudentId(Uuid::from_u128(1))),
            person: Some(Masked::new("An invented officer".to_owned())),
            digest: Some(Hash::of(id.0.as_bytes())),
            ..Detail::default()
        },
        salts: Salts::draw(&SystemEntropy),
    }
}
