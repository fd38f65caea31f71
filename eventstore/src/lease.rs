//! Who may move a checkpoint: one process at a time, told apart by an epoch that only rises.
//!
//! A runner that lost its lease cannot commit: its epoch no longer matches, and rows and
//! checkpoint stand or fall in one transaction.

use std::time::Duration;

use domain::kernel::Position;
use sqlx::{AssertSqlSafe, PgConnection, PgPool, Row, postgres::PgRow};
use uuid::Uuid;

use crate::backend::Unavailable;

/// How long a lease holds without being used.
const HELD: Duration = Duration::from_secs(10);

/// The checkpoints of one log, by consumer and target schema.
#[derive(Debug, Clone)]
pub struct Leases {
    pool: PgPool,
}

/// The right to move one checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// Whose checkpoint, such as a module's name or `policy.welcome`.
    pub consumer: String,
    /// The schema the consumer writes to; a rebuild has one of its own.
    pub target: String,
    /// Rises whenever the lease changes hands.
    pub epoch: i64,
    /// How far the consumer had come when the lease was taken.
    pub position: Position,
}

impl Lease {
    fn of(consumer: &str, target: &str, row: &PgRow) -> Self {
        let (consumer, target) = (consumer.to_owned(), target.to_owned());
        Self { consumer, target, epoch: row.get(0), position: Position(row.get(1)) }
    }
}

/// The lease went to somebody else; what was about to be committed must not be.
#[derive(Debug, thiserror::Error)]
pub enum Fenced {
    /// Another process has the lease, or the checkpoint moved.
    #[error("the lease of {0} is held by another process")]
    Lost(String),
    /// The log cannot be reached.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl From<sqlx::Error> for Fenced {
    fn from(error: sqlx::Error) -> Self {
        Self::Unavailable(error.into())
    }
}

/// A checkpoint as operators see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// Whose checkpoint.
    pub consumer: String,
    /// The schema it stands for.
    pub target: String,
    /// Everything up to here is in.
    pub position: Position,
    /// The version of the consumer's code the rows were made with.
    pub fingerprint: String,
}

impl Leases {
    /// The leases of the log behind a pool.
    #[must_use]
    pub const fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    /// Takes or renews a lease; `None` while another owner holds it.
    ///
    /// # Errors
    /// If the log cannot be reached.
    pub async fn acquire(
        &self,
        consumer: &str,
        target: &str,
        owner: Uuid,
    ) -> Result<Option<Lease>, Unavailable> {
        let row = sqlx::query(
            "INSERT INTO eventstore.checkpoints AS c
                 (consumer, target, position, fingerprint, owner, epoch, lease_until)
             VALUES ($1, $2, 0, '', $3, 1, clock_timestamp() + $4)
             ON CONFLICT (consumer, target) DO UPDATE
                SET owner = $3, lease_until = clock_timestamp() + $4,
                    epoch = c.epoch + (c.owner IS DISTINCT FROM $3)::int
              WHERE c.owner IS NOT DISTINCT FROM $3 OR c.lease_until < clock_timestamp()
             RETURNING epoch, position",
        )
        .bind(consumer)
        .bind(target)
        .bind(owner)
        .bind(HELD)
        .fetch_optional(&self.pool)
        .await?;
        Ok(row.map(|row| Lease::of(consumer, target, &row)))
    }

    /// Moves a checkpoint inside the transaction that writes the rows, and renews the lease.
    ///
    /// # Errors
    /// [`Fenced::Lost`] if the lease is another's by now: the transaction must be rolled back.
    pub async fn advance(
        transaction: &mut PgConnection,
        lease: &Lease,
        to: Position,
    ) -> Result<(), Fenced> {
        let moved = sqlx::query(
            "UPDATE eventstore.checkpoints
                SET position = $4, moved_at = clock_timestamp(),
                    lease_until = clock_timestamp() + $5
              WHERE consumer = $1 AND target = $2 AND epoch = $3 AND position <= $4",
        )
        .bind(&lease.consumer)
        .bind(&lease.target)
        .bind(lease.epoch)
        .bind(to.0)
        .bind(HELD)
        .execute(transaction)
        .await?;
        if moved.rows_affected() == 1 { Ok(()) } else { Err(Fenced::Lost(lease.consumer.clone())) }
    }

