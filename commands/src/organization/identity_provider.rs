//! Use cases of an identity provider.
//!
//! Owns that a verified e-mail domain belongs to one provider of the whole platform. What was
//! found at a domain is looked up at the edge.

use domain::{
    kernel::Version,
    organization::{
        IdentityProviderId, OrganizationId, Scope,
        identity_provider::{
            Configure as New, IdentityProvider, IdentityProviderCommand, IdentityProviderKind,
            Settings, VerificationMethod,
        },
    },
    permissions,
};
use serde::{Deserialize, Serialize};

use super::{claims, guard, role_assignment};
use crate::{Caller, Denied, Handle, Refusal, Unit, UseCase};

/// Sets up sign-on, as a draft.
#[derive(Debug, Clone)]
pub struct Configure {
    /// Whose.
    pub organization_id: OrganizationId,
    /// The protocol, for ever.
    pub kind: IdentityProviderKind,
    /// How to reach it.
    pub settings: Settings,
}

/// The identity provider that was set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Configured {
    /// Its id.
    pub identity_provider_id: IdentityProviderId,
}

impl UseCase for Configure {
    type Answer = Configured;

    fn authorise(&self, caller: &Caller) -> Result<(), Denied> {
        require(caller, self.organization_id)
    }

    async fn run(&self, unit: &mut Unit<'_>) -> Result<Configured, Refusal> {
        let organization_id = self.organization_id;
        guard::open(unit, organization_id).await?;
        promise(unit, organization_id, &self.settings).await?;
        let identity_provider_id = IdentityProviderId::from_uuid(unit.ctx().mint());
        let (kind, settings) = (self.kind, self.settings.clone());
        let configure = New { identity_provider_id, organization_id, kind, settings };
        let provider = unit.begin::<IdentityProvider>(identity_provider_id);
        unit.decide(provider, &IdentityProviderCommand::Configure(Box::new(configure)))?;
        Ok(Configured { identity_provider_id })
    }
}

/// Replaces the settings; a domain that is no longer among them is free for others.
#[derive(Debug, Clone)]
pub struct Update {
    /// Whose.
    pub organization_id: OrganizationId,
    /// Which.
    pub identity_provider_id: IdentityProviderId,
    /// The version the client has seen.
    pub seen: Option<Version>,
    /// How to reach it.
    pub settings: Settings,
}

impl UseCase for Update {
    type Answer = ();

    fn authorise(&self, caller: &Caller) -> Result<(), Denied> {
        require(caller, self.organization_id)
    }

    async fn run(&self, unit: &mut Unit<'_>) -> Result<(), Refusal> {
        let id = self.identity_provider_id;
        let provider = load(unit, self.organization_id, id).await?;
        unit.expect(provider, self.seen)?;
        let before = unit.state(provider).present()?.clone();
        if self.settings.default_role_ids != before.settings.default_role_ids {
            promise(unit, self.organization_id, &self.settings).await?;
        }
        let command = IdentityProviderCommand::Update(Box::new(self.settings.clone()));
        unit.decide(provider, &command)?;
        let kept = unit.state(provider).present()?.verified_domains.clone();
        let dropped = before.verified_domains.into_iter().filter(|domain| !kept.contains(domain));
        release(unit, self.organization_id, id, dropped);
        Ok(())
    }
}

/// Asks for a proof of control of a domain.
#[derive(Debug, Clone)]
pub struct ChallengeDomain {
    /// Whose.
    pub organization_id: OrganizationId,
    /// Which.
    pub identity_provider_id: IdentityProviderId,
    /// One of its domains.
    pub domain: String,
    /// What must be found there; it is public, and becomes readable in the settings.
    pub token: String,
}

impl UseCase for ChallengeDomain {
    type Answer = ();

    fn authorise(&self, caller: &Caller) -> Result<(), Denied> {
        require(caller, self.organization_id)
    }

    async fn run(&self, unit: &mut Unit<'_>) -> Result<(), Refusal> {
        let provider = load(unit, self.organization_id, self.identity_provider_id).await?;
        let (domain, token) = (self.domain.clone(), self.token.clone());
        unit.decide(provider, &IdentityProviderCommand::ChallengeDomain { domain, token })
    }
}

/// Shows the proof of control of a domain.
#[derive(Debug, Clone)]
pub struct VerifyDomain {
    /// Whose.
    pub organization_id: OrganizationId,
    /// Which.
    pub identity_provider_id: IdentityProviderId,
    /// One of its domains.
    pub domain: String,
    /// Where the edge looked.
    pub method: VerificationMethod,
    /// What it found there.
    pub found: Vec<String>,
}

impl UseCase for VerifyDomain {
    type Answer = ();

    /// The word of those who run the platform is a proof only if one of them gives it.
    fn authorise(&self, caller: &Caller) -> Result<(), Denied> {
        if self.method == VerificationMethod::Operator {
            caller.require(permissions::ORGANIZATION_ORGANIZATION_OPERATE)?;
        }
        require(caller, self.organization_id)
    }

