//! Having modules' tables alone, to make, move or drop some of them.
//!
//! Owns that nobody waits for it: all writers of a module stand still behind whoever waits for its
//! lock or, with it, for a table. Refuses to wait longer than 200 ms for a reader that is in the
//! way, and tries again. The server's own upkeep gives way only to whoever waits for longer, which is
//! done before, where nobody waits behind.

use std::time::Duration;

use sqlx::{Connection, PgConnection, Postgres, Transaction};
use tokio::time::sleep;

use super::ReplayError;
use crate::{EngineError, lock, sql::own};

/// How often the tables are asked for before giving up.
const TRIES: u32 = 50;
/// How long writers go on before the next try.
const PAUSE: Duration = Duration::from_millis(100);

/// Begins a transaction that has modules alone, for changing tables in some schemas, and waits for no
/// lock for long.
pub(super) async fn alone<'c>(
    connection: &'c mut PgConnection,
    modules: &[&str],
    schemas: &[&str],
) -> Result<Transaction<'c, Postgres>, ReplayError> {
    let mut transaction = connection.begin().await?;
    without_upkeep(&mut transaction, schemas).await?;
    lock::briefly(&mut transaction).await?;
    for module in modules {
        lock::alone(&mut transaction, module).await?;
    }
    Ok(transaction)
}

/// Keeps vacuum and analyze off the tables of schemas until the transaction ends. Readers and writers
/// are not in the way of this lock, nor it in theirs. Where the server vacuums by itself, it stops as
/// soon as it sees somebody wait, which it looks for after `deadlock_timeout`, a second.
async fn without_upkeep(
    transaction: &mut PgConnection,
    schemas: &[&str],
) -> Result<(), ReplayError> {
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT format('%I.%I', nspname, relname) FROM pg_class
           JOIN pg_namespace n ON n.oid = relnamespace
          WHERE nspname = ANY($1) AND relkind = 'r' AND pg_has_role(relowner, 'USAGE')
          ORDER BY 1",
    )
    .bind(schemas)
    .fetch_all(&mut *transaction)
    .await?;
    if !tables.is_empty() {
        let lock = format!(
            "SET LOCAL lock_timeout = '3s'; LOCK TABLE {} IN SHARE UPDATE EXCLUSIVE MODE",
            tables.join(", ")
        );
        sqlx::raw_sql(own(&lock)).execute(transaction).await?;
    }
    Ok(())
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
