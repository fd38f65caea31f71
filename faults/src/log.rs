//! The log as the trials use it: one event an append, which says of which command it is.

use std::sync::Arc;

use domain::kernel::{Actor, StreamId, TenantId, Timestamp, Version, testing::at};
use eventstore::{
    Append, AppendError, CommandKey, Expected, Meta, NewEvent, Store, Stored, StreamAppend,
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

    fn read(&self, stream: Uuid) -> BoxFuture<'_, Option<Output>> {
        async move { self.read_stream(stream, Version(0)).await.ok().map(|events| held(&events)) }
            .boxed()
    }
}

/// What a stream holds, if its versions have no gap.
fn held(events: &[Stored]) -> Output {
    let versions = events.iter().map(|event| event.envelope.version.0);
    if !versions.zip(1..).all(|(found, due)| found == due) {
        return Output::Nonsense("the versions of a stream have a gap".to_owned());
    }
    match events.iter().map(command_of).collect::<Option<Arc<[u64]>>>() {
        Some(commands) => Output::Events(Commands(commands)),
        None => Output::Nonsense("an event that nobody wrote".to_owned()),
    }
}
