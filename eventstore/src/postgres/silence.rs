//! A database that says nothing, because a network between swallows it without a word.
//!
//! Owns how long one waits for an answer, how soon the server lets go of what nobody will end, and a
//! pool that takes the silence of one connection for that of all. Whoever gave up asks again over a
//! connection that is younger than the silence, so that work goes on within five seconds of there
//! being a way again.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use sqlx::{Connection, PgConnection, Row, postgres::PgPoolOptions};
use tokio::time::timeout;

use crate::backend::Unavailable;

/// How long the server may be silent about a small question before its connection counts as lost.
/// Giving up too early costs a question and loses nothing: what was asked is asked again, and
/// command ids and checkpoints tell what came through.
pub(super) const SILENCE: Duration = Duration::from_secs(3);
/// How long a transaction may wait for the next word of its client. Longer than the client waits
/// for an answer, so the client gives up first; then the locks of the one are free for the other.
pub const ABANDONED: (&str, &str) = ("idle_in_transaction_session_timeout", "4s");
/// Has the server notice within as long that a client is gone whose words stopped in the middle,
/// where none of its other time-outs runs. Of no effect on a unix socket.
pub const NOTICED: [(&str, &str); 3] =
    [("tcp_keepalives_idle", "2"), ("tcp_keepalives_interval", "1"), ("tcp_keepalives_count", "2")];

/// How long a connection of the pool may take for a sign of life.
const SIGN_OF_LIFE: Duration = Duration::from_secs(1);
/// How long one waits for a connection of the pool.
const WAIT: Duration = Duration::from_secs(5);

/// Waits for an answer of the database, but not for ever: where a network swallows it, nothing else
/// says so.
///
/// # Errors
/// If there is silence for too long, which is a lost connection: what was asked may have happened.
pub async fn heard<T>(answer: impl Future<Output = T>) -> Result<T, Unavailable> {
    timeout(SILENCE, answer).await.map_err(Unavailable::lost)
}

/// A pool for units of work. It lends only connections that are alive and in the middle of nothing:
/// one that comes back inside a transaction, as after a dropped unit of work, is closed
/// (sqlx#4385), and so is each that was idle when another one fell silent.
#[must_use]
pub fn lending(most: u32) -> PgPoolOptions {
    let doubt = Doubt::default();
    PgPoolOptions::new()
        .max_connections(most)
        .acquire_timeout(WAIT)
        // Which would wait for its sign of life as long as for a connection.
        .test_before_acquire(false)
        .before_acquire(move |connection, idle| {
            let doubt = doubt.clone();
            Box::pin(async move { Ok(doubt.clears(connection, idle.idle_for).await) })
        })
        .after_release(|connection, _| {
            Box::pin(async move {
                let outside = timeout(SIGN_OF_LIFE, is_outside(connection)).await;
                // It would keep its place in the pool. Of others that says nothing: it may be that
                // the server is still at what its borrower gave up.
                outside.map_err(io::Error::from)?
            })
        })
}

/// Whether a connection is in no transaction.
async fn is_outside(connection: &mut PgConnection) -> sqlx::Result<bool> {
    // As a simple query, which is one statement to the server: of a prepared one each message has a
    // time of its own, so that none would seem outside.
    let asked = sqlx::raw_sql("SELECT now() = statement_timestamp()");
    asked.fetch_one(connection).await?.try_get(0)
}

/// When a connection of a pool was silent last.
#[derive(Debug, Clone, Default)]
struct Doubt(Arc<Mutex<Option<Instant>>>);

impl Doubt {
    fn arises(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// Whether a connection that was idle for so long can be lent.
    async fn clears(&self, connection: &mut PgConnection, idle: Duration) -> bool {
        let silent = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if silent.is_some_and(|silent| silent.elapsed() <= idle) {
            return false;
        }
        match timeout(SIGN_OF_LIFE, connection.ping()).await {
            Ok(alive) => alive.is_ok(),
            Err(_) => {
                self.arises();
                false
            }
        }
    }
}
