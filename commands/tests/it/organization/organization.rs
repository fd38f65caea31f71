//! Creating an organization, its slug, its owners; and what holds for every use case.

use chrono::TimeDelta;
use commands::{
    Caller, CommandError, execute,
    organization::{
        organization::{AddOwner, ChangeSlug, Create, RemoveOwner, Rename, UpdateSettings},
        role::OWNER,
        workspace,
    },
};
use domain::{
    kernel::Version,
    organization::{
        MembershipId, RoleAssignmentId, WorkspaceId,
        membership::Membership,
        organization::{Create as Creation, Organization, OrganizationKind},
        role_assignment::RoleAssignment,
        workspace::Workspace,
    },
};

use crate::support::{World, creation, inside, mint, signed_in};

#[tokio::test]
async fn an_organization_begins_with_a_workspace_and_an_owner_in_one_append() {
    let world = World::new().await;
    let ada = world.human("ada").await;
    let before = world.head().await;
    let created = world.create(ada, "acme").await;
    let events = world.store.read(before, 10).await.unwrap();
    let types: Vec<_> = events.iter().map(|event| event.envelope.event_type()).collect();
    assert_eq!(
        types,
        [
            "organization.organization.created",
            "organization.workspace.created",
            "organization.membership.added",
            "organization.role_assignment.assigned",
        ]
    );
    let last = events.last().unwrap().envelope.position;
    assert!(events.iter().all(|event| event.envelope.append_last == last));
    assert!(events.iter().all(|event| event.envelope.tenant == created.organization_id.tenant()));

    let id = created.organization_id;
    let organization = world.state::<Organization>(id).await;
    assert_eq!(organization.open().unwrap().owners, [ada.user]);
    let workspace = world.state::<Workspace>(created.workspace_id).await;
    assert!(workspace.open().unwrap().is_default);
    let membership = world.state::<Membership>(MembershipId::of(id, ada.user)).await;
    assert_eq!(membership.present().unwrap().person_id, ada.person);
    let role = world.state::<RoleAssignment>(created.role_assignment_id).await;
    assert_eq!(role.present().unwrap().role_id, OWNER);

    assert_eq!(world.holder("organization.slug", "acme").await, Some(id.uuid()));
    let default = world.holder("workspace.default", &id.to_string()).await;
    assert_eq!(default, Some(created.workspace_id.uuid()));
    let member = world.holder("membership", &format!("{id}/{}", ada.user)).await;
    assert_eq!(member, Some(created.membership_id.uuid()));
}

#[tokio::test]
async fn a_repetition_answers_what_the_first_try_did_and_adds_nothing() {
    let world = World::new().await;
    let ada = world.human("ada").await;
    let create = Create { organization: creation(ada, "acme") };
    let ctx = world.context(&signed_in(ada), mint());
    let first = execute(&ctx, &create).await.unwrap();
    let head = world.head().await;
    let second = execute(&ctx, &create).await.unwrap();
    assert!(second.duplicate && !first.duplicate);
    assert_eq!(second.answer, first.answer);
    assert_eq!((second.position, &second.versions), (first.position, &first.versions));
    assert_eq!(world.head().await, head);

    // Also where the first try made the repetition impossible.
    let owner = world.owner(ada, create.organization.organization_id).await;
    let rename = Rename {
        organization_id: create.organization.organization_id,
        seen: first.version(create.organization.organization_id),
        name: "Acme & Sons".into(),
    };
    let ctx = world.context(&owner, mint());
    let first = execute(&ctx, &rename).await.unwrap();
    let second = execute(&ctx, &rename).await.unwrap();
    assert!(second.duplicate);
    assert_eq!(second.position, first.position);
    let mut other = ctx;
    other.command.digest = [1; 32];
    assert!(matches!(execute(&other, &rename).await, Err(CommandError::Reused)));
}

