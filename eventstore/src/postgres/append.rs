//! The one call that writes.

use std::{collections::HashMap, sync::Arc};

use domain::kernel::{KeyId, Position, TextEnum, Timestamp, Version};
use sqlx::{
    Encode, PgConnection, Row, Type,
    encode::IsNull,
    error::BoxDynError,
    postgres::{PgArgumentBuffer, PgHasArrayType, PgRow, PgTypeInfo, types::Oid},
};
use uuid::Uuid;

use crate::{
    ahead::{End, Fate},
    append::Expected,
    backend::{Condition, Sealed, SealedMeta, Verdict},
};

/// Takes its lock, checks, numbers, writes and commits: one round trip.
const APPEND: &str = "SELECT outcomes, last_positions, recorded_at, versions, stale, taken
  FROM eventstore.append_batch($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14,$15,$16,$17,$18,
       $19,$20,$21,$22,$23,$24,$25,$26,$27,$28,$29,$30,$31,$32,$33,$34,$35,$36,$37,$38,$39,$40,$41)";

/// The arguments of the call, column by column. A number of an append counts from 1.
#[derive(Default)]
struct Columns<'a> {
    a_tenant: Vec<Uuid>,
    a_command: Vec<Uuid>,
    a_digest: Vec<&'a [u8]>,
    a_reply: Vec<Option<Json<'a>>>,
    a_events: Vec<i32>,
    a_actor_kind: Vec<&'a str>,
    a_actor: Vec<Uuid>,
    a_credential: Vec<Option<Uuid>>,
    a_behalf: Vec<Option<Uuid>>,
    a_correlation: Vec<Uuid>,
    a_causation: Vec<Option<Uuid>>,
    a_request: Vec<Option<Json<'a>>>,
    a_request_key: Vec<Option<Uuid>>,
    a_occurred: Vec<Timestamp>,
    c_i: Vec<i32>,
    c_tenant: Vec<Uuid>,
    c_category: Vec<&'a str>,
    c_stream: Vec<Uuid>,
    c_expected: Vec<Option<i32>>,
    c_events: Vec<i32>,
    c_ahead: Vec<i32>,
    f_i: Vec<i32>,
    f_after: Vec<i32>,
    u_i: Vec<i32>,
    u_scope: Vec<&'a str>,
    u_key: Vec<&'a str>,
    u_prior: Vec<Option<Uuid>>,
    u_owner: Vec<Option<Uuid>>,
    u_until: Vec<Option<Timestamp>>,
    k_i: Vec<i32>,
    k_key: Vec<Uuid>,
    k_wrapped: Vec<Option<&'a [u8]>>,
    k_destroy: Vec<bool>,
    e_i: Vec<i32>,
    e_c: Vec<i32>,
    e_rank: Vec<i32>,
    e_id: Vec<Uuid>,
    e_type: Vec<String>,
    e_schema: Vec<i16>,
    e_payload: Vec<Json<'a>>,
    e_key: Vec<Option<Uuid>>,
}

impl<'a> Columns<'a> {
    fn of(batch: &'a [Arc<Sealed>]) -> Self {
        let mut columns = Self::default();
        for (append, i) in batch.iter().zip(1..) {
            columns.push(append, i);
        }
        if batch.iter().any(|append| !append.line.follows.is_empty()) {
            columns.push_line(batch);
        }
        columns
    }

    /// Who follows whom, and what the streams have been given before in the same batch.
    fn push_line(&mut self, batch: &[Arc<Sealed>]) {
        for (append, i) in batch.iter().zip(1..) {
            if let Some(after) = predecessor(append, batch) {
                self.f_i.push(i);
                self.f_after.push(after);
            }
        }
        let mut given: HashMap<Uuid, i32> = HashMap::new();
        let conditions = batch.iter().flat_map(|append| &append.conditions);
        for (condition, ahead) in conditions.zip(&mut self.c_ahead) {
            let given = given.entry(condition.stream).or_default();
            *ahead = *given;
            *given = given.saturating_add(condition.count);
        }
    }

