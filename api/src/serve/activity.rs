//! Whether a connection still does something: begins requests, or takes what it is sent.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
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
    /// Bytes of answers that have not been taken, on all connections.
    untaken: Arc<AtomicUsize>,
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
    /// When the next piece of each answer on its way must have been taken.
    outgoing: BTreeMap<u64, Instant>,
    /// Bytes of answers that have not been taken.
    untaken: usize,
    /// How many answers have been sent or begun.
    answers: u64,
    sent_away: bool,
}

impl Activity {
    pub(super) fn new(patience: Patience, untaken: Arc<AtomicUsize>) -> Self {
        let state = State {
            under_way: 0,
            answering: 0,
            any: false,
            quiet_since: Instant::now(),
            take_by: None,
            outgoing: BTreeMap::new(),
            untaken: 0,
            answers: 0,
            sent_away: false,
        };
        let (state, hurry) = (Mutex::new(state), Notify::new());
        Self(Arc::new(Inner { state, patience, untaken, hurry }))
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

    /// The body of an answer goes out, of so many bytes, until the guard is dropped.
    pub(super) fn taking(&self, bytes: usize) -> Taking {
        let mut state = self.lock();
        state.untaken = state.untaken.saturating_add(bytes);
        if !state.sent_away {
            self.0.untaken.fetch_add(bytes, Ordering::Relaxed);
        }
        state.answers = state.answers.wrapping_add(1);
        let answer = state.answers;
        state.outgoing.insert(answer, Instant::now() + self.0.patience.taking);
        drop(state);
        self.0.hurry.notify_one();
        Taking { activity: self.clone(), answer, untaken: bytes }
    }

    /// Bytes of answers that have not been taken, and when the next piece of the one that has lain
    /// longest is due; `None` while the client is not waited for.
    pub(super) fn lying(&self) -> Option<(usize, Instant)> {
        let state = self.lock();
        let due = state.outgoing.values().min()?;
        Some((state.untaken, *due))
    }

    /// Something was written. Answers to pings are, too, so this alone is no sign of life.
    pub(super) fn wrote(&self, bytes: usize) {
        let mut state = self.lock();
        state.take_by = state.take_by.map(|take_by| self.later(take_by, bytes));
    }

    /// Until when somebody who took so much is waited for.
    fn later(&self, take_by: Instant, bytes: usize) -> Instant {
        let earned = f64::from(u32::try_from(bytes).unwrap_or(u32::MAX)) / LEAST_RATE;
        let latest = Instant::now() + self.0.patience.taking;
        // Whatever was earned before, a client that stops is given no longer than another.
        (take_by + Duration::from_secs_f64(earned)).min(latest)
    }

    /// The client takes no more for now. Whoever hurries looks at the connection again, which tries
    /// to write again: said each time, this would go round and round.
    pub(super) fn blocked(&self) {
        let mut state = self.lock();
        if state.take_by.is_none() {
            state.take_by = Some(Instant::now() + self.0.patience.taking);
            self.0.hurry.notify_one();
        }
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
        let quiet = if state.under_way > 0 || !state.outgoing.is_empty() {
            Instant::now() + patience.later
        } else {
            state.quiet_since + if state.any { patience.later } else { patience.first }
        };
        state.outgoing.values().copied().chain(state.take_by).fold(quiet, Instant::min)
    }

    /// Since when the server has waited for the client; `None` while the client waits for us.
    pub(super) fn waited_for_since(&self) -> Option<Instant> {
        let state = self.lock();
        (state.answering == 0).then_some(state.quiet_since)
    }

    /// Ends the connection, in favour of another. What it holds counts as free from here on: until
    /// it is, nobody else has to go for it.
    pub(super) fn send_away(&self) {
        let mut state = self.lock();
        if !state.sent_away {
            self.0.untaken.fetch_sub(state.untaken, Ordering::Relaxed);
        }
        state.sent_away = true;
        drop(state);
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

/// The body of an answer that goes out.
pub(super) struct Taking {
    activity: Activity,
    answer: u64,
    untaken: usize,
}

impl Taking {
    /// The client has room for so much more, so it has taken what was sent before.
    pub(super) fn took(&mut self, bytes: usize) {
        let activity = self.activity.clone();
        let mut state = activity.lock();
        self.less(&mut state, bytes);
        state.quiet_since = Instant::now();
        let latest = Instant::now() + self.activity.0.patience.taking;
        let before = state.outgoing.get(&self.answer).copied().unwrap_or(latest);
        state.outgoing.insert(self.answer, self.activity.later(before, bytes));
    }

    fn less(&mut self, state: &mut State, bytes: usize) {
        let taken = bytes.min(self.untaken);
        self.untaken = self.untaken.saturating_sub(taken);
        state.untaken = state.untaken.saturating_sub(taken);
        if !state.sent_away {
            self.activity.0.untaken.fetch_sub(taken, Ordering::Relaxed);
        }
    }

    /// The client has taken all there is, and more is about to come.
    pub(super) fn waits_for_us(&self) {
        self.activity.lock().outgoing.remove(&self.answer);
    }
}

impl Drop for Taking {
    fn drop(&mut self) {
        let activity = self.activity.clone();
        let mut state = activity.lock();
        self.less(&mut state, usize::MAX);
        state.outgoing.remove(&self.answer);
        state.quiet_since = Instant::now();
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn activity() -> Activity {
        let patience = Patience { first: SECOND, later: 60 * SECOND, taking: 10 * SECOND };
        Activity::new(patience, Arc::default())
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
    fn who_goes_on_taking_nothing_is_no_news() {
        let activity = activity();
        activity.blocked();
        assert!(activity.hurried().now_or_never().is_some());
        activity.blocked();
        assert!(activity.hurried().now_or_never().is_none());
        activity.taken();
        activity.blocked();
        assert!(activity.hurried().now_or_never().is_some());
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

    #[test]
    fn who_leaves_one_answer_lying_is_not_saved_by_taking_another() {
        let activity = activity();
        let left = || activity.deadline() - Instant::now();
        drop(activity.begin());
        let (lying, mut taken) = (activity.taking(500), activity.taking(1_000_001));
        let first = activity.deadline();
        assert!(left() <= 10 * SECOND);
        taken.took(1_000_000);
        assert_eq!(activity.lying(), Some((501, first)));
        assert_eq!(activity.deadline(), first);
        lying.waits_for_us();
        assert!(activity.deadline() > first && left() <= 10 * SECOND);
        drop((lying, taken));
        assert_eq!(activity.lying(), None);
        assert_eq!(activity.0.untaken.load(Ordering::Relaxed), 0);
        assert!(left() > 50 * SECOND);
        // Pings are answered, and count for nothing.
        let quiet = activity.deadline();
        activity.wrote(17);
        assert_eq!(activity.deadline(), quiet);
    }
}
