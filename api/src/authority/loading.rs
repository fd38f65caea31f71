//! Loads under way: one at a time for each standing, and word of what touches it meanwhile.
//!
//! A standing in use is asked for many times in the moment it is due. Were each of them to load
//! it, all would wait for the tables and the database together, and a busy server would be shut to
//! everybody. Refuses to keep what an event touched after the load had begun.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
    time::Instant,
};

use domain::kernel::Position;
use tokio::sync::{Mutex, MutexGuard};

use super::{Authority, Key, Standing};
use crate::door;

/// Lines in which loads stand. Two standings may share one, and then wait for one another.
const LINES: usize = 1_024;

/// The lines before loads.
#[derive(Debug)]
pub(super) struct Lines(Vec<Mutex<()>>);

impl Lines {
    pub(super) fn new() -> Self {
        Self((0..LINES).map(|_| Mutex::new(())).collect())
    }

    /// Waits until nobody else loads a standing.
    pub(super) async fn turn(&self, key: &Key) -> Option<MutexGuard<'_, ()>> {
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        let number = usize::try_from(hasher.finish()).unwrap_or_default() % LINES;
        let line = self.0.get(number)?;
        if line.try_lock().is_err() {
            // With nothing in hand: who comes back may have to wait for a place.
            door::aside(async { drop(line.lock().await) }).await;
        }
        Some(line.lock().await)
    }
}

/// A load under way, until it is dropped.
pub(super) struct Loading<'a> {
    authority: &'a Authority,
    key: Key,
    /// Everything up to here is in what is loaded now; what touches it later voids it.
    pub(super) seen: Position,
}

impl<'a> Loading<'a> {
    pub(super) fn begin(authority: &'a Authority, key: Key) -> Self {
        let mut kept = authority.lock();
        kept.loading.insert(key, false);
        let head = *authority.inner.store.watch_head().borrow();
        Self { authority, key, seen: head.max(kept.changed) }
    }

    /// Keeps what was loaded, unless an event touched it meanwhile.
    pub(super) fn keep(&self, standing: &Arc<Standing>) {
        let mut kept = self.authority.lock();
        if kept.loading.get(&self.key) == Some(&false) {
            kept.standings.put(self.key, (Instant::now(), standing.clone()));
        }
    }
}

impl Drop for Loading<'_> {
    fn drop(&mut self) {
        self.authority.lock().loading.remove(&self.key);
    }
}
