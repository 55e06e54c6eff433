//! Reads of one student and the roster stream, through everything a recipient goes through.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use agreements::{Actor, Delivery};
use anyhow::{Context as _, ensure};
use disclosure::{Ask, Asker, Repeat};
use prost::Message as _;

use super::{Figure, client::Client, median, open, process};
use crate::{
    app::App,
    args::{Bench, Place},
    commands::{exchange, serve::Serving},
    console,
};

/// What a read of one student is held against.
const ONE_BARE: &str = "the same bytes by key from a bare table";
/// What a stream is held against.
const MANY_BARE: &str = "the same bytes, 500 keys at a time, from a bare table";
/// What the share is held against. A stream cannot be had without its record: what recording took of the very same run, its commits included, is taken off.
const UNRECORDED: &str = "the same run, had its entries and their commits taken no time";
/// What the processor time of a stream is held against.
const BARE_CPU: &str = "both for the same bytes by key and by 500 keys, filling included";
/// What a summary is held against.
const ON_DEMAND: &str = "the most that one may take";
/// In milliseconds.
const ON_DEMAND_MS: f64 = 30.0;
/// Keys in one round trip of the limit.
const BARE_KEYS: usize = 500;
/// Reads of students never read before, behind an emptied cache.
const COLD_READS: usize = 20;
/// Any free port of this machine.
const ANY_PORT: SocketAddr = SocketAddr::V4(std::net::SocketAddrV4::new(std::net::Ipv4Addr::LOCALHOST, 0));

/// The first reads after the database was started anew and, where it is permitted, the machine's page cache was emptied.
pub async fn cold(place: &Place, options: &Bench) -> anyhow::Result<Vec<Figure>> {
    // Starting the database prepares the schema; the second start is the cold one.
    open(place).await?.close().await?;
    let emptied = std::fs::write("/proc/sys/vm/drop_caches", "3").is_ok();
    if !emptied {
        console::line(
            place.json,
            "the page cache could not be emptied (it takes root): cold means a fresh server only",
        );
    }
    let app = Arc::new(open(place).await?);
    let serving = Serving::begin(&app, ANY_PORT, None).await?;
    let client = Client::connect(serving.address.port(), &serving.certificates, options.consumer.as_str()).await?;
    let keys = spread(population(&app, options).await?, COLD_READS);
    let mut first = f64::NAN;
    let mut times = Vec::new();
    let mut sizes = Vec::new();
    for key in &keys {
        let started = Instant::now();
        let Ok(history) = client.history(key).await else { continue };
        if times.is_empty() {
            first = ms(started.elapsed());
        }
        times.push(ms(started.elapsed()));
        sizes.push(history.encode_to_vec());
    }
    drop(client);
    serving.end().await?;
    let (_, bare) = bare_reads(&app, &sizes, 1).await?;
    if let Some(app) = Arc::into_inner(app) {
        app.close().await?;
    }
    ensure!(!times.is_empty(), "none of the first {COLD_READS} clients may be disclosed: nothing to measure");
    Ok(vec![
        Figure::time("history, cold: the first read", first, ONE_BARE, bare),
        Figure::time("history, cold: a student never read before", median(times), ONE_BARE, bare),
    ])
}

/// How many ask at once, and what the figures are called.
const AT_ONCE: [(usize, [&str; 3]); 3] = [
    (1, ["history, 1 at once: median", "history, 1 at once: 99th percentile", "history, 1 at once: rate"]),
    (8, ["history, 8 at once: median", "history, 8 at once: 99th percentile", "history, 8 at once: rate"]),
    (64, ["history, 64 at once: median", "history, 64 at once: 99th percentile", "history, 64 at once: rate"]),
];

