//! What policies and timers do, on a real database.

mod deadlines;
mod runner;
mod user_exit;
mod welcome;

use std::time::Duration;

use commands::policy::{Policies, PolicyHandle, PolicyRunner};
use domain::kernel::Aggregate;
use eventstore::{MasterKey, Postgres, Processes, Store};
use testkit::TestDb;
use tokio::time::timeout;

use crate::support::{Human, World};

/// A world on a database, and policies that can be started.
struct Stage {
    db: TestDb,
    world: World,
}

/// Policies that run.
struct Running {
    policies: Policies,
    handle: PolicyHandle,
}

impl Stage {
    async fn new() -> Self {
        let db = testkit::database().await;
        let postgres = Postgres::connect(db.url.parse().unwrap()).await.unwrap();
        let store = Store::postgres(postgres, MasterKey::new(&[7; 32], &[])).await.unwrap();
        Self { world: World::over(store).await, db }
    }

    fn processes(&self) -> Processes {
        Processes::new(self.db.pool.clone())
    }

    fn start(&self) -> Running {
        let store = self.world.store.clone();
        let runner = PolicyRunner::new(store, self.processes(), self.world.clock());
        Running { policies: runner.policies(), handle: runner.start() }
    }

    /// Runs the policies until they have dealt with everything, and stops them.
    async fn settle(&self) {
        let running = self.start();
        self.quiet(&running).await;
        running.handle.stop().await;
    }

    /// Waits until there is nothing left to deal with.
    async fn quiet(&self, running: &Running) {
        let waiting = async {
            loop {
                let head = self.world.head().await;
                let waited = running.policies.wait(head).await;
                if waited.is_ok() && self.world.head().await == head {
                    return;
                }
            }
        };
        timeout(Duration::from_secs(20), waiting).await.unwrap();
    }

    /// As if the process had died after its commands, and before any checkpoint.
    async fn forget_checkpoints(&self) {
        for table in ["checkpoints", "process_state", "timers"] {
            let sql = sqlx::AssertSqlSafe(format!("DELETE FROM eventstore.{table}"));
            sqlx::query(sql).execute(&self.db.pool).await.unwrap();
        }
    }

    /// Waits until the state of an aggregate is such.
    async fn until<A: Aggregate>(&self, id: A::Id, is_so: impl Fn(&A) -> bool) {
        let mut head = self.world.store.watch_head();
        let waiting = async {
            while !is_so(&self.world.state::<A>(id).await) {
                head.changed().await.unwrap();
            }
        };
        timeout(Duration::from_secs(20), waiting).await.unwrap();
    }
}

/// The slug of the organization a new user gets.
fn own_slug(human: Human) -> String {
    let hex = human.user.uuid().simple().to_string();
    format!("u-{}", &hex[20..])
}
