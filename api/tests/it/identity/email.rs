//! Changing one's own address.

use http::StatusCode;
use serde_json::json;

use super::{done, refused, tokens};
use crate::support::{PASSWORD, Server};

#[tokio::test]
async fn an_address_changes_once_the_new_one_is_proved() {
    let server = Server::start().await;
    let ada = server.user("ada").await;
    let request = async |password: &str| {
        let body = json!({"email": "countess@example.org", "password": password});
        ada.post("/users/change-email", &body).await
    };
    let wrong = request("a wrong password").await;
    refused(&wrong, StatusCode::UNPROCESSABLE_ENTITY, "invalid-field");
    let asked = request(PASSWORD).await;
    assert_eq!(asked.status, StatusCode::ACCEPTED, "{asked:?}");
    let token = server.mailed_token("countess@example.org", "change-email").await;
    tokens(&server, "ada@example.org", PASSWORD).await;
    let confirm = json!({"token": token});
    let confirmed = server.stranger().post("/users/change-email/confirm", &confirm).await;
    assert_eq!(confirmed.status, StatusCode::NO_CONTENT, "{confirmed:?}");
    tokens(&server, "countess@example.org", PASSWORD).await;
    let told = server.mailed("ada@example.org", "email_changed", 1).await;
    assert!(!told[0].text.contains("token") && !told[0].text.contains("countess"), "{told:?}");
    let old = json!({"email": "ada@example.org", "password": PASSWORD});
    let old = server.stranger().post("/auth/login", &old).await;
    refused(&old, StatusCode::UNAUTHORIZED, "invalid-credentials");
    // The old address is free.
    let again = json!({"email": "ada@example.org", "password": PASSWORD});
    done(&server.stranger().post("/users", &again).await);
    server.mailed("ada@example.org", "verify_email", 2).await;
    server.stop().await;
}

#[tokio::test]
async fn a_taken_address_shows_only_to_who_gets_its_mail() {
    let server = Server::start().await;
    let ada = server.user("ada").await;
    server.user("bob").await;
    let body = json!({"email": "bob@example.org", "password": PASSWORD});
    let asked = ada.post("/users/change-email", &body).await;
    assert_eq!(asked.status, StatusCode::ACCEPTED, "{asked:?}");
    let token = server.mailed_token("bob@example.org", "change-email").await;
    let confirm = json!({"token": token});
    let confirmed = server.stranger().post("/users/change-email/confirm", &confirm).await;
    refused(&confirmed, StatusCode::CONFLICT, "conflict");
    done(&server.stranger().post("/users/reset-password", &json!({"email": "a@b.org"})).await);
    tokens(&server, "bob@example.org", PASSWORD).await;
    server.stop().await;
}
