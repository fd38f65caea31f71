//! `/organizations/{organization_id}/members`.

use api::{
    access_table::ACCESS_TABLE,
    clock::mint,
    routes::{Access, Verb},
};
use http::{Method, StatusCode};
use serde_json::json;

use super::{
    World, acted, deleted, eventually, id_of, invalid, join, missing, posted, put, refused,
};
use crate::support::{Client, Server, key};

#[tokio::test]
async fn a_member_is_titled_suspended_reinstated_and_removed() {
    let world = World::new().await;
    let (ada, bob) = (&world.ada, &world.bob);
    let bobs = join(ada, &world.acme, (bob, "bob"), &[]).await;
    let one = world.path(&format!("/members/{bobs}"));
    let read = ada.get(&one).await;
    assert_eq!(read.body["display_name"], "bob");
    assert_eq!(read.body["source"], "invitation");
    let titled = put(ada, &one, &read.etag(), &json!({"title": "Treasurer"})).await;
    let long = json!({"title": "x".repeat(121)});
    invalid(&ada.put(&one, &titled.etag(), &long).await, "/title");
    let read = ada.get_at(&one, &titled.position()).await;
    assert_eq!(read.body["title"], "Treasurer");
    assert_eq!(read.etag(), titled.etag());

    let path = format!("{one}/suspend");
    invalid(&ada.post(&path, &json!({"reason": "\n"})).await, "/reason");
    posted(ada, &path, &json!({"reason": "on leave"})).await;
    let out = |answer: &crate::support::Answer| answer.status == StatusCode::NOT_FOUND;
    eventually(bob, &world.path(""), out).await;
    acted(ada, &format!("{one}/reinstate")).await;
    eventually(bob, &world.path(""), |answer| answer.status == StatusCode::OK).await;

    invalid(&ada.delete(&format!("{one}?reason=%0a")).await, "?reason");
    let removed = deleted(ada, &format!("{one}?reason=moved%20away")).await;
    assert_eq!(removed.status, StatusCode::NO_CONTENT);
    eventually(bob, &world.path(""), out).await;
    let read = ada.get_at(&one, &removed.position()).await;
    assert_eq!(read.body["status"], "removed");
    assert_eq!(read.body["removed_reason"], "moved away");
    let list = ada.get(&world.path("/members?status=active")).await;
    assert_eq!(list.body["items"].as_array().unwrap().len(), 1);
    missing(&ada.get(&world.path(&format!("/members/{}", mint()))).await);
    world.server.stop().await;
}

#[tokio::test]
async fn members_leave_and_owners_stay() {
    let world = World::new().await;
    let (ada, bob) = (&world.ada, &world.bob);
    let bobs = join(ada, &world.acme, (bob, "bob"), &[]).await;
    let owner = ada.act(&world.path("/leave")).await;
    refused(&owner, StatusCode::CONFLICT, "membership-owner");
    let left = bob.act(&world.path("/leave")).await;
    assert_eq!(left.status, StatusCode::NO_CONTENT, "{left:?}");
    let read = ada.get_at(&world.path(&format!("/members/{bobs}")), &left.position()).await;
    assert_eq!(read.body["status"], "removed");
    assert_eq!(read.body["removed_reason"], json!(null));
    // Back again, in the same place.
    join(ada, &world.acme, (bob, "bob"), &[]).await;
    let list = ada.get(&world.path("/members")).await;
    assert_eq!(list.body["items"].as_array().unwrap().len(), 2);
    world.server.stop().await;
}

