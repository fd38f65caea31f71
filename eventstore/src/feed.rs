//! The newest events in memory, for readers in this process: they need not ask the database.
//!
//! Holds an unbroken run of positions, bounded in count and bytes. Another process's events are
//! a break: the run starts anew behind them and readers fetch the rest.

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
}

#[derive(Default)]
struct Recent {
    events: VecDeque<Stored>,
    bytes: usize,
}

impl Feed {
    pub(crate) fn new(head: Position) -> Self {
        Self { recent: Mutex::new(Recent::default()), head: watch::Sender::new(head) }
    }

    /// Takes in a committed batch, in order.
    pub(crate) fn push(&self, batch: Vec<Stored>) {
        let Some(last) = batch.last().map(|event| event.envelope.position) else { return };
        {
            let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
            for event in batch {
                recent.push(event);
            }
        }
        self.raise(last);
    }

    /// Notes that the log reaches at least to `position`.
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
    fn push(&mut self, event: Stored) {
        let next = self.events.back().map(|last| last.envelope.position.0.saturating_add(1));
        if next.is_some_and(|next| next != event.envelope.position.0) {
            self.events.clear();
            self.bytes = 0;
        }
        self.bytes = self.bytes.saturating_add(event.payload.len());
        self.events.push_back(event);
        while self.events.len() > MOST_EVENTS || self.bytes > MOST_BYTES {
            let Some(oldest) = self.events.pop_front() else { break };
            self.bytes = self.bytes.saturating_sub(oldest.payload.len());
        }
    }
}
