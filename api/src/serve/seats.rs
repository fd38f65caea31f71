//! Who is connected, and who has to go when there is no room.
//!
//! A bound on connections alone would be a gift to whoever opens that many and says nothing: all
//! others would wait until those are timed out. When the house is full, whoever has kept the server
//! waiting longest goes for the next who comes. Whoever is being answered never does.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use super::activity::Activity;

/// The connections there are.
#[derive(Debug, Clone, Default)]
pub(super) struct Seats(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    next: AtomicU64,
    taken: Mutex<HashMap<u64, Activity>>,
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
