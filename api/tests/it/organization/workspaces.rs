//! `/organizations/{organization_id}/workspaces`.

use http::StatusCode;
use serde_json::json;

use super::{World, acted, invalid, missing, posted, put, refused};

#[tokio::test]
async fn a_workspace_is_created_renamed_archived_and_restored() {
    let world = World::new().await;
    let ada = &world.ada;
    let path = world.path("/workspaces");
    let body = json!({"slug": "lab", "name": "Lab", "description": " "});
    let created = posted(ada, &path, &body).await;
    assert_eq!(created.status, StatusCode::CREATED);
    let one = format!("{path}/{}", created.id());
    assert_eq!(created.header("location").unwrap(), format!("/api/v1{one}"));
    let read = ada.get_at(&one, &created.position()).await;
    assert_eq!(read.body["description"], json!(null));
    assert_eq!(read.etag(), created.etag());

    let body = json!({"name": "Laboratory", "description": "Where things are tried"});
    let renamed = put(ada, &one, &created.etag(), &body).await;
    assert_eq!(renamed.status, StatusCode::NO_CONTENT);
    let archived = acted(ada, &format!("{one}/archive")).await;
    let read = ada.get_at(&one, &archived.position()).await;
    assert_eq!(read.body["name"], "Laboratory");
    assert_eq!(read.body["status"], "archived");
    let list = ada.get(&format!("{path}?status=active")).await;
    assert_eq!(list.body["items"].as_array().unwrap().len(), 1);
    let restored = acted(ada, &format!("{one}/restore")).await;
    let list = ada.get_at(&format!("{path}?status=active&limit=1"), &restored.position()).await;
    assert_eq!(list.body["items"][0]["slug"], "default");
    let next = list.body["next_cursor"].as_str().unwrap();
    let next = ada.get(&format!("{path}?status=active&cursor={next}")).await;
    assert_eq!(next.body["items"][0]["slug"], "lab");
    assert_eq!(next.body.get("next_cursor"), None);
    world.server.stop().await;
}

#[tokio::test]
async fn what_is_wrong_with_a_workspace_is_named() {
    let world = World::new().await;
    let ada = &world.ada;
    let path = world.path("/workspaces");
    invalid(&ada.post(&path, &json!({"slug": "x", "name": "X"})).await, "/slug");
    invalid(&ada.post(&path, &json!({"slug": "lab", "name": "\u{200b}"})).await, "/name");
    invalid(&ada.post(&path, &json!({"slug": "lab"})).await, "/name");
    let long = json!({"slug": "lab", "name": "Lab", "description": "x".repeat(501)});
    invalid(&ada.post(&path, &long).await, "/description");
    let taken = ada.post(&path, &json!({"slug": "default", "name": "D"})).await;
    refused(&taken, StatusCode::CONFLICT, "conflict");
    assert_eq!(taken.body["errors"][0]["pointer"], "/slug");
    let default = ada.get(&path).await.body["items"][0]["id"].as_str().unwrap().to_owned();
    let stays = ada.act(&format!("{path}/{default}/archive")).await;
    assert_eq!(stays.status, StatusCode::CONFLICT, "{stays:?}");
    missing(&ada.get(&format!("{path}/seven")).await);
    invalid(&ada.get(&format!("{path}?status=gone")).await, "?status");
    world.server.stop().await;
}

#[tokio::test]
async fn a_role_in_one_workspace_counts_there_and_nowhere_else() {
    let world = World::new().await;
    let (ada, bob) = (&world.ada, &world.bob);
    let mut workspaces = Vec::new();
    for slug in ["here", "there"] {
        let body = json!({"slug": slug, "name": slug});
        let made = ada.post(&world.path("/workspaces"), &body).await;
        assert_eq!(made.status, StatusCode::CREATED, "{made:?}");
        workspaces.push(made);
    }
    let role = json!({"key": "keeper", "name": "Keeper", "scopes": ["workspace"],
        "permissions": ["organization.workspace.update"]});
    let role = ada.post(&world.path("/roles"), &role).await;
    let who = bob.get("/me").await.body["user"]["id"].as_str().unwrap().to_owned();
    let email = bob.get("/me").await.body["user"]["email"].as_str().unwrap().to_owned();
    let invited = ada.post(&world.path("/invitations"), &json!({"email": email})).await;
    let accepted = format!("/invitations/{}/accept", invited.id());
    assert!(bob.post(&accepted, &json!({})).await.status.is_success());
    let given = json!({"role_id": role.id(), "principal_kind": "user",
        "principal_id": who, "workspace_id": workspaces[0].id()});
    let given = ada.post(&world.path("/role-assignments"), &given).await;
    assert_eq!(given.status, StatusCode::CREATED, "{given:?}");
    for (workspace, status) in
        workspaces.iter().zip([StatusCode::NO_CONTENT, StatusCode::FORBIDDEN])
    {
        let path = world.path(&format!("/workspaces/{}", workspace.id()));
        let renamed = bob.put(&path, &workspace.etag(), &json!({"name": "Mine"})).await;
        assert_eq!(renamed.status, status, "{renamed:?}");
    }
    world.server.stop().await;
}
