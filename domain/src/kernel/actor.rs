//! Who did something, and through which request.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Personal;

crate::text_enum! {
    /// The kind of an actor.
    pub enum ActorKind {
        /// A signed-in human.
        User = "user",
        /// A service principal, through an API key.
        Service = "service",
        /// The platform itself: policies, timers, seeds.
        System = "system",
        /// Somebody not (yet) signed in.
        Anonymous = "anonymous",
    }
}

/// Who did something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Actor {
    /// What kind of actor it is.
    pub kind: ActorKind,
    /// The user or service principal; nil for the system and for strangers.
    pub id: Uuid,
    /// The session or API key used.
    pub credential_id: Option<Uuid>,
    /// The user in whose name a service or operator acts.
    pub on_behalf_of: Option<Uuid>,
}

impl Actor {
    /// The platform itself.
    pub const SYSTEM: Self =
        Self { kind: ActorKind::System, id: Uuid::nil(), credential_id: None, on_behalf_of: None };

    /// Somebody who has not proved who they are.
    pub const ANONYMOUS: Self = Self {
        kind: ActorKind::Anonymous,
        id: Uuid::nil(),
        credential_id: None,
        on_behalf_of: None,
    };
}

/// What is kept of the request that led to an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestInfo {
    /// The request's id, also in its log lines and its response.
    pub id: String,
    /// The client's address.
    #[serde(default)]
    pub ip: Option<Personal<String>>,
    /// The client's own description of itself, cut to 256 characters.
    #[serde(default)]
    pub user_agent: Option<Personal<String>>,
}
