//! The humans behind logins.

use http::StatusCode;
use serde_json::json;

use super::{done, own_id, own_person, refused};
use crate::{organization::eventually, support::Server};

#[tokio::test]
async fn a_tax_id_is_recorded_and_only_its_end_shown() {
    let server = Server::start().await;
    let (ada, eve) = (server.user("ada").await, server.user("eve").await);
    let path = format!("/persons/{}", own_person(&ada).await);
    let read = ada.get(&path).await;
    let body = json!({"tax_id": "ATU12345678"});
    let written = ada.put(&format!("{path}/tax-id"), &read.etag(), &body).await;
    assert_eq!(written.status, StatusCode::NO_CONTENT, "{written:?}");
    let after = ada.get_at(&path, &written.position()).await;
    assert_eq!(after.body["tax_id_last4"], "5678");
    assert!(!after.text.contains("ATU"));
    let (foreign, missing) =
        (eve.get(&path).await, eve.get(&format!("/persons/{}", api::clock::mint())).await);
    refused(&foreign, StatusCode::NOT_FOUND, "not-found");
    assert_eq!(foreign.without_trace(), missing.without_trace());
    let put = eve.put(&format!("{path}/tax-id"), &after.etag(), &body).await;
    refused(&put, StatusCode::NOT_FOUND, "not-found");
    server.stop().await;
}

#[tokio::test]
async fn merged_records_become_one_person_with_both_logins() {
    let server = Server::start().await;
    let (ada, twin) = (server.user("ada").await, server.user("twin").await);
    let admin = server.admin().await;
    let (remains, given_up) = (own_person(&ada).await, own_person(&twin).await);
    let body = json!({"into_person_id": remains, "reason": "entered twice"});
    let path = format!("/persons/{given_up}/merge");
    refused(&ada.post(&path, &body).await, StatusCode::FORBIDDEN, "forbidden");
    let merged = admin.post(&path, &body).await;
    done(&merged);
    let read = admin.get_at(&format!("/persons/{given_up}"), &merged.position()).await;
    assert_eq!(read.body["status"], "merged");
    assert_eq!(read.body["merged_into_person_id"], remains.as_str());
    let same = |me: &crate::support::Answer| me.body["person"]["id"] == remains.as_str();
    eventually(&twin, "/me", same).await;
    server.stop().await;
}

#[tokio::test]
async fn a_person_is_forgotten_after_asking_and_leaves_no_trace_of_themself() {
    let server = Server::start().await;
    let (ada, admin) = (server.user("ada").await, server.admin().await);
    let (user, person) = (own_id(&ada).await, own_person(&ada).await);
    let path = format!("/persons/{person}");
    let early = admin.act(&format!("{path}/erasure")).await;
    refused(&early, StatusCode::CONFLICT, "person-erasure-not-requested");
    let request = json!({"basis": "GDPR art. 17"});
    done(&ada.post(&format!("{path}/erasure-request"), &request).await);
    let reject = json!({"reasons": ["invoices of this year"]});
    done(&admin.post(&format!("{path}/erasure-rejection"), &reject).await);
    let rejected = admin.act(&format!("{path}/erasure")).await;
    refused(&rejected, StatusCode::CONFLICT, "person-erasure-not-requested");
    done(&ada.post(&format!("{path}/erasure-request"), &request).await);
    let erased = admin.act(&format!("{path}/erasure")).await;
    done(&erased);
    eventually(&ada, "/me", |me| me.status == StatusCode::UNAUTHORIZED).await;
    let cleared = |answer: &crate::support::Answer| !answer.text.contains("ada");
    for path in [path, format!("/users/{user}")] {
        admin.get_at(&path, &erased.position()).await;
        eventually(&admin, &path, cleared).await;
    }
    server.stop().await;
}
