//! What a policy remembers between events, and the timers it sets: noted with its checkpoint.

use std::collections::BTreeMap;

use domain::kernel::Position;
use eventstore::{Notes, Parked, Processes, Timer};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use uuid::Uuid;

use super::Fault;

/// What a policy remembers. Changes hold from the next event on, and are noted at the end of a
/// batch of events.
#[derive(Debug)]
pub struct Memory<'p> {
    processes: &'p Processes,
    process: &'static str,
    /// By earlier events of the batch.
    kept: Changes,
    /// By the event at hand.
    latest: Changes,
}

#[derive(Debug, Default)]
struct Changes {
    states: BTreeMap<Uuid, Option<Value>>,
    timers: BTreeMap<(String, Uuid), Option<Timer>>,
}

impl<'p> Memory<'p> {
    pub(super) fn new(processes: &'p Processes, process: &'static str) -> Self {
        Self { processes, process, kept: Changes::default(), latest: Changes::default() }
    }

    /// What is remembered under a key.
    ///
    /// # Errors
    /// If the memory cannot be reached, or was written by something else.
    pub async fn recall<T: DeserializeOwned>(&self, key: Uuid) -> Result<Option<T>, Fault> {
        let recent = self.latest.states.get(&key).or_else(|| self.kept.states.get(&key));
        let state = match recent {
            Some(state) => state.clone(),
            None => self.processes.recall(self.process, key).await?,
        };
        // Serde would quote what it cannot read, and a fault is told to operators.
        let unreadable = |_| Fault::Never(format!("what is remembered of {key} cannot be read"));
        state.map(serde_json::from_value).transpose().map_err(unreadable)
    }

    /// Remembers something under a key, in place of what was there.
    ///
    /// # Errors
    /// If it cannot be written as JSON.
    pub fn remember<T: Serialize>(&mut self, key: Uuid, what: &T) -> Result<(), Fault> {
        let state = serde_json::to_value(what).map_err(|e| Fault::Never(e.to_string()))?;
        self.latest.states.insert(key, Some(state));
        Ok(())
    }

    /// Forgets what is under a key.
    pub fn forget(&mut self, key: Uuid) {
        self.latest.states.insert(key, None);
    }

    /// Sets a timer, in place of an earlier one of the same process and key.
    pub fn set(&mut self, timer: Timer) {
        self.latest.timers.insert((timer.process.clone(), timer.key), Some(timer));
    }

    /// Cancels a timer, if there is one.
    pub fn cancel(&mut self, process: &str, key: Uuid) {
        self.latest.timers.insert((process.to_owned(), key), None);
    }

    /// Keeps what the event at hand changed.
    pub(super) fn keep(&mut self) {
        let Changes { states, timers } = std::mem::take(&mut self.latest);
        self.kept.states.extend(states);
        self.kept.timers.extend(timers);
    }

    /// Drops what the event at hand changed.
    pub(super) fn discard(&mut self) {
        self.latest = Changes::default();
    }

    pub(super) fn into_notes(self, parked: Vec<Parked>, released: Vec<Position>) -> Notes {
        let mut notes = Notes { parked, released, ..Notes::default() };
        notes.states.extend(self.kept.states);
        for (place, timer) in self.kept.timers {
            match timer {
                Some(timer) => notes.set.push(timer),
                None => notes.cancelled.push(place),
            }
        }
        notes
    }
}
