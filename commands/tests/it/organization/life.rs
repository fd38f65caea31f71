//! Frozen, archived and purged organizations: what still goes, and what does not.

use chrono::TimeDelta;
use commands::{
    Caller, CommandError, Denied, Refusal, Unit, UseCase,
    organization::{
        identity_provider, invitation, membership,
        organization::{
            Activate, AddOwner, Archive, Create, EndTrial, ExtendTrial, Freeze, Purge, RemoveOwner,
            Rename, Restore, SetPlanLabel, StartTrial, Unfreeze,
        },
        role, role_assignment, service_principal, workspace,
    },
};
use domain::{
    kernel::KeyId,
    organization::{
        InvitationId, OrganizationId, Principal, PrincipalKind, ScopeKind, ServicePrincipalId,
        identity_provider::{IdentityProviderKind, Settings},
        organization::{Create as Creation, Organization, OrganizationKind, OrganizationStatus},
        role::Content,
    },
};
use eventstore::Claim;

use super::invitation as sent;
use crate::support::{Human, World, creation, mint, signed_in};

async fn frozen(world: &World, owner: Human) -> OrganizationId {
    let id = world.organization(owner, "acme").await;
    world.done(&Caller::system(), &Freeze { organization_id: id, reason: "unpaid".into() }).await;
    id
}

async fn status(world: &World, id: OrganizationId) -> OrganizationStatus {
    world.state::<Organization>(id).await.present().unwrap().status
}

/// Asks one thing of each kind; all must be refused alike.
async fn nothing_changes(world: &World, ada: Human, bob: Human, id: OrganizationId) {
    let owner = world.owner(ada, id).await;
    let code = "organization-wrong-status";
    let organization_id = id;
    let name = || "x".to_owned();
    macro_rules! refused {
        ($($what:expr),+ $(,)?) => { $(World::refused(world.ask(&owner, &$what).await, code);)+ };
    }
    let user_id = bob.user;
    let principal = Principal { kind: PrincipalKind::User, id: bob.user.uuid() };
    let content = Content {
        name: name(),
        description: None,
        scopes: vec![ScopeKind::Organization],
        permissions: vec![],
    };
    refused![
        Rename { organization_id, seen: None, name: name() },
        AddOwner { organization_id, user_id },
        RemoveOwner { organization_id, user_id },
        workspace::Create { organization_id, slug: name(), name: name(), description: None },
        membership::SetTitle { organization_id, user_id, seen: None, title: None },
        membership::Suspend { organization_id, user_id, reason: name() },
        membership::Reinstate { organization_id, user_id },
        membership::Remove { organization_id, user_id, reason: name() },
        membership::Leave { organization_id },
        invitation::Revoke { organization_id, invitation_id: InvitationId::from_uuid(mint()) },
        role::Define { organization_id: Some(id), key: name(), content },
        role_assignment::Assign {
            organization_id,
            workspace_id: None,
            role_id: role::MEMBER,
            principal,
            expires_at: None,
            reason: None
        },
        service_principal::Create { organization_id, workspace_id: None, name: name() },
        service_principal::Disable {
            organization_id,
            service_principal_id: ServicePrincipalId::from_uuid(mint()),
            reason: name()
        },
        identity_provider::Configure {
            organization_id,
            kind: IdentityProviderKind::Oidc,
            settings: Settings::default()
        },
    ];
}

#[tokio::test]
async fn nothing_in_a_frozen_or_archived_organization_changes() {
    let world = World::new().await;
    let (ada, bob) = (world.human("ada").await, world.human("bob").await);
    let organization_id = world.organization(ada, "acme").await;
    world.join(organization_id, bob, &[]).await;
    let (system, reason) = (Caller::system(), || "unpaid".to_owned());
    world.done(&system, &Freeze { organization_id, reason: reason() }).await;
    nothing_changes(&world, ada, bob, organization_id).await;

    // The contract can, as that may end the frost.
    let label = SetPlanLabel { organization_id, seen: None, label: "Gold".into() };
    let admin = world.admin(bob).await;
    world.done(&admin, &label).await;
    let add = membership::Add { organization_id, user_id: ada.user, title: None, role_ids: vec![] };
    World::refused(world.ask(&admin, &add).await, "organization-wrong-status");

    world.done(&system, &Archive { organization_id, reason: reason() }).await;
    nothing_changes(&world, ada, bob, organization_id).await;
    World::refused(world.ask(&admin, &label).await, "organization-wrong-status");
}

