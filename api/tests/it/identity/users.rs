//! Users as they are read and led.

use http::StatusCode;
use serde_json::json;

use super::{done, own_id, refused, tokens};
use crate::{
    organization::eventually,
    support::{PASSWORD, Server},
};

#[tokio::test]
async fn a_profile_is_read_and_replaced() {
    let server = Server::start().await;
    let ada = server.user("ada").await;
    let path = format!("/users/{}", own_id(&ada).await);
    let read = ada.get(&path).await;
    assert_eq!(read.body["email"], "ada@example.org");
    assert_eq!(read.body["display_name"], "ada");
    let profile = json!({"display_name": "Countess", "country": "GB", "locale": "en-GB"});
    let written = ada.put(&path, &read.etag(), &profile).await;
    assert_eq!(written.status, StatusCode::NO_CONTENT, "{written:?}");
    let after = ada.get_at(&path, &written.position()).await;
    assert_eq!(after.body["display_name"], "Countess");
    assert_eq!(after.body["locale"], "en-GB");
    assert_eq!(after.etag(), written.etag());
    let stale = ada.put(&path, &read.etag(), &json!({})).await;
    refused(&stale, StatusCode::PRECONDITION_FAILED, "stale");
    let unknown = json!({"country": "ZZ", "locale": "xx-bogus", "timezone": "Mars/X"});
    let unknown = ada.put(&path, &after.etag(), &unknown).await;
    refused(&unknown, StatusCode::UNPROCESSABLE_ENTITY, "invalid-field");
    assert_eq!(unknown.body["errors"].as_array().unwrap().len(), 3, "{unknown:?}");
    server.stop().await;
}

#[tokio::test]
async fn operators_find_users_and_nobody_else_does() {
    let server = Server::start().await;
    let (ada, admin) = (server.user("ada").await, server.admin().await);
    refused(&ada.get("/users").await, StatusCode::FORBIDDEN, "forbidden");
    server.user("bob").await;
    let emails = async |query: &str| -> Vec<String> {
        let list = admin.get(&format!("/users{query}")).await;
        done(&list);
        let items = list.body["items"].as_array().unwrap().clone();
        items.iter().map(|user| user["email"].as_str().unwrap().to_owned()).collect()
    };
    let newest = ["bob@example.org", "ada@example.org", api::seed::ADMIN_EMAIL];
    let all = |list: &crate::support::Answer| list.body["items"].as_array().unwrap().len() == 3;
    eventually(&admin, "/users", all).await;
    assert_eq!(emails("").await, newest);
    assert_eq!(emails("?email=ADA@example.org").await, ["ada@example.org"]);
    assert_eq!(emails("?email_prefix=b").await, ["bob@example.org"]);
    let first = admin.get("/users?limit=2").await;
    let cursor = first.body["next_cursor"].as_str().unwrap();
    assert_eq!(emails(&format!("?limit=2&cursor={cursor}")).await, newest[2..]);
    let other = admin.get(&format!("/users?status=active&cursor={cursor}")).await;
    refused(&other, StatusCode::BAD_REQUEST, "bad-cursor");
    server.stop().await;
}

#[tokio::test]
async fn another_user_looks_like_none() {
    let server = Server::start().await;
    let (ada, eve) = (server.user("ada").await, server.user("eve").await);
    let foreign = eve.get(&format!("/users/{}", own_id(&ada).await)).await;
    let missing = eve.get(&format!("/users/{}", api::clock::mint())).await;
    refused(&foreign, StatusCode::NOT_FOUND, "not-found");
    assert_eq!(foreign.without_trace(), missing.without_trace());
    server.stop().await;
}

#[tokio::test]
async fn a_disabled_user_is_out_at_once_and_back_when_enabled() {
    let server = Server::start().await;
    let (ada, admin) = (server.user("ada").await, server.admin().await);
    let path = format!("/users/{}", own_id(&ada).await);
    let disable = json!({"reason": "left the company"});
    refused(
        &ada.post(&format!("{path}/disable"), &disable).await,
        StatusCode::FORBIDDEN,
        "forbidden",
    );
    done(&admin.post(&format!("{path}/disable"), &disable).await);
    eventually(&ada, "/me", |me| me.status == StatusCode::UNAUTHORIZED).await;
    let enabled = admin.act(&format!("{path}/enable")).await;
    done(&enabled);
    tokens(&server, "ada@example.org", PASSWORD).await;
    let read = admin.get_at(&path, &enabled.position()).await;
    assert_eq!(read.body["status"], "active");
    done(&admin.act(&format!("{path}/unlock")).await);
    server.stop().await;
}

#[tokio::test]
async fn a_deleted_user_is_gone_and_the_address_free() {
    let server = Server::start().await;
    let (ada, admin) = (server.user("ada").await, server.admin().await);
    let path = format!("/users/{}", own_id(&ada).await);
    let deleted = admin.delete(&path).await;
    done(&deleted);
    eventually(&ada, "/me", |me| me.status == StatusCode::UNAUTHORIZED).await;
    let read = admin.get_at(&path, &deleted.position()).await;
    assert_eq!(read.body["status"], "deleted");
    // Whoever signs up with it now is a newcomer.
    let again = json!({"email": "ada@example.org", "password": PASSWORD});
    done(&server.stranger().post("/users", &again).await);
    server.mailed("ada@example.org", "verify_email", 2).await;
    server.stop().await;
}
