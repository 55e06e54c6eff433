//! Recording disclosures, each committed before anything could leave, and giving them their place in the tree. Beside it the same rows in
//! bare tables with the same indexes, committed as often. The ledger is one of the bench's own: nothing was disclosed.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Instant,
};

use anyhow::Context as _;
use futures::future::try_join_all;
use ledger::{Audience, Delivery, Detail, Entry, Hash, Kind, Salts, Showing, Terms, TermsParts};
use model::{Clock as _, Masked, StudentId};
use pg::{Access, BareRows, Role};
use uuid::Uuid;

use super::{Figure, median};
use crate::{
    app::App,
    args::{Bench, Place},
    system::{SystemClock, SystemEntropy},
};

/// Entries recorded one by one in a round, by each writer.
const SINGLES: usize = 500;
/// Writers at once, few and many. The exchange's take turns at the connections of its pool, the bare ones have one each.
const WRITERS: [usize; 2] = [8, 64];
/// Entries of a transaction of a stream or file.
const CHUNK: usize = 500;
/// Entries of a transaction of a stream of whole histories: as many as fit a chunk of 64 KB.
const SMALL_CHUNK: usize = 16;
/// Entries of streams and files in a round.
const STREAMED: usize = 20_000;
/// The tables that an entry is written to.
const TABLES: [&str; 2] = ["ledger.entry", "ledger.detail"];
/// What one entry a commit is held against.
const ONE_BARE: &str = "the same rows into bare tables with the same indexes, a commit each";
/// What a chunk a commit is held against.
const CHUNK_BARE: &str = "the same rows into bare tables with the same indexes, 500 a commit";
/// What a small chunk a commit is held against.
const SMALL_BARE: &str = "the same rows into bare tables with the same indexes, 16 a commit";

/// One way of delivering.
struct Mode {
    what: &'static str,
    delivery: Delivery,
    writers: usize,
    of_each: usize,
    at_once: usize,
    limit: &'static str,
}

const MODES: [Mode; 6] = [
    Mode {
        what: "ledger: calls, one after the other",
        delivery: Delivery::Unary,
        writers: 1,
        of_each: SINGLES,
        at_once: 1,
        limit: ONE_BARE,
    },
    Mode {
        what: "ledger: calls, eight at once",
        delivery: Delivery::Unary,
        writers: WRITERS[0],
        of_each: SINGLES,
        at_once: 1,
        limit: ONE_BARE,
    },
    Mode {
        what: "ledger: calls, sixty-four at once",
        delivery: Delivery::Unary,
        writers: WRITERS[1],
        of_each: SINGLES,
        at_once: 1,
        limit: ONE_BARE,
    },
    Mode {
        what: "ledger: a stream of whole histories",
        delivery: Delivery::Stream,
        writers: 1,
        of_each: SINGLES * SMALL_CHUNK,
        at_once: SMALL_CHUNK,
        limit: SMALL_BARE,
    },
    Mode {
        what: "ledger: a stream",
        delivery: Delivery::Stream,
        writers: 1,
        of_each: STREAMED,
        at_once: CHUNK,
        limit: CHUNK_BARE,
    },
    Mode {
        what: "ledger: files, four at once",
        delivery: Delivery::File,
        writers: 4,
        of_each: STREAMED / 4,
        at_once: CHUNK,
        limit: CHUNK_BARE,
    },
];

impl Mode {
    const fn entries(&self) -> usize {
        self.writers * self.of_each
    }
}

/// Records entries in a ledger of its own, mode by mode.
pub async fn record(place: &Place, options: &Bench) -> anyhow::Result<Vec<Figure>> {
    let folder = tempfile::tempdir().context("no temporary folder")?;
    let place = Place { config: None, data: Some(folder.path().join("data")), sandbox: true, json: place.json };
    let app = App::open(&place, Access::Alone).await?;
    let measured = modes(&app, options.rounds).await;
    app.close().await?;
    measured
}

