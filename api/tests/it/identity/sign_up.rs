//! Signing up, and proving that the address is one's own.

use http::StatusCode;
use serde_json::json;

use super::{done, refused, tokens};
use crate::{
    letterbox::token_in,
    support::{PASSWORD, Server},
};

#[tokio::test]
async fn who_signs_up_can_sign_in_once_the_address_is_verified() {
    let server = Server::start().await;
    let stranger = server.stranger();
    let body = json!({"email": " Ada@Example.org ", "password": PASSWORD, "username": "ada"});
    done(&stranger.post("/users", &body).await);
    let login = json!({"email": "ada@example.org", "password": PASSWORD});
    let early = stranger.post("/auth/login", &login).await;
    refused(&early, StatusCode::UNAUTHORIZED, "invalid-credentials");
    let token = server.mailed_token("ada@example.org", "verify").await;
    let verified = stranger.post("/users/verify-email", &json!({"token": token})).await;
    assert_eq!(verified.status, StatusCode::NO_CONTENT, "{verified:?}");
    tokens(&server, "ada@example.org", PASSWORD).await;
    let login = json!({"username": "Ada", "password": PASSWORD});
    assert_eq!(stranger.post("/auth/login", &login).await.status, StatusCode::OK);
    let again = stranger.post("/users/verify-email", &json!({"token": token})).await;
    refused(&again, StatusCode::UNPROCESSABLE_ENTITY, "user-token-invalid");
    server.stop().await;
}

#[tokio::test]
async fn a_taken_address_answers_like_a_free_one_and_its_owner_is_told() {
    let server = Server::start().await;
    server.user("ada").await;
    let stranger = server.stranger();
    let mut answers = Vec::new();
    for name in ["ada", "bob"] {
        let body = json!({"email": format!("{name}@example.org"), "password": "another password"});
        answers.push(stranger.post("/users", &body).await);
    }
    let [taken, free] = &answers[..] else { panic!("{answers:?}") };
    assert_eq!(taken.status, free.status);
    assert_eq!(taken.text, free.text);
    let names = |answer: &crate::support::Answer| {
        let mut names: Vec<_> = answer.headers.keys().map(ToString::to_string).collect();
        names.sort();
        names
    };
    assert_eq!(names(taken), names(free));
    server.mailed("ada@example.org", "sign_up_attempt", 1).await;
    // The stranger's password opens nothing.
    let login = json!({"email": "ada@example.org", "password": "another password"});
    let refusal = stranger.post("/auth/login", &login).await;
    refused(&refusal, StatusCode::UNAUTHORIZED, "invalid-credentials");
    server.stop().await;
}

#[tokio::test]
async fn a_taken_name_is_told_whatever_the_address() {
    let server = Server::start().await;
    server.user("ada").await;
    let stranger = server.stranger();
    let sign_up = async |email: &str| {
        let body = json!({"email": email, "password": PASSWORD, "username": "admin"});
        stranger.post("/users", &body).await
    };
    let (known, unknown) = (sign_up("ada@example.org").await, sign_up("bob@example.org").await);
    refused(&known, StatusCode::CONFLICT, "conflict");
    assert_eq!(known.without_trace(), unknown.without_trace());
    server.stop().await;
}

/// Whoever signs up with a name and somebody's address can ask for the name again.
#[tokio::test]
async fn what_became_of_a_name_does_not_tell_whether_the_address_was_taken() {
    let server = Server::start().await;
    server.user("ada").await;
    let stranger = server.stranger();
    let sign_up = async |email: &str, name: &str| {
        let body = json!({"email": email, "password": PASSWORD, "username": name});
        stranger.post("/users", &body).await
    };
    done(&sign_up("ada@example.org", "probe-one").await);
    done(&sign_up("bob@example.org", "probe-two").await);
    let known = sign_up("eve@example.org", "probe-one").await;
    let unknown = sign_up("eve@example.org", "probe-two").await;
    refused(&known, StatusCode::CONFLICT, "conflict");
    assert_eq!(known.without_trace(), unknown.without_trace());
    // Nor does signing in by it.
    for name in ["probe-one", "probe-two"] {
        let body = json!({"username": name, "password": PASSWORD});
        let answer = stranger.post("/auth/login", &body).await;
        refused(&answer, StatusCode::UNAUTHORIZED, "invalid-credentials");
    }
    server.stop().await;
}

