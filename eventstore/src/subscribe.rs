//! Following the log: every event once, in order, from memory where possible.

use std::{sync::Arc, time::Duration};

use domain::kernel::Position;
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Instant, sleep_until, timeout},
};

use crate::{
    backend::{Backend, Unavailable},
    event::Stored,
    feed::Feed,
    scan::Hole,
};

/// How long a reader waits for word of new events before it looks for itself.
pub(crate) const POLL: Duration = Duration::from_millis(200);

/// A place in the log that moves forward.
pub struct Subscription {
    backend: Arc<dyn Backend>,
    feed: Arc<Feed>,
    head: watch::Receiver<Position>,
    poll: Duration,
    position: Position,
    /// The head that was known when a look found nothing.
    in_vain: Position,
    ahead: Option<Ahead>,
    /// How far apart answers with events are, at least, and when the next may come.
    pace: Duration,
    due: Option<Instant>,
}

/// The page after the one handed out, being read while that is used: server and reader need not
/// wait for each other. Never more than one, so that a slow reader holds two pages at most.
struct Ahead {
    after: Position,
    most: usize,
    /// One task, which ends with this.
    reading: JoinSet<Result<Vec<Stored>, Unavailable>>,
}

impl std::fmt::Debug for Subscription {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Subscription(after {})", self.position)
    }
}

impl Subscription {
    pub(crate) fn new(
        backend: Arc<dyn Backend>,
        feed: Arc<Feed>,
        poll: Duration,
        after: Position,
    ) -> Self {
        let head = feed.head();
        let (position, in_vain, pace) = (after, Position(0), Duration::ZERO);
        Self { backend, feed, head, poll, position, in_vain, ahead: None, pace, due: None }
    }

    /// Lets events gather while the log moves fast, so that answers come at least this far apart.
    /// Whoever pays for each answer rather than for each event pays less; an event that follows
    /// none for as long is answered at once.
    #[must_use]
    pub fn paced(self, pace: Duration) -> Self {
        Self { pace, ..self }
    }

    /// The last position handed out.
    #[must_use]
    pub const fn position(&self) -> Position {
        self.position
    }

    /// The next events, whole appends only, about `most` of them; empty if none came within the
    /// polling interval. An append is never split, so an answer may exceed `most` a little.
    ///
    /// # Errors
    /// If the log cannot be reached; the place is kept and the call can be repeated.
    pub async fn next(&mut self, most: usize) -> Result<Vec<Stored>, Unavailable> {
        self.next_within(most, self.poll).await
    }

    /// As [`Self::next`], for whoever has something else to do before long: without word of new
    /// events for so long, if that is less than the polling interval, the answer is empty, and the
    /// log is not asked.
    ///
    /// # Errors
    /// As [`Self::next`].
    pub async fn next_within(
        &mut self,
        most: usize,
        wait: Duration,
    ) -> Result<Vec<Stored>, Unavailable> {
        if let Some(due) = self.due.take() {
            sleep_until(due).await;
        }
        if self.feed.after(self.position, 1).is_none() && self.ahead.is_none() {
            // Nothing in memory: wait for word, then look, for other processes write too. A head
            // that led nowhere, as after a failover that lost events, is no reason to look again.
            let head = *self.head.borrow_and_update();
            if head <= self.position || head == self.in_vain {
                let word = timeout(wait.min(self.poll), self.head.changed()).await;
                if word.is_err() && wait < self.poll {
                    return Ok(Vec::new());
                }
            }
        }
        let known = *self.head.borrow();
        let ahead = self.ahead.take();
        let recent = self.feed.after(self.position, most);
        let is_recent = recent.is_some();
        let mut events = match recent {
            Some(events) => events,
            None => self.page(ahead, most).await?,
        };
        if let Some(last) = events.last().filter(|_| !is_recent) {
            let found = i64::try_from(events.len()).unwrap_or(i64::MAX);
            Hole::unless_whole(self.position, last.envelope.position, found)?;
        }
        let is_read = !is_recent && !events.is_empty();
        self.complete(&mut events).await?;
        match events.last() {
            Some(last) => {
                // A full answer says that there is more, which has gathered long enough.
                let gathers = !self.pace.is_zero() && events.len() < most;
                self.due = gathers.then(|| Instant::now() + self.pace);
                self.position = last.envelope.position;
                self.feed.raise(self.position);
            }
            None => self.in_vain = known,
        }
        if is_read && self.position < known {
            self.ahead = Some(self.read_ahead(most));
        }
        Ok(events)
    }

    /// The next page of the log, if it was not read ahead.
    async fn page(&self, ahead: Option<Ahead>, most: usize) -> Result<Vec<Stored>, Unavailable> {
        match ahead {
            Some(mut ahead) if ahead.after == self.position && ahead.most <= most => {
                match ahead.reading.join_next().await {
                    Some(Ok(page)) => page,
                    Some(Err(_)) | None => Err(Unavailable::stopped()),
                }
            }
            Some(_) | None => page(&*self.backend, self.position, most).await,
        }
    }

    fn read_ahead(&self, most: usize) -> Ahead {
        let (backend, after) = (self.backend.clone(), self.position);
        let mut reading = JoinSet::new();
        reading.spawn(async move { page(&*backend, after, most).await });
        Ahead { after, most, reading }
    }

    /// Reads on to the end of the last append.
    async fn complete(&self, events: &mut Vec<Stored>) -> Result<(), Unavailable> {
        let Some(last) = events.last().map(|event| event.envelope.clone()) else { return Ok(()) };
        let missing = last.append_last.0.saturating_sub(last.position.0);
        if let Ok(missing @ 1..) = usize::try_from(missing) {
            events.extend(match self.feed.after(last.position, missing) {
                Some(rest) if rest.len() == missing => rest,
                Some(_) | None => self.read(last.position, missing).await?,
            });
        }
        Ok(())
    }

    async fn read(&self, after: Position, most: usize) -> Result<Vec<Stored>, Unavailable> {
        self.backend.read(after, i64::try_from(most).unwrap_or(i64::MAX)).await
    }
}

async fn page(
    backend: &dyn Backend,
    after: Position,
    most: usize,
) -> Result<Vec<Stored>, Unavailable> {
    backend.page(after, i64::try_from(most).unwrap_or(i64::MAX)).await
}
