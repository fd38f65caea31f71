//! How many events a second the live tables take in.

use std::time::Instant;

use anyhow::{Context, Result};
use domain::kernel::Position;
use eventstore::{Leases, Stored};
use projections::{Engine, MODULES, Module};
use serde::{Deserialize, Serialize};
use sqlx::ConnectOptions;
use tokio::task::JoinSet;

use super::tables::Tables;
use crate::{conditions::Conditions, history, payload::mint, server::Server};

const DATABASE: &str = "bench_project";
/// Events read at a time, as the runner reads them.
const PAGE: usize = 2_000;
/// The log that is taken in one append a transaction is this many times shorter.
const SHORTER: u64 = 10;

/// The figures.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Projection {
    /// Where.
    pub conditions: Conditions,
    /// One a size of the log.
    pub runs: Vec<Run>,
}

/// The figures of one log; every event is read by both modules.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Run {
    /// Events in the log.
    pub events: u64,
    /// Events an append has on average.
    pub per_append: f64,
    /// Events a second with the runner as shipped.
    pub runner: f64,
    /// Events a second with one transaction an append, on a log a tenth as long.
    pub single: f64,
}

/// Measures with logs of these sizes.
pub async fn measure(server: &Server, sizes: &[u64]) -> Result<Projection> {
    let conditions = Conditions::read(server).await?;
    let mut runs = Vec::new();
    for events in sizes {
        let (filled, runner) = with_runner(server, *events).await?;
        let single = one_by_one(server, events / SHORTER).await?;
        let per_append = filled.events as f64 / filled.appends as f64;
        runs.push(Run { events: filled.events, per_append, runner, single });
    }
    Ok(Projection { conditions, runs })
}

async fn with_runner(server: &Server, events: u64) -> Result<(history::Filled, f64)> {
    let (tables, filled) = filled(server, events).await?;
    let head = tables.store.head().await?;
    let start = Instant::now();
    let runner = tables.start();
    tables.caught_up(head).await;
    let seconds = start.elapsed().as_secs_f64();
    runner.stop().await;
    tables.database.prove(filled.proofs()?).await?;
    tables.close(server).await?;
    Ok((filled, filled.events as f64 / seconds))
}

async fn one_by_one(server: &Server, events: u64) -> Result<f64> {
    let (tables, filled) = filled(server, events).await?;
    let tables = std::sync::Arc::new(tables);
    let head = tables.store.head().await?;
    let start = Instant::now();
    let mut modules = JoinSet::new();
    for module in MODULES {
        modules.spawn(take_in_singly(tables.clone(), module, head));
    }
    while let Some(done) = modules.join_next().await {
        done??;
    }
    let seconds = start.elapsed().as_secs_f64();
    tables.database.prove(filled.proofs()?).await?;
    std::sync::Arc::into_inner(tables).context("still in use")?.close(server).await?;
    Ok(filled.events as f64 / seconds)
}

/// A log, and a process that did not write it.
async fn filled(server: &Server, events: u64) -> Result<(Tables, history::Filled)> {
    let mut tables = Tables::new(server, DATABASE).await?;
    eprintln!("filling the log to {events} events");
    let filled = history::fill(&tables.store, events, None).await?;
    tables.database.settle().await?;
    tables.reopen().await?;
    eprintln!("projecting");
    Ok((tables, filled))
}

/// What the runner does, but with a transaction for each append.
async fn take_in_singly(
    tables: std::sync::Arc<Tables>,
    module: &'static Module,
    head: Position,
) -> Result<()> {
    let leases = Leases::new(tables.pool.clone());
    let lease = leases.acquire(module.name, module.name, mint()).await?;
    let lease = lease.context("a fresh database has no other runner")?;
    let mut connection = tables.database.options.connect().await?;
    let mut engine = Engine::open(&mut connection, module, module.name, &[]).await?;
    let mut log = tables.store.subscribe(Position(0));
    while log.position() < head {
        let events = log.next(PAGE).await?;
        let ends = |event: &Stored| event.envelope.position == event.envelope.append_last;
        for append in events.split_inclusive(ends) {
            engine.take_in(&mut connection, &tables.store, &lease, append).await?;
        }
    }
    Ok(())
}
