//! Asking the read tables: connections of their own, one round trip a query.
//!
//! Owns a few connections for each role that reads. A connection is lent to one statement outside
//! of any transaction, and again only once its answer is complete: so nothing of a query can reach
//! the next one.

use std::{
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use eventstore::{Connections, Slot};
use migrations::Role;
use sqlx::postgres::{PgConnectOptions, PgRow};
use tokio::time::{sleep, timeout};

use crate::{
    page::{Page, PageRequest, QueryError},
    query::{Query, Ready},
    row::Row,
};

/// For how long a query is asked again: connections may have died with a server that is back.
const AGAIN: Duration = Duration::from_secs(1);
/// How long an answer may take: longer than the server allows, for networks that swallow.
const PATIENCE: Duration = Duration::from_secs(6);
/// How long to rest between two attempts.
const REST: Duration = Duration::from_millis(20);

/// One connection for operators to so many for tenants.
const OPERATORS_PART: u32 = 4;

/// Reads tables.
#[derive(Debug, Clone)]
pub struct Reader {
    tenants: Arc<Connections>,
    operators: Arc<Connections>,
}

impl Reader {
    /// A reader with at most so many connections for tenants, and a quarter as many for operators.
    /// The login must be allowed to take on [`Role::App`] and [`Role::Operator`].
    #[must_use]
    pub fn new(login: &PgConnectOptions, most: u32) -> Self {
        let tenants = connections(login, Role::App, most);
        let operators = connections(login, Role::Operator, most.div_ceil(OPERATORS_PART));
        Self { tenants, operators }
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
        let connections = match query.role() {
            Role::Operator => &self.operators,
            Role::App | Role::Projector => &self.tenants,
        };
        let rows = ask(connections, &query.finish()?).await?;
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

/// Connections of one role.
fn connections(login: &PgConnectOptions, role: Role, most: u32) -> Arc<Connections> {
    let options = login
        .clone()
        .application_name("commonhold reader")
        .options([("role", role.as_str()), ("statement_timeout", "5s")]);
    Arc::new(Connections::new(options, most))
}

/// Asks on whatever connection is free, again on another if it was lost.
async fn ask(connections: &Connections, query: &Ready) -> Result<Vec<PgRow>, sqlx::Error> {
    let mut slot = connections.slot().await?;
    let begun = Instant::now();
    loop {
        match attempt(&mut slot, query).await {
            Ok(rows) => {
                slot.put_back();
                return Ok(rows);
            }
            Err(fault) if is_lost(&fault) && begun.elapsed() < AGAIN => {
                // The others were opened to the same server: they died with this one.
                connections.close_idle();
                sleep(REST).await;
            }
            Err(fault) => return Err(fault),
        }
    }
}

async fn attempt(slot: &mut Slot<'_>, query: &Ready) -> Result<Vec<PgRow>, sqlx::Error> {
    let answer = query.statement().fetch_all(slot.connection().await?);
    timeout(PATIENCE, answer).await.map_err(io::Error::from)?
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
