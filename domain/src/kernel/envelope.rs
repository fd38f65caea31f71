//! What surrounds a fact: its place in the log, who caused it and when.

use std::{fmt, sync::Arc};

use uuid::Uuid;

use super::{Actor, KeyId, RequestInfo, TenantId, Timestamp};

/// A place in the log. The first event has position 1; there are no gaps.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position(pub i64);

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A place in a stream. The first event has version 1; 0 means "no events yet".
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(pub i32);

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The address of a stream: what kind of aggregate, and which one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId {
    /// `module.aggregate`.
    pub category: &'static str,
    /// The aggregate's id; unique over all categories.
    pub id: Uuid,
}

impl StreamId {
    /// The stream of one aggregate.
    #[must_use]
    pub fn of(category: &'static str, id: impl Into<Uuid>) -> Self {
        Self { category, id: id.into() }
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.category, self.id)
    }
}

/// Everything the log keeps about an event beside its payload.
#[derive(Debug, Clone, PartialEq)]
pub struct Envelope {
    /// Place in the log.
    pub position: Position,
    /// Position of the last event of the append this event came in.
    pub append_last: Position,
    /// Unique id, UUIDv7.
    pub event_id: Uuid,
    /// Whose stream it is.
    pub tenant: TenantId,
    /// The stream's category.
    pub category: Arc<str>,
    /// The stream's aggregate id.
    pub stream: Uuid,
    /// Place in the stream.
    pub version: Version,
    /// The event's own name, such as `registered`.
    pub name: Arc<str>,
    /// Version of the payload's shape as stored.
    pub schema_version: i16,
    /// When the decision was taken.
    pub occurred_at: Timestamp,
    /// When the log took it in; never falls along positions.
    pub recorded_at: Timestamp,
    /// Who did it.
    pub actor: Actor,
    /// Shared by everything that one request or one cause led to.
    pub correlation_id: Uuid,
    /// The event that led to this one, where a policy acted.
    pub causation_id: Option<Uuid>,
    /// The request, its personal parts sealed under `request_key_id`.
    pub request: Option<RequestInfo>,
    /// The key that seals the payload's personal fields.
    pub key_id: Option<KeyId>,
    /// The key that seals the request's personal fields.
    pub request_key_id: Option<KeyId>,
}

impl Envelope {
    /// `category.name`, as stored in the column `type`.
    #[must_use]
    pub fn event_type(&self) -> String {
        format!("{}.{}", self.category, self.name)
    }

    /// The organization the stream belongs to, if it is not the platform's.
    #[must_use]
    pub fn organization(&self) -> Option<Uuid> {
        (!self.tenant.is_platform()).then(|| self.tenant.uuid())
    }
}

/// A fact with its envelope.
#[derive(Debug, Clone, PartialEq)]
pub struct Recorded<E> {
    /// What surrounds it.
    pub envelope: Arc<Envelope>,
    /// The fact.
    pub event: E,
}
