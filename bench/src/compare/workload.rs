//! The workloads A to E, and running them on one store.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use clap::ValueEnum;
use uuid::Uuid;

use crate::{
    load::{Extent, drive, tasks_at},
    payload::mint,
    server::Database,
    stats::{Cell, Load},
    store::Store,
};

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

/// How much is done at most; the same for every store.
#[derive(Debug, Clone)]
pub struct Plan {
    /// How long a cell lasts, if there is enough to do.
    pub time: Duration,
    /// Commands of A by tasks: as many as there are streams that nobody loaded before.
    pub a: [(usize, usize); 3],
    /// Tasks of B.
    pub b: [usize; 3],
    /// Commands of E on one stream; when they are done, another stream follows.
    pub e: usize,
    /// Which workloads.
    pub workloads: Vec<Workload>,
}

impl Plan {
    /// Enough for figures of a second or more each.
    pub fn thorough(workloads: Vec<Workload>) -> Self {
        Self {
            time: Duration::from_secs(2),
            a: [(1, 5_000), (16, 24_000), (64, 32_000)],
            b: [1, 16, 64],
            e: 320,
            workloads,
        }
    }

    /// Enough to see that everything runs.
    pub fn quick(workloads: Vec<Workload>) -> Self {
        Self {
            time: Duration::from_millis(50),
            a: [(1, 40), (16, 160), (64, 320)],
            b: [1, 16, 64],
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
    let mut run = Run {
        store: store.clone(),
        time: plan.time,
        appends: 0,
        events: 0,
        cells: BTreeMap::new(),
    };
    let commands = plan.a.iter().map(|(_, commands)| commands);
    let to_load = if plan.workloads.contains(&Workload::A) { commands.sum() } else { 0 };
    let streams = run.fill(to_load).await?;
    database.settle().await?;
    // Whoever wrote a stream may remember it; a command of A is to load its own.
    run.store = store.restarted().await?;
    for workload in &plan.workloads {
        match workload {
            Workload::A => run.commands(&plan.a, &streams).await?,
            Workload::B => run.appends(plan.b).await?,
            Workload::C => run.batches().await?,
            Workload::D => run.catch_up().await?,
            Workload::E => run.hot_streams(plan.e).await?,
        }
    }
    database.prove(store.proofs(run.appends, run.events)).await?;
    Ok(run.cells)
}

struct Run<S> {
    store: S,
    time: Duration,
    appends: u64,
    events: u64,
    cells: BTreeMap<String, Cell>,
}

impl<S: Store> Run<S> {
    /// New streams with a history each.
    async fn fill(&mut self, count: usize) -> Result<Arc<[Uuid]>> {
        let streams: Arc<[Uuid]> = (0..count).map(|_| mint()).collect();
        let (store, filled) = (self.store.clone(), streams.clone());
        let fill = move |n: usize| {
            let (store, stream) = (store.clone(), filled[n]);
            async move { store.create(stream, HISTORY).await.map(|()| 0) }
        };
        let cell = drive(FILLERS, count, fill).await?;
        self.wrote(&cell, HISTORY)?;
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
            let extent = Extent::Within(*commands, self.time);
            let cell = tasks_at(*tasks, extent, command).await?.cell();
            self.wrote(&cell, 1)?;
            self.measured(format!("A{tasks}"), cell);
            first += commands;
        }
        Ok(())
    }

    async fn appends(&mut self, by_tasks: [usize; 3]) -> Result<()> {
        for tasks in by_tasks {
            let cell = self.create(tasks, 1).await?;
            self.measured(format!("B{tasks}"), cell);
        }
        Ok(())
    }

    async fn batches(&mut self) -> Result<()> {
        let mut cell = self.create(16, HISTORY).await?;
        cell.rate *= HISTORY as f64;
        self.measured("C16".to_owned(), cell);
        Ok(())
    }

    async fn create(&mut self, tasks: usize, bookings: usize) -> Result<Cell> {
        let store = self.store.clone();
        let append = move |_| {
            let store = store.clone();
            async move { store.create(mint(), bookings).await.map(|()| 0) }
        };
        let cell = tasks_at(tasks, Extent::Time(self.time), append).await?.cell();
        self.wrote(&cell, bookings)?;
        Ok(cell)
    }

    async fn catch_up(&mut self) -> Result<()> {
        let start = Instant::now();
        let read = self.store.catch_up().await?;
        let seconds = start.elapsed().as_secs_f64();
        ensure!(read == self.events, "{read} events were read of {}", self.events);
        let (rate, ms) = (read as f64 / seconds, seconds * 1e3);
        let cell = Cell { rate, p50_ms: ms, p99_ms: ms, retries: 0, operations: read, seconds };
        self.measured("D".to_owned(), cell);
        Ok(())
    }

    /// One hot stream after another, so that none grows beyond what a plan says.
    async fn hot_streams(&mut self, commands: usize) -> Result<()> {
        let mut all = Load::default();
        while all.elapsed < self.time {
            let (store, stream) = (self.store.clone(), mint());
            store.create(stream, 1).await?;
            self.appends += 1;
            self.events += 1;
            let command = move |_| {
                let store = store.clone();
                async move { store.command(stream).await }
            };
            all.extend(tasks_at(16, Extent::Operations(commands), command).await?);
        }
        let cell = all.cell();
        self.wrote(&cell, 1)?;
        self.measured("E16".to_owned(), cell);
        Ok(())
    }

    fn measured(&mut self, name: String, cell: Cell) {
        self.cells.insert(name, cell);
    }

    /// Counts what a cell appended, so many events each time.
    fn wrote(&mut self, cell: &Cell, events: usize) -> Result<()> {
        self.appends += cell.operations;
        self.events += cell.operations * u64::try_from(events)?;
        Ok(())
    }
}