/// Reads of students read before, by one reader and by several at once; then their summaries, from the request to the last byte.
pub async fn warm(app: &Arc<App>, options: &Bench) -> anyhow::Result<Vec<Figure>> {
    let serving = Serving::begin(app, ANY_PORT, None).await?;
    let client = Client::connect(serving.address.port(), &serving.certificates, options.consumer.as_str()).await?;
    let mut contents: Vec<(String, Vec<u8>)> = Vec::new();
    for key in spread(population(app, options).await?, options.reads) {
        if let Ok(history) = client.history(&key).await {
            contents.push((key, history.encode_to_vec()));
        }
    }
    ensure!(!contents.is_empty(), "no client of {} may be disclosed: nothing to measure", options.consumer);
    let (keys, bytes): (Vec<String>, Vec<Vec<u8>>) = contents.into_iter().unzip();
    let (keys, reads) = (Arc::new(keys), options.reads);
    let mut figures = Vec::new();
    for (at_once, [middle, tail, rate]) in AT_ONCE {
        let (mut rounds, mut bare_rounds) = (Vec::new(), Vec::new());
        let bare = bare_readers(app, &bytes, at_once).await?;
        let bare: Vec<_> = bare.into_iter().map(|bare| Arc::new(tokio::sync::Mutex::new(bare))).collect();
        for _ in 0..options.rounds {
            let read = |reader: usize| {
                let (client, keys) = (client.clone(), Arc::clone(&keys));
                async move {
                    let key = keys.get(reader % keys.len()).context("a key")?;
                    client.history(key).await.map(drop)
                }
            };
            rounds.push(readings(at_once, reads, read).await?);
            let count = bytes.len();
            let read = |reader: usize| {
                let bare = bare.get(reader % at_once).map(Arc::clone);
                async move {
                    bare.context("a reader")?.lock().await.read(&[(reader / at_once % count) as i64]).await?;
                    Ok(())
                }
            };
            bare_rounds.push(readings(at_once, reads, read).await?);
        }
        let of = |rounds: &[Readings], what: fn(&Readings) -> f64| median(rounds.iter().map(what).collect());
        let both = |what: fn(&Readings) -> f64| (of(&rounds, what), of(&bare_rounds, what));
        let (medians, tails, rates) = (both(|of| of.median_ms), both(|of| of.tail_ms), both(|of| of.rate));
        figures.push(Figure::time(middle, medians.0, ONE_BARE, medians.1));
        figures.push(Figure::time(tail, tails.0, ONE_BARE, tails.1));
        figures.push(Figure::rate(rate, (rates.0, "histories/s"), ONE_BARE, rates.1));
    }
    figures.extend(on_demand(&client, &keys, options).await?);
    drop(client);
    serving.end().await?;
    Ok(figures)
}

/// Signed summaries, one after the other. The first makes the renderer's memory of words and does not count.
async fn on_demand(client: &Client, keys: &Arc<Vec<String>>, options: &Bench) -> anyhow::Result<[Figure; 2]> {
    client.summary(keys.first().context("a key")?).await?;
    let mut rounds = Vec::new();
    for _ in 0..options.rounds {
        let read = |number: usize| {
            let (client, keys) = (client.clone(), Arc::clone(keys));
            async move {
                let key = keys.get(number % keys.len()).context("a key")?;
                client.summary(key).await.map(drop)
            }
        };
        rounds.push(readings(1, options.reads, read).await?);
    }
    let of = |what: fn(&Readings) -> f64| median(rounds.iter().map(what).collect());
    Ok([
        Figure::time("summary on demand, signed: median", of(|one| one.median_ms), ON_DEMAND, ON_DEMAND_MS),
        Figure::time("summary on demand, signed: 99th percentile", of(|one| one.tail_ms), ON_DEMAND, ON_DEMAND_MS),
    ])
}

/// What one round of reads came to.
struct Readings {
    median_ms: f64,
    tail_ms: f64,
    rate: f64,
}

/// Reads so often, so many at once, each reader one after the other. `read` is given the number of the read; reads of one reader have the same rest.
async fn readings<R, F>(at_once: usize, reads: usize, read: R) -> anyhow::Result<Readings>
where
    R: Fn(usize) -> F,
    F: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    let started = Instant::now();
    let mut readers = Vec::new();
    for reader in 0..at_once {
        let turns: Vec<F> = (reader..reads.max(at_once)).step_by(at_once).map(&read).collect();
        readers.push(crate::app::spawn(async move {
            let mut times = Vec::with_capacity(turns.len());
            for turn in turns {
                let started = Instant::now();
                turn.await?;
                times.push(ms(started.elapsed()));
            }
            anyhow::Ok(times)
        }));
    }
    let mut times = Vec::new();
    for reader in readers {
        times.extend(reader.await??);
    }
    let rate = times.len() as f64 / started.elapsed().as_secs_f64();
    times.sort_by(f64::total_cmp);
    let at = |place: usize| times.get(place).copied().unwrap_or(f64::NAN);
    Ok(Readings { median_ms: at(times.len() / 2), tail_ms: at(times.len() * 99 / 100), rate })
}

/// Bare tables of the same bytes, each on a connection of its own.
async fn bare_readers(app: &App, contents: &[Vec<u8>], count: usize) -> anyhow::Result<Vec<pg::Bare>> {
    let mut readers = Vec::new();
    for _ in 0..count {
        let mut bare = pg::Bare::open(&app.database).await?;
        bare.fill(0, contents).await?;
        bare.settle().await?;
        readers.push(bare);
    }
    Ok(readers)
}

