//! The log in PostgreSQL: one call a batch, gapless positions in commit order.
//!
//! Owns all SQL of schema `eventstore`. The writing connection is its own, never pooled: no
//! other transaction can linger on it, and its planner settings suit small keyed look-ups.

mod append;
mod connections;
mod pages;
mod parked;
mod process;
mod processes;
mod read;
mod readers;
mod silence;
mod survey;
mod timers;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use domain::kernel::{KeyId, Position, TenantId, Version};
use futures_util::FutureExt;
use sqlx::{ConnectOptions, PgConnection, postgres::PgConnectOptions};
use tokio::sync::Mutex;
use uuid::Uuid;

use crate::{
    backend::{Answer, Backend, CommandRecord, Filter, Sealed, Unavailable, Verdict},
    event::{Fact, Stored},
    failpoint::failpoint,
    postgres::{readers::Readers, silence::SILENCE},
    scan::Span,
};

pub use connections::{Connections, Slot};
pub use parked::{Parked, ParkedEvents};
pub use process::{ProcessStates, StateChanges, StateKey};
pub use processes::{Notes, Processes};
pub use silence::{ABANDONED, NOTICED, heard, lending};
pub use survey::{Consumer, Survey, survey};
pub use timers::{DueTimers, Timer, Timers};

/// For how long a read is tried again: connections may have died with a server that is back.
const AGAIN: Duration = Duration::from_secs(1);
/// How long to rest in between.
const PAUSE: Duration = Duration::from_millis(20);

/// The log in a PostgreSQL database.
#[derive(Debug)]
pub struct Postgres {
    readers: Readers,
    searchers: Readers,
    writing: PgConnectOptions,
    writer: Mutex<Option<PgConnection>>,
}

impl Postgres {
    /// Connects to a migrated database.
    ///
    /// # Errors
    /// If it cannot be reached.
    pub async fn connect(options: PgConnectOptions) -> Result<Self, Unavailable> {
        let keyed = options.options([
            ("enable_seqscan", "off"),
            ("enable_hashjoin", "off"),
            ("enable_mergejoin", "off"),
            ("jit", "off"),
            ("max_parallel_workers_per_gather", "0"),
            // What is seen under the lock of the log must be what the last holder left.
            ("default_transaction_isolation", "read committed"),
        ]);
        let reading = keyed.clone().application_name("commonhold log reader");
        let searching = reading.clone().options([("statement_timeout", "10s")]);
        let searchers = Readers::new(searching, readers::MOST_SEARCHES);
        let readers = Readers::connect(reading.options([("statement_timeout", "30s")])).await?;
        let writing = keyed.application_name("commonhold log writer").options([
            ("plan_cache_mode", "force_generic_plan"),
            ("lock_timeout", "10s"),
            ("statement_timeout", "20s"),
            ("synchronous_commit", "on"),
        ]);
        // A batch whose end is lost on its way leaves the server waiting inside a transaction that
        // holds the lock of the whole log, and between messages of one statement nothing else ends
        // it.
        let writing = writing.options(NOTICED).options([ABANDONED]);
        Ok(Self { readers, searchers, writing, writer: Mutex::new(None) })
    }

    async fn write(&self, batch: &[Arc<Sealed>]) -> Result<Vec<Verdict>, Unavailable> {
        let judged = match tokio::time::timeout(SILENCE, self.call(batch)).await {
            Ok(judged) => judged?,
            Err(silence) => {
                self.readers.close_idle();
                return Err(Unavailable::lost(silence));
            }
        };
        let mut verdicts = Vec::with_capacity(judged.len());
        for (verdict, append) in judged.into_iter().zip(batch) {
            verdicts.push(match verdict {
                Some(verdict) => verdict,
                // Looked up outside the lock; whoever recorded it has committed.
                None => self.recorded(append).await.map(Verdict::Duplicate)?,
            });
        }
        Ok(verdicts)
    }

    async fn call(&self, batch: &[Arc<Sealed>]) -> Result<Vec<Option<Verdict>>, Unavailable> {
        let mut slot = self.writer.lock().await;
        // Taken out: a connection that fails, or whose call is dropped half-way, is not put back.
        let mut connection = match slot.take() {
            Some(connection) => connection,
            None => self.writing.connect().await?,
        };
        failpoint("append.call");
        let outcome = append::append(&mut connection, batch).await.map_err(Unavailable::from);
        failpoint("append.called");
        if outcome.as_ref().err().is_none_or(Unavailable::is_refusal) {
            *slot = Some(connection);
        }
        outcome
    }

    async fn reading<T, F>(&self, ask: impl Fn() -> F) -> Result<T, Unavailable>
    where
        F: Future<Output = Result<T, Unavailable>>,
    {
        let since = Instant::now();
        loop {
            match ask().await {
                Err(fault) if !fault.is_refusal() && since.elapsed() < AGAIN => {
                    tokio::time::sleep(PAUSE).await;
                }
                outcome => return outcome,
            }
        }
    }

    async fn recorded(&self, append: &Sealed) -> Result<CommandRecord, Unavailable> {
        let (tenant, id) = (append.command.tenant, append.command.id);
        let record = self.reading(|| read::command(&self.readers, tenant, id)).await?;
        Ok(record.ok_or(sqlx::Error::RowNotFound)?)
    }
}

