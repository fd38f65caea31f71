//! Verifying an address, and changing it.

use commands::{
    Caller,
    identity::user::{
        ConfirmEmailChange, RequestEmailChange, RequestEmailVerification, TokenShown, VerifyEmail,
    },
};
use domain::identity::user::{MAX_ATTEMPTS, NewToken, UserStatus};

use super::{guessed, history, pending, shown, signed_up, token, user};
use crate::support::{Human, World, signed_in};

async fn request_change(world: &World, human: Human, name: &str) -> NewToken {
    let token = token(world);
    let request = RequestEmailChange {
        user_id: human.user,
        email: format!("{name}@example.org").into(),
        email_digest: format!("digest-of-{name}"),
        token: token.clone(),
    };
    world.done(&signed_in(human), &request).await;
    token
}

fn confirm(human: Human, token: &NewToken) -> ConfirmEmailChange {
    ConfirmEmailChange { user_id: human.user, token: shown(token) }
}

#[tokio::test]
async fn a_token_verifies_the_address_once() {
    let world = World::new().await;
    let (ada, token) = pending(&world, "ada").await;
    let verify = VerifyEmail { user_id: ada.user, token: shown(&token) };
    assert_eq!(world.done(&Caller::anonymous(), &verify).await, TokenShown::Accepted);
    assert_eq!(user(&world, ada).await.present().unwrap().status, UserStatus::Active);
    assert_eq!(world.done(&Caller::anonymous(), &verify).await, TokenShown::Refused);
}

#[tokio::test]
async fn guesses_are_counted_and_spend_the_token() {
    let world = World::new().await;
    let (ada, token) = pending(&world, "ada").await;
    let guess = VerifyEmail { user_id: ada.user, token: guessed(&token) };
    for attempts in 1..=MAX_ATTEMPTS {
        assert_eq!(world.done(&Caller::anonymous(), &guess).await, TokenShown::Refused);
        let state = user(&world, ada).await;
        assert_eq!(state.present().unwrap().token(token.token_id).unwrap().attempts, attempts);
    }
    let right = VerifyEmail { user_id: ada.user, token: shown(&token) };
    let outcome = world.done(&Caller::anonymous(), &right).await;
    assert_eq!(outcome.accepted().unwrap_err().to_string(), {
        "this token is not valid; ask for a new one"
    });
    assert_eq!(history(&world, ada.user).await.len(), 3 + usize::try_from(MAX_ATTEMPTS).unwrap());
}

#[tokio::test]
async fn a_token_of_nobody_is_no_better_than_a_wrong_one() {
    let world = World::new().await;
    let nobody = domain::identity::UserId::from_uuid(crate::support::mint());
    let verify = VerifyEmail { user_id: nobody, token: shown(&token(&world)) };
    World::refused(world.ask(&Caller::anonymous(), &verify).await, "user-token-invalid");
}

#[tokio::test]
async fn a_new_token_takes_the_place_of_the_last() {
    let world = World::new().await;
    let (ada, first) = pending(&world, "ada").await;
    let second = token(&world);
    let resend = |user_id| RequestEmailVerification { user_id, token: second.clone() };
    world.done(&Caller::anonymous(), &resend(Some(ada.user))).await;
    let verify = |token| VerifyEmail { user_id: ada.user, token: shown(token) };
    assert_eq!(world.done(&Caller::anonymous(), &verify(&first)).await, TokenShown::Refused);
    assert_eq!(world.done(&Caller::anonymous(), &verify(&second)).await, TokenShown::Accepted);
    // Neither a verified address nor an unknown one gets a mail, and nobody can tell.
    let head = world.head().await;
    world.done(&Caller::anonymous(), &resend(Some(ada.user))).await;
    world.done(&Caller::anonymous(), &resend(None)).await;
    assert_eq!(world.head().await, head);
}

#[tokio::test]
async fn the_claim_moves_with_the_address() {
    let world = World::new().await;
    let ada = signed_up(&world, "ada").await;
    let token = request_change(&world, ada, "countess").await;
    assert_eq!(world.holder("user.email", "digest-of-countess").await, None);
    let outcome = world.done(&Caller::anonymous(), &confirm(ada, &token)).await;
    assert_eq!(outcome, TokenShown::Accepted);
    assert_eq!(world.holder("user.email", "digest-of-countess").await, Some(ada.user.uuid()));
    assert_eq!(world.holder("user.email", "digest-of-ada").await, None);
    let state = user(&world, ada).await;
    assert_eq!(state.present().unwrap().email.text(), Some("countess@example.org"));
}

#[tokio::test]
async fn an_address_that_was_taken_meanwhile_stays_with_who_took_it() {
    let world = World::new().await;
    let ada = signed_up(&world, "ada").await;
    let token = request_change(&world, ada, "bob").await;
    let bob = signed_up(&world, "bob").await;
    let outcome = world.ask(&Caller::anonymous(), &confirm(ada, &token)).await;
    World::refused(outcome, "user.email");
    assert_eq!(world.holder("user.email", "digest-of-bob").await, Some(bob.user.uuid()));
    assert_eq!(world.holder("user.email", "digest-of-ada").await, Some(ada.user.uuid()));
}

#[tokio::test]
async fn nobody_changes_somebody_elses_address() {
    let world = World::new().await;
    let (ada, bob) = (signed_up(&world, "ada").await, signed_up(&world, "bob").await);
    let request = RequestEmailChange {
        user_id: ada.user,
        email: "eve@example.org".to_owned().into(),
        email_digest: "digest-of-eve".into(),
        token: token(&world),
    };
    World::refused(world.ask(&signed_in(bob), &request).await, "denied-missing");
}
