//! What can only be seen from inside: batches as they are admitted, a log that does not move, and
//! one that lost its end.

mod batches;
mod feed;
mod lost_events;
mod overload;

use std::sync::Arc;

use domain::kernel::{Actor, KeyId, TenantId, testing::at};
use uuid::Uuid;

use crate::{
    ahead::Line,
    append::CommandKey,
    backend::{Condition, Sealed, SealedEvent, SealedMeta},
};

/// An append of `conditions` under a command id, its events numbered from that id.
pub(crate) fn sealed(
    command: CommandKey,
    conditions: Vec<Condition>,
    key: Option<KeyId>,
) -> Sealed {
    let mut events = Vec::new();
    for (place, condition) in conditions.iter().enumerate() {
        for rank in 1..=condition.count {
            let n = u128::try_from(events.len()).unwrap();
            events.push(SealedEvent {
                id: Uuid::from_u128(command.id.as_u128() + (n << 32)),
                condition: place,
                rank,
                name: "written".to_owned(),
                schema_version: 1,
                payload: Arc::from(format!(r#"{{"by":"{}","rank":{rank}}}"#, command.id)),
                key,
            });
        }
    }
    Sealed {
        command,
        reply: Some(format!(r#""{}""#, command.id)),
        conditions,
        claims: Vec::new(),
        uses: key.into_iter().collect(),
        makes: Vec::new(),
        shred: Vec::new(),
        events,
        meta: SealedMeta {
            actor: Actor::SYSTEM,
            correlation_id: command.id,
            causation_id: None,
            request: None,
            request_key: None,
            occurred_at: at(0),
        },
        line: Line::default(),
    }
}

pub(crate) fn command(tenant: TenantId, id: u128, digest: u8) -> CommandKey {
    CommandKey { tenant, id: Uuid::from_u128(id), digest: [digest; 32] }
}
