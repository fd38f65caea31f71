//! The life of an organization, and the contract behind it.

use http::{Method, StatusCode};
use serde_json::json;

use super::{World, acted, done, id_of, invalid, posted, put, refused};
use crate::support::Server;

#[tokio::test]
async fn a_frozen_organization_can_be_read_and_not_changed() {
    let world = World::new().await;
    let (ada, admin) = (&world.ada, world.server.admin().await);
    let reason = json!({"reason": "unpaid invoice"});
    let denied = ada.post(&world.path("/freeze"), &reason).await;
    refused(&denied, StatusCode::FORBIDDEN, "forbidden");
    invalid(&admin.post(&world.path("/freeze"), &json!({"reason": " "})).await, "/reason");

    let frozen = posted(&admin, &world.path("/freeze"), &reason).await;
    assert_eq!(frozen.status, StatusCode::NO_CONTENT);
    let read = ada.get_at(&world.path(""), &frozen.position()).await;
    assert_eq!(read.body["status"], "frozen");
    assert_eq!(read.body["status_reason"], "unpaid invoice");
    let change = json!({"slug": "lab", "name": "Lab"});
    let change = ada.post(&world.path("/workspaces"), &change).await;
    refused(&change, StatusCode::CONFLICT, "organization-wrong-status");

    let open = acted(&admin, &world.path("/unfreeze")).await;
    let read = ada.get_at(&world.path(""), &open.position()).await;
    assert_eq!(read.body["status"], "active");
    let platform = "/organizations/01900000-0000-7000-8000-000000000001/freeze";
    let platform = admin.post(platform, &reason).await;
    assert!(matches!(platform.code(), "organization-is-platform" | "not-found"), "{platform:?}");
    world.server.stop().await;
}

#[tokio::test]
async fn an_archived_organization_comes_back_and_is_not_purged_too_early() {
    let world = World::new().await;
    let (ada, admin) = (&world.ada, world.server.admin().await);
    let reason = json!({"reason": "moved on"});
    refused(
        &world.bob.post(&world.path("/archive"), &reason).await,
        StatusCode::NOT_FOUND,
        "not-found",
    );
    let archived = posted(&admin, &world.path("/archive"), &reason).await;
    let read = ada.get_at(&world.path(""), &archived.position()).await;
    assert_eq!(read.body["status"], "archived");
    assert!(read.body["purge_after"].is_string());
    let early = admin.act(&world.path("/purge")).await;
    refused(&early, StatusCode::CONFLICT, "organization-purge-too-early");
    let denied = ada.act(&world.path("/restore")).await;
    refused(&denied, StatusCode::FORBIDDEN, "forbidden");
    let restored = acted(&admin, &world.path("/restore")).await;
    let read = admin.get_at(&world.path(""), &restored.position()).await;
    assert_eq!(read.body["status"], "active");
    let wrong = admin.act(&world.path("/purge")).await;
    refused(&wrong, StatusCode::CONFLICT, "organization-wrong-status");
    // Its owner can archive it too, repeat that, change nothing meanwhile, and have it back.
    let archived = posted(ada, &world.path("/archive"), &reason).await;
    let read = ada.get_at(&world.path(""), &archived.position()).await;
    let renamed = ada.put(&world.path(""), &read.etag(), &json!({"name": "Other"})).await;
    refused(&renamed, StatusCode::CONFLICT, "organization-wrong-status");
    let restored = acted(ada, &world.path("/restore")).await;
    let read = ada.get_at(&world.path(""), &restored.position()).await;
    assert_eq!(read.body["status"], "active");
    world.server.stop().await;
}

#[tokio::test]
async fn a_demo_is_tried_and_put_to_use() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let body = json!({"slug": "show", "name": "Show", "type": "team", "kind": "demo"});
    let demo = admin.post("/organizations", &body).await;
    assert_eq!(demo.status, StatusCode::CREATED, "{demo:?}");
    let path = |step: &str| format!("/organizations/{}/{step}", demo.id());
    let until = |day: u8| json!({"ends_at": format!("2100-01-{day:02}T00:00:00Z")});
    let past = json!({"ends_at": "2020-01-01T00:00:00Z"});
    let past = admin.post(&path("trial"), &past).await;
    refused(&past, StatusCode::UNPROCESSABLE_ENTITY, "organization-trial-end");
    invalid(&admin.post(&path("trial"), &json!({"ends_at": "soon"})).await, "/ends_at");
    posted(&admin, &path("trial"), &until(1)).await;
    let longer = done(&admin, Method::PUT, &path("trial"), None, Some(&until(2))).await;
    let read = admin.get_at(&format!("/organizations/{}", demo.id()), &longer.position()).await;
    assert_eq!(read.body["status"], "trial");
    assert_eq!(read.body["trial_ends_at"], "2100-01-02T00:00:00Z");
    let ends = admin.get("/organizations?trial_ends_before=2100-01-03T00:00:00Z").await;
    assert_eq!(ends.body["items"][0]["slug"], "show");
    let active = posted(&admin, &path("activate"), &json!({"reason": "contract signed"})).await;
    let read = admin.get_at(&format!("/organizations/{}", demo.id()), &active.position()).await;
    assert_eq!(read.body["status"], "active");
    server.stop().await;
}

#[tokio::test]
async fn the_contract_is_for_operators() {
    let world = World::new().await;
    let (ada, admin) = (&world.ada, world.server.admin().await);
    let etag = admin.get(&world.path("")).await.etag();
    let seller = id_of(&admin).await;
    let contract = json!({
        "starts_on": "2026-01-01", "ends_on": "2026-12-31", "sales_owner_user_id": seller,
    });
    let denied = ada.put(&world.path("/contract"), &etag, &contract).await;
    refused(&denied, StatusCode::FORBIDDEN, "forbidden");
    let reversed = json!({"starts_on": "2026-12-31", "ends_on": "2026-01-01"});
    let reversed = admin.put(&world.path("/contract"), &etag, &reversed).await;
    refused(&reversed, StatusCode::UNPROCESSABLE_ENTITY, "organization-contract-dates");
    let set = put(&admin, &world.path("/contract"), &etag, &contract).await;
    let label = world.path("/plan-label");
    invalid(&admin.put(&label, &set.etag(), &json!({"label": ""})).await, "/label");
    let named = put(&admin, &label, &set.etag(), &json!({"label": "Yearly"})).await;
    let body = json!({"ref": "K-1001"});
    let wrong = admin.put(&world.path("/external-refs/E R P"), &named.etag(), &body).await;
    invalid(&wrong, "/system");
    let noted = put(&admin, &world.path("/external-refs/erp"), &named.etag(), &body).await;
    let read = ada.get_at(&world.path(""), &noted.position()).await;
    assert_eq!(read.body["contract_ends_on"], "2026-12-31");
    assert_eq!(read.body["sales_owner_user_id"], seller);
    assert_eq!(read.body["plan_label"], "Yearly");
    assert_eq!(read.body["external_refs"], json!({"erp": "K-1001"}));
    let mine = admin.get(&format!("/organizations?sales_owner={seller}")).await;
    assert_eq!(mine.body["items"][0]["slug"], "acme");
    world.server.stop().await;
}
