//! Signing in, staying signed in, signing out.

use http::{Method, StatusCode};
use serde_json::json;

use super::{done, is_let_in, own_id, refused, tokens};
use crate::{
    organization::eventually,
    support::{PASSWORD, Server},
};

#[tokio::test]
async fn every_failure_has_the_same_answer() {
    let server = Server::start().await;
    let (ada, admin) = (server.user("ada").await, server.admin().await);
    server.user("bob").await;
    let stranger = server.stranger();
    let pending = json!({"email": "pending@example.org", "password": PASSWORD});
    done(&stranger.post("/users", &pending).await);
    let path = format!("/users/{}/disable", own_id(&ada).await);
    done(&admin.post(&path, &json!({"reason": "left"})).await);
    let mut answers = Vec::new();
    for (email, password) in [
        ("nobody@example.org", PASSWORD),
        ("not an address", PASSWORD),
        ("bob@example.org", "a wrong password"),
        ("ada@example.org", PASSWORD),
        ("pending@example.org", PASSWORD),
    ] {
        let body = json!({"email": email, "password": password});
        let answer = stranger.post("/auth/login", &body).await;
        refused(&answer, StatusCode::UNAUTHORIZED, "invalid-credentials");
        answers.push(answer);
    }
    for answer in &answers[1..] {
        assert_eq!(answer.without_trace(), answers[0].without_trace());
        assert_eq!(answer.text.len(), answers[0].text.len());
    }
    let both = json!({"email": "ada@example.org", "username": "ada", "password": PASSWORD});
    let answer = stranger.post("/auth/login", &both).await;
    refused(&answer, StatusCode::UNPROCESSABLE_ENTITY, "invalid-field");
    server.stop().await;
}

#[tokio::test]
async fn a_guessed_account_is_refused_to_the_network_that_guesses() {
    let server = Server::with(|config| config.auth.login_attempts = 3).await;
    server.user("ada").await;
    server.user("bob").await;
    let login = async |name: &str, password: &str| {
        let body = json!({"email": format!("{name}@example.org"), "password": password});
        server.stranger().post("/auth/login", &body).await
    };
    for _ in 0..3 {
        let wrong = login("ada", "a wrong password").await;
        refused(&wrong, StatusCode::UNAUTHORIZED, "invalid-credentials");
    }
    let right = login("ada", PASSWORD).await;
    refused(&right, StatusCode::TOO_MANY_REQUESTS, "too-many-requests");
    assert!(right.header("retry-after").is_some());
    done(&login("bob", PASSWORD).await);
    server.stop().await;
}

/// Two names get no more guesses than one, and nothing shows that they are of one account.
#[tokio::test]
async fn an_account_that_is_guessed_at_by_all_its_names_does_not_show_it() {
    let server = Server::with(|config| {
        config.auth.login_attempts = 3;
        config.http.trusted_proxies = 1;
    })
    .await;
    let stranger = server.stranger();
    let body = json!({"email": "ada@example.org", "password": PASSWORD, "username": "ada"});
    done(&stranger.post("/users", &body).await);
    let token = server.mailed_token("ada@example.org", "verify").await;
    done(&stranger.post("/users/verify-email", &json!({"token": token})).await);
    let login = async |from: &str, name: (&str, &str), password: &str| {
        let body = json!({name.0: name.1, "password": password});
        stranger.send(Method::POST, "/auth/login", &[("x-forwarded-for", from)], Some(&body)).await
    };
    let (email, username) = (("email", "ada@example.org"), ("username", "ada"));
    for name in [email, username, email] {
        let wrong = login("203.0.113.1", name, "a wrong password").await;
        refused(&wrong, StatusCode::UNAUTHORIZED, "invalid-credentials");
    }
    let right = login("203.0.113.1", username, PASSWORD).await;
    refused(&right, StatusCode::UNAUTHORIZED, "invalid-credentials");
    for name in [email, username] {
        done(&login("203.0.113.2", name, PASSWORD).await);
    }
    server.stop().await;
}

