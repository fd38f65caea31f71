//! What a process of the platform has running beside its requests, as it wires it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use commands::{
    notify::{Letter, Notifier, NotifierHandle, Post, PostError, Retry},
    policy::{PolicyHandle, PolicyRunner},
};
use domain::kernel::Timestamp;
use eventstore::{Leases, Processes, Store, lending};
use futures_util::{FutureExt, future::BoxFuture};
use migrations::Role;
use projections::{Positions, Runner, RunnerHandle};
use sqlx::{PgPool, postgres::PgConnectOptions};
use tokio::time::sleep;
use uuid::Uuid;

use super::Violation;
use crate::trials::ground::now;

/// Longest time a letter takes to be handed over.
const HANDED_OVER_MICROS: u64 = 4_000;

/// The followers of one process.
pub(super) struct Process {
    pool: PgPool,
    policies: PolicyHandle,
    letters: NotifierHandle,
    tables: RunnerHandle,
}

impl Process {
    /// Starts them; the journal knows the process by its name.
    pub(super) async fn start(
        name: &str,
        options: &PgConnectOptions,
        store: &Store,
        pile: &Arc<Pile>,
    ) -> Result<Self, Violation> {
        let options = options.clone().application_name(name);
        let pool = lending(16).connect_with(options.clone()).await?;
        let processes = Processes::new(pool.clone());
        let policies = PolicyRunner::new(store.clone(), processes.clone(), Arc::new(now)).start();
        let letters = Notifier {
            store: store.clone(),
            processes,
            post: pile.clone(),
            since: Timestamp::UNIX_EPOCH,
            retry: Retry::default(),
        };
        let tables = Runner {
            store: store.clone(),
            pool: pool.clone(),
            writing: options.options([("role", Role::Projector.as_str())]),
            positions: Positions::new(Leases::new(pool.clone())),
        };
        Ok(Self { pool, policies, letters: letters.start(), tables: tables.start() })
    }

    /// Lets all of them finish.
    pub(super) async fn stop(self) {
        self.policies.stop().await;
        self.letters.stop().await;
        self.tables.stop().await;
        self.pool.close().await;
    }
}

/// Counts the letters it was handed, by their ids.
#[derive(Debug, Default)]
pub(super) struct Pile(Mutex<HashMap<Uuid, u64>>);

impl Pile {
    /// How often it was handed each letter.
    pub(super) fn taken(&self) -> HashMap<Uuid, u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn take(&self, letter: Uuid) {
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let times = taken.entry(letter).or_default();
        *times = times.saturating_add(1);
    }
}

impl Post for Pile {
    /// Takes a letter, and is slow to say so: meanwhile the lease may go.
    fn deliver(&self, letter: Letter) -> BoxFuture<'_, Result<(), PostError>> {
        async move {
            self.take(letter.id);
            sleep(Duration::from_micros(fastrand::u64(..HANDED_OVER_MICROS))).await;
            Ok(())
        }
        .boxed()
    }
}
