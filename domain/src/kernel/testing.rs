//! Given-when-then for aggregates: past events, a command, then events or a refusal.

use std::fmt::Debug;

use super::{Aggregate, Timestamp, replay};

/// A state made of past events.
#[must_use]
pub fn given<A: Aggregate>(events: impl IntoIterator<Item = A::Event>) -> Given<A> {
    let events: Vec<_> = events.into_iter().collect();
    Given { state: replay(&events), now: at(0) }
}

/// The instant `seconds` after 1 January 2026, UTC: a clock for tests.
#[must_use]
pub fn at(seconds: i64) -> Timestamp {
    chrono::DateTime::from_timestamp(1_767_225_600_i64.saturating_add(seconds), 0)
        .unwrap_or_default()
}

/// What came before.
#[derive(Debug)]
pub struct Given<A> {
    state: A,
    now: Timestamp,
}

impl<A: Aggregate> Given<A> {
    /// Moves the clock.
    #[must_use]
    pub fn at(mut self, now: Timestamp) -> Self {
        self.now = now;
        self
    }

    /// Asks something of the aggregate.
    #[must_use]
    pub fn when(self, command: A::Command) -> Outcome<A> {
        Outcome { verdict: self.state.decide(&command, self.now), state: self.state }
    }
}

/// What the aggregate answered.
#[derive(Debug)]
pub struct Outcome<A: Aggregate> {
    verdict: Result<Vec<A::Event>, A::Error>,
    state: A,
}

impl<A: Aggregate> Outcome<A> {
    /// Expects exactly these events.
    ///
    /// # Panics
    /// If anything else came out.
    #[track_caller]
    pub fn then(self, expected: impl IntoIterator<Item = A::Event>) {
        let expected: Vec<_> = expected.into_iter().collect();
        match self.verdict {
            Ok(events) => assert_eq!(events, expected),
            Err(refusal) => assert_eq!(refusal.to_string(), format!("{expected:?}")),
        }
    }

    /// Expects exactly this refusal.
    ///
    /// # Panics
    /// If anything else came out.
    #[track_caller]
    pub fn then_err(self, expected: A::Error)
    where
        A::Error: PartialEq + Debug,
    {
        assert_eq!(self.verdict, Err(expected));
    }

    /// Expects acceptance, and looks at the state that follows.
    ///
    /// # Panics
    /// If the command was refused.
    #[track_caller]
    pub fn then_state(self) -> A {
        let refusal = self.verdict.as_ref().err().map(ToString::to_string);
        assert_eq!(refusal, None);
        self.verdict.unwrap_or_default().iter().fold(self.state, A::evolve)
    }
}
