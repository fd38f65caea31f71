//! What surrounds a command: who asks, when, through which request, under which command id.

use domain::kernel::{RequestInfo, Timestamp};
use eventstore::{CommandKey, Meta, Store};
use uuid::Uuid;

use crate::caller::Caller;

/// The surroundings of one command. Made once a request, at the edge.
#[derive(Debug, Clone)]
pub struct Context {
    /// The log.
    pub store: Store,
    /// Who asks.
    pub caller: Caller,
    /// The only reading of the clock.
    pub now: Timestamp,
    /// Makes a repetition answer what the first try did.
    pub command: CommandKey,
    /// Shared by everything this request leads to.
    pub correlation_id: Uuid,
    /// The event that led here, where a policy asks.
    pub causation_id: Option<Uuid>,
    /// What is kept of the request.
    pub request: Option<RequestInfo>,
}

impl Context {
    /// A new id.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "ids are minted here and nowhere else")]
    pub fn mint(&self) -> Uuid {
        Uuid::now_v7()
    }

    /// The same surroundings for another command of the same request.
    #[must_use]
    pub fn step(&self, name: &str) -> Self {
        let mut next = self.clone();
        next.command.id = Uuid::new_v5(&self.command.id, name.as_bytes());
        next
    }

    pub(crate) fn meta(&self) -> Meta {
        Meta {
            actor: self.caller.actor,
            correlation_id: self.correlation_id,
            causation_id: self.causation_id,
            request: self.request.clone(),
            request_key: self.caller.key(),
            occurred_at: self.now,
        }
    }
}
