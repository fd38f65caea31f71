//! A password that was hashed at other costs is hashed anew once somebody signs in with it.

use std::time::Duration;

use api::{
    clock::mint,
    crypto::password::{Password, PasswordHashing},
};
use commands::{
    Caller, Context,
    identity::user::{Account, ResetPasswordByOperator},
};
use domain::{
    identity::{CredentialId, UserId, user::NewPassword},
    kernel::{ActorKind, Position, TenantId},
};
use eventstore::{CommandKey, Stored};
use serde_json::json;

use super::{done, is_let_in, own_id};
use crate::support::{PASSWORD, Server};

/// Gives a user the password that all have, as it was hashed when less was asked of hashes.
async fn hashed_long_ago(server: &Server, user_id: UserId) -> Position {
    let app = &server.app;
    let mut auth = app.config.auth.clone();
    auth.password_memory_kib = 64;
    let password = Password::typed(PASSWORD.into(), "/password").unwrap();
    let hash = PasswordHashing::new(&auth).unwrap().hash(password).await.unwrap();
    let credential_id = CredentialId::from_uuid(mint());
    let password = NewPassword { credential_id, secret_hash: hash.into() };
    let context = Context {
        store: app.store.clone(),
        caller: Caller::system(),
        now: app.clock.now(),
        command: CommandKey { tenant: TenantId::PLATFORM, id: mint(), digest: [0; 32] },
        correlation_id: mint(),
        causation_id: None,
        request: None,
    };
    let case = ResetPasswordByOperator { user_id, password };
    commands::execute(&context, &case).await.unwrap().position
}

fn is_rehash(event: &Stored) -> bool {
    &*event.envelope.name == "password_rehashed"
}

/// The event, once the log has it.
async fn rehashed(server: &Server, after: Position) -> Stored {
    let mut log = server.app.store.subscribe(after);
    let looking = async {
        loop {
            if let Some(event) = log.next(100).await.unwrap().into_iter().find(is_rehash) {
                return event;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), looking).await.expect("no password is rehashed")
}

#[tokio::test]
async fn a_sign_in_brings_the_hash_to_the_costs_of_the_day_and_nobody_notices() {
    let server = Server::start().await;
    let user = own_id(&server.user("ada").await).await;
    let user_id: UserId = user.parse().unwrap();
    let before = hashed_long_ago(&server, user_id).await;

    let body = json!({"email": "ada@example.org", "password": PASSWORD});
    let signed_in = server.stranger().post("/auth/login", &body).await;
    done(&signed_in);
    let ada = server.bearer(signed_in.body["access_token"].as_str().unwrap());
    let path = format!("/users/{user}");
    let etag = ada.get_at(&path, &signed_in.position()).await.etag();

    let event = rehashed(&server, before).await;
    assert_eq!(
        (event.envelope.stream, event.envelope.actor.kind),
        (user_id.uuid(), ActorKind::System)
    );
    let account = Account::load(&server.app.store, user_id, server.app.clock.now()).await;
    let account = account.unwrap().unwrap();
    let (_, hash) = account.password().unwrap();
    assert!(hash.starts_with("$argon2id$v=19$m=1024,"), "{hash}");
    let after = ada.get_at(&path, &event.envelope.position.to_string()).await;
    assert_eq!(after.etag(), etag);
    assert!(is_let_in(&ada).await);

    // The new hash is of the password, and of today's costs.
    server.sign_in("ada@example.org", PASSWORD).await;
    let history = server.app.store.read_stream(user_id.uuid(), Default::default()).await.unwrap();
    assert_eq!(history.iter().filter(|event| is_rehash(event)).count(), 1);
    let reset = json!({"email": "ada@example.org"});
    done(&server.stranger().post("/users/reset-password", &reset).await);
    server.mailed("ada@example.org", "password_reset", 1).await;
    let kinds: Vec<_> =
        server.letters.to("ada@example.org").into_iter().map(|mail| mail.kind).collect();
    assert_eq!(kinds, ["verify_email", "password_changed", "password_reset"]);
    server.stop().await;
}