    fn push(&mut self, append: &'a Sealed, i: i32) {
        self.a_tenant.push(append.command.tenant.uuid());
        self.a_command.push(append.command.id);
        self.a_digest.push(&append.command.digest);
        self.a_reply.push(append.reply.as_deref().map(Json));
        self.a_events.push(append.conditions.iter().map(|c| c.count).sum());
        self.push_meta(&append.meta);
        for claim in &append.claims {
            self.u_i.push(i);
            self.u_scope.push(claim.scope);
            self.u_key.push(&claim.key);
            self.u_prior.push(claim.prior);
            self.u_owner.push(claim.owner);
            self.u_until.push(claim.until);
        }
        self.push_keys(append, i);
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
            self.c_events.push(condition.count);
            self.c_ahead.push(0);
        }
        self.push_events(append, i, conditions_before);
    }

    fn push_meta(&mut self, meta: &'a SealedMeta) {
        self.a_actor_kind.push(meta.actor.kind.as_str());
        self.a_actor.push(meta.actor.id);
        self.a_credential.push(meta.actor.credential_id);
        self.a_behalf.push(meta.actor.on_behalf_of);
        self.a_correlation.push(meta.correlation_id);
        self.a_causation.push(meta.causation_id);
        self.a_request.push(meta.request.as_deref().map(Json));
        self.a_request_key.push(meta.request_key.map(Into::into));
        self.a_occurred.push(meta.occurred_at);
    }

    fn push_keys(&mut self, append: &'a Sealed, i: i32) {
        let wrapped = |key: &KeyId| {
            let made = append.makes.iter().find(|made| made.id == *key);
            made.map(|made| &*made.wrapped)
        };
        let used = append.uses.iter().map(|key| (key, wrapped(key), false));
        let destroyed = append.shred.iter().map(|key| (key, None, true));
        for (key, wrapped, destroy) in used.chain(destroyed) {
            self.k_i.push(i);
            self.k_key.push(key.uuid());
            self.k_wrapped.push(wrapped);
            self.k_destroy.push(destroy);
        }
    }

    fn push_events(&mut self, append: &'a Sealed, i: i32, conditions_before: i32) {
        for event in &append.events {
            let condition = i32::try_from(event.condition).unwrap_or(i32::MAX);
            let category = append.conditions.get(event.condition).map_or("", |c| c.category);
            self.e_i.push(i);
            self.e_c.push(conditions_before.saturating_add(condition).saturating_add(1));
            self.e_rank.push(event.rank);
            self.e_id.push(event.id);
            self.e_type.push(format!("{category}.{}", event.name));
            self.e_schema.push(event.schema_version);
            self.e_payload.push(Json(&event.payload));
            self.e_key.push(event.key.map(Into::into));
        }
    }
}

/// The number of the append of a batch that another one is written after, 0 if that came to nothing
/// before; none if it follows nothing, or nothing but what is written.
fn predecessor(append: &Sealed, batch: &[Arc<Sealed>]) -> Option<i32> {
    let follows = &append.line.follows;
    if follows.iter().any(|fate| fate.end() == End::Void) {
        return Some(0);
    }
    let number = |fate: &Fate| {
        let fates = batch.iter().map(|append| append.line.fate.as_ref());
        fates.zip(1..).find_map(|(own, i)| own.is_some_and(|own| own.same(fate)).then_some(i))
    };
    // Where there are several, it is the same one: admission sees to that.
    follows.iter().find_map(number)
}

/// JSON that is written already, as a value of the column type `json`.
struct Json<'a>(&'a str);

impl Type<sqlx::Postgres> for Json<'_> {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(Oid(114))
    }
}

impl PgHasArrayType for Json<'_> {
    fn array_type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(Oid(199))
    }
}

impl Encode<'_, sqlx::Postgres> for Json<'_> {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        buffer.extend_from_slice(self.0.as_bytes());
        Ok(IsNull::No)
    }

    fn size_hint(&self) -> usize {
        self.0.len()
    }
}

/// What the call answers, column by column.
struct Answer {
    outcomes: Vec<String>,
    last_positions: Vec<i64>,
    recorded_at: Timestamp,
    /// One a condition: the version before the batch, and whether another was expected.
    versions: Vec<i32>,
    stale: Vec<bool>,
    /// One a claim: whether somebody else holds it.
    taken: Vec<bool>,
}

