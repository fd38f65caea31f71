//! How long it takes to make all tables anew, and how much memory.

use std::time::Instant;

use anyhow::{Result, ensure};
use projections::{MODULES, Module, Phase, Progress, ReplayOptions};
use serde::{Deserialize, Serialize};

use super::tables::Tables;
use crate::{conditions, conditions::Conditions, history, server::Server};

const DATABASE: &str = "bench_rebuild";

/// The figures.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Rebuilds {
    /// Where.
    pub conditions: Conditions,
    /// One a size of the log.
    pub sizes: Vec<Rebuild>,
}

/// The figures of one log.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Rebuild {
    /// Events in the log; each module reads them all.
    pub events: u64,
    /// Events a second with which the live tables came up to date before.
    pub live: f64,
    /// Memory the process held at most while it rebuilt.
    pub peak_mib: u64,
    /// One a module.
    pub modules: Vec<OfModule>,
}

/// How long each phase of a module took, in seconds.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OfModule {
    /// Which.
    pub module: String,
    /// Its tables.
    pub tables: usize,
    /// Reading, folding, writing.
    pub folding: f64,
    /// Making indexes.
    pub indexing: f64,
    /// Comparing with the live tables, row by row.
    pub verifying: f64,
    /// Exchanging the tables.
    pub swapping: f64,
}

/// Measures with one log that grows to these sizes.
pub async fn measure(server: &Server, sizes: &[u64]) -> Result<Rebuilds> {
    let conditions = Conditions::read(server).await?;
    let mut tables = Tables::new(server, DATABASE).await?;
    let mut filled: Option<history::Filled> = None;
    let mut found = Vec::new();
    for size in sizes {
        eprintln!("filling the log to {size} events");
        let before = filled.map_or(0, |filled| filled.events);
        let now = history::fill(&tables.store, size.saturating_sub(before), filled).await?;
        filled = Some(now);
        tables.database.settle().await?;
        tables.reopen().await?;
        eprintln!("bringing the live tables up to date");
        let live = live(&tables).await? * (now.events - before) as f64;
        tables.database.settle().await?;
        eprintln!("rebuilding");
        conditions::forget_peak()?;
        let mut modules = Vec::new();
        for module in MODULES {
            modules.push(rebuild(&tables, module).await?);
        }
        let peak_mib = conditions::peak_mib();
        tables.database.prove(now.proofs()?).await?;
        found.push(Rebuild { events: now.events, live, peak_mib, modules });
    }
    tables.close(server).await?;
    Ok(Rebuilds { conditions, sizes: found })
}

/// Catches up; answers how often that could be done in a second.
async fn live(tables: &Tables) -> Result<f64> {
    let head = tables.store.head().await?;
    let start = Instant::now();
    let runner = tables.start();
    tables.caught_up(head).await;
    let seconds = start.elapsed().as_secs_f64();
    runner.stop().await;
    Ok(1.0 / seconds)
}

async fn rebuild(tables: &Tables, module: &'static Module) -> Result<OfModule> {
    let mut begun: Vec<(Phase, Instant)> = vec![(Phase::Folding, Instant::now())];
    let mut observe = |progress: Progress| {
        // A few events more may be folded after a later phase; that is part of it.
        if !begun.iter().any(|(phase, _)| *phase == progress.phase) {
            begun.push((progress.phase, Instant::now()));
        }
    };
    let differences =
        tables.replay().rebuild(module, &ReplayOptions::default(), &mut observe).await?;
    ensure!(differences.count == 0, "the rebuilt tables differ: {:?}", differences.rows.first());
    let end = Instant::now();
    let lasted = |phase: Phase| {
        let place = begun.iter().position(|(found, _)| *found == phase)?;
        let (_, start) = begun.get(place)?;
        let next = begun.get(place + 1).map_or(end, |(_, next)| *next);
        Some((next - *start).as_secs_f64())
    };
    Ok(OfModule {
        module: module.name.to_owned(),
        tables: module.tables.len(),
        folding: lasted(Phase::Folding).unwrap_or_default(),
        indexing: lasted(Phase::Indexing).unwrap_or_default(),
        verifying: lasted(Phase::Verifying).unwrap_or_default(),
        swapping: lasted(Phase::Swapping).unwrap_or_default(),
    })
}

impl Rebuild {
    /// Events a second, with all tables written and all indexes made.
    pub fn rate(&self) -> f64 {
        let seconds: f64 = self.modules.iter().map(|module| module.folding + module.indexing).sum();
        self.events as f64 / seconds
    }
}
