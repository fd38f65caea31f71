//! Everything that is read from the log.

use std::{collections::HashMap, sync::Arc, time::Duration};

use domain::kernel::{Actor, ActorKind, Envelope, KeyId, Position, TenantId, TextEnum, Version};
use serde_json::Value;
use sqlx::{
    AssertSqlSafe, Postgres, QueryBuilder, Row,
    postgres::{PgArguments, PgRow},
    query::Query,
    types::Json,
};
use uuid::Uuid;

use super::{readers::Readers, silence::SILENCE};
use crate::{
    backend::{CommandRecord, Filter, Unavailable},
    event::{Fact, Stored},
};

pub(super) const COLUMNS: &str = "e.position, e.append_last, e.event_id, e.tenant, e.stream, e.version, \
    e.type, e.schema_version, e.payload, e.actor_kind, e.actor_id, e.credential_id, \
    e.on_behalf_of, e.correlation_id, e.causation_id, e.request, e.key_id, e.request_key_id, \
    e.occurred_at, e.recorded_at";

/// How long the server may think about a search: a little longer than its own time-out.
pub(super) const SEARCHING: Duration = Duration::from_secs(11);

/// The columns of a [`Fact`].
const FACTS: &str =
    "e.event_id, e.stream, e.version, e.type, e.schema_version, e.key_id, e.payload";

/// The index on streams gives each in order, and whoever asks takes streams apart; the server is
/// spared the sorting.
pub(super) async fn load(
    readers: &Readers,
    wanted: &[(Uuid, Version)],
) -> Result<Vec<Fact>, Unavailable> {
    let sql = format!(
        "SELECT {FACTS} FROM unnest($1::uuid[], $2::int[]) w(stream, after)
           JOIN eventstore.events e ON e.stream = w.stream AND e.version > w.after"
    );
    let (streams, after): (Vec<_>, Vec<_>) = wanted.iter().map(|(s, v)| (*s, v.0)).unzip();
    let query = sqlx::query(AssertSqlSafe(sql)).bind(streams).bind(after);
    let mut types = Types::default();
    let make = |row: PgRow| fact(&row, &mut types).map(Some);
    let mut facts = readers.each(query, SILENCE, make).await?;
    // Another plan than the one that is expected may come another way.
    if !facts.is_sorted_by_key(|fact| (fact.stream, fact.version)) {
        facts.sort_unstable_by_key(|fact| (fact.stream, fact.version));
    }
    Ok(facts)
}

pub(super) async fn stream(
    readers: &Readers,
    stream: Uuid,
    after: Version,
) -> Result<Vec<Stored>, Unavailable> {
    let sql = format!(
        "SELECT {COLUMNS} FROM eventstore.events e WHERE e.stream = $1 AND e.version > $2
          ORDER BY e.version"
    );
    collect(readers, sqlx::query(AssertSqlSafe(sql)).bind(stream).bind(after.0), SILENCE).await
}

pub(super) async fn read(
    readers: &Readers,
    after: Position,
    limit: i64,
) -> Result<Vec<Stored>, Unavailable> {
    collect(readers, following(after, limit), SILENCE).await
}

/// So many events after a position, in order.
pub(super) fn following(after: Position, limit: i64) -> Query<'static, Postgres, PgArguments> {
    let sql = format!(
        "SELECT {COLUMNS} FROM eventstore.events e WHERE e.position > $1
          ORDER BY e.position LIMIT $2"
    );
    sqlx::query(AssertSqlSafe(sql)).bind(after.0).bind(limit)
}

