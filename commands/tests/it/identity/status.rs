//! The life of a user, as operators lead it.

use commands::{
    Caller,
    identity::user::{Delete, Disable, Enable, Unlock, UpdateProfile},
};
use domain::{
    identity::{
        person::Person,
        session::SessionStatus,
        user::{User, UserCommand, UserStatus},
    },
    kernel::Version,
    permissions,
};

use super::{history, last_append, operator, profile, session, signed_up, status, user};
use crate::support::{World, mint, signed_in};

#[tokio::test]
async fn disabling_signs_out_and_enabling_lets_in_again() {
    let world = World::new().await;
    let (ada, bob) = (signed_up(&world, "ada").await, signed_up(&world, "bob").await);
    let id = session(&world, ada).await;
    let disable = Disable { user_id: ada.user, reason: "left".into() };
    World::refused(world.ask(&signed_in(ada), &disable).await, "forbidden");
    let all = operator(bob, permissions::IDENTITY_USER_DISABLE);
    world.done(&all, &disable).await;
    assert_eq!(last_append(&world).await.len(), 2);
    assert_eq!(status(&world, id).await, SessionStatus::Revoked);
    let head = world.head().await;
    world.done(&all, &disable).await;
    assert_eq!(world.head().await, head);
    world.done(&all, &Enable { user_id: ada.user }).await;
    assert_eq!(user(&world, ada).await.present().unwrap().status, UserStatus::Active);
    session(&world, ada).await;
}

#[tokio::test]
async fn a_lock_is_taken_off_by_an_operator() {
    let world = World::new().await;
    let (ada, bob) = (signed_up(&world, "ada").await, signed_up(&world, "bob").await);
    world.decide::<User>(ada.user, UserCommand::Lock { until: None }).await;
    let unlock = Unlock { user_id: ada.user };
    World::refused(world.ask(&signed_in(ada), &unlock).await, "forbidden");
    world.done(&operator(bob, permissions::IDENTITY_USER_UNLOCK), &unlock).await;
    assert_eq!(user(&world, ada).await.present().unwrap().status, UserStatus::Active);
}

#[tokio::test]
async fn deletion_ends_everything_and_is_repeatable() {
    let world = World::new().await;
    let ada = signed_up(&world, "ada").await;
    let id = session(&world, ada).await;
    let delete = Delete { user_id: ada.user };
    for _ in 0..2 {
        world.done(&Caller::system(), &delete).await;
    }
    assert_eq!(history(&world, ada.user).await.last().unwrap(), "deleted");
    assert_eq!(status(&world, id).await, SessionStatus::Revoked);
    assert_eq!(world.holder("user.email", "digest-of-ada").await, None);
    let nobody = Delete { user_id: domain::identity::UserId::from_uuid(mint()) };
    World::refused(world.ask(&Caller::system(), &nobody).await, "not-found");
}

#[tokio::test]
async fn a_profile_is_changed_by_its_user_who_has_seen_it() {
    let world = World::new().await;
    let (ada, bob) = (signed_up(&world, "ada").await, signed_up(&world, "bob").await);
    let update = |seen| UpdateProfile {
        user_id: ada.user,
        seen: Some(Version(seen)),
        profile: profile("Countess"),
    };
    World::refused(world.ask(&signed_in(bob), &update(1)).await, "denied-missing");
    World::refused(world.ask(&signed_in(ada), &update(7)).await, "stale");
    assert_eq!(world.done(&signed_in(ada), &update(1)).await, ada.person);
    let person = world.state::<Person>(ada.person).await;
    assert_eq!(person.active().unwrap().profile, profile("Countess"));
}
