//! Where a user is signed in.

use http::StatusCode;

use super::{done, is_let_in, own_id, refused};
use crate::{
    organization::eventually,
    support::{PASSWORD, Server},
};

#[tokio::test]
async fn a_user_sees_their_sessions_and_ends_one() {
    let server = Server::start().await;
    let here = server.user("ada").await;
    let there = server.sign_in("ada@example.org", PASSWORD).await;
    let path = format!("/users/{}/sessions", own_id(&here).await);
    let two = |list: &crate::support::Answer| {
        list.body["items"].as_array().is_some_and(|items| items.len() == 2)
    };
    let list = eventually(&here, &path, two).await;
    let items = list.body["items"].as_array().unwrap();
    assert_eq!(items.iter().filter(|item| item["is_current"] == true).count(), 1);
    let other = items.iter().find(|item| item["is_current"] == false).unwrap();
    assert_eq!(other["amr"][0], "pwd");
    assert_eq!(other["ip"], "127.0.0.1");
    let ended = here.delete(&format!("{path}/{}", other["id"].as_str().unwrap())).await;
    assert_eq!(ended.status, StatusCode::NO_CONTENT, "{ended:?}");
    eventually(&there, "/me", |me| me.status == StatusCode::UNAUTHORIZED).await;
    assert!(is_let_in(&here).await);
    let active = format!("{path}?status=active");
    let list = here.get_at(&active, &ended.position()).await;
    assert_eq!(list.body["items"].as_array().unwrap().len(), 1);
    server.stop().await;
}

#[tokio::test]
async fn signing_out_everywhere_signs_out_everywhere() {
    let server = Server::start().await;
    let here = server.user("ada").await;
    let there = server.sign_in("ada@example.org", PASSWORD).await;
    let path = format!("/users/{}/sessions", own_id(&here).await);
    done(&here.delete(&path).await);
    for client in [here, there] {
        eventually(&client, "/me", |me| me.status == StatusCode::UNAUTHORIZED).await;
    }
    server.stop().await;
}

#[tokio::test]
async fn sessions_of_others_do_not_show() {
    let server = Server::start().await;
    let (ada, eve) = (server.user("ada").await, server.user("eve").await);
    let (of_ada, of_eve) = (own_id(&ada).await, own_id(&eve).await);
    let path = format!("/users/{of_ada}/sessions");
    let nobody = format!("/users/{}/sessions", api::clock::mint());
    let (foreign, missing) = (eve.get(&path).await, eve.get(&nobody).await);
    refused(&foreign, StatusCode::NOT_FOUND, "not-found");
    assert_eq!(foreign.without_trace(), missing.without_trace());
    refused(&eve.delete(&path).await, StatusCode::NOT_FOUND, "not-found");
    let some = |list: &crate::support::Answer| {
        list.body["items"].as_array().is_some_and(|items| !items.is_empty())
    };
    let list = eventually(&ada, &path, some).await;
    let session = list.body["items"][0]["id"].as_str().unwrap();
    let smuggled = eve.delete(&format!("/users/{of_eve}/sessions/{session}")).await;
    refused(&smuggled, StatusCode::NOT_FOUND, "not-found");
    let admin = server.admin().await;
    done(&admin.get(&path).await);
    done(&admin.delete(&path).await);
    eventually(&ada, "/me", |me| me.status == StatusCode::UNAUTHORIZED).await;
    server.stop().await;
}
