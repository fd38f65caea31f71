//! The workloads A to E, and running them on one store.

use std::{collections::BTreeMap, sync::Arc, time::Instant};

use anyhow::{Result, ensure};
use clap::ValueEnum;
use uuid::Uuid;

use crate::{load::drive, payload::mint, server::Database, stats::Cell, store::Store};

/// How many events a stream holds before a command loads it, and how many an append of C has.
const HISTORY: usize = 10;
/// Tasks that fill a store before it is measured.
const FILLERS: usize = 16;

/// A workload, at all of its numbers of tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Workload {
    /// Command: load 10 events, decide, append 1; a stream each.
    A,
    /// Append 1 event to a new stream.
    B,
    /// Append 10 events to a new stream.
    C,
    /// Catch up with the whole log.
    D,
    /// Commands on one stream.
    E,
}

/// How much is done; the same for every store.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Commands of A by tasks.
    pub a: [(usize, usize); 3],
    /// Appends of B by tasks.
    pub b: [(usize, usize); 3],
    /// Appends of C.
    pub c: usize,
    /// Commands of E.
    pub e: usize,
    /// Which workloads.
    pub workloads: Vec<Workload>,
}

impl Plan {
    /// Enough for figures of a second or more each.
    pub fn thorough(workloads: Vec<Workload>) -> Self {
        Self {
            a: [(1, 2_000), (16, 6_000), (64, 12_000)],
            b: [(1, 3_000), (16, 12_000), (64, 20_000)],
            c: 3_000,
            e: 320,
            workloads,
        }
    }

    /// Enough to see that everything runs.
    pub fn quick(workloads: Vec<Workload>) -> Self {
        Self {
            a: [(1, 40), (16, 160), (64, 320)],
            b: [(1, 40), (16, 160), (64, 320)],
            c: 64,
            e: 32,
            workloads,
        }
    }
}

/// Runs a plan on a store that is alone on a fresh database, and counts the rows afterwards.
pub async fn run<S: Store>(
    store: &S,
    database: &Database,
    plan: &Plan,
) -> Result<BTreeMap<String, Cell>> {
    let mut run = Run { store, appends: 0, events: 0, cells: BTreeMap::new() };
    let streams = run.fill(plan.a.iter().map(|(_, commands)| commands).sum()).await?;
    database.settle().await?;
    for workload in &plan.workloads {
        match workload {
            Workload::A => run.commands(&plan.a, &streams).await?,
            Workload::B => run.appends(&plan.b).await?,
            Workload::C => run.batches(plan.c).await?,
            Workload::D => run.catch_up().await?,
            Workload::E => run.hot_stream(plan.e).await?,
        }
    }
    database.prove(store.proofs(run.appends, run.events)).await?;
    Ok(run.cells)
}

struct Run<'s, S> {
    store: &'s S,
    appends: u64,
    events: u64,
    cells: BTreeMap<String, Cell>,
}

impl<S: Store> Run<'_, S> {
    /// New streams with a history each.
    async fn fill(&mut self, count: usize) -> Result<Arc<[Uuid]>> {
        let streams: Arc<[Uuid]> = (0..count).map(|_| mint()).collect();
        let (store, filled) = (self.store.clone(), streams.clone());
        let fill = move |n: usize| {
            let (store, stream) = (store.clone(), filled[n]);
            async move { store.create(stream, HISTORY).await.map(|()| 0) }
        };
        drive(FILLERS, count, fill).await?;
        self.wrote(count, HISTORY)?;
        Ok(streams)
    }

    async fn commands(&mut self, by_tasks: &[(usize, usize)], streams: &Arc<[Uuid]>) -> Result<()> {
        let mut first = 0;
        for (tasks, commands) in by_tasks {
            let (store, streams) = (self.store.clone(), streams.clone());
            let command = move |n: usize| {
                let (store, stream) = (store.clone(), streams[first + n]);
                async move { store.command(stream).await }
            };
            self.measured(format!("A{tasks}"), drive(*tasks, *commands, command).await?);
            self.wrote(*commands, 1)?;
            first += commands;
        }
        Ok(())
    }

    async fn appends(&mut self, by_tasks: &[(usize, usize)]) -> Result<()> {
        for (tasks, appends) in by_tasks {
            let cell = self.create(*tasks, *appends, 1).await?;
            self.measured(format!("B{tasks}"), cell);
        }
        Ok(())
    }

    async fn batches(&mut self, appends: usize) -> Result<()> {
        let mut cell = self.create(16, appends, HISTORY).await?;
        cell.rate *= HISTORY as f64;
        self.measured("C16".to_owned(), cell);
        Ok(())
    }

    async fn create(&mut self, tasks: usize, appends: usize, bookings: usize) -> Result<Cell> {
        let store = self.store.clone();
        let append = move |_| {
            let store = store.clone();
            async move { store.create(mint(), bookings).await.map(|()| 0) }
        };
        let cell = drive(tasks, appends, append).await?;
        self.wrote(appends, bookings)?;
        Ok(cell)
    }

    async fn catch_up(&mut self) -> Result<()> {
        let start = Instant::now();
        let read = self.store.catch_up().await?;
        let seconds = start.elapsed().as_secs_f64();
        ensure!(read == self.events, "{read} events were read of {}", self.events);
        let rate = read as f64 / seconds;
        let cell = Cell { rate, p50_ms: seconds * 1e3, p99_ms: seconds * 1e3, retries: 0 };
        self.measured("D".to_owned(), cell);
        Ok(())
    }

    async fn hot_stream(&mut self, commands: usize) -> Result<()> {
        let (store, stream) = (self.store.clone(), mint());
        store.create(stream, 1).await?;
        self.wrote(1, 1)?;
        let command = move |_| {
            let store = store.clone();
            async move { store.command(stream).await }
        };
        self.measured("E16".to_owned(), drive(16, commands, command).await?);
        self.wrote(commands, 1)
    }

    fn measured(&mut self, name: String, cell: Cell) {
        self.cells.insert(name, cell);
    }

    fn wrote(&mut self, appends: usize, events: usize) -> Result<()> {
        self.appends += u64::try_from(appends)?;
        self.events += u64::try_from(appends * events)?;
        Ok(())
    }
}
