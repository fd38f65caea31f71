//! `platformctl replay`.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, ExitStatus, Stdio},
};

use api::crypto::keys::KeyDirectory;
use domain::{
    identity::UserId,
    kernel::{Actor, StreamId},
    organization::{
        OrganizationId,
        organization::{OrganizationEvent, OrganizationKind, OrganizationStatus, OrganizationType},
    },
};
use eventstore::{Append, CommandKey, Expected, Meta, NewEvent, Postgres, Store, StreamAppend};
use serde_json::Value;
use sqlx::{PgPool, postgres::PgConnectOptions};

use super::Place;

/// A log with some organizations, as the keys of a place see it.
pub(super) async fn log_with(place: &Place, url: &str, organizations: usize) {
    let (keys, _) = KeyDirectory::open(&place.folder.join("keys"), 0).unwrap();
    let options: PgConnectOptions = url.parse().unwrap();
    let postgres = Postgres::connect(options).await.unwrap();
    let store = Store::postgres(postgres, keys.master().unwrap().wrapping()).await.unwrap();
    for number in 0..organizations {
        let id = OrganizationId::from_uuid(api::clock::mint());
        let renamed = OrganizationEvent::Renamed { name: format!("Organization {number}") };
        append(&store, id, 0, &[created(id, number)]).await;
        append(&store, id, 1, &[renamed]).await;
    }
}

async fn append(store: &Store, id: OrganizationId, before: i32, events: &[OrganizationEvent]) {
    let tenant = id.tenant();
    let append = Append {
        command: CommandKey { tenant, id: api::clock::mint(), digest: [0; 32] },
        reply: None,
        streams: vec![StreamAppend {
            tenant,
            stream: StreamId::of("organization.organization", id),
            expected: Expected::Exact(domain::kernel::Version(before)),
            events: events.iter().map(|event| NewEvent::of(event, None)).collect(),
        }],
        claims: Vec::new(),
        shred: Vec::new(),
        meta: Meta {
            actor: Actor::SYSTEM,
            correlation_id: api::clock::mint(),
            causation_id: None,
            request: None,
            request_key: None,
            occurred_at: api::clock::Clock::system().now(),
        },
    };
    store.append(append).await.unwrap();
}

fn created(id: OrganizationId, number: usize) -> OrganizationEvent {
    OrganizationEvent::Created {
        organization_id: id,
        slug: format!("org-{number}"),
        name: "New".into(),
        r#type: OrganizationType::Team,
        kind: OrganizationKind::Customer,
        status: OrganizationStatus::Active,
        owner_user_id: UserId::from_uuid(api::clock::mint()),
        parent_organization_id: None,
        country: None,
        locale: "en".into(),
        timezone: "UTC".into(),
    }
}

async fn forge(pool: &PgPool) {
    let sql = "UPDATE organization.organizations SET name = 'forged' WHERE slug = 'org-1'";
    sqlx::raw_sql(sql).execute(pool).await.unwrap();
}

async fn name_of(pool: &PgPool, schema: &str) -> String {
    let sql = format!("SELECT name FROM {schema}.organizations WHERE slug = 'org-1'");
    sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(pool).await.unwrap()
}

fn results(lines: &[Value]) -> Vec<&Value> {
    lines.iter().filter(|line| line["type"] == "result").collect()
}

#[tokio::test]
async fn an_empty_log_is_rebuilt_at_once() {
    let db = testkit::database().await;
    let place = Place::on(&db.url);
    let lines = place.run(&["replay", "rebuild", "--all"]).with(0).lines();
    let modules: Vec<_> = results(&lines).iter().map(|line| line["module"].clone()).collect();
    assert_eq!(modules, ["identity", "organization"]);
    place.run(&["replay", "--verify"]).with(0);
    let listed = place.run(&["replay", "list", "--json"]).with(0).json();
    assert!(listed.as_array().unwrap().iter().all(|one| one["lag"] == 0), "{listed}");
}

