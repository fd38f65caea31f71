//! Roles: the platform's own, and those organizations define.

use commands::{
    Caller,
    organization::role::{
        ADMIN, AddPermissions, Archive, Define, MEMBER, OWNER, RemovePermissions, SeedRoles, Update,
    },
};
use domain::{
    kernel::Version,
    organization::{
        OrganizationId, ScopeKind,
        role::{Content, Role},
    },
    permissions,
};

use crate::support::{World, inside, operator};

const READ: &str = "organization.workspace.read";
const UPDATE: &str = "organization.workspace.update";

fn content(scope: ScopeKind, permissions: &[&str]) -> Content {
    Content {
        name: "Host".into(),
        description: None,
        scopes: vec![scope],
        permissions: permissions.iter().map(|&name| name.to_owned()).collect(),
    }
}

fn define(organization_id: Option<OrganizationId>, key: &str, permissions: &[&str]) -> Define {
    let scope = match organization_id {
        Some(_) => ScopeKind::Organization,
        None => ScopeKind::Platform,
    };
    Define { organization_id, key: key.into(), content: content(scope, permissions) }
}

#[tokio::test]
async fn the_platforms_roles_are_seeded_once_and_stay_as_they_are() {
    let world = World::new().await;
    let head = world.head().await;
    world.done(&Caller::system(), &SeedRoles).await;
    assert_eq!(world.head().await, head);
    let admin = world.state::<Role>(ADMIN).await;
    let all = permissions::ALL.len();
    assert_eq!(admin.present().unwrap().content.permissions.len(), all);
    assert_eq!(world.holder("role.key", "platform/owner").await, Some(OWNER.uuid()));

    let ada = world.human("ada").await;
    let admin = world.admin(ada).await;
    World::refused(world.ask(&admin, &SeedRoles).await, "denied-missing");
    let archive = |organization_id| Archive { organization_id, role_id: OWNER };
    World::refused(world.ask(&admin, &archive(None)).await, "role-is-system");
    let id = world.organization(ada, "acme").await;
    let owner = world.owner(ada, id).await;
    World::refused(world.ask(&owner, &archive(Some(id))).await, "role-is-system");
    let taken = define(None, "owner", &[]);
    World::refused(world.ask(&admin, &taken).await, "role.key");
}

#[tokio::test]
async fn an_organization_defines_roles_within_what_their_author_holds() {
    let world = World::new().await;
    let ada = world.human("ada").await;
    let id = world.organization(ada, "acme").await;
    let owner = world.owner(ada, id).await;
    let host = define(Some(id), "host", &[READ]);
    let role_id = world.done(&owner, &host).await.role_id;
    World::refused(world.ask(&owner, &host).await, "role.key");
    let operate = define(Some(id), "operator", &["organization.organization.operate"]);
    World::refused(world.ask(&owner, &operate).await, "permission-not-held");

    let clerk = inside(ada, id, ["organization.role.update", READ]);
    let add = |permissions: &[&str]| AddPermissions {
        organization_id: Some(id),
        role_id,
        permissions: permissions.iter().map(|&name| name.to_owned()).collect(),
    };
    World::refused(world.ask(&clerk, &add(&[UPDATE])).await, "permission-not-held");
    world.done(&owner, &add(&[UPDATE])).await;
    let remove =
        RemovePermissions { organization_id: Some(id), role_id, permissions: vec![UPDATE.into()] };
    world.done(&clerk, &remove).await;
    let update = Update {
        organization_id: Some(id),
        role_id,
        seen: Some(Version(1)),
        content: content(ScopeKind::Workspace, &[READ]),
    };
    World::refused(world.ask(&owner, &update).await, "stale");
    world.done(&owner, &Update { seen: Some(Version(3)), ..update }).await;
    let archive = Archive { organization_id: Some(id), role_id };
    World::refused(world.ask(&clerk, &archive).await, "forbidden");
    world.done(&owner, &archive).await;
    World::refused(world.ask(&owner, &host).await, "role.key");
}

#[tokio::test]
async fn roles_of_others_are_not_there_and_two_organizations_may_use_one_key() {
    let world = World::new().await;
    let (ada, bob) = (world.human("ada").await, world.human("bob").await);
    let (acme, bobs) =
        (world.organization(ada, "acme").await, world.organization(bob, "bobs").await);
    let (owner, other) = (world.owner(ada, acme).await, world.owner(bob, bobs).await);
    let role_id = world.done(&owner, &define(Some(acme), "host", &[READ])).await.role_id;
    world.done(&other, &define(Some(bobs), "host", &[READ])).await;
    for (caller, organization_id) in [(&other, Some(bobs)), (&world.admin(bob).await, None)] {
        let archive = Archive { organization_id, role_id };
        World::refused(world.ask(caller, &archive).await, "not-found");
    }
}

#[tokio::test]
async fn system_roles_are_for_operators_within_what_they_hold() {
    let world = World::new().await;
    let ada = world.human("ada").await;
    let id = world.organization(ada, "acme").await;
    let owner = world.owner(ada, id).await;
    let auditor = define(None, "auditor", &["audit.event.read"]);
    World::refused(world.ask(&owner, &auditor).await, "forbidden");
    let admin = world.admin(ada).await;
    let role_id = world.done(&admin, &auditor).await.role_id;
    let clerk = operator(ada, &["organization.system_role.manage"]);
    let more = AddPermissions {
        organization_id: None,
        role_id,
        permissions: vec!["audit.stream.read".into()],
    };
    World::refused(world.ask(&clerk, &more).await, "permission-not-held");
    world.done(&admin, &more).await;
    let outside = Archive { organization_id: Some(id), role_id: MEMBER };
    World::refused(world.ask(&owner, &outside).await, "role-is-system");
    world.done(&clerk, &Archive { organization_id: None, role_id }).await;
}
