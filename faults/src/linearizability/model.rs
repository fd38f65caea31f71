//! What a stream of the log does when nobody is in its way: the measure for what it does.

use std::{collections::HashMap, fmt, sync::Arc};

use super::checker::{History, Model};

/// What is asked of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// One event under a command id.
    Append {
        /// The version the stream must have; whatever it has if absent.
        expected: Option<i32>,
        /// The command id; the event says which one it is of.
        command: u64,
    },
    /// The whole stream.
    Read,
}

/// What a stream answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// The event is in, at this version of the stream and this position of the log.
    Committed {
        /// Its place in the stream.
        version: i32,
        /// Its place in the log.
        position: i64,
    },
    /// As [`Self::Committed`], by an earlier try with the same command id.
    Duplicate {
        /// Its place in the stream.
        version: i32,
        /// Its place in the log.
        position: i64,
    },
    /// The stream has another version than expected.
    Conflict {
        /// The one it has.
        version: i32,
    },
    /// What the stream holds.
    Events(Commands),
    /// What no stream answers.
    Nonsense(String),
}

/// The events of a stream in order, each by its command.
#[derive(Clone, PartialEq, Eq)]
pub struct Commands(pub Arc<[u64]>);

/// How many of many events a counter-example names.
const NAMED: usize = 4;

impl fmt::Debug for Commands {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let skip = self.0.len().saturating_sub(NAMED);
        write!(f, "{}, the last of {:?}", self.0.len(), self.0.get(skip..).unwrap_or_default())
    }
}

/// A stream of the log, and what its history as a whole gives away: where an event ended up. That
/// spares the search most places where an append with unknown outcome could go.
#[derive(Debug, Default)]
pub struct Stream {
    place: HashMap<u64, i32>,
    command: HashMap<i32, u64>,
}

impl Stream {
    fn learn(&mut self, command: u64, version: i32) {
        self.place.entry(command).or_insert(version);
        self.command.entry(version).or_insert(command);
    }

    fn may_be_at(&self, command: u64, version: i32) -> bool {
        self.place.get(&command).is_none_or(|known| *known == version)
            && self.command.get(&version).is_none_or(|known| *known == command)
    }
}

/// What a stream holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct State {
    events: Arc<Vec<Event>>,
    /// The highest position anybody was told, as it must rise along the stream.
    position: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Event {
    command: u64,
    /// Not known while only tries with unknown outcome can have written it.
    position: Option<i64>,
}

impl State {
    fn version(&self) -> i32 {
        i32::try_from(self.events.len()).unwrap_or(i32::MAX)
    }

    fn find(&self, command: u64) -> Option<(i32, usize, &Event)> {
        let found = self.events.iter().enumerate().find(|(_, event)| event.command == command);
        let (index, event) = found?;
        Some((i32::try_from(index).ok()?.saturating_add(1), index, event))
    }

    fn with(&self, command: u64, position: Option<i64>) -> Self {
        let mut events = Vec::with_capacity(self.events.len().saturating_add(1));
        events.extend_from_slice(&self.events);
        events.push(Event { command, position });
        let position = position.unwrap_or(self.position);
        Self { events: Arc::new(events), position }
    }

    /// What an append leads to whose outcome nobody heard.
    fn append_unheard(&self, known: &Stream, expected: Option<i32>, command: u64) -> Self {
        let version = self.version();
        let holds = expected.is_none_or(|expected| expected == version)
            && self.find(command).is_none()
            && known.may_be_at(command, version.saturating_add(1));
        if holds { self.with(command, None) } else { self.clone() }
    }

    fn append(&self, expected: Option<i32>, command: u64, heard: &Output) -> Option<Self> {
        let version = self.version();
        match (self.find(command), heard) {
            (Some((at, index, event)), &Output::Duplicate { version, position }) => {
                if at != version {
                    return None;
                }
                match event.position {
                    Some(known) => (known == position).then(|| self.clone()),
                    None => self.place(index, position),
                }
            }
            (Some(_), _) => None,
            (None, heard) if expected.is_none_or(|expected| expected == version) => {
                let &Output::Committed { version: at, position } = heard else { return None };
                let follows = at == version.saturating_add(1) && position > self.position;
                follows.then(|| self.with(command, Some(position)))
            }
            (None, heard) => (*heard == Output::Conflict { version }).then(|| self.clone()),
        }
    }

    /// Learns the position of an event, which must lie between those around it.
    fn place(&self, index: usize, position: i64) -> Option<Self> {
        let before = self.events.iter().take(index).filter_map(|event| event.position).max();
        let skip = index.saturating_add(1);
        let after = self.events.iter().skip(skip).filter_map(|event| event.position).min();
        let fits = before.is_none_or(|before| before < position)
            && after.is_none_or(|after| position < after);
        fits.then(|| {
            let mut next = self.clone();
            if let Some(event) = Arc::make_mut(&mut next.events).get_mut(index) {
                event.position = Some(position);
            }
            next.position = next.position.max(position);
            next
        })
    }
}

impl Model for Stream {
    type State = State;
    type Input = Input;
    type Output = Output;

    fn of(history: &History<Self>) -> Self {
        let mut stream = Self::default();
        for operation in history {
            let heard = operation.answered.as_ref().map(|(_, output)| output);
            match (&operation.input, heard) {
                (
                    Input::Append { command, .. },
                    Some(Output::Committed { version, .. } | Output::Duplicate { version, .. }),
                ) => stream.learn(*command, *version),
                (Input::Read, Some(Output::Events(commands))) => {
                    commands.0.iter().zip(1..).for_each(|(c, version)| stream.learn(*c, version));
                }
                _ => {}
            }
        }
        stream
    }

    fn step(&self, state: &State, input: &Input, heard: Option<&Output>) -> Option<State> {
        match (input, heard) {
            (Input::Append { expected, command }, None) => {
                Some(state.append_unheard(self, *expected, *command))
            }
            (Input::Append { expected, command }, Some(heard)) => {
                state.append(*expected, *command, heard)
            }
            (Input::Read, None) => Some(state.clone()),
            (Input::Read, Some(heard)) => {
                let is_held = |commands: &Commands| {
                    let held = state.events.iter().map(|event| event.command);
                    commands.0.iter().copied().eq(held)
                };
                matches!(heard, Output::Events(commands) if is_held(commands))
                    .then(|| state.clone())
            }
        }
    }

    fn describe(state: &State) -> String {
        let commands = state.events.iter().map(|event| event.command).collect();
        format!("events: {:?}", Commands(commands))
    }
}
