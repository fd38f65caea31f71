//! Having modules' tables alone, to make, move or drop some of them.
//!
//! Owns that nobody waits for it: all writers of a module stand still behind whoever waits for its
//! lock or, with it, for a table. Refuses to wait longer than 200 ms for a reader that is in the
//! way, and tries again.

use std::time::Duration;

use sqlx::{Connection, PgConnection, Postgres, Transaction};
use tokio::time::sleep;

use super::ReplayError;
use crate::{EngineError, lock};

/// How often the tables are asked for before giving up.
const TRIES: u32 = 50;
/// How long writers go on before the next try.
const PAUSE: Duration = Duration::from_millis(100);

/// Begins a transaction that has modules alone and waits for no lock for long.
pub(super) async fn alone<'c>(
    connection: &'c mut PgConnection,
    modules: &[&str],
) -> Result<Transaction<'c, Postgres>, ReplayError> {
    let mut transaction = connection.begin().await?;
    lock::briefly(&mut transaction).await?;
    for module in modules {
        lock::alone(&mut transaction, module).await?;
    }
    Ok(transaction)
}

/// What was done, `None` if somebody was in the way and it is worth another try.
pub(super) fn in_time<T>(outcome: Result<T, ReplayError>) -> Result<Option<T>, ReplayError> {
    match outcome {
        Err(ReplayError::Engine(EngineError::Database(cause)))
            if cause.code().as_deref() == Some(lock::LOCK_NOT_AVAILABLE) =>
        {
            Ok(None)
        }
        outcome => outcome.map(Some),
    }
}

/// The tries that are left.
pub(super) struct Tries(u32);

impl Tries {
    pub(super) const fn new() -> Self {
        Self(TRIES)
    }

    /// Lets others go on for a moment.
    ///
    /// # Errors
    /// If this was the last try, of what.
    pub(super) async fn another(&mut self, what: &str) -> Result<(), ReplayError> {
        self.0 = self.0.saturating_sub(1);
        if self.0 == 0 {
            return Err(ReplayError::Locked(what.to_owned()));
        }
        sleep(PAUSE).await;
        Ok(())
    }
}