#[tokio::test]
async fn wrong_bodies_name_their_field() {
    let server = Server::start().await;
    let stranger = server.stranger();
    for (body, pointer) in [
        (json!({"email": "ada", "password": PASSWORD}), "/email"),
        (json!({"email": "ada@example.org", "password": "short"}), "/password"),
        (json!({"email": "a@b.org", "password": PASSWORD, "username": "A b"}), "/username"),
        (json!({"email": "a@b.org", "password": PASSWORD, "country": "xx"}), "/country"),
    ] {
        let answer = stranger.post("/users", &body).await;
        refused(&answer, StatusCode::UNPROCESSABLE_ENTITY, "invalid-field");
        assert_eq!(answer.body["errors"][0]["pointer"], pointer);
    }
    let surplus = json!({"email": "a@b.org", "password": PASSWORD, "role": "admin"});
    let answer = stranger.post("/users", &surplus).await;
    refused(&answer, StatusCode::UNPROCESSABLE_ENTITY, "unknown-field");
    server.stop().await;
}

#[tokio::test]
async fn all_wrong_fields_of_a_body_are_named_at_once() {
    let server = Server::start().await;
    let body = json!({"email": "nope", "password": "x", "username": "!!", "country": "ZZ",
        "locale": "xx-bogus", "timezone": "Mars/X"});
    let answer = server.stranger().post("/users", &body).await;
    refused(&answer, StatusCode::UNPROCESSABLE_ENTITY, "invalid-field");
    let errors = answer.body["errors"].as_array().unwrap();
    let pointers: Vec<_> = errors.iter().map(|error| error["pointer"].as_str().unwrap()).collect();
    let all = ["/email", "/password", "/username", "/country", "/locale", "/timezone"];
    assert_eq!(pointers, all);
    server.stop().await;
}

#[tokio::test]
async fn links_in_mails_lead_to_the_front_end() {
    let pages = "https://app.example.org/account";
    let server = Server::with(|config| config.mail.links_url = Some(pages.to_owned())).await;
    let body = json!({"email": "ada@example.org", "password": PASSWORD});
    done(&server.stranger().post("/users", &body).await);
    let mails = server.mailed("ada@example.org", "verify_email", 1).await;
    let link = format!("{pages}/verify-email#token=");
    assert!(mails[0].text.contains(&link), "{}", mails[0].text);
    server.stop().await;
}

#[tokio::test]
async fn a_verification_is_sent_again_and_the_answer_is_the_same_for_all() {
    let server = Server::start().await;
    let stranger = server.stranger();
    let body = json!({"email": "ada@example.org", "password": PASSWORD});
    done(&stranger.post("/users", &body).await);
    let first = server.mailed_token("ada@example.org", "verify").await;
    let resend = async |email: &str| {
        let answer = stranger.post("/users/verify-email/resend", &json!({"email": email})).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
        answer
    };
    let known = resend("ada@example.org").await;
    let unknown = resend("nobody@example.org").await;
    assert_eq!(known.text, unknown.text);
    let second = token_in(&server.mailed("ada@example.org", "verify_email", 2).await[1]).unwrap();
    let verify =
        async |token: &str| stranger.post("/users/verify-email", &json!({"token": token})).await;
    let old = verify(&first).await;
    refused(&old, StatusCode::UNPROCESSABLE_ENTITY, "user-token-invalid");
    done(&verify(&second).await);
    server.stop().await;
}

#[tokio::test]
async fn only_the_token_that_was_sent_counts() {
    let server = Server::start().await;
    let stranger = server.stranger();
    let body = json!({"email": "ada@example.org", "password": PASSWORD});
    done(&stranger.post("/users", &body).await);
    let token = server.mailed_token("ada@example.org", "verify").await;
    let verify =
        async |token: &str| stranger.post("/users/verify-email", &json!({"token": token})).await;
    let mut altered = token.clone().into_bytes();
    let last = altered.len() - 10;
    altered[last] = if altered[last] == b'A' { b'B' } else { b'A' };
    let nobody = server.app.digests.single_use(api::clock::mint(), api::clock::mint()).text();
    for wrong in ["", "AAAA", &token[1..], &nobody, std::str::from_utf8(&altered).unwrap()] {
        let answer = verify(wrong).await;
        refused(&answer, StatusCode::UNPROCESSABLE_ENTITY, "user-token-invalid");
    }
    done(&verify(&token).await);
    server.stop().await;
}

#[tokio::test]
async fn sign_ups_from_one_network_are_limited() {
    let server = Server::with(|config| {
        config.rate_limit.enabled = true;
        config.auth.sign_ups_per_hour = 2;
    })
    .await;
    let stranger = server.stranger();
    let sign_up = async |name: &str| {
        let body = json!({"email": format!("{name}@example.org"), "password": PASSWORD});
        stranger.post("/users", &body).await
    };
    done(&sign_up("ada").await);
    done(&sign_up("bob").await);
    let refusal = sign_up("eve").await;
    refused(&refusal, StatusCode::TOO_MANY_REQUESTS, "too-many-requests");
    assert!(refusal.header("retry-after").is_some());
    server.stop().await;
}
