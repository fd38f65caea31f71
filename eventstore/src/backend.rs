//! What a place that keeps the log must be able to do. PostgreSQL and memory both pass the same
//! contract suite (`tests/it/contract`).

use std::sync::Arc;

use domain::kernel::{KeyId, Position, TenantId, Timestamp, Version};
use futures_util::future::BoxFuture;
use uuid::Uuid;

use crate::{
    ahead::Line,
    append::{Claim, CommandKey, Expected},
    event::{Fact, Stored},
    scan::Span,
};

/// The log cannot be reached, or answers nonsense.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the event store is not available")]
pub struct Unavailable {
    #[source]
    cause: Option<Arc<dyn std::error::Error + Send + Sync>>,
    kind: Kind,
}

/// What another try can hope for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// It may come through.
    Lost,
    /// Unchanged it is refused again.
    Refused,
    /// Nothing is written until there is room.
    Full,
    /// It takes as long again.
    GivenUp,
}

impl Unavailable {
    fn of(kind: Kind, cause: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self { cause: Some(Arc::new(cause)), kind }
    }

    /// A cut or missing connection: worth another try.
    pub fn lost(cause: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::of(Kind::Lost, cause)
    }

    /// An error of the server itself.
    pub fn refused(cause: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::of(Kind::Refused, cause)
    }

    /// No room left on the disk.
    pub fn full(cause: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::of(Kind::Full, cause)
    }

    /// The server took too long over a question, and gave it up.
    pub fn given_up(cause: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::of(Kind::GivenUp, cause)
    }

    /// Our own task that would have answered is gone.
    #[must_use]
    pub const fn stopped() -> Self {
        Self { cause: None, kind: Kind::Lost }
    }

    /// Whether the server itself refused.
    #[must_use]
    pub const fn is_refusal(&self) -> bool {
        matches!(self.kind, Kind::Refused | Kind::Full)
    }

    /// Whether the server gave up what took it too long.
    #[must_use]
    pub const fn is_given_up(&self) -> bool {
        matches!(self.kind, Kind::GivenUp)
    }

    /// Whether the disk is full.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        matches!(self.kind, Kind::Full)
    }
}

impl PartialEq for Unavailable {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind
    }
}

/// An append with everything sealed and numbered inside: ready to be written.
#[derive(Debug, Clone)]
pub(crate) struct Sealed {
    pub(crate) command: CommandKey,
    pub(crate) reply: Option<String>,
    pub(crate) conditions: Vec<Condition>,
    pub(crate) claims: Vec<Claim>,
    pub(crate) uses: Vec<KeyId>,
    /// Those of `uses` that come into being with this append.
    pub(crate) makes: Vec<NewKey>,
    pub(crate) shred: Vec<KeyId>,
    pub(crate) events: Vec<SealedEvent>,
    pub(crate) meta: SealedMeta,
    pub(crate) line: Line,
}

/// A subject's first key, wrapped by the master key.
#[derive(Debug, Clone)]
pub(crate) struct NewKey {
    pub(crate) id: KeyId,
    pub(crate) wrapped: Vec<u8>,
}

/// What is checked of a stream, and how many events follow.
#[derive(Debug, Clone)]
pub(crate) struct Condition {
    pub(crate) tenant: TenantId,
    pub(crate) category: &'static str,
    pub(crate) stream: Uuid,
    pub(crate) expected: Expected,
    pub(crate) count: i32,
}

#[derive(Debug, Clone)]
pub(crate) struct SealedEvent {
    pub(crate) id: Uuid,
    /// Index into the append's conditions.
    pub(crate) condition: usize,
    /// Rank in its stream within this append, from 1.
    pub(crate) rank: i32,
    pub(crate) name: String,
    pub(crate) schema_version: i16,
    pub(crate) payload: Arc<str>,
    pub(crate) key: Option<KeyId>,
}

#[derive(Debug, Clone)]
pub(crate) struct SealedMeta {
    pub(crate) actor: domain::kernel::Actor,
    pub(crate) correlation_id: Uuid,
    pub(crate) causation_id: Option<Uuid>,
    pub(crate) request: Option<Arc<str>>,
    pub(crate) request_key: Option<KeyId>,
    pub(crate) occurred_at: Timestamp,
}

