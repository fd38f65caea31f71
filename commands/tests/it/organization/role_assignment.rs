//! Giving roles and taking them away.

use chrono::TimeDelta;
use commands::{
    Caller,
    organization::{
        role::{self, ADMIN, MEMBER, OWNER},
        role_assignment::{Assign, AssignOnPlatform, Expire, Revoke, RevokeOnPlatform, Withdraw},
        service_principal,
    },
};
use domain::{
    kernel::{DomainEvent, StreamId},
    organization::{
        OrganizationId, Principal, PrincipalKind, RoleId, ScopeKind,
        role::Content,
        role_assignment::{RoleAssignment, RoleAssignmentCommand, RoleAssignmentEvent},
    },
};
use eventstore::Claim;
use futures_util::FutureExt;
use uuid::Uuid;

use crate::support::{Human, World, inside, mint, operator, signed_in};

fn assign(organization_id: OrganizationId, role_id: RoleId, to: Human) -> Assign {
    Assign {
        organization_id,
        workspace_id: None,
        role_id,
        principal: Principal { kind: PrincipalKind::User, id: to.user.uuid() },
        expires_at: None,
        reason: None,
    }
}

async fn host(world: &World, owner: &Caller, id: OrganizationId) -> RoleId {
    let define = role::Define {
        organization_id: Some(id),
        key: "host".into(),
        content: Content {
            name: "Host".into(),
            description: None,
            scopes: vec![ScopeKind::Workspace],
            permissions: vec!["organization.workspace.update".into()],
        },
    };
    world.done(owner, &define).await.role_id
}

#[tokio::test]
async fn a_role_is_held_at_most_once_in_a_scope() {
    let world = World::new().await;
    let (ada, bob) = (world.human("ada").await, world.human("bob").await);
    let id = world.organization(ada, "acme").await;
    let owner = world.owner(ada, id).await;
    World::refused(world.ask(&owner, &assign(id, MEMBER, bob)).await, "role-assignment-not-member");
    world.join(id, bob, &[]).await;
    let assigned = world.done(&owner, &assign(id, MEMBER, bob)).await;
    World::refused(world.ask(&owner, &assign(id, MEMBER, bob)).await, "role_assignment.live");
    let revoke = Revoke {
        organization_id: id,
        role_assignment_id: assigned.role_assignment_id,
        reason: "moved".into(),
    };
    world.done(&owner, &revoke).await;
    world.done(&owner, &revoke).await;
    world.done(&owner, &assign(id, MEMBER, bob)).await;
}

#[tokio::test]
async fn a_role_counts_where_it_is_meant_to() {
    let world = World::new().await;
    let ada = world.human("ada").await;
    let (acme, bobs) = (world.create(ada, "acme").await, world.create(ada, "bobs").await);
    let id = acme.organization_id;
    let owner = world.owner(ada, id).await;
    let host = host(&world, &owner, id).await;
    World::refused(world.ask(&owner, &assign(id, host, ada)).await, "role-assignment-scope");
    let elsewhere = Assign { workspace_id: Some(bobs.workspace_id), ..assign(id, host, ada) };
    World::refused(world.ask(&owner, &elsewhere).await, "not-found");
    let here = Assign { workspace_id: Some(acme.workspace_id), ..assign(id, host, ada) };
    world.done(&owner, &here).await;

    let other = world.owner(ada, bobs.organization_id).await;
    let foreign = assign(bobs.organization_id, host, ada);
    let unknown = Assign { role_id: RoleId::from_uuid(mint()), ..foreign.clone() };
    World::refused(world.ask(&other, &foreign).await, "role-assignment-role-missing");
    World::refused(world.ask(&other, &unknown).await, "role-assignment-role-missing");
}

#[tokio::test]
async fn the_owner_role_comes_and_goes_with_being_an_owner() {
    let world = World::new().await;
    let (ada, bob) = (world.human("ada").await, world.human("bob").await);
    let acme = world.create(ada, "acme").await;
    let id = acme.organization_id;
    world.join(id, bob, &[]).await;
    let owner = world.owner(ada, id).await;
    World::refused(world.ask(&owner, &assign(id, OWNER, bob)).await, "role-assignment-owner-role");
    let revoke = Revoke {
        organization_id: id,
        role_assignment_id: acme.role_assignment_id,
        reason: "oops".into(),
    };
    World::refused(world.ask(&owner, &revoke).await, "role-assignment-owner-role");
}

#[tokio::test]
async fn nobody_gives_more_than_they_hold() {
    let world = World::new().await;
    let ada = world.human("ada").await;
    let id = world.organization(ada, "acme").await;
    let clerk = inside(ada, id, ["organization.role_assignment.create"]);
    World::refused(world.ask(&clerk, &assign(id, MEMBER, ada)).await, "permission-not-held");
    // Permissions in one organization count for nothing in another.
    let other = world.organization(ada, "bobs").await;
    let mut caller = operator(ada, &["organization.role_assignment.create"]);
    let mut grants = (*world.owner(ada, id).await.grants).clone();
    grants.platform.clone_from(&caller.grants.platform);
    caller.grants = grants.into();
    World::refused(world.ask(&caller, &assign(other, MEMBER, ada)).await, "permission-not-held");
}

