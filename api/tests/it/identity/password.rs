//! Resetting and changing a password.

use api::{
    clock::mint,
    crypto::{
        digest::{Digests, SingleUseToken},
        keys::MasterKey,
    },
};
use domain::identity::{TokenId, user::User};
use http::StatusCode;
use serde_json::json;
use uuid::Uuid;

use super::{done, is_let_in, own_id, refused, tokens};
use crate::{
    organization::eventually,
    support::{PASSWORD, Server, slow_hashes},
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
async fn a_wrong_token_is_refused_without_a_hash_whoever_it_names() {
    let server = Server::with(slow_hashes).await;
    let ada = server.user("ada").await;
    let known: Uuid = own_id(&ada).await.parse().unwrap();
    let stranger = server.stranger();
    done(&stranger.post("/users/reset-password", &json!({"email": "ada@example.org"})).await);
    let token = server.mailed_token("ada@example.org", "reset").await;
    let id = SingleUseToken::parse(&token).unwrap().id();
    let digests = Digests::new(&MasterKey::from_bytes([7; 32]));
    let confirm = async |token: &str| {
        let body = json!({"token": token, "password": OTHER});
        stranger.post("/users/reset-password/confirm", &body).await
    };
    let busy = server.no_more_hashing().await;
    let mut answers = Vec::new();
    for (user, token) in [(known, id), (known, mint()), (mint(), mint())] {
        answers.push(confirm(&digests.single_use(user, token).text()).await);
    }
    let full = confirm(&token).await;
    refused(&full, StatusCode::SERVICE_UNAVAILABLE, "overloaded");
    drop(busy);
    for answer in &answers {
        refused(answer, StatusCode::UNPROCESSABLE_ENTITY, "user-token-invalid");
        assert_eq!(answer.without_trace(), answers[0].without_trace());
    }
    // The wrong try with a token that exists was counted, as ever.
    let user = server.app.store.load_fresh::<User>(known).await.unwrap().state;
    let attempts = user.present().unwrap().token(TokenId::from_uuid(id)).unwrap().attempts;
    assert_eq!(attempts, 1);
    server.stop().await;
}

#[tokio::test]
async fn a_user_has_one_password_reset_at_a_time() {
    let server = Server::start().await;
    let ada = server.user("ada").await;
    let known: Uuid = own_id(&ada).await.parse().unwrap();
    let stranger = server.stranger();
    done(&stranger.post("/users/reset-password", &json!({"email": "ada@example.org"})).await);
    let token = server.mailed_token("ada@example.org", "reset").await;
    let earlier = server.app.hashers.turn(&known).await;
    let resetting = tokio::spawn(async move {
        let body = json!({"token": token, "password": OTHER});
        stranger.post("/users/reset-password/confirm", &body).await
    });
    // In the way of nothing else.
    for _ in 0..10 {
        assert!(is_let_in(&ada).await);
    }
    assert!(!resetting.is_finished(), "two resets at a time");
    drop(earlier);
    done(&resetting.await.unwrap());
    server.stop().await;
}

#[tokio::test]
async fn who_invents_tokens_is_refused_in_the_end() {
    let server = Server::with(|config| config.auth.login_failures_per_minute = 2).await;
    let digests = Digests::new(&MasterKey::from_bytes([7; 32]));
    let stranger = server.stranger();
    let confirm = async || {
        let token = digests.single_use(mint(), mint()).text();
        let body = json!({"token": token, "password": OTHER});
        stranger.post("/users/reset-password/confirm", &body).await
    };
    for _ in 0..2 {
        refused(&confirm().await, StatusCode::UNPROCESSABLE_ENTITY, "user-token-invalid");
    }
    refused(&confirm().await, StatusCode::TOO_MANY_REQUESTS, "too-many-requests");
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
        // What else is sent there is counted apart.
        done(&stranger.post("/users/verify-email/resend", &body).await);
    }
    server.stop().await;
}
