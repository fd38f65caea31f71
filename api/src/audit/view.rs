//! An event as investigators see it.

use chrono::{DateTime, Utc};
use domain::kernel::Envelope;
use eventstore::Opened;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

/// An event of the log. Personal values stand behind the key `~`; erased ones are null there.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EventView {
    /// Place in the log.
    pub(super) position: i64,
    /// Position of the last event recorded together with this one.
    append_last: i64,
    /// Unique id.
    event_id: Uuid,
    /// `module.aggregate.event`.
    #[schema(example = "organization.organization.renamed")]
    r#type: String,
    /// Version of the payload's shape as it was written.
    schema_version: i16,
    /// The organization the stream belongs to; absent for the platform's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    organization_id: Option<Uuid>,
    /// The stream's category.
    category: String,
    /// The stream's id.
    stream_id: Uuid,
    /// Place in the stream.
    version: i32,
    /// Who did it.
    actor: ActorView,
    /// Shared by everything one request led to.
    correlation_id: Uuid,
    /// The event that led to this one, where a policy acted.
    #[serde(skip_serializing_if = "Option::is_none")]
    causation_id: Option<Uuid>,
    /// The request it came with.
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<RequestView>,
    /// When the decision was taken.
    occurred_at: DateTime<Utc>,
    /// When the log took it in.
    recorded_at: DateTime<Utc>,
    /// What happened.
    data: Value,
}

/// Who did something.
#[derive(Debug, Serialize, ToSchema)]
struct ActorView {
    /// `user`, `service`, `system` or `anonymous`.
    kind: String,
    /// The user or service principal.
    id: Uuid,
    /// The session or API key.
    #[serde(skip_serializing_if = "Option::is_none")]
    credential_id: Option<Uuid>,
    /// In whose name.
    #[serde(skip_serializing_if = "Option::is_none")]
    on_behalf_of: Option<Uuid>,
}

/// The request an event came with.
#[derive(Debug, Serialize, ToSchema)]
struct RequestView {
    /// Its id, also in log lines.
    id: String,
    /// The client's address; null once erased.
    ip: Option<String>,
    /// The client's description of itself; null once erased.
    user_agent: Option<String>,
}

impl From<&Opened> for EventView {
    fn from(opened: &Opened) -> Self {
        let e: &Envelope = &opened.envelope;
        Self {
            position: e.position.0,
            append_last: e.append_last.0,
            event_id: e.event_id,
            r#type: e.event_type(),
            schema_version: e.schema_version,
            organization_id: e.organization(),
            category: e.category.to_string(),
            stream_id: e.stream,
            version: e.version.0,
            actor: ActorView {
                kind: e.actor.kind.to_string(),
                id: e.actor.id,
                credential_id: e.actor.credential_id,
                on_behalf_of: e.actor.on_behalf_of,
            },
            correlation_id: e.correlation_id,
            causation_id: e.causation_id,
            request: e.request.as_ref().map(|request| RequestView {
                id: request.id.clone(),
                ip: request.ip.as_ref().and_then(|ip| ip.text().map(str::to_owned)),
                user_agent: request
                    .user_agent
                    .as_ref()
                    .and_then(|agent| agent.text().map(str::to_owned)),
            }),
            occurred_at: e.occurred_at,
            recorded_at: e.recorded_at,
            data: without_secrets(serde_json::from_str(&opened.payload).unwrap_or_default()),
        }
    }
}

/// Hashes and seeds prove nothing to an investigator and help an attacker.
fn without_secrets(mut data: Value) -> Value {
    if let Value::Object(map) = &mut data {
        for name in ["secret_hash", "token_hash", "refresh_hash", "seed"] {
            if let Some(value) = map.get_mut(name) {
                *value = Value::String("<redacted>".into());
            }
        }
    }
    data
}
