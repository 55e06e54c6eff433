//! Loading an invented state's files, whole: received, parsed, checked, students resolved, facts compared and stored with lineage and
//! indexes, committed. Beside it the least that the database must do for it: the same facts, and the students who are new with them, by COPY
//! into bare tables with the same columns and indexes.

use std::{path::Path, time::Instant};

use anyhow::{Context as _, ensure};
use pg::Access;

use super::{Figure, median};
use crate::{
    app::App,
    args::{Bench, Place},
    commands::intake::{Asked, load_told},
    generate,
};

/// What is loaded, in this order: what the layout is called here, and its folder in an invented state.
const LAYOUTS: [(&str, &str); 3] = [
    ("intake: registrations (enrollment)", "sasid-2.1x"),
    ("intake: collections (enrollment, attendance)", "ct-student"),
    ("intake: courses (TCS)", "tcs-4.0"),
];
/// What a load is held against.
const BARE: &str = "the same facts and new students by COPY into bare tables with the same indexes";
/// Students, unless told otherwise.
const STUDENTS: u64 = 20_000;
/// The seed of the invented state.
const SEED: u64 = 11;
/// Its school years.
const YEARS: u16 = 2;
/// Copies of the limit in a round; the fastest counts, so that the limit is a limit.
const COPIES: usize = 2;

/// Rates of one layout, a pair a round: loaded, and copied, in rows of the file a second.
#[derive(Default)]
struct Rates {
    loaded: Vec<f64>,
    copied: Vec<f64>,
}

/// Loads the files of an invented state, each round into a database of its own.
pub async fn load(place: &Place, options: &Bench) -> anyhow::Result<Vec<Figure>> {
    let folder = tempfile::tempdir().context("no temporary folder")?;
    let state = folder.path().join("world");
    let mut wanted = generate::Options::new(options.students.unwrap_or(STUDENTS), SEED, state.clone());
    wanted.clients = 0.0;
    wanted.years = YEARS;
    generate::run(&wanted, &|_, _, _| ())?;
    let mut rates: Vec<Rates> = LAYOUTS.iter().map(|_| Rates::default()).collect();
    for round in 0..options.rounds {
        let data = folder.path().join(format!("data-{round}"));
        let place = Place { config: None, data: Some(data.clone()), sandbox: true, json: place.json };
        let app = App::open(&place, Access::Alone).await?;
        let measured = load_once(&app, &state, &mut rates).await;
        app.close().await?;
        measured?;
        std::fs::remove_dir_all(&data).with_context(|| format!("cannot remove {}", data.display()))?;
    }
    let figure = |((what, _), rates): (&(&'static str, &str), Rates)| {
        Figure::rate(what, (median(rates.loaded), "rows/s"), BARE, median(rates.copied))
    };
    Ok(LAYOUTS.iter().zip(rates).map(figure).collect())
}

async fn load_once(app: &App, state: &Path, rates: &mut [Rates]) -> anyhow::Result<()> {
    let sea = "ct".parse().context("an identifier of a state")?;
    for ((_, layout), rates) in LAYOUTS.iter().zip(rates) {
        let paths = [state.join("state").join(layout)];
        let mut batches = Vec::new();
        let started = Instant::now();
        let totals = load_told(app, &paths, Asked { sea: &sea, layout: None, district: None }, true, &mut |receipt| {
            batches.push(receipt.batch.0);
            Ok(())
        })
        .await?;
        let elapsed = started.elapsed().as_secs_f64();
        ensure!(totals.rows > 0 && totals.refused == 0, "the files of {layout} are not loaded");
        let mut bare = stored(app, &batches).await?;
        let mut fastest = f64::INFINITY;
        for _ in 0..COPIES {
            let (_, elapsed) = bare.copy().await?;
            fastest = fastest.min(elapsed.as_secs_f64());
        }
        rates.loaded.push(totals.rows as f64 / elapsed);
        rates.copied.push(totals.rows as f64 / fastest);
    }
    Ok(())
}

/// What the batches stored: facts, and the students they made known.
async fn stored(app: &App, batches: &[i64]) -> anyhow::Result<pg::BareCopy> {
    let batches: Vec<String> = batches.iter().map(i64::to_string).collect();
    let batches = batches.join(", ");
    let facts = format!("WHERE t.recorded_batch IN ({batches}) ORDER BY t.recorded_batch, t.line");
    let persons = format!("WHERE t.created_batch IN ({batches}) ORDER BY t.source_person_id");
    let of_persons = |join: &str| {
        format!(
            "{join} JOIN identity.source_person AS p USING (source_person_id) WHERE p.created_batch IN ({batches}) ORDER BY p.source_person_id"
        )
    };
    let tables = [
        ("history.fact", facts),
        ("identity.source_person", persons),
        ("identity.crosswalk", of_persons("")),
        ("identity.student", of_persons("JOIN identity.crosswalk AS x USING (student_id)")),
    ];
    let tables: Vec<(&str, &str)> = tables.iter().map(|(table, which)| (*table, which.as_str())).collect();
    Ok(pg::BareCopy::open(&app.database, &tables).await?)
}
