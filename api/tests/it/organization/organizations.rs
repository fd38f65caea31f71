//! `/organizations`: creating, reading, changing.

use http::{Method, StatusCode};
use serde_json::json;

use super::{World, deleted, done, id_of, invalid, join, missing, posted, put, refused};
use crate::support::{Server, key};

#[tokio::test]
async fn an_organization_comes_whole_and_is_found_by_id_and_slug() {
    let server = Server::start().await;
    let ada = server.user("ada").await;
    let body = json!({
        "slug": "acme", "name": " Acme ", "type": "team", "country": "AT", "locale": "de-AT",
        "timezone": "Europe/Vienna",
    });
    let created = posted(&ada, "/organizations", &body).await;
    assert_eq!(created.status, StatusCode::CREATED);
    let (id, position) = (created.id(), created.position());
    assert_eq!(created.header("location").unwrap(), format!("/api/v1/organizations/{id}"));

    let by_id = ada.get_at(&format!("/organizations/{id}"), &position).await;
    let by_slug = ada.get("/organizations/acme").await;
    assert_eq!(by_id.status, StatusCode::OK, "{by_id:?}");
    assert_eq!(by_id.body, by_slug.body);
    assert_eq!(by_id.etag(), created.etag());
    assert_eq!(by_id.body["name"], "Acme");
    assert_eq!(by_id.body["status"], "active");
    assert_eq!(by_id.body["owner_user_ids"], json!([id_of(&ada).await]));

    let workspaces = ada.get(&format!("/organizations/{id}/workspaces")).await;
    assert_eq!(workspaces.body["items"][0]["id"], created.body["workspace_id"]);
    let members = ada.get(&format!("/organizations/{id}/members")).await;
    assert_eq!(members.body["items"][0]["id"], created.body["membership_id"]);
    assert_eq!(members.body["items"][0]["roles"][0]["key"], "owner");
    server.stop().await;
}

#[tokio::test]
async fn a_position_that_nobody_was_told_is_refused() {
    let server = Server::start().await;
    let ada = server.user("ada").await;
    let acme = ada.organization("acme").await;
    let answer = ada.get_at(&format!("/organizations/{acme}"), "1000000").await;
    refused(&answer, StatusCode::SERVICE_UNAVAILABLE, "projection-lagging");
    assert!(
        answer.body["detail"].as_str().unwrap().starts_with("the log has come to"),
        "{answer:?}"
    );
    assert!(answer.header("retry-after").is_some());
    server.stop().await;
}

#[tokio::test]
async fn what_cannot_be_an_organization_is_refused_field_by_field() {
    let server = Server::start().await;
    let ada = server.user("ada").await;
    for (change, pointer) in [
        (json!({"slug": "A"}), "/slug"),
        (json!({"name": "  "}), "/name"),
        (json!({"type": "empire"}), "/type"),
        (json!({"country": "at"}), "/country"),
        (json!({"locale": "x"}), "/locale"),
        (json!({"timezone": "/etc"}), "/timezone"),
        (json!({"colour": "red"}), "/colour"),
    ] {
        let mut body = json!({"slug": "acme", "name": "Acme", "type": "team"});
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        invalid(&ada.post("/organizations", &body).await, pointer);
    }
    for reserved in [
        json!({"kind": "demo"}),
        json!({"trial_ends_at": "2100-01-01T00:00:00Z"}),
        json!({"parent_organization_id": "01900000-0000-7000-8000-000000000001"}),
    ] {
        let mut body = json!({"slug": "acme", "name": "Acme", "type": "team"});
        body.as_object_mut().unwrap().extend(reserved.as_object().unwrap().clone());
        refused(&ada.post("/organizations", &body).await, StatusCode::FORBIDDEN, "forbidden");
    }
    ada.organization("acme").await;
    let taken = json!({"slug": "acme", "name": "Acme", "type": "team"});
    let taken = ada.post("/organizations", &taken).await;
    refused(&taken, StatusCode::CONFLICT, "conflict");
    assert_eq!(taken.body["errors"][0]["pointer"], "/slug");
    server.stop().await;
}

#[tokio::test]
async fn a_key_used_for_another_request_is_refused() {
    let server = Server::start().await;
    let ada = server.user("ada").await;
    let key = key();
    let body = |slug: &str| json!({"slug": slug, "name": "Acme", "type": "team"});
    let first = ada.keyed(Method::POST, "/organizations", &key, None, Some(&body("acme"))).await;
    assert_eq!(first.status, StatusCode::CREATED);
    let other = ada.keyed(Method::POST, "/organizations", &key, None, Some(&body("other"))).await;
    assert_eq!(other.code(), "idempotency-key-reused", "{other:?}");
    // A key belongs to whoever uses it.
    let eve = server.user("eve").await;
    let hers = eve.keyed(Method::POST, "/organizations", &key, None, Some(&body("eves"))).await;
    assert_eq!(hers.status, StatusCode::CREATED, "{hers:?}");
    server.stop().await;
}

