//! Members: coming without an invitation, suspension, going.

use commands::{
    Caller, execute,
    organization::{
        membership::{Add, ChangePerson, Leave, Reinstate, Remove, SetTitle, Suspend},
        organization::AddOwner,
        role::{MEMBER, OWNER},
    },
};
use domain::{
    identity::{
        PersonId, UserId,
        user::{User, UserCommand},
    },
    kernel::Version,
    organization::{
        MembershipId, OrganizationId,
        membership::{Membership, MembershipStatus},
    },
};

use crate::support::{Human, World, mint, signed_in};

fn add(organization_id: OrganizationId, user_id: UserId) -> Add {
    Add { organization_id, user_id, title: None, role_ids: vec![MEMBER] }
}

fn removal(organization_id: OrganizationId, user_id: UserId) -> Remove {
    Remove { organization_id, user_id, reason: "moved away".into() }
}

async fn status(world: &World, id: OrganizationId, human: Human) -> MembershipStatus {
    let membership = world.state::<Membership>(MembershipId::of(id, human.user)).await;
    membership.present().unwrap().status
}

#[tokio::test]
async fn operators_add_members_with_roles() {
    let world = World::new().await;
    let (ada, bob) = (world.human("ada").await, world.human("bob").await);
    let id = world.organization(ada, "acme").await;
    let owner = world.owner(ada, id).await;
    World::refused(world.ask(&owner, &add(id, bob.user)).await, "forbidden");
    let admin = world.admin(ada).await;
    let stranger = add(id, UserId::from_uuid(mint()));
    World::refused(world.ask(&admin, &stranger).await, "not-found");
    let to_own = Add { role_ids: vec![OWNER], ..add(id, bob.user) };
    World::refused(world.ask(&admin, &to_own).await, "role-assignment-owner-role");
    world.done(&admin, &add(id, bob.user)).await;
    let key = format!("{MEMBER}/user/{}/{id}", bob.user);
    assert!(world.holder("role_assignment.live", &key).await.is_some());
    World::refused(world.ask(&admin, &add(id, bob.user)).await, "membership-already-member");
}

#[tokio::test]
async fn a_disabled_user_comes_in_nowhere() {
    let world = World::new().await;
    let (ada, bob) = (world.human("ada").await, world.human("bob").await);
    let id = world.organization(ada, "acme").await;
    world.decide::<User>(bob.user, UserCommand::Disable { reason: "spam".into() }).await;
    let outcome = world.ask(&world.admin(ada).await, &add(id, bob.user)).await;
    World::refused(outcome, "user-wrong-status");
}

#[tokio::test]
async fn an_owner_can_be_neither_suspended_nor_removed_nor_leave() {
    let world = World::new().await;
    let ada = world.human("ada").await;
    let id = world.organization(ada, "acme").await;
    let owner = world.owner(ada, id).await;
    let suspend = Suspend { organization_id: id, user_id: ada.user, reason: "x".into() };
    World::refused(world.ask(&owner, &suspend).await, "membership-owner");
    World::refused(world.ask(&owner, &removal(id, ada.user)).await, "membership-owner");
    World::refused(world.ask(&owner, &Leave { organization_id: id }).await, "membership-owner");
}

#[tokio::test]
async fn members_are_suspended_reinstated_and_titled() {
    let world = World::new().await;
    let (ada, bob) = (world.human("ada").await, world.human("bob").await);
    let id = world.organization(ada, "acme").await;
    world.join(id, bob, &[]).await;
    let owner = world.owner(ada, id).await;
    let title = |seen: i32| SetTitle {
        organization_id: id,
        user_id: bob.user,
        seen: Some(Version(seen)),
        title: Some("Treasurer".into()),
    };
    World::refused(world.ask(&owner, &title(9)).await, "stale");
    world.done(&owner, &title(1)).await;
    let suspend = Suspend { organization_id: id, user_id: bob.user, reason: "dues".into() };
    world.done(&owner, &suspend).await;
    assert_eq!(status(&world, id, bob).await, MembershipStatus::Suspended);
    world.done(&owner, &Reinstate { organization_id: id, user_id: bob.user }).await;
    assert_eq!(status(&world, id, bob).await, MembershipStatus::Active);
}

#[tokio::test]
async fn who_went_may_come_back_without_the_roles_from_before() {
    let world = World::new().await;
    let (ada, bob) = (world.human("ada").await, world.human("bob").await);
    let id = world.organization(ada, "acme").await;
    world.join(id, bob, &[MEMBER]).await;
    let key = format!("{MEMBER}/user/{}/{id}", bob.user);
    let first = world.holder("role_assignment.live", &key).await.unwrap();
    let member = world.member(bob, id).await;
    world.done(&member, &Leave { organization_id: id }).await;
    assert_eq!(status(&world, id, bob).await, MembershipStatus::Removed);
    assert_eq!(world.holder("membership", &format!("{id}/{}", bob.user)).await, None);

    // No policy runs here: the old assignment still stands, and must not count again.
    world.join(id, bob, &[MEMBER]).await;
    let second = world.holder("role_assignment.live", &key).await.unwrap();
    assert_ne!(first, second);
    let owner = world.owner(ada, id).await;
    world.done(&owner, &removal(id, bob.user)).await;
    let head = world.head().await;
    world.done(&owner, &removal(id, bob.user)).await;
    assert_eq!(world.head().await, head);
    World::refused(world.ask(&owner, &removal(id, UserId::from_uuid(mint()))).await, "not-found");
}

#[tokio::test]
async fn who_left_hears_the_same_again() {
    let world = World::new().await;
    let (ada, bob) = (world.human("ada").await, world.human("bob").await);
    let id = world.organization(ada, "acme").await;
    world.join(id, bob, &[]).await;
    let leave = Leave { organization_id: id };
    let command = mint();
    let member = world.member(bob, id).await;
    let first = execute(&world.context(&member, command), &leave).await.unwrap();
    let again = execute(&world.context(&signed_in(bob), command), &leave).await.unwrap();
    assert!(again.duplicate);
    assert_eq!(again.position, first.position);
    World::refused(world.ask(&signed_in(bob), &leave).await, "denied-missing");
}

#[tokio::test]
async fn nobody_is_made_an_owner_while_they_are_put_out() {
    let world = World::new().await;
    let (ada, bob) = (world.human("ada").await, world.human("bob").await);
    let id = world.organization(ada, "acme").await;
    let owner = world.owner(ada, id).await;
    world.join(id, bob, &[]).await;
    let add = AddOwner { organization_id: id, user_id: bob.user };
    let removal = removal(id, bob.user);
    let (added, removed) = tokio::join!(world.ask(&owner, &add), world.ask(&owner, &removal));
    assert_ne!(added.is_ok(), removed.is_ok());
}

#[tokio::test]
async fn memberships_follow_the_merge_of_two_persons() {
    let world = World::new().await;
    let ada = world.human("ada").await;
    let id = world.organization(ada, "acme").await;
    let person_id = PersonId::from_uuid(mint());
    let follow = ChangePerson { organization_id: id, user_id: ada.user, person_id };
    World::refused(world.ask(&world.admin(ada).await, &follow).await, "denied-missing");
    world.done(&Caller::system(), &follow).await;
    let membership = world.state::<Membership>(MembershipId::of(id, ada.user)).await;
    assert_eq!(membership.present().unwrap().person_id, person_id);
}
