//! Reads of one student and the roster stream, through everything a recipient goes through.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use agreements::{Actor, Delivery};
use anyhow::ensure;
use disclosure::{Ask, Asker, Repeat};
use prost::Message as _;

use super::{Figure, client::Client, median, open};
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

/// Reads of students read before, one after the other.
pub async fn warm(app: &Arc<App>, options: &Bench) -> anyhow::Result<Vec<Figure>> {
    let serving = Serving::begin(app, ANY_PORT, None).await?;
    let client = Client::connect(serving.address.port(), &serving.certificates, options.consumer.as_str()).await?;
    let keys = spread(population(app, options).await?, options.reads);
    let mut contents = Vec::new();
    for key in &keys {
        if let Ok(history) = client.history(key).await {
            contents.push((key, history.encode_to_vec()));
        }
    }
    ensure!(!contents.is_empty(), "no client of {} may be disclosed: nothing to measure", options.consumer);
    let mut medians = Vec::new();
    let mut tails = Vec::new();
    for _ in 0..options.rounds {
        let mut times = Vec::new();
        for (key, _) in &contents {
            let started = Instant::now();
            client.history(key).await?;
            times.push(ms(started.elapsed()));
        }
        times.sort_by(f64::total_cmp);
        medians.push(times.get(times.len() / 2).copied().unwrap_or(f64::NAN));
        tails.push(times.get(times.len() * 99 / 100).copied().unwrap_or(f64::NAN));
    }
    drop(client);
    serving.end().await?;
    let sizes: Vec<Vec<u8>> = contents.into_iter().map(|(_, bytes)| bytes).collect();
    let (_, bare) = bare_reads(app, &sizes, options.rounds).await?;
    Ok(vec![
        Figure::time("history, warm: median", median(medians), ONE_BARE, bare),
        Figure::time("history, warm: 99th percentile", median(tails), ONE_BARE, bare),
    ])
}

/// The whole population as a stream, recorded and committed chunk by chunk.
pub async fn stream(app: &Arc<App>, options: &Bench) -> anyhow::Result<Vec<Figure>> {
    let serving = Serving::begin(app, ANY_PORT, None).await?;
    let client = Client::connect(serving.address.port(), &serving.certificates, options.consumer.as_str()).await?;
    let mut rates = Vec::new();
    let mut contents: Vec<Vec<u8>> = Vec::new();
    for _ in 0..options.rounds {
        contents.clear();
        let started = Instant::now();
        let claimed = client.feed(|history| contents.push(history.encode_to_vec())).await?;
        let elapsed = started.elapsed().as_secs_f64();
        ensure!(claimed == contents.len() as i64, "the run's end claims {claimed} histories, {} came", contents.len());
        rates.push(contents.len() as f64 / elapsed);
    }
    drop(client);
    serving.end().await?;
    ensure!(!contents.is_empty(), "no client of {} may be disclosed: nothing to measure", options.consumer);
    let bytes: usize = contents.iter().map(Vec::len).sum();
    let (bare, _) = bare_reads(app, &contents, options.rounds).await?;
    let rate = median(rates);
    let megabytes = bytes as f64 / contents.len() as f64 / 1e6;
    Ok(vec![
        Figure::rate("feed: histories of a roster stream", (rate, "histories/s"), MANY_BARE, bare),
        Figure::rate("feed: the same as bytes", (rate * megabytes, "MB/s"), MANY_BARE, bare * megabytes),
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
