//! The tax id of a person, the merge of two, and being forgotten.

use commands::{
    Caller,
    identity::person::{Erase, Merge, RecordTaxId, RejectErasure, RequestErasure},
};
use domain::{
    identity::{
        person::{Person, PersonEvent},
        session::SessionStatus,
        user::User,
    },
    kernel::Personal,
    permissions,
};
use eventstore::decode;

use super::{history, last_append, operator, session, signed_up, status, user};
use crate::support::{Human, World, signed_in};

fn request(human: Human) -> RequestErasure {
    RequestErasure { person_id: human.person, basis: "GDPR art. 17".into() }
}

fn merge(human: Human, into: Human) -> Merge {
    Merge { person_id: human.person, into_person_id: into.person, reason: "entered twice".into() }
}

#[tokio::test]
async fn a_tax_id_is_recorded_by_its_person_or_an_operator() {
    let world = World::new().await;
    let (ada, bob) = (signed_up(&world, "ada").await, signed_up(&world, "bob").await);
    let record =
        RecordTaxId { person_id: ada.person, seen: None, tax_id: "SE12345678".to_owned().into() };
    World::refused(world.ask(&signed_in(bob), &record).await, "denied-missing");
    World::refused(world.ask(&Caller::anonymous(), &record).await, "stranger");
    world.done(&signed_in(ada), &record).await;
    world.done(&operator(bob, permissions::IDENTITY_PERSON_UPDATE), &record).await;
    assert_eq!(history(&world, ada.person).await, ["registered", "tax_id_recorded"]);
}

#[tokio::test]
async fn logins_follow_a_merge_and_its_repetition_does_nothing() {
    let world = World::new().await;
    let (ada, twin) = (signed_up(&world, "ada").await, signed_up(&world, "twin").await);
    World::refused(world.ask(&signed_in(ada), &merge(twin, ada)).await, "forbidden");
    let all = operator(ada, permissions::IDENTITY_PERSON_MERGE);
    world.done(&all, &merge(twin, ada)).await;
    assert_eq!(last_append(&world).await.len(), 3);
    assert_eq!(user(&world, twin).await.present().unwrap().person_id, ada.person);
    let head = world.head().await;
    world.done(&all, &merge(twin, ada)).await;
    assert_eq!(world.head().await, head);
    let person = world.state::<Person>(ada.person).await;
    assert_eq!(person.active().unwrap().user_ids, [ada.user, twin.user]);
}

#[tokio::test]
async fn only_known_persons_are_merged_and_never_into_themselves() {
    let world = World::new().await;
    let ada = signed_up(&world, "ada").await;
    let nobody = world.human("nobody").await;
    let all = Caller::system();
    World::refused(world.ask(&all, &merge(ada, ada)).await, "person-merge-into-self");
    World::refused(world.ask(&all, &merge(ada, nobody)).await, "not-found");
    World::refused(world.ask(&all, &merge(nobody, ada)).await, "not-found");
}

#[tokio::test]
async fn an_erasure_is_asked_for_and_may_be_rejected() {
    let world = World::new().await;
    let ada = signed_up(&world, "ada").await;
    let erase = Erase { person_id: ada.person };
    let outcome = world.ask(&Caller::system(), &erase).await;
    World::refused(outcome, "person-erasure-not-requested");
    world.done(&signed_in(ada), &request(ada)).await;
    World::refused(world.ask(&signed_in(ada), &erase).await, "forbidden");
    let reject = RejectErasure { person_id: ada.person, reasons: vec!["open invoices".into()] };
    world.done(&Caller::system(), &reject).await;
    let outcome = world.ask(&Caller::system(), &erase).await;
    World::refused(outcome, "person-erasure-not-requested");
}

#[tokio::test]
async fn an_erased_person_leaves_nothing_to_read_and_nothing_to_sign_in_with() {
    let world = World::new().await;
    let (ada, twin) = (signed_up(&world, "ada").await, signed_up(&world, "twin").await);
    let sessions = [session(&world, ada).await, session(&world, twin).await];
    world.done(&Caller::system(), &merge(twin, ada)).await;
    world.done(&signed_in(ada), &request(ada)).await;
    for _ in 0..2 {
        world.done(&Caller::system(), &Erase { person_id: ada.person }).await;
    }
    for id in sessions {
        assert_eq!(status(&world, id).await, SessionStatus::Revoked);
    }
    for human in [ada, twin] {
        assert!(matches!(user(&world, human).await, User::Deleted { .. }));
        let events = world.store.read_stream(human.person.uuid(), Default::default()).await;
        let opened = world.store.open(&events.unwrap()).await.unwrap();
        let first = decode::<PersonEvent>(&opened[0]).unwrap().event;
        let PersonEvent::Registered { display_name, .. } = first else { panic!("{first:?}") };
        assert_eq!(display_name, Some(Personal::Erased));
    }
    assert_eq!(world.holder("user.email", "digest-of-ada").await, None);
    assert_eq!(world.holder("user.email", "digest-of-twin").await, None);
}