/// The whole population as a stream, recorded and committed chunk by chunk.
pub async fn stream(app: &Arc<App>, options: &Bench) -> anyhow::Result<Vec<Figure>> {
    let serving = Serving::begin(app, ANY_PORT, None).await?;
    let client = Client::connect(serving.address.port(), &serving.certificates, options.consumer.as_str()).await?;
    let mut rates = Vec::new();
    let mut contents: Vec<Vec<u8>> = Vec::new();
    let (mut program, mut server) = (Vec::new(), Vec::new());
    let mut kept = Vec::new();
    for _ in 0..options.rounds {
        contents.clear();
        let before = (process::cpu_ms(), process::server_cpu_ms(&app.data));
        let recorded = disclosure::recording_time();
        let started = Instant::now();
        let claimed = client.feed(|history| contents.push(history.encode_to_vec())).await?;
        let elapsed = started.elapsed().as_secs_f64();
        ensure!(claimed == contents.len() as i64, "the run's end claims {claimed} histories, {} came", contents.len());
        kept.push(1.0 - disclosure::recording_time().saturating_sub(recorded).as_secs_f64() / elapsed);
        let histories = contents.len() as f64;
        rates.push(histories / elapsed);
        program.push((process::cpu_ms() - before.0) / histories);
        server.push((process::server_cpu_ms(&app.data) - before.1) / histories);
    }
    drop(client);
    serving.end().await?;
    ensure!(!contents.is_empty(), "no client of {} may be disclosed: nothing to measure", options.consumer);
    let bytes: usize = contents.iter().map(Vec::len).sum();
    let peak = process::peak_mb("self");
    let before = process::cpu_ms() + process::server_cpu_ms(&app.data);
    let (bare, _) = bare_reads(app, &contents, options.rounds).await?;
    let reads = (contents.len() + contents.len().min(BARE_KEYS)) * options.rounds.max(3);
    let bare_cpu = (process::cpu_ms() + process::server_cpu_ms(&app.data) - before) / reads as f64;
    let rate = median(rates);
    let megabytes = bytes as f64 / contents.len() as f64 / 1e6;
    Ok(vec![
        Figure::time("feed: processor time a history, program and client", median(program), BARE_CPU, bare_cpu),
        Figure::time("feed: processor time a history, database", median(server), BARE_CPU, bare_cpu),
        Figure {
            what: "feed: most memory of program and client",
            value: peak,
            unit: "MB",
            limit: "the bytes received",
            limit_value: bytes as f64 / 1e6,
            ratio: bytes as f64 / 1e6 / peak,
        },
        Figure::rate("feed: histories of a roster stream", (rate, "histories/s"), MANY_BARE, bare),
        Figure::rate("feed: the same as bytes", (rate * megabytes, "MB/s"), MANY_BARE, bare * megabytes),
        Figure::rate(
            "feed: the share of its rate that it keeps beside the ledger",
            (median(kept), "of 1"),
            UNRECORDED,
            1.0,
        ),
    ])
}

/// The limits: rows a second many keys at a time, and milliseconds for a read of one key.
async fn bare_reads(app: &App, contents: &[Vec<u8>], rounds: usize) -> anyhow::Result<(f64, f64)> {
    let mut bare = pg::Bare::open(&app.database).await?;
    let mut first = 0;
    for rows in contents.chunks(BARE_KEYS) {
        bare.fill(first, rows).await?;
        first += rows.len() as i64;
    }
    bare.settle().await?;
    let keys: Vec<i64> = (0..first).collect();
    let (mut rates, mut times) = (Vec::new(), Vec::new());
    for _ in 0..rounds.max(3) {
        let started = Instant::now();
        for keys in keys.chunks(BARE_KEYS) {
            bare.read(keys).await?;
        }
        rates.push(keys.len() as f64 / started.elapsed().as_secs_f64());
        for key in keys.iter().take(BARE_KEYS) {
            let started = Instant::now();
            bare.read(&[*key]).await?;
            times.push(ms(started.elapsed()));
        }
    }
    Ok((median(rates), median(times)))
}

async fn population(app: &App, options: &Bench) -> anyhow::Result<Vec<String>> {
    let ask = Ask {
        consumer: &options.consumer,
        actor: Actor::ScheduledRun,
        purpose: None,
        delivery: Delivery::Unary,
        office: None,
        as_of: None,
        asker: Asker { system: Some("bench".to_owned()), ..Asker::default() },
        run: None,
        repeat: Repeat::Always,
        request: None,
    };
    exchange::population(app, &ask).await
}

/// At most so many, evenly over the whole.
fn spread(keys: Vec<String>, count: usize) -> Vec<String> {
    let step = keys.len().div_ceil(count.max(1)).max(1);
    keys.into_iter().step_by(step).collect()
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}
