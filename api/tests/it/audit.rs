//! What investigators ask of the log, what is said to a question that cannot be
//! answered or takes too long, and that an account asks one at a time.

use http::StatusCode;
use serde_json::json;
use uuid::Uuid;

use crate::{
    organization::id_of,
    support::{Answer, Server},
};

/// A refusal of one parameter, which says something.
#[track_caller]
fn refused(answer: &Answer, pointer: &str, words: &str) {
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{answer:?}");
    let error = &answer.body["errors"][0];
    assert_eq!(error["pointer"], pointer, "{answer:?}");
    assert!(error["detail"].as_str().unwrap().contains(words), "{answer:?}");
}

#[tokio::test]
async fn a_mistyped_filter_is_refused_and_never_finds_nothing() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let events = async |query: &str| admin.get(&format!("/events?{query}")).await;
    let dotted = events("type=identity.user.").await;
    assert!(!dotted.body["items"].as_array().unwrap().is_empty(), "{dotted:?}");
    assert_eq!(events("type=identity.user").await.body, dotted.body);

    refused(&events("type=Organization.").await, "?type", "`organization`");
    refused(&events("type=nonsense.x").await, "?type", "`identity`");
    refused(&events("type=identity.use").await, "?type", "`identity.user`");
    let backwards = "from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z";
    refused(&events(backwards).await, "?from", "lies behind `to`");
    refused(&events("after=7&until=3").await, "?after", "lies behind `until`");
    assert_eq!(events("order=desc&after=7&until=3").await.status, StatusCode::OK);
    assert_eq!(events("order=desc&after=0").await.body["items"], json!([]));
    refused(&events("after=-5").await, "?after", "0 or more");
    refused(&events("bogus=1").await, "?bogus", "`correlation`");
    refused(&events("from=2026-11-22").await, "?from", "with a zone");
    server.stop().await;
}

#[tokio::test]
async fn an_organization_is_named_by_id_or_slug_and_exists() {
    let server = Server::start().await;
    let (admin, ada) = (server.admin().await, server.user("ada").await);
    let acme = ada.organization("acme").await;
    let of = async |named: &str| admin.get(&format!("/events?organization_id={named}")).await;
    let by_id = of(&acme).await;
    assert!(!by_id.body["items"].as_array().unwrap().is_empty(), "{by_id:?}");
    assert_eq!(of("acme").await.body, by_id.body);
    let own = of("00000000-0000-0000-0000-000000000000").await;
    assert!(own.body["items"][0]["organization_id"].is_null(), "{own:?}");
    for unknown in ["nowhere", "Not a slug", &api::clock::mint().to_string()] {
        refused(&of(unknown).await, "?organization_id", "no such organization");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_stream_is_told_as_of_a_moment_that_was() {
    let server = Server::start().await;
    let (admin, ada) = (server.admin().await, server.user("ada").await);
    let acme = ada.organization("acme").await;
    let path = format!("/streams/organization.organization/{acme}");
    let stream = async |query: &str| admin.get(&format!("{path}?{query}")).await;
    let now = admin.get(&path).await;
    let head = now.body["as_of"].as_i64().unwrap();
    assert_eq!(now.position(), head.to_string());
    let event = &now.body["events"][0];
    let first = event["position"].as_i64().unwrap();

    let then = stream(&format!("as_of={first}")).await;
    assert_eq!((&then.body["as_of"], &then.body["version"]), (&first.into(), &1.into()));
    let then = stream(&format!("as_of={}", event["recorded_at"].as_str().unwrap())).await;
    // Whatever came in the same append was recorded at the same instant.
    assert_eq!(then.body["as_of"], event["append_last"], "{then:?}");

    let ends = format!("the log ends at position {head}");
    refused(&stream(&format!("as_of={}", head + 1)).await, "?as_of", &ends);
    refused(&stream("as_of=2999-01-01T00:00:00Z").await, "?as_of", &ends);
    refused(&stream("as_of=-5").await, "?as_of", "a position or an instant");
    for before in [&*format!("as_of={}", first - 1), "as_of=2000-01-01T00:00:00Z"] {
        let early = stream(before).await;
        assert_eq!((early.status, early.code()), (StatusCode::NOT_FOUND, "not-found"));
        let detail = early.body["detail"].as_str().unwrap();
        assert!(detail.contains("did not exist yet"), "{detail}");
        assert!(detail.contains(&format!("begins at position {first}")), "{detail}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_stream_knows_its_category_its_events_and_its_versions() {
    let server = Server::start().await;
    let (admin, ada) = (server.admin().await, server.user("ada").await);
    let acme = ada.organization("acme").await;
    let stream = async |rest: &str| admin.get(&format!("/streams/{rest}")).await;
    let path = format!("organization.organization/{acme}");
    let created = stream(&format!("{path}?name=created")).await;
    assert_eq!(created.body["events"].as_array().unwrap().len(), 1, "{created:?}");
    refused(&stream(&format!("{path}?name=bogus")).await, "?name", "`created`");
    refused(&stream(&format!("{path}?after_version=-5")).await, "?after_version", "0 or more");
    refused(&stream(&format!("{path}?as-of=1")).await, "?as-of", "`as_of`");

    let other = stream(&format!("organization.organizations/{acme}")).await;
    assert_eq!(other.status, StatusCode::NOT_FOUND);
    let detail = other.body["detail"].as_str().unwrap();
    assert!(detail.contains("`organization.organization`"), "{detail}");
    let elsewhere = stream(&format!("identity.user/{acme}")).await;
    assert_eq!(elsewhere.status, StatusCode::NOT_FOUND);
    assert_eq!(elsewhere.body.get("detail"), None);
    server.stop().await;
}

#[tokio::test]
async fn an_account_searches_once_at_a_time() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let account: Uuid = id_of(&admin).await.parse().unwrap();
    let earlier = server.app.searches.turn(&account).await;
    let searching = tokio::spawn({
        let admin = admin.clone();
        async move { admin.get("/events?limit=1").await }
    });
    // In the way of nothing else it does.
    for _ in 0..10 {
        assert!(admin.get("/me").await.status.is_success());
    }
    assert!(!searching.is_finished(), "two searches at a time");
    drop(earlier);
    let answer = searching.await.unwrap();
    assert!(answer.status.is_success(), "{answer:?}");
    server.stop().await;
}

#[tokio::test]
async fn a_search_that_takes_too_long_is_not_to_be_repeated() {
    let server = Server::start().await;
    let admin = server.admin().await;
    assert_eq!(admin.get("/events?limit=1").await.status, StatusCode::OK);
    let mut locked = server.db.pool.begin().await.unwrap();
    sqlx::raw_sql("LOCK TABLE eventstore.events").execute(&mut *locked).await.unwrap();
    let searching = tokio::spawn(async move { admin.get("/events?limit=1").await });
    // What its own time-out does, sooner.
    let end = "SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity
        WHERE datname = current_database() AND wait_event_type = 'Lock'
          AND query LIKE '%WHERE true ORDER BY e.position%'";
    while !searching.is_finished() {
        sqlx::query(end).execute(&server.db.pool).await.unwrap();
    }
    locked.rollback().await.unwrap();
    let answer = searching.await.unwrap();
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{answer:?}");
    assert_eq!((answer.code(), answer.header("retry-after")), ("query-too-expensive", None));
    server.stop().await;
}
