//! Signing in with all that the user demands, and failing to.

use chrono::TimeDelta;
use commands::{
    Caller,
    identity::user::{Account, EnrolTotp, FirstFactor, RecordSignInFailure, SignIn},
};
use domain::{
    identity::{
        Aal, SessionId, UserId,
        session::{Session, SessionStatus},
        user::{MAX_SESSIONS, UserCommand},
    },
    kernel::Kind,
};

use super::{
    account, credential, history, last_append, pending, proof, session, sign_in, signed_up, status,
    user,
};
use crate::support::{Human, World, kind, mint, signed_in};

async fn enrol(world: &World, human: Human) {
    let enrol = EnrolTotp {
        user_id: human.user,
        credential_id: credential(),
        seed: "seed".to_owned().into(),
        label: None,
        step: 100,
    };
    world.done(&signed_in(human), &enrol).await;
}

async fn with_code(world: &World, human: Human, step: i64) -> SignIn {
    match account(world, human).await.password_passed().unwrap() {
        FirstFactor::NeedsCode(half) => sign_in(world, half.code_passed(step)),
        FirstFactor::Enough(_) => panic!("no code is demanded"),
    }
}

#[tokio::test]
async fn a_password_starts_a_session() {
    let world = World::new().await;
    let ada = signed_up(&world, "ada").await;
    let id = session(&world, ada).await;
    assert_eq!(last_append(&world).await.len(), 2);
    let started = world.state::<Session>(id).await;
    let started = started.live(world.now()).unwrap();
    assert_eq!((started.user_id, started.person_id), (ada.user, ada.person));
    assert_eq!((started.aal, started.generation), (Aal::One, 1));
    assert_eq!(started.amr, ["pwd"]);
    assert_eq!(user(&world, ada).await.present().unwrap().live_sessions(world.now()), [id]);
}

#[tokio::test]
async fn nobody_is_there_to_sign_in_as() {
    let world = World::new().await;
    let nobody = UserId::from_uuid(mint());
    assert!(Account::load(&world.store, nobody, world.now()).await.unwrap().is_none());
}

#[tokio::test]
async fn a_code_is_demanded_where_an_app_is_enrolled_and_works_once() {
    let world = World::new().await;
    let ada = signed_up(&world, "ada").await;
    enrol(&world, ada).await;
    let FirstFactor::NeedsCode(half) = account(&world, ada).await.password_passed().unwrap() else {
        panic!("no code is demanded")
    };
    assert_eq!((half.seed(), half.last_step()), (Some("seed"), Some(100)));
    let id = world.done(&Caller::anonymous(), &with_code(&world, ada, 101).await).await.session_id;
    let started = world.state::<Session>(id).await.live(world.now()).unwrap().clone();
    assert_eq!(started.aal, Aal::Two);
    assert_eq!(started.amr, ["pwd", "otp", "mfa"]);
    let again = world.ask(&Caller::anonymous(), &with_code(&world, ada, 101).await).await;
    assert_eq!(kind(&again), Kind::Unauthenticated);
    World::refused(again, "user-code-used");
}

#[tokio::test]
async fn an_app_enrolled_after_the_password_was_checked_still_counts() {
    let world = World::new().await;
    let ada = signed_up(&world, "ada").await;
    let before = sign_in(&world, proof(&world, ada).await);
    enrol(&world, ada).await;
    let outcome = world.ask(&Caller::anonymous(), &before).await;
    assert_eq!(kind(&outcome), Kind::Unauthenticated);
    World::refused(outcome, "user-second-factor-required");
}

#[tokio::test]
async fn nobody_signs_in_while_pending_or_locked() {
    let world = World::new().await;
    let (bob, _) = pending(&world, "bob").await;
    assert!(!account(&world, bob).await.is_open());
    let early = sign_in(&world, proof(&world, bob).await);
    World::refused(world.ask(&Caller::anonymous(), &early).await, "user-wrong-status");

    let ada = signed_up(&world, "ada").await;
    let until = world.now() + TimeDelta::minutes(15);
    world
        .decide::<domain::identity::user::User>(ada.user, UserCommand::Lock { until: Some(until) })
        .await;
    assert!(!account(&world, ada).await.is_open());
    world.pass(TimeDelta::minutes(15));
    assert!(account(&world, ada).await.is_open());
    session(&world, ada).await;
}

#[tokio::test]
async fn the_oldest_session_gives_way_to_one_too_many() {
    let world = World::new().await;
    let ada = signed_up(&world, "ada").await;
    let mut sessions: Vec<SessionId> = Vec::new();
    for _ in 0..=MAX_SESSIONS {
        sessions.push(session(&world, ada).await);
        world.pass(TimeDelta::seconds(1));
    }
    assert_eq!(status(&world, sessions[0]).await, SessionStatus::Revoked);
    for id in &sessions[1..] {
        assert_eq!(status(&world, *id).await, SessionStatus::Active);
    }
    // The new session, the sign-in and the end of the oldest session stand or fall together.
    assert_eq!(last_append(&world).await.len(), 3);
}

#[tokio::test]
async fn a_failure_is_counted_and_forgotten_by_success() {
    let world = World::new().await;
    let ada = signed_up(&world, "ada").await;
    let failure = RecordSignInFailure { user_id: ada.user, reason: "password", ip: None };
    for count in 1..=3 {
        world.done(&Caller::anonymous(), &failure).await;
        assert_eq!(user(&world, ada).await.present().unwrap().failed_logins, count);
    }
    session(&world, ada).await;
    assert_eq!(user(&world, ada).await.present().unwrap().failed_logins, 0);
    assert_eq!(history(&world, ada.user).await.last().unwrap(), "login_succeeded");
}