pub(super) async fn search(readers: &Readers, filter: &Filter) -> Result<Vec<Stored>, Unavailable> {
    let mut sql =
        QueryBuilder::<Postgres>::new(format!("SELECT {COLUMNS} FROM eventstore.events e WHERE "));
    match (filter.descending, filter.after) {
        (_, None) => sql.push("true"),
        (false, Some(after)) => sql.push("e.position > ").push_bind(after.0),
        (true, Some(before)) => sql.push("e.position < ").push_bind(before.0),
    };
    if let Some(until) = filter.until {
        sql.push(" AND e.position <= ").push_bind(until.0);
    }
    if let Some(tenant) = filter.tenant {
        sql.push(" AND e.tenant = ").push_bind(tenant.uuid());
    }
    if let Some(stream) = filter.stream {
        sql.push(" AND e.stream = ").push_bind(stream);
    }
    match filter.event_type.as_deref() {
        Some(prefix) if prefix.ends_with('.') => {
            sql.push(" AND starts_with(e.type, ").push_bind(prefix).push(")");
        }
        Some(exact) => {
            sql.push(" AND e.type = ").push_bind(exact);
        }
        None => {}
    }
    if let Some(actor) = filter.actor {
        sql.push(" AND e.actor_id = ").push_bind(actor);
    }
    if let Some(correlation) = filter.correlation {
        sql.push(" AND e.correlation_id = ").push_bind(correlation);
    }
    if let Some(from) = filter.from {
        sql.push(" AND e.recorded_at >= ").push_bind(from);
    }
    if let Some(to) = filter.to {
        sql.push(" AND e.recorded_at < ").push_bind(to);
    }
    sql.push(if filter.descending { " ORDER BY e.position DESC" } else { " ORDER BY e.position" });
    sql.push(" LIMIT ").push_bind(filter.limit);
    collect(readers, sql.build(), SEARCHING).await
}

pub(super) async fn head(readers: &Readers) -> Result<Position, Unavailable> {
    let rows = readers.rows(sqlx::query("SELECT max(position) FROM eventstore.events")).await?;
    let head = rows.first().map(|row| row.try_get::<Option<i64>, _>(0));
    Ok(Position(head.transpose()?.flatten().unwrap_or_default()))
}

/// The server's identity and the number of the database on it. A physical copy has the same, which
/// costs its processes some questions and nothing else.
pub(super) async fn log_id(readers: &Readers) -> Result<String, Unavailable> {
    let sql = "SELECT system_identifier || '-' || oid
        FROM pg_control_system(), pg_database WHERE datname = current_database()";
    let rows = readers.rows(sqlx::query(sql)).await?;
    let row = rows.first().ok_or(sqlx::Error::RowNotFound)?;
    Ok(row.try_get(0)?)
}

pub(super) async fn claim_owner(
    readers: &Readers,
    scope: &str,
    key: &str,
) -> Result<Option<Uuid>, Unavailable> {
    let query = sqlx::query(
        "SELECT owner FROM eventstore.unique_claims
          WHERE scope = $1 AND key = $2 AND (held_until IS NULL OR held_until > clock_timestamp())",
    );
    let rows = readers.rows(query.bind(scope).bind(key)).await?;
    Ok(rows.first().map(|row| row.try_get(0)).transpose()?)
}

pub(super) async fn claim_owners(
    readers: &Readers,
    scope: &str,
    prefix: &str,
    limit: i64,
) -> Result<Vec<(String, Uuid)>, Unavailable> {
    let query = sqlx::query(
        "SELECT key, owner FROM eventstore.unique_claims
          WHERE scope = $1 AND starts_with(key, $2)
            AND (held_until IS NULL OR held_until > clock_timestamp())
          ORDER BY key COLLATE \"C\" LIMIT $3",
    );
    let rows = readers.rows(query.bind(scope).bind(prefix).bind(limit)).await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}

pub(super) async fn command(
    readers: &Readers,
    tenant: TenantId,
    id: Uuid,
) -> Result<Option<CommandRecord>, Unavailable> {
    let query = sqlx::query(
        "SELECT c.digest, c.last_position, c.reply,
                (SELECT json_agg(json_build_array(s.stream, s.version) ORDER BY s.first) FROM (
                   SELECT e.stream, max(e.version) AS version, min(e.position) AS first
                     FROM eventstore.events e
                    WHERE e.position > c.last_position - c.events
                      AND e.position <= c.last_position
                    GROUP BY e.stream) s) AS versions
           FROM eventstore.commands c WHERE c.tenant = $1 AND c.command = $2",
    )
    .bind(tenant.uuid())
    .bind(id);
    let rows = readers.rows(query).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let digest: Vec<u8> = row.try_get("digest")?;
    let versions: Option<Json<Vec<(Uuid, i32)>>> = row.try_get("versions")?;
    Ok(Some(CommandRecord {
        digest: digest
            .try_into()
            .map_err(|_| sqlx::Error::Decode("a digest has 32 bytes".into()))?,
        position: Position(row.try_get("last_position")?),
        versions: versions
            .map(|json| json.0.into_iter().map(|(s, v)| (s, Version(v))).collect())
            .unwrap_or_default(),
        reply: row.try_get::<Option<Value>, _>("reply")?,
    }))
}

