//! Loads under way, and word of what touches them meanwhile.
//!
//! Refuses to keep what an event touched after the load had begun.

use std::sync::Arc;

use domain::kernel::Position;

use super::{Authority, Key, Standing};

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
            kept.standings.put(self.key, standing.clone());
        }
    }
}

impl Drop for Loading<'_> {
    fn drop(&mut self) {
        self.authority.lock().loading.remove(&self.key);
    }
}
