//! What the database itself refuses.

use domain::kernel::Position;
use eventstore::{Append, Claim, Expected};
use migrations::{MigrateError, Reach};
use sqlx::{Connection, PgConnection, postgres::PgConnectOptions};

use crate::support::{append, fresh, fresh_key, full_meta, note, on, signed, with, write};

/// The code of the server's refusal.
async fn refusal(connection: &mut PgConnection, sql: &'static str) -> String {
    let error = sqlx::raw_sql(sql).execute(connection).await.unwrap_err();
    error.into_database_error().unwrap().code().unwrap().into_owned()
}

const CHANGES: [&str; 4] = [
    "UPDATE eventstore.events SET payload = '{}'",
    "DELETE FROM eventstore.events",
    "TRUNCATE eventstore.events",
    "UPDATE eventstore.events SET position = -1 WHERE false",
];
const INSUFFICIENT_PRIVILEGE: &str = "42501";

#[tokio::test]
async fn events_are_immutable_for_everybody() {
    let database = testkit::database().await;
    let store = on(&database).await;
    write(&store, fresh(), 2).await;
    let before = store.read(Position(0), 10).await.unwrap();
    let mut owner = PgConnection::connect(&database.url).await.unwrap();
    for change in CHANGES {
        assert_eq!(refusal(&mut owner, change).await, INSUFFICIENT_PRIVILEGE, "{change}");
    }
    // Not even where triggers are told to look away.
    sqlx::raw_sql("SET session_replication_role = replica").execute(&mut owner).await.unwrap();
    for change in CHANGES {
        assert_eq!(refusal(&mut owner, change).await, INSUFFICIENT_PRIVILEGE, "{change}");
    }
    assert_eq!(store.read(Position(0), 10).await.unwrap(), before);
}

#[tokio::test]
async fn the_application_adds_and_changes_nothing() {
    let database = testkit::database().await;
    let options: PgConnectOptions = database.url.parse().unwrap();
    let options = options.options([("role", "commonhold_app")]);
    let store = with(options.clone()).await;
    let (stream, key) = (fresh(), fresh_key());
    for claim in [Claim::take("test.name", "a", stream), Claim::release("test.name", "a", stream)] {
        let events = vec![signed("Ada", key)];
        let asked = append(vec![note(stream, Expected::Any, events)]);
        let meta = full_meta(Some(key));
        store.append(Append { claims: vec![claim], meta, ..asked }).await.unwrap();
    }
    store.append(Append { shred: vec![key], ..append(vec![]) }).await.unwrap();
    assert_eq!(store.head().await.unwrap(), Position(2));

    let mut connection = PgConnection::connect_with(&options).await.unwrap();
    let others = [
        "ALTER TABLE eventstore.events DISABLE TRIGGER ALL",
        "UPDATE eventstore.commands SET reply = NULL",
        "DELETE FROM eventstore.commands",
        "DELETE FROM eventstore.subject_keys",
        "DROP SCHEMA eventstore CASCADE",
        "CREATE TABLE eventstore.other ()",
    ];
    for change in CHANGES.into_iter().chain(others) {
        assert_eq!(refusal(&mut connection, change).await, INSUFFICIENT_PRIVILEGE, "{change}");
    }
}

#[tokio::test]
async fn who_writes_read_tables_sees_which_keys_are_destroyed_and_no_key() {
    let database = testkit::database().await;
    let options: PgConnectOptions = database.url.parse().unwrap();
    let options = options.options([("role", "commonhold_projector")]);
    let mut connection = PgConnection::connect_with(&options).await.unwrap();
    let destroyed = "SELECT key_id FROM eventstore.subject_keys WHERE destroyed_at IS NOT NULL";
    sqlx::raw_sql(destroyed).execute(&mut connection).await.unwrap();
    for sql in [
        "SELECT wrapped FROM eventstore.subject_keys",
        "UPDATE eventstore.subject_keys SET destroyed_at = NULL",
    ] {
        assert_eq!(refusal(&mut connection, sql).await, INSUFFICIENT_PRIVILEGE, "{sql}");
    }
}

#[tokio::test]
async fn a_log_with_events_is_not_migrated_away() {
    let database = testkit::database().await;
    let store = on(&database).await;
    write(&store, fresh(), 1).await;
    let refused = migrations::down(&database.pool, Reach::To(0)).await;
    let Err(MigrateError::Failed { stands_at: 1, source, .. }) = refused else {
        panic!("{refused:?}");
    };
    assert!(source.to_string().contains("holds events"), "{source}");
    assert_eq!(store.head().await.unwrap(), Position(1));
}