#[tokio::test]
async fn the_platform_ends_access_in_a_frozen_organization_too() {
    let world = World::new().await;
    let (ada, bob) = (world.human("ada").await, world.human("bob").await);
    let organization_id = world.organization(ada, "acme").await;
    world.join(organization_id, bob, &[]).await;
    let system = Caller::system();
    world.done(&system, &Freeze { organization_id, reason: "unpaid".into() }).await;
    let remove =
        membership::Remove { organization_id, user_id: bob.user, reason: "deleted".into() };
    world.done(&system, &remove).await;
}

#[tokio::test]
async fn a_frozen_organization_thaws_and_an_archived_one_is_restored() {
    let world = World::new().await;
    let ada = world.human("ada").await;
    let organization_id = frozen(&world, ada).await;
    let owner = world.owner(ada, organization_id).await;
    World::refused(world.ask(&owner, &Unfreeze { organization_id }).await, "forbidden");
    let admin = world.admin(ada).await;
    world.done(&admin, &Unfreeze { organization_id }).await;
    world.done(&owner, &Archive { organization_id, reason: "closing".into() }).await;
    world.done(&owner, &Restore { organization_id }).await;
    assert_eq!(status(&world, organization_id).await, OrganizationStatus::Active);
}

#[tokio::test]
async fn an_owner_undoes_nothing_of_the_operators_by_way_of_the_archive() {
    let world = World::new().await;
    let ada = world.human("ada").await;
    let organization_id = frozen(&world, ada).await;
    let (owner, admin) = (world.owner(ada, organization_id).await, world.admin(ada).await);
    let (restore, reason) = (Restore { organization_id }, || "closing".to_owned());
    world.done(&owner, &Archive { organization_id, reason: reason() }).await;
    world.done(&owner, &restore).await;
    assert_eq!(status(&world, organization_id).await, OrganizationStatus::Frozen);

    world.done(&admin, &Archive { organization_id, reason: reason() }).await;
    World::refused(world.ask(&owner, &restore).await, "forbidden");
    // To close again what is closed makes it nobody else's.
    world.done(&owner, &Archive { organization_id, reason: reason() }).await;
    World::refused(world.ask(&owner, &restore).await, "forbidden");
    world.done(&admin, &restore).await;
    assert_eq!(status(&world, organization_id).await, OrganizationStatus::Frozen);
}

#[tokio::test]
async fn a_trial_runs_out_unless_somebody_acts() {
    let world = World::new().await;
    let ada = world.human("ada").await;
    let organization = Creation { kind: OrganizationKind::Demo, ..creation(ada, "acme") };
    let organization_id = organization.organization_id;
    let admin = world.admin(ada).await;
    world.done(&admin, &Create { organization }).await;
    let ends_at = world.now() + TimeDelta::days(14);
    world.done(&admin, &StartTrial { organization_id, ends_at }).await;
    let extended = ends_at + TimeDelta::days(7);
    world.done(&admin, &ExtendTrial { organization_id, ends_at: extended }).await;

    let end = EndTrial { organization_id };
    World::refused(world.ask(&admin, &end).await, "denied-missing");
    world.pass(TimeDelta::days(14));
    world.done(&Caller::system(), &end).await;
    assert_eq!(status(&world, organization_id).await, OrganizationStatus::Trial, "not yet");
    world.pass(TimeDelta::days(7));
    world.done(&Caller::system(), &end).await;
    assert_eq!(status(&world, organization_id).await, OrganizationStatus::Frozen);
    world.done(&Caller::system(), &end).await;
    world.done(&admin, &Unfreeze { organization_id }).await;
    world.done(&admin, &Activate { organization_id, reason: "paid".into() }).await;
    world.done(&Caller::system(), &end).await;
    assert_eq!(status(&world, organization_id).await, OrganizationStatus::Active);
}

