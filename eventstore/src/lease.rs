//! Who may move a checkpoint: one process at a time, told apart by an epoch that only rises and
//! is never used twice.
//!
//! A runner that lost its lease cannot commit: its epoch no longer matches, and rows and
//! checkpoint stand or fall in one transaction.

use std::time::Duration;

use domain::kernel::Position;
use sqlx::{
    AssertSqlSafe, PgConnection, PgPool, Row,
    postgres::{PgQueryResult, PgRow},
};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use crate::{backend::Unavailable, heard};

/// How long a lease holds without being used.
const HELD: Duration = Duration::from_secs(10);
/// How often one is renewed beside something that takes long.
const RENEW: Duration = Duration::from_secs(2);

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

    /// That what was done to the checkpoint found it under this lease.
    fn held(&self, done: &PgQueryResult) -> Result<(), Fenced> {
        if done.rows_affected() == 1 { Ok(()) } else { Err(Fenced::Lost(self.consumer.clone())) }
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
             VALUES ($1, $2, 0, '', $3, nextval('eventstore.epochs'), clock_timestamp() + $4)
             ON CONFLICT (consumer, target) DO UPDATE
                SET owner = $3, lease_until = clock_timestamp() + $4,
                    epoch = CASE WHEN c.owner IS NOT DISTINCT FROM $3 THEN c.epoch
                                 ELSE nextval('eventstore.epochs') END
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
        lease.held(&moved)
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
        lease.held(&kept)
    }

    /// Does something that may take longer than a lease holds, and keeps the lease meanwhile:
    /// whoever took it over would begin the same anew, wait for the locks of the first, and be
    /// taken over from in turn.
    ///
    /// # Errors
    /// What the work answers; [`Fenced`] if the lease is another's, or could not be renewed for as
    /// long as it holds, and the work is dropped where it is.
    pub async fn keeping<T, E: From<Fenced>>(
        &self,
        lease: &Lease,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let lost = async {
            let mut renewed = Instant::now();
            loop {
                sleep(RENEW).await;
                match heard(self.renew(lease)).await.map_err(Fenced::from).flatten() {
                    Ok(()) => renewed = Instant::now(),
                    // It holds on: the next try may come through.
                    Err(Fenced::Unavailable(_)) if renewed.elapsed() < HELD => {}
                    Err(fault) => return fault,
                }
            }
        };
        tokio::select! {
            done = work => done,
            fault = lost => Err(fault.into()),
        }
    }

    /// Begins a target anew, from the start of the log and with nothing parked, inside the
    /// transaction that makes its tables anew. The lease stays whose it is.
    ///
    /// # Errors
    /// [`Fenced::Lost`] if it is another's by now: the transaction must be rolled back.
    pub async fn restart(
        transaction: &mut PgConnection,
        lease: &Lease,
        fingerprint: &str,
    ) -> Result<Lease, Fenced> {
        let begun = sqlx::query(
            "UPDATE eventstore.checkpoints
                SET position = 0, fingerprint = $4, moved_at = clock_timestamp(),
                    lease_until = clock_timestamp() + $5
              WHERE consumer = $1 AND target = $2 AND epoch = $3",
        )
        .bind(&lease.consumer)
        .bind(&lease.target)
        .bind(lease.epoch)
        .bind(fingerprint)
        .bind(HELD)
        .execute(&mut *transaction)
        .await?;
        lease.held(&begun)?;
        unpark(transaction, &lease.consumer, &lease.target).await?;
        Ok(Lease { position: Position(0), ..lease.clone() })
    }

    /// Removes the checkpoint of a target that is given up, inside the transaction that drops its
    /// tables, if any.
    ///
    /// # Errors
    /// [`Fenced::Lost`] if it is another's by now: the transaction must be rolled back.
    pub async fn remove(transaction: &mut PgConnection, lease: &Lease) -> Result<(), Fenced> {
        let gone = sqlx::query(
            "DELETE FROM eventstore.checkpoints
              WHERE consumer = $1 AND target = $2 AND epoch = $3",
        )
        .bind(&lease.consumer)
        .bind(&lease.target)
        .bind(lease.epoch)
        .execute(&mut *transaction)
        .await?;
        lease.held(&gone)?;
        Ok(unpark(transaction, &lease.consumer, &lease.target).await?)
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
        sqlx::query("DELETE FROM eventstore.checkpoints WHERE consumer = $1 AND target = $2")
            .bind(consumer)
            .bind(to)
            .execute(&mut *transaction)
            .await?;
        unpark(transaction, consumer, to).await?;
        for table in ["checkpoints", "parked"] {
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
        // New epochs, so that no earlier lease on either holds any more. What is put aside may stand
        // before what takes its place: it counts as lapsed, not as given back.
        sqlx::query(
            "UPDATE eventstore.checkpoints
                SET owner = CASE WHEN target = $3 THEN gen_random_uuid() END,
                    lease_until = '-infinity', epoch = nextval('eventstore.epochs')
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
                SET owner = NULL, lease_until = '-infinity', epoch = nextval('eventstore.epochs')
              WHERE consumer = $1 AND target = $2
             RETURNING epoch, position",
        )
        .bind(consumer)
        .bind(target)
        .fetch_optional(transaction)
        .await?;
        Ok(row.map(|row| Lease::of(consumer, target, &row)))
    }

    /// Gives a lease back with nothing left undone, so that the next owner need not wait.
    ///
    /// # Errors
    /// If the log cannot be reached; then it lapses by itself.
    pub async fn release(&self, lease: &Lease) -> Result<(), Unavailable> {
        self.end(lease, true).await
    }

    /// Lets a lease lapse at once, so that the next owner need not wait. Unlike one that is given
    /// back it still shows its owner, who may have left something undone.
    ///
    /// # Errors
    /// If the log cannot be reached; then it lapses by itself.
    pub async fn lapse(&self, lease: &Lease) -> Result<(), Unavailable> {
        self.end(lease, false).await
    }

    /// Ends a lease that is still the holder's, given back or lapsed.
    async fn end(&self, lease: &Lease, given_back: bool) -> Result<(), Unavailable> {
        sqlx::query(
            "UPDATE eventstore.checkpoints
                SET owner = CASE WHEN $4 THEN NULL ELSE owner END, lease_until = '-infinity'
              WHERE consumer = $1 AND target = $2 AND epoch = $3",
        )
        .bind(&lease.consumer)
        .bind(&lease.target)
        .bind(lease.epoch)
        .bind(given_back)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Lets all leases lapse, for whoever knows that no holder is alive: whose server has only just
    /// been started, and with it lost every session.
    ///
    /// # Errors
    /// If the log cannot be reached; then they lapse by themselves.
    pub async fn lapse_all(&self) -> Result<(), Unavailable> {
        sqlx::query(
            "UPDATE eventstore.checkpoints SET lease_until = '-infinity'
              WHERE lease_until > clock_timestamp()",
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

    /// The epoch of a checkpoint, if there is one: another one than before says that the lease changed
    /// hands, which it does whenever rows change other than by events.
    ///
    /// # Errors
    /// If the log cannot be reached.
    pub async fn epoch(&self, consumer: &str, target: &str) -> Result<Option<i64>, Unavailable> {
        let sql = "SELECT epoch FROM eventstore.checkpoints WHERE consumer = $1 AND target = $2";
        Ok(sqlx::query_scalar(sql).bind(consumer).bind(target).fetch_optional(&self.pool).await?)
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

/// Forgets what is parked for a target.
async fn unpark(
    connection: &mut PgConnection,
    consumer: &str,
    target: &str,
) -> Result<(), Unavailable> {
    sqlx::query("DELETE FROM eventstore.parked WHERE consumer = $1 AND target = $2")
        .bind(consumer)
        .bind(target)
        .execute(connection)
        .await?;
    Ok(())
}
