//! The newest events in memory, for readers in this process: they need not ask the database.
//!
//! Holds an unbroken run of positions, bounded in count and bytes. What another process wrote is a
//! break, until it is read once for all readers; else the run starts anew behind it and each reader
//! fetches the rest. Refuses rumours: the head is what this process wrote or read itself, because
//! readers wait for it and grants rest on it.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
};

use domain::kernel::Position;
use tokio::sync::watch;

use crate::event::Stored;

const MOST_EVENTS: usize = 32_768;
const MOST_BYTES: usize = 32 << 20;

pub(crate) struct Feed {
    recent: Mutex<Recent>,
    head: watch::Sender<Position>,
    /// As far as this process wrote; what others wrote does not move it.
    written: watch::Sender<Position>,
}

#[derive(Default)]
struct Recent {
    events: VecDeque<Stored>,
    bytes: usize,
}

impl Feed {
    pub(crate) fn new(head: Position) -> Self {
        Self {
            recent: Mutex::new(Recent::default()),
            head: watch::Sender::new(head),
            written: watch::Sender::new(head),
        }
    }

    /// Takes in a batch this process committed, in order.
    pub(crate) fn push(&self, batch: Vec<Stored>) {
        if let Some(last) = self.learn(batch) {
            self.written.send_replace(last);
        }
    }

    /// Takes in events as the log has them, in order and without a gap. Answers the last position.
    pub(crate) fn learn(&self, events: Vec<Stored>) -> Option<Position> {
        let last = events.last()?.envelope.position;
        self.recent.lock().unwrap_or_else(PoisonError::into_inner).take_in(events);
        self.raise(last);
        Some(last)
    }

    /// Notes that the log reaches at least to `position`, which the log itself has said.
    pub(crate) fn raise(&self, position: Position) {
        self.head.send_if_modified(|head| {
            let rises = position > *head;
            if rises {
                *head = position;
            }
            rises
        });
    }

    pub(crate) fn head(&self) -> watch::Receiver<Position> {
        self.head.subscribe()
    }

    pub(crate) fn written(&self) -> watch::Receiver<Position> {
        self.written.subscribe()
    }

    /// The events right after a position, if they are still in memory.
    pub(crate) fn after(&self, position: Position, most: usize) -> Option<Vec<Stored>> {
        let recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let first = recent.events.front()?.envelope.position.0;
        let skip = usize::try_from(position.0.saturating_add(1).checked_sub(first)?).ok()?;
        let events: Vec<_> = recent.events.iter().skip(skip).take(most).cloned().collect();
        (!events.is_empty()).then_some(events)
    }
}

impl Recent {
    /// Events come in the order in which this process hears of them: those it read may lie before
    /// those it wrote meanwhile, or be the same.
    fn take_in(&mut self, events: Vec<Stored>) {
        let mut earlier = Vec::new();
        for event in events {
            let position = event.envelope.position.0;
            match self.range() {
                Some((first, _)) if position < first => earlier.push(event),
                Some((_, last)) if position <= last => {}
                Some((_, last)) if position == last.saturating_add(1) => self.push(event),
                Some(_) | None => {
                    self.events.clear();
                    self.bytes = 0;
                    self.push(event);
                }
            }
        }
        for event in earlier.into_iter().rev() {
            let joins = |(first, _)| event.envelope.position.0.saturating_add(1) == first;
            let bytes = self.bytes.saturating_add(event.payload.len());
            if self.events.len() >= MOST_EVENTS
                || bytes > MOST_BYTES
                || !self.range().is_some_and(joins)
            {
                break;
            }
            self.bytes = bytes;
            self.events.push_front(event);
        }
    }

    /// The first and the last position.
    fn range(&self) -> Option<(i64, i64)> {
        let (first, last) = (self.events.front()?, self.events.back()?);
        Some((first.envelope.position.0, last.envelope.position.0))
    }

    fn push(&mut self, event: Stored) {
        self.bytes = self.bytes.saturating_add(event.payload.len());
        self.events.push_back(event);
        while self.events.len() > MOST_EVENTS || self.bytes > MOST_BYTES {
            let Some(oldest) = self.events.pop_front() else { break };
            self.bytes = self.bytes.saturating_sub(oldest.payload.len());
        }
    }
}
