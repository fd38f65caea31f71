//! Lines before what one at a time may do.
//!
//! Refuses to hold a line for everything there is: two may share one, and then wait for one another.

use std::hash::{BuildHasher, Hash, RandomState};

use tokio::sync::{Mutex, MutexGuard};

/// How many lines there are.
const LINES: usize = 1_024;

/// The lines.
#[derive(Debug)]
pub struct Lines {
    lines: Vec<Mutex<()>>,
    hasher: RandomState,
}

impl Default for Lines {
    fn default() -> Self {
        let lines = (0..LINES).map(|_| Mutex::new(())).collect();
        Self { lines, hasher: RandomState::new() }
    }
}

impl Lines {
    /// Waits to be the only one, until what is returned is dropped.
    pub async fn turn(&self, before: &impl Hash) -> Option<MutexGuard<'_, ()>> {
        let hash = usize::try_from(self.hasher.hash_one(before)).unwrap_or_default();
        Some(self.lines.get(hash % LINES)?.lock().await)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn the_next_one_goes_when_the_first_is_done() {
        let lines = Lines::default();
        let first = lines.turn(&7).await;
        let mut second = Box::pin(lines.turn(&7));
        assert!(second.as_mut().now_or_never().is_none());
        drop(first);
        assert!(second.now_or_never().is_some());
    }
}
