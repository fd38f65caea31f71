//! Resetting and changing a password.

use http::StatusCode;
use serde_json::json;

use super::{done, is_let_in, refused, tokens};
use crate::{
    organization::eventually,
    support::{PASSWORD, Server},
};

const OTHER: &str = "another long password";

#[tokio::test]
async fn a_forgotten_password_is_reset_and_everybody_signed_out() {
    let server = Server::start().await;
    let ada = server.user("ada").await;
    let stranger = server.stranger();
    let request = json!({"email": "ada@example.org"});
    let known = stranger.post("/users/reset-password", &request).await;
    let request = json!({"email": "nobody@example.org"});
    let unknown = stranger.post("/users/reset-password", &request).await;
    assert_eq!((known.status, &known.text), (StatusCode::ACCEPTED, &unknown.text));
    assert_eq!(known.status, unknown.status);

    let token = server.mailed_token("ada@example.org", "reset").await;
    let confirm = async |password: &str| {
        let body = json!({"token": token, "password": password});
        stranger.post("/users/reset-password/confirm", &body).await
    };
    let short = confirm("short").await;
    refused(&short, StatusCode::UNPROCESSABLE_ENTITY, "invalid-field");
    let reset = confirm(OTHER).await;
    assert_eq!(reset.status, StatusCode::NO_CONTENT, "{reset:?}");
    let again = confirm(OTHER).await;
    refused(&again, StatusCode::UNPROCESSABLE_ENTITY, "user-token-invalid");
    eventually(&ada, "/me", |me| me.status == StatusCode::UNAUTHORIZED).await;
    tokens(&server, "ada@example.org", OTHER).await;
    let old = json!({"email": "ada@example.org", "password": PASSWORD});
    let old = stranger.post("/auth/login", &old).await;
    refused(&old, StatusCode::UNAUTHORIZED, "invalid-credentials");
    server.mailed("ada@example.org", "password_changed", 1).await;
    server.stop().await;
}

#[tokio::test]
async fn a_change_needs_the_present_password_and_signs_out_the_others() {
    let server = Server::start().await;
    let here = server.user("ada").await;
    let there = server.sign_in("ada@example.org", PASSWORD).await;
    let change = async |current: &str| {
        let body = json!({"current_password": current, "new_password": OTHER});
        here.post("/users/change-password", &body).await
    };
    let wrong = change("a wrong password").await;
    refused(&wrong, StatusCode::UNPROCESSABLE_ENTITY, "invalid-field");
    assert_eq!(wrong.body["errors"][0]["pointer"], "/current_password");
    let changed = change(PASSWORD).await;
    assert_eq!(changed.status, StatusCode::NO_CONTENT, "{changed:?}");
    eventually(&there, "/me", |me| me.status == StatusCode::UNAUTHORIZED).await;
    assert!(is_let_in(&here).await);
    tokens(&server, "ada@example.org", OTHER).await;
    server.mailed("ada@example.org", "password_changed", 1).await;
    server.stop().await;
}

#[tokio::test]
async fn guessing_the_present_password_is_refused_in_the_end() {
    let server = Server::with(|config| config.auth.login_attempts = 2).await;
    let ada = server.user("ada").await;
    let change = async |current: &str| {
        let body = json!({"current_password": current, "new_password": OTHER});
        ada.post("/users/change-password", &body).await
    };
    for _ in 0..2 {
        let wrong = change("a wrong password").await;
        refused(&wrong, StatusCode::UNPROCESSABLE_ENTITY, "invalid-field");
    }
    let right = change(PASSWORD).await;
    refused(&right, StatusCode::TOO_MANY_REQUESTS, "too-many-requests");
    server.stop().await;
}

#[tokio::test]
async fn mails_to_one_address_are_limited_known_or_not() {
    let server = Server::with(|config| config.rate_limit.enabled = true).await;
    server.user("ada").await;
    let stranger = server.stranger();
    for name in ["ada", "nobody"] {
        let body = json!({"email": format!("{name}@example.org")});
        for _ in 0..10 {
            done(&stranger.post("/users/reset-password", &body).await);
        }
        let refusal = stranger.post("/users/reset-password", &body).await;
        refused(&refusal, StatusCode::TOO_MANY_REQUESTS, "too-many-requests");
    }
    server.stop().await;
}
