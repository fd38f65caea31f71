//! Credentials beside the password.

use commands::identity::user::{EnrolTotp, FirstFactor, RevokeCredential, RevokeOwnCredential};
use domain::{
    identity::{
        CredentialId,
        session::SessionStatus::{Active, Revoked},
        user::TotpCode,
    },
    permissions,
};

use super::{account, credential, operator, session, signed_up, status, through};
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
    for caller in [signed_in(ada), signed_in(bob)] {
        World::refused(world.ask(&caller, &revoke(ada, app)).await, "forbidden");
    }
    world.done(&all, &revoke(ada, app)).await;
    let first = account(&world, ada).await.password_passed().unwrap();
    assert!(matches!(first, FirstFactor::Enough(_)));
}

#[tokio::test]
async fn enrolling_an_app_signs_out_whoever_had_the_password_alone() {
    let world = World::new().await;
    let ada = signed_up(&world, "ada").await;
    let (own, other) = (session(&world, ada).await, session(&world, ada).await);
    world.done(&through(ada, own), &enrol(ada)).await;
    assert_eq!(status(&world, own).await, Active);
    assert_eq!(status(&world, other).await, Revoked);
}

#[tokio::test]
async fn ones_own_app_is_taken_off_with_the_password_and_a_code() {
    let world = World::new().await;
    let (ada, bob) = (signed_up(&world, "ada").await, signed_up(&world, "bob").await);
    let app = world.done(&signed_in(ada), &enrol(ada)).await;
    let all = operator(ada, permissions::IDENTITY_CREDENTIAL_REVOKE);
    World::refused(world.ask(&all, &revoke(ada, app)).await, "user-password-required");
    let verified = account(&world, ada).await.password().unwrap().0;
    let code = Some(TotpCode { credential_id: app, step: 101 });
    let own = RevokeOwnCredential { user_id: ada.user, verified, credential_id: app, code };
    World::refused(world.ask(&signed_in(bob), &own).await, "denied-missing");
    let stale = RevokeOwnCredential { verified: credential(), ..own.clone() };
    World::refused(world.ask(&signed_in(ada), &stale).await, "user-proof-invalid");
    let without = RevokeOwnCredential { code: None, ..own.clone() };
    World::refused(world.ask(&signed_in(ada), &without).await, "user-second-factor-required");
    world.done(&signed_in(ada), &own).await;
    let first = account(&world, ada).await.password_passed().unwrap();
    assert!(matches!(first, FirstFactor::Enough(_)));
}

#[tokio::test]
async fn the_only_way_in_cannot_be_taken_away() {
    let world = World::new().await;
    let ada = signed_up(&world, "ada").await;
    let password = account(&world, ada).await.password().unwrap().0;
    let own = RevokeOwnCredential {
        user_id: ada.user,
        verified: password,
        credential_id: password,
        code: None,
    };
    let outcome = world.ask(&signed_in(ada), &own).await;
    World::refused(outcome, "user-last-credential");
}
