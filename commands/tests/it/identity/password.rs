//! Changing and resetting a password, and whom that signs out.

use commands::{
    Caller,
    identity::user::{
        ChangePassword, Disable, RehashPassword, RequestPasswordReset, ResetPassword,
        ResetPasswordByOperator, TokenShown,
    },
};
use domain::identity::session::SessionStatus::{Active, Revoked};

use super::{
    HASH, account, credential, guessed, history, last_append, password, session, shown, signed_up,
    status, through, token,
};
use crate::support::{World, signed_in};

#[tokio::test]
async fn a_change_signs_out_everybody_else() {
    let world = World::new().await;
    let ada = signed_up(&world, "ada").await;
    let (here, there) = (session(&world, ada).await, session(&world, ada).await);
    let (verified, _) = account(&world, ada).await.password().map(|(id, _)| (id, ())).unwrap();
    let change = ChangePassword { user_id: ada.user, verified, password: password() };
    world.done(&through(ada, here), &change).await;
    assert_eq!(last_append(&world).await.len(), 2);
    assert_eq!((status(&world, here).await, status(&world, there).await), (Active, Revoked));
    let known = account(&world, ada).await;
    assert_eq!(known.password().unwrap().0, change.password.credential_id);
}

#[tokio::test]
async fn the_password_that_was_checked_must_still_be_the_one() {
    let world = World::new().await;
    let ada = signed_up(&world, "ada").await;
    let change = ChangePassword { user_id: ada.user, verified: credential(), password: password() };
    World::refused(world.ask(&signed_in(ada), &change).await, "user-proof-invalid");
}

#[tokio::test]
async fn a_reset_signs_out_everybody() {
    let world = World::new().await;
    let ada = signed_up(&world, "ada").await;
    let sessions = [session(&world, ada).await, session(&world, ada).await];
    let token = token(&world);
    let request = RequestPasswordReset { user_id: Some(ada.user), token: token.clone() };
    world.done(&Caller::anonymous(), &request).await;
    let reset = |token| ResetPassword { user_id: ada.user, token, password: password() };
    let guess = world.done(&Caller::anonymous(), &reset(guessed(&token))).await;
    assert_eq!(guess, TokenShown::Refused);
    assert_eq!(status(&world, sessions[0]).await, Active);
    let right = world.done(&Caller::anonymous(), &reset(shown(&token))).await;
    assert_eq!(right, TokenShown::Accepted);
    for id in sessions {
        assert_eq!(status(&world, id).await, Revoked);
    }
    let again = world.done(&Caller::anonymous(), &reset(shown(&token))).await;
    assert_eq!(again, TokenShown::Refused);
}

#[tokio::test]
async fn asking_for_a_reset_tells_nothing() {
    let world = World::new().await;
    let ada = signed_up(&world, "ada").await;
    let disable = Disable { user_id: ada.user, reason: "left".into() };
    world.done(&Caller::system(), &disable).await;
    let head = world.head().await;
    for user_id in [None, Some(ada.user)] {
        let request = RequestPasswordReset { user_id, token: token(&world) };
        world.done(&Caller::anonymous(), &request).await;
    }
    assert_eq!(world.head().await, head);
}

#[tokio::test]
async fn an_operator_at_the_machine_sets_any_password() {
    let world = World::new().await;
    let ada = signed_up(&world, "ada").await;
    let id = session(&world, ada).await;
    let reset = ResetPasswordByOperator { user_id: ada.user, password: password() };
    World::refused(world.ask(&signed_in(ada), &reset).await, "denied-missing");
    world.done(&Caller::system(), &reset).await;
    assert_eq!(status(&world, id).await, Revoked);
    assert_eq!(account(&world, ada).await.password().unwrap().0, reset.password.credential_id);
}

#[tokio::test]
async fn a_password_is_hashed_anew_once_and_nobody_is_signed_out() {
    let world = World::new().await;
    let ada = signed_up(&world, "ada").await;
    let id = session(&world, ada).await;
    let (credential, _) = account(&world, ada).await.password().map(|(id, _)| (id, ())).unwrap();
    let rehash = RehashPassword {
        user_id: ada.user,
        outdated: HASH.to_owned().into(),
        secret_hash: "$dearer$".to_owned().into(),
    };
    World::refused(world.ask(&signed_in(ada), &rehash).await, "denied-missing");
    for _ in 0..2 {
        world.done(&Caller::system(), &rehash).await;
    }
    assert_eq!(account(&world, ada).await.password(), Some((credential, "$dearer$")));
    assert_eq!(status(&world, id).await, Active);
    let names = history(&world, ada.user).await;
    let rehashed = names.iter().filter(|name| *name == "password_rehashed");
    assert_eq!(rehashed.count(), 1);
}
