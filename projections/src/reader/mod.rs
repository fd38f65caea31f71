//! Asking the read tables: connections of their own, one round trip a query.
//!
//! Owns a few connections for each role that reads. A connection is taken out for one statement
//! outside of any transaction and put back only once its answer is complete: one that failed, or
//! whose query was dropped half-way or panicked, is never lent again. So none has to be looked at
//! before or after a query, and nothing of a query can reach the next one.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use migrations::Role;
use sqlx::{
    ConnectOptions, Connection, PgConnection,
    postgres::{PgConnectOptions, PgRow},
};
use tokio::{
    sync::Semaphore,
    time::{sleep, timeout},
};

use crate::{
    page::{Page, PageRequest, QueryError},
    query::{Query, Ready},
    row::Row,
};

/// How long a query waits for a connection.
const WAIT: Duration = Duration::from_secs(5);
/// For how long a query is asked again: connections may have died with a server that is back.
const AGAIN: Duration = Duration::from_secs(1);
/// How long a connection may take to open.
const OPENING: Duration = Duration::from_secs(3);
/// How long an answer may take: longer than the server allows, for networks that swallow.
const PATIENCE: Duration = Duration::from_secs(6);
/// How long to rest between two attempts.
const REST: Duration = Duration::from_millis(20);
/// How old a connection gets: a server process grows with what it has seen.
const LIFETIME: Duration = Duration::from_secs(30 * 60);

/// Reads tables.
#[derive(Debug, Clone)]
pub struct Reader {
    tenants: Arc<Lane>,
    operators: Arc<Lane>,
}

impl Reader {
    /// A reader with at most so many connections for tenants, and a quarter as many for operators.
    /// The login must be allowed to take on [`Role::App`] and [`Role::Operator`].
    #[must_use]
    pub fn new(login: &PgConnectOptions, most: u32) -> Self {
        let lane = |role, most| Arc::new(Lane::new(login, role, most));
        Self { tenants: lane(Role::App, most), operators: lane(Role::Operator, most.div_ceil(4)) }
    }

    /// Closes the connections that are not in use; the others go with their queries.
    pub async fn close(&self) {
        self.tenants.close().await;
        self.operators.close().await;
    }

    /// What a query answers, read row by row.
    pub(crate) async fn fetch<T>(
        &self,
        query: Query,
        read: impl Fn(&PgRow) -> Result<T, sqlx::Error>,
    ) -> Result<Vec<T>, QueryError> {
        let lane = match query.role() {
            Role::Operator => &self.operators,
            Role::App | Role::Projector => &self.tenants,
        };
        let rows = lane.ask(&query.finish()?).await?;
        Ok(rows.iter().map(read).collect::<Result<_, _>>()?)
    }

    /// The first row of a query of a table's rows.
    pub(crate) async fn one<R: Row>(&self, query: Query) -> Result<Option<R>, QueryError> {
        Ok(self.rows(query).await?.into_iter().next())
    }

    /// All rows of a query of a table's rows.
    pub(crate) async fn rows<R: Row>(&self, query: Query) -> Result<Vec<R>, QueryError> {
        self.fetch(query, |row| R::read(row, 0)).await
    }

    /// One page of a query of a table's rows that is already ordered and placed; `place` says
    /// where a row stands in the order.
    pub(crate) async fn page<R: Row, K>(
        &self,
        query: Query,
        request: &PageRequest<K>,
        place: impl Fn(&R) -> K,
    ) -> Result<Page<R, K>, QueryError> {
        self.page_of(query, request, |row| R::read(row, 0), place).await
    }

    /// One page of a query of any shape that is already ordered and placed; `read` understands
    /// what it selects.
    pub(crate) async fn page_of<T, K>(
        &self,
        mut query: Query,
        request: &PageRequest<K>,
        read: impl Fn(&PgRow) -> Result<T, sqlx::Error>,
        place: impl Fn(&T) -> K,
    ) -> Result<Page<T, K>, QueryError> {
        let limit = request.limit();
        query.push(" LIMIT ").push_bind(i64::from(limit).saturating_add(1));
        let mut rows = self.fetch(query, read).await?;
        let more = rows.len() > usize::from(limit);
        rows.truncate(usize::from(limit));
        let next = if more { rows.last().map(place) } else { None };
        Ok(Page { rows, next })
    }
}

/// The connections of one role.
#[derive(Debug)]
struct Lane {
    options: PgConnectOptions,
    free: Semaphore,
    idle: Mutex<Vec<Link>>,
}

#[derive(Debug)]
struct Link {
    connection: PgConnection,
    since: Instant,
}

impl Lane {
    fn new(login: &PgConnectOptions, role: Role, most: u32) -> Self {
        let options = login
            .clone()
            .application_name("commonhold reader")
            .options([("role", role.as_str()), ("statement_timeout", "5s")]);
        let free = Semaphore::new(usize::try_from(most).unwrap_or(Semaphore::MAX_PERMITS));
        Self { options, free, idle: Mutex::default() }
    }

    /// Asks on whatever connection is free, again on another if it was lost.
    async fn ask(&self, query: &Ready) -> Result<Vec<PgRow>, sqlx::Error> {
        let _permit = timeout(WAIT, self.free.acquire())
            .await
            .map_err(|_| sqlx::Error::PoolTimedOut)?
            .map_err(|_| sqlx::Error::PoolClosed)?;
        let begun = Instant::now();
        loop {
            match self.attempt(query).await {
                Err(fault) if is_lost(&fault) && begun.elapsed() < AGAIN => {
                    // The others were opened to the same server: they died with this one.
                    self.idle().clear();
                    sleep(REST).await;
                }
                outcome => return outcome,
            }
        }
    }

    async fn attempt(&self, query: &Ready) -> Result<Vec<PgRow>, sqlx::Error> {
        let idle = self.idle().pop();
        let mut link = match idle {
            Some(link) => link,
            None => {
                let connection = timeout(OPENING, self.options.connect()).await;
                let connection = connection.map_err(silent)??;
                Link { connection, since: Instant::now() }
            }
        };
        let rows = timeout(PATIENCE, query.statement().fetch_all(&mut link.connection)).await;
        let rows = rows.map_err(silent)??;
        if link.since.elapsed() < LIFETIME && !self.free.is_closed() {
            self.idle().push(link);
        }
        Ok(rows)
    }

    async fn close(&self) {
        self.free.close();
        let idle = std::mem::take(&mut *self.idle());
        for link in idle {
            // A server that is gone needs no farewell.
            let _ = link.connection.close().await;
        }
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Link>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn silent(elapsed: tokio::time::error::Elapsed) -> sqlx::Error {
    sqlx::Error::Io(elapsed.into())
}

/// Tells a lost connection, or a server that is going or coming, from an answer that stays.
fn is_lost(fault: &sqlx::Error) -> bool {
    use sqlx::Error as E;
    match fault.as_database_error() {
        Some(refusal) => {
            let code = refusal.code().unwrap_or_default();
            code.starts_with("08") || code.starts_with("57P")
        }
        None => matches!(fault, E::Io(_) | E::Tls(_) | E::Protocol(_)),
    }
}

#[cfg(test)]
mod tests;
