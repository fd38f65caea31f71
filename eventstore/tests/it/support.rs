//! An aggregate to store, short ways to say what is appended, and places to keep it.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use domain::kernel::{
    Actor, ActorKind, Aggregate, DomainError, KeyId, Kind, Personal, RequestInfo, StreamId,
    TenantId, Timestamp, Upcaster, Version, testing::at,
};
use eventstore::{
    Append, CommandKey, Committed, Expected, MasterKey, Memory, Meta, NewEvent, Postgres, Store,
    StreamAppend,
};
use serde_json::{Value, json};
use sqlx::postgres::PgConnectOptions;
use testkit::TestDb;
use uuid::Uuid;

domain::events! {
    /// What happens to a note.
    pub enum NoteEvent in "test.note" upcast &[Upcaster { event: "written", lift: renamed }] =>
        quiet [Viewed] =>
    {
        /// Its text; `body` in version 1.
        Written { text: String },
        /// Somebody put their name under it.
        Signed { name: Personal<String> },
        /// Somebody looked at it.
        Viewed { times: u32 },
    }
}

fn renamed(payload: Value) -> Value {
    json!({ "text": payload.get("body") })
}

/// The state of a note.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Note {
    pub(crate) text: String,
    pub(crate) name: Option<Personal<String>>,
    pub(crate) views: u32,
}

/// Notes refuse nothing.
#[derive(Debug, thiserror::Error)]
#[error("never")]
pub(crate) struct Never;

impl DomainError for Never {
    fn code(&self) -> &'static str {
        "never"
    }

    fn kind(&self) -> Kind {
        Kind::Invalid
    }
}

impl Aggregate for Note {
    type Id = Uuid;
    type Command = NoteEvent;
    type Event = NoteEvent;
    type Error = Never;

    fn decide(&self, command: &NoteEvent, _now: Timestamp) -> Result<Vec<NoteEvent>, Never> {
        Ok(vec![command.clone()])
    }

    fn evolve(self, event: &NoteEvent) -> Self {
        match event.clone() {
            NoteEvent::Written { text } => Self { text, ..self },
            NoteEvent::Signed { name } => Self { name: Some(name), ..self },
            NoteEvent::Viewed { times } => Self { views: times, ..self },
        }
    }

    fn tenant(&self) -> TenantId {
        TENANT
    }

    fn subject(&self) -> Option<KeyId> {
        None
    }
}

/// Whose everything is, unless a test says otherwise.
pub(crate) const TENANT: TenantId = TenantId::from_uuid(Uuid::from_u128(0x7e));
/// What a new stream is expected to have.
pub(crate) const FIRST: Expected = Expected::Exact(Version(0));

/// Longer than any test runs: a reader that polls this often and still comes was woken.
pub(crate) const NEVER: Duration = Duration::from_secs(86_400);

/// An id nobody had before in this process.
pub(crate) fn fresh() -> Uuid {
    static COUNT: AtomicU64 = AtomicU64::new(1);
    Uuid::from_u128(0xf00d << 64 | u128::from(COUNT.fetch_add(1, Ordering::Relaxed)))
}

pub(crate) fn fresh_key() -> KeyId {
    KeyId::from_uuid(fresh())
}

pub(crate) fn meta() -> Meta {
    Meta {
        actor: Actor::SYSTEM,
        correlation_id: fresh(),
        causation_id: None,
        request: None,
        request_key: None,
        occurred_at: at(0),
    }
}

/// A meta with everything in it.
pub(crate) fn full_meta(request_key: Option<KeyId>) -> Meta {
    Meta {
        actor: Actor {
            kind: ActorKind::Service,
            id: fresh(),
            credential_id: Some(fresh()),
            on_behalf_of: Some(fresh()),
        },
        causation_id: Some(fresh()),
        request: Some(RequestInfo {
            id: "req-1".to_owned(),
            ip: Some("192.0.2.7".to_owned().into()),
            user_agent: Some("browser \"of\" Zoë".to_owned().into()),
        }),
        request_key,
        ..meta()
    }
}

/// An append under a command id of its own.
pub(crate) fn append(streams: Vec<StreamAppend>) -> Append {
    let command = CommandKey { tenant: TENANT, id: fresh(), digest: [1; 32] };
    let (claims, shred) = (Vec::new(), Vec::new());
    Append { command, reply: None, streams, claims, shred, meta: meta() }
}

pub(crate) fn note(stream: Uuid, expected: Expected, events: Vec<NewEvent>) -> StreamAppend {
    let stream = StreamId::of("test.note", stream);
    StreamAppend { tenant: TENANT, stream, expected, events }
}

pub(crate) fn written(text: &str) -> NewEvent {
    NewEvent::of(&NoteEvent::Written { text: text.to_owned() }, None)
}

pub(crate) fn signed(name: &str, key: KeyId) -> NewEvent {
    NewEvent::of(&NoteEvent::Signed { name: name.to_owned().into() }, Some(key))
}

/// `count` events on a stream, whatever its version.
pub(crate) async fn write(store: &Store, stream: Uuid, count: usize) -> Committed {
    let events = (0..count).map(|n| written(&n.to_string())).collect();
    store.append(append(vec![note(stream, Expected::Any, events)])).await.unwrap()
}

pub(crate) fn exact(version: i32) -> Expected {
    Expected::Exact(Version(version))
}

pub(crate) fn master() -> MasterKey {
    MasterKey::new(&[7; 32], &[])
}

pub(crate) async fn in_memory() -> Store {
    Store::memory(Memory::new(), master()).await.unwrap()
}

/// A store on a database, as a process of its own would have it.
pub(crate) async fn on(database: &TestDb) -> Store {
    with(database.url.parse().unwrap()).await
}

pub(crate) async fn with(options: PgConnectOptions) -> Store {
    Store::postgres(Postgres::connect(options).await.unwrap(), master()).await.unwrap()
}