pub(super) async fn keys(
    readers: &Readers,
    wanted: &[KeyId],
    offered: &[(KeyId, Vec<u8>)],
) -> Result<Vec<(KeyId, Option<Vec<u8>>)>, Unavailable> {
    let wanted: Vec<Uuid> = wanted.iter().map(|id| id.uuid()).collect();
    let mut found = match offered {
        [] => known_keys(readers, &wanted).await?,
        offered => make_keys(readers, &wanted, offered).await?,
    };
    if found.len() < wanted.len() && !offered.is_empty() {
        // Somebody else made one at the same moment, too late for the snapshot of our statement.
        let unseen = |id: &&Uuid| !found.iter().any(|(seen, _)| seen.uuid() == **id);
        let unseen: Vec<Uuid> = wanted.iter().filter(unseen).copied().collect();
        found.extend(known_keys(readers, &unseen).await?);
    }
    Ok(found)
}

type WrappedKey = (KeyId, Option<Vec<u8>>);

async fn known_keys(readers: &Readers, wanted: &[Uuid]) -> Result<Vec<WrappedKey>, Unavailable> {
    let query =
        sqlx::query("SELECT key_id, wrapped FROM eventstore.subject_keys WHERE key_id = ANY($1)");
    wrapped_keys(&readers.rows(query.bind(wanted)).await?)
}

/// Whoever is first makes a key; everybody reads the same one afterwards.
async fn make_keys(
    readers: &Readers,
    wanted: &[Uuid],
    offered: &[(KeyId, Vec<u8>)],
) -> Result<Vec<WrappedKey>, Unavailable> {
    let (ids, wrapped): (Vec<_>, Vec<_>) =
        offered.iter().map(|(id, wrapped)| (id.uuid(), wrapped.as_slice())).unzip();
    // In one order, or two who make the same keys could wait for each other.
    let query = sqlx::query(
        "WITH made AS (
           INSERT INTO eventstore.subject_keys (key_id, wrapped)
           SELECT * FROM unnest($2::uuid[], $3::bytea[]) ORDER BY 1
           ON CONFLICT (key_id) DO NOTHING RETURNING key_id, wrapped)
         SELECT key_id, wrapped FROM made
         UNION ALL
         SELECT key_id, wrapped FROM eventstore.subject_keys WHERE key_id = ANY($1)",
    );
    wrapped_keys(&readers.rows(query.bind(wanted).bind(ids).bind(wrapped)).await?)
}

fn wrapped_keys(rows: &[PgRow]) -> Result<Vec<WrappedKey>, Unavailable> {
    rows.iter().map(|row| Ok((KeyId::from_uuid(row.try_get(0)?), row.try_get(1)?))).collect()
}

async fn collect(
    readers: &Readers,
    query: Query<'_, Postgres, PgArguments>,
    silence: Duration,
) -> Result<Vec<Stored>, Unavailable> {
    let mut types = Types::default();
    readers.each(query, silence, |row| stored(&row, &mut types).map(Some)).await
}

/// Category and name of the types met so far: an answer has few, so that its events share them.
#[derive(Default)]
pub(super) struct Types(HashMap<Box<str>, (Arc<str>, Arc<str>)>);

impl Types {
    fn split(&mut self, full: &str) -> Option<(Arc<str>, Arc<str>)> {
        if let Some(known) = self.0.get(full) {
            return Some(known.clone());
        }
        let (category, name) = full.rsplit_once('.')?;
        let parts: (Arc<str>, Arc<str>) = (category.into(), name.into());
        self.0.insert(full.into(), parts.clone());
        Some(parts)
    }
}

