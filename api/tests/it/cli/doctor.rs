//! `platformctl doctor`.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
};

use serde_json::Value;

use super::{Ended, Place};

#[track_caller]
fn find(ended: &Ended, check: &str) -> Value {
    let checks = ended.json();
    let found = checks.as_array().unwrap().iter().find(|one| one["check"] == check);
    found.unwrap_or_else(|| panic!("no check {check} in {checks:#}")).clone()
}

#[track_caller]
fn failed(ended: &Ended, check: &str) -> String {
    let found = find(ended, check);
    assert_eq!(found["outcome"], "failed", "{found}");
    assert!(found["fix"].is_string(), "{found}");
    found["detail"].as_str().unwrap().to_owned()
}

#[test]
fn a_fresh_installation_is_healthy_and_left_as_it_is() {
    let place = Place::new();
    let checks = place.run(&["doctor", "--json"]).with(0).json();
    assert!(checks.as_array().unwrap().iter().all(|one| one["outcome"] != "failed"), "{checks:#}");
    for arguments in [&["replay", "list"][..], &["migrate", "version"], &["seed"]] {
        let words = place.run(arguments).with(3).words();
        assert!(words.contains("there is no database"), "{words}");
    }
    place.run(&["replay", "rebuild"]).with(2);
    assert_eq!(fs::read_dir(&place.folder).unwrap().count(), 0, "nobody made anything");
}

#[tokio::test]
async fn what_looks_at_keys_makes_none() {
    let db = testkit::database().await;
    let place = Place::on(&db.url);
    place.run(&["seed"]).with(0);
    let keys = place.keys();
    for key in keys.list().unwrap() {
        fs::remove_file(keys.folder().join(format!("signing-{}.json", key.kid))).unwrap();
    }
    let ended = Place::on(&db.url)
        .with("PLATFORM__KEYS__DIR", &keys.folder().display().to_string())
        .run(&["doctor", "--json"]);
    assert_eq!(find(&ended, "keys")["detail"], "master key; the next start makes a signing key");
    assert_eq!(find(&ended, "master key")["outcome"], "ok");
    assert_eq!(keys.list().unwrap(), [], "a doctor makes none");
}

#[test]
fn a_private_database_is_healthy_and_durable() {
    let place = Place::new();
    place.run(&["migrate", "up"]).with(0);
    place.run(&["replay", "--verify"]).with(0);
    let ended = place.run(&["doctor", "--json"]).with(0);
    let checks = ended.json();
    let checks = checks.as_array().unwrap();
    assert!(checks.len() >= 20, "{checks:#?}");
    assert!(checks.iter().all(|one| one["outcome"] != "failed"), "{checks:#?}");
    for durable in ["fsync", "full_page_writes", "synchronous_commit", "data checksums"] {
        assert_eq!(find(&ended, durable)["detail"], "on");
    }
    let text = place.run(&["doctor"]).with(0).text();
    assert!(text.contains("ok       immutable log"), "{text}");
}

#[tokio::test]
async fn what_is_broken_is_named_with_a_way_to_mend_it() {
    let db = testkit::database().await;
    let place = Place::on(&db.url).with("PLATFORM__RATE_LIMIT__ENABLED", "false");
    place.run(&["replay", "--all"]).with(0);
    fs::set_permissions(place.folder.join("keys"), Permissions::from_mode(0o755)).unwrap();
    sqlx::raw_sql(
        "INSERT INTO eventstore.subject_keys (key_id, wrapped)
             VALUES (gen_random_uuid(), '\\x0123456789abcdef');
         INSERT INTO eventstore.parked (consumer, target, position, keys, cause)
             VALUES ('identity', 'identity', 1, '{}', 'a test');
         UPDATE eventstore.checkpoints SET fingerprint = 'older'
             WHERE consumer = 'organization' AND target = 'organization';
         ALTER TABLE eventstore.events DISABLE TRIGGER events_immutable",
    )
    .execute(&db.pool)
    .await
    .unwrap();

    let ended = place.run(&["doctor", "--json"]).with(1);
    assert!(failed(&ended, "key folder").contains("open to others"));
    assert!(failed(&ended, "master key").contains("does not open"));
    assert_eq!(failed(&ended, "parked events"), "1 in identity");
    assert!(failed(&ended, "folds").starts_with("organization changed"));
    failed(&ended, "immutable log");
    assert_eq!(find(&ended, "configuration")["outcome"], "warning");
}

#[tokio::test]
async fn a_schema_behind_and_a_server_away_are_told_apart() {
    let db = testkit::empty_database().await;
    let behind = Place::on(&db.url).run(&["doctor", "--json"]).with(1);
    assert!(failed(&behind, "migrations").ends_with("are pending"));
    let away = Place::on("postgres://nobody@127.0.0.1:1/none").run(&["doctor", "--json"]).with(1);
    failed(&away, "connection");
    let wrong = Place::new().with("PLATFORM__HTTP__PROT", "1");
    assert!(
        failed(&wrong.run(&["doctor", "--json"]).with(1), "configuration").contains("http.prot")
    );
}