impl Answer {
    fn of(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            outcomes: row.try_get(0)?,
            last_positions: row.try_get(1)?,
            recorded_at: row.try_get(2)?,
            versions: row.try_get::<Option<_>, _>(3)?.unwrap_or_default(),
            stale: row.try_get::<Option<_>, _>(4)?.unwrap_or_default(),
            taken: row.try_get::<Option<_>, _>(5)?.unwrap_or_default(),
        })
    }

    /// What the log says to each append; `None` where an earlier answer has to be looked up.
    fn verdicts(self, batch: &[Arc<Sealed>]) -> Option<Vec<Option<Verdict>>> {
        let mut conditions = self.versions.into_iter().zip(self.stale);
        let mut claims = self.taken.into_iter();
        let judged = self.outcomes.into_iter().zip(self.last_positions);
        let mut verdicts = Vec::with_capacity(batch.len());
        for (append, (outcome, last)) in batch.iter().zip(judged) {
            let found: Vec<_> = conditions.by_ref().take(append.conditions.len()).collect();
            let taken: Vec<_> = claims.by_ref().take(append.claims.len()).collect();
            verdicts.push(match &*outcome {
                "committed" => Some(committed(append, &found, last, self.recorded_at)),
                "duplicate" => None,
                "command_reused" => Some(Verdict::Reused),
                "follows_void" => Some(Verdict::Conflict(Vec::new())),
                "conflict" => Some(conflict(append, &found)),
                "claim_taken" => {
                    let (claim, _) = append.claims.iter().zip(taken).find(|(_, taken)| *taken)?;
                    Some(Verdict::ClaimTaken(claim.scope.to_owned()))
                }
                "subject_erased" => Some(Verdict::SubjectErased),
                "key_made" => Some(Verdict::KeyMade),
                _ => return None,
            });
        }
        (verdicts.len() == batch.len()).then_some(verdicts)
    }
}

fn committed(append: &Sealed, found: &[(i32, bool)], last: i64, recorded_at: Timestamp) -> Verdict {
    let written: i64 = append.conditions.iter().map(|c| i64::from(c.count)).sum();
    let after =
        |(c, (version, _)): (&Condition, &(i32, bool))| Version(version.saturating_add(c.count));
    Verdict::Committed {
        first: Position(last.saturating_sub(written).saturating_add(1)),
        last: Position(last),
        recorded_at,
        versions: append.conditions.iter().zip(found).map(after).collect(),
    }
}

fn conflict(append: &Sealed, found: &[(i32, bool)]) -> Verdict {
    let conditions = append.conditions.iter().zip(found);
    let stale = conditions.filter(|(_, (_, stale))| *stale);
    Verdict::Conflict(stale.map(|(c, (version, _))| (c.stream, Version(*version))).collect())
}

/// Writes a batch as admission lets it through; `None` for a command that was recorded before.
pub(super) async fn append(
    connection: &mut PgConnection,
    batch: &[Arc<Sealed>],
) -> Result<Vec<Option<Verdict>>, sqlx::Error> {
    let c = Columns::of(batch);
    let query = sqlx::query(APPEND)
        .bind(c.a_tenant)
        .bind(c.a_command)
        .bind(c.a_digest)
        .bind(c.a_reply)
        .bind(c.a_events)
        .bind(c.a_actor_kind)
        .bind(c.a_actor)
        .bind(c.a_credential)
        .bind(c.a_behalf)
        .bind(c.a_correlation)
        .bind(c.a_causation)
        .bind(c.a_request)
        .bind(c.a_request_key)
        .bind(c.a_occurred)
        .bind(c.c_i)
        .bind(c.c_tenant)
        .bind(c.c_category)
        .bind(c.c_stream)
        .bind(c.c_expected)
        .bind(c.c_events)
        .bind(c.c_ahead)
        .bind(c.f_i)
        .bind(c.f_after)
        .bind(c.u_i)
        .bind(c.u_scope)
        .bind(c.u_key)
        .bind(c.u_prior)
        .bind(c.u_owner)
        .bind(c.u_until)
        .bind(c.k_i)
        .bind(c.k_key)
        .bind(c.k_wrapped)
        .bind(c.k_destroy)
        .bind(c.e_i)
        .bind(c.e_c)
        .bind(c.e_rank)
        .bind(c.e_id)
        .bind(c.e_type)
        .bind(c.e_schema)
        .bind(c.e_payload)
        .bind(c.e_key);
    // To the very end of the answer: the commit comes after the last row.
    let rows = query.fetch_all(connection).await?;
    let answer = rows.first().map(Answer::of).transpose()?;
    let verdicts = answer.and_then(|answer| answer.verdicts(batch));
    verdicts.ok_or_else(|| sqlx::Error::Decode("the answer does not fit the batch".into()))
}
