//! Service principals and their API keys.

use std::collections::BTreeSet;

use api::crypto::apikey::ApiKeySecret;
use domain::organization::service_principal::ServicePrincipal;
use futures_util::future::join_all;
use http::StatusCode;
use serde_json::json;
use uuid::Uuid;

use super::{World, deleted, eventually, id_of, invalid, missing, posted, refused};
use crate::support::{Client, PASSWORD, key, slow_hashes};

const READ: &str = "organization.membership.read";

async fn program(world: &World) -> String {
    let body = json!({"name": "Nightly export"});
    let created = posted(&world.ada, &world.path("/service-principals"), &body).await;
    assert_eq!(created.status, StatusCode::CREATED);
    world.path(&format!("/service-principals/{}", created.id()))
}

/// Issues a key under a given idempotency key: its id, and a client that holds it.
async fn issue(world: &World, program: &str) -> (String, Client) {
    let body = json!({"name": "server", "scopes": [READ]});
    let issued = world.ada.post(&format!("{program}/api-keys"), &body).await;
    assert_eq!(issued.status, StatusCode::CREATED, "{issued:?}");
    (issued.id(), world.server.bearer(issued.body["key"].as_str().unwrap()))
}

#[tokio::test]
async fn a_key_opens_what_it_carries_in_its_own_organization() {
    let world = World::new().await;
    let program = program(&world).await;
    let (id, client) = issue(&world, &program).await;
    let members = client.get(&world.path("/members")).await;
    assert_eq!(members.status, StatusCode::OK, "{members:?}");
    let beyond = client.get(&world.path("/invitations")).await;
    refused(&beyond, StatusCode::FORBIDDEN, "forbidden");
    let other = world.bob.organization("bobs").await;
    missing(&client.get(&format!("/organizations/{other}/members")).await);
    let mine = client.get("/me").await;
    refused(&mine, StatusCode::FORBIDDEN, "forbidden");
    assert_eq!(mine.body["detail"], "this needs a signed-in user: an API key will not do");
    // It is in the organization and no member of it.
    for path in ["", "/workspaces"] {
        let unscoped = client.get(&world.path(path)).await;
        refused(&unscoped, StatusCode::FORBIDDEN, "forbidden");
    }
    let left = client.act(&world.path("/leave")).await;
    refused(&left, StatusCode::FORBIDDEN, "forbidden");

    let noted =
        |answer: &crate::support::Answer| answer.body["items"][0]["last_used_at"].is_string();
    let listed = eventually(&world.ada, &world.path("/api-keys?live=true"), noted).await;
    assert_eq!(listed.body["items"][0]["id"], id);
    assert_eq!(listed.body["items"][0]["last_used_ip"], "127.0.0.1");
    assert_eq!(listed.body["items"][0]["service_principal_name"], "Nightly export");
    assert_eq!(listed.body["items"][0]["created_by"], id_of(&world.ada).await);
    world.server.stop().await;
}

#[tokio::test]
async fn a_key_that_another_process_issued_opens_as_well() {
    let world = World::new().await;
    let program = program(&world).await;
    let (_, first) = issue(&world, &program).await;
    let members = world.path("/members");
    assert_eq!(first.get(&members).await.status, StatusCode::OK);
    let id: Uuid = program.rsplit('/').next().unwrap().parse().unwrap();
    let before = world.server.app.store.load::<ServicePrincipal>(id).await.unwrap();
    let (_, second) = issue(&world, &program).await;
    world.server.missed(id, before);
    let answer = second.get(&members).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    world.server.stop().await;
}

#[tokio::test]
async fn a_program_can_be_read_with_keys_and_without() {
    let world = World::new().await;
    let program = program(&world).await;
    let read = world.ada.get(&program).await;
    assert_eq!(read.status, StatusCode::OK, "{read:?}");
    let id = program.rsplit('/').next().unwrap();
    let expected =
        json!({"id": id, "name": "Nightly export", "workspace_id": null, "status": "active"});
    assert_eq!(read.body, expected);
    let reason = json!({"reason": "replaced"});
    posted(&world.ada, &format!("{program}/disable"), &reason).await;
    assert_eq!(world.ada.get(&program).await.body["status"], "disabled");

    let bobs = world.bob.organization("bobs").await;
    missing(&world.bob.get(&format!("/organizations/{bobs}/service-principals/{id}")).await);
    missing(&world.ada.get(&world.path("/service-principals/seven")).await);
    world.server.stop().await;
}

