//! Whether a connection still does something: begins requests, or takes what it is sent.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::Notify, time::Instant};

/// Bytes a second that a client must take of an answer it does not keep up with.
const LEAST_RATE: f64 = 240.0;

/// How long a connection may be waited for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// For the first request.
    pub(super) first: Duration,
    /// For a further request.
    pub(super) later: Duration,
    /// For an answer to be taken, beyond what its length allows.
    pub(super) taking: Duration,
}

/// Requests under way on a connection, and for how long it has kept the server waiting.
#[derive(Debug, Clone)]
pub(super) struct Activity(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    state: Mutex<State>,
    patience: Patience,
    /// The deadline came nearer.
    hurry: Notify,
}

#[derive(Debug)]
struct State {
    /// Requests that are read or answered.
    under_way: usize,
    /// Requests that only we keep waiting.
    answering: usize,
    any: bool,
    quiet_since: Instant,
    /// When a client that does not keep up must have taken what there is.
    take_by: Option<Instant>,
    sent_away: bool,
}

impl Activity {
    pub(super) fn new(patience: Patience) -> Self {
        let state = State {
            under_way: 0,
            answering: 0,
            any: false,
            quiet_since: Instant::now(),
            take_by: None,
            sent_away: false,
        };
        Self(Arc::new(Inner { state: Mutex::new(state), patience, hurry: Notify::new() }))
    }

    /// A request begins to arrive; it ends when the guard is dropped.
    pub(super) fn begin(&self) -> UnderWay {
        let mut state = self.lock();
        state.under_way += 1;
        state.any = true;
        UnderWay(self.clone())
    }

    /// A request has arrived and is answered until the guard is dropped.
    pub(super) fn answering(&self) -> Answering {
        self.lock().answering += 1;
        Answering(self.clone())
    }

    /// Something was written.
    pub(super) fn wrote(&self, bytes: usize) {
        let mut state = self.lock();
        state.quiet_since = Instant::now();
        if let Some(take_by) = state.take_by {
            let earned = f64::from(u32::try_from(bytes).unwrap_or(u32::MAX)) / LEAST_RATE;
            let latest = Instant::now() + self.0.patience.taking;
            // Whatever was earned before, a client that stops is given no longer than another.
            state.take_by = Some((take_by + Duration::from_secs_f64(earned)).min(latest));
        }
    }

    /// The client takes no more for now.
    pub(super) fn blocked(&self) {
        let latest = Instant::now() + self.0.patience.taking;
        self.lock().take_by.get_or_insert(latest);
        self.0.hurry.notify_one();
    }

    /// The client has taken everything.
    pub(super) fn taken(&self) {
        self.lock().take_by = None;
    }

    /// Until when the connection may stay as quiet as it is.
    pub(super) fn deadline(&self) -> Instant {
        let (state, patience) = (self.lock(), self.0.patience);
        if state.sent_away {
            return Instant::now();
        }
        let quiet = if state.under_way > 0 {
            Instant::now() + patience.later
        } else {
            state.quiet_since + if state.any { patience.later } else { patience.first }
        };
        state.take_by.map_or(quiet, |take_by| take_by.min(quiet))
    }

    /// Since when the server has waited for the client; `None` while the client waits for us.
    pub(super) fn waited_for_since(&self) -> Option<Instant> {
        let state = self.lock();
        (state.answering == 0).then_some(state.quiet_since)
    }

    /// Ends the connection, in favour of another.
    pub(super) fn send_away(&self) {
        self.lock().sent_away = true;
        self.0.hurry.notify_one();
    }

    /// Comes when the deadline may be nearer than it was.
    pub(super) async fn hurried(&self) {
        self.0.hurry.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
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

/// A request that is answered.
pub(super) struct Answering(Activity);

impl Drop for Answering {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.answering = state.answering.saturating_sub(1);
        state.quiet_since = Instant::now();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn activity() -> Activity {
        Activity::new(Patience { first: SECOND, later: 60 * SECOND, taking: 10 * SECOND })
    }

    #[test]
    fn who_takes_nothing_of_an_answer_is_waited_for_no_longer_than_another() {
        let activity = activity();
        let left = || activity.deadline() - Instant::now();
        assert!(left() <= SECOND);
        drop(activity.begin());
        assert!(left() > 50 * SECOND);
        activity.blocked();
        let first = activity.deadline();
        assert!(left() <= 10 * SECOND);
        activity.blocked();
        assert_eq!(activity.deadline(), first);
        activity.wrote(1_000_000);
        assert!(activity.deadline() > first && left() <= 10 * SECOND);
        activity.taken();
        assert!(left() > 50 * SECOND);
    }

    #[test]
    fn who_is_answered_keeps_nobody_waiting() {
        let activity = activity();
        let arriving = activity.begin();
        let since = activity.waited_for_since();
        assert!(since.is_some());
        let answering = activity.answering();
        assert_eq!(activity.waited_for_since(), None);
        drop((answering, arriving));
        assert!(activity.waited_for_since() > since);
        activity.send_away();
        assert!(activity.deadline() <= Instant::now());
    }
}
