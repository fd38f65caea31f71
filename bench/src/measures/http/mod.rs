//! The platform over HTTP: commands and queries by id, beside the same command in this process,
//! and sign-ins beside both.
//!
//! The server is `platformctl serve` in a process of its own, with its tables kept and its policies
//! running; clients hold one connection each. Before each side is measured it is started anew, so
//! that no workspace is in anybody's memory.

mod sides;
mod sign_in;

use std::{collections::BTreeMap, time::Duration};

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::{
    conditions::{self, Conditions},
    cpu::Cpu,
    load::{Caller, Extent, run},
    platform::{Estate, Place, caught_up, place::SETTINGS},
    server::{Database, Server},
    stats::Cell,
};

pub use sign_in::Beside;

/// The database the server has, and its copy for the same command in this process.
const DATABASE: &str = "bench_http";
const COPY: &str = "bench_in_process";

/// What is measured; with a number of clients it names a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The command in this process, in a whole platform.
    InProcess,
    /// The command in this process, with nothing but the store.
    StoreAlone,
    /// The command over HTTP with an access token.
    Token,
    /// The command over HTTP with an API key.
    ApiKey,
    /// A row by id over HTTP with an access token.
    Query,
    /// A request that does nothing.
    Probe,
}

/// All kinds, in the order of the table.
pub const KINDS: [Kind; 6] =
    [Kind::InProcess, Kind::StoreAlone, Kind::Token, Kind::ApiKey, Kind::Query, Kind::Probe];
/// Numbers of clients.
pub const CLIENTS: [usize; 3] = [1, 16, 64];

impl Kind {
    /// As the table calls it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::InProcess => "command in this process",
            Self::StoreAlone => "the same, no tables kept",
            Self::Token => "command over HTTP, access token",
            Self::ApiKey => "command over HTTP, API key",
            Self::Query => "row by id over HTTP, access token",
            Self::Probe => "`/healthz`",
        }
    }

    /// The name of a cell.
    pub fn cell(self, clients: usize) -> String {
        format!("{}, {clients}", self.name())
    }
}

/// The figures.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Http {
    /// Where.
    pub conditions: Conditions,
    /// What was set beside the defaults.
    pub settings: Vec<String>,
    /// One a repetition.
    pub repetitions: Vec<Repetition>,
    /// Transactions of PostgreSQL.
    pub transactions: Transactions,
}

/// Transactions of PostgreSQL for one operation, with those of everything that follows it.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Transactions {
    /// A row by id.
    pub query: f64,
    /// A command among those of 64 clients.
    pub command: f64,
    /// A command of a client that is alone.
    pub lone_command: f64,
}

/// One time round.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Repetition {
    /// The load average before it.
    pub load: String,
    /// The cells.
    pub cells: BTreeMap<String, Measured>,
    /// Sign-ins, and what they do to others.
    pub sign_in: sign_in::Figures,
}

/// A cell, and whose work it was.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Measured {
    /// How fast.
    pub cell: Cell,
    /// Processor time, in microseconds an operation.
    pub cpu: Cpu,
}

/// How much is done.
#[derive(Debug, Clone, Copy)]
struct Plan {
    /// Workspaces to rename, more than are renamed between two starts of the server.
    workspaces: usize,
    /// Operations by 1, 16 and 64 clients.
    commands: [usize; 3],
    queries: [usize; 3],
    /// Operations before anything is measured, so that credentials and organizations are known.
    warm: usize,
    /// How long a phase with sign-ins takes.
    seconds: f64,
}

const THOROUGH: Plan = Plan {
    workspaces: 61_440,
    commands: [1_500, 6_000, 22_000],
    queries: [3_000, 15_000, 40_000],
    warm: 640,
    seconds: 5.0,
};
const QUICK: Plan = Plan {
    workspaces: 6_400,
    commands: [40, 160, 320],
    queries: [40, 160, 320],
    warm: 128,
    seconds: 1.0,
};

/// Measures so many times.
pub async fn measure(server: &Server, times: usize, quick: bool) -> Result<Http> {
    api::crypto::install();
    let conditions = Conditions::read(server).await?;
    eprintln!("filling");
    let ground = Ground::make(server, if quick { QUICK } else { THOROUGH }).await?;
    let mut repetitions = Vec::with_capacity(times);
    for time in 0..times {
        eprintln!("repetition {} of {times}", time + 1);
        let mut repetition = Repetition { load: conditions::load(), ..Repetition::default() };
        // Neither side always comes first.
        if time % 2 == 0 {
            ground.in_process(&mut repetition).await?;
            ground.over_http(&mut repetition).await?;
        } else {
            ground.over_http(&mut repetition).await?;
            ground.in_process(&mut repetition).await?;
        }
        repetitions.push(repetition);
    }
    eprintln!("counting transactions");
    let transactions = ground.transactions().await?;
    ground.drop().await?;
    let settings = SETTINGS.map(|(key, value)| format!("{key} = {value}")).to_vec();
    Ok(Http { conditions, settings, repetitions, transactions })
}

/// Lets 64 clients send commands for so long, for a profiler to watch.
pub async fn hold(server: &Server, time: Duration) -> Result<()> {
    api::crypto::install();
    eprintln!("filling");
    let ground = Ground::make(server, THOROUGH).await?;
    ground.hold(time).await?;
    ground.drop().await
}

/// Both databases, filled alike.
struct Ground<'s> {
    server: &'s Server,
    plan: Plan,
    database: Database,
    copy: Database,
    http: Place,
    direct: Place,
    /// The estate as it is in each database.
    estate: Estate,
    copied: Estate,
}

impl<'s> Ground<'s> {
    async fn make(server: &'s Server, plan: Plan) -> Result<Self> {
        let database = server.database(DATABASE).await?;
        let http = Place::new("http", &database.url)?;
        let platform = http.start().await?;
        let estate = Estate::fill(&platform, plan.workspaces).await?;
        caught_up(&platform).await?;
        platform.stop().await;
        database.settle().await?;
        let copy = server.copy(COPY, &database).await?;
        let (direct, copied) = (http.over(&copy.url), estate.copy());
        Ok(Self { server, plan, database, copy, http, direct, estate, copied })
    }

    /// Measures one cell.
    async fn cell<C: Caller>(
        &self,
        measured: Option<u32>,
        callers: Vec<C>,
        operations: usize,
    ) -> Result<Measured> {
        let before = Cpu::now(self.server, measured)?;
        let cell = run(callers, Extent::Operations(operations)).await?;
        let cpu = Cpu::now(self.server, measured)?.since(before, operations as f64);
        Ok(Measured { cell, cpu })
    }

    async fn drop(self) -> Result<()> {
        self.server.drop(self.database).await?;
        self.server.drop(self.copy).await
    }
}

impl Repetition {
    fn keep(&mut self, kind: Kind, clients: usize, measured: Measured) {
        eprintln!("  {}: {:.0}/s", kind.cell(clients), measured.cell.rate);
        self.cells.insert(kind.cell(clients), measured);
    }

    /// A cell.
    pub fn cell(&self, kind: Kind, clients: usize) -> Option<&Measured> {
        self.cells.get(&kind.cell(clients))
    }
}
