//! Every route × every kind of caller × own and other tenant: nobody gets past the gate who may
//! not, and what is not one's own looks exactly like what is not there.

use api::{
    access_table::ACCESS_TABLE,
    routes::{Access, Entry},
};
use http::{Method, StatusCode};
use serde_json::json;

use crate::{
    organization::id_of,
    support::{Answer, Client, Server, key},
};

/// The path of an entry, in an organization, with ids of things that do not exist.
fn path(entry: &Entry, organization: &str) -> String {
    let segments = entry.path.split('/').map(|segment| match segment {
        "{organization_id}" => organization.to_owned(),
        "{category}" => "organization.organization".into(),
        "{kind}" => "user".into(),
        "{permission}" => "identity.user.read".into(),
        "{domain}" => "example.org".into(),
        "{system}" => "erp".into(),
        id if id.starts_with('{') => "01900000-0000-7000-8000-00000000dead".into(),
        word => word.to_owned(),
    });
    segments.collect::<Vec<_>>().join("/")
}

async fn ask(client: &Client, entry: &Entry, organization: &str) -> Answer {
    let method: Method = entry.verb.as_str().parse().unwrap();
    let body = json!({});
    let body = (method != Method::GET && method != Method::DELETE).then_some(&body);
    let key = key();
    let headers = [("idempotency-key", key.as_str()), ("if-match", "\"0\"")];
    client.send(method, &path(entry, organization), &headers, body).await
}

fn in_organization(entry: &Entry) -> bool {
    entry.path.contains("{organization_id}")
}

/// About one person's own things, named in the path.
fn about_somebody(entry: &Entry) -> bool {
    !in_organization(entry)
        && ["{user_id}", "{person_id}", "{principal_id}"].iter().any(|id| entry.path.contains(id))
}

#[tokio::test]
async fn nobody_is_let_in_without_proof_except_where_all_are() {
    let server = Server::start().await;
    let stranger = server.stranger();
    for entry in ACCESS_TABLE {
        let answer =
            ask(&stranger, entry, &String::from("00000000-0000-0000-0000-000000000000")).await;
        if entry.access.is_public() {
            assert_ne!(answer.status, StatusCode::FORBIDDEN, "{entry:?}");
        } else {
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{entry:?}: {answer:?}");
            assert_eq!(answer.code(), "invalid-token", "{entry:?}");
        }
    }
    server.stop().await;
}

/// Whatever else is wrong with it: the credential is read first.
#[tokio::test]
async fn a_request_without_proof_learns_nothing_but_that() {
    let server = Server::start().await;
    let (stranger, liar) = (server.stranger(), server.bearer("not-a-token"));
    let guarded = ACCESS_TABLE.iter().filter(|entry| !entry.access.is_public());
    for entry in guarded {
        let method: Method = entry.verb.as_str().parse().unwrap();
        let path = path(entry, "acme");
        // No headers and no body; ids that are none; what nobody can read.
        let misshapen = path.replace("01900000-0000-7000-8000-00000000dead", "seven");
        for path in [&path, &misshapen, &format!("{misshapen}?min_position=x&cursor=%FF")] {
            for client in [&stranger, &liar] {
                let answer = client.send(method.clone(), path, &[], None).await;
                assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{entry:?}: {answer:?}");
                assert_eq!(answer.code(), "invalid-token", "{entry:?}");
            }
        }
        let headers = [("if-match", "x"), ("content-type", "text/plain"), ("idempotency-key", "")];
        let body = json!("no object");
        let answer = stranger.send(method, &path, &headers, Some(&body)).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{entry:?}: {answer:?}");
    }
    server.stop().await;
}

/// Clients learn how to prove who they are, and whether the proof they showed was at fault.
#[tokio::test]
async fn whoever_is_not_let_in_is_told_how() {
    let server = Server::start().await;
    let stranger = server.stranger();
    let told = |answer: &Answer| answer.header("www-authenticate").map(str::to_owned);
    let unproved = stranger.get("/me").await;
    assert_eq!(unproved.status, StatusCode::UNAUTHORIZED);
    assert_eq!(told(&unproved).as_deref(), Some("Bearer"));
    let basic = stranger.send(Method::GET, "/me", &[("authorization", "Basic YTpi")], None).await;
    assert_eq!(told(&basic).as_deref(), Some("Bearer"));
    let wrong = json!({"email": "nobody@example.org", "password": "not a password"});
    let signed_out = stranger.send(Method::POST, "/auth/login", &[], Some(&wrong)).await;
    assert_eq!(signed_out.status, StatusCode::UNAUTHORIZED);
    assert_eq!(told(&signed_out).as_deref(), Some("Bearer"));
    for token in ["not-a-token", "ch_3fT0aPq9ZkLm.3fT0aPq9ZkLm"] {
        let disproved = server.bearer(token).get("/me").await;
        assert_eq!(disproved.status, StatusCode::UNAUTHORIZED);
        assert_eq!(told(&disproved).as_deref(), Some("Bearer error=\"invalid_token\""), "{token}");
        assert!(disproved.body["fix"].as_str().unwrap().contains("Sign in again"));
    }
    server.stop().await;
}