#[tokio::test]
async fn a_service_principal_of_the_organization_can_hold_a_role() {
    let world = World::new().await;
    let ada = world.human("ada").await;
    let (id, other) =
        (world.organization(ada, "acme").await, world.organization(ada, "bobs").await);
    let owner = world.owner(ada, id).await;
    let create = service_principal::Create {
        organization_id: id,
        workspace_id: None,
        name: "Importer".into(),
    };
    let service = world.done(&owner, &create).await.service_principal_id;
    let to = |organization_id, id: Uuid| Assign {
        principal: Principal { kind: PrincipalKind::Service, id },
        ..assign(organization_id, MEMBER, ada)
    };
    world.done(&owner, &to(id, service.uuid())).await;
    let foreign = world.owner(ada, other).await;
    World::refused(world.ask(&foreign, &to(other, service.uuid())).await, "not-found");
    let disable = service_principal::Disable {
        organization_id: id,
        service_principal_id: service,
        reason: "unused".into(),
    };
    world.done(&owner, &disable).await;
    let outcome = world.ask(&owner, &to(id, service.uuid())).await;
    World::refused(outcome, "service-principal-disabled");
}

#[tokio::test]
async fn a_role_for_a_while_ends_and_can_be_given_again() {
    let world = World::new().await;
    let (ada, bob) = (world.human("ada").await, world.human("bob").await);
    let id = world.organization(ada, "acme").await;
    let owner = world.owner(ada, id).await;
    world.join(id, bob, &[]).await;
    let for_an_hour = |world: &World| Assign {
        expires_at: Some(world.now() + TimeDelta::hours(1)),
        ..assign(id, MEMBER, bob)
    };
    let first = world.done(&owner, &for_an_hour(&world)).await.role_assignment_id;
    let expire = Expire { role_assignment_id: first };
    let early = world.ask(&Caller::system(), &expire).await;
    World::refused(early, "role-assignment-not-expired");
    world.pass(TimeDelta::hours(1));
    // Nobody has noted the end yet; the place is free all the same.
    let second = world.done(&owner, &for_an_hour(&world)).await.role_assignment_id;
    assert!(world.state::<RoleAssignment>(first).await.present().unwrap().is_ended);
    world.done(&Caller::system(), &expire).await;
    world.pass(TimeDelta::hours(1));
    world.done(&Caller::system(), &Expire { role_assignment_id: second }).await;
    world.done(&owner, &for_an_hour(&world)).await;
}

#[tokio::test]
async fn a_role_that_ends_while_it_is_given_again_is_given_again() {
    let world = World::new().await;
    let (ada, bob) = (world.human("ada").await, world.human("bob").await);
    let id = world.organization(ada, "acme").await;
    let owner = world.owner(ada, id).await;
    world.join(id, bob, &[]).await;
    let expires_at = Some(world.now() + TimeDelta::hours(1));
    let for_an_hour = Assign { expires_at, ..assign(id, MEMBER, bob) };
    let role_assignment_id = world.done(&owner, &for_an_hour).await.role_assignment_id;
    world.pass(TimeDelta::hours(1));

    let line = StreamId::of(RoleAssignmentEvent::CATEGORY, role_assignment_id);
    let ticket = world.store.ticket(line).await.unwrap();
    let again = assign(id, MEMBER, bob);
    let mut assigning = Box::pin(world.ask(&owner, &again));
    assert!(assigning.as_mut().now_or_never().is_none(), "it knows who has the place, and waits");
    let key = format!("{MEMBER}/user/{}/{id}", bob.user);
    let place = Claim::release("role_assignment.live", &key, role_assignment_id);
    world
        .decide_elsewhere::<RoleAssignment>(
            role_assignment_id,
            RoleAssignmentCommand::Expire,
            place,
        )
        .await;
    drop(ticket);
    assigning.await.unwrap();
}

#[tokio::test]
async fn system_roles_are_given_to_users_on_the_platform() {
    let world = World::new().await;
    let (ada, bob) = (world.human("ada").await, world.human("bob").await);
    let give = |role_id| AssignOnPlatform {
        user_id: bob.user,
        role_id,
        expires_at: None,
        reason: Some("on call".into()),
    };
    let take = RevokeOnPlatform { user_id: bob.user, role_id: ADMIN, reason: "off".into() };
    World::refused(world.ask(&signed_in(ada), &give(ADMIN)).await, "forbidden");
    let clerk = operator(ada, &["organization.role_assignment.create"]);
    World::refused(world.ask(&clerk, &give(ADMIN)).await, "permission-not-held");
    let admin = world.admin(ada).await;
    World::refused(world.ask(&admin, &take).await, "not-found");
    let given = world.done(&admin, &give(ADMIN)).await.role_assignment_id;
    World::refused(world.ask(&admin, &give(ADMIN)).await, "role_assignment.live");
    let eve = world.register("eve", false).await;
    let unproved = AssignOnPlatform { user_id: eve.user, ..give(ADMIN) };
    for caller in [&admin, &Caller::system()] {
        World::refused(world.ask(caller, &unproved).await, "user-wrong-status");
    }
    World::refused(world.ask(&admin, &give(MEMBER)).await, "role-assignment-scope");
    world.done(&admin, &take).await;
    assert!(world.state::<RoleAssignment>(given).await.present().unwrap().is_ended);

    let again = world.done(&admin, &give(ADMIN)).await.role_assignment_id;
    let withdraw = Withdraw { role_assignment_id: again, reason: "user deleted".into() };
    World::refused(world.ask(&admin, &withdraw).await, "denied-missing");
    world.done(&Caller::system(), &withdraw).await;
    assert!(world.state::<RoleAssignment>(again).await.present().unwrap().is_ended);
}
