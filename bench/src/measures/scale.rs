//! Whether anything grows slower with the log.

use std::{sync::Arc, time::Instant};

use anyhow::{Result, ensure};
use indicatif::{ProgressBar, ProgressStyle};
use serde::{Deserialize, Serialize};
use sqlx::ConnectOptions;
use uuid::Uuid;

use crate::{
    conditions::Conditions,
    load::drive,
    ours::{Extras, Ours},
    payload::mint,
    server::{Database, Server},
    stats::{Cell, median},
    store::Store,
};

const DATABASE: &str = "bench_scale";
/// Events of an append that fills the log; as many as a stream of workload A has.
const HISTORY: usize = 10;
/// Tasks that fill the log, and tasks that are measured.
const TASKS: usize = 64;
/// How often each thing is measured with a log of one size.
const ROUNDS: usize = 3;

/// Blocks of the log's tables and indexes that were looked at, in memory or not. Statistics of
/// sessions that have ended are complete.
const TOUCHED: &str = "SELECT coalesce(sum(heap_blks_read + heap_blks_hit
        + coalesce(idx_blks_read, 0) + coalesce(idx_blks_hit, 0)
        + coalesce(toast_blks_read, 0) + coalesce(toast_blks_hit, 0)), 0)::bigint
    FROM pg_statio_user_tables WHERE schemaname = 'eventstore'";
/// Sessions of ours that still have statistics to hand in.
const SESSIONS: &str = "SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name <> ''";

/// The figures, by size of the log.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Scale {
    /// Where.
    pub conditions: Conditions,
    /// One a size, ascending.
    pub sizes: Vec<Size>,
}

/// The figures with a log of one size.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Size {
    /// Events in the log before.
    pub events: u64,
    /// Commands at 64 tasks.
    pub a64: Cell,
    /// Appends of one event at 64 tasks.
    pub b64: Cell,
    /// Events per second when reading all.
    pub catch_up: f64,
    /// Blocks touched by a command of A64, its load included.
    pub blocks_a64: f64,
    /// Blocks touched by an append of B64.
    pub blocks_b64: f64,
    /// Bytes of the database.
    pub bytes: i64,
}

/// Measures with logs of these sizes.
pub async fn measure(server: &Server, sizes: &[u64], quick: bool) -> Result<Scale> {
    let conditions = Conditions::read(server).await?;
    let database = server.migrated(DATABASE).await?;
    // All streams of the smallest log but a few.
    let operations = if quick { 100 } else { 9_000 };
    let (mut events, mut streams) = (0, Vec::new());
    let mut found = Vec::new();
    for size in sizes {
        eprintln!("filling the log to {size} events");
        events += fill(&database, size.saturating_sub(events), &mut streams).await?;
        database.settle().await?;
        eprintln!("measuring");
        ensure!(streams.len() >= operations, "{size} events are too few");
        // A stream that commands were measured on does not have ten events any more.
        let (taken, rest) = spread(streams, operations);
        streams = rest;
        let size = measure_one(&database, taken, events).await?;
        events += u64::try_from(ROUNDS * 2 * operations)?;
        found.push(size);
    }
    server.drop(database).await?;
    Ok(Scale { conditions, sizes: found })
}

/// Takes some streams from all over the log, and leaves the others.
fn spread(streams: Vec<Uuid>, count: usize) -> (Arc<[Uuid]>, Vec<Uuid>) {
    let step = (streams.len() / count).max(1);
    let places = streams.into_iter().enumerate();
    let (taken, rest): (Vec<_>, Vec<_>) = places.partition(|(place, _)| place.is_multiple_of(step));
    let ids = |places: Vec<(usize, Uuid)>| places.into_iter().map(|(_, stream)| stream);
    (ids(taken).take(count).collect(), ids(rest).collect())
}

/// Fills through the use case that is measured, ten events an append: group commit makes that as
/// fast as anything but COPY would be, and the rows are what they always are.
async fn fill(database: &Database, events: u64, streams: &mut Vec<Uuid>) -> Result<u64> {
    let store = Ours::open(&database.options, Extras::default()).await?;
    let count = usize::try_from(events)? / HISTORY;
    let new: Arc<[Uuid]> = (0..count).map(|_| mint()).collect();
    let filled = new.clone();
    let bar = bar(events)?;
    let shown = bar.clone();
    let append = move |n: usize| {
        let (store, stream, bar) = (store.clone(), filled[n], shown.clone());
        async move {
            store.create(stream, HISTORY).await?;
            bar.inc(u64::try_from(HISTORY)?);
            Ok(0)
        }
    };
    drive(TASKS, count, append).await?;
    bar.finish_and_clear();
    streams.extend_from_slice(&new);
    Ok(u64::try_from(count * HISTORY)?)
}

/// Shows how far the filling is, where somebody looks.
fn bar(events: u64) -> Result<ProgressBar> {
    let style = "{wide_bar} {human_pos} of {human_len} events, {per_sec}, {eta} to go";
    Ok(ProgressBar::new(events).with_style(ProgressStyle::with_template(style)?))
}

/// Measures a few times; the streams grow by an event each time, whatever the size of the log.
async fn measure_one(database: &Database, streams: Arc<[Uuid]>, events: u64) -> Result<Size> {
    let operations = streams.len();
    let per = |blocks: i64| blocks as f64 / (ROUNDS * operations) as f64;

    let mut catch_up = Vec::new();
    for _ in 0..ROUNDS {
        let store = Ours::open(&database.options, Extras::default()).await?;
        let start = Instant::now();
        let read = store.catch_up().await?;
        ensure!(read == events, "{read} events were read of {events}");
        catch_up.push(read as f64 / start.elapsed().as_secs_f64());
    }
    let before = touched(database).await?;
    let mut commands = Vec::new();
    for _ in 0..ROUNDS {
        // A new one each time, so that nothing comes from memory.
        let store = Ours::open(&database.options, Extras::default()).await?;
        let streams = streams.clone();
        let command = move |n: usize| {
            let (store, stream) = (store.clone(), streams[n]);
            async move { store.command(stream).await }
        };
        commands.push(drive(TASKS, operations, command).await?);
    }
    let between = touched(database).await?;
    let mut appends = Vec::new();
    for _ in 0..ROUNDS {
        let store = Ours::open(&database.options, Extras::default()).await?;
        let append = move |_| {
            let store = store.clone();
            async move { store.create(mint(), 1).await.map(|()| 0) }
        };
        appends.push(drive(TASKS, operations, append).await?);
    }
    let after = touched(database).await?;

    let mut connection = database.options.connect().await?;
    let bytes = sqlx::query_scalar("SELECT pg_database_size(current_database())");
    Ok(Size {
        events,
        a64: Cell::median(&commands),
        b64: Cell::median(&appends),
        catch_up: median(catch_up).unwrap_or_default(),
        blocks_a64: per(between - before),
        blocks_b64: per(after - between),
        bytes: bytes.fetch_one(&mut connection).await?,
    })
}

/// Waits until every session has handed its statistics in, which it does at its end.
async fn touched(database: &Database) -> Result<i64> {
    let mut connection = database.options.connect().await?;
    loop {
        let sessions: i64 = sqlx::query_scalar(SESSIONS).fetch_one(&mut connection).await?;
        if sessions == 0 {
            return Ok(sqlx::query_scalar(TOUCHED).fetch_one(&mut connection).await?);
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}
