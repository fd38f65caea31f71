//! Personal data as the database holds it, and keys that several processes use.

use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use domain::kernel::{Personal, Position, Version};
use eventstore::{Append, AppendError, Claim, Expected, MasterKey, Postgres, Store};
use sqlx::{AssertSqlSafe, PgPool};
use testkit::TestDb;

use crate::support::{Note, append, fresh, fresh_key, full_meta, note, on, signed};

/// Every row of every table of the log, as text.
async fn dump(pool: &PgPool) -> String {
    let sql = "SELECT tablename FROM pg_tables WHERE schemaname = 'eventstore'";
    let tables: Vec<String> = sqlx::query_scalar(sql).fetch_all(pool).await.unwrap();
    assert!(tables.len() >= 7);
    let mut text = String::new();
    for table in tables {
        let sql = format!("SELECT t::text FROM eventstore.{table} t");
        let rows: Vec<String> =
            sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(pool).await.unwrap();
        text.extend(rows);
    }
    text
}

async fn with_master(database: &TestDb, master: MasterKey) -> Store {
    let options = database.url.parse().unwrap();
    Store::postgres(Postgres::connect(options).await.unwrap(), master).await.unwrap()
}

#[tokio::test]
async fn clear_text_is_nowhere_in_the_database() {
    let database = testkit::database().await;
    let store = on(&database).await;
    let events = vec![signed("Ada Lovelace", fresh_key())];
    let asked = append(vec![note(fresh(), Expected::Any, events)]);
    let asked = Append { meta: full_meta(Some(fresh_key())), ..asked };
    store.append(asked).await.unwrap();
    let text = dump(&database.pool).await;
    let sealed = store.read(Position(0), 1).await.unwrap()[0].payload.replace('"', "\"\"");
    assert!(text.contains(&sealed), "what is sealed is there");
    assert!(text.contains("req-1"));
    for clear in ["Ada Lovelace", "192.0.2.7", "browser"] {
        assert!(!text.contains(clear), "{clear}");
        let hex: String = clear.bytes().map(|byte| format!("{byte:02x}")).collect();
        assert!(!text.contains(&hex), "{clear} as bytes");
        // In base64 a text shows in three ways, by where it begins; its inner letters are enough.
        for before in ["", "x", "xy"] {
            let shown = STANDARD_NO_PAD.encode(format!("{before}{clear}"));
            assert!(!text.contains(&shown[4..shown.len() - 2]), "{clear} in base64");
        }
    }
}

#[tokio::test]
async fn a_key_destroyed_by_another_process_seals_nothing_more() {
    let database = testkit::database().await;
    let (ours, theirs) = (on(&database).await, on(&database).await);
    let (stream, key) = (fresh(), fresh_key());
    let sign = |name| append(vec![note(stream, Expected::Any, vec![signed(name, key)])]);
    ours.append(sign("Ada")).await.unwrap();
    let theirs_first = theirs.load::<Note>(stream).await.unwrap();
    assert_eq!(theirs_first.state.name, Some(Personal::Open("Ada".to_owned())));
    theirs.append(Append { shred: vec![key], ..append(vec![]) }).await.unwrap();

    // Ours still holds the key; the log knows better, and then so do we.
    assert_eq!(ours.append(sign("again")).await, Err(AppendError::SubjectErased));
    let name = ours.load::<Note>(stream).await.unwrap().state.name;
    assert_eq!(name, Some(Personal::Erased));
}

#[tokio::test]
async fn a_key_that_two_processes_make_at_one_moment_is_one_key() {
    let database = testkit::database().await;
    let stores = [on(&database).await, on(&database).await];
    for round in 0..20 {
        let (key, streams) = (fresh_key(), [fresh(), fresh()]);
        let sign = |at: usize| {
            let events = vec![signed("Ada", key), signed("Ada", fresh_key())];
            stores[at].append(append(vec![note(streams[at], Expected::Any, events)]))
        };
        let (one, other) = tokio::join!(sign(0), sign(1));
        assert!(one.is_ok() && other.is_ok(), "round {round}");
        let reader = on(&database).await;
        for stream in streams {
            let events = reader.read_stream(stream, Version(0)).await.unwrap();
            let opened = reader.open(&events).await.unwrap();
            assert!(opened.iter().all(|event| event.payload.contains("Ada")), "round {round}");
        }
    }
}

#[tokio::test]
async fn an_append_that_is_refused_leaves_no_key() {
    let database = testkit::database().await;
    let store = on(&database).await;
    let (key, holder) = (fresh_key(), fresh());
    let claim = |owner| Claim::take("test.name", "ada", owner);
    let hold = Append { claims: vec![claim(holder)], ..append(vec![]) };
    store.append(hold).await.unwrap();
    let events = vec![signed("Ada", key)];
    let begin = append(vec![note(key.uuid(), Expected::Exact(Version(0)), events)]);
    let refused = store.append(Append { claims: vec![claim(fresh())], ..begin.clone() }).await;
    assert!(matches!(refused, Err(AppendError::ClaimTaken { .. })), "{refused:?}");
    let count = "SELECT count(*) FROM eventstore.subject_keys";
    let keys = async || sqlx::query_scalar::<_, i64>(count).fetch_one(&database.pool).await;
    assert_eq!(keys().await.unwrap(), 0);
    store.append(begin).await.unwrap();
    assert_eq!(keys().await.unwrap(), 1);
}

#[tokio::test]
async fn a_key_destroyed_by_another_process_opens_nothing_once_it_is_asked_for_anew() {
    let database = testkit::database().await;
    let (ours, theirs) = (on(&database).await, on(&database).await);
    let (stream, key) = (fresh(), fresh_key());
    let events = vec![signed("Ada", key)];
    ours.append(append(vec![note(stream, Expected::Any, events)])).await.unwrap();
    theirs.append(Append { shred: vec![key], ..append(vec![]) }).await.unwrap();
    ours.forget_keys(&[key]);
    let events = ours.read_stream(stream, Version(0)).await.unwrap();
    assert!(ours.open(&events).await.unwrap()[0].payload.contains("null"));
}

#[tokio::test]
async fn a_rotated_master_key_still_opens_and_a_wrong_one_is_refused() {
    let database = testkit::database().await;
    let (stream, key) = (fresh(), fresh_key());
    let events = vec![signed("Ada", key)];
    let first = with_master(&database, MasterKey::new(&[1; 32], &[])).await;
    first.append(append(vec![note(stream, Expected::Any, events)])).await.unwrap();

    let rotated = with_master(&database, MasterKey::new(&[2; 32], &[[1; 32]])).await;
    let name = rotated.load::<Note>(stream).await.unwrap().state.name;
    assert_eq!(name, Some(Personal::Open("Ada".to_owned())));

    let wrong = with_master(&database, MasterKey::new(&[2; 32], &[])).await;
    assert!(wrong.load::<Note>(stream).await.is_err(), "never taken for erased");
    let sign = append(vec![note(stream, Expected::Any, vec![signed("Bo", key)])]);
    let refused = wrong.append(sign).await;
    assert!(matches!(refused, Err(AppendError::Unavailable(fault)) if fault.is_refusal()));
}