#[tokio::test]
async fn a_key_is_shown_once() {
    let world = World::new().await;
    let path = format!("{}/api-keys", program(&world).await);
    let body = json!({"name": "server", "scopes": [READ]});
    let name = key();
    let ask = || world.ada.keyed(http::Method::POST, &path, &name, None, Some(&body));
    let (first, again) = (ask().await, ask().await);
    assert_eq!((first.status, again.status), (StatusCode::CREATED, StatusCode::CREATED));
    assert_eq!(first.id(), again.id());
    let secret = first.body["key"].as_str().unwrap();
    assert!(secret.starts_with(first.body["prefix"].as_str().unwrap()));
    assert_eq!(again.body["key"], json!(null));
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    let list = world.ada.get_at(&world.path("/api-keys"), &first.position()).await;
    assert_eq!(list.body["items"].as_array().unwrap().len(), 1);
    assert!(!list.text.contains(secret));
    world.server.stop().await;
}

#[tokio::test]
async fn a_key_is_replaced_and_revoked() {
    let world = World::new().await;
    let program = program(&world).await;
    let (old, client) = issue(&world, &program).await;
    let keys = format!("{program}/api-keys");
    let rotate = format!("{keys}/{old}/rotate");
    let long = json!({"overlap_seconds": 604_801});
    invalid(&world.ada.post(&rotate, &long).await, "/overlap_seconds");
    let rotated = posted(&world.ada, &rotate, &json!({"overlap_seconds": 3_600})).await;
    assert_eq!(rotated.status, StatusCode::CREATED);
    let fresh = world.server.bearer(rotated.body["key"].as_str().unwrap());
    let members = world.path("/members");
    for client in [&client, &fresh] {
        assert_eq!(client.get(&members).await.status, StatusCode::OK);
    }
    let twice = world.ada.post(&rotate, &json!({})).await;
    refused(&twice, StatusCode::CONFLICT, "api-key-ended");

    let revoked = deleted(&world.ada, &format!("{keys}/{old}?reason=leaked")).await;
    let dead = |answer: &crate::support::Answer| answer.status == StatusCode::UNAUTHORIZED;
    eventually(&client, &members, dead).await;
    assert_eq!(fresh.get(&members).await.status, StatusCode::OK);
    let list = world.ada.get_at(&world.path("/api-keys"), &revoked.position()).await;
    let reasons: BTreeSet<_> = list.body["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|key| key["revoked_reason"].to_string())
        .collect();
    assert_eq!(reasons, BTreeSet::from(["\"leaked\"".to_owned(), "null".to_owned()]));

    let disable = format!("{program}/disable");
    invalid(&world.ada.post(&disable, &json!({"reason": ""})).await, "/reason");
    posted(&world.ada, &disable, &json!({"reason": "no longer used"})).await;
    eventually(&fresh, &members, dead).await;
    let more = world.ada.post(&keys, &json!({"name": "more", "scopes": [READ]})).await;
    refused(&more, StatusCode::CONFLICT, "service-principal-disabled");
    world.server.stop().await;
}

#[tokio::test]
async fn what_is_wrong_with_a_key_is_named() {
    let world = World::new().await;
    let path = format!("{}/api-keys", program(&world).await);
    let body = |name: &str, value: serde_json::Value| {
        let mut body = json!({"name": "server", "scopes": [READ]});
        body[name] = value;
        body
    };
    for (body, pointer) in [
        (body("name", json!("")), "/name"),
        (body("scopes", json!([])), "/scopes"),
        (body("scopes", json!(["organization.tea.make"])), "/scopes"),
        (body("expires_at", json!("2020-01-01T00:00:00Z")), "/expires_at"),
        (body("secret", json!("hunter2")), "/secret"),
    ] {
        invalid(&world.ada.post(&path, &body).await, pointer);
    }
    let beyond = body("scopes", json!(["organization.organization.operate"]));
    let beyond = world.ada.post(&path, &beyond).await;
    refused(&beyond, StatusCode::FORBIDDEN, "permission-not-held");
    let principals = world.path("/service-principals");
    invalid(&world.ada.post(&principals, &json!({"name": ""})).await, "/name");
    let nowhere = json!({"name": "X", "workspace_id": api::clock::mint()});
    missing(&world.ada.post(&principals, &nowhere).await);
    invalid(&world.ada.get(&world.path("/api-keys?live=maybe")).await, "?live");
    world.server.stop().await;
}

#[tokio::test]
async fn who_invents_keys_is_slowed_and_nobody_else() {
    let world = World::with(|config| config.auth.login_failures_per_minute = 3).await;
    let program = program(&world).await;
    let (_, known) = issue(&world, &program).await;
    let members = world.path("/members");
    assert_eq!(known.get(&members).await.status, StatusCode::OK);
    let invented = || world.server.bearer(&ApiKeySecret::generate().text());
    for _ in 0..3 {
        refused(&invented().get(&members).await, StatusCode::UNAUTHORIZED, "invalid-token");
    }
    let slowed = invented().get(&members).await;
    refused(&slowed, StatusCode::TOO_MANY_REQUESTS, "too-many-requests");
    assert!(slowed.header("retry-after").is_some());
    // A key that was shown before needs no look, and people are not programs.
    assert_eq!(known.get(&members).await.status, StatusCode::OK);
    world.server.sign_in("ada@example.org", PASSWORD).await;
    world.server.stop().await;
}

#[tokio::test]
async fn only_a_key_that_can_be_made_is_hashed() {
    let world = World::with(slow_hashes).await;
    let path = format!("{}/api-keys", program(&world).await);
    let body = json!({"name": "server", "scopes": [READ]});
    let name = key();
    let ask = || world.ada.keyed(http::Method::POST, &path, &name, None, Some(&body));
    let first = ask().await;
    let rotate = format!("{path}/{}/rotate", first.id());
    let rotation = key();
    let replace = async || {
        world.ada.keyed(http::Method::POST, &rotate, &rotation, None, Some(&json!({}))).await
    };
    let replaced = replace().await;

    let busy = world.server.no_more_hashing().await;
    let (again, replaced_again) = (ask().await, replace().await);
    let nobody = world.path(&format!("/service-principals/{}/api-keys", api::clock::mint()));
    let nobodys = world.ada.post(&nobody, &body).await;
    let full = world.ada.post(&path, &body).await;
    drop(busy);
    for (first, again) in [(first, again), (replaced, replaced_again)] {
        assert_eq!(again.status, StatusCode::CREATED, "{again:?}");
        assert_eq!((again.id(), &again.body["key"]), (first.id(), &json!(null)));
        assert_eq!(again.header("idempotency-replayed"), Some("true"));
    }
    missing(&nobodys);
    refused(&full, StatusCode::SERVICE_UNAVAILABLE, "overloaded");
    world.server.stop().await;
}

#[tokio::test]
async fn an_account_has_one_key_made_at_a_time() {
    let world = World::new().await;
    let path = format!("{}/api-keys", program(&world).await);
    let account: Uuid = id_of(&world.ada).await.parse().unwrap();
    let earlier = world.server.app.hashers.turn(&account).await;
    let issuing = tokio::spawn({
        let ada = world.ada.clone();
        async move { ada.post(&path, &json!({"name": "server", "scopes": [READ]})).await }
    });
    // In the way of nothing else it does.
    for _ in 0..10 {
        assert!(world.ada.get("/me").await.status.is_success());
    }
    assert!(!issuing.is_finished(), "two keys at a time");
    drop(earlier);
    assert_eq!(issuing.await.unwrap().status, StatusCode::CREATED);
    world.server.stop().await;
}

#[tokio::test]
async fn a_key_that_many_show_at_once_counts_as_one() {
    let world = World::with(|config| {
        config.auth.login_failures_per_minute = 2;
        // Long enough for all of them to come meanwhile.
        config.auth.password_memory_kib = 32_768;
    });
    let world = world.await;
    let program = program(&world).await;
    let (_, client) = issue(&world, &program).await;
    let members = world.path("/members");
    let answers = join_all((0..50).map(|_| client.get(&members))).await;
    let refused: Vec<_> = answers.iter().filter(|answer| answer.status != StatusCode::OK).collect();
    assert!(refused.is_empty(), "{refused:?}");
    world.server.stop().await;
}
