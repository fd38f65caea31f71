//! One line before each busy aggregate, so that a hot one does not retry its way through
//! group commits.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use uuid::Uuid;

/// Most callers that may wait before one aggregate, or be under way on it.
const MOST_WAITING: usize = 512;

/// The lines, one for each aggregate somebody works on.
#[derive(Default)]
pub(crate) struct Queues {
    lines: Arc<Mutex<HashMap<Uuid, Line>>>,
}

struct Line {
    turn: Arc<Semaphore>,
    callers: usize,
}

/// The right to work on an aggregate in this process; the next in line goes when it is passed on or
/// dropped.
///
/// It only avoids wasted work: what protects the stream is the version checked at append.
pub struct Ticket {
    stream: Uuid,
    lines: Arc<Mutex<HashMap<Uuid, Line>>>,
    permit: Option<OwnedSemaphorePermit>,
}

impl Ticket {
    /// Lets the next in line go. One counts as a caller until the ticket is dropped, so that no
    /// aggregate has more of them than may wait.
    pub fn pass_on(&mut self) {
        self.permit = None;
    }
}

impl std::fmt::Debug for Ticket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Ticket({})", self.stream)
    }
}

impl Queues {
    /// Waits for a turn; `None` if too many wait already.
    pub(crate) async fn wait(&self, stream: Uuid) -> Option<Ticket> {
        let (turn, mut ticket) = self.enter(stream)?;
        ticket.permit = turn.acquire_owned().await.ok();
        Some(ticket)
    }

    fn enter(&self, stream: Uuid) -> Option<(Arc<Semaphore>, Ticket)> {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let line = lines
            .entry(stream)
            .or_insert_with(|| Line { turn: Arc::new(Semaphore::new(1)), callers: 0 });
        if line.callers > MOST_WAITING {
            return None;
        }
        line.callers = line.callers.saturating_add(1);
        let ticket = Ticket { stream, lines: self.lines.clone(), permit: None };
        Some((line.turn.clone(), ticket))
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        drop(self.permit.take());
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(line) = lines.get_mut(&self.stream) {
            line.callers = line.callers.saturating_sub(1);
            if line.callers == 0 {
                lines.remove(&self.stream);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn the_next_in_line_goes_when_the_ticket_is_dropped() {
        let queues = Queues::default();
        let stream = Uuid::from_u128(1);
        let first = queues.wait(stream).await.unwrap();
        let mut second = Box::pin(queues.wait(stream));
        assert!(second.as_mut().now_or_never().is_none());
        drop(first);
        let mut second = second.await.unwrap();
        let mut third = Box::pin(queues.wait(stream));
        assert!(third.as_mut().now_or_never().is_none());
        second.pass_on();
        drop(third.await.unwrap());
        assert_eq!(queues.lines.lock().unwrap()[&stream].callers, 1, "it is still at it");
        drop(second);
        assert!(queues.lines.lock().unwrap().is_empty());
    }
}
