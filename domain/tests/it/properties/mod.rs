//! Properties of aggregates under random commands.

use std::fmt::Debug;

use chrono::TimeDelta;
use domain::kernel::{Aggregate, Timestamp, replay, testing::at};
use proptest::{prelude::TestCaseError, prop_assert_eq};

mod identity;
mod organization;

/// One aggregate, asked one thing after another.
struct Course<A: Aggregate> {
    state: A,
    now: Timestamp,
    history: Vec<A::Event>,
}

impl<A: Aggregate + PartialEq + Debug> Course<A> {
    fn new() -> Self {
        Self { state: A::default(), now: at(0), history: Vec::new() }
    }

    fn wait(&mut self, seconds: i64) {
        self.now += TimeDelta::seconds(seconds);
    }

    /// Asks, and folds what follows; nothing follows a refusal. Every fact must survive JSON.
    fn ask(&mut self, command: &A::Command) -> Result<Vec<A::Event>, TestCaseError> {
        let events = self.state.decide(command, self.now).unwrap_or_default();
        for event in &events {
            prop_assert_eq!(event, &stored(event)?);
            self.state = self.state.clone().evolve(event);
            self.history.push(event.clone());
        }
        Ok(events)
    }

    /// Folding facts as they come must give what folding all of them later gives.
    fn end(self) -> Result<(), TestCaseError> {
        prop_assert_eq!(self.state, replay::<A>(&self.history));
        Ok(())
    }
}

/// The fact as it comes back from the log.
fn stored<E: serde::Serialize + serde::de::DeserializeOwned>(
    event: &E,
) -> Result<E, TestCaseError> {
    serde_json::to_string(event)
        .and_then(|json| serde_json::from_str(&json))
        .map_err(|error| TestCaseError::fail(error.to_string()))
}
