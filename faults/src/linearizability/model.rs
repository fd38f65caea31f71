//! What a stream of the log does when nobody is in its way: the measure for what it does.

use std::{
    collections::{HashMap, HashSet},
    fmt,
    sync::Arc,
};

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

/// A stream of the log, and what its history as a whole gives away: where an event ended up, and
/// whether the try that wrote it was answered. That spares the search most places where an append
/// with unknown outcome could go.
#[derive(Debug, Default)]
pub struct Stream {
    version: HashMap<u64, i32>,
    position: HashMap<u64, i64>,
    command: HashMap<i32, u64>,
    committed: HashSet<u64>,
}

impl Stream {
    fn learn(&mut self, command: u64, version: i32) {
        self.version.entry(command).or_insert(version);
        self.command.entry(version).or_insert(command);
    }

    fn may_be_at(&self, command: u64, version: i32) -> bool {
        self.version.get(&command).is_none_or(|known| *known == version)
            && self.command.get(&version).is_none_or(|known| *known == command)
    }

    fn is_at(&self, command: u64, position: i64) -> bool {
        self.position.get(&command).is_none_or(|known| *known == position)
    }
}

/// What a stream holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct State {
    /// By their commands.
    events: Arc<Vec<u64>>,
    /// The highest position of an event anybody was told, as it must rise along the stream.
    position: i64,
}

impl State {
    fn version(&self) -> i32 {
        i32::try_from(self.events.len()).unwrap_or(i32::MAX)
    }

    fn version_of(&self, command: u64) -> Option<i32> {
        let index = self.events.iter().position(|event| *event == command)?;
        Some(i32::try_from(index).ok()?.saturating_add(1))
    }

    /// With one more event, if its position can follow.
    fn with(&self, command: u64, position: Option<i64>) -> Option<Self> {
        if position.is_some_and(|position| position <= self.position) {
            return None;
        }
        let mut events = Vec::with_capacity(self.events.len().saturating_add(1));
        events.extend_from_slice(&self.events);
        events.push(command);
        Some(Self { events: Arc::new(events), position: position.unwrap_or(self.position) })
    }

    /// What an append leads to whose outcome nobody heard.
    fn append_unheard(&self, known: &Stream, expected: Option<i32>, command: u64) -> Self {
        let version = self.version();
        let may_be = expected.is_none_or(|expected| expected == version)
            && self.version_of(command).is_none()
            && known.may_be_at(command, version.saturating_add(1))
            && !known.committed.contains(&command);
        let written = may_be.then(|| self.with(command, known.position.get(&command).copied()));
        written.flatten().unwrap_or_else(|| self.clone())
    }

    fn append(
        &self,
        known: &Stream,
        expected: Option<i32>,
        command: u64,
        heard: &Output,
    ) -> Option<Self> {
        let version = self.version();
        match (self.version_of(command), heard) {
            (Some(at), &Output::Duplicate { version, position }) => {
                (at == version && known.is_at(command, position)).then(|| self.clone())
            }
            (Some(_), _) => None,
            (None, heard) if expected.is_none_or(|expected| expected == version) => {
                let &Output::Committed { version: at, position } = heard else { return None };
                let follows = at == version.saturating_add(1) && known.is_at(command, position);
                follows.then(|| self.with(command, Some(position))).flatten()
            }
            (None, heard) => (*heard == Output::Conflict { version }).then(|| self.clone()),
        }
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
                    Some(
                        answer @ (Output::Committed { version, position }
                        | Output::Duplicate { version, position }),
                    ),
                ) => {
                    stream.learn(*command, *version);
                    stream.position.entry(*command).or_insert(*position);
                    if matches!(answer, Output::Committed { .. }) {
                        stream.committed.insert(*command);
                    }
                }
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
                state.append(self, *expected, *command, heard)
            }
            (Input::Read, None) => Some(state.clone()),
            (Input::Read, Some(heard)) => {
                let is_held = |commands: &Commands| commands.0[..] == state.events[..];
                matches!(heard, Output::Events(commands) if is_held(commands))
                    .then(|| state.clone())
            }
        }
    }

    fn describe(state: &State) -> String {
        format!("events: {:?}", Commands(state.events.as_slice().into()))
    }
}
