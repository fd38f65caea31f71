//! The connections that read the log.
//!
//! Owns how many there are and how long one may be silent. They are no pool of sqlx, because that
//! one asks a connection for a sign of life before it takes it back, and waits for it without end:
//! a network that swallows would use up its places one after another, for good. Here a connection
//! comes back only after a whole answer; every other one is closed.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use futures_util::TryStreamExt;
use sqlx::{
    ConnectOptions, PgConnection,
    postgres::{PgArguments, PgConnectOptions, PgRow},
    query::Query,
};
use tokio::{sync::Semaphore, time::timeout};

use super::{SILENCE, fault};
use crate::backend::Unavailable;

/// Connections for reading the log, beside the one that writes.
const MOST: usize = 4;
/// Rows taken at once.
const AT_ONCE: usize = 64;
/// How long a reader waits for one of them.
const ACQUIRE: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(super) struct Readers {
    options: PgConnectOptions,
    places: Semaphore,
    idle: Mutex<Vec<PgConnection>>,
}

impl Readers {
    /// Connects once, to fail early.
    pub(super) async fn connect(options: PgConnectOptions) -> Result<Self, Unavailable> {
        let places = Semaphore::new(MOST);
        let readers = Self { options, places, idle: Mutex::default() };
        let connection = readers.open().await?;
        readers.keep(connection);
        Ok(readers)
    }

    /// The rows of an answer.
    pub(super) async fn rows(
        &self,
        query: Query<'_, sqlx::Postgres, PgArguments>,
    ) -> Result<Vec<PgRow>, Unavailable> {
        self.rows_within(query, SILENCE).await
    }

    /// The rows of an answer to a question that may take the server some time. The time counts
    /// from row to row, so that a long answer may take longer than a short one.
    pub(super) async fn rows_within(
        &self,
        query: Query<'_, sqlx::Postgres, PgArguments>,
        silence: Duration,
    ) -> Result<Vec<PgRow>, Unavailable> {
        self.rows_while(query, silence, |_| Ok(true)).await
    }

    /// The rows of an answer up to the first one that is not wanted any more.
    pub(super) async fn rows_while(
        &self,
        query: Query<'_, sqlx::Postgres, PgArguments>,
        silence: Duration,
        wanted: impl FnMut(&PgRow) -> sqlx::Result<bool> + Send,
    ) -> Result<Vec<PgRow>, Unavailable> {
        let place = timeout(ACQUIRE, self.places.acquire()).await.map_err(Unavailable::lost)?;
        let _place = place.map_err(Unavailable::lost)?;
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut connection = match idle {
            Some(connection) => connection,
            None => self.open().await?,
        };
        let outcome = collect(&mut connection, query, silence, wanted).await;
        match &outcome {
            Ok((_, true)) => self.keep(connection),
            // The rest of the answer is still to come: cheaper to open another one.
            Ok((_, false)) => {}
            Err(fault) if !fault.is_refusal() => self.close_idle(),
            Err(_) => {}
        }
        outcome.map(|(rows, _)| rows)
    }

    /// Closes the connections nobody uses: what has become of one may have become of all.
    pub(super) fn close_idle(&self) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn keep(&self, connection: PgConnection) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
    }

    async fn open(&self) -> Result<PgConnection, Unavailable> {
        let connection = timeout(SILENCE, self.options.connect()).await;
        connection.map_err(Unavailable::lost)?.map_err(fault)
    }
}

/// The wanted rows, and whether they are the whole answer.
async fn collect(
    connection: &mut PgConnection,
    query: Query<'_, sqlx::Postgres, PgArguments>,
    silence: Duration,
    mut wanted: impl FnMut(&PgRow) -> sqlx::Result<bool>,
) -> Result<(Vec<PgRow>, bool), Unavailable> {
    let mut rows = Vec::new();
    // What has come is taken at once: setting an alarm for each row would cost as much as the row.
    let mut answer = query.fetch(connection).try_ready_chunks(AT_ONCE);
    loop {
        let ready = timeout(silence, answer.try_next()).await.map_err(Unavailable::lost)?;
        let Some(ready) = ready.map_err(|error| fault(error.1))? else { return Ok((rows, true)) };
        for row in ready {
            if !wanted(&row).map_err(fault)? {
                return Ok((rows, false));
            }
            rows.push(row);
        }
    }
}
