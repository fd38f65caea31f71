//! The one call that writes.

use std::sync::Arc;

use domain::kernel::{Position, TextEnum, Timestamp, Version};
use serde_json::Value;
use sqlx::{PgConnection, Row, postgres::PgRow};
use uuid::Uuid;

use super::fault;
use crate::{
    append::Expected,
    backend::{CommandRecord, Sealed, Unavailable, Verdict},
};

/// Takes its lock, checks, numbers, writes and commits: one round trip.
const APPEND: &str = "SELECT outcome, first_position, last_position, recorded_at, versions, detail
  FROM eventstore.append_batch($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14,$15,$16,$17,$18,$19,
       $20,$21,$22,$23,$24,$25,$26,$27,$28,$29,$30,$31,$32,$33,$34,$35,$36)";

/// The arguments of the call, column by column. A number of an append counts from 1.
#[derive(Default)]
struct Columns<'a> {
    a_tenant: Vec<Uuid>,
    a_command: Vec<Uuid>,
    a_digest: Vec<&'a [u8]>,
    a_reply: Vec<Option<&'a str>>,
    c_i: Vec<i32>,
    c_tenant: Vec<Uuid>,
    c_category: Vec<&'a str>,
    c_stream: Vec<Uuid>,
    c_expected: Vec<Option<i32>>,
    c_n: Vec<i32>,
    u_i: Vec<i32>,
    u_scope: Vec<&'a str>,
    u_key: Vec<&'a str>,
    u_prior: Vec<Option<Uuid>>,
    u_owner: Vec<Option<Uuid>>,
    u_until: Vec<Option<Timestamp>>,
    k_i: Vec<i32>,
    k_key: Vec<Uuid>,
    k_destroy: Vec<bool>,
    e_i: Vec<i32>,
    e_c: Vec<i32>,
    e_k: Vec<i32>,
    e_id: Vec<Uuid>,
    e_type: Vec<&'a str>,
    e_schema: Vec<i16>,
    e_payload: Vec<&'a str>,
    e_key: Vec<Option<Uuid>>,
    e_actor_kind: Vec<&'a str>,
    e_actor: Vec<Uuid>,
    e_credential: Vec<Option<Uuid>>,
    e_behalf: Vec<Option<Uuid>>,
    e_correlation: Vec<Uuid>,
    e_causation: Vec<Option<Uuid>>,
    e_request: Vec<Option<&'a str>>,
    e_request_key: Vec<Option<Uuid>>,
    e_occurred: Vec<Timestamp>,
}

impl<'a> Columns<'a> {
    fn of(batch: &'a [Arc<Sealed>]) -> Self {
        let mut columns = Self::default();
        for (append, i) in batch.iter().zip(1..) {
            columns.push(append, i);
        }
        columns
    }

    fn push(&mut self, append: &'a Sealed, i: i32) {
        self.a_tenant.push(append.command.tenant.uuid());
        self.a_command.push(append.command.id);
        self.a_digest.push(&append.command.digest);
        self.a_reply.push(append.reply.as_deref());
        for claim in &append.claims {
            self.u_i.push(i);
            self.u_scope.push(claim.scope);
            self.u_key.push(&claim.key);
            self.u_prior.push(claim.prior);
            self.u_owner.push(claim.owner);
            self.u_until.push(claim.until);
        }
        let destroyed = append.shred.iter().map(|key| (key, true));
        for (key, destroy) in append.uses.iter().map(|key| (key, false)).chain(destroyed) {
            self.k_i.push(i);
            self.k_key.push(key.uuid());
            self.k_destroy.push(destroy);
        }
        let conditions_before = i32::try_from(self.c_i.len()).unwrap_or(i32::MAX);
        for condition in &append.conditions {
            self.c_i.push(i);
            self.c_tenant.push(condition.tenant.uuid());
            self.c_category.push(condition.category);
            self.c_stream.push(condition.stream);
            self.c_expected.push(match condition.expected {
                Expected::Exact(version) => Some(version.0),
                Expected::Any => None,
            });
            self.c_n.push(condition.count);
        }
        self.push_events(append, i, conditions_before);
    }

