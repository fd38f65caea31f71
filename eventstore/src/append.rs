//! What can be asked of the log, and what it answers.

use domain::kernel::{
    Actor, DomainEvent, KeyId, Position, RequestInfo, StreamId, TenantId, Timestamp, Version,
};
use uuid::Uuid;

use crate::{backend::Unavailable, codec};

/// Events for one or several streams that are recorded together or not at all.
#[derive(Debug, Clone)]
pub struct Append {
    /// Makes a repetition answer what the first try did.
    pub command: CommandKey,
    /// Kept with the command id for ever and given back to a repetition: ids only, no secrets.
    pub reply: Option<serde_json::Value>,
    /// Streams with their conditions; those without events are only checked.
    pub streams: Vec<StreamAppend>,
    /// Unique values taken, handed over or released.
    pub claims: Vec<Claim>,
    /// Keys destroyed with this append; what they sealed can never be read again.
    pub shred: Vec<KeyId>,
    /// Who, why and when.
    pub meta: Meta,
}

/// The identity of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CommandKey {
    /// Whose command it is.
    pub tenant: TenantId,
    /// Unique within the tenant, for ever.
    pub id: Uuid,
    /// SHA-256 of what was asked: the same id with another digest is a mistake.
    pub digest: [u8; 32],
}

/// One stream's part of an append.
#[derive(Debug, Clone)]
pub struct StreamAppend {
    /// Whose stream it is.
    pub tenant: TenantId,
    /// Which stream.
    pub stream: StreamId,
    /// What version the decision was based on.
    pub expected: Expected,
    /// What happened; may be empty.
    pub events: Vec<NewEvent>,
}

/// The version a stream must have for the append to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// Exactly this one; 0 means the stream must be new.
    Exact(Version),
    /// Whatever it is.
    Any,
}

/// An event about to be recorded; its personal fields are still open.
#[derive(Debug, Clone)]
pub struct NewEvent {
    /// The event's own name, such as `registered`.
    pub name: String,
    /// Version of the payload's shape.
    pub schema_version: i16,
    /// JSON, personal values marked.
    pub payload: String,
    /// Under whose key the personal values are sealed.
    pub key: Option<KeyId>,
}

impl NewEvent {
    /// Prepares an event of an aggregate for recording.
    #[must_use]
    pub fn of<E: DomainEvent>(event: &E, key: Option<KeyId>) -> Self {
        let (name, payload) = codec::encode(event);
        let schema_version = E::schema_version(&name);
        Self { name, schema_version, payload, key }
    }
}

/// A unique value changing hands: compare-and-set from `prior` to `owner`.
///
/// Taking is `None → Some(me)`, releasing `Some(me) → None`, handing over
/// `Some(me) → Some(other)`; setting `until` lets the hold lapse by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// What kind of value, such as `user.email`.
    pub scope: &'static str,
    /// The value, normalised; never personal data in clear.
    pub key: String,
    /// Who holds it before.
    pub prior: Option<Uuid>,
    /// Who holds it after.
    pub owner: Option<Uuid>,
    /// Until when; for ever if absent.
    pub until: Option<Timestamp>,
}

impl Claim {
    /// Takes a free value.
    #[must_use]
    pub fn take(scope: &'static str, key: impl Into<String>, owner: impl Into<Uuid>) -> Self {
        Self { scope, key: key.into(), prior: None, owner: Some(owner.into()), until: None }
    }

    /// Gives a value back.
    #[must_use]
    pub fn release(scope: &'static str, key: impl Into<String>, owner: impl Into<Uuid>) -> Self {
        Self { scope, key: key.into(), prior: Some(owner.into()), owner: None, until: None }
    }

    /// Gives a value back, but keeps it from others until an instant.
    #[must_use]
    pub fn hold(
        scope: &'static str,
        key: impl Into<String>,
        owner: impl Into<Uuid>,
        until: Timestamp,
    ) -> Self {
        let owner = owner.into();
        Self { scope, key: key.into(), prior: Some(owner), owner: Some(owner), until: Some(until) }
    }
}

/// Who did something, why and when: the same for every event of an append.
#[derive(Debug, Clone)]
pub struct Meta {
    /// Who.
    pub actor: Actor,
    /// Shared by everything one request leads to.
    pub correlation_id: Uuid,
    /// The event that led to this, where a policy acts.
    pub causation_id: Option<Uuid>,
    /// The request, its personal parts still open.
    pub request: Option<RequestInfo>,
    /// Under whose key the request's personal parts are sealed; without one they are dropped.
    pub request_key: Option<KeyId>,
    /// When the decision was taken.
    pub occurred_at: Timestamp,
}

/// What a successful append did.
#[derive(Debug, Clone, PartialEq)]
pub struct Committed {
    /// The last position written, or the head of the log if nothing was.
    pub position: Position,
    /// The versions after, of the streams that got events.
    pub versions: Vec<(Uuid, Version)>,
    /// What was kept with the command id.
    pub reply: Option<serde_json::Value>,
    /// Whether this is the answer of an earlier, equal command.
    pub duplicate: bool,
}

/// Why an append was not recorded. Nothing of it is in the log then, save for `Unavailable`,
/// where a repetition with the same command id finds out.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum AppendError {
    /// Streams have moved on; their present versions. None if it followed an append that came to
    /// nothing.
    #[error("the stream has other events than the decision was based on")]
    Conflict(Vec<(Uuid, Version)>),
    /// Somebody else holds a unique value.
    #[error("{scope} is taken")]
    ClaimTaken {
        /// The scope of the value.
        scope: String,
    },
    /// The command id was used for something else.
    #[error("this command id was already used for another request")]
    CommandReused,
    /// A subject was erased: nothing can be sealed for it any more.
    #[error("the person or organization behind this was erased")]
    SubjectErased,
    /// Too much is waiting already.
    #[error("too many commands are waiting")]
    Overloaded,
    /// The caller broke a rule of the log.
    #[error("{0}")]
    Malformed(&'static str),
    /// The log cannot be reached; whether the append was recorded is not known.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}