/// Tells a lost connection, worth another try, from a refusal of the server.
impl From<sqlx::Error> for Unavailable {
    fn from(error: sqlx::Error) -> Self {
        use sqlx::Error as E;
        let code = error.as_database_error().map(|refusal| refusal.code().unwrap_or_default());
        let lost = match code.as_deref() {
            Some("53100") => return Self::full(error),
            Some("57014") => return Self::given_up(error),
            Some(code) => PASSING.iter().any(|class| code.starts_with(class)),
            None => !matches!(
                error,
                E::ColumnDecode { .. } | E::Decode(_) | E::Encode(_) | E::RowNotFound
            ),
        };
        if lost { Self::lost(error) } else { Self::refused(error) }
    }
}

/// What a server says while it is not itself: connection lost, transaction rolled back or on a
/// stand-by, no resources, shutting down or starting up, lock not had.
const PASSING: [&str; 6] = ["08", "25006", "40", "53", "57P", "55P03"];

impl Backend for Postgres {
    fn append<'a>(&'a self, batch: &'a [Arc<Sealed>]) -> Answer<'a, Vec<Verdict>> {
        self.write(batch).boxed()
    }

    fn load<'a>(&'a self, wanted: &'a [(Uuid, Version)]) -> Answer<'a, Vec<Fact>> {
        self.reading(move || read::load(&self.readers, wanted)).boxed()
    }

    fn stream(&self, stream: Uuid, after: Version) -> Answer<'_, Vec<Stored>> {
        self.reading(move || read::stream(&self.readers, stream, after)).boxed()
    }

    fn read<'a>(&'a self, after: Position, limit: i64) -> Answer<'a, Vec<Stored>> {
        self.reading(move || read::read(&self.readers, after, limit)).boxed()
    }

    fn page<'a>(&'a self, after: Position, limit: i64) -> Answer<'a, Vec<Stored>> {
        self.reading(move || pages::page(&self.readers, after, limit)).boxed()
    }

    fn span<'a>(&'a self, after: Position, limit: i64, types: &'a [String]) -> Answer<'a, Span> {
        self.reading(move || pages::span(&self.readers, after, limit, types)).boxed()
    }

    fn search<'a>(&'a self, filter: &'a Filter) -> Answer<'a, Vec<Stored>> {
        // What took too long once does so again.
        let ask = move || async move {
            match read::search(&self.searchers, filter).await {
                Err(fault) if fault.is_given_up() => Ok(Err(fault)),
                outcome => outcome.map(Ok),
            }
        };
        async move { self.reading(ask).await.flatten() }.boxed()
    }

    fn log_id(&self) -> Answer<'_, String> {
        self.reading(move || read::log_id(&self.readers)).boxed()
    }

    fn head(&self) -> Answer<'_, Position> {
        self.reading(move || read::head(&self.readers)).boxed()
    }

    fn claim_owner<'a>(&'a self, scope: &'a str, key: &'a str) -> Answer<'a, Option<Uuid>> {
        self.reading(move || read::claim_owner(&self.readers, scope, key)).boxed()
    }

    fn claim_owners<'a>(
        &'a self,
        scope: &'a str,
        prefix: &'a str,
        limit: i64,
    ) -> Answer<'a, Vec<(String, Uuid)>> {
        self.reading(move || read::claim_owners(&self.readers, scope, prefix, limit)).boxed()
    }

    fn command(&self, tenant: TenantId, id: Uuid) -> Answer<'_, Option<CommandRecord>> {
        self.reading(move || read::command(&self.readers, tenant, id)).boxed()
    }

    fn keys<'a>(
        &'a self,
        wanted: &'a [KeyId],
        offered: &'a [(KeyId, Vec<u8>)],
    ) -> Answer<'a, Vec<(KeyId, Option<Vec<u8>>)>> {
        self.reading(move || read::keys(&self.readers, wanted, offered)).boxed()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::future::join_all;
    use sqlx::Row;

    use super::*;

    #[tokio::test]
    async fn the_server_gives_a_search_up_before_we_do() {
        let database = testkit::database().await;
        let log = Postgres::connect(database.url.parse().unwrap()).await.unwrap();
        let rows = log.searchers.rows(sqlx::query("SHOW statement_timeout")).await.unwrap();
        assert_eq!(rows[0].get::<&str, _>(0), "10s");
        assert!(read::SEARCHING > Duration::from_secs(10));
        database.close().await;
    }

    #[tokio::test]
    async fn a_search_that_takes_too_long_is_given_up_at_once() {
        let database = testkit::database().await;
        let options: PgConnectOptions = database.url.parse().unwrap();
        let mut log = Postgres::connect(options.clone()).await.unwrap();
        let impatient = options.options([("statement_timeout", "50ms")]);
        log.searchers = Readers::new(impatient, readers::MOST_SEARCHES);
        let mut locked = database.pool.begin().await.unwrap();
        sqlx::raw_sql("LOCK TABLE eventstore.events").execute(&mut *locked).await.unwrap();
        let since = Instant::now();
        let fault = log.search(&Filter { limit: 1, ..Filter::default() }).await.unwrap_err();
        assert!(fault.is_given_up(), "{fault:?}");
        assert!(since.elapsed() < AGAIN, "it was asked again");
        locked.rollback().await.unwrap();
        database.close().await;
    }

    #[tokio::test]
    async fn searches_are_in_nobodys_way() {
        let database = testkit::database().await;
        let log = Postgres::connect(database.url.parse().unwrap()).await.unwrap();
        let everything = Filter { limit: 1, ..Filter::default() };
        let searching = join_all((0..readers::MOST_SEARCHES).map(|_| log.searchers.slot())).await;
        assert_eq!(log.head().await.unwrap(), Position(0));
        drop(searching);
        let reading = join_all((0..readers::MOST).map(|_| log.readers.slot())).await;
        assert!(log.search(&everything).await.unwrap().is_empty());
        drop(reading);
        database.close().await;
    }
}
