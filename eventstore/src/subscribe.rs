//! Following the log: every event once, in order, from memory where possible.

use std::{sync::Arc, time::Duration};

use domain::kernel::Position;
use tokio::sync::watch;

use crate::{
    backend::{Backend, Unavailable},
    event::Stored,
    feed::Feed,
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
        Self { backend, feed, head, poll, position: after, in_vain: Position(0) }
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
        if self.feed.after(self.position, 1).is_none() {
            // Nothing in memory: wait for word, then look, for other processes write too. A head
            // that led nowhere, as after a failover that lost events, is no reason to look again.
            let head = *self.head.borrow_and_update();
            if head <= self.position || head == self.in_vain {
                drop(tokio::time::timeout(self.poll, self.head.changed()).await);
            }
        }
        let known = *self.head.borrow();
        let mut events = match self.feed.after(self.position, most) {
            Some(events) => events,
            None => self.read(self.position, most).await?,
        };
        self.complete(&mut events).await?;
        match events.last() {
            Some(last) => {
                self.position = last.envelope.position;
                self.feed.raise(self.position);
            }
            None => self.in_vain = known,
        }
        Ok(events)
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