/// What a route does not take is never dropped: not by any route.
#[tokio::test]
async fn what_a_route_does_not_take_is_refused() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let acme = admin.organization("acme").await;
    let description = admin.get("//openapi.json").await.body;
    for entry in ACCESS_TABLE.iter().filter(|entry| entry.path != "/auth/logout") {
        let method: Method = entry.verb.as_str().parse().unwrap();
        let path = path(entry, &acme);
        let refused = |answer: &Answer| answer.code() == "unknown-field";
        let unnamed = |answer: &Answer| matches!(answer.status.as_u16(), 403 | 404);
        let query = admin.send(method.clone(), &format!("{path}?nonsense=1"), &[], None).await;
        assert!(refused(&query) || unnamed(&query), "{entry:?}: {query:?}");
        let verb = entry.verb.as_str().to_lowercase();
        let described = &description["paths"][format!("/api/v1{}", entry.path)][verb];
        if described.get("requestBody").is_none() {
            let body = admin.send(method, &path, &[], Some(&json!({"reason": "lost"}))).await;
            assert!(refused(&body) || unnamed(&body), "{entry:?}: {body:?}");
        }
    }
    let own = format!("/organizations/{acme}/members/{}", id_of(&admin).await);
    let body = json!({"reason": "left"});
    let dropped = admin.keyed(Method::DELETE, &own, "once", None, Some(&body)).await;
    assert_eq!((dropped.status.as_u16(), dropped.code()), (422, "unknown-field"));
    assert!(dropped.body["errors"][0]["detail"].as_str().unwrap().contains("`reason`"));
    server.stop().await;
}

#[tokio::test]
async fn another_tenant_looks_like_none_at_all() {
    let server = Server::start().await;
    let (ada, eve) = (server.user("ada").await, server.user("eve").await);
    let acme = ada.organization("acme").await;
    let nowhere = api::clock::mint().to_string();
    for entry in ACCESS_TABLE.iter().filter(|entry| in_organization(entry)) {
        let foreign = ask(&eve, entry, &acme).await;
        let missing = ask(&eve, entry, &nowhere).await;
        assert_eq!(foreign.status, StatusCode::NOT_FOUND, "{entry:?}: {foreign:?}");
        assert_eq!(missing.status, StatusCode::NOT_FOUND, "{entry:?}: {missing:?}");
        assert_eq!(foreign.without_trace(), missing.without_trace(), "{entry:?}");
        assert_eq!(foreign.text.len(), missing.text.len(), "{entry:?}");
    }
    server.stop().await;
}

#[tokio::test]
async fn users_without_a_role_get_nothing_that_needs_a_permission() {
    let server = Server::start().await;
    let eve = server.user("eve").await;
    let elsewhere = ACCESS_TABLE.iter().filter(|entry| !in_organization(entry));
    // Signing out would end the walk.
    for entry in elsewhere.filter(|entry| entry.path != "/auth/logout") {
        let answer = ask(&eve, entry, "").await;
        match entry.access {
            Access::Permission(_) => {
                assert_eq!(answer.status, StatusCode::FORBIDDEN, "{entry:?}: {answer:?}");
            }
            // Somebody else's account does not show.
            Access::PermissionOrOwn(_) | Access::Own if about_somebody(entry) => {
                assert_eq!(answer.status, StatusCode::NOT_FOUND, "{entry:?}: {answer:?}");
            }
            Access::Public
            | Access::Own
            | Access::Member
            | Access::PermissionOrOwn(_)
            | Access::PermissionOrMember(_) => {
                assert_ne!(answer.status, StatusCode::UNAUTHORIZED, "{entry:?}: {answer:?}");
                assert_ne!(answer.status, StatusCode::FORBIDDEN, "{entry:?}: {answer:?}");
            }
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn owners_may_what_is_not_for_operators_and_suspended_members_nothing() {
    let server = Server::start().await;
    let ada = server.user("ada").await;
    let acme = ada.organization("acme").await;
    let operators = [
        "organization.organization.operate",
        "organization.contract.update",
        "organization.membership.add",
    ];
    for entry in ACCESS_TABLE.iter().filter(|entry| in_organization(entry)) {
        let answer = ask(&ada, entry, &acme).await;
        let reserved = entry.access.permission().is_some_and(|p| operators.contains(&p.as_str()));
        if reserved && !entry.access.allows_member() {
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{entry:?}: {answer:?}");
        } else if entry.verb != api::routes::Verb::Get && entry.path.ends_with("/archive") {
            // Archiving the very organization would end the walk.
            continue;
        } else {
            assert_ne!(answer.status, StatusCode::FORBIDDEN, "{entry:?}: {answer:?}");
            assert_ne!(answer.status, StatusCode::UNAUTHORIZED, "{entry:?}: {answer:?}");
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn the_administrator_is_stopped_nowhere() {
    let server = Server::start().await;
    let admin = server.admin().await;
    for entry in ACCESS_TABLE {
        // Signing the administrator out would end the walk.
        if entry.path.starts_with("/auth/") || entry.path.ends_with("/change-password") {
            continue;
        }
        let answer = ask(&admin, entry, &api::clock::mint().to_string()).await;
        assert_ne!(answer.status, StatusCode::FORBIDDEN, "{entry:?}: {answer:?}");
        assert_ne!(answer.status, StatusCode::UNAUTHORIZED, "{entry:?}: {answer:?}");
        assert!(answer.status.as_u16() < 500, "{entry:?}: {answer:?}");
    }
    server.stop().await;
}
