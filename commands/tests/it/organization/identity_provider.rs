//! Sign-on: domains that belong to one provider, and what newcomers may do.

use chrono::TimeDelta;
use commands::{
    Caller,
    organization::{
        identity_provider::{
            ChallengeDomain, Configure, Disable, Enable, RecordOwnerLogin, Remove, Update,
            VerifyDomain,
        },
        organization::{Archive, Purge},
        role::{MEMBER, OWNER},
    },
};
use domain::organization::{
    IdentityProviderId, OrganizationId, RoleId,
    identity_provider::{
        IdentityProvider, IdentityProviderKind, IdentityProviderStatus, Settings,
        VerificationMethod,
    },
};

use crate::support::{World, inside};

const SCOPE: &str = "organization.domain";

fn settings(domains: &[&str], roles: &[RoleId]) -> Settings {
    Settings {
        display_name: "Example sign-on".into(),
        issuer: Some("https://login.example.org".into()),
        client_id: Some("commonhold".into()),
        email_domains: domains.iter().map(|&name| name.to_owned()).collect(),
        default_role_ids: roles.to_vec(),
        ..Settings::default()
    }
}

fn configure(organization_id: OrganizationId, settings: Settings) -> Configure {
    Configure { organization_id, kind: IdentityProviderKind::Oidc, settings }
}

fn verification(
    organization_id: OrganizationId,
    identity_provider_id: IdentityProviderId,
    domain: &str,
    method: VerificationMethod,
) -> VerifyDomain {
    VerifyDomain {
        organization_id,
        identity_provider_id,
        domain: domain.into(),
        method,
        found: vec!["token".into()],
    }
}

/// A draft that has shown to control its domains.
async fn verified(
    world: &World,
    owner: &Caller,
    id: OrganizationId,
    domains: &[&str],
) -> IdentityProviderId {
    let configured = world.done(owner, &configure(id, settings(domains, &[]))).await;
    let provider = configured.identity_provider_id;
    for domain in domains {
        let challenge = ChallengeDomain {
            organization_id: id,
            identity_provider_id: provider,
            domain: (*domain).into(),
            token: "token".into(),
        };
        world.done(owner, &challenge).await;
        let verify = verification(id, provider, domain, VerificationMethod::DnsTxt);
        world.done(owner, &verify).await;
    }
    provider
}

#[tokio::test]
async fn a_domain_belongs_to_one_provider_until_it_goes() {
    let world = World::new().await;
    let (ada, bob) = (world.human("ada").await, world.human("bob").await);
    let (acme, bobs) =
        (world.organization(ada, "acme").await, world.organization(bob, "bobs").await);
    let (owner, other) = (world.owner(ada, acme).await, world.owner(bob, bobs).await);
    let provider = verified(&world, &owner, acme, &["a.org", "b.org"]).await;
    assert_eq!(world.holder(SCOPE, "a.org").await, Some(provider.uuid()));

    let rival = world.done(&other, &configure(bobs, settings(&["a.org", "b.org"], &[]))).await;
    let rival = rival.identity_provider_id;
    for domain in ["a.org", "b.org"] {
        let challenge = ChallengeDomain {
            organization_id: bobs,
            identity_provider_id: rival,
            domain: domain.into(),
            token: "token".into(),
        };
        world.done(&other, &challenge).await;
    }
    let take = |domain| verification(bobs, rival, domain, VerificationMethod::WellKnown);
    World::refused(world.ask(&other, &take("A.org")).await, SCOPE);

    let update = Update {
        organization_id: acme,
        identity_provider_id: provider,
        seen: None,
        settings: settings(&["b.org"], &[]),
    };
    world.done(&owner, &update).await;
    world.done(&other, &take("A.org")).await;
    World::refused(world.ask(&other, &take("b.org")).await, SCOPE);
    let remove = Remove { organization_id: acme, identity_provider_id: provider };
    world.done(&owner, &remove).await;
    world.done(&other, &take("b.org")).await;
}

#[tokio::test]
async fn the_domains_of_a_purged_organization_are_free() {
    let world = World::new().await;
    let (ada, bob) = (world.human("ada").await, world.human("bob").await);
    let acme = world.organization(ada, "acme").await;
    let owner = world.owner(ada, acme).await;
    verified(&world, &owner, acme, &["a.org", "b.org"]).await;
    verified(&world, &owner, acme, &["c.org"]).await;
    world.done(&owner, &Archive { organization_id: acme, reason: "closing".into() }).await;
    world.pass(TimeDelta::days(91));
    world.done(&world.admin(ada).await, &Purge { organization_id: acme }).await;
    let other = world.organization(bob, "other").await;
    let domains = ["a.org", "b.org", "c.org"];
    let provider = verified(&world, &world.owner(bob, other).await, other, &domains).await;
    for domain in domains {
        assert_eq!(world.holder(SCOPE, domain).await, Some(provider.uuid()));
    }
}

#[tokio::test]
async fn only_operators_vouch_for_a_domain() {
    let world = World::new().await;
    let ada = world.human("ada").await;
    let id = world.organization(ada, "acme").await;
    let owner = world.owner(ada, id).await;
    let provider = verified(&world, &owner, id, &["a.org"]).await;
    let vouch = verification(id, provider, "a.org", VerificationMethod::Operator);
    World::refused(world.ask(&owner, &vouch).await, "forbidden");
    world.done(&world.admin(ada).await, &vouch).await;
}

#[tokio::test]
async fn whoever_says_what_newcomers_may_do_holds_it() {
    let world = World::new().await;
    let ada = world.human("ada").await;
    let id = world.organization(ada, "acme").await;
    let clerk = inside(ada, id, ["organization.identity_provider.manage"]);
    let draft = |roles: &[RoleId]| configure(id, settings(&[], roles));
    World::refused(world.ask(&clerk, &draft(&[MEMBER])).await, "permission-not-held");
    let owner = world.owner(ada, id).await;
    World::refused(world.ask(&owner, &draft(&[OWNER])).await, "role-assignment-owner-role");
    let provider = world.done(&owner, &draft(&[MEMBER])).await.identity_provider_id;
    // What an owner promised stands when somebody else changes the rest.
    let mut settings = settings(&[], &[MEMBER]);
    settings.display_name = "Another name".into();
    let update =
        Update { organization_id: id, identity_provider_id: provider, seen: None, settings };
    world.done(&clerk, &update).await;
}

#[tokio::test]
async fn sign_on_is_enforced_after_an_owner_came_in() {
    let world = World::new().await;
    let ada = world.human("ada").await;
    let organization_id = world.organization(ada, "acme").await;
    let owner = world.owner(ada, organization_id).await;
    let identity_provider_id = verified(&world, &owner, organization_id, &["a.org"]).await;
    let enable = |enforce_sso| Enable { organization_id, identity_provider_id, enforce_sso };
    world.done(&owner, &enable(false)).await;
    let outcome = world.ask(&owner, &enable(true)).await;
    World::refused(outcome, "identity-provider-no-owner-login");
    let login = RecordOwnerLogin { organization_id, identity_provider_id };
    World::refused(world.ask(&owner, &login).await, "denied-missing");
    world.done(&Caller::system(), &login).await;
    world.done(&owner, &enable(true)).await;
    let disable = Disable { organization_id, identity_provider_id, reason: "moving".into() };
    world.done(&owner, &disable).await;
    let state = world.state::<IdentityProvider>(identity_provider_id).await;
    assert_eq!(state.present().unwrap().status, IdentityProviderStatus::Disabled);
}
