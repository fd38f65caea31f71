//! `/organizations/{organization_id}/identity-providers`, and `/sso/discover`.

use domain::organization::identity_provider::IdentityProvider;
use http::StatusCode;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{World, acted, deleted, invalid, missing, posted, put, refused};
use crate::support::Answer;

fn settings(domains: &[&str]) -> Value {
    json!({
        "display_name": "Example", "issuer": "https://login.example.org",
        "client_id": "commonhold", "email_domains": domains,
    })
}

async fn draft(world: &World, domains: &[&str]) -> (String, Answer) {
    let path = world.path("/identity-providers");
    let body = json!({"kind": "oidc", "settings": settings(domains)});
    let created = posted(&world.ada, &path, &body).await;
    assert_eq!(created.status, StatusCode::CREATED);
    (format!("{path}/{}", created.id()), created)
}

#[tokio::test]
async fn sign_on_is_set_up_proved_and_enabled() {
    let world = World::new().await;
    let (ada, admin) = (&world.ada, world.server.admin().await);
    let (one, created) = draft(&world, &["Corp.Example", "other.example"]).await;
    let read = ada.get_at(&one, &created.position()).await;
    assert_eq!(read.body["status"], "draft");
    assert_eq!(read.body["settings"]["email_domains"], json!(["corp.example", "other.example"]));
    let early = ada.post(&format!("{one}/enable"), &json!({})).await;
    refused(&early, StatusCode::CONFLICT, "identity-provider-no-verified-domain");

    let path = format!("{one}/domains/CORP.example");
    let challenge = acted(ada, &format!("{path}/challenge")).await;
    assert_eq!(challenge.status, StatusCode::OK);
    let published = &challenge.body["challenge"];
    assert_eq!(published["dns_txt_name"], "_commonhold-challenge.corp.example");
    let proof = published["proof"].as_str().unwrap();
    let read = ada.get_at(&one, &challenge.position()).await;
    assert_eq!(read.body["challenge"], json!({"domain": "corp.example", "proof": proof}));

    let verify = format!("{path}/verify");
    let token = proof.strip_prefix("commonhold-domain=").unwrap();
    let by_operator = json!({"method": "operator", "token": token});
    let owner = ada.post(&verify, &by_operator).await;
    refused(&owner, StatusCode::FORBIDDEN, "forbidden");
    let wrong = admin.post(&verify, &json!({"method": "operator", "token": "x"})).await;
    refused(&wrong, StatusCode::CONFLICT, "identity-provider-proof-missing");
    let verified = posted(&admin, &verify, &by_operator).await;
    assert_eq!(verified.status, StatusCode::NO_CONTENT);
    let again = ada.act(&format!("{path}/challenge")).await;
    assert_eq!(again.body, json!({"is_verified": true, "challenge": null}));

    let forced = ada.post(&format!("{one}/enable"), &json!({"enforce_sso": true})).await;
    refused(&forced, StatusCode::CONFLICT, "identity-provider-no-owner-login");
    let enabled = posted(ada, &format!("{one}/enable"), &json!({})).await;
    let stranger = world.server.stranger();
    let found = stranger.get_at("/sso/discover?email=x@corp.example", &enabled.position()).await;
    let unknown = stranger.get("/sso/discover?email=x@unknown.example").await;
    assert_eq!(found.body["available"], true);
    assert_eq!(found.body["display_name"], "Example");
    assert_eq!(unknown.body["available"], false);
    let names = |answer: &Answer| -> Vec<String> {
        answer.body.as_object().unwrap().keys().cloned().collect()
    };
    assert_eq!(names(&found), names(&unknown));

    let disabled = posted(ada, &format!("{one}/disable"), &json!({"reason": "moving"})).await;
    let found = stranger.get_at("/sso/discover?email=x@corp.example", &disabled.position()).await;
    assert_eq!(found.body, unknown.body);
    world.server.stop().await;
}

