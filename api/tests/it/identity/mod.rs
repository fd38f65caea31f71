//! Module identity over HTTP.

mod auth;
mod credentials;
mod email;
mod password;
mod persons;
mod sessions;
mod sign_up;
mod users;

use std::time::Duration;

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

/// The kinds of the mails to an address, oldest first, and their texts.
fn mails(server: &Server, to: &str) -> Vec<(String, String)> {
    let Ok(files) = std::fs::read_dir(&server.outbox) else { return Vec::new() };
    let mut files: Vec<_> = files.flatten().map(|file| file.path()).collect();
    files.retain(|file| file.extension().is_some_and(|kind| kind == "json"));
    files.sort();
    let read = |file| serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    let mails = files.into_iter().map(read).filter(|mail: &Value| mail["to"] == to);
    let text = |mail: &Value, name| mail[name].as_str().unwrap().to_owned();
    mails.map(|mail| (text(&mail, "kind"), text(&mail, "text"))).collect()
}

/// The texts of so many mails of a kind, once they are there.
async fn mailed(server: &Server, to: &str, kind: &str, count: usize) -> Vec<String> {
    let looking = async {
        let mut tick = tokio::time::interval(Duration::from_millis(10));
        loop {
            tick.tick().await;
            let fitting = mails(server, to).into_iter().filter(|(found, _)| found == kind);
            let texts: Vec<_> = fitting.map(|(_, text)| text).collect();
            if texts.len() >= count {
                return texts;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(10), looking).await.expect("no such mail came")
}

/// The token of the link in a mail.
fn token_in(mail: &str) -> String {
    let (_, rest) = mail.split_once("token=").unwrap_or_else(|| panic!("{mail}"));
    rest.chars().take_while(|c| c.is_ascii_alphanumeric() || "-_".contains(*c)).collect()
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
