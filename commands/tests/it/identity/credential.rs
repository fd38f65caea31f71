//! Credentials beside the password.

use commands::identity::user::{EnrolTotp, FirstFactor, RevokeCredential};
use domain::{identity::CredentialId, permissions};

use super::{account, credential, operator, signed_up};
use crate::support::{Human, World, signed_in};

fn enrol(human: Human) -> EnrolTotp {
    EnrolTotp {
        user_id: human.user,
        credential_id: credential(),
        seed: "seed".to_owned().into(),
        label: Some("phone".into()),
        step: 100,
    }
}

fn revoke(human: Human, credential_id: CredentialId) -> RevokeCredential {
    RevokeCredential { user_id: human.user, credential_id, reason: "phone lost".into() }
}

#[tokio::test]
async fn an_app_is_enrolled_by_its_user_alone_and_taken_off_by_an_operator_too() {
    let world = World::new().await;
    let (ada, bob) = (signed_up(&world, "ada").await, signed_up(&world, "bob").await);
    let all = operator(bob, permissions::IDENTITY_CREDENTIAL_REVOKE);
    World::refused(world.ask(&all, &enrol(ada)).await, "denied-missing");
    let app = world.done(&signed_in(ada), &enrol(ada)).await;
    World::refused(world.ask(&signed_in(ada), &enrol(ada)).await, "user-totp-enrolled");
    World::refused(world.ask(&signed_in(bob), &revoke(ada, app)).await, "denied-missing");
    world.done(&all, &revoke(ada, app)).await;
    let first = account(&world, ada).await.password_passed().unwrap();
    assert!(matches!(first, FirstFactor::Enough(_)));
}

#[tokio::test]
async fn the_only_way_in_cannot_be_taken_away() {
    let world = World::new().await;
    let ada = signed_up(&world, "ada").await;
    let password = account(&world, ada).await.password().unwrap().0;
    let outcome = world.ask(&signed_in(ada), &revoke(ada, password)).await;
    World::refused(outcome, "user-last-credential");
}