#[tokio::test]
async fn a_slug_belongs_to_one_organization_and_is_held_for_a_while_after() {
    let world = World::new().await;
    let ada = world.human("ada").await;
    let id = world.organization(ada, "acme").await;
    let again = Create { organization: creation(ada, "acme") };
    World::refused(world.ask(&signed_in(ada), &again).await, "organization.slug");

    let owner = world.owner(ada, id).await;
    let to = |slug: &str| ChangeSlug { organization_id: id, seen: None, slug: slug.into() };
    world.done(&owner, &to("acme-new")).await;
    World::refused(world.ask(&signed_in(ada), &again).await, "organization.slug");
    // Who gave it up may have it back, and change again.
    world.done(&owner, &to("acme")).await;
    let new = Create { organization: creation(ada, "acme-new") };
    World::refused(world.ask(&signed_in(ada), &new).await, "organization.slug");
    world.done(&owner, &to("acme-new")).await;
    assert_eq!(world.state::<Organization>(id).await.open().unwrap().slug, "acme-new");
}

#[tokio::test]
async fn a_change_needs_the_newest_version_where_one_is_named() {
    let world = World::new().await;
    let ada = world.human("ada").await;
    let id = world.organization(ada, "acme").await;
    let owner = world.owner(ada, id).await;
    let rename = |seen: i32, name: &str| Rename {
        organization_id: id,
        seen: Some(Version(seen)),
        name: name.into(),
    };
    let done = world.ask(&owner, &rename(1, "One")).await.unwrap();
    assert_eq!(done.version(id), Some(Version(2)));
    World::refused(world.ask(&owner, &rename(1, "Two")).await, "stale");
    world.done(&owner, &rename(2, "Two")).await;
}

#[tokio::test]
async fn strangers_learn_nothing_and_members_what_they_lack() {
    let world = World::new().await;
    let (ada, bob) = (world.human("ada").await, world.human("bob").await);
    let id = world.organization(ada, "acme").await;
    let rename = Rename { organization_id: id, seen: None, name: "Mine".into() };
    World::refused(world.ask(&Caller::anonymous(), &rename).await, "stranger");
    World::refused(world.ask(&signed_in(bob), &rename).await, "denied-missing");
    let elsewhere = world.organization(bob, "bobs").await;
    let foreign = world.owner(bob, elsewhere).await;
    World::refused(world.ask(&foreign, &rename).await, "denied-missing");
    let member = world.member(bob, id).await;
    World::refused(world.ask(&member, &rename).await, "forbidden");
}

#[tokio::test]
async fn what_belongs_to_others_is_not_there() {
    let world = World::new().await;
    let (ada, bob) = (world.human("ada").await, world.human("bob").await);
    let acme = world.create(ada, "acme").await;
    let bobs = world.create(bob, "bobs").await;
    let owner = world.owner(ada, acme.organization_id).await;
    let archive =
        |workspace_id| workspace::Archive { organization_id: acme.organization_id, workspace_id };
    let missing = world.ask(&owner, &archive(WorkspaceId::from_uuid(mint()))).await.unwrap_err();
    for id in [bobs.workspace_id.uuid(), ada.user.uuid(), acme.role_assignment_id.uuid()] {
        let foreign = world.ask(&owner, &archive(WorkspaceId::from_uuid(id))).await.unwrap_err();
        assert_eq!(format!("{foreign:?}"), format!("{missing:?}"));
    }
    let stale = workspace::Rename {
        organization_id: acme.organization_id,
        workspace_id: bobs.workspace_id,
        seen: Some(Version(7)),
        name: "Mine".into(),
        description: None,
    };
    World::refused(world.ask(&owner, &stale).await, "not-found");
}

