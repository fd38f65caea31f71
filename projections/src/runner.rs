//! Keeping a module's live tables up with the log, wherever its lease is held, and the tables beside
//! them clear of what was erased.
//!
//! Owns that the live tables wait for nothing beside them: that has a connection of its own, and ends
//! wherever it is when they are let go of.

use std::{convert::Infallible, time::Duration};

use domain::kernel::Position;
use eventstore::{ABANDONED, Lease, Leases, ParkedEvents, Store, heard};
use sqlx::{PgConnection, PgPool, postgres::PgConnectOptions};
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Instant, sleep, timeout},
};
use uuid::Uuid;

use crate::{
    aside::{self, Cleared, Which},
    engine::{Engine, EngineError},
    lock,
    module::{MODULES, Module},
    wait::Positions,
};

/// Events in one transaction.
const BATCH: usize = 2_000;
/// How far apart transactions are, at least, while the log moves: each costs as much as some dozen
/// events, and a reader that waits for its own write hardly notices.
const PACE: Duration = Duration::from_millis(4);
/// How long a place behind events that are nothing to the tables is only remembered. Whoever waits
/// for it in another process asks no more often.
const REMEMBERED: Duration = Duration::from_millis(20);
/// How long to rest after a fault, or while another process has the lease.
const REST: Duration = Duration::from_millis(500);
/// How often a lease is renewed while nothing happens.
const RENEW: Duration = Duration::from_secs(2);

/// What the runners of all modules need.
#[derive(Debug, Clone)]
pub struct Runner {
    /// The log.
    pub store: Store,
    /// For leases and parked events.
    pub pool: PgPool,
    /// For the connections that write, one a module.
    pub writing: PgConnectOptions,
    /// Told how far each module is.
    pub positions: Positions,
}

/// How long a batch may take at first, which is many small questions: what a network swallowed is
/// begun anew soon. Where it was the server that took so long, as with what sweeps over whole tables,
/// the next try has twice the time, and those behind it have half of that, for a slow server is slow
/// again.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long one may take in the end.
const LONGEST_PATIENCE: Duration = Duration::from_mins(5);
/// How long clearing the tables beside the live ones may take, for which nobody waits.
const SETTLING: Duration = Duration::from_hours(1);
/// How long to rest at most from a server that goes on refusing it.
const REFUSED: Duration = Duration::from_mins(5);

/// The running modules; they stop when it is told to.
#[derive(Debug)]
pub struct RunnerHandle {
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

impl RunnerHandle {
    /// Lets every module finish its batch, gives the leases back, and waits for that.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        while self.tasks.join_next().await.is_some() {}
    }
}

/// Gives something up that takes too long, and the next try twice the time.
async fn patiently<T>(
    patience: &mut Duration,
    work: impl Future<Output = Result<T, EngineError>>,
) -> Result<T, EngineError> {
    let done = timeout(*patience, work).await;
    if done.is_err() {
        *patience = patience.saturating_mul(2).min(LONGEST_PATIENCE);
    }
    done?
}

impl Runner {
    /// Starts all modules.
    #[must_use]
    pub fn start(self) -> RunnerHandle {
        let (stop, stopping) = watch::channel(false);
        let mut tasks = JoinSet::new();
        for module in MODULES {
            tasks.spawn(self.clone().keep(module, stopping.clone()));
        }
        RunnerHandle { stop, tasks }
    }

    async fn keep(self, module: &'static Module, mut stopping: watch::Receiver<bool>) {
        #[expect(clippy::disallowed_methods, reason = "a process names itself once")]
        let owner = Uuid::now_v7();
        let mut patience = PATIENCE;
        while !*stopping.borrow() {
            if let Err(fault) = self.run(module, owner, &mut patience, &stopping).await {
                tracing::warn!(module = module.name, cause = ?fault, "projection interrupted");
            }
            // Either a fault or somebody else's turn: rest, unless it is time to go.
            let _ = timeout(REST, stopping.wait_for(|stop| *stop)).await;
        }
    }

