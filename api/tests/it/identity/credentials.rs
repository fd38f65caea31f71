//! The authenticator app, and taking credentials away.

use http::{Method, StatusCode};
use ring::hmac;
use serde_json::json;

use super::{done, own_id, refused};
use crate::support::{Client, PASSWORD, Server};

/// What an authenticator app shows (RFC 6238) so many steps from now.
fn code(secret: &str, now: i64, steps: i64) -> String {
    let mut bits = secret.bytes().flat_map(|letter| {
        let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
        let value = alphabet.iter().position(|known| *known == letter).unwrap();
        (0..5).rev().map(move |bit| u8::try_from(value >> bit & 1).unwrap())
    });
    let key: Vec<u8> =
        (0..20).map(|_| bits.by_ref().take(8).fold(0, |byte, bit| byte << 1 | bit)).collect();
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &key);
    let tag = hmac::sign(&key, &(now / 30 + steps).to_be_bytes());
    let at = usize::from(tag.as_ref()[19] & 15);
    let word = u32::from_be_bytes(tag.as_ref()[at..at + 4].try_into().unwrap());
    format!("{:06}", (word & 0x7fff_ffff) % 1_000_000)
}

struct App {
    secret: String,
    enrolment: String,
}

/// Enrols an app. Answers its secret and its credential.
async fn enrolled(server: &Server, client: &Client, user: &str) -> (String, String) {
    let app = begin(client, user).await;
    let now = server.app.clock.now().timestamp();
    let body = json!({"enrolment": app.enrolment, "code": code(&app.secret, now, 0)});
    let enrolled = client.post(&format!("/users/{user}/totp/confirm"), &body).await;
    done(&enrolled);
    (app.secret, enrolled.id())
}

async fn begin(client: &Client, user: &str) -> App {
    let path = format!("/users/{user}/totp");
    let begun = client.post(&path, &json!({"password": PASSWORD})).await;
    done(&begun);
    let text = |name: &str| begun.body[name].as_str().unwrap().to_owned();
    assert!(text("uri").starts_with("otpauth://totp/"));
    App { secret: text("secret"), enrolment: text("enrolment") }
}

#[tokio::test]
async fn with_an_app_a_password_alone_is_not_enough() {
    let server = Server::start().await;
    let ada = server.user("ada").await;
    let user = own_id(&ada).await;
    let now = || server.app.clock.now().timestamp();
    let wrong = ada.post(&format!("/users/{user}/totp"), &json!({"password": "wrong one"})).await;
    refused(&wrong, StatusCode::UNPROCESSABLE_ENTITY, "invalid-field");
    let app = begin(&ada, &user).await;
    let confirm = async |enrolment: &str, code: &str| {
        let body = json!({"enrolment": enrolment, "code": code, "label": "phone"});
        ada.post(&format!("/users/{user}/totp/confirm"), &body).await
    };
    for (enrolment, code) in [(app.enrolment.as_str(), "12345"), ("AAAA", "123456")] {
        let answer = confirm(enrolment, code).await;
        refused(&answer, StatusCode::UNPROCESSABLE_ENTITY, "invalid-field");
    }
    // The step before is still right, and leaves the present one unused for the sign-in.
    let enrolled = confirm(&app.enrolment, &code(&app.secret, now(), -1)).await;
    done(&enrolled);
    let credential = enrolled.id();

    let login = async |code: Option<String>| {
        let body = json!({"email": "ada@example.org", "password": PASSWORD, "code": code});
        server.stranger().post("/auth/login", &body).await
    };
    let without = login(None).await;
    refused(&without, StatusCode::UNAUTHORIZED, "user-second-factor-required");
    let wrong = login(Some("abcdef".into())).await;
    refused(&wrong, StatusCode::UNAUTHORIZED, "invalid-credentials");
    let used = code(&app.secret, now(), 0);
    let right = login(Some(used.clone())).await;
    done(&right);
    let replayed = login(Some(used.clone())).await;
    refused(&replayed, StatusCode::UNAUTHORIZED, "invalid-credentials");

    let detail = ada.get_at(&format!("/users/{user}"), &right.position()).await;
    assert_eq!(detail.body["mfa_enrolled"], true);
    let kinds: Vec<_> =
        detail.body["credentials"].as_array().unwrap().iter().map(|one| &one["kind"]).collect();
    assert_eq!(kinds, ["password", "totp"]);
    assert!(!detail.text.contains(&app.secret));

    let revoke = format!("/users/{user}/credentials/{credential}/revoke");
    let revoke = async |code: Option<String>| {
        ada.post(&revoke, &json!({"password": PASSWORD, "code": code})).await
    };
    for wrong in [None, Some("abcdef".into()), Some(used)] {
        let answer = revoke(wrong).await;
        refused(&answer, StatusCode::UNPROCESSABLE_ENTITY, "invalid-field");
        assert_eq!(answer.body["errors"][0]["pointer"], "/code");
    }
    done(&revoke(Some(code(&app.secret, now(), 1))).await);
    done(&login(None).await);
    server.stop().await;
}