    fn push_events(&mut self, append: &'a Sealed, i: i32, conditions_before: i32) {
        let meta = &append.meta;
        for event in &append.events {
            let condition = i32::try_from(event.condition).unwrap_or(i32::MAX);
            self.e_i.push(i);
            self.e_c.push(conditions_before.saturating_add(condition).saturating_add(1));
            self.e_k.push(event.rank);
            self.e_id.push(event.id);
            self.e_type.push(&event.name);
            self.e_schema.push(event.schema_version);
            self.e_payload.push(&event.payload);
            self.e_key.push(event.key.map(Into::into));
            self.e_actor_kind.push(meta.actor.kind.as_str());
            self.e_actor.push(meta.actor.id);
            self.e_credential.push(meta.actor.credential_id);
            self.e_behalf.push(meta.actor.on_behalf_of);
            self.e_correlation.push(meta.correlation_id);
            self.e_causation.push(meta.causation_id);
            self.e_request.push(meta.request.as_deref());
            self.e_request_key.push(meta.request_key.map(Into::into));
            self.e_occurred.push(meta.occurred_at);
        }
    }
}

/// Writes a batch of disjoint appends.
pub(super) async fn append(
    connection: &mut PgConnection,
    batch: &[Arc<Sealed>],
) -> Result<Vec<Verdict>, Unavailable> {
    let c = Columns::of(batch);
    let query = sqlx::query(APPEND)
        .bind(c.a_tenant)
        .bind(c.a_command)
        .bind(c.a_digest)
        .bind(c.a_reply)
        .bind(c.c_i)
        .bind(c.c_tenant)
        .bind(c.c_category)
        .bind(c.c_stream)
        .bind(c.c_expected)
        .bind(c.c_n)
        .bind(c.u_i)
        .bind(c.u_scope)
        .bind(c.u_key)
        .bind(c.u_prior)
        .bind(c.u_owner)
        .bind(c.u_until)
        .bind(c.k_i)
        .bind(c.k_key)
        .bind(c.k_destroy)
        .bind(c.e_i)
        .bind(c.e_c)
        .bind(c.e_k)
        .bind(c.e_id)
        .bind(c.e_type)
        .bind(c.e_schema)
        .bind(c.e_payload)
        .bind(c.e_key)
        .bind(c.e_actor_kind)
        .bind(c.e_actor)
        .bind(c.e_credential)
        .bind(c.e_behalf)
        .bind(c.e_correlation)
        .bind(c.e_causation)
        .bind(c.e_request)
        .bind(c.e_request_key)
        .bind(c.e_occurred);
    // To the very end of the answer: the commit comes after the last row.
    let rows = query.fetch_all(connection).await.map_err(fault)?;
    if rows.len() != batch.len() {
        return Err(Unavailable::stopped());
    }
    rows.iter().map(verdict).collect::<Result<_, sqlx::Error>>().map_err(fault)
}

fn verdict(row: &PgRow) -> Result<Verdict, sqlx::Error> {
    let detail: Option<Value> = row.try_get("detail")?;
    let list = || detail.iter().flat_map(Value::as_array).flatten();
    Ok(match row.try_get::<&str, _>("outcome")? {
        "committed" => Verdict::Committed {
            first: Position(row.try_get("first_position")?),
            last: Position(row.try_get("last_position")?),
            recorded_at: row.try_get("recorded_at")?,
            versions: row
                .try_get::<Option<Vec<i32>>, _>("versions")?
                .unwrap_or_default()
                .into_iter()
                .map(Version)
                .collect(),
        },
        // The versions it led to are looked up outside the lock.
        "duplicate" => Verdict::Duplicate(CommandRecord {
            digest: [0; 32],
            position: Position(0),
            versions: Vec::new(),
            reply: None,
        }),
        "command_reused" => Verdict::Reused,
        "conflict" => Verdict::Conflict(list().filter_map(stale).collect()),
        "claim_taken" => {
            let scope = list().next().and_then(Value::as_str).unwrap_or_default();
            Verdict::ClaimTaken(scope.to_owned())
        }
        "subject_erased" => Verdict::SubjectErased,
        other => return Err(sqlx::Error::Protocol(format!("unknown outcome {other}"))),
    })
}

fn stale(pair: &Value) -> Option<(Uuid, Version)> {
    let stream = pair.get(0)?.as_str()?.parse().ok()?;
    let version = i32::try_from(pair.get(1)?.as_i64()?).ok()?;
    Some((stream, Version(version)))
}
