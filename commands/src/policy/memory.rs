//! What a policy remembers between events, and the timers it sets: noted with its checkpoint.

use std::collections::BTreeMap;

use domain::kernel::Position;
use eventstore::{Notes, Parked, Processes, StateChanges, StateKey, Timer};
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
    states: StateChanges,
    timers: BTreeMap<(String, Uuid), Option<Timer>>,
}

impl<'p> Memory<'p> {
    pub(super) fn new(processes: &'p Processes, process: &'static str) -> Self {
        Self { processes, process, kept: Changes::default(), latest: Changes::default() }
    }

    /// What is remembered of a thing.
    ///
    /// # Errors
    /// If the memory cannot be reached, or was written by something else.
    pub async fn recall<T: DeserializeOwned>(&self, key: Uuid) -> Result<Option<T>, Fault> {
        let key = StateKey::of(key);
        let recent = self.latest.states.get(&key).or_else(|| self.kept.states.get(&key));
        let state = match recent {
            Some(state) => state.clone(),
            None => self.processes.recall(self.process, key).await?,
        };
        state.map(|state| read(key, state)).transpose()
    }

    /// What is remembered of the parts of a thing, in the order of their ids.
    ///
    /// # Errors
    /// If the memory cannot be reached, or was written by something else.
    pub async fn recall_parts<T: DeserializeOwned>(
        &self,
        key: Uuid,
    ) -> Result<BTreeMap<Uuid, T>, Fault> {
        let mut states = self.processes.recall_all(self.process, key).await?;
        for changes in [&self.kept.states, &self.latest.states] {
            for (key, state) in changes.range(StateKey::all(key)) {
                match state {
                    Some(state) => states.insert(*key, state.clone()),
                    None => states.remove(key),
                };
            }
        }
        states.remove(&StateKey::of(key));
        let parts = states.into_iter().map(|(key, state)| Ok((key.part(), read(key, state)?)));
        parts.collect()
    }

    /// Remembers something of a thing, in place of what was there.
    ///
    /// # Errors
    /// If it cannot be written as JSON.
    pub fn remember<T: Serialize>(&mut self, key: Uuid, what: &T) -> Result<(), Fault> {
        self.change(StateKey::of(key), what)
    }

    /// Remembers something of a part of a thing, in place of what was there.
    ///
    /// # Errors
    /// If it cannot be written as JSON.
    pub fn remember_part<T: Serialize>(
        &mut self,
        key: Uuid,
        part: Uuid,
        what: &T,
    ) -> Result<(), Fault> {
        self.change(StateKey::of_part(key, part), what)
    }

    fn change<T: Serialize>(&mut self, key: StateKey, what: &T) -> Result<(), Fault> {
        let state = serde_json::to_value(what).map_err(|e| Fault::Never(e.to_string()))?;
        self.latest.states.insert(key, Some(state));
        Ok(())
    }

    /// Forgets a thing; its parts stay.
    pub fn forget(&mut self, key: Uuid) {
        self.latest.states.insert(StateKey::of(key), None);
    }

    /// Forgets a part of a thing.
    pub fn forget_part(&mut self, key: Uuid, part: Uuid) {
        self.latest.states.insert(StateKey::of_part(key, part), None);
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
        notes.states = self.kept.states;
        for (place, timer) in self.kept.timers {
            match timer {
                Some(timer) => notes.set.push(timer),
                None => notes.cancelled.push(place),
            }
        }
        notes
    }
}

/// Reads what was remembered. Serde would quote what it cannot read, and a fault is told to
/// operators.
fn read<T: DeserializeOwned>(key: StateKey, state: Value) -> Result<T, Fault> {
    let unreadable =
        |_| Fault::Never(format!("what is remembered of {} cannot be read", key.key()));
    serde_json::from_value(state).map_err(unreadable)
}
