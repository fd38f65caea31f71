//! A database with our log and the tables made from it.

use std::time::Duration;

use anyhow::Result;
use domain::kernel::Position;
use eventstore::{Leases, Store};
use projections::{MODULES, Positions, Reader, Replay, Runner, RunnerHandle};
use sqlx::{PgPool, postgres::PgPoolOptions};

use crate::{
    ours,
    server::{Database, Server},
};

/// Connections of the pool that leases and waiting readers share, and of the one for queries.
const CONNECTIONS: u32 = 16;
/// How often a long wait looks again.
const LOOK: Duration = Duration::from_millis(5);

/// The read model of one log.
pub struct Tables {
    /// Where it is.
    pub database: Database,
    /// The log.
    pub store: Store,
    /// For queries.
    pub pool: PgPool,
    /// How far each module is.
    pub positions: Positions,
}

impl Tables {
    /// On a new database.
    pub async fn new(server: &Server, name: &str) -> Result<Self> {
        let database = server.migrated(name).await?;
        let options = PgPoolOptions::new().max_connections(CONNECTIONS).test_before_acquire(false);
        let pool = options.connect_with(database.options.clone()).await?;
        let positions = Positions::new(Leases::new(pool.clone()));
        Ok(Self { store: ours::open(&database.options).await?, database, pool, positions })
    }

    /// The same log seen by a process that has just started.
    pub async fn reopen(&mut self) -> Result<()> {
        self.store = ours::open(&self.database.options).await?;
        Ok(())
    }

    /// Starts keeping all tables up with the log.
    pub fn start(&self) -> RunnerHandle {
        let runner = Runner {
            store: self.store.clone(),
            pool: self.pool.clone(),
            writing: self.database.options.clone(),
            positions: self.positions.clone(),
        };
        runner.start()
    }

    /// Waits until all tables hold the log up to a position, however long that takes.
    pub async fn caught_up(&self, position: Position) {
        for module in MODULES {
            while self.positions.known(module.name) < position {
                tokio::time::sleep(LOOK).await;
            }
        }
    }

    /// The tool that rebuilds.
    pub fn replay(&self) -> Replay {
        Replay::new(self.store.clone(), self.pool.clone(), self.database.options.clone())
    }

    /// For queries.
    pub fn reader(&self) -> Reader {
        Reader::new(&self.database.options, CONNECTIONS)
    }

    /// Ends everything.
    pub async fn close(self, server: &Server) -> Result<()> {
        self.pool.close().await;
        server.drop(self.database).await
    }
}
