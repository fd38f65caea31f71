//! Time and ids, the two things only the edge makes.
//!
//! Owns the one reading of the system clock and the one minting of ids. Everything behind the
//! edge receives them as arguments, which is what makes it testable and replayable.

use std::{fmt, sync::Arc};

use domain::kernel::{Timestamp, micros};
use uuid::Uuid;

/// Where "now" comes from. Read once a request.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl Clock {
    /// The system's clock.
    #[must_use]
    pub fn system() -> Self {
        #[expect(
            clippy::disallowed_methods,
            reason = "this is the edge's one reading of the clock"
        )]
        Self(Arc::new(chrono::Utc::now))
    }

    /// A clock of the caller's making: sandboxes and tests move time.
    #[must_use]
    pub fn new(read: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Arc::new(read))
    }

    /// The present instant, in microseconds.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        micros((self.0)())
    }

    /// The present instant in whole seconds since 1970, as tokens carry it.
    #[must_use]
    pub fn seconds(&self) -> u64 {
        u64::try_from(self.now().timestamp()).unwrap_or_default()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

/// A fresh id: UUIDv7, so that ids of one kind sort by age.
#[must_use]
pub fn mint() -> Uuid {
    #[expect(clippy::disallowed_methods, reason = "this is the edge's one minting of ids")]
    Uuid::now_v7()
}

#[cfg(test)]
mod tests {
    use domain::kernel::testing::at;

    use super::*;

    #[test]
    fn a_clock_can_be_set_and_is_cut_to_microseconds() {
        let clock = Clock::new(|| at(7) + chrono::Duration::nanoseconds(1_999));
        assert_eq!(clock.now(), at(7) + chrono::Duration::microseconds(1));
        assert_eq!(clock.seconds(), 1_767_225_607);
    }

    #[test]
    fn ids_sort_by_age() {
        let (older, newer) = (mint(), mint());
        assert!(older < newer);
        assert_eq!(older.get_version_num(), 7);
    }
}
