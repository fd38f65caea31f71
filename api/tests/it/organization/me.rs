//! `/me`, and the organizations of a user.

use http::StatusCode;
use serde_json::{Value, json};

use super::{World, id_of, missing};

/// The slugs in a list, in its order, but for the personal organization every user gets.
fn slugs(list: &Value) -> Vec<String> {
    let slugs = list.as_array().unwrap().iter().map(|item| item["slug"].as_str().unwrap());
    slugs.filter(|slug| !slug.starts_with("u-")).map(str::to_owned).collect()
}

#[tokio::test]
async fn a_user_sees_themself_and_where_they_belong() {
    let world = World::new().await;
    let (ada, admin) = (&world.ada, world.server.admin().await);
    ada.organization("beta").await;
    let last = json!({"slug": "gamma", "name": "G", "type": "personal"});
    let last = ada.post("/organizations", &last).await;
    let me = ada.get_at("/me", &last.position()).await;
    assert_eq!(me.status, StatusCode::OK, "{me:?}");
    assert_eq!(me.body["user"]["email"], "ada@example.org");
    assert_eq!(me.body["user"]["email_verified"], true);
    assert_eq!(me.body["person"]["display_name"], "ada");
    assert_eq!(me.body["permissions"], json!([]));
    assert_eq!(slugs(&me.body["organizations"]), ["acme", "beta", "gamma"]);
    assert!(me.body["organizations"].as_array().unwrap().iter().all(|o| o["is_owner"] == true));
    let permissions = admin.get("/me").await.body["permissions"].clone();
    assert_eq!(permissions.as_array().unwrap().len(), domain::permissions::ALL.len());

    let path = format!("/users/{}/organizations", id_of(ada).await);
    let first = ada.get(&format!("{path}?limit=2")).await;
    let cursor = first.body["next_cursor"].as_str().unwrap();
    let second = ada.get(&format!("{path}?limit=2&cursor={cursor}")).await;
    let all = [slugs(&first.body["items"]), slugs(&second.body["items"])].concat();
    assert_eq!(all, ["acme", "beta", "gamma"]);
    assert_eq!(admin.get(&path).await.status, StatusCode::OK);
    missing(&world.bob.get(&path).await);
    world.server.stop().await;
}
