//! `/roles` and `/organizations/{organization_id}/roles`.

use http::StatusCode;
use serde_json::json;

use super::{World, deleted, invalid, missing, posted, put, refused, role};
use crate::support::Server;

#[tokio::test]
async fn an_organization_defines_changes_and_archives_roles_of_its_own() {
    let world = World::new().await;
    let ada = &world.ada;
    let path = world.path("/roles");
    let body = json!({
        "key": "clerk", "name": "Clerk", "scopes": ["workspace", "organization"],
        "permissions": ["organization.workspace.read"],
    });
    let defined = posted(ada, &path, &body).await;
    assert_eq!(defined.status, StatusCode::CREATED);
    let one = format!("{path}/{}", defined.id());
    let read = ada.get_at(&one, &defined.position()).await;
    assert_eq!(read.body["key"], "clerk");
    assert_eq!(read.body["is_system"], false);
    assert_eq!(read.etag(), defined.etag());

    let body = json!({"name": "Archivist", "scopes": ["organization"], "permissions": []});
    let updated = put(ada, &one, &defined.etag(), &body).await;
    let archived = deleted(ada, &one).await;
    assert_ne!(archived.etag(), updated.etag());
    let list = ada.get_at(&path, &archived.position()).await;
    let keys: Vec<_> =
        list.body["items"].as_array().unwrap().iter().map(|role| role["key"].clone()).collect();
    assert_eq!(keys, ["member", "owner"]);
    let list = ada.get(&format!("{path}?with_archived=true&limit=1")).await;
    assert_eq!(list.body["items"][0]["name"], "Archivist");
    assert!(list.body["items"][0]["archived_at"].is_string());
    assert!(list.body["next_cursor"].is_string());
    world.server.stop().await;
}

#[tokio::test]
async fn what_is_wrong_with_a_role_is_named() {
    let world = World::new().await;
    let ada = &world.ada;
    let path = world.path("/roles");
    let body = |name: &str, value: serde_json::Value| {
        let mut body =
            json!({"key": "clerk", "name": "C", "scopes": ["organization"], "permissions": []});
        body[name] = value;
        body
    };
    for (body, pointer) in [
        (body("key", json!("Clerk")), "/key"),
        (body("name", json!("")), "/name"),
        (body("scopes", json!([])), "/scopes"),
        (body("scopes", json!(["galaxy"])), "/scopes/0"),
        (body("scopes", json!(["platform"])), "/scopes"),
        (body("permissions", json!(["organization.tea.make"])), "/permissions"),
    ] {
        invalid(&ada.post(&path, &body).await, pointer);
    }
    let beyond = body("permissions", json!(["organization.organization.operate"]));
    let beyond = ada.post(&path, &beyond).await;
    refused(&beyond, StatusCode::FORBIDDEN, "permission-not-held");
    ada.post(&path, &body("name", json!("C"))).await;
    let taken = ada.post(&path, &body("name", json!("C"))).await;
    refused(&taken, StatusCode::CONFLICT, "conflict");
    assert_eq!(taken.body["errors"][0]["pointer"], "/key");

    let member = role(ada, &path, "member").await;
    let read = ada.get(&format!("{path}/{member}")).await;
    assert_eq!(read.body["is_system"], true);
    let body = json!({"name": "M", "scopes": ["organization"], "permissions": []});
    let system = ada.put(&format!("{path}/{member}"), &read.etag(), &body).await;
    refused(&system, StatusCode::FORBIDDEN, "role-is-system");
    missing(&ada.get(&format!("{path}/{}", api::clock::mint())).await);
    world.server.stop().await;
}

#[tokio::test]
async fn the_platform_has_roles_of_its_own() {
    let server = Server::start().await;
    let (admin, ada) = (server.admin().await, server.user("ada").await);
    refused(&ada.get("/roles").await, StatusCode::FORBIDDEN, "forbidden");
    let body = json!({
        "key": "support", "name": "Support", "scopes": ["platform"],
        "permissions": ["identity.user.read"],
    });
    let defined = posted(&admin, "/roles", &body).await;
    assert_eq!(defined.header("location").unwrap(), format!("/api/v1/roles/{}", defined.id()));
    let one = format!("/roles/{}", defined.id());
    let more = json!({"permissions": ["identity.session.read"]});
    posted(&admin, &format!("{one}/permissions"), &more).await;
    let wrong = json!({"permissions": ["identity.mind.read"]});
    invalid(&admin.post(&format!("{one}/permissions"), &wrong).await, "/permissions");
    let less = deleted(&admin, &format!("{one}/permissions/identity.user.read")).await;
    let read = admin.get_at(&one, &less.position()).await;
    assert_eq!(read.body["permissions"], json!(["identity.session.read"]));
    assert_eq!(read.etag(), less.etag());
    let body = json!({"name": "Helpers", "scopes": ["platform"], "permissions": []});
    put(&admin, &one, &less.etag(), &body).await;
    let archived = deleted(&admin, &one).await;
    let list = admin.get_at("/roles?with_archived=true", &archived.position()).await;
    let items = list.body["items"].as_array().unwrap();
    let found = items.iter().find(|role| role["key"] == "support").unwrap();
    assert_eq!(found["name"], "Helpers");
    assert!(found["archived_at"].is_string());

    let built_in = role(&admin, "/roles", "admin").await;
    let stays = admin.delete(&format!("/roles/{built_in}")).await;
    refused(&stays, StatusCode::FORBIDDEN, "role-is-system");
    missing(&admin.get(&format!("/roles/{}", api::clock::mint())).await);
    server.stop().await;
}
