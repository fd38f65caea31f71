//! Service principals and their keys.

use chrono::TimeDelta;
use commands::{
    Caller, Grants,
    organization::service_principal::{
        Create, Disable, IssueKey, NewSecret, RecordKeyUse, RevokeKey, RotateKey,
    },
};
use domain::{
    kernel::{Actor, ActorKind},
    organization::{
        ApiKeyId, OrganizationId, ServicePrincipalId, WorkspaceId,
        service_principal::ServicePrincipal,
    },
};

use crate::support::{World, inside, mint};

const READ: &str = "organization.workspace.read";

pub(super) fn issue(
    organization_id: OrganizationId,
    service_principal_id: ServicePrincipalId,
    prefix: &str,
) -> IssueKey {
    IssueKey {
        organization_id,
        service_principal_id,
        name: "nightly".into(),
        scopes: vec![READ.into()],
        secret: secret(prefix),
    }
}

fn secret(prefix: &str) -> NewSecret {
    NewSecret { prefix: prefix.into(), secret_hash: "$argon2id$v=19".into(), expires_at: None }
}

async fn importer(world: &World, owner: &Caller, id: OrganizationId) -> ServicePrincipalId {
    let create = Create { organization_id: id, workspace_id: None, name: "Importer".into() };
    world.done(owner, &create).await.service_principal_id
}

#[tokio::test]
async fn a_key_carries_no_more_than_its_issuer_and_no_prefix_comes_twice() {
    let world = World::new().await;
    let ada = world.human("ada").await;
    let id = world.organization(ada, "acme").await;
    let owner = world.owner(ada, id).await;
    let service = importer(&world, &owner, id).await;
    let issuer = inside(ada, id, ["organization.api_key.issue"]);
    let outcome = world.ask(&issuer, &issue(id, service, "ch_aaaaaaaa")).await;
    World::refused(outcome, "permission-not-held");
    let key = world.done(&owner, &issue(id, service, "ch_aaaaaaaa")).await.api_key_id;
    let outcome = world.ask(&owner, &issue(id, service, "ch_aaaaaaaa")).await;
    World::refused(outcome, "id-retired");
    let other = importer(&world, &owner, id).await;
    let outcome = world.ask(&owner, &issue(id, other, "ch_aaaaaaaa")).await;
    World::refused(outcome, "secret.prefix");
    assert_eq!(world.holder("secret.prefix", "ch_aaaaaaaa").await, Some(service.uuid()));
    let revoke = RevokeKey {
        organization_id: id,
        service_principal_id: service,
        api_key_id: key,
        reason: "leaked".into(),
    };
    world.done(&owner, &revoke).await;
    assert_eq!(
        world.holder("secret.prefix", "ch_aaaaaaaa").await,
        Some(service.uuid()),
        "for ever"
    );
}

#[tokio::test]
async fn a_key_is_replaced_with_an_overlap() {
    let world = World::new().await;
    let ada = world.human("ada").await;
    let id = world.organization(ada, "acme").await;
    let owner = world.owner(ada, id).await;
    let service = importer(&world, &owner, id).await;
    let old = world.done(&owner, &issue(id, service, "ch_aaaaaaaa")).await.api_key_id;
    let rotate = RotateKey {
        organization_id: id,
        service_principal_id: service,
        api_key_id: old,
        overlap_until: world.now() + TimeDelta::hours(1),
        secret: secret("ch_bbbbbbbb"),
    };
    let new = world.done(&owner, &rotate).await.api_key_id;
    let state = world.state::<ServicePrincipal>(service).await;
    assert!(state.key(old).unwrap().is_live(world.now()));
    world.pass(TimeDelta::hours(1));
    assert!(!state.key(old).unwrap().is_live(world.now()));
    assert!(state.key(new).unwrap().is_current(world.now()));
    let other = RotateKey { api_key_id: ApiKeyId::from_uuid(mint()), ..rotate };
    let other = RotateKey { secret: secret("ch_cccccccc"), ..other };
    World::refused(world.ask(&owner, &other).await, "not-found");
    assert_eq!(world.holder("secret.prefix", "ch_cccccccc").await, None);
}

#[tokio::test]
async fn its_own_use_of_a_key_is_noted_at_most_once_an_hour() {
    let world = World::new().await;
    let ada = world.human("ada").await;
    let id = world.organization(ada, "acme").await;
    let owner = world.owner(ada, id).await;
    let service = importer(&world, &owner, id).await;
    let key = world.done(&owner, &issue(id, service, "ch_aaaaaaaa")).await.api_key_id;
    let used = RecordKeyUse { service_principal_id: service, api_key_id: key, ip: None };
    World::refused(world.ask(&owner, &used).await, "denied-missing");
    let actor = Actor {
        kind: ActorKind::Service,
        id: service.uuid(),
        credential_id: Some(key.uuid()),
        on_behalf_of: None,
    };
    let itself = Caller { actor, person: None, grants: Grants::default().into() };
    world.done(&itself, &used).await;
    let head = world.head().await;
    world.done(&itself, &used).await;
    assert_eq!(world.head().await, head);
    world.pass(TimeDelta::hours(1));
    world.done(&itself, &used).await;
    assert_ne!(world.head().await, head);
}

#[tokio::test]
async fn a_disabled_one_and_its_keys_open_nothing() {
    let world = World::new().await;
    let ada = world.human("ada").await;
    let id = world.organization(ada, "acme").await;
    let owner = world.owner(ada, id).await;
    let service = importer(&world, &owner, id).await;
    let key = world.done(&owner, &issue(id, service, "ch_aaaaaaaa")).await.api_key_id;
    let disable =
        Disable { organization_id: id, service_principal_id: service, reason: "unused".into() };
    world.done(&owner, &disable).await;
    let state = world.state::<ServicePrincipal>(service).await;
    assert!(!state.key(key).unwrap().is_live(world.now()));
    let outcome = world.ask(&owner, &issue(id, service, "ch_bbbbbbbb")).await;
    World::refused(outcome, "service-principal-disabled");
}

#[tokio::test]
async fn it_acts_in_a_workspace_of_its_organization() {
    let world = World::new().await;
    let ada = world.human("ada").await;
    let (acme, bobs) = (world.create(ada, "acme").await, world.create(ada, "bobs").await);
    let owner = world.owner(ada, acme.organization_id).await;
    let create = |workspace_id: WorkspaceId| Create {
        organization_id: acme.organization_id,
        workspace_id: Some(workspace_id),
        name: "Importer".into(),
    };
    World::refused(world.ask(&owner, &create(bobs.workspace_id)).await, "not-found");
    world.done(&owner, &create(acme.workspace_id)).await;
}
