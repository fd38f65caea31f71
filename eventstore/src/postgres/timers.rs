//! What is to be asked of the platform later: rows with a due time, set and cancelled together
//! with the checkpoint of the process manager that knows of them.
//!
//! Refuses to know what a timer means: its command is JSON to whoever set it.

use domain::kernel::Timestamp;
use serde_json::Value;
use sqlx::{PgConnection, PgPool, Postgres, Row, Transaction, postgres::PgRow};
use uuid::Uuid;

use super::silence::heard;
use crate::backend::Unavailable;

/// Begins the firing of timers, which waits for the commands they ask: mostly no longer than an append
/// may take to be answered. Where it does take longer, they are asked once more, under the same ids.
/// If its end is lost on the way, others fire them then.
const BEGIN: &str = "BEGIN; SET LOCAL idle_in_transaction_session_timeout = '12s'";

/// The timers of a log.
#[derive(Debug, Clone)]
pub struct Timers {
    pool: PgPool,
}

/// One timer; there is at most one of a process and a key.
#[derive(Debug, Clone, PartialEq)]
pub struct Timer {
    /// What it is about, such as an invitation.
    pub process: String,
    /// Which one.
    pub key: Uuid,
    /// When it fires.
    pub due_at: Timestamp,
    /// What is asked then.
    pub command: Value,
}

/// Timers whose time has come, locked: nobody else fires them until this is finished or dropped.
#[derive(Debug)]
pub struct DueTimers {
    transaction: Transaction<'static, Postgres>,
    timers: Vec<Timer>,
}

impl Timers {
    /// The timers behind a pool.
    #[must_use]
    pub const fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    /// Sets a timer, in place of an earlier one of the same process and key.
    ///
    /// # Errors
    /// If the log cannot be reached.
    pub async fn set(transaction: &mut PgConnection, timer: &Timer) -> Result<(), Unavailable> {
        sqlx::query(
            "INSERT INTO eventstore.timers (process, key, due_at, command) VALUES ($1, $2, $3, $4)
             ON CONFLICT (process, key)
             DO UPDATE SET due_at = excluded.due_at, command = excluded.command",
        )
        .bind(&timer.process)
        .bind(timer.key)
        .bind(timer.due_at)
        .bind(&timer.command)
        .execute(transaction)
        .await?;
        Ok(())
    }

    /// Cancels a timer, if there is one.
    ///
    /// # Errors
    /// If the log cannot be reached.
    pub async fn cancel(
        transaction: &mut PgConnection,
        process: &str,
        key: Uuid,
    ) -> Result<(), Unavailable> {
        sqlx::query("DELETE FROM eventstore.timers WHERE process = $1 AND key = $2")
            .bind(process)
            .bind(key)
            .execute(transaction)
            .await?;
        Ok(())
    }

    /// Locks timers that are due and that nobody else has locked, the oldest first.
    ///
    /// # Errors
    /// If the log cannot be reached.
    pub async fn due(&self, now: Timestamp, most: i64) -> Result<DueTimers, Unavailable> {
        let mut transaction = heard(self.pool.begin_with(BEGIN)).await??;
        let due = sqlx::query(
            "SELECT process, key, due_at, command FROM eventstore.timers WHERE due_at <= $1
              ORDER BY due_at LIMIT $2 FOR UPDATE SKIP LOCKED",
        )
        .bind(now)
        .bind(most)
        .fetch_all(&mut *transaction);
        let rows = heard(due).await??;
        let timer = |row: PgRow| Timer {
            process: row.get(0),
            key: row.get(1),
            due_at: row.get(2),
            command: row.get(3),
        };
        Ok(DueTimers { transaction, timers: rows.into_iter().map(timer).collect() })
    }
}

impl DueTimers {
    /// The timers to fire.
    #[must_use]
    pub fn timers(&self) -> &[Timer] {
        &self.timers
    }

    /// Removes a timer that has fired.
    ///
    /// # Errors
    /// If the log cannot be reached.
    pub async fn fired(&mut self, timer: &Timer) -> Result<(), Unavailable> {
        let cancelled = Timers::cancel(&mut self.transaction, &timer.process, timer.key);
        heard(cancelled).await?
    }

    /// Puts off a timer that could not be fired.
    ///
    /// # Errors
    /// If the log cannot be reached.
    pub async fn put_off(&mut self, timer: &Timer, until: Timestamp) -> Result<(), Unavailable> {
        let later = Timer { due_at: until, ..timer.clone() };
        heard(Timers::set(&mut self.transaction, &later)).await?
    }

    /// Lets go of all of them.
    ///
    /// # Errors
    /// If the log cannot be reached; then they are due again, and nothing was noted.
    pub async fn finish(self) -> Result<(), Unavailable> {
        Ok(heard(self.transaction.commit()).await??)
    }
}
