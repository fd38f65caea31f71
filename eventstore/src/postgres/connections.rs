//! Connections to one database, each lent for one answer.
//!
//! Owns how many there are, how long they live, and how long one waits for them. They are no pool of
//! sqlx, because that one asks a connection for a sign of life before it takes it back, and waits
//! for it without end: a network that swallows would use up its places one after another, for good.
//! Here a connection is lent again only if its borrower says that the answer was whole. One that
//! failed, or whose answer was dropped half-way or panicked, is closed: so none has to be looked at
//! before or after, and nothing of a statement can reach the next one.

use std::{
    io, iter, mem,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use sqlx::{ConnectOptions, Connection, PgConnection, postgres::PgConnectOptions};
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::timeout,
};

/// How long one waits for a slot.
const WAIT: Duration = Duration::from_secs(5);
/// How long a connection may take to open.
const OPENING: Duration = Duration::from_secs(3);
/// How old a connection gets: a server process grows with what it has seen.
const LIFETIME: Duration = Duration::from_mins(30);

/// A bounded number of connections, opened as they are needed.
#[derive(Debug)]
pub struct Connections {
    options: PgConnectOptions,
    slots: Semaphore,
    idle: Mutex<Vec<Aging>>,
}

/// The right to one connection at a time. The one it has is closed with it, unless put back.
#[derive(Debug)]
pub struct Slot<'a> {
    connections: &'a Connections,
    _permit: SemaphorePermit<'a>,
    lent: Option<Aging>,
}

#[derive(Debug)]
struct Aging {
    connection: PgConnection,
    until: Instant,
}

impl Connections {
    /// At most so many connections; none is opened yet.
    #[must_use]
    pub fn new(options: PgConnectOptions, most: u32) -> Self {
        let slots = usize::try_from(most).unwrap_or(Semaphore::MAX_PERMITS);
        Self { options, slots: Semaphore::new(slots), idle: Mutex::default() }
    }

    /// Waits for its turn to have a connection.
    ///
    /// # Errors
    /// If all slots stay taken, or there are to be no more connections.
    pub async fn slot(&self) -> sqlx::Result<Slot<'_>> {
        let permit = timeout(WAIT, self.slots.acquire()).await;
        let permit = permit.map_err(|_| sqlx::Error::PoolTimedOut)?;
        let permit = permit.map_err(|_| sqlx::Error::PoolClosed)?;
        Ok(Slot { connections: self, _permit: permit, lent: None })
    }

    /// Closes the connections nobody uses: what has become of one may have become of all.
    pub fn close_idle(&self) {
        self.idle().clear();
    }

    /// Ends the connections nobody uses, and lends no more; the others go with their slots.
    pub async fn close(&self) {
        self.slots.close();
        let idle = mem::take(&mut *self.idle());
        for Aging { connection, .. } in idle {
            // A server that is gone needs no farewell.
            let _ = connection.close().await;
        }
    }

    async fn open(&self) -> sqlx::Result<Aging> {
        let connection = timeout(OPENING, self.options.connect()).await;
        let connection = connection.map_err(io::Error::from)??;
        Ok(Aging { connection, until: Instant::now() + LIFETIME })
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Aging>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slot<'_> {
    /// A connection that is in the middle of nothing: an idle one, or a new one. The one that was
    /// lent before is closed.
    ///
    /// # Errors
    /// If none can be opened.
    pub async fn connection(&mut self) -> sqlx::Result<&mut PgConnection> {
        self.lent = None;
        let now = Instant::now();
        let idle = iter::from_fn(|| self.connections.idle().pop()).find(|idle| now < idle.until);
        let connection = match idle {
            Some(connection) => connection,
            None => self.connections.open().await?,
        };
        Ok(&mut self.lent.insert(connection).connection)
    }

    /// Puts the connection back, to be lent again. Only after a whole answer: the next borrower
    /// would have to wait for the rest.
    pub fn put_back(self) {
        let mut idle = self.connections.idle();
        // Judged under the lock: whoever closes them takes it between closing and clearing.
        if !self.connections.slots.is_closed() {
            idle.extend(self.lent);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use testkit::TestDb;

    use super::*;

    async fn connections(most: u32) -> (TestDb, Connections) {
        let database = testkit::database().await;
        let options: PgConnectOptions = database.url.parse().unwrap();
        let connections = Connections::new(options.application_name("lent"), most);
        (database, connections)
    }

    /// The server's process behind a connection.
    async fn process(slot: &mut Slot<'_>) -> i32 {
        let connection = slot.connection().await.unwrap();
        sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(connection).await.unwrap()
    }

    async fn lend(connections: &Connections) -> i32 {
        let mut slot = connections.slot().await.unwrap();
        let process = process(&mut slot).await;
        slot.put_back();
        process
    }

    #[tokio::test]
    async fn only_what_was_put_back_is_lent_again() {
        let (_database, connections) = connections(1).await;
        let first = lend(&connections).await;
        let mut slot = connections.slot().await.unwrap();
        assert!(connections.slot().now_or_never().is_none(), "the only slot is taken");
        assert_eq!(process(&mut slot).await, first);
        let second = process(&mut slot).await;
        assert_ne!(second, first, "another one in the same slot");
        drop(slot);
        let third = lend(&connections).await;
        assert!(third != first && third != second, "those two are closed");
        connections.close_idle();
        assert_ne!(lend(&connections).await, third);
    }

    #[tokio::test]
    async fn a_connection_past_its_time_is_not_lent() {
        let (_database, connections) = connections(2).await;
        let mut slots = [connections.slot().await.unwrap(), connections.slot().await.unwrap()];
        let [young, old] = &mut slots;
        let (young, old) = (process(young).await, process(old).await);
        slots.into_iter().for_each(Slot::put_back);
        connections.idle()[1].until = Instant::now();
        assert_eq!(lend(&connections).await, young);
        connections.idle()[0].until = Instant::now();
        assert!(![young, old].contains(&lend(&connections).await));
        assert_eq!(connections.idle().len(), 1, "both are closed");
    }

    #[tokio::test]
    async fn closed_ones_are_neither_lent_nor_taken_back() {
        let (_database, connections) = connections(2).await;
        let mut slots = [connections.slot().await.unwrap(), connections.slot().await.unwrap()];
        for slot in &mut slots {
            process(slot).await;
        }
        let [idle, lent] = slots;
        idle.put_back();
        connections.close().await;
        assert!(connections.idle().is_empty());
        assert!(matches!(connections.slot().await, Err(sqlx::Error::PoolClosed)));
        lent.put_back();
        assert!(connections.idle().is_empty());
    }
}