    /// Keeps a lease that is not used for a while.
    ///
    /// # Errors
    /// [`Fenced::Lost`] if it is another's by now.
    pub async fn renew(&self, lease: &Lease) -> Result<(), Fenced> {
        let kept = sqlx::query(
            "UPDATE eventstore.checkpoints SET lease_until = clock_timestamp() + $4
              WHERE consumer = $1 AND target = $2 AND epoch = $3",
        )
        .bind(&lease.consumer)
        .bind(&lease.target)
        .bind(lease.epoch)
        .bind(HELD)
        .execute(&self.pool)
        .await?;
        if kept.rows_affected() == 1 { Ok(()) } else { Err(Fenced::Lost(lease.consumer.clone())) }
    }

    /// Removes checkpoints whose target is gone.
    ///
    /// # Errors
    /// If the log cannot be reached.
    pub async fn remove(&self, consumer: &str, target: &str) -> Result<(), Unavailable> {
        clear(&mut *self.pool.acquire().await?, consumer, target).await
    }

    /// Renames a target in place of another one, inside the transaction that renames its schema.
    ///
    /// # Errors
    /// If the log cannot be reached.
    pub async fn rename(
        transaction: &mut PgConnection,
        consumer: &str,
        from: &str,
        to: &str,
    ) -> Result<(), Unavailable> {
        clear(transaction, consumer, to).await?;
        for table in TABLES {
            let sql = format!(
                "UPDATE eventstore.{table} SET target = $3 WHERE consumer = $1 AND target = $2"
            );
            let query = sqlx::query(AssertSqlSafe(sql)).bind(consumer).bind(from).bind(to);
            query.execute(&mut *transaction).await?;
        }
        Ok(())
    }

    /// Exchanges the checkpoints of two targets inside the transaction that exchanges their
    /// tables; whoever holds a lease on either is fenced off.
    ///
    /// # Errors
    /// If the log cannot be reached.
    pub async fn exchange(
        transaction: &mut PgConnection,
        consumer: &str,
        (from, to, aside): (&str, &str, &str),
    ) -> Result<(), Unavailable> {
        Self::rename(transaction, consumer, to, aside).await?;
        Self::rename(transaction, consumer, from, to).await?;
        // One epoch above both, so that no earlier lease on either holds any more.
        sqlx::query(
            "UPDATE eventstore.checkpoints
                SET owner = NULL, lease_until = '-infinity',
                    epoch = 1 + (SELECT max(epoch) FROM eventstore.checkpoints WHERE consumer = $1)
              WHERE consumer = $1 AND target IN ($2, $3)",
        )
        .bind(consumer)
        .bind(to)
        .bind(aside)
        .execute(transaction)
        .await?;
        Ok(())
    }

    /// Takes a lease from whoever holds it, inside a transaction that changes the rows; `None` if
    /// the consumer never ran.
    ///
    /// # Errors
    /// If the log cannot be reached.
    pub async fn fence(
        transaction: &mut PgConnection,
        consumer: &str,
        target: &str,
    ) -> Result<Option<Lease>, Unavailable> {
        let row = sqlx::query(
            "UPDATE eventstore.checkpoints
                SET owner = NULL, epoch = epoch + 1, lease_until = '-infinity'
              WHERE consumer = $1 AND target = $2
             RETURNING epoch, position",
        )
        .bind(consumer)
        .bind(target)
        .fetch_optional(transaction)
        .await?;
        Ok(row.map(|row| Lease::of(consumer, target, &row)))
    }