#[tokio::test]
async fn a_domain_that_another_process_added_is_proved_as_well() {
    let world = World::new().await;
    let (ada, admin) = (&world.ada, world.server.admin().await);
    let (one, created) = draft(&world, &[]).await;
    let id: Uuid = created.id().parse().unwrap();
    let before = world.server.app.store.load::<IdentityProvider>(id).await.unwrap();
    let body = json!({"settings": settings(&["corp.example"])});
    put(ada, &one, &created.etag(), &body).await;
    let path = format!("{one}/domains/corp.example");
    let challenge = acted(ada, &format!("{path}/challenge")).await;
    let proof = challenge.body["challenge"]["proof"].as_str().unwrap();
    let token = proof.strip_prefix("commonhold-domain=").unwrap();
    world.server.missed(id, before);
    let seen = json!({"method": "operator", "token": token});
    let verified = admin.post(&format!("{path}/verify"), &seen).await;
    assert_eq!(verified.status, StatusCode::NO_CONTENT, "{verified:?}");
    world.server.stop().await;
}

#[tokio::test]
async fn settings_are_replaced_and_the_provider_removed() {
    let world = World::new().await;
    let ada = &world.ada;
    let (one, created) = draft(&world, &["corp.example"]).await;
    let body = json!({"settings": settings(&["new.example"])});
    let updated = put(ada, &one, &created.etag(), &body).await;
    let read = ada.get_at(&one, &updated.position()).await;
    assert_eq!(read.body["settings"]["email_domains"], json!(["new.example"]));
    assert_eq!(read.etag(), updated.etag());
    let list = ada.get(&world.path("/identity-providers?limit=1")).await;
    assert_eq!(list.body["items"][0], read.body);
    let removed = deleted(ada, &one).await;
    missing(&ada.get_at(&one, &removed.position()).await);
    world.server.stop().await;
}

#[tokio::test]
async fn what_is_wrong_with_a_provider_is_named() {
    let world = World::new().await;
    let ada = &world.ada;
    let path = world.path("/identity-providers");
    let body = |name: &str, value: Value| {
        let mut settings = settings(&["corp.example"]);
        settings[name] = value;
        json!({"kind": "oidc", "settings": settings})
    };
    for (body, pointer) in [
        (json!({"kind": "ldap", "settings": settings(&[])}), "/kind"),
        (json!({"kind": "oidc"}), "/settings"),
        (json!({"kind": "saml", "settings": settings(&[])}), "/settings"),
        (body("display_name", json!("")), "/settings/display_name"),
        (body("issuer", json!("http://login.example.org")), "/settings"),
        (body("client_secret_ref", json!("hunter2")), "/settings/client_secret_ref"),
        (body("email_domains", json!(["localhost"])), "/settings/email_domains"),
        (body("secret", json!("x")), "/settings/secret"),
    ] {
        invalid(&ada.post(&path, &body).await, pointer);
    }
    let (one, _) = draft(&world, &["corp.example"]).await;
    let by_dns = json!({"method": "dns_txt"});
    let unknown = ada.post(&format!("{one}/domains/not.example/verify"), &by_dns).await;
    refused(&unknown, StatusCode::CONFLICT, "identity-provider-domain-unknown");
    let path = format!("{one}/domains/corp.example/verify");
    invalid(&ada.post(&path, &json!({"method": "hearsay"})).await, "/method");
    let unasked = json!({"method": "operator", "token": "x"});
    let unasked = world.server.admin().await.post(&path, &unasked).await;
    refused(&unasked, StatusCode::CONFLICT, "identity-provider-not-challenged");
    let inactive = ada.post(&format!("{one}/disable"), &json!({"reason": "x"})).await;
    refused(&inactive, StatusCode::CONFLICT, "identity-provider-wrong-status");
    let stranger = world.server.stranger();
    invalid(&stranger.get("/sso/discover?email=ada").await, "?email");
    invalid(&stranger.get("/sso/discover").await, "?email");
    world.server.stop().await;
}