#[tokio::test]
async fn only_operators_create_for_others_or_on_trial() {
    let world = World::new().await;
    let (ada, bob) = (world.human("ada").await, world.human("bob").await);
    let admin = world.admin(bob).await;
    let for_other = Create { organization: creation(ada, "acme") };
    World::refused(world.ask(&signed_in(bob), &for_other).await, "denied-missing");
    world.done(&admin, &for_other).await;
    let demo = Creation { kind: OrganizationKind::Demo, ..creation(ada, "demo") };
    let trial_ends_at = Some(world.now() + TimeDelta::days(14));
    let trial = Creation { trial_ends_at, ..creation(ada, "trial") };
    let parent_organization_id = Some(for_other.organization.organization_id);
    let child = Creation { parent_organization_id, ..creation(ada, "child") };
    for organization in [demo, trial, child] {
        let create = Create { organization };
        World::refused(world.ask(&signed_in(ada), &create).await, "forbidden");
        world.done(&admin, &create).await;
    }
}

#[tokio::test]
async fn an_owner_is_a_member_with_the_owner_role() {
    let world = World::new().await;
    let (ada, bob) = (world.human("ada").await, world.human("bob").await);
    let id = world.organization(ada, "acme").await;
    let owner = world.owner(ada, id).await;
    let add = AddOwner { organization_id: id, user_id: bob.user };
    World::refused(world.ask(&owner, &add).await, "not-found");
    world.join(id, bob, &[]).await;
    world.done(&owner, &add).await;
    let key = format!("{OWNER}/user/{}/{id}", bob.user);
    let assignment = world.holder("role_assignment.live", &key).await.unwrap();
    let head = world.head().await;
    world.done(&owner, &add).await;
    assert_eq!(world.head().await, head, "an owner is added once");

    let remove = |user_id| RemoveOwner { organization_id: id, user_id };
    world.done(&owner, &remove(bob.user)).await;
    assert_eq!(world.holder("role_assignment.live", &key).await, None);
    let ended = world.state::<RoleAssignment>(RoleAssignmentId::from_uuid(assignment)).await;
    assert!(ended.present().unwrap().is_ended);
    World::refused(world.ask(&owner, &remove(ada.user)).await, "organization-last-owner");
    world.done(&owner, &add).await;
}

#[tokio::test]
async fn two_owners_cannot_remove_each_other() {
    let world = World::new().await;
    let (ada, bob) = (world.human("ada").await, world.human("bob").await);
    let id = world.organization(ada, "acme").await;
    world.join(id, bob, &[]).await;
    let (one, other) = (world.owner(ada, id).await, world.owner(bob, id).await);
    world.done(&one, &AddOwner { organization_id: id, user_id: bob.user }).await;
    let without = |user_id| RemoveOwner { organization_id: id, user_id };
    let (no_bob, no_ada) = (without(bob.user), without(ada.user));
    let (first, second) = tokio::join!(world.ask(&one, &no_bob), world.ask(&other, &no_ada));
    assert_ne!(first.is_ok(), second.is_ok());
    assert_eq!(world.state::<Organization>(id).await.open().unwrap().owners.len(), 1);
}

#[tokio::test]
async fn nobody_makes_an_owner_of_anybody_who_could_do_more_than_they() {
    let world = World::new().await;
    let (ada, bob) = (world.human("ada").await, world.human("bob").await);
    let id = world.organization(ada, "acme").await;
    world.join(id, bob, &[]).await;
    let manager = inside(bob, id, ["organization.owner.manage"]);
    let add = AddOwner { organization_id: id, user_id: bob.user };
    World::refused(world.ask(&manager, &add).await, "permission-not-held");
}

#[tokio::test]
async fn settings_that_do_not_change_add_nothing() {
    let world = World::new().await;
    let ada = world.human("ada").await;
    let id = world.organization(ada, "acme").await;
    let owner = world.owner(ada, id).await;
    let changed = serde_json::json!({ "theme": "dark" }).as_object().unwrap().clone();
    let update = UpdateSettings { organization_id: id, seen: None, changed };
    world.done(&owner, &update).await;
    let head = world.head().await;
    world.done(&owner, &update).await;
    assert_eq!(world.head().await, head);
}