#[tokio::test]
async fn a_rebuild_tells_how_far_it_is_and_brings_the_tables_to_the_head() {
    let db = testkit::database().await;
    let place = Place::on(&db.url);
    log_with(&place, &db.url, 3).await;
    let lines = place.run(&["replay", "organization"]).with(0).lines();
    let phases: Vec<_> = lines.iter().filter_map(|line| line["phase"].as_str()).collect();
    for phase in ["folding", "indexing", "verifying", "swapping", "done"] {
        assert!(phases.contains(&phase), "{phases:?}");
    }
    assert!(lines.iter().all(|line| line["type"] != "progress" || line["target"].is_i64()));
    assert_eq!(results(&lines)[0]["differences"], 0);
    assert_eq!(name_of(&db.pool, "organization").await, "Organization 1");

    let listed = place.run(&["replay", "list", "--json"]).with(0).json();
    let live = listed.as_array().unwrap().iter().find(|one| one["schema"] == "organization");
    let live = live.unwrap();
    assert_eq!((&live["position"], &live["lag"]), (&6.into(), &0.into()));
    let text = place.run(&["replay", "list"]).with(0).text();
    assert!(text.starts_with("MODULE") && text.contains("organization"), "{text}");
}

#[tokio::test]
async fn a_forged_row_is_printed_by_verify_and_mended_by_a_rebuild() {
    let db = testkit::database().await;
    let place = Place::on(&db.url);
    log_with(&place, &db.url, 3).await;
    place.run(&["replay", "--all"]).with(0);
    place.run(&["replay", "--verify"]).with(0);
    forge(&db.pool).await;

    let verified = place.run(&["replay", "--verify", "organization"]).with(6);
    assert!(verified.words().contains("the log itself may have been changed"));
    let lines = verified.lines();
    let found: Vec<_> = lines.iter().filter(|line| line["type"] == "difference").collect();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0]["table"], "organization.organizations");
    assert_eq!(found[0]["live"]["name"], "forged");
    assert_eq!(found[0]["rebuilt"]["name"], "Organization 1");
    assert_eq!(name_of(&db.pool, "organization").await, "forged", "verifying changes nothing");

    let lines = place.run(&["replay", "rebuild", "organization"]).with(0).lines();
    assert_eq!(results(&lines)[0]["differences"], 1);
    assert_eq!(name_of(&db.pool, "organization").await, "Organization 1");
}

#[tokio::test]
async fn a_rebuild_can_be_rolled_back() {
    let db = testkit::database().await;
    let place = Place::on(&db.url);
    log_with(&place, &db.url, 3).await;
    place.run(&["replay", "rollback", "organization"]).with(3);
    place.run(&["replay", "--verify"]).with(0);
    forge(&db.pool).await;
    place.run(&["replay", "organization"]).with(0);
    place.run(&["replay", "rollback", "organization"]).with(0);
    assert_eq!(name_of(&db.pool, "organization").await, "forged");
}

#[tokio::test]
async fn tables_are_made_as_of_a_position_or_a_time() {
    let db = testkit::database().await;
    let place = Place::on(&db.url);
    log_with(&place, &db.url, 3).await;
    // After the creation of the second organization, before its new name.
    let lines = place.run(&["replay", "--as-of", "3", "--into", "then"]).with(0).lines();
    assert_eq!(results(&lines)[0]["position"], 3);
    assert_eq!(name_of(&db.pool, "\"then\"").await, "New");

    let words = place.run(&["replay", "--as-of", "3", "--into", "then"]).with(4).words();
    assert!(words.contains("the schema then exists"), "{words}");
    let words = place.run(&["replay", "--as-of", "99999", "--into", "later"]).with(3).words();
    assert!(words.contains("the log ends at 6"), "{words}");
    let later = "9999-01-01T00:00:00Z";
    place.run(&["replay", "--as-of", later, "--into", "later", "organization"]).with(0);
    assert_eq!(name_of(&db.pool, "later").await, "Organization 1");

    let listed = place.run(&["replay", "list", "--json"]).with(0).json();
    let listed = listed.as_array().unwrap().iter();
    let mut as_of: Vec<_> = listed.filter(|one| one["purpose"] == "as-of").collect();
    as_of.sort_by_key(|one| one["schema"].to_string() + &one["module"].to_string());
    let seen: Vec<_> = as_of.iter().map(|one| (&one["schema"], &one["position"])).collect();
    let (later, then) = (Value::from("later"), Value::from("then"));
    assert_eq!(seen, [(&later, &6.into()), (&then, &3.into()), (&then, &3.into())]);
    place.run(&["replay", "drop", "organization"]).with(3);
    place.run(&["replay", "drop", "then"]).with(0);
    let left = place.run(&["replay", "list"]).with(0).text();
    assert!(!left.contains("then") && left.contains("as of its position"), "{left}");
}

