//! Module identity over HTTP.

mod auth;
mod credentials;
mod email;
mod password;
mod persons;
mod rehash;
mod sessions;
mod sign_up;
mod users;

use http::StatusCode;
use serde_json::{Value, json};

use crate::support::{Answer, Client, Server};

/// The tokens of a sign-in.
async fn tokens(server: &Server, email: &str, password: &str) -> Value {
    let body = json!({"email": email, "password": password});
    let answer = server.stranger().post("/auth/login", &body).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    answer.body
}

/// The signed-in user's id.
async fn own_id(client: &Client) -> String {
    let me = client.get("/me").await;
    me.body["user"]["id"].as_str().unwrap_or_else(|| panic!("{me:?}")).to_owned()
}

/// The id of the human behind the signed-in user.
async fn own_person(client: &Client) -> String {
    let me = client.get("/me").await;
    me.body["person"]["id"].as_str().unwrap_or_else(|| panic!("{me:?}")).to_owned()
}

#[track_caller]
fn refused(answer: &Answer, status: StatusCode, code: &str) {
    assert_eq!((answer.status, answer.code()), (status, code), "{answer:?}");
}

#[track_caller]
fn done(answer: &Answer) {
    assert!(answer.status.is_success(), "{answer:?}");
}

/// Whether a client's access token is still let in. Revocation reaches the gate through the log,
/// within a second.
async fn is_let_in(client: &Client) -> bool {
    client.get("/me").await.status == StatusCode::OK
}