    async fn run(
        &self,
        module: &'static Module,
        owner: Uuid,
        patience: &mut Duration,
        stopping: &watch::Receiver<bool>,
    ) -> Result<(), EngineError> {
        let leases = Leases::new(self.pool.clone());
        let lease = heard(leases.acquire(module.name, module.name, owner)).await??;
        let Some(lease) = lease else {
            return Ok(());
        };
        let outcome = tokio::select! {
            outcome = self.follow(module, (&leases, &lease), patience, stopping) => outcome,
            never = self.settle(module) => match never {},
        };
        if outcome.is_ok() {
            heard(leases.release(&lease)).await??;
        }
        outcome
    }

    async fn follow(
        &self,
        module: &'static Module,
        (leases, lease): (&Leases, &Lease),
        patience: &mut Duration,
        stopping: &watch::Receiver<bool>,
    ) -> Result<(), EngineError> {
        let (mut connection, mut engine) = patiently(patience, self.open(module)).await?;
        if lease.position == Position(0) {
            heard(leases.stamp(lease, &module.fingerprint())).await??;
        }
        let mut subscription = self.store.subscribe(lease.position).paced(PACE);
        self.positions.reached(module.name, lease.position);
        let mut used = Instant::now();
        let mut remembered: Option<Instant> = None;
        while !*stopping.borrow() {
            let left = |since: Instant| REMEMBERED.saturating_sub(since.elapsed());
            let events = subscription.next_within(BATCH, remembered.map_or(RENEW, left)).await?;
            if engine.concerns(&events) {
                let taken = engine.take_in(&mut connection, &self.store, lease, &events);
                patiently(patience, leases.keeping(lease, taken)).await?;
                *patience = (*patience / 2).max(PATIENCE);
                (used, remembered) = (Instant::now(), None);
            } else if !events.is_empty() {
                engine.pass_over(&events);
                remembered.get_or_insert_with(Instant::now);
            }
            self.positions.reached(module.name, subscription.position());
            if remembered.is_some_and(|since| since.elapsed() >= REMEMBERED) {
                heard(engine.checkpoint(&mut connection, lease)).await??;
                (used, remembered) = (Instant::now(), None);
            } else if used.elapsed() > RENEW {
                // Keeps the lease, and learns of a swap while nothing happens.
                heard(leases.renew(lease)).await??;
                used = Instant::now();
            }
        }
        if remembered.is_some() {
            heard(engine.checkpoint(&mut connection, lease)).await??;
        }
        Ok(())
    }

    /// Clears beside the live tables what whoever made tables there was kept from clearing, and what
    /// whoever had the lease before could not even note.
    async fn settle(&self, module: &'static Module) -> Infallible {
        let (mut which, mut refused) = (Which::All, RENEW);
        loop {
            let begun = Instant::now();
            let settled = timeout(SETTLING, self.settle_once(module, which)).await;
            let mut rest = RENEW;
            match settled.map_err(EngineError::from).flatten() {
                Ok(Cleared::Yes) => (which, refused) = (Which::Owing, RENEW),
                Ok(Cleared::Refused) => {
                    which = Which::Owing;
                    rest = refused;
                    refused = refused.saturating_mul(2).min(REFUSED);
                }
                Ok(Cleared::Busy) => {}
                Err(cause) => {
                    tracing::warn!(module = module.name, %cause, "what was erased may be left somewhere");
                }
            }
            // As long as it took, so that the server is not at this alone.
            sleep(begun.elapsed().max(rest)).await;
        }
    }

    async fn settle_once(
        &self,
        module: &'static Module,
        which: Which,
    ) -> Result<Cleared, EngineError> {
        let due = async { aside::is_due(&mut *self.pool.acquire().await?, module, which).await };
        if !heard(due).await?? {
            return Ok(Cleared::Yes);
        }
        Ok(aside::settle(&mut lock::connect(&self.writing).await?, module, which).await?)
    }

    async fn open(&self, module: &'static Module) -> Result<(PgConnection, Engine), EngineError> {
        let parked = ParkedEvents::new(self.pool.clone());
        let parked = heard(parked.list(Some((module.name, module.name)))).await??;
        // Whoever takes over needs the rows that a transaction without an end has locked.
        let writing = self.writing.clone().options([ABANDONED]);
        let mut connection = heard(lock::connect(&writing)).await??;
        let engine = Engine::open(&mut connection, module, module.name, &parked).await?;
        Ok((connection, engine))
    }
}