#[tokio::test]
async fn name_slug_and_settings_change_by_version() {
    let world = World::new().await;
    let ada = &world.ada;
    let etag = ada.get(&world.path("")).await.etag();
    let renamed = put(ada, &world.path(""), &etag, &json!({"name": "Acme International"})).await;
    assert_eq!(renamed.status, StatusCode::NO_CONTENT);
    invalid(&ada.put(&world.path(""), &renamed.etag(), &json!({"name": ""})).await, "/name");

    let path = world.path("/slug");
    invalid(&ada.put(&path, &renamed.etag(), &json!({"slug": "-"})).await, "/slug");
    let moved = put(ada, &path, &renamed.etag(), &json!({"slug": "acme-int"})).await;
    let kept = json!({"slug": "acme", "name": "A", "type": "team"});
    let kept = world.bob.post("/organizations", &kept).await;
    refused(&kept, StatusCode::CONFLICT, "conflict");

    let path = world.path("/settings");
    let body = json!({"theme": "dark", "limits": {"rows": 5}});
    let set = done(ada, Method::PATCH, &path, Some(&moved.etag()), Some(&body)).await;
    let unset = ada.patch(&path, &set.etag(), &json!({"theme": null})).await;
    assert_eq!(unset.status, StatusCode::NO_CONTENT, "{unset:?}");
    invalid(&ada.patch(&path, &unset.etag(), &json!({"": 1})).await, "/");

    let read = ada.get_at("/organizations/acme-int", &unset.position()).await;
    assert_eq!(read.body["name"], "Acme International");
    assert_eq!(read.body["settings"], json!({"limits": {"rows": 5}}));
    assert_eq!(read.etag(), unset.etag());
    world.server.stop().await;
}

#[tokio::test]
async fn owners_come_and_go_but_for_the_last() {
    let world = World::new().await;
    let (ada, bob) = (&world.ada, &world.bob);
    let bobs = id_of(bob).await;
    let stranger = ada.post(&world.path("/owners"), &json!({"user_id": bobs})).await;
    missing(&stranger);
    invalid(&ada.post(&world.path("/owners"), &json!({"user_id": "bob"})).await, "/user_id");

    join(ada, &world.acme, (bob, "bob"), &[]).await;
    let added = posted(ada, &world.path("/owners"), &json!({"user_id": bobs})).await;
    assert_eq!(added.status, StatusCode::NO_CONTENT);
    let member = ada.get_at(&world.path(&format!("/members/{bobs}")), &added.position()).await;
    assert_eq!(member.body["roles"][0]["key"], "owner");

    let removed = deleted(ada, &world.path(&format!("/owners/{bobs}"))).await;
    let read = ada.get_at(&world.path(""), &removed.position()).await;
    let adas = id_of(ada).await;
    assert_eq!(read.body["owner_user_ids"], json!([adas]));
    let last = ada.delete(&world.path(&format!("/owners/{adas}"))).await;
    refused(&last, StatusCode::CONFLICT, "organization-last-owner");
    world.server.stop().await;
}

#[tokio::test]
async fn the_list_is_for_operators_filtered_and_paged() {
    let world = World::new().await;
    let (ada, admin) = (&world.ada, world.server.admin().await);
    for slug in ["beta", "gamma"] {
        ada.organization(slug).await;
    }
    refused(&ada.get("/organizations").await, StatusCode::FORBIDDEN, "forbidden");
    let first = admin.get("/organizations?status=active&type=team&limit=2").await;
    let slugs = |answer: &crate::support::Answer| -> Vec<String> {
        let items = answer.body["items"].as_array().unwrap().clone();
        items.iter().map(|item| item["slug"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(slugs(&first), ["gamma", "beta"]);
    let cursor = first.body["next_cursor"].as_str().unwrap();
    assert!(first.header("link").unwrap().ends_with("; rel=\"next\""), "{first:?}");
    let path = format!("/organizations?status=active&type=team&limit=2&cursor={cursor}");
    let second = admin.get(&path).await;
    assert!(slugs(&second).contains(&"acme".to_owned()), "{second:?}");
    // A cursor belongs to its filter.
    let other = admin.get(&format!("/organizations?status=frozen&cursor={cursor}")).await;
    assert_eq!(other.code(), "bad-cursor", "{other:?}");
    assert_eq!(slugs(&admin.get("/organizations?status=frozen").await).len(), 0);
    invalid(&admin.get("/organizations?status=closed").await, "?status");
    invalid(&admin.get("/organizations?page=2").await, "?page");
    invalid(&admin.get("/organizations?limit=201").await, "?limit");
    missing(&admin.get("/organizations/no-such-place").await);
    world.server.stop().await;
}