#[tokio::test]
async fn a_purge_destroys_the_key_and_holds_the_slug() {
    let world = World::new().await;
    let ada = world.human("ada").await;
    let organization_id = world.organization(ada, "acme").await;
    let owner = world.owner(ada, organization_id).await;
    // Something sealed under the organization's key.
    let service =
        service_principal::Create { organization_id, workspace_id: None, name: "Importer".into() };
    let service = world.done(&owner, &service).await.service_principal_id;
    world
        .done(&owner, &super::service_principal::issue(organization_id, service, "ch_aaaaaaaa"))
        .await;
    world.done(&owner, &Archive { organization_id, reason: "closing".into() }).await;
    let admin = world.admin(ada).await;
    let purge = Purge { organization_id };
    World::refused(world.ask(&owner, &purge).await, "forbidden");
    World::refused(world.ask(&admin, &purge).await, "organization-purge-too-early");
    world.pass(TimeDelta::days(91));
    let position = world.head().await;
    world.done(&admin, &purge).await;

    let purged = world.store.read(position, 1).await.unwrap();
    let key: KeyId = organization_id.key();
    assert!(purged.first().unwrap().payload.contains(&key.to_string()));
    let again = Create { organization: creation(ada, "acme") };
    World::refused(world.ask(&signed_in(ada), &again).await, "organization.slug");
    let events = world.store.read_stream(service.uuid(), domain::kernel::Version(1)).await.unwrap();
    let opened = world.store.open(&events).await.unwrap();
    assert!(opened.first().unwrap().payload.contains(r#"{"~":null}"#), "the hash is gone");
    let rename = Rename { organization_id, seen: None, name: "x".into() };
    World::refused(world.ask(&owner, &rename).await, "not-found");
}

#[tokio::test]
async fn a_purge_destroys_the_keys_of_invitations_nobody_answered() {
    let world = World::new().await;
    let (ada, bob) = (world.human("ada").await, world.human("bob").await);
    let acme = world.organization(ada, "acme").await;
    let other = world.organization(ada, "other").await;
    let invite = async |organization_id, name| {
        let owner = world.owner(ada, organization_id).await;
        let expires_at = world.now() + TimeDelta::days(365);
        let invite =
            invitation::Invite { expires_at, ..sent::invite(&world, organization_id, name, &[]) };
        world.done(&owner, &invite).await.invitation_id
    };
    let open = [invite(acme, "bob").await, invite(acme, "eve").await];
    let foreign = invite(other, "bob").await;
    let system = Caller::system();
    world.done(&system, &Archive { organization_id: acme, reason: "closing".into() }).await;
    world.pass(TimeDelta::days(91));
    let admin = world.admin(ada).await;
    world.done(&admin, &Purge { organization_id: acme }).await;

    let told = world.told(acme).await;
    for invitation in open {
        assert!(!sent::is_readable(&world, invitation).await);
        assert!(told.contains(&invitation.key().to_string()), "{told}");
        // The timer that comes after all finds nothing to end.
        let expire = invitation::Expire { invitation_id: invitation };
        World::refused(world.ask(&system, &expire).await, "not-found");
        let accept = invitation::Accept { invitation_id: invitation, token_hash: None };
        World::refused(world.ask(&signed_in(bob), &accept).await, "not-found");
    }
    assert_eq!(world.holder("invitation.pending", &format!("{acme}/digest-of-eve")).await, None);
    assert!(sent::is_readable(&world, foreign).await);
    let accept = invitation::Accept { invitation_id: foreign, token_hash: None };
    world.done(&signed_in(bob), &accept).await;
}

/// Invitations that wait, as far as a purge can see.
struct Crowd(OrganizationId);

impl UseCase for Crowd {
    type Answer = ();

    fn authorise(&self, _caller: &Caller) -> Result<(), Denied> {
        Ok(())
    }

    async fn run(&self, unit: &mut Unit<'_>) -> Result<(), Refusal> {
        for number in 0..=10_000 {
            let key = format!("{}/{number}", self.0);
            unit.claim(Claim::take("invitation.pending", key, mint()));
        }
        Ok(())
    }
}

#[tokio::test]
async fn a_purge_waits_while_too_many_invitations_do() {
    let world = World::new().await;
    let ada = world.human("ada").await;
    let organization_id = world.organization(ada, "acme").await;
    let system = Caller::system();
    world.done(&system, &Crowd(organization_id)).await;
    world.done(&system, &Archive { organization_id, reason: "closing".into() }).await;
    world.pass(TimeDelta::days(91));
    let admin = world.admin(ada).await;
    let outcome = world.ask(&admin, &Purge { organization_id }).await;
    assert!(matches!(outcome, Err(CommandError::Refused(Refusal::Overloaded))), "{outcome:?}");
}
