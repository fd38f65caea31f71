//! The log as the trials use it: one event an append, which says of which command it is.

use domain::kernel::{
    Actor, Aggregate, DomainError, KeyId, Kind, StreamId, TenantId, Timestamp, Version, testing::at,
};
use eventstore::{
    Append, AppendError, CommandKey, Expected, Loaded, Meta, NewEvent, Store, Stored, StreamAppend,
};
use futures_util::{FutureExt, future::BoxFuture};
use uuid::Uuid;

use crate::linearizability::{Commands, Output};

/// Whose everything is.
pub const TENANT: TenantId = TenantId::from_uuid(Uuid::from_u128(0x7e));
/// What every stream is called.
pub const CATEGORY: &str = "test.trial";
/// What every event is called.
pub const EVENT: &str = "happened";

/// Something that keeps streams. No answer means that the outcome is unknown.
pub trait Log: Send + Sync {
    /// Appends one event.
    fn append(
        &self,
        stream: Uuid,
        expected: Option<i32>,
        command: u64,
    ) -> BoxFuture<'_, Option<Output>>;

    /// Reads a stream.
    fn read(&self, stream: Uuid) -> BoxFuture<'_, Option<Output>>;
}

/// An append of some events, all of one command, to one stream.
#[must_use]
pub fn append(stream: Uuid, expected: Expected, command: u64, count: usize) -> Append {
    let event = NewEvent {
        name: EVENT.to_owned(),
        schema_version: 1,
        payload: format!(r#"{{"command":{command}}}"#),
        key: None,
    };
    let stream = StreamId::of(CATEGORY, stream);
    let events = vec![event; count];
    Append {
        command: CommandKey { tenant: TENANT, id: id(command), digest: [1; 32] },
        reply: Some(serde_json::json!({ "command": command })),
        streams: vec![StreamAppend { tenant: TENANT, stream, expected, events }],
        claims: Vec::new(),
        shred: Vec::new(),
        meta: meta(command, at(0)),
    }
}

/// What surrounds the events of a command.
#[must_use]
pub fn meta(command: u64, occurred_at: Timestamp) -> Meta {
    Meta {
        actor: Actor::SYSTEM,
        correlation_id: id(command),
        causation_id: None,
        request: None,
        request_key: None,
        occurred_at,
    }
}

/// The id of the stream or command with a number.
#[must_use]
pub fn id(number: u64) -> Uuid {
    Uuid::from_u128(0xfa17 << 64 | u128::from(number))
}

/// Of which command an event is.
#[must_use]
pub fn command_of(event: &Stored) -> Option<u64> {
    event.payload.strip_prefix(r#"{"command":"#)?.strip_suffix('}')?.parse().ok()
}

impl Log for Store {
    fn append(
        &self,
        stream: Uuid,
        expected: Option<i32>,
        command: u64,
    ) -> BoxFuture<'_, Option<Output>> {
        let expected = expected.map_or(Expected::Any, |version| Expected::Exact(Version(version)));
        let asked = append(stream, expected, command, 1);
        async move {
            match Self::append(self, asked).await {
                Ok(done) => {
                    let version = done.versions.first().map_or(0, |(_, version)| version.0);
                    let position = done.position.0;
                    Some(if done.duplicate {
                        Output::Duplicate { version, position }
                    } else {
                        Output::Committed { version, position }
                    })
                }
                Err(AppendError::Conflict(versions)) => {
                    let version = versions.first().map_or(0, |(_, version)| version.0);
                    Some(Output::Conflict { version })
                }
                Err(AppendError::Unavailable(_)) => None,
                Err(refused) => Some(Output::Nonsense(refused.to_string())),
            }
        }
        .boxed()
    }

    /// As commands load what they decide on, in batches with others; from the beginning, as far as
    /// nobody else loaded it meanwhile.
    fn read(&self, stream: Uuid) -> BoxFuture<'_, Option<Output>> {
        self.forget(stream);
        async move { self.load_fresh::<Held>(stream).await.ok().map(held) }.boxed()
    }
}

domain::events! {
    /// What happens in a trial.
    pub enum Happening in "test.trial" {
        /// A command was done.
        Happened { command: u64 },
    }
}

/// What a stream holds.
#[derive(Debug, Clone, Default)]
struct Held(Vec<u64>);

/// Trials refuse nothing.
#[derive(Debug, thiserror::Error)]
#[error("never")]
struct Never;

impl DomainError for Never {
    fn code(&self) -> &'static str {
        "never"
    }

    fn kind(&self) -> Kind {
        Kind::Invalid
    }
}

impl Aggregate for Held {
    type Id = Uuid;
    type Command = ();
    type Event = Happening;
    type Error = Never;

    fn decide(&self, (): &(), _now: Timestamp) -> Result<Vec<Happening>, Never> {
        Ok(Vec::new())
    }

    fn evolve(mut self, Happening::Happened { command }: &Happening) -> Self {
        self.0.push(*command);
        self
    }

    fn tenant(&self) -> TenantId {
        TENANT
    }

    fn subject(&self) -> Option<KeyId> {
        None
    }
}

/// The commands of a stream, if none is missing or there twice.
fn held(Loaded { state: Held(commands), version, .. }: Loaded<Held>) -> Output {
    if usize::try_from(version.0).ok() != Some(commands.len()) {
        return Output::Nonsense("the versions of a stream have a gap".to_owned());
    }
    Output::Events(Commands(commands.into()))
}
