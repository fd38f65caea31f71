//! The bytes of an event row that are hashed: fixed from the first event on, for ever.
//!
//! Layout 1, all integers big-endian, texts and JSON as their UTF-8 bytes behind a `u32` length,
//! an absent value as one `00` byte and a present one as `01` and the value:
//!
//! ```text
//! u8 layout = 1 | i64 position | i64 append_last | 16 event_id | 16 tenant | 16 stream
//! | i32 version | text type | i16 schema_version | json payload | text actor_kind | 16 actor_id
//! | ?16 credential_id | ?16 on_behalf_of | 16 correlation_id | ?16 causation_id | ?json request
//! | ?16 key_id | ?16 request_key_id | i64 occurred_at µs | i64 recorded_at µs
//! ```
//!
//! Payload and request are taken as stored, sealed values included, so that erasing a subject
//! changes no byte. A change of columns is a new layout number, never a change of this one.

use domain::kernel::TextEnum;
use uuid::Uuid;

use crate::event::Stored;

const LAYOUT: u8 = 1;

/// The canonical bytes of an event as stored.
#[must_use]
pub fn canonical(event: &Stored) -> Vec<u8> {
    let e = &event.envelope;
    let mut bytes = Bytes(Vec::with_capacity(event.payload.len().saturating_add(320)));
    bytes.0.push(LAYOUT);
    bytes.raw(&e.position.0.to_be_bytes());
    bytes.raw(&e.append_last.0.to_be_bytes());
    bytes.raw(e.event_id.as_bytes());
    bytes.raw(e.tenant.uuid().as_bytes());
    bytes.raw(e.stream.as_bytes());
    bytes.raw(&e.version.0.to_be_bytes());
    bytes.text(&e.event_type());
    bytes.raw(&e.schema_version.to_be_bytes());
    bytes.text(&event.payload);
    bytes.text(e.actor.kind.as_str());
    bytes.raw(e.actor.id.as_bytes());
    bytes.optional(e.actor.credential_id);
    bytes.optional(e.actor.on_behalf_of);
    bytes.raw(e.correlation_id.as_bytes());
    bytes.optional(e.causation_id);
    match &event.request {
        None => bytes.0.push(0),
        Some(request) => {
            bytes.0.push(1);
            bytes.text(request);
        }
    }
    bytes.optional(e.key_id.map(|id| id.uuid()));
    bytes.optional(e.request_key_id.map(|id| id.uuid()));
    bytes.raw(&e.occurred_at.timestamp_micros().to_be_bytes());
    bytes.raw(&e.recorded_at.timestamp_micros().to_be_bytes());
    bytes.0
}

struct Bytes(Vec<u8>);

impl Bytes {
    fn raw(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    fn text(&mut self, text: &str) {
        // A payload is at most a megabyte; a longer one could not have been stored.
        let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
        self.raw(&length.to_be_bytes());
        self.raw(text.as_bytes());
    }

    fn optional(&mut self, id: Option<Uuid>) {
        match id {
            None => self.0.push(0),
            Some(id) => {
                self.0.push(1);
                self.raw(id.as_bytes());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use domain::kernel::{
        Actor, ActorKind, Envelope, KeyId, Position, TenantId, Version, testing::at,
    };

    use super::*;

    fn id(n: u128) -> Uuid {
        Uuid::from_u128(n)
    }

    #[test]
    fn the_bytes_of_a_row_never_change() {
        let envelope = Envelope {
            position: Position(42),
            append_last: Position(43),
            event_id: id(1),
            tenant: TenantId::from_uuid(id(2)),
            category: "organization.invitation".into(),
            stream: id(3),
            version: Version(7),
            name: "resent".into(),
            schema_version: 1,
            occurred_at: at(1),
            recorded_at: at(2),
            actor: Actor {
                kind: ActorKind::User,
                id: id(4),
                credential_id: Some(id(5)),
                on_behalf_of: None,
            },
            correlation_id: id(6),
            causation_id: None,
            request: None,
            key_id: Some(KeyId::from_uuid(id(3))),
            request_key_id: None,
        };
        let event = Stored {
            envelope: Arc::new(envelope),
            payload: r#"{"count":2}"#.into(),
            request: Some(r#"{"id":"r"}"#.into()),
        };
        let hex: String = canonical(&event).iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(hex, include_str!("../tests/fixtures/canonical_1.hex").trim());
    }
}
