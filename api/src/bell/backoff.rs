//! How long to wait between two tries to connect.

use std::time::Duration;

use crate::crypto::random;

const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(5);

/// Waits that double up to a bound. Half of each is by chance, so that processes that lost one
/// server together do not come back together.
#[derive(Debug)]
pub(super) struct Backoff(Duration);

impl Default for Backoff {
    fn default() -> Self {
        Self(FIRST)
    }
}

impl Backoff {
    /// How long to wait now.
    pub(super) fn next(&mut self) -> Duration {
        let [chance] = random::<1>();
        let half = self.0 / 2;
        self.0 = self.0.saturating_mul(2).min(LONGEST);
        half + half * u32::from(chance) / 256
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_bound_and_differ() {
        let mut backoff = Backoff::default();
        let mut bound = FIRST;
        for _ in 0..10 {
            let wait = backoff.next();
            assert!(wait >= bound / 2 && wait < bound, "{wait:?} of {bound:?}");
            bound = (bound * 2).min(LONGEST);
        }
        assert_eq!(bound, LONGEST);
        let first = backoff.next();
        assert!((0..64).any(|_| backoff.next() != first), "all the same");
    }
}
