//! Rebuilding tables from the log: beside live traffic, verified, swapped in one transaction.
//!
//! Owns shadow schemas, verification, the swap and its undo, tables as of a moment, and the
//! retry of parked events. Refuses any effect but rows: nothing here can issue a command.

mod alone;
mod as_of;
mod parked;
mod shadow;
mod status;
mod stop;
mod swap;
mod verify;

use domain::kernel::{Position, Timestamp};
use eventstore::{Fenced, Leases, Store, Unavailable};
use sqlx::{PgConnection, PgPool, postgres::PgConnectOptions};
use tokio::sync::watch;

use crate::{engine::EngineError, lock, module::Module};

use self::shadow::{Shadow, next};

pub use status::{Purpose, Status};
pub use verify::{Difference, Differences};

/// The tool that rebuilds.
#[derive(Debug, Clone)]
pub struct Replay {
    store: Store,
    pool: PgPool,
    options: PgConnectOptions,
    stop: watch::Receiver<bool>,
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
    #[error(
        "the schema {0} exists; name another, or drop it first (`platformctl replay drop {0}`, if \
         a replay made it)"
    )]
    SchemaExists(String),
    /// Rebuilds need the name.
    #[error("a rebuild calls its tables {0}; name another schema")]
    Reserved(String),
    /// No replay made the schema, or it is live.
    #[error("no replay left a schema {0} to drop; `platformctl replay list` shows them")]
    NotAside(String),
    /// The log does not reach so far.
    #[error("there is no position {asked} yet: the log ends at {head}")]
    Beyond {
        /// What was asked for.
        asked: Position,
        /// The last position of the log.
        head: Position,
    },
    /// It was told to stop.
    #[error("stopped before it was done")]
    Stopped,
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
    pub fn new(store: Store, pool: PgPool, options: PgConnectOptions) -> Self {
        Self { store, pool, options, stop: watch::channel(false).1 }
    }

    /// The module of a name.
    ///
    /// # Errors
    /// If there is none.
    pub fn module(name: &str) -> Result<&'static Module, ReplayError> {
        crate::module(name).ok_or_else(|| ReplayError::UnknownModule(name.to_owned()))
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
    ) -> Result<Differences, ReplayError> {
        let mut shadow = self.open_shadow(module, &next(module), options).await?;
        let work = async {
            self.fill_to_head(module, &mut shadow, observe).await?;
            let differences = self.compare(module, &mut shadow, observe).await?;
            self.promote(module, &mut shadow, observe).await?;
            Ok(differences)
        };
        let outcome = work.await;
        self.given_back(module, shadow, outcome).await
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
    ) -> Result<Differences, ReplayError> {
        let mut shadow = self.open_shadow(module, &next(module), options).await?;
        let work = async {
            self.fill_to_head(module, &mut shadow, observe).await?;
            let mut differences = self.compare(module, &mut shadow, observe).await?;
            differences.left = self.throw_away(&mut shadow).await?;
            Ok(differences)
        };
        let outcome = work.await;
        self.given_back(module, shadow, outcome).await
    }

    /// Drops tables that were compared. If that fails, what was found out counts all the same, unless
    /// they were another's by then: answers what to do about it.
    async fn throw_away(&self, shadow: &mut Shadow) -> Result<Option<String>, ReplayError> {
        let Shadow { schema, lease, connection, .. } = shadow;
        match self.drop_tables(connection, schema, std::slice::from_ref(lease)).await {
            Err(lost @ ReplayError::Engine(EngineError::Fenced(Fenced::Lost(_)))) => Err(lost),
            Err(cause) => Ok(Some(format!(
                "the tables made for the comparison are still in {schema} ({cause}); \
                 `platformctl replay drop {schema}` drops them"
            ))),
            Ok(()) => Ok(None),
        }
    }

    fn leases(&self) -> Leases {
        Leases::new(self.pool.clone())
    }

    async fn connect(&self) -> Result<PgConnection, ReplayError> {
        Ok(lock::connect(&self.options).await?)
    }
}
