//! Who is connected, and who has to go when there is no room.
//!
//! A bound on connections alone would be a gift to whoever opens that many and says nothing: all
//! others would wait until those are timed out. When the house is full, whoever has kept the server
//! waiting longest goes for the next who comes. Whoever is being answered never does.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use super::activity::Activity;

/// KiB of answers that clients have not taken, over all connections.
const ANSWER_BUDGET_KIB: usize = 65_536;

/// The connections there are.
#[derive(Debug, Clone, Default)]
pub(super) struct Seats(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    next: AtomicU64,
    taken: Mutex<HashMap<u64, Activity>>,
    /// Bytes of answers that have not been taken, on all connections.
    untaken: Arc<AtomicUsize>,
}

impl Seats {
    /// A connection begins; its seat is given back when the guard is dropped.
    pub(super) fn take(&self, activity: Activity) -> Seat {
        let number = self.0.next.fetch_add(1, Ordering::Relaxed);
        self.lock().insert(number, activity);
        Seat { seats: self.clone(), number }
    }

    /// Sends away whoever has kept the server waiting longest; whether there was anybody.
    pub(super) fn make_room(&self) -> bool {
        let mut taken = self.lock();
        let waited_for = taken
            .iter()
            .filter_map(|(number, activity)| Some((activity.waited_for_since()?, *number)));
        let longest = waited_for.min().and_then(|(_, number)| taken.remove(&number));
        longest.inspect(Activity::send_away).is_some()
    }

    /// Where connections count what their clients have not taken.
    pub(super) fn untaken(&self) -> Arc<AtomicUsize> {
        Arc::clone(&self.0.untaken)
    }

    /// Sends away whoever leaves most of what it asked for lying, if that is too much in all.
    pub(super) fn keep_answers_within_bounds(&self) {
        if self.0.untaken.load(Ordering::Relaxed) <= ANSWER_BUDGET_KIB << 10 {
            return;
        }
        let mut taken = self.lock();
        let untaken = taken.iter().map(|(number, activity)| (activity.untaken(), *number));
        let most = untaken.max().and_then(|(_, number)| taken.remove(&number));
        drop(most.inspect(Activity::send_away));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Activity>> {
        self.0.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A seat.
pub(super) struct Seat {
    seats: Seats,
    number: u64,
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.seats.lock().remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::*;
    use crate::serve::activity::Patience;

    #[test]
    fn who_leaves_most_lying_goes_when_it_is_too_much_in_all() {
        let seats = Seats::default();
        let minute = Duration::from_secs(60);
        let patience = Patience { first: minute, later: minute, taking: minute };
        let activity = || Activity::new(patience, seats.untaken());
        let (modest, greedy) = (activity(), activity());
        let _seats = (seats.take(modest.clone()), seats.take(greedy.clone()));
        let half = ANSWER_BUDGET_KIB << 9;
        let (one, other) = (modest.taking(half), greedy.taking(half));
        seats.keep_answers_within_bounds();
        assert!(greedy.deadline() > Instant::now());
        let more = greedy.taking(1);
        seats.keep_answers_within_bounds();
        // It is not gone yet, and nobody has to go in its place.
        seats.keep_answers_within_bounds();
        assert!(greedy.deadline() <= Instant::now() && modest.deadline() > Instant::now());
        drop((one, other, more));
        assert_eq!(seats.untaken().load(Ordering::Relaxed), 0);
    }
}
