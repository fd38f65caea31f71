//! The routes of module organization, one file per resource.

mod identity_providers;
mod invitations;
mod isolation;
mod life;
mod me;
mod members;
mod organizations;
mod permissions;
mod role_assignments;
mod roles;
mod service_principals;
mod workspaces;

use std::time::Duration;

use api::config::Config;
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{Answer, Client, Server, key};

/// A command that succeeds, after everything it must refuse: no idempotency key, and where it is
/// conditional no version or an old one. Then it is repeated, and must answer the same.
pub(crate) async fn done(
    client: &Client,
    method: Method,
    path: &str,
    etag: Option<&str>,
    body: Option<&Value>,
) -> Answer {
    let ask = |headers: Vec<(&'static str, String)>| {
        let method = method.clone();
        async move {
            let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, &**value)).collect();
            client.send(method, path, &headers, body).await
        }
    };
    let keyed = |key: &str| ("idempotency-key", key.to_owned());
    let matching = |etag: &str| ("if-match", etag.to_owned());

    let unkeyed = ask(etag.map(matching).into_iter().collect()).await;
    refused(&unkeyed, StatusCode::BAD_REQUEST, "missing-idempotency-key");
    if etag.is_some() {
        let blind = ask(vec![keyed(&key())]).await;
        refused(&blind, StatusCode::PRECONDITION_REQUIRED, "missing-if-match");
        let stale = ask(vec![keyed(&key()), matching("\"9999\"")]).await;
        refused(&stale, StatusCode::PRECONDITION_FAILED, "stale");
        assert_eq!(stale.header("etag"), etag, "it names the present version");
    }

    let key = key();
    let headers: Vec<_> = [keyed(&key)].into_iter().chain(etag.map(matching)).collect();
    let first = ask(headers.clone()).await;
    assert!(first.status.is_success(), "{method} {path}: {first:?}");
    assert_eq!(first.header("idempotency-replayed"), None);
    let again = ask(headers).await;
    assert_eq!(again.status, first.status, "{method} {path}: {again:?}");
    assert_eq!(again.header("idempotency-replayed"), Some("true"), "{method} {path}");
    for name in ["etag", "platform-position", "location"] {
        assert_eq!(again.header(name), first.header(name), "{method} {path}: {name}");
    }
    if path.contains("api-keys") {
        assert_eq!(again.body["id"], first.body["id"]);
    } else {
        assert_eq!(again.text, first.text, "{method} {path}");
    }
    first
}

pub(crate) async fn posted(client: &Client, path: &str, body: &Value) -> Answer {
    done(client, Method::POST, path, None, Some(body)).await
}

pub(crate) async fn acted(client: &Client, path: &str) -> Answer {
    done(client, Method::POST, path, None, None).await
}

pub(crate) async fn put(client: &Client, path: &str, etag: &str, body: &Value) -> Answer {
    done(client, Method::PUT, path, Some(etag), Some(body)).await
}

pub(crate) async fn deleted(client: &Client, path: &str) -> Answer {
    done(client, Method::DELETE, path, None, None).await
}

#[track_caller]
pub(crate) fn refused(answer: &Answer, status: StatusCode, code: &str) {
    assert_eq!((answer.status, answer.code()), (status, code), "{answer:?}");
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    assert!(answer.body["trace_id"].is_string(), "{answer:?}");
}

/// Refused because of a value, which is named.
#[track_caller]
pub(crate) fn invalid(answer: &Answer, pointer: &str) {
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{answer:?}");
    assert_eq!(answer.body["errors"][0]["pointer"], pointer, "{answer:?}");
}

#[track_caller]
pub(crate) fn missing(answer: &Answer) {
    refused(answer, StatusCode::NOT_FOUND, "not-found");
}

/// Asks until the answer fits: what others may do changes within a second, not at once.
pub(crate) async fn eventually(
    client: &Client,
    path: &str,
    fits: impl Fn(&Answer) -> bool,
) -> Answer {
    let asking = async {
        loop {
            let answer = client.get(path).await;
            if fits(&answer) {
                return answer;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(5), asking).await.expect("it never fits")
}

/// The id of whoever a client is signed in as.
pub(crate) async fn id_of(client: &Client) -> String {
    let me = client.get("/me").await;
    me.body["user"]["id"].as_str().unwrap_or_else(|| panic!("{me:?}")).to_owned()
}

/// Lets a user into an organization, with these roles. Answers their user id.
pub(crate) async fn join(
    owner: &Client,
    organization: &str,
    who: (&Client, &str),
    roles: &[&str],
) -> String {
    let (user, name) = who;
    let body = json!({"email": format!("{name}@example.org"), "role_ids": roles});
    let invited = owner.post(&format!("/organizations/{organization}/invitations"), &body).await;
    assert_eq!(invited.status, StatusCode::CREATED, "{invited:?}");
    let path = format!("/invitations/{}/accept", invited.id());
    let accepted = user.post(&path, &json!({})).await;
    assert_eq!(accepted.status, StatusCode::OK, "{accepted:?}");
    let path = format!("/organizations/{organization}");
    eventually(user, &path, |answer| answer.status == StatusCode::OK).await;
    id_of(user).await
}

/// The id of a role of the platform, or of an organization, by its key.
pub(crate) async fn role(client: &Client, list: &str, key: &str) -> String {
    let roles = client.get(list).await;
    let items = roles.body["items"].as_array().unwrap_or_else(|| panic!("{roles:?}")).clone();
    let found = items.iter().find(|role| role["key"] == key);
    found.unwrap_or_else(|| panic!("no role {key}: {roles:?}"))["id"].as_str().unwrap().to_owned()
}

/// A server with two users, of whom the first owns `acme`.
pub(crate) struct World {
    pub(crate) server: Server,
    pub(crate) ada: Client,
    pub(crate) bob: Client,
    pub(crate) acme: String,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// With a changed configuration.
    pub(crate) async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let server = Server::with(change).await;
        let (ada, bob) = tokio::join!(server.user("ada"), server.user("bob"));
        let acme = ada.organization("acme").await;
        Self { server, ada, bob, acme }
    }

    pub(crate) fn path(&self, below: &str) -> String {
        format!("/organizations/{}{below}", self.acme)
    }
}
