//! What is in the way of a command is named once, at once, and with what to do about it.

use std::{
    net::TcpListener,
    time::{Duration, Instant},
};

use super::Place;

#[test]
fn an_address_in_use_is_named_with_the_setting_that_changes_it() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let place = Place::new().with("PLATFORM__HTTP__BIND", &address);
    let words = place.run(&["serve"]).with(1).words();
    let told = format!(
        "another process listens on {address}: end it, or name another address in \
         PLATFORM__HTTP__BIND"
    );
    assert!(words.contains(&told), "{words}");
    assert!(!place.folder.join("keys").exists(), "nothing was begun");

    let checks = place.run(&["doctor", "--json"]).with(1).json();
    let found = checks.as_array().unwrap().iter().find(|one| one["check"] == "address").unwrap();
    assert_eq!(found["outcome"], "failed", "{found}");
    assert!(found["detail"].as_str().unwrap().contains("no platform answers there"), "{found}");
    drop(taken);
}

#[tokio::test]
async fn a_log_is_not_opened_with_keys_of_another() {
    let db = testkit::database().await;
    let place = Place::on(&db.url).with("PLATFORM__AUTH__PASSWORD_MEMORY_KIB", "1024");
    place.run(&["seed"]).with(0);
    let elsewhere = Place::on(&db.url).with("PLATFORM__HTTP__BIND", "127.0.0.1:0");
    for arguments in [&["replay", "list"][..], &["seed"], &["serve"]] {
        let words = elsewhere.run(arguments).with(1).words();
        assert!(words.contains("the log is sealed with one"), "{words}");
        assert!(!elsewhere.folder.join("keys").exists(), "no key was made: {words}");
    }
    elsewhere.keys();
    for arguments in [&["replay", "list"][..], &["serve"]] {
        let words = elsewhere.run(arguments).with(1).words();
        assert!(words.contains("does not open this log"), "{words}");
    }
    place.run(&["replay", "list"]).with(0);
}

#[test]
fn a_database_that_is_away_is_told_at_once_and_with_its_cause() {
    let place = Place::on("postgres://nobody@127.0.0.1:1/none");
    for arguments in [&["replay", "list"][..], &["migrate", "version"]] {
        let begun = Instant::now();
        let words = place.run(arguments).with(1).words();
        assert!(begun.elapsed() < Duration::from_secs(5), "{words}");
        assert!(words.contains("the database at 127.0.0.1:1 does not answer"), "{words}");
        assert!(words.contains("Connection refused"), "{words}");
    }
    let words = Place::on("mysql://root@127.0.0.1/x").run(&["replay", "list"]).with(2).words();
    assert!(words.contains("database.url (from DATABASE_URL): must begin with"), "{words}");
}

#[tokio::test]
async fn what_the_database_says_is_told_once_and_without_its_line() {
    let db = testkit::empty_database().await;
    let url = format!("{}{}options=-c%20role%3Dgarden", db.url, joint(&db.url));
    let words = Place::on(&url).run(&["migrate", "version"]).with(1).words();
    assert_eq!(words.matches("garden").count(), 1, "{words}");
    assert!(!words.contains("at line"), "{words}");
}

#[tokio::test]
async fn a_role_that_may_not_make_the_schema_is_told_where_its_rights_are_written() {
    let db = testkit::empty_database().await;
    let sql = "DO $$ BEGIN
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'commonhold_test_stranger') THEN
            CREATE ROLE commonhold_test_stranger;
        END IF;
        EXECUTE format('ALTER DATABASE %I OWNER TO commonhold_test_stranger', current_database());
    END $$";
    sqlx::raw_sql(sql).execute(&db.pool).await.unwrap();
    let url = format!("{}{}options=-c%20role%3Dcommonhold_test_stranger", db.url, joint(&db.url));
    let words = Place::on(&url).run(&["migrate", "up"]).with(1).words();
    assert!(words.contains("\"The role of the database\" in docs/operations.md"), "{words}");
}

fn joint(url: &str) -> char {
    if url.contains('?') { '&' } else { '?' }
}

#[test]
fn folders_that_are_not_there_are_named() {
    let place = Place::new();
    let words = place.run(&["config", "check", "--config", "garden"]).with(2).words();
    assert!(words.contains("--config garden: there is no such folder"), "{words}");
    let words = place.run(&["docs", "generate"]).with(1).words();
    assert!(words.contains("cannot write ./docs/configuration.md"), "{words}");
}

#[test]
fn the_url_of_the_database_is_printed_for_other_programs() {
    let url = "postgres://app:hunter2@db/app";
    assert_eq!(Place::on(url).run(&["config", "database-url"]).with(0).text().trim(), url);
    let words = Place::new().run(&["config", "database-url"]).with(3).words();
    assert!(words.contains("the private server does not run"), "{words}");
}
