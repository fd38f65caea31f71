//! The bytes that are hashed, from memory, from the table, and as SQL makes them of a row.

use domain::kernel::Position;
use eventstore::{Append, Expected, canonical};

use crate::support::{append, fresh, fresh_key, full_meta, note, on, signed, written};

/// Layout 1 once more, by other means than ours: what an auditor needs is the table alone.
const LAYOUT: &str = r"
SELECT '\x01'::bytea || int8send(position) || int8send(append_last) || uuid_send(event_id)
    || uuid_send(tenant) || uuid_send(stream) || int4send(version) || pg_temp.text(type)
    || int2send(schema_version) || pg_temp.text(payload::text) || pg_temp.text(actor_kind)
    || uuid_send(actor_id) || pg_temp.maybe(uuid_send(credential_id))
    || pg_temp.maybe(uuid_send(on_behalf_of)) || uuid_send(correlation_id)
    || pg_temp.maybe(uuid_send(causation_id)) || pg_temp.maybe(pg_temp.text(request::text))
    || pg_temp.maybe(uuid_send(key_id)) || pg_temp.maybe(uuid_send(request_key_id))
    || pg_temp.micros(occurred_at) || pg_temp.micros(recorded_at)
FROM eventstore.events ORDER BY position";

const PARTS: &str = r"
CREATE FUNCTION pg_temp.text(text) RETURNS bytea LANGUAGE sql AS
    $$ SELECT int4send(octet_length(convert_to($1, 'UTF8'))) || convert_to($1, 'UTF8') $$;
CREATE FUNCTION pg_temp.maybe(bytea) RETURNS bytea LANGUAGE sql AS
    $$ SELECT coalesce('\x01'::bytea || $1, '\x00'::bytea) $$;
CREATE FUNCTION pg_temp.micros(timestamptz) RETURNS bytea LANGUAGE sql AS
    $$ SELECT int8send((extract(epoch FROM $1) * 1000000)::bigint) $$;";

#[tokio::test]
async fn they_are_the_same_wherever_they_come_from() {
    let database = testkit::database().await;
    let store = on(&database).await;
    let mut reader = store.subscribe(Position(0));
    let metas = [full_meta(Some(fresh_key())), full_meta(None), crate::support::meta()];
    for meta in metas {
        let events = vec![written("x \u{1F980} \"\\ \u{7f}"), signed("Ada", fresh_key())];
        let streams = [events, vec![], vec![written("")]];
        let streams = streams.map(|events| note(fresh(), Expected::Any, events));
        store.append(Append { meta, ..append(streams.into()) }).await.unwrap();
    }
    let mut handed_over = Vec::new();
    while reader.position() < Position(9) {
        handed_over.extend(reader.next(100).await.unwrap());
    }
    let read_back = store.read(Position(0), 100).await.unwrap();
    assert_eq!(handed_over, read_back);

    let mut connection = database.pool.acquire().await.unwrap();
    sqlx::raw_sql(PARTS).execute(&mut *connection).await.unwrap();
    let rows: Vec<Vec<u8>> = sqlx::query_scalar(LAYOUT).fetch_all(&mut *connection).await.unwrap();
    assert_eq!(rows.len(), 9);
    assert!(rows.into_iter().eq(handed_over.iter().map(canonical)));
}
