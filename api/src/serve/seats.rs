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

    /// While clients leave too much of what they asked for lying, sends away whoever has left it
    /// lying longest. Not who leaves most: that would be the one who has just been answered, where
    /// many leave a little each. Who holds less than half of what is usual stays, because it would
    /// go for nothing.
    pub(super) fn keep_answers_within_bounds(&self) {
        let untaken = || self.0.untaken.load(Ordering::Relaxed);
        if untaken() <= ANSWER_BUDGET_KIB << 10 {
            return;
        }
        let mut taken = self.lock();
        while untaken() > ANSWER_BUDGET_KIB << 10 {
            let little = untaken() / 2 / taken.len().max(1);
            let lying = taken.iter().filter_map(|(number, activity)| {
                let (bytes, due) = activity.lying()?;
                (bytes > little).then_some((due, *number))
            });
            let Some((_, number)) = lying.min() else { return };
            drop(taken.remove(&number).inspect(Activity::send_away));
        }
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
        let gone = self.seats.lock().remove(&self.number);
        // Nobody else has to go for what it held.
        drop(gone.inspect(Activity::send_away));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::*;
    use crate::serve::activity::Patience;

    fn activity(seats: &Seats) -> Activity {
        let minute = Duration::from_secs(60);
        let patience = Patience { first: minute, later: minute, taking: minute };
        Activity::new(patience, seats.untaken())
    }

    fn is_sent_away(activity: &Activity) -> bool {
        activity.deadline() <= Instant::now()
    }

    #[test]
    fn who_leaves_answers_lying_longest_goes_when_it_is_too_much_in_all() {
        let seats = Seats::default();
        let [little, first, second, last] = [(); 4].map(|()| activity(&seats));
        let _seats = [&little, &first, &second, &last].map(|one| seats.take(one.clone()));
        let half = ANSWER_BUDGET_KIB << 9;
        let answers = [little.taking(1), first.taking(half - 1), second.taking(half)];
        seats.keep_answers_within_bounds();
        assert!(![&little, &first, &second].into_iter().any(is_sent_away));
        // Whoever has just been answered is not to blame, however large the answer.
        let large = last.taking(half + 1);
        seats.keep_answers_within_bounds();
        // They are not gone yet, and nobody has to go in their place.
        seats.keep_answers_within_bounds();
        let sent_away = [&little, &first, &second, &last].map(is_sent_away);
        assert_eq!(sent_away, [false, true, true, false]);
        drop((answers, large));
        assert_eq!(seats.untaken().load(Ordering::Relaxed), 0);
    }

    #[test]
    fn nobody_goes_for_what_somebody_held_who_is_gone() {
        let seats = Seats::default();
        let gone = activity(&seats);
        let seat = seats.take(gone.clone());
        let answer = gone.taking(ANSWER_BUDGET_KIB << 10);
        drop(seat);
        assert_eq!(seats.untaken().load(Ordering::Relaxed), 0);
        drop(answer);
        assert_eq!(seats.untaken().load(Ordering::Relaxed), 0);
    }

    #[test]
    fn who_waits_for_us_leaves_nothing_lying() {
        let seats = Seats::default();
        let [waiting, first, last] = [(); 3].map(|()| activity(&seats));
        let _seats = [&waiting, &first, &last].map(|one| seats.take(one.clone()));
        let answers = [&waiting, &first, &last].map(|one| one.taking(ANSWER_BUDGET_KIB << 9));
        answers[0].waits_for_us();
        seats.keep_answers_within_bounds();
        assert_eq!([&waiting, &first, &last].map(is_sent_away), [false, true, false]);
    }
}
