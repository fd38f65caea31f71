//! Refreshing a session, and ending one or all.

use chrono::TimeDelta;
use commands::{
    Caller,
    identity::{
        session::{Logout, Refresh, Refreshed, RevokeAllSessions, RevokeSession},
        user::Disable,
    },
};
use domain::{
    identity::{Aal, SessionId, session::SessionStatus},
    kernel::Kind,
    permissions,
};

use super::{history, last_append, operator, session, signed_up, status, through};
use crate::support::{World, kind, mint, signed_in};

fn refresh(session_id: SessionId, generation: i32) -> Refresh {
    let new_refresh_hash = format!("{session_id}-{}", generation + 1);
    Refresh { session_id, presented_generation: generation, new_refresh_hash }
}

#[tokio::test]
async fn each_refresh_hands_out_the_next_generation() {
    let world = World::new().await;
    let ada = signed_up(&world, "ada").await;
    let id = session(&world, ada).await;
    for generation in 1..4 {
        let next = world.done(&Caller::anonymous(), &refresh(id, generation)).await;
        assert_eq!(next.successor(), Ok((ada.user, generation + 1, Aal::One)));
    }
}

#[tokio::test]
async fn a_lost_answer_is_given_again_for_ten_seconds() {
    let world = World::new().await;
    let ada = signed_up(&world, "ada").await;
    let id = session(&world, ada).await;
    let first = world.done(&Caller::anonymous(), &refresh(id, 1)).await;
    world.pass(TimeDelta::seconds(10));
    assert_eq!(world.done(&Caller::anonymous(), &refresh(id, 1)).await, first);
    assert_eq!(history(&world, id).await, ["started", "refreshed"]);
}

#[tokio::test]
async fn a_replaced_token_ends_the_session() {
    let world = World::new().await;
    let ada = signed_up(&world, "ada").await;
    let id = session(&world, ada).await;
    world.done(&Caller::anonymous(), &refresh(id, 1)).await;
    world.pass(TimeDelta::seconds(11));
    let stolen = world.done(&Caller::anonymous(), &refresh(id, 1)).await;
    assert_eq!(stolen, Refreshed::Reused);
    assert!(stolen.successor().is_err());
    assert_eq!(status(&world, id).await, SessionStatus::Revoked);
    let outcome = world.ask(&Caller::anonymous(), &refresh(id, 2)).await;
    assert_eq!(kind(&outcome), Kind::Unauthenticated);
    World::refused(outcome, "session-ended");
}

#[tokio::test]
async fn a_token_of_no_session_is_no_better_than_a_wrong_one() {
    let world = World::new().await;
    let nowhere = refresh(SessionId::from_uuid(mint()), 1);
    World::refused(world.ask(&Caller::anonymous(), &nowhere).await, "session-token-invalid");
    let ada = signed_up(&world, "ada").await;
    let id = session(&world, ada).await;
    let early = world.ask(&Caller::anonymous(), &refresh(id, 2)).await;
    World::refused(early, "session-token-invalid");
}

#[tokio::test]
async fn nobody_refreshes_for_a_disabled_user() {
    let world = World::new().await;
    let ada = signed_up(&world, "ada").await;
    let id = session(&world, ada).await;
    let disable = Disable { user_id: ada.user, reason: "left".into() };
    world.done(&Caller::system(), &disable).await;
    World::refused(world.ask(&Caller::anonymous(), &refresh(id, 1)).await, "session-ended");
}

#[tokio::test]
async fn signing_out_ends_the_session_it_is_asked_through() {
    let world = World::new().await;
    let ada = signed_up(&world, "ada").await;
    let (here, there) = (session(&world, ada).await, session(&world, ada).await);
    for _ in 0..2 {
        world.done(&through(ada, here), &Logout).await;
    }
    assert_eq!(status(&world, here).await, SessionStatus::Revoked);
    assert_eq!(status(&world, there).await, SessionStatus::Active);
    World::refused(world.ask(&Caller::anonymous(), &Logout).await, "stranger");
}

#[tokio::test]
async fn a_session_is_ended_by_its_user_or_an_operator() {
    let world = World::new().await;
    let (ada, bob) = (signed_up(&world, "ada").await, signed_up(&world, "bob").await);
    let (first, second) = (session(&world, ada).await, session(&world, ada).await);
    let revoke = |session_id| RevokeSession { user_id: ada.user, session_id };
    World::refused(world.ask(&signed_in(bob), &revoke(first)).await, "denied-missing");
    let foreign = RevokeSession { user_id: bob.user, session_id: first };
    World::refused(world.ask(&signed_in(bob), &foreign).await, "not-found");
    world.done(&signed_in(ada), &revoke(first)).await;
    let operator = operator(bob, permissions::IDENTITY_SESSION_REVOKE);
    world.done(&operator, &revoke(second)).await;
    for id in [first, second] {
        assert_eq!(status(&world, id).await, SessionStatus::Revoked);
    }
}

#[tokio::test]
async fn signing_out_everywhere_is_one_append() {
    let world = World::new().await;
    let ada = signed_up(&world, "ada").await;
    let sessions = [session(&world, ada).await, session(&world, ada).await];
    world.done(&through(ada, sessions[0]), &RevokeAllSessions { user_id: ada.user }).await;
    assert_eq!(last_append(&world).await.len(), 2);
    for id in sessions {
        assert_eq!(status(&world, id).await, SessionStatus::Revoked);
    }
}
