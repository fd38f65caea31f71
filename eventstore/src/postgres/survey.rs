//! What an operator needs to know of the log and its server, asked all at once.
//!
//! Cheap enough for every few seconds: nothing here grows with the log.

use chrono::{DateTime, Utc};
use domain::kernel::Position;
use sqlx::{PgPool, Row, postgres::PgRow};

use crate::backend::Unavailable;

/// Timers that are due are counted up to here: beyond it the exact number says nothing more.
const MOST_TIMERS: i64 = 10_000;

/// The log and its server at a moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Survey {
    /// The last position of the log.
    pub head: Position,
    /// Whoever follows the log with a checkpoint.
    pub consumers: Vec<Consumer>,
    /// Timers whose time has come.
    pub timers_due: i64,
    /// For how long the oldest of them has been due, in seconds.
    pub timer_lateness: f64,
    /// The server's clock.
    pub clock: DateTime<Utc>,
    /// Bytes of the database on disk.
    pub size: i64,
    /// Whether the server's last try to archive a piece of its write-ahead log failed.
    pub archive_failing: bool,
}

/// A follower of the log.
#[derive(Debug, Clone, PartialEq)]
pub struct Consumer {
    /// Its name.
    pub name: String,
    /// The schema it writes to.
    pub target: String,
    /// Everything up to here is in.
    pub position: Position,
    /// For how long the first event that is not in yet has been waiting, in seconds.
    pub lag: f64,
    /// Events that wait behind a fault.
    pub parked: i64,
    /// Whether any process holds its lease.
    pub held: bool,
    /// The version of the code its rows were made with.
    pub fingerprint: String,
}

/// Asks for everything.
///
/// # Errors
/// If the database cannot be reached.
pub async fn survey(pool: &PgPool) -> Result<Survey, Unavailable> {
    let mut connection = pool.acquire().await?;
    let log = sqlx::query(
        "SELECT coalesce((SELECT max(position) FROM eventstore.events), 0),
                (SELECT count(*) FROM (SELECT FROM eventstore.timers
                  WHERE due_at <= clock_timestamp() LIMIT $1) AS due),
                coalesce((SELECT extract(epoch FROM clock_timestamp() - min(due_at))::float8
                  FROM eventstore.timers WHERE due_at <= clock_timestamp()), 0),
                clock_timestamp(),
                pg_database_size(current_database()),
                coalesce((SELECT last_failed_time > coalesce(last_archived_time, '-infinity')
                  FROM pg_stat_archiver), false)",
    )
    .bind(MOST_TIMERS)
    .fetch_one(&mut *connection)
    .await?;
    let consumers = sqlx::query(
        "SELECT c.consumer, c.target, c.position,
                coalesce(extract(epoch FROM clock_timestamp() - e.recorded_at), 0)::float8,
                (SELECT count(*) FROM eventstore.parked AS p
                  WHERE (p.consumer, p.target) = (c.consumer, c.target)),
                c.owner IS NOT NULL AND c.lease_until > clock_timestamp(),
                c.fingerprint
           FROM eventstore.checkpoints AS c
           LEFT JOIN eventstore.events AS e ON e.position = c.position + 1
          ORDER BY c.consumer, c.target",
    )
    .fetch_all(&mut *connection)
    .await?;
    let consumer = |row: PgRow| Consumer {
        name: row.get(0),
        target: row.get(1),
        position: Position(row.get(2)),
        lag: f64::max(row.get(3), 0.0),
        parked: row.get(4),
        held: row.get(5),
        fingerprint: row.get(6),
    };
    Ok(Survey {
        head: Position(log.get(0)),
        timers_due: log.get(1),
        timer_lateness: log.get(2),
        clock: log.get(3),
        size: log.get(4),
        archive_failing: log.get(5),
        consumers: consumers.into_iter().map(consumer).collect(),
    })
}