#[tokio::test]
async fn failures_show_with_the_user_until_a_good_sign_in() {
    let server = Server::start().await;
    let (ada, admin) = (server.user("ada").await, server.admin().await);
    let path = format!("/users/{}", own_id(&ada).await);
    let wrong = json!({"email": "ada@example.org", "password": "a wrong password"});
    let refusal = server.stranger().post("/auth/login", &wrong).await;
    refused(&refusal, StatusCode::UNAUTHORIZED, "invalid-credentials");
    eventually(&admin, &path, |user| user.body["failed_login_count"] == 1).await;
    let wrong = json!({"current_password": "a wrong password", "new_password": PASSWORD});
    let refusal = ada.post("/users/change-password", &wrong).await;
    refused(&refusal, StatusCode::UNPROCESSABLE_ENTITY, "invalid-field");
    eventually(&admin, &path, |user| user.body["failed_login_count"] == 2).await;
    let signed_in = server.stranger();
    let right = json!({"email": "ada@example.org", "password": PASSWORD});
    let position = signed_in.post("/auth/login", &right).await.position();
    assert_eq!(admin.get_at(&path, &position).await.body["failed_login_count"], 0);
    server.stop().await;
}

#[tokio::test]
async fn refreshing_goes_on_and_a_stolen_token_ends_it() {
    let server = Server::start().await;
    server.user("ada").await;
    let first = tokens(&server, "ada@example.org", PASSWORD).await;
    let stranger = server.stranger();
    let refresh = async |token: &serde_json::Value| {
        stranger.post("/auth/refresh", &json!({"refresh_token": token})).await
    };
    let second = refresh(&first["refresh_token"]).await;
    done(&second);
    assert_ne!(second.body["refresh_token"], first["refresh_token"]);
    assert!(is_let_in(&server.bearer(second.body["access_token"].as_str().unwrap())).await);
    // A client that lost the answer gets it again.
    let again = refresh(&first["refresh_token"]).await;
    assert_eq!(again.body["refresh_token"], second.body["refresh_token"]);
    let third = refresh(&second.body["refresh_token"]).await;
    done(&third);
    // Two generations back is no lost answer.
    let stolen = refresh(&first["refresh_token"]).await;
    refused(&stolen, StatusCode::UNAUTHORIZED, "session-ended");
    let ended = refresh(&third.body["refresh_token"]).await;
    refused(&ended, StatusCode::UNAUTHORIZED, "session-ended");
    let access = server.bearer(third.body["access_token"].as_str().unwrap());
    eventually(&access, "/me", |me| me.status == StatusCode::UNAUTHORIZED).await;
    server.stop().await;
}

#[tokio::test]
async fn only_tokens_of_ours_are_refreshed() {
    let server = Server::start().await;
    server.user("ada").await;
    let real = tokens(&server, "ada@example.org", PASSWORD).await;
    let real = real["refresh_token"].as_str().unwrap();
    let nowhere = server.app.digests.refresh_token(api::clock::mint(), 1);
    for wrong in ["", "AAAA", &real[1..], &nowhere] {
        let body = json!({"refresh_token": wrong});
        let answer = server.stranger().post("/auth/refresh", &body).await;
        refused(&answer, StatusCode::UNAUTHORIZED, "session-token-invalid");
    }
    server.stop().await;
}

#[tokio::test]
async fn signing_out_ends_the_session() {
    let server = Server::start().await;
    server.user("ada").await;
    let tokens = tokens(&server, "ada@example.org", PASSWORD).await;
    let client = server.bearer(tokens["access_token"].as_str().unwrap());
    assert!(is_let_in(&client).await);
    let out = client.act("/auth/logout").await;
    assert_eq!(out.status, StatusCode::NO_CONTENT, "{out:?}");
    eventually(&client, "/me", |me| me.status == StatusCode::UNAUTHORIZED).await;
    let body = json!({"refresh_token": tokens["refresh_token"]});
    let refresh = server.stranger().post("/auth/refresh", &body).await;
    refused(&refresh, StatusCode::UNAUTHORIZED, "session-ended");
    server.stop().await;
}

#[tokio::test]
async fn a_first_sign_in_is_no_news() {
    let server = Server::start().await;
    server.user("ada").await;
    tokens(&server, "ada@example.org", PASSWORD).await;
    let reset = json!({"email": "ada@example.org"});
    done(&server.stranger().post("/users/reset-password", &reset).await);
    server.mailed("ada@example.org", "password_reset", 1).await;
    let kinds: Vec<_> =
        server.letters.to("ada@example.org").into_iter().map(|mail| mail.kind).collect();
    assert_eq!(kinds, ["verify_email", "password_reset"]);
    server.stop().await;
}