/// The reply was lost, and with the command the right to ask it.
#[tokio::test]
async fn who_has_left_is_told_so_again() {
    let world = World::new().await;
    let (ada, bob) = (&world.ada, &world.bob);
    join(ada, &world.acme, (bob, "bob"), &[]).await;
    let eve = world.server.user("eve").await;
    let (name, path) = (key(), world.path("/leave"));
    let leave = async |who: &Client, path: &str, name: &str| {
        who.keyed(Method::POST, path, name, None, None).await
    };
    let left = leave(bob, &path, &name).await;
    assert_eq!(left.status, StatusCode::NO_CONTENT, "{left:?}");
    eventually(bob, &world.path(""), |answer| answer.status == StatusCode::NOT_FOUND).await;
    let again = leave(bob, &path, &name).await;
    assert_eq!(again.status, StatusCode::NO_CONTENT, "{again:?}");
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!(again.position(), left.position());
    // By nobody else, under no other key, and nothing but that.
    missing(&leave(&eve, &path, &name).await);
    missing(&leave(bob, &path, &key()).await);
    missing(&leave(bob, &format!("{path}?reason=another"), &name).await);
    missing(&leave(bob, &world.path("/archive"), &name).await);
    // Not even the same once more, after coming back.
    join(ada, &world.acme, (bob, "bob"), &[]).await;
    let late = leave(bob, &path, &name).await;
    assert_eq!(late.header("idempotency-replayed"), Some("true"));
    assert_eq!(bob.get(&world.path("")).await.status, StatusCode::OK);
    world.server.stop().await;
}

#[tokio::test]
async fn operators_add_members_without_an_invitation() {
    let world = World::new().await;
    let (ada, admin) = (&world.ada, world.server.admin().await);
    let bobs = id_of(&world.bob).await;
    let path = world.path("/members");
    let body = json!({"user_id": bobs, "title": "Clerk"});
    refused(&ada.post(&path, &body).await, StatusCode::FORBIDDEN, "forbidden");
    invalid(&admin.post(&path, &json!({"user_id": "bob"})).await, "/user_id");
    let roles: Vec<_> = (0..51).map(|_| mint().to_string()).collect();
    let many = json!({"user_id": bobs, "role_ids": roles});
    invalid(&admin.post(&path, &many).await, "/role_ids");
    let added = posted(&admin, &path, &body).await;
    assert_eq!(added.header("location").unwrap(), format!("/api/v1{path}/{bobs}"));
    let read = ada.get_at(&format!("{path}/{bobs}"), &added.position()).await;
    assert_eq!(read.body["source"], "operator");
    let twice = admin.post(&path, &body).await;
    assert_eq!(twice.status, StatusCode::CONFLICT, "{twice:?}");
    world.server.stop().await;
}

/// A member without a role sees what members see, and is told which permission all else needs.
#[tokio::test]
async fn a_member_without_a_role_gets_nothing_that_needs_a_permission() {
    let server = Server::start().await;
    let (ada, bob) = (server.user("ada").await, server.user("bob").await);
    let acme = ada.organization("acme").await;
    join(&ada, &acme, (&bob, "bob"), &[]).await;
    let within = |path: &&str| path.starts_with("/organizations/{organization_id}");
    for entry in ACCESS_TABLE.iter().filter(|entry| within(&entry.path)) {
        let path = entry.path.replace("{organization_id}", &acme);
        let path: Vec<_> = path
            .split('/')
            .map(|part| if part.starts_with('{') { mint().to_string() } else { part.to_owned() })
            .collect();
        let method: Method = entry.verb.as_str().parse().unwrap();
        let body = json!({});
        let body = matches!(entry.verb, Verb::Post | Verb::Put | Verb::Patch).then_some(&body);
        let answer = bob.keyed(method, &path.join("/"), &key(), Some("\"1\""), body).await;
        match entry.access {
            Access::Permission(permission) => {
                refused(&answer, StatusCode::FORBIDDEN, "forbidden");
                let detail = answer.body["detail"].as_str().unwrap();
                assert!(detail.contains(permission.as_str()), "{entry:?}: {detail}");
            }
            Access::Public
            | Access::Own
            | Access::Member
            | Access::PermissionOrOwn(_)
            | Access::PermissionOrMember(_) => {
                assert_ne!(answer.status, StatusCode::FORBIDDEN, "{entry:?}: {answer:?}");
            }
        }
        if entry.path.ends_with("/leave") {
            join(&ada, &acme, (&bob, "bob"), &[]).await;
        }
    }
    server.stop().await;
}
