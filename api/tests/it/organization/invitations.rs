//! Invitations: an organization's, and those a user may answer.

use http::{Method, StatusCode};
use serde_json::json;

use crate::{letterbox::token_in, support::key};

use super::{World, deleted, eventually, id_of, invalid, missing, posted, refused, role};

#[tokio::test]
async fn an_invitation_is_sent_seen_and_accepted() {
    let world = World::new().await;
    let (ada, bob) = (&world.ada, &world.bob);
    let path = world.path("/invitations");
    let member = role(ada, &world.path("/roles"), "member").await;
    let body = json!({"email": "Bob@Example.org", "role_ids": [member], "message": "Welcome"});
    let invited = posted(ada, &path, &body).await;
    assert_eq!(invited.status, StatusCode::CREATED);
    let id = invited.id();
    let list = ada.get_at(&format!("{path}?status=pending"), &invited.position()).await;
    assert_eq!(list.body["items"][0]["email"], "bob@example.org");
    assert_eq!(list.body["items"][0]["sent_count"], 1);

    let mine = bob.get_at("/invitations/mine", &invited.position()).await;
    let offer = &mine.body["items"][0];
    assert_eq!((&offer["id"], &offer["organization_slug"]), (&json!(id), &json!("acme")));
    assert_eq!(offer["message"], "Welcome");
    let others = ada.get("/invitations/mine").await;
    assert_eq!(others.body["items"], json!([]));
    let letters = world.server.mailed("bob@example.org", "invitation", 1).await;
    assert!(letters[0].text.contains("ada writes:\n\n> Welcome\n"), "{}", letters[0].text);

    let accepted = posted(bob, &format!("/invitations/{id}/accept"), &json!({})).await;
    assert_eq!(accepted.status, StatusCode::OK);
    assert_eq!(accepted.body["organization_id"], world.acme.as_str());
    let members = world.path("/members");
    eventually(bob, &members, |answer| answer.status == StatusCode::OK).await;
    let one = format!("{members}/{}", id_of(bob).await);
    let read = bob.get_at(&one, &accepted.position()).await;
    assert_eq!(read.body["id"], accepted.body["membership_id"]);
    assert_eq!(read.body["roles"][0]["key"], "member");
    let again = bob.post(&format!("/invitations/{id}/accept"), &json!({})).await;
    refused(&again, StatusCode::CONFLICT, "invitation-resolved");
    world.server.stop().await;
}

#[tokio::test]
async fn the_link_counts_only_in_its_newest_form() {
    let world = World::new().await;
    let (ada, bob) = (&world.ada, &world.bob);
    let path = world.path("/invitations");
    let invited = ada.post(&path, &json!({"email": "bob@example.org"})).await;
    let first = world.server.mailed_token("bob@example.org", "invitations").await;
    let resent = posted(ada, &format!("{path}/{}/resend", invited.id()), &json!({})).await;
    assert_eq!(resent.status, StatusCode::NO_CONTENT);
    let list = ada.get_at(&path, &resent.position()).await;
    assert_eq!(list.body["items"][0]["sent_count"], 2);
    let accept = format!("/invitations/{}/accept", invited.id());
    for stale in [first.as_str(), "not-a-token"] {
        let answer = bob.post(&accept, &json!({"token": stale})).await;
        refused(&answer, StatusCode::FORBIDDEN, "invitation-stale-link");
    }
    let letters = world.server.mailed("bob@example.org", "invitation", 2).await;
    let newest = token_in(&letters[1]).unwrap();
    assert_ne!(newest, first);
    let other = world.server.user("eve").await.post(&accept, &json!({"token": newest})).await;
    refused(&other, StatusCode::FORBIDDEN, "invitation-other-address");
    let accepted = bob.post(&accept, &json!({"token": newest})).await;
    assert_eq!(accepted.status, StatusCode::OK, "{accepted:?}");
    world.server.stop().await;
}

#[tokio::test]
async fn no_mailbox_is_flooded_with_invitations() {
    let world = World::with(|config| config.rate_limit.enabled = true).await;
    let ada = &world.ada;
    let path = world.path("/invitations");
    let invite = json!({"email": "carol@example.org"});
    let (first, last) = (key(), key());
    let invited = ada.keyed(Method::POST, &path, &first, None, Some(&invite)).await;
    let resend = format!("{path}/{}/resend", invited.id());
    for _ in 2..10 {
        let resent = ada.post(&resend, &json!({})).await;
        assert_eq!(resent.status, StatusCode::NO_CONTENT, "{resent:?}");
    }
    let body = json!({});
    let repeat = || ada.keyed(Method::POST, &resend, &last, None, Some(&body));
    let resent = repeat().await;
    assert_eq!(resent.status, StatusCode::NO_CONTENT, "{resent:?}");
    let more = ada.post(&resend, &json!({})).await;
    refused(&more, StatusCode::TOO_MANY_REQUESTS, "too-many-requests");
    // What was done has its answer, however much was sent since.
    let again = ada.keyed(Method::POST, &path, &first, None, Some(&invite)).await;
    assert_eq!((again.status, again.id()), (StatusCode::CREATED, invited.id()), "{again:?}");
    let again = repeat().await;
    assert_eq!((again.status, again.etag()), (resent.status, resent.etag()), "{again:?}");
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    let changed = json!({"email": "dan@example.org"});
    let reused = ada.keyed(Method::POST, &path, &first, None, Some(&changed)).await;
    refused(&reused, StatusCode::UNPROCESSABLE_ENTITY, "idempotency-key-reused");

    // Nobody else is in want of it: not another organization, nor who has forgotten a password.
    let other = format!("/organizations/{}/invitations", ada.organization("other").await);
    let elsewhere = ada.post(&other, &invite).await;
    assert_eq!(elsewhere.status, StatusCode::CREATED, "{elsewhere:?}");
    let forgotten = world.server.stranger().post("/users/reset-password", &invite).await;
    assert_eq!(forgotten.status, StatusCode::ACCEPTED, "{forgotten:?}");
    let dan = ada.post(&other, &json!({"email": "dan@example.org"})).await;
    assert_eq!(dan.status, StatusCode::CREATED, "{dan:?}");
    world.server.stop().await;
}