#[tokio::test]
async fn what_cannot_be_meant_is_refused() {
    let db = testkit::database().await;
    let place = Place::on(&db.url);
    for arguments in [
        &["replay"][..],
        &["replay", "rebuild"],
        &["replay", "rebuild", "organization", "--verify"],
        &["replay", "--as-of", "3", "--into", "organization_prev"],
        &["replay", "--as-of", "3"],
        &["replay", "--as-of", "yesterday", "--into", "then"],
        &["replay", "--as-of", "3", "--into", "pg_catalog"],
        &["replay", "--all", "organization"],
    ] {
        place.run(arguments).with(2);
    }
    place.run(&["replay", "garden"]).with(3);
    place.run(&["replay", "parked", "retry", "garden"]).with(3);
    let parked = place.run(&["replay", "parked", "list", "--json"]).with(0).json();
    assert_eq!(parked, serde_json::json!([]));
    place.run(&["replay", "parked", "retry", "organization"]).with(0);
}

/// A rebuild that stands before its swap, because a reader keeps a table busy.
async fn stuck(place: &Place, reader: &mut sqlx::PgConnection) -> Child {
    let hold = "BEGIN; LOCK TABLE organization.organizations IN ACCESS SHARE MODE";
    sqlx::raw_sql(hold).execute(reader).await.unwrap();
    let mut command = place.command(&["replay", "organization"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let swapping = lines
        .map_while(Result::ok)
        .any(|line| serde_json::from_str::<Value>(&line).unwrap()["phase"] == "swapping");
    assert!(swapping, "{:?}", child.wait());
    child
}

fn signalled(child: &mut Child, signal: &str) -> ExitStatus {
    let pid = child.id().to_string();
    assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
    child.wait().unwrap()
}

#[tokio::test]
async fn a_killed_rebuild_leaves_live_tables_alone_and_the_next_goes_on() {
    let db = testkit::database().await;
    let place = Place::on(&db.url);
    log_with(&place, &db.url, 3).await;
    place.run(&["replay", "--verify"]).with(0);
    forge(&db.pool).await;

    let mut reader = db.pool.acquire().await.unwrap();
    let mut child = stuck(&place, &mut reader).await;
    assert_eq!(signalled(&mut child, "-KILL").code(), None);
    sqlx::raw_sql("COMMIT").execute(&mut *reader).await.unwrap();
    assert_eq!(name_of(&db.pool, "organization").await, "forged");

    // The claim of the killed run lapses by itself while the next one waits for it.
    let ended = place.run(&["replay", "organization"]).with(0);
    assert!(ended.words().contains("waiting for it"), "{}", ended.words());
    let lines = ended.lines();
    assert_eq!(lines[0]["position"], 6, "goes on where the killed one stopped");
    assert_eq!(name_of(&db.pool, "organization").await, "Organization 1");
}

#[tokio::test]
async fn an_interrupted_rebuild_says_that_live_tables_are_as_they_were() {
    let db = testkit::database().await;
    let place = Place::on(&db.url);
    log_with(&place, &db.url, 3).await;
    place.run(&["replay", "--verify"]).with(0);
    forge(&db.pool).await;

    let mut reader = db.pool.acquire().await.unwrap();
    let mut child = stuck(&place, &mut reader).await;
    assert_eq!(signalled(&mut child, "-INT").code(), Some(130));
    let words = std::io::read_to_string(child.stderr.take().unwrap()).unwrap();
    assert!(words.contains("left the live tables as they were"), "{words}");
    sqlx::raw_sql("COMMIT").execute(&mut *reader).await.unwrap();
    assert_eq!(name_of(&db.pool, "organization").await, "forged");

    let ended = place.run(&["replay", "organization"]).with(0);
    assert!(!ended.words().contains("waiting"), "the claim was given back: {}", ended.words());
    assert_eq!(ended.lines()[0]["position"], 6, "goes on where the interrupted one stopped");
}
