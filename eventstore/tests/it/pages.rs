//! Pages of the log: bounded, and whole or refused.

use std::sync::Arc;

use domain::kernel::Position;
use eventstore::Store;
use sqlx::{Connection, PgConnection};

use crate::support::{append, fresh, note, on, write, written};

fn notes() -> Arc<[String]> {
    Arc::new(["test.note.".to_owned()])
}

async fn large(store: &Store) {
    let text = "x".repeat(1_000_000);
    store
        .append(append(vec![note(fresh(), eventstore::Expected::Any, vec![written(&text)])]))
        .await
        .unwrap();
}

#[tokio::test]
async fn pages_of_large_events_have_fewer_of_them() {
    let database = testkit::database().await;
    let writer = on(&database).await;
    for _ in 0..12 {
        large(&writer).await;
    }
    let store = on(&database).await;
    let mut reader = store.subscribe(Position(0));
    let pages = [reader.next(100).await.unwrap().len(), reader.next(100).await.unwrap().len()];
    assert_eq!(pages, [9, 3]);
    let mut scan = store.scan((Position(0), Position(12)), 100, notes());
    for until in [9, 12] {
        assert_eq!(scan.next().await.unwrap().unwrap().until, Position(until));
    }
    assert_eq!(scan.next().await.unwrap(), None);
    database.close().await;
}

#[tokio::test]
async fn a_log_with_a_hole_is_not_read_past_it() {
    let database = testkit::database().await;
    for _ in 0..4 {
        write(&on(&database).await, fresh(), 1).await;
    }
    let mut owner = PgConnection::connect(&database.url).await.unwrap();
    let damage = "ALTER TABLE eventstore.events DISABLE TRIGGER ALL;
        DELETE FROM eventstore.events WHERE position = 2";
    sqlx::raw_sql(damage).execute(&mut owner).await.unwrap();
    let store = on(&database).await;
    // Also by those who would not have wanted what is missing.
    for types in [notes(), Arc::new(["other.".to_owned()])] {
        let mut scan = store.scan((Position(0), Position(4)), 100, types);
        assert!(scan.next().await.unwrap_err().is_refusal());
    }
    assert!(store.subscribe(Position(0)).next(100).await.unwrap_err().is_refusal());
    let mut beyond = store.scan((Position(2), Position(5)), 100, notes());
    assert_eq!(beyond.next().await.unwrap().unwrap().events.len(), 2);
    assert!(beyond.next().await.unwrap_err().is_refusal(), "the log ends before");
    database.close().await;
}
