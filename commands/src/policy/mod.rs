//! Policies: what follows when something has happened, and what is due at a time.
//!
//! Owns following the log with a checkpoint for each policy, the exactly-once effect of what they
//! ask, and timers. Refuses to run for anything but new events of the log: projections and their
//! rebuilds cannot reach a policy.
//!
//! An event is handed to a policy at least once. What the policy asks then goes out under ids
//! made of the policy, the event and the step, so that asking twice has one effect; what it
//! remembers is noted together with its checkpoint.

mod deadlines;
mod memory;
mod progress;
mod runner;
mod step;
mod timers;
mod user_exit;
mod welcome;

use std::sync::Arc;

use domain::kernel::Timestamp;
use eventstore::{Opened, Undecodable};

pub use deadlines::Deadlines;
pub use memory::Memory;
pub use progress::{Lagging, PATIENCE, Policies};
pub use runner::{Interrupted, PolicyHandle, PolicyRunner};
pub use step::{Fault, Step};
pub use user_exit::UserExit;
pub use welcome::Welcome;

/// Where "now" comes from: the edge's clock, or one that tests move.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// What follows when something has happened.
pub trait Policy: Send + Sync + 'static {
    /// The name of its checkpoint, and part of the ids of its commands. Never rename.
    const NAME: &'static str;

    /// Whether events of a category concern it.
    fn wants(&self, category: &str) -> bool;

    /// What is to be asked now. Depends on nothing but the event and what it remembers.
    ///
    /// # Errors
    /// If the event cannot be understood, or the memory not reached.
    fn react(
        &self,
        event: &Opened,
        memory: &mut Memory<'_>,
    ) -> impl Future<Output = Result<Vec<Step>, Fault>> + Send;
}

impl From<Undecodable> for Fault {
    fn from(cause: Undecodable) -> Self {
        Self::Never(cause.to_string())
    }
}
