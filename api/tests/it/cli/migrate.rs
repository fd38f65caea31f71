//! `platformctl migrate`.

use sqlx::PgPool;

use super::{Place, replay::log_with};

async fn mark_dirty(pool: &PgPool, version: i32) {
    let sql = "UPDATE public.schema_migrations SET dirty = true WHERE version = $1";
    sqlx::query(sql).bind(version).execute(pool).await.unwrap();
}

fn latest() -> u32 {
    migrations::all().last().unwrap().version
}

#[tokio::test]
async fn up_down_and_up_again() {
    let db = testkit::empty_database().await;
    let place = Place::on(&db.url);
    let version = || place.run(&["migrate", "version", "--json"]).with(0).json();
    assert_eq!(version()["version"], serde_json::Value::Null);
    assert_eq!(version()["latest"], latest());

    let done = place.run(&["migrate", "up", "--json"]).with(0).json();
    assert_eq!(done.as_array().unwrap().len(), migrations::all().len());
    assert_eq!(version()["version"], latest());
    assert_eq!(version()["pending"], serde_json::json!([]));
    assert!(place.run(&["migrate", "up"]).with(0).words().contains("nothing applied"));

    let last = migrations::all().last().unwrap().label();
    assert_eq!(place.run(&["migrate", "down"]).with(0).text().trim(), last);
    assert_eq!(version()["pending"], serde_json::json!([last]));
    place.run(&["migrate", "down", "--to", "0"]).with(0);
    assert_eq!(version()["version"], serde_json::Value::Null);
    place.run(&["migrate", "up", "--to", "3"]).with(0);
    assert_eq!(version()["version"], 3);
    place.run(&["migrate", "up"]).with(0);
    assert_eq!(version()["version"], latest());
}

#[tokio::test]
async fn a_migration_that_did_not_finish_is_explained_and_can_be_settled() {
    let db = testkit::database().await;
    let place = Place::on(&db.url);
    mark_dirty(&db.pool, 5).await;
    for arguments in [&["migrate", "version"][..], &["migrate", "up"], &["replay", "list"]] {
        let words = place.run(arguments).with(4).words();
        assert!(words.contains("did not finish") && words.contains("migrate force"), "{words}");
    }
    place.run(&["migrate", "force", &latest().to_string()]).with(0);
    place.run(&["migrate", "version"]).with(0);
    place.run(&["migrate", "force", "9999"]).with(3);
}

#[tokio::test]
async fn tables_of_a_log_in_use_are_taken_away_only_by_name() {
    let db = testkit::database().await;
    let place = Place::on(&db.url);
    log_with(&place, &db.url, 1).await;
    let words = place.run(&["migrate", "down"]).with(2).words();
    assert!(words.contains("--confirm commonhold_test_"), "{words}");
    place.run(&["migrate", "down", "--confirm", "another"]).with(2);
    let name = words.split("--confirm ").nth(1).unwrap().trim().to_owned();
    place.run(&["migrate", "down", "--confirm", &name]).with(0);
    place.run(&["replay", "--all"]).with(4);
}
