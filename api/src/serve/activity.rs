//! Whether a connection still does something: begins requests, or takes what it is sent.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// Requests under way on a connection, and when the last one ended.
#[derive(Debug, Clone)]
pub(super) struct Activity(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    under_way: usize,
    any: bool,
    quiet_since: Instant,
}

impl Activity {
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(State { under_way: 0, any: false, quiet_since: Instant::now() })))
    }

    /// A request begins; it ends when the guard is dropped.
    pub(super) fn begin(&self) -> UnderWay {
        let mut state = self.lock();
        state.under_way += 1;
        state.any = true;
        UnderWay(self.clone())
    }

    /// Something was written.
    pub(super) fn touch(&self) {
        self.lock().quiet_since = Instant::now();
    }

    /// Until when the connection may stay as quiet as it is.
    pub(super) fn deadline(&self, first: Duration, later: Duration) -> Instant {
        let state = self.lock();
        if state.under_way > 0 {
            return Instant::now() + later;
        }
        state.quiet_since + if state.any { later } else { first }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request under way.
pub(super) struct UnderWay(Activity);

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.under_way = state.under_way.saturating_sub(1);
        state.quiet_since = Instant::now();
    }
}