#[tokio::test]
async fn codes_are_not_guessed_from_many_networks_either() {
    let server = Server::with(|config| {
        config.auth.login_attempts = 3;
        config.http.trusted_proxies = 1;
    })
    .await;
    let ada = server.user("ada").await;
    let user = own_id(&ada).await;
    let app = begin(&ada, &user).await;
    let now = || server.app.clock.now().timestamp();
    let body = json!({"enrolment": app.enrolment, "code": code(&app.secret, now(), -1)});
    done(&ada.post(&format!("/users/{user}/totp/confirm"), &body).await);
    let login = async |from: u8, password: &str, code: &str| {
        let body = json!({"email": "ada@example.org", "password": password, "code": code});
        let from = format!("203.0.113.{from}");
        let headers = [("x-forwarded-for", from.as_str())];
        server.stranger().send(Method::POST, "/auth/login", &headers, Some(&body)).await
    };
    // Who does not know the password gets nowhere near.
    for from in 1..=4 {
        let stranger = login(from, "a wrong password", "abcdef").await;
        refused(&stranger, StatusCode::UNAUTHORIZED, "invalid-credentials");
    }
    for from in 5..=7 {
        let wrong = login(from, PASSWORD, "abcdef").await;
        refused(&wrong, StatusCode::UNAUTHORIZED, "invalid-credentials");
    }
    let right = login(8, PASSWORD, &code(&app.secret, now(), 0)).await;
    refused(&right, StatusCode::TOO_MANY_REQUESTS, "too-many-requests");
    assert!(right.header("retry-after").is_some());
    server.stop().await;
}

#[tokio::test]
async fn an_enrolment_is_good_for_its_user_alone() {
    let server = Server::start().await;
    let (ada, eve) = (server.user("ada").await, server.user("eve").await);
    let (of_ada, of_eve) = (own_id(&ada).await, own_id(&eve).await);
    let app = begin(&eve, &of_eve).await;
    let now = server.app.clock.now().timestamp();
    let body = json!({"enrolment": app.enrolment, "code": code(&app.secret, now, 0)});
    let stolen = ada.post(&format!("/users/{of_ada}/totp/confirm"), &body).await;
    refused(&stolen, StatusCode::UNPROCESSABLE_ENTITY, "invalid-field");
    let foreign = eve.post(&format!("/users/{of_ada}/totp/confirm"), &body).await;
    refused(&foreign, StatusCode::NOT_FOUND, "not-found");
    let foreign = eve.post(&format!("/users/{of_ada}/totp"), &json!({"password": PASSWORD})).await;
    refused(&foreign, StatusCode::NOT_FOUND, "not-found");
    server.stop().await;
}

#[tokio::test]
async fn the_only_way_in_stays() {
    let server = Server::start().await;
    let ada = server.user("ada").await;
    let user = own_id(&ada).await;
    let detail = ada.get(&format!("/users/{user}")).await;
    let password = detail.body["credentials"][0]["id"].as_str().unwrap();
    let revoke = format!("/users/{user}/credentials/{password}/revoke");
    let answer = ada.post(&revoke, &json!({"password": PASSWORD})).await;
    refused(&answer, StatusCode::CONFLICT, "user-last-credential");
    server.stop().await;
}

#[tokio::test]
async fn an_open_screen_is_not_enough_to_take_the_app_off() {
    let server = Server::with(|config| config.auth.login_attempts = 2).await;
    let (ada, eve) = (server.user("ada").await, server.user("eve").await);
    let user = own_id(&ada).await;
    let (_, credential) = enrolled(&server, &ada, &user).await;
    let path = format!("/users/{user}/credentials/{credential}");
    let revoke = async |client: &Client, password: &str| {
        client.post(&format!("{path}/revoke"), &json!({"password": password})).await
    };
    refused(&ada.delete(&path).await, StatusCode::FORBIDDEN, "forbidden");
    refused(&revoke(&eve, PASSWORD).await, StatusCode::NOT_FOUND, "not-found");
    for _ in 0..2 {
        let wrong = revoke(&ada, "a wrong password").await;
        refused(&wrong, StatusCode::UNPROCESSABLE_ENTITY, "invalid-field");
        assert_eq!(wrong.body["errors"][0]["pointer"], "/password");
    }
    let guessed = revoke(&ada, PASSWORD).await;
    refused(&guessed, StatusCode::TOO_MANY_REQUESTS, "too-many-requests");
    server.stop().await;
}

#[tokio::test]
async fn operators_need_the_password_for_their_own() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let user = own_id(&admin).await;
    let detail = admin.get(&format!("/users/{user}")).await;
    let password = detail.body["credentials"][0]["id"].as_str().unwrap();
    let answer = admin.delete(&format!("/users/{user}/credentials/{password}")).await;
    refused(&answer, StatusCode::FORBIDDEN, "user-password-required");
    server.stop().await;
}

#[tokio::test]
async fn whoever_has_an_app_is_told_when_it_comes_and_when_it_goes() {
    let server = Server::start().await;
    let (ada, admin) = (server.user("ada").await, server.admin().await);
    let user = own_id(&ada).await;
    let (_, credential) = enrolled(&server, &ada, &user).await;
    server.mailed("ada@example.org", "totp_enrolled", 1).await;
    let path = format!("/users/{user}/credentials/{credential}");
    done(&admin.delete(&path).await);
    let letters = server.mailed("ada@example.org", "credential_revoked", 1).await;
    assert_eq!(letters[0].subject, "The authenticator app was removed from your account");
    server.stop().await;
}
