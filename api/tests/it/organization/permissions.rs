//! `/permissions`, and what a principal holds of them.

use http::StatusCode;
use serde_json::json;

use super::{World, id_of, invalid, join, missing, role};

#[tokio::test]
async fn the_catalogue_says_what_each_permission_is_for() {
    let world = World::new().await;
    let listed = world.bob.get("/permissions").await;
    let items = listed.body["items"].as_array().unwrap();
    assert_eq!(items.len(), domain::permissions::ALL.len());
    let found = items.iter().find(|item| item["name"] == "organization.role.create").unwrap();
    assert_eq!(found["module"], "organization");
    assert_eq!(found["description"], "Define roles of an organization.");
    world.server.stop().await;
}

#[tokio::test]
async fn everybody_may_know_what_they_may_do_and_operators_what_others_may() {
    let world = World::new().await;
    let (ada, bob, admin) = (&world.ada, &world.bob, world.server.admin().await);
    let member = role(ada, &world.path("/roles"), "member").await;
    let bobs = join(ada, &world.acme, (bob, "bob"), &[&member]).await;
    let path = format!("/principals/user/{bobs}/permissions");
    let nowhere = bob.get(&path).await;
    assert_eq!(nowhere.body["permissions"], json!([]));
    let inside = format!("{path}?scope=organization:{}", world.acme);
    for asker in [bob, &admin] {
        let held = asker.get(&inside).await;
        assert_eq!(held.status, StatusCode::OK, "{held:?}");
        let held = held.body["permissions"].as_array().unwrap().clone();
        assert!(held.contains(&json!("organization.membership.read")), "{held:?}");
        assert!(!held.contains(&json!("organization.role.create")));
    }
    missing(&ada.get(&path).await);
    missing(&bob.get(&format!("/principals/robot/{bobs}/permissions")).await);
    invalid(&bob.get(&format!("{path}?scope=galaxy")).await, "?scope");
    let all = admin.get(&format!("/principals/user/{}/permissions", id_of(&admin).await)).await;
    let all = all.body["permissions"].as_array().unwrap().len();
    assert_eq!(all, domain::permissions::ALL.len());
    world.server.stop().await;
}