#[tokio::test]
async fn an_invitation_is_declined_or_taken_back_once() {
    let world = World::new().await;
    let (ada, bob) = (&world.ada, &world.bob);
    let path = world.path("/invitations");
    let invite = json!({"email": "bob@example.org"});
    let invited = ada.post(&path, &invite).await;
    let twice = ada.post(&path, &invite).await;
    refused(&twice, StatusCode::CONFLICT, "conflict");
    assert_eq!(twice.body["errors"][0]["pointer"], "/email");

    let decline = format!("/invitations/{}/decline", invited.id());
    let eve = world.server.user("eve").await;
    missing(&eve.post(&decline, &json!({})).await);
    let declined = posted(bob, &decline, &json!({})).await;
    assert_eq!(declined.status, StatusCode::NO_CONTENT);

    let invited = ada.post(&path, &invite).await;
    let revoked = deleted(ada, &format!("{path}/{}", invited.id())).await;
    let late = bob.post(&format!("/invitations/{}/accept", invited.id()), &json!({})).await;
    refused(&late, StatusCode::CONFLICT, "invitation-resolved");
    let list = ada.get_at(&format!("{path}?status=revoked"), &revoked.position()).await;
    assert_eq!(list.body["items"][0]["id"], invited.id());
    world.server.stop().await;
}

#[tokio::test]
async fn an_invitation_that_has_ended_tells_nobody_whom_it_was_sent_to() {
    let world = World::new().await;
    let (ada, bob, admin) = (&world.ada, &world.bob, world.server.admin().await);
    let path = world.path("/invitations");
    let body = json!({"email": "bob@example.org", "message": "Welcome"});
    let invited = ada.post(&path, &body).await;
    let id = invited.id();
    let stream = format!("/streams/organization.invitation/{id}");
    let told = async || {
        let wrapped = "SELECT wrapped IS NOT NULL FROM eventstore.subject_keys WHERE key_id = $1";
        let key: bool = sqlx::query_scalar(wrapped)
            .bind(id.parse::<uuid::Uuid>().unwrap())
            .fetch_one(&world.server.db.pool)
            .await
            .unwrap();
        let read = admin.get(&stream).await;
        let found = admin.get("/events?type=organization.invitation.invited").await;
        assert_eq!(found.body["items"][0]["data"], read.body["events"][0]["data"], "{found:?}");
        let data = &read.body["events"][0]["data"];
        (key, data["email"]["~"].clone(), data["message"]["~"].clone())
    };
    assert_eq!(told().await, (true, json!("bob@example.org"), json!("Welcome")));

    let accepted = bob.post(&format!("/invitations/{id}/accept"), &json!({})).await;
    assert_eq!(accepted.status, StatusCode::OK, "{accepted:?}");
    assert_eq!(told().await, (false, json!(null), json!(null)));
    let read = admin.get(&stream).await;
    assert_eq!(read.body["events"][1]["data"]["key_ids"], json!([id]));
    assert!(!read.text.contains("bob@example.org"), "{read:?}");
    let list = ada.get_at(&format!("{path}?status=accepted"), &accepted.position()).await;
    let one = &list.body["items"][0];
    assert_eq!((&one["email"], &one["message"]), (&json!(null), &json!(null)));
    assert_eq!(one["accepted_by_user_id"], id_of(bob).await);
    world.server.stop().await;
}

#[tokio::test]
async fn what_is_wrong_with_an_invitation_is_named() {
    let world = World::new().await;
    let ada = &world.ada;
    let path = world.path("/invitations");
    let body = |name: &str, value: serde_json::Value| {
        let mut body = json!({"email": "bob@example.org"});
        body[name] = value;
        body
    };
    for (body, pointer) in [
        (json!({}), "/email"),
        (body("email", json!("bob")), "/email"),
        (body("role_ids", json!(["owner"])), "/role_ids/0"),
        (body("message", json!("a\u{202e}b")), "/message"),
        (body("expires_at", json!("2020-01-01T00:00:00Z")), "/expires_at"),
        (body("expires_at", json!("2100-01-01T00:00:00Z")), "/expires_at"),
        (body("token", json!("x")), "/token"),
    ] {
        invalid(&ada.post(&path, &body).await, pointer);
    }
    let unknown = body("role_ids", json!([api::clock::mint()]));
    invalid(&ada.post(&path, &unknown).await, "/role_id");
    let owner = role(ada, &world.path("/roles"), "owner").await;
    let owner = ada.post(&path, &body("role_ids", json!([owner]))).await;
    refused(&owner, StatusCode::CONFLICT, "role-assignment-owner-role");
    missing(&ada.post("/invitations/seven/accept", &json!({})).await);
    world.server.stop().await;
}