/// The log's word on one append of a batch.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Verdict {
    /// Written; first and last position (`first = last + 1` if it held no events).
    Committed { first: Position, last: Position, recorded_at: Timestamp, versions: Vec<Version> },
    /// The same command was recorded before.
    Duplicate(CommandRecord),
    /// The command id stands for another request.
    Reused,
    /// Present versions of the streams that did not match; none if what it follows was not written.
    Conflict(Vec<(Uuid, Version)>),
    /// The scope of a unique value held by somebody else.
    ClaimTaken(String),
    /// A key it would seal under was destroyed.
    SubjectErased,
    /// A key it would make is there already: what it sealed has to be sealed anew.
    KeyMade,
}

/// What the log keeps of a command.
#[derive(Debug, Clone, PartialEq)]
pub struct CommandRecord {
    /// What was asked.
    pub digest: [u8; 32],
    /// Its last position.
    pub position: Position,
    /// The versions it led to.
    pub versions: Vec<(Uuid, Version)>,
    /// What was answered.
    pub reply: Option<serde_json::Value>,
}

/// Which events an investigator wants; all given filters must hold.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// After this position; newest first, before it.
    pub after: Option<Position>,
    /// Up to and with this position.
    pub until: Option<Position>,
    /// Of this tenant.
    pub tenant: Option<TenantId>,
    /// Of this stream.
    pub stream: Option<Uuid>,
    /// Of this type (`identity.user.registered`) or category prefix ending in a dot.
    pub event_type: Option<String>,
    /// By this actor.
    pub actor: Option<Uuid>,
    /// Of this correlation.
    pub correlation: Option<Uuid>,
    /// Recorded at or after.
    pub from: Option<Timestamp>,
    /// Recorded before.
    pub to: Option<Timestamp>,
    /// Newest first.
    pub descending: bool,
    /// At most so many.
    pub limit: i64,
}

pub(crate) type Answer<'a, T> = BoxFuture<'a, Result<T, Unavailable>>;

/// A place that keeps the log.
pub(crate) trait Backend: Send + Sync + 'static {
    /// Writes appends that touch disjoint things, or each the streams of the one it follows, all at
    /// once; one verdict each.
    fn append<'a>(&'a self, batch: &'a [Arc<Sealed>]) -> Answer<'a, Vec<Verdict>>;
    /// The facts of streams after given versions; those of one stream in order.
    fn load<'a>(&'a self, wanted: &'a [(Uuid, Version)]) -> Answer<'a, Vec<Fact>>;
    /// Events of a stream after a version, in order.
    fn stream(&self, stream: Uuid, after: Version) -> Answer<'_, Vec<Stored>>;
    /// Events after a position, in order.
    fn read<'a>(&'a self, after: Position, limit: i64) -> Answer<'a, Vec<Stored>>;
    /// Events after a position, in order; fewer than the limit if they are large.
    fn page<'a>(&'a self, after: Position, limit: i64) -> Answer<'a, Vec<Stored>> {
        self.read(after, limit)
    }
    /// Whole appends of about `limit` positions after one, fewer if they are large; of their events
    /// those of types that begin with one of some texts. An error if a position is missing.
    fn span<'a>(&'a self, after: Position, limit: i64, types: &'a [String]) -> Answer<'a, Span>;
    /// Events that match a filter.
    fn search<'a>(&'a self, filter: &'a Filter) -> Answer<'a, Vec<Stored>>;
    /// A name of this log that every process which opens it finds, and of no other log.
    fn log_id(&self) -> Answer<'_, String>;
    /// The last position.
    fn head(&self) -> Answer<'_, Position>;
    /// Who holds a unique value at an instant.
    fn claim_owner<'a>(&'a self, scope: &'a str, key: &'a str) -> Answer<'a, Option<Uuid>>;
    /// The unique values of a scope that begin alike, and who holds them, in order.
    fn claim_owners<'a>(
        &'a self,
        scope: &'a str,
        prefix: &'a str,
        limit: i64,
    ) -> Answer<'a, Vec<(String, Uuid)>>;
    /// What is kept of a command.
    fn command(&self, tenant: TenantId, id: Uuid) -> Answer<'_, Option<CommandRecord>>;
    /// Wrapped keys; creates those offered that never existed. Destroyed keys come back empty.
    fn keys<'a>(
        &'a self,
        wanted: &'a [KeyId],
        offered: &'a [(KeyId, Vec<u8>)],
    ) -> Answer<'a, Vec<(KeyId, Option<Vec<u8>>)>>;
}