    /// Gives a lease back, so that the next owner need not wait.
    ///
    /// # Errors
    /// If the log cannot be reached; then it lapses by itself.
    pub async fn release(&self, lease: &Lease) -> Result<(), Unavailable> {
        sqlx::query(
            "UPDATE eventstore.checkpoints SET owner = NULL, lease_until = '-infinity'
              WHERE consumer = $1 AND target = $2 AND epoch = $3",
        )
        .bind(&lease.consumer)
        .bind(&lease.target)
        .bind(lease.epoch)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Gives all leases back, for whoever knows that no holder is alive to do it: whose server has
    /// only just been started, and with it lost every session.
    ///
    /// # Errors
    /// If the log cannot be reached; then they lapse by themselves.
    pub async fn release_all(&self) -> Result<(), Unavailable> {
        sqlx::query(
            "UPDATE eventstore.checkpoints SET owner = NULL, lease_until = '-infinity'
              WHERE owner IS NOT NULL",
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// How far a consumer has come; 0 if it never ran.
    ///
    /// # Errors
    /// If the log cannot be reached.
    pub async fn position(&self, consumer: &str, target: &str) -> Result<Position, Unavailable> {
        let position: Option<i64> = sqlx::query_scalar(
            "SELECT position FROM eventstore.checkpoints WHERE consumer = $1 AND target = $2",
        )
        .bind(consumer)
        .bind(target)
        .fetch_optional(&self.pool)
        .await?;
        Ok(Position(position.unwrap_or_default()))
    }

    /// How far a consumer has come, and how far the log reaches, at one moment.
    ///
    /// # Errors
    /// If the log cannot be reached.
    pub async fn position_and_head(
        &self,
        consumer: &str,
        target: &str,
    ) -> Result<(Position, Position), Unavailable> {
        let (position, head): (Option<i64>, Option<i64>) = sqlx::query_as(
            "SELECT (SELECT position FROM eventstore.checkpoints
                      WHERE consumer = $1 AND target = $2),
                    (SELECT max(position) FROM eventstore.events)",
        )
        .bind(consumer)
        .bind(target)
        .fetch_one(&self.pool)
        .await?;
        Ok((Position(position.unwrap_or_default()), Position(head.unwrap_or_default())))
    }

    /// All checkpoints.
    ///
    /// # Errors
    /// If the log cannot be reached.
    pub async fn list(&self) -> Result<Vec<Progress>, Unavailable> {
        let rows = sqlx::query(
            "SELECT consumer, target, position, fingerprint FROM eventstore.checkpoints
              ORDER BY consumer, target",
        )
        .fetch_all(&self.pool)
        .await?;
        let progress = |row: PgRow| Progress {
            consumer: row.get(0),
            target: row.get(1),
            position: Position(row.get(2)),
            fingerprint: row.get(3),
        };
        Ok(rows.into_iter().map(progress).collect())
    }

    /// Notes which version of the consumer's code the rows are made with.
    ///
    /// # Errors
    /// If the log cannot be reached.
    pub async fn stamp(&self, lease: &Lease, fingerprint: &str) -> Result<(), Unavailable> {
        sqlx::query(
            "UPDATE eventstore.checkpoints SET fingerprint = $4
              WHERE consumer = $1 AND target = $2 AND epoch = $3",
        )
        .bind(&lease.consumer)
        .bind(&lease.target)
        .bind(lease.epoch)
        .bind(fingerprint)
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}

/// What is kept by consumer and target.
const TABLES: [&str; 2] = ["checkpoints", "parked"];

async fn clear(
    connection: &mut PgConnection,
    consumer: &str,
    target: &str,
) -> Result<(), Unavailable> {
    for table in TABLES {
        let sql = format!("DELETE FROM eventstore.{table} WHERE consumer = $1 AND target = $2");
        let query = sqlx::query(AssertSqlSafe(sql)).bind(consumer).bind(target);
        query.execute(&mut *connection).await?;
    }
    Ok(())
}
