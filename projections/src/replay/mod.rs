//! Rebuilding tables from the log: beside live traffic, verified, swapped in one transaction.
//!
//! Owns shadow schemas, verification, the swap and its undo, tables as of a moment, and the
//! retry of parked events. Refuses any effect but rows: nothing here can issue a command.

mod as_of;
mod parked;
mod shadow;
mod swap;
mod verify;

use domain::kernel::{Position, Timestamp};
use eventstore::{Fenced, Leases, Store, Unavailable};
use sqlx::{ConnectOptions, PgConnection, PgPool, postgres::PgConnectOptions};

use crate::{
    engine::EngineError,
    module::{MODULES, Module},
};

pub use verify::Difference;

/// The tool that rebuilds.
#[derive(Debug, Clone)]
pub struct Replay {
    store: Store,
    pool: PgPool,
    options: PgConnectOptions,
}

/// How to rebuild.
#[derive(Debug, Clone)]
pub struct ReplayOptions {
    /// Events read at a time.
    pub page: usize,
    /// Rows held in memory before they are written.
    pub rows: usize,
}

impl Default for ReplayOptions {
    fn default() -> Self {
        Self { page: 5_000, rows: 100_000 }
    }
}

/// A moment in the life of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// After the event at a position, or the last whole append before it.
    Position(Position),
    /// After the last event recorded at or before an instant.
    Time(Timestamp),
}

/// What a rebuild is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Reading the log and folding it.
    Folding,
    /// Making indexes.
    Indexing,
    /// Comparing row by row.
    Verifying,
    /// Exchanging the tables.
    Swapping,
    /// Nothing any more.
    Done,
}

impl Phase {
    /// For people and machines.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Folding => "folding",
            Self::Indexing => "indexing",
            Self::Verifying => "verifying",
            Self::Swapping => "swapping",
            Self::Done => "done",
        }
    }
}

/// How far a rebuild is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Of which module.
    pub module: &'static str,
    /// What it is doing.
    pub phase: Phase,
    /// Up to where the log is folded.
    pub position: Position,
    /// Up to where it must be.
    pub target: Position,
}

/// Hears of progress.
pub type Observer<'o> = &'o mut (dyn FnMut(Progress) + Send);

/// A module's tables as operators see them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// The module.
    pub module: String,
    /// The schema.
    pub target: String,
    /// Up to where the log is folded.
    pub position: Position,
    /// The last position of the log.
    pub head: Position,
    /// Events waiting behind a fault.
    pub parked: usize,
    /// Whether the folds changed since the tables were made: a rebuild is due.
    pub outdated: bool,
}

impl Status {
    /// Live tables that no event has reached yet.
    fn untouched(module: &Module, head: Position) -> Self {
        Self {
            module: module.name.to_owned(),
            target: module.name.to_owned(),
            position: Position(0),
            head,
            parked: 0,
            outdated: false,
        }
    }
}

/// Why a replay stopped. The live tables are as before.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// No such module.
    #[error("no module is called {0}; `platformctl replay list` shows them")]
    UnknownModule(String),
    /// Somebody else rebuilds the same.
    #[error("another process is rebuilding {0}")]
    Busy(String),
    /// There is nothing to go back to.
    #[error("{0} has no earlier tables to go back to")]
    NothingBefore(String),
    /// The former tables were made by other folds.
    #[error("the former tables of {0} were made by another version; roll back with that binary")]
    OtherVersion(String),
    /// The schema is there already.
    #[error("the schema {0} exists; drop it or name another")]
    SchemaExists(String),
    /// The schema cannot be called that.
    #[error("a schema's name has lower-case letters, digits and underscores, not {0}")]
    BadSchema(String),
    /// The tables could not be locked between readers.
    #[error("readers kept the tables of {0} busy; try again")]
    Locked(String),
    /// There is no CREATE file for a table.
    #[error("no migration creates {0}")]
    NoTable(String),
    /// Folding or writing failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

impl From<sqlx::Error> for ReplayError {
    fn from(error: sqlx::Error) -> Self {
        Self::Engine(error.into())
    }
}

impl From<Unavailable> for ReplayError {
    fn from(error: Unavailable) -> Self {
        Self::Engine(error.into())
    }
}

impl From<Fenced> for ReplayError {
    fn from(error: Fenced) -> Self {
        Self::Engine(error.into())
    }
}

impl Replay {
    /// A tool for the database behind the options; they must belong to the tables' owner.
    #[must_use]
    pub const fn new(store: Store, pool: PgPool, options: PgConnectOptions) -> Self {
        Self { store, pool, options }
    }

    /// The module of a name.
    ///
    /// # Errors
    /// If there is none.
    pub fn module(name: &str) -> Result<&'static Module, ReplayError> {
        crate::module(name).ok_or_else(|| ReplayError::UnknownModule(name.to_owned()))
    }

    /// Every module's tables, live and otherwise.
    ///
    /// # Errors
    /// If the database cannot be reached.
    pub async fn status(&self) -> Result<Vec<Status>, ReplayError> {
        let head = self.store.head().await?;
        let known = self.leases().list().await?;
        let parked = self.parked().await?;
        let mut list = Vec::new();
        for module in MODULES {
            let live = |p: &&eventstore::Progress| {
                (p.consumer.as_str(), p.target.as_str()) == (module.name, module.name)
            };
            if !known.iter().any(|progress| live(&progress)) {
                list.push(Status::untouched(module, head));
            }
            let of = known.iter().filter(|progress| progress.consumer == module.name);
            for progress in of {
                let waits = |p: &&eventstore::Parked| {
                    (&p.consumer, &p.target) == (&progress.consumer, &progress.target)
                };
                list.push(Status {
                    module: module.name.to_owned(),
                    target: progress.target.clone(),
                    position: progress.position,
                    head,
                    parked: parked.iter().filter(waits).count(),
                    outdated: progress.fingerprint != module.fingerprint()
                        && !progress.fingerprint.is_empty(),
                });
            }
        }
        Ok(list)
    }

    /// Rebuilds a module's tables beside the live ones, compares, and swaps them in. The log is
    /// the truth: differences are reported, and the rebuilt rows win.
    ///
    /// # Errors
    /// If it could not be finished; the live tables are as before, and another try goes on where
    /// this one stopped.
    pub async fn rebuild(
        &self,
        module: &'static Module,
        options: &ReplayOptions,
        observe: Observer<'_>,
    ) -> Result<Vec<Difference>, ReplayError> {
        let mut shadow = self.shadow(module, options, observe).await?;
        let differences = self.compare(module, &mut shadow, observe).await?;
        self.promote(module, &mut shadow, observe).await?;
        Ok(differences)
    }

    /// Rebuilds a module's tables beside the live ones, compares, and throws them away.
    ///
    /// # Errors
    /// If it could not be finished.
    pub async fn verify(
        &self,
        module: &'static Module,
        options: &ReplayOptions,
        observe: Observer<'_>,
    ) -> Result<Vec<Difference>, ReplayError> {
        let mut shadow = self.shadow(module, options, observe).await?;
        let differences = self.compare(module, &mut shadow, observe).await?;
        shadow.discard().await?;
        Ok(differences)
    }

    fn leases(&self) -> Leases {
        Leases::new(self.pool.clone())
    }

    async fn connect(&self) -> Result<PgConnection, ReplayError> {
        Ok(self.options.connect().await?)
    }
}