async fn modes(app: &App, rounds: usize) -> anyhow::Result<Vec<Figure>> {
    let mut figures = Vec::new();
    let (mut positions, mut chunks) = (Vec::new(), Vec::new());
    for mode in &MODES {
        let (mut recorded, mut copied) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            let count = mode.entries() as f64;
            recorded.push(count / record_round(app, mode).await?);
            let started = Instant::now();
            app.sequence().await?;
            if mode.at_once == CHUNK {
                positions.push(count / started.elapsed().as_secs_f64());
            }
            copied.push(count / bare_round(app, mode).await?);
        }
        if mode.at_once == CHUNK {
            chunks.extend(copied.iter().copied());
        }
        let rate = (median(recorded), "entries/s");
        figures.push(Figure::rate(mode.what, rate, mode.limit, median(copied)));
    }
    let rate = (median(positions), "entries/s");
    figures.push(Figure::rate("ledger: places in the tree, signed", rate, CHUNK_BARE, median(chunks)));
    Ok(figures)
}

/// Seconds that recording took. The entries are made before, as a disclosure makes them while it renders.
async fn record_round(app: &App, mode: &Mode) -> anyhow::Result<f64> {
    let terms = terms()?;
    let of_writer = || (0..mode.of_each).map(|_| entry(&terms, mode.delivery)).collect::<Vec<_>>();
    let of_writers: Vec<Vec<Entry>> = (0..mode.writers).map(|_| of_writer()).collect();
    // Terms are new once in their life; that is not what is measured.
    write(app, &[entry(&terms, mode.delivery)]).await?;
    let started = Instant::now();
    let writers = of_writers.iter().map(async |entries| {
        for entries in entries.chunks(mode.at_once) {
            write(app, entries).await?;
        }
        Ok::<_, ledger::Error>(())
    });
    try_join_all(writers).await?;
    Ok(started.elapsed().as_secs_f64())
}

async fn write(app: &App, entries: &[Entry]) -> Result<(), ledger::Error> {
    pg::run_tx(app.pool(), "bench.record", Role::Disclosure, |tx| {
        Box::pin(async move {
            match entries {
                [one] => ledger::record_one(tx, one).await,
                many => ledger::record_chunk(tx, many).await,
            }
        })
    })
    .await
}

/// Seconds that the same number of the same rows took in bare tables.
async fn bare_round(app: &App, mode: &Mode) -> anyhow::Result<f64> {
    let bare = BareRows::open(&app.database, &TABLES, mode.entries()).await?;
    let mut writers = Vec::new();
    for _ in 0..mode.writers {
        writers.push(bare.writer().await?);
    }
    let started = Instant::now();
    let written = writers.iter_mut().enumerate().map(async |(number, writer)| {
        let first = number * mode.of_each;
        for begin in (first..first + mode.of_each).step_by(mode.at_once) {
            writer.insert(begin..begin + mode.at_once).await?;
        }
        Ok::<_, pg::Error>(())
    });
    try_join_all(written).await?;
    let elapsed = started.elapsed().as_secs_f64();
    drop(writers);
    bare.clear().await?;
    Ok(elapsed)
}

fn terms() -> anyhow::Result<Arc<Terms>> {
    let parts = TermsParts {
        consumer: "bench".parse().context("an identifier of a consumer")?,
        party: "An invented agency".to_owned(),
        purpose: Some("measuring".to_owned()),
        legal_basis: Some("ferpa_juvenile_justice".to_owned()),
        clause: None,
        elements: BTreeSet::from(["enrollment.entry_date".to_owned()]),
        withheld: BTreeSet::new(),
        onward: BTreeSet::new(),
        audiences: BTreeMap::from([(Audience::Parent, Showing::AfterReview)]),
    };
    Ok(Arc::new(Terms::new(parts)?))
}

fn entry(terms: &Arc<Terms>, delivery: Delivery) -> Entry {
    let id = model::disclosure_id(&SystemEntropy);
    Entry {
        id,
        kind: Kind::Disclosure,
        terms: Arc::clone(terms),
        delivery,
        decided_at: SystemClock.now(),
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
