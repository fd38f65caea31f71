//! The connections that read the log.
//!
//! Owns how many there are, and how long one may be silent in the middle of an answer.

use std::time::Duration;

use futures_util::TryStreamExt;
use sqlx::{
    PgConnection,
    postgres::{PgArguments, PgConnectOptions, PgRow},
    query::Query,
};
use tokio::time::timeout;

use super::{connections::Connections, silence::SILENCE};
use crate::backend::Unavailable;

/// Connections for all that is read by key or in order, which takes the server no time.
pub(super) const MOST: u32 = 4;
/// Connections for searches, which may take it long: they must not be in the way of anybody who
/// loads, follows the log or hears of rights.
pub(super) const MOST_SEARCHES: u32 = 2;
/// Rows taken at once.
const AT_ONCE: usize = 64;

#[derive(Debug)]
pub(super) struct Readers(Connections);

impl Readers {
    /// So many at most; none is opened yet.
    pub(super) fn new(options: PgConnectOptions, most: u32) -> Self {
        Self(Connections::new(options, most))
    }

    /// Connects once, to fail early.
    pub(super) async fn connect(options: PgConnectOptions) -> Result<Self, Unavailable> {
        let readers = Self::new(options, MOST);
        let mut slot = readers.0.slot().await?;
        slot.connection().await?;
        slot.put_back();
        Ok(readers)
    }

    #[cfg(test)]
    pub(super) async fn slot(&self) -> super::Slot<'_> {
        self.0.slot().await.unwrap()
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
        self.each(query, silence, |row| Ok(Some(row))).await
    }

    /// What is made of each row of an answer, as it comes, up to the first one of which nothing is.
    /// Thousands of rows are not kept until all are there: their memory would be cold by then.
    pub(super) async fn each<T>(
        &self,
        query: Query<'_, sqlx::Postgres, PgArguments>,
        silence: Duration,
        make: impl FnMut(PgRow) -> sqlx::Result<Option<T>> + Send,
    ) -> Result<Vec<T>, Unavailable> {
        let mut slot = self.0.slot().await?;
        let outcome = collect(slot.connection().await?, query, silence, make).await;
        match &outcome {
            Ok((_, true)) => slot.put_back(),
            // The rest of the answer is still to come: cheaper to open another one.
            Ok((_, false)) => {}
            Err(fault) if !fault.is_refusal() => self.close_idle(),
            Err(_) => {}
        }
        outcome.map(|(made, _)| made)
    }

    /// Closes the connections nobody uses.
    pub(super) fn close_idle(&self) {
        self.0.close_idle();
    }
}

/// What is made of rows, and whether of the whole answer.
async fn collect<T>(
    connection: &mut PgConnection,
    query: Query<'_, sqlx::Postgres, PgArguments>,
    silence: Duration,
    mut make: impl FnMut(PgRow) -> sqlx::Result<Option<T>>,
) -> Result<(Vec<T>, bool), Unavailable> {
    let mut all = Vec::new();
    // What has come is taken at once: setting an alarm for each row would cost as much as the row.
    let mut answer = query.fetch(connection).try_ready_chunks(AT_ONCE);
    loop {
        let ready = timeout(silence, answer.try_next()).await.map_err(Unavailable::lost)?;
        let Some(ready) = ready.map_err(|error| error.1)? else { return Ok((all, true)) };
        for row in ready {
            let Some(made) = make(row)? else { return Ok((all, false)) };
            all.push(made);
        }
    }
}

#[cfg(test)]
mod tests {
    use sqlx::Row;
    use testkit::TestDb;

    use super::*;

    async fn readers() -> (TestDb, Readers) {
        let database = testkit::database().await;
        let readers = Readers::connect(database.url.parse().unwrap()).await.unwrap();
        (database, readers)
    }

    /// The server's process behind the connection that is lent next.
    async fn process(readers: &Readers) -> i32 {
        readers.rows(sqlx::query("SELECT pg_backend_pid()")).await.unwrap()[0].get(0)
    }

    #[tokio::test]
    async fn only_after_a_whole_answer_is_a_connection_lent_again() {
        let (_database, readers) = readers().await;
        let first = process(&readers).await;
        assert_eq!(process(&readers).await, first);
        let many = sqlx::query("SELECT generate_series(1, 1000)");
        let none = readers.each(many, SILENCE, |_| Ok(None::<PgRow>)).await.unwrap();
        assert!(none.is_empty());
        assert_ne!(process(&readers).await, first);
    }

    #[tokio::test]
    async fn one_lost_connection_closes_those_that_are_idle() {
        let (_database, readers) = readers().await;
        let (mut one, mut two) = (readers.0.slot().await.unwrap(), readers.0.slot().await.unwrap());
        for slot in [&mut one, &mut two] {
            slot.connection().await.unwrap();
        }
        one.put_back();
        let idle = process(&readers).await;
        two.put_back();
        let silent = readers.rows_within(sqlx::query("SELECT pg_sleep(60)"), Duration::ZERO).await;
        assert!(!silent.unwrap_err().is_refusal());
        assert_ne!(process(&readers).await, idle);
    }
}
