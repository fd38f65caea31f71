//! Logs with a known bug, to see that the checker is not blind.
//!
//! A planted bug sits between the clients and a correct log in memory, which is also made to lose
//! answers, so that the search has unknown outcomes to deal with.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use eventstore::Store;
use fastrand::Rng;
use futures_util::{FutureExt, future::BoxFuture};
use tokio::task::yield_now;
use uuid::Uuid;

use crate::{
    linearizability::{Commands, Output},
    log::Log,
};

/// What can be wrong with a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bug {
    /// An append is acknowledged and not in the log.
    LostAppend,
    /// An append that is tried again is written again.
    DoubledRetry,
    /// What was acknowledged is not there yet for some readers.
    StaleRead,
    /// The expected version is not looked at.
    UncheckedVersion,
    /// A conflict is answered as if the append had gone through.
    AcknowledgedConflict,
}

impl Bug {
    /// Every bug there is.
    pub const ALL: [Self; 5] = [
        Self::LostAppend,
        Self::DoubledRetry,
        Self::StaleRead,
        Self::UncheckedVersion,
        Self::AcknowledgedConflict,
    ];
}

/// How many in a hundred calls a bug strikes in, and how many lose their answer.
const PERCENT: u32 = 10;

/// A log that loses answers, and may have a bug.
#[derive(Debug)]
pub struct Planted {
    store: Store,
    bug: Option<Bug>,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    rng: Rng,
    tried: HashMap<u64, u64>,
    stale: HashMap<Uuid, Commands>,
}

impl Planted {
    /// Plants a bug in front of a log, or none.
    #[must_use]
    pub fn new(store: Store, bug: Option<Bug>, seed: u64) -> Self {
        let rng = Rng::with_seed(seed);
        let inner = Inner { rng, tried: HashMap::new(), stale: HashMap::new() };
        Self { store, bug, inner: Mutex::new(inner) }
    }

    fn with<T>(&self, act: impl FnOnce(&mut Inner) -> T) -> T {
        act(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn happens(&self) -> bool {
        self.with(|inner| inner.rng.u32(..100) < PERCENT)
    }

    fn strikes(&self, bug: Bug) -> bool {
        self.bug == Some(bug) && self.happens()
    }

    /// Lets others go first, as a network would.
    async fn dawdle(&self) {
        for _ in 0..self.with(|inner| inner.rng.u32(..6)) {
            yield_now().await;
        }
    }

    async fn append_badly(
        &self,
        stream: Uuid,
        expected: Option<i32>,
        command: u64,
    ) -> Option<Output> {
        let tries = self.with(|inner| {
            let tries = inner.tried.entry(command).or_default();
            *tries = tries.saturating_add(1);
            *tries
        });
        let claimed = expected.map(|expected| expected.saturating_add(1));
        let position = async || self.store.head().await.map_or(0, |head| head.0);
        if let Some(version) = claimed.filter(|_| self.strikes(Bug::LostAppend)) {
            let position = position().await.saturating_add(1);
            return Some(Output::Committed { version, position });
        }
        if let Some(version) = claimed.filter(|_| self.strikes(Bug::UncheckedVersion)) {
            let written = Log::append(&self.store, stream, None, command).await;
            return match written {
                Some(Output::Committed { position, .. }) => {
                    Some(Output::Committed { version, position })
                }
                other => other,
            };
        }
        if self.bug == Some(Bug::DoubledRetry) && tries > 1 {
            // Another command id for the same event: the log cannot know.
            let again = command.saturating_add(tries << 32);
            return Log::append(&self.store, stream, None, again).await;
        }
        match (Log::append(&self.store, stream, expected, command).await, claimed) {
            (Some(Output::Conflict { .. }), Some(version))
                if self.strikes(Bug::AcknowledgedConflict) =>
            {
                Some(Output::Committed { version, position: position().await })
            }
            (outcome, _) => outcome,
        }
    }
}

impl Log for Planted {
    fn append(
        &self,
        stream: Uuid,
        expected: Option<i32>,
        command: u64,
    ) -> BoxFuture<'_, Option<Output>> {
        async move {
            self.dawdle().await;
            if self.happens() {
                return None;
            }
            let outcome = self.append_badly(stream, expected, command).await;
            self.dawdle().await;
            outcome.filter(|_| !self.happens())
        }
        .boxed()
    }

    fn read(&self, stream: Uuid) -> BoxFuture<'_, Option<Output>> {
        async move {
            self.dawdle().await;
            let outcome = Log::read(&self.store, stream).await;
            let stale = self.with(|inner| inner.stale.get(&stream).cloned());
            if let Some(stale) = stale.filter(|_| self.strikes(Bug::StaleRead)) {
                return Some(Output::Events(stale));
            }
            if let Some(Output::Events(commands)) = &outcome {
                self.with(|inner| inner.stale.insert(stream, Commands(Arc::clone(&commands.0))));
            }
            self.dawdle().await;
            outcome
        }
        .boxed()
    }
}

#[cfg(test)]
#[expect(clippy::print_stdout, reason = "a trial says what it found")]
mod tests {
    use eventstore::{MasterKey, Memory};

    use super::*;
    use crate::trials::linear::{Shape, drive, judge};

    const SEEDS: u64 = 20;
    const SHAPE: Shape = Shape { clients: 8, operations: 20, streams: 2 };

    async fn verdict(bug: Option<Bug>, seed: u64) -> Result<u64, String> {
        let store = Store::memory(Memory::new(), MasterKey::new(&[7; 32], &[])).await.unwrap();
        let log: Arc<dyn Log> = Arc::new(Planted::new(store.clone(), bug, seed));
        let recorder = drive(&[log], &store, SHAPE, seed).await;
        judge(recorder).map(|judged| judged.unknown)
    }

    #[tokio::test]
    async fn a_correct_log_is_found_correct() {
        let mut unknown = 0;
        for seed in 0..SEEDS {
            unknown += verdict(None, seed).await.unwrap();
        }
        println!("no bug: {SEEDS} seeds, {unknown} unknown outcomes, no false alarm");
        assert!(unknown > 0);
    }

    async fn is_caught(bug: Bug) {
        for seed in 0..SEEDS {
            if let Err(told) = verdict(Some(bug), seed).await {
                println!("{bug:?} is caught by seed {seed}: {told}");
                return;
            }
        }
        panic!("{bug:?} goes unnoticed in {SEEDS} seeds");
    }

    #[tokio::test]
    async fn a_lost_append_is_caught() {
        is_caught(Bug::LostAppend).await;
    }

    #[tokio::test]
    async fn a_doubled_retry_is_caught() {
        is_caught(Bug::DoubledRetry).await;
    }

    #[tokio::test]
    async fn a_stale_read_is_caught() {
        is_caught(Bug::StaleRead).await;
    }

    #[tokio::test]
    async fn an_unchecked_version_is_caught() {
        is_caught(Bug::UncheckedVersion).await;
    }

    #[tokio::test]
    async fn an_acknowledged_conflict_is_caught() {
        is_caught(Bug::AcknowledgedConflict).await;
    }
}
