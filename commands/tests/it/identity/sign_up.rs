//! Signing up, being brought in by the platform itself, and the first user of all.

use commands::{
    Caller, execute,
    identity::{
        Login, find_user,
        user::{BringIn, NoteRegistrationAttempt, Register},
    },
    organization::role::ADMIN,
    seed::{SeedAdmin, has_admin},
};
use domain::identity::{UserId, user::UserStatus};

use super::{history, last_append, new_user, pending, shown, signed_up, token, user, username};
use crate::support::{Human, World, mint, signed_in};

#[tokio::test]
async fn signing_up_is_one_append() {
    let world = World::new().await;
    let (ada, _) = pending(&world, "ada").await;
    let names: Vec<_> =
        last_append(&world).await.iter().map(|event| event.envelope.event_type()).collect();
    assert_eq!(
        names,
        [
            "identity.person.registered",
            "identity.user.registered",
            "identity.user.password_set",
            "identity.user.email_verification_requested",
        ]
    );
    assert_eq!(user(&world, ada).await.present().unwrap().status, UserStatus::Pending);
    for login in [Login::Email("digest-of-ada".into()), Login::Username("digest-of-ada".into())] {
        assert_eq!(find_user(&world.store, &login).await.unwrap(), Some(ada.user));
    }
}

#[tokio::test]
async fn an_address_and_a_name_belong_to_one_user() {
    let world = World::new().await;
    pending(&world, "ada").await;
    let mut new = new_user("ada");
    new.username = None;
    let again = world.ask(&Caller::anonymous(), &Register { new, token: token(&world) }).await;
    World::refused(again, "user.email");
    let mut new = new_user("ada");
    new.email_digest = "another".into();
    let again = world.ask(&Caller::anonymous(), &Register { new, token: token(&world) }).await;
    World::refused(again, "user.username");
}

#[tokio::test]
async fn a_repetition_answers_what_the_first_try_did() {
    let world = World::new().await;
    let context = world.context(&Caller::anonymous(), mint());
    let register = || Register { new: new_user("ada"), token: token(&world) };
    let first = execute(&context, &register()).await.unwrap();
    let again = execute(&context, &register()).await.unwrap();
    assert!(again.duplicate);
    assert_eq!(again.answer, first.answer);
}

#[tokio::test]
async fn the_owner_of_a_taken_address_is_told_once_an_hour() {
    let world = World::new().await;
    let ada = signed_up(&world, "ada").await;
    let attempt = |email_digest: &str| NoteRegistrationAttempt {
        email_digest: email_digest.to_owned(),
        username_digest: None,
        user_id: UserId::from_uuid(mint()),
        ip: Some("192.0.2.1".to_owned().into()),
    };
    for digest in ["digest-of-ada", "digest-of-ada", "digest-of-nobody"] {
        world.done(&Caller::anonymous(), &attempt(digest)).await;
    }
    let noted = history(&world, ada.user).await;
    assert_eq!(noted.iter().filter(|name| *name == "registration_attempted").count(), 1);
}

#[tokio::test]
async fn a_name_is_gone_whether_or_not_the_address_was_taken() {
    let world = World::new().await;
    signed_up(&world, "ada").await;
    // The owner is told by the first and not by the second; nobody has the third.
    for (name, digest) in
        [("x-1", "digest-of-ada"), ("x-2", "digest-of-ada"), ("x-3", "digest-of-nobody")]
    {
        let attempt = NoteRegistrationAttempt {
            email_digest: digest.to_owned(),
            username_digest: Some(username(name).digest),
            user_id: UserId::from_uuid(mint()),
            ip: None,
        };
        world.done(&Caller::anonymous(), &attempt).await;
        let mut new = new_user("bob");
        new.username = Some(username(name));
        let again = world.ask(&Caller::anonymous(), &Register { new, token: token(&world) }).await;
        World::refused(again, "user.username");
    }
}

#[tokio::test]
async fn the_first_user_is_seeded_once_and_has_the_role_at_once() {
    let world = World::new().await;
    assert!(!has_admin(&world.store).await.unwrap());
    let root = world.done(&Caller::system(), &SeedAdmin { new: new_user("root") }).await.user_id;
    assert!(has_admin(&world.store).await.unwrap());
    let names: Vec<_> =
        last_append(&world).await.iter().map(|event| event.envelope.event_type()).collect();
    assert_eq!(
        names,
        [
            "identity.person.registered",
            "identity.user.registered",
            "identity.user.email_verified",
            "identity.user.password_set",
            "organization.role_assignment.assigned",
        ]
    );
    let role = format!("{ADMIN}/user/{root}/platform");
    assert!(world.holder("role_assignment.live", &role).await.is_some());
    let again = SeedAdmin { new: new_user("another") };
    World::refused(world.ask(&Caller::system(), &again).await, "platform.seed");
}

#[tokio::test]
async fn only_the_platform_brings_somebody_in_whose_address_is_not_verified() {
    let world = World::new().await;
    let new = new_user("root");
    let root = Human { user: new.user_id, person: new.person_id };
    world.done(&Caller::system(), &BringIn { new }).await;
    assert_eq!(user(&world, root).await.present().unwrap().status, UserStatus::Active);
    let ada = signed_up(&world, "ada").await;
    let bring_in = BringIn { new: new_user("bob") };
    World::refused(world.ask(&signed_in(ada), &bring_in).await, "denied-missing");
    let seed = SeedAdmin { new: new_user("bob") };
    World::refused(world.ask(&signed_in(ada), &seed).await, "denied-missing");
}

#[tokio::test]
async fn a_deleted_users_address_is_free_and_their_name_is_not() {
    use commands::identity::user::Delete;
    let world = World::new().await;
    let ada = signed_up(&world, "ada").await;
    world.done(&Caller::system(), &Delete { user_id: ada.user }).await;
    let again = Register { new: new_user("ada"), token: token(&world) };
    World::refused(world.ask(&Caller::anonymous(), &again).await, "user.username");
    let mut new = new_user("ada");
    new.username = None;
    let token = token(&world);
    let _ = shown(&token);
    world.done(&Caller::anonymous(), &Register { new, token }).await;
}