/// Reads a row of [`FACTS`], as [`stored`] does.
fn fact(row: &PgRow, types: &mut Types) -> Result<Fact, sqlx::Error> {
    let full: &str = row.try_get_unchecked(3)?;
    let nonsense = || sqlx::Error::Decode(format!("event of unknown kind {full}").into());
    let (category, name) = types.split(full).ok_or_else(nonsense)?;
    let payload: &str = row.try_get_unchecked(6)?;
    Ok(Fact {
        event_id: row.try_get_unchecked(0)?,
        stream: row.try_get_unchecked(1)?,
        version: Version(row.try_get_unchecked(2)?),
        category,
        name,
        schema_version: row.try_get_unchecked(4)?,
        key_id: row.try_get_unchecked::<Option<Uuid>, _>(5)?.map(KeyId::from_uuid),
        payload: payload.into(),
    })
}

/// Reads a row of [`COLUMNS`]. Their types are our own migration's and `json` travels as its own
/// text, so no value is checked against its column's type, twenty times an event.
pub(super) fn stored(row: &PgRow, types: &mut Types) -> Result<Stored, sqlx::Error> {
    let kind: &str = row.try_get_unchecked(9)?;
    let full: &str = row.try_get_unchecked(6)?;
    let nonsense = || sqlx::Error::Decode(format!("event of unknown kind {kind} {full}").into());
    let (category, name) = types.split(full).ok_or_else(nonsense)?;
    let payload: &str = row.try_get_unchecked(8)?;
    let request: Option<&str> = row.try_get_unchecked(15)?;
    let envelope = Envelope {
        position: Position(row.try_get_unchecked(0)?),
        append_last: Position(row.try_get_unchecked(1)?),
        event_id: row.try_get_unchecked(2)?,
        tenant: TenantId::from_uuid(row.try_get_unchecked(3)?),
        category,
        stream: row.try_get_unchecked(4)?,
        version: Version(row.try_get_unchecked(5)?),
        name,
        schema_version: row.try_get_unchecked(7)?,
        occurred_at: row.try_get_unchecked(18)?,
        recorded_at: row.try_get_unchecked(19)?,
        actor: Actor {
            kind: ActorKind::parse(kind).ok_or_else(nonsense)?,
            id: row.try_get_unchecked(10)?,
            credential_id: row.try_get_unchecked(11)?,
            on_behalf_of: row.try_get_unchecked(12)?,
        },
        correlation_id: row.try_get_unchecked(13)?,
        causation_id: row.try_get_unchecked(14)?,
        request: None,
        key_id: row.try_get_unchecked::<Option<Uuid>, _>(16)?.map(KeyId::from_uuid),
        request_key_id: row.try_get_unchecked::<Option<Uuid>, _>(17)?.map(KeyId::from_uuid),
    };
    Ok(Stored {
        envelope: Arc::new(envelope),
        payload: payload.into(),
        request: request.map(Into::into),
    })
}

#[cfg(test)]
mod tests {
    use sqlx::postgres::PgConnectOptions;

    use super::{super::readers::MOST, *};
    use crate::{
        append::Expected,
        backend::{Backend, Condition},
        postgres::Postgres,
        tests::{command, sealed},
    };

    #[tokio::test]
    async fn facts_are_in_order_whichever_way_the_server_found_them() {
        let database = testkit::database().await;
        let options: PgConnectOptions = database.url.parse().unwrap();
        let log = Postgres::connect(options.clone()).await.unwrap();
        let streams = [2_u128, 1].map(Uuid::from_u128);
        // In turns, so that neither lies together.
        for id in 0..6 {
            let condition = Condition {
                tenant: TenantId::PLATFORM,
                category: "test.note",
                stream: streams[usize::try_from(id % 2).unwrap()],
                expected: Expected::Any,
                count: 1,
            };
            let append = sealed(command(TenantId::PLATFORM, id, 0), vec![condition], None);
            log.append(&[Arc::new(append)]).await.unwrap();
        }
        let off = ["enable_nestloop", "enable_indexscan", "enable_bitmapscan", "enable_mergejoin"];
        let readers = Readers::new(options.options(off.map(|way| (way, "off"))), MOST);
        let wanted = streams.map(|stream| (stream, Version(1)));
        let facts = load(&readers, &wanted).await.unwrap();
        let places: Vec<_> = facts.iter().map(|fact| (fact.stream, fact.version.0)).collect();
        let expected = [(streams[1], 2), (streams[1], 3), (streams[0], 2), (streams[0], 3)];
        assert_eq!(places, expected);
        assert_eq!(load(&log.readers, &wanted).await.unwrap(), facts);
    }
}
