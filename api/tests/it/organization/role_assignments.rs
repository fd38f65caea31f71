//! Who has which role: in an organization, and on the whole platform.

use http::StatusCode;
use serde_json::json;

use super::{World, deleted, eventually, id_of, invalid, join, missing, posted, refused, role};

#[tokio::test]
async fn a_role_given_counts_and_taken_away_counts_no_more() {
    let world = World::new().await;
    let (ada, bob) = (&world.ada, &world.bob);
    let bobs = join(ada, &world.acme, (bob, "bob"), &[]).await;
    let path = world.path("/role-assignments");
    let member = role(ada, &world.path("/roles"), "member").await;
    let body = json!({"role_id": member, "principal_id": bobs, "reason": "joins the team"});
    let given = posted(ada, &path, &body).await;
    assert_eq!(given.status, StatusCode::CREATED);
    let members = world.path("/members");
    eventually(bob, &members, |answer| answer.status == StatusCode::OK).await;

    let list = format!("{path}?principal={bobs}&live=true");
    let listed = ada.get_at(&list, &given.position()).await;
    assert_eq!(listed.body["items"][0]["id"], given.id());
    assert_eq!(listed.body["items"][0]["reason"], "joins the team");
    assert_eq!(listed.body["items"][0]["granted_by"], id_of(ada).await);
    let twice = ada.post(&path, &body).await;
    refused(&twice, StatusCode::CONFLICT, "conflict");
    assert_eq!(twice.body["errors"][0]["pointer"], "/role_id");

    let taken = deleted(ada, &format!("{path}/{}?reason=left", given.id())).await;
    assert_eq!(taken.status, StatusCode::NO_CONTENT);
    eventually(bob, &members, |answer| answer.status == StatusCode::FORBIDDEN).await;
    let listed = ada.get_at(&list, &taken.position()).await;
    assert_eq!(listed.body["items"], json!([]));
    let listed = ada.get(&format!("{path}?principal={bobs}&principal_kind=user")).await;
    assert!(listed.body["items"][0]["revoked_at"].is_string());
    world.server.stop().await;
}

#[tokio::test]
async fn what_is_wrong_with_a_role_assignment_is_named() {
    let world = World::new().await;
    let ada = &world.ada;
    let path = world.path("/role-assignments");
    let (roles, adas) = (world.path("/roles"), id_of(ada).await);
    let (member, owner) = (role(ada, &roles, "member").await, role(ada, &roles, "owner").await);
    let bobs = id_of(&world.bob).await;
    let body = |name: &str, value: serde_json::Value| {
        let mut body = json!({"role_id": member, "principal_id": adas});
        body[name] = value;
        body
    };
    for (body, pointer) in [
        (body("role_id", json!(api::clock::mint())), "/role_id"),
        (body("principal_id", json!("ada")), "/principal_id"),
        (body("principal_kind", json!("robot")), "/principal_kind"),
        (body("expires_at", json!("2020-01-01T00:00:00Z")), "/expires_at"),
        (body("reason", json!("x".repeat(501))), "/reason"),
    ] {
        invalid(&ada.post(&path, &body).await, pointer);
    }
    let stranger = ada.post(&path, &body("principal_id", json!(bobs))).await;
    refused(&stranger, StatusCode::CONFLICT, "role-assignment-not-member");
    let ownership = ada.post(&path, &body("role_id", json!(owner))).await;
    refused(&ownership, StatusCode::CONFLICT, "role-assignment-owner-role");
    let nowhere = ada.post(&path, &body("workspace_id", json!(api::clock::mint()))).await;
    assert_eq!(nowhere.status, StatusCode::NOT_FOUND, "{nowhere:?}");
    missing(&ada.delete(&format!("{path}/{}", api::clock::mint())).await);
    invalid(&ada.get(&format!("{path}?principal_kind=user")).await, "?principal");
    world.server.stop().await;
}

#[tokio::test]
async fn roles_on_the_platform_are_given_by_those_who_hold_them() {
    let world = World::new().await;
    let (bob, admin) = (&world.bob, world.server.admin().await);
    let bobs = id_of(bob).await;
    let path = format!("/users/{bobs}/roles");
    let admins = role(&admin, "/roles", "admin").await;
    let body = json!({"role_id": admins});
    refused(&bob.post(&path, &body).await, StatusCode::FORBIDDEN, "forbidden");
    missing(&world.ada.get(&path).await);
    invalid(&admin.post(&path, &json!({"role_id": "admin"})).await, "/role_id");
    let given = posted(&admin, &path, &body).await;
    eventually(bob, "/organizations", |answer| answer.status == StatusCode::OK).await;
    let own = bob.get_at(&format!("{path}?live=true"), &given.position()).await;
    assert_eq!(own.body["items"][0]["role_key"], "admin");
    assert_eq!(own.body["items"][0]["scope_kind"], "platform");
    let taken = deleted(&admin, &format!("{path}/{admins}")).await;
    eventually(bob, "/organizations", |a| a.status == StatusCode::FORBIDDEN).await;
    let own = bob.get_at(&format!("{path}?live=true"), &taken.position()).await;
    assert_eq!(own.body["items"], json!([]));
    missing(&admin.delete(&format!("{path}/{admins}")).await);
    world.server.stop().await;
}