    async fn run(&self, unit: &mut Unit<'_>) -> Result<(), Refusal> {
        let id = self.identity_provider_id;
        let provider = load(unit, self.organization_id, id).await?;
        let (domain, method, found) = (self.domain.clone(), self.method, self.found.clone());
        unit.decide(provider, &IdentityProviderCommand::VerifyDomain { domain, method, found })?;
        if unit.changed(provider) {
            let domain = self.domain.to_lowercase();
            let taken = claims::take_domain(self.organization_id, id, &domain);
            taken.into_iter().for_each(|claim| unit.claim(claim));
        }
        Ok(())
    }
}

/// Lets people sign on.
#[derive(Debug, Clone, Copy)]
pub struct Enable {
    /// Whose.
    pub organization_id: OrganizationId,
    /// Which.
    pub identity_provider_id: IdentityProviderId,
    /// Lets them in no other way.
    pub enforce_sso: bool,
}

impl UseCase for Enable {
    type Answer = ();

    fn authorise(&self, caller: &Caller) -> Result<(), Denied> {
        require(caller, self.organization_id)
    }

    async fn run(&self, unit: &mut Unit<'_>) -> Result<(), Refusal> {
        let provider = load(unit, self.organization_id, self.identity_provider_id).await?;
        let enforce_sso = self.enforce_sso;
        unit.decide(provider, &IdentityProviderCommand::Enable { enforce_sso })
    }
}

/// Lets nobody sign on.
#[derive(Debug, Clone)]
pub struct Disable {
    /// Whose.
    pub organization_id: OrganizationId,
    /// Which.
    pub identity_provider_id: IdentityProviderId,
    /// Why, for the record.
    pub reason: String,
}

impl UseCase for Disable {
    type Answer = ();

    fn authorise(&self, caller: &Caller) -> Result<(), Denied> {
        require(caller, self.organization_id)
    }

    async fn run(&self, unit: &mut Unit<'_>) -> Result<(), Refusal> {
        let provider = load(unit, self.organization_id, self.identity_provider_id).await?;
        let reason = self.reason.clone();
        unit.decide(provider, &IdentityProviderCommand::Disable { reason })
    }
}

/// Notes that an owner came in through it.
#[derive(Debug, Clone, Copy)]
pub struct RecordOwnerLogin {
    /// Whose.
    pub organization_id: OrganizationId,
    /// Which.
    pub identity_provider_id: IdentityProviderId,
}

impl UseCase for RecordOwnerLogin {
    type Answer = ();

    fn authorise(&self, caller: &Caller) -> Result<(), Denied> {
        guard::system(caller)
    }

    async fn run(&self, unit: &mut Unit<'_>) -> Result<(), Refusal> {
        let provider = load(unit, self.organization_id, self.identity_provider_id).await?;
        unit.decide(provider, &IdentityProviderCommand::RecordOwnerLogin)
    }
}

/// Forgets it; its domains are free for others.
#[derive(Debug, Clone, Copy)]
pub struct Remove {
    /// Whose.
    pub organization_id: OrganizationId,
    /// Which.
    pub identity_provider_id: IdentityProviderId,
}

impl UseCase for Remove {
    type Answer = ();

    fn authorise(&self, caller: &Caller) -> Result<(), Denied> {
        require(caller, self.organization_id)
    }

    async fn run(&self, unit: &mut Unit<'_>) -> Result<(), Refusal> {
        let id = self.identity_provider_id;
        let provider = load(unit, self.organization_id, id).await?;
        let verified = unit.state(provider).present()?.verified_domains.clone();
        unit.decide(provider, &IdentityProviderCommand::Remove)?;
        release(unit, self.organization_id, id, verified);
        Ok(())
    }
}

fn require(caller: &Caller, organization: OrganizationId) -> Result<(), Denied> {
    caller.require_in(organization, permissions::ORGANIZATION_IDENTITY_PROVIDER_MANAGE)
}

async fn load(
    unit: &mut Unit<'_>,
    organization: OrganizationId,
    id: IdentityProviderId,
) -> Result<Handle<IdentityProvider>, Refusal> {
    guard::open(unit, organization).await?;
    unit.load_in(organization, id).await
}

/// Whoever says what newcomers may do gives it to them.
async fn promise(
    unit: &mut Unit<'_>,
    organization: OrganizationId,
    settings: &Settings,
) -> Result<(), Refusal> {
    let author = guard::author(&unit.ctx().caller, Some(organization));
    let scope = Scope::Organization(organization);
    role_assignment::promise(unit, &settings.default_role_ids, scope, &author).await
}

fn release(
    unit: &mut Unit<'_>,
    organization: OrganizationId,
    id: IdentityProviderId,
    domains: impl IntoIterator<Item = String>,
) {
    for domain in domains {
        let released = claims::release_domain(organization, id, &domain);
        released.into_iter().for_each(|claim| unit.claim(claim));
    }
}
