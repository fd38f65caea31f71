//! The identity provider: an organization's connection to its own sign-on.
//!
//! Owns the settings, the proof that the organization controls its e-mail domains, and whether
//! sign-on is on. Refuses to be on without a verified domain, and to be the only way in before
//! an owner has come in that way. A domain belongs to one organization by a claim of the use case.

use std::collections::BTreeMap;

use super::{IdentityProviderId, OrganizationId};
use crate::{
    events,
    kernel::{Aggregate, DomainError, KeyId, Kind, TenantId, Timestamp},
    text_enum,
};

mod settings;

pub use settings::{MAX_DOMAINS, Settings, SettingsError};

text_enum! {
    /// The protocol an identity provider speaks.
    pub enum IdentityProviderKind {
        /// OpenID Connect.
        Oidc = "oidc",
        /// SAML 2.0.
        Saml = "saml",
    }
}

text_enum! {
    /// Where an identity provider stands.
    pub enum IdentityProviderStatus {
        /// Not yet in use.
        Draft = "draft",
        /// People sign on through it.
        Active = "active",
        /// Out of use.
        Disabled = "disabled",
    }
}

text_enum! {
    /// Where the proof of a domain was found.
    pub enum VerificationMethod {
        /// In a TXT record of the domain.
        DnsTxt = "dns_txt",
        /// In a file below `/.well-known/` of the domain.
        WellKnown = "well_known",
        /// By somebody who runs the platform.
        Operator = "operator",
    }
}

events! {
    /// Facts of an identity provider.
    pub enum IdentityProviderEvent in "organization.identity_provider"
        quiet [OwnerLoginRecorded] =>
    {
        /// It exists from now on, as a draft.
        Configured {
            identity_provider_id: IdentityProviderId,
            organization_id: OrganizationId,
            kind: IdentityProviderKind,
            settings: Settings,
        },
        /// Its settings, which of its domains are still verified, whether it is the only way in and
        /// whether an owner has come in by these settings, as they stand after.
        Updated {
            settings: Settings,
            verified_domains: Vec<String>,
            enforce_sso: bool,
            owner_came_in: bool,
        },
        /// The token stands at the domain once its owner has put it there.
        DomainChallenged { domain: String, token: String },
        /// The token was found; `verified_domains` are all of them after.
        DomainVerified {
            domain: String,
            method: VerificationMethod,
            verified_domains: Vec<String>,
        },
        /// People sign on through it from now on; with `enforce_sso` in no other way.
        Enabled { enforce_sso: bool },
        /// Nobody signs on through it, and nobody has to.
        Disabled { reason: String },
        /// An owner of the organization came in through it.
        OwnerLoginRecorded {},
        /// It is gone, and `released_domains` are free for others.
        Removed { released_domains: Vec<String> },
    }
}

/// What may be asked of an identity provider.
#[derive(Debug, Clone, PartialEq)]
pub enum IdentityProviderCommand {
    /// Bring it into being.
    Configure(Box<Configure>),
    /// Replace its settings.
    Update(Box<Settings>),
    /// Ask for a proof of control of a domain.
    ChallengeDomain {
        /// One of its domains.
        domain: String,
        /// What must be found there, minted by the caller.
        token: String,
    },
    /// Show the proof.
    VerifyDomain {
        /// One of its domains.
        domain: String,
        /// Where the caller looked.
        method: VerificationMethod,
        /// What the caller found there.
        found: Vec<String>,
    },
    /// Let people sign on through it.
    Enable {
        /// Let them in no other way.
        enforce_sso: bool,
    },
    /// Let nobody sign on through it.
    Disable {
        /// Why, for the record.
        reason: String,
    },
    /// Note that an owner of the organization came in through it.
    RecordOwnerLogin,
    /// Forget it.
    Remove,
}

/// The content of [`IdentityProviderCommand::Configure`].
#[derive(Debug, Clone, PartialEq)]
pub struct Configure {
    /// Its id, minted by the caller.
    pub identity_provider_id: IdentityProviderId,
    /// Whose sign-on it is.
    pub organization_id: OrganizationId,
    /// The protocol it speaks, for ever.
    pub kind: IdentityProviderKind,
    /// How to reach it.
    pub settings: Settings,
}

/// Why an identity provider refuses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentityProviderError {
    /// It does not exist, or no more.
    #[error("this identity provider does not exist")]
    Missing,
    /// The id is taken, or was once.
    #[error("this identity provider id was already used")]
    IdRetired,
    /// The settings do not suffice.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// It does not answer for this domain.
    #[error("`{0}` is not among the e-mail domains of this identity provider")]
    DomainUnknown(String),
    /// First comes the challenge.
    #[error("no proof was asked for `{0}` yet")]
    NotChallenged(String),
    /// The token is not there.
    #[error("the proof for `{0}` was not found there")]
    ProofMissing(String),
    /// Sign-on needs a domain.
    #[error("at least one e-mail domain must be verified while sign-on is active")]
    NoVerifiedDomain,
    /// Nobody may be locked out by a mistake in the settings.
    #[error("an owner must sign on through this provider before it becomes the only way in")]
    NoOwnerLogin,
    /// Not from this status.
    #[error("not possible while the identity provider is {0}")]
    WrongStatus(IdentityProviderStatus),
}

impl DomainError for IdentityProviderError {
    fn code(&self) -> &'static str {
        match self {
            Self::Missing => "not-found",
            Self::IdRetired => "id-retired",
            Self::Settings(error) => error.code(),
            Self::DomainUnknown(_) => "identity-provider-domain-unknown",
            Self::NotChallenged(_) => "identity-provider-not-challenged",
            Self::ProofMissing(_) => "identity-provider-proof-missing",
            Self::NoVerifiedDomain => "identity-provider-no-verified-domain",
            Self::NoOwnerLogin => "identity-provider-no-owner-login",
            Self::WrongStatus(_) => "identity-provider-wrong-status",
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::Missing => Kind::Missing,
            Self::Settings(error) => error.kind(),
            Self::IdRetired
            | Self::DomainUnknown(_)
            | Self::NotChallenged(_)
            | Self::ProofMissing(_)
            | Self::NoVerifiedDomain
            | Self::NoOwnerLogin
            | Self::WrongStatus(_) => Kind::Conflict,
        }
    }

    fn pointer(&self) -> Option<&'static str> {
        match self {
            Self::Settings(error) => error.pointer(),
            Self::NoOwnerLogin => Some("/enforce_sso"),
            Self::Missing
            | Self::IdRetired
            | Self::DomainUnknown(_)
            | Self::NotChallenged(_)
            | Self::ProofMissing(_)
            | Self::NoVerifiedDomain
            | Self::WrongStatus(_) => None,
        }
    }
}

/// The state of an identity provider.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum IdentityProvider {
    /// Before the first event.
    #[default]
    Missing,
    /// It exists.
    Present(Box<Present>),
    /// It was removed; the id is never used again.
    Removed(OrganizationId),
}

/// What an existing identity provider remembers.
#[derive(Debug, Clone, PartialEq)]
pub struct Present {
    /// Whose sign-on it is.
    pub organization_id: OrganizationId,
    /// The protocol it speaks.
    pub kind: IdentityProviderKind,
    /// Where it stands.
    pub status: IdentityProviderStatus,
    /// How to reach it.
    pub settings: Settings,
    /// The domains the organization has shown to control, sorted.
    pub verified_domains: Vec<String>,
    /// Whether it is the only way in.
    pub enforces_sso: bool,
    challenges: BTreeMap<String, String>,
    owner_came_in: bool,
}

impl IdentityProvider {
    /// The identity provider, whatever its status.
    ///
    /// # Errors
    /// [`IdentityProviderError::Missing`], also once it was removed.
    pub fn present(&self) -> Result<&Present, IdentityProviderError> {
        match self {
            Self::Present(present) => Ok(present),
            Self::Missing | Self::Removed(_) => Err(IdentityProviderError::Missing),
        }
    }
}

impl Aggregate for IdentityProvider {
    type Id = IdentityProviderId;
    type Command = IdentityProviderCommand;
    type Event = IdentityProviderEvent;
    type Error = IdentityProviderError;

    fn decide(
        &self,
        command: &IdentityProviderCommand,
        _now: Timestamp,
    ) -> Result<Vec<IdentityProviderEvent>, IdentityProviderError> {
        match (self, command) {
            (Self::Missing, IdentityProviderCommand::Configure(configure)) => configure.decide(),
            (_, IdentityProviderCommand::Configure(_)) => Err(IdentityProviderError::IdRetired),
            (Self::Present(present), command) => present.decide(command),
            (Self::Missing | Self::Removed(_), _) => Err(IdentityProviderError::Missing),
        }
    }

    fn evolve(self, event: &IdentityProviderEvent) -> Self {
        use IdentityProviderEvent as E;
        match (self, event) {
            (_, E::Configured { organization_id, kind, settings, .. }) => {
                Self::Present(Box::new(Present {
                    organization_id: *organization_id,
                    kind: *kind,
                    status: IdentityProviderStatus::Draft,
                    settings: settings.clone(),
                    verified_domains: Vec::new(),
                    enforces_sso: false,
                    challenges: BTreeMap::new(),
                    owner_came_in: false,
                }))
            }
            (Self::Present(present), E::Removed { .. }) => Self::Removed(present.organization_id),
            (Self::Present(present), event) => Self::Present(Box::new(present.evolve(event))),
            (state @ (Self::Missing | Self::Removed(_)), _) => state,
        }
    }

    fn tenant(&self) -> TenantId {
        self.organization().map_or(TenantId::PLATFORM, OrganizationId::tenant)
    }

    fn subject(&self) -> Option<KeyId> {
        self.organization().map(OrganizationId::key)
    }
}

impl IdentityProvider {
    fn organization(&self) -> Option<OrganizationId> {
        match self {
            Self::Missing => None,
            Self::Present(present) => Some(present.organization_id),
            Self::Removed(organization_id) => Some(*organization_id),
        }
    }
}

impl Configure {
    fn decide(&self) -> Result<Vec<IdentityProviderEvent>, IdentityProviderError> {
        Ok(vec![IdentityProviderEvent::Configured {
            identity_provider_id: self.identity_provider_id,
            organization_id: self.organization_id,
            kind: self.kind,
            settings: self.settings.checked(self.kind)?,
        }])
    }
}

impl Present {
    fn decide(
        &self,
        command: &IdentityProviderCommand,
    ) -> Result<Vec<IdentityProviderEvent>, IdentityProviderError> {
        use IdentityProviderCommand as C;
        use IdentityProviderEvent as E;
        use IdentityProviderStatus as S;
        let event = match (self.status, command) {
            (_, C::Configure(_)) => return Err(IdentityProviderError::IdRetired),
            (_, C::Update(settings)) => return self.updated(settings),
            (_, C::ChallengeDomain { domain, token }) => {
                let domain = self.own(domain)?;
                if self.verified_domains.contains(&domain) {
                    return Ok(Vec::new());
                }
                E::DomainChallenged { domain, token: token.clone() }
            }
            (_, C::VerifyDomain { domain, method, found }) => {
                return self.verified(domain, *method, found);
            }
            (_, C::Enable { .. }) if self.verified_domains.is_empty() => {
                return Err(IdentityProviderError::NoVerifiedDomain);
            }
            (_, C::Enable { enforce_sso: true }) if !self.owner_came_in => {
                return Err(IdentityProviderError::NoOwnerLogin);
            }
            (S::Active, C::Enable { enforce_sso }) if *enforce_sso == self.enforces_sso => {
                return Ok(Vec::new());
            }
            (S::Draft | S::Active | S::Disabled, &C::Enable { enforce_sso }) => {
                E::Enabled { enforce_sso }
            }
            (S::Active, C::Disable { reason }) => E::Disabled { reason: reason.clone() },
            (S::Active, C::RecordOwnerLogin) if !self.owner_came_in => E::OwnerLoginRecorded {},
            (S::Disabled, C::Disable { .. }) | (S::Active, C::RecordOwnerLogin) => {
                return Ok(Vec::new());
            }
            (status, C::Disable { .. } | C::RecordOwnerLogin) => {
                return Err(IdentityProviderError::WrongStatus(status));
            }
            (_, C::Remove) => E::Removed { released_domains: self.verified_domains.clone() },
        };
        Ok(vec![event])
    }

    fn updated(
        &self,
        settings: &Settings,
    ) -> Result<Vec<IdentityProviderEvent>, IdentityProviderError> {
        let settings = settings.checked(self.kind)?;
        if settings == self.settings {
            return Ok(Vec::new());
        }
        let mut verified_domains = self.verified_domains.clone();
        verified_domains.retain(|domain| settings.email_domains.contains(domain));
        if self.status == IdentityProviderStatus::Active && verified_domains.is_empty() {
            return Err(IdentityProviderError::NoVerifiedDomain);
        }
        // Nobody has come in by another way yet, and a mistake in it would lock everybody out.
        let same_way = settings.same_way_in(&self.settings);
        Ok(vec![IdentityProviderEvent::Updated {
            settings,
            verified_domains,
            enforce_sso: same_way && self.enforces_sso,
            owner_came_in: same_way && self.owner_came_in,
        }])
    }

    fn verified(
        &self,
        domain: &str,
        method: VerificationMethod,
        found: &[String],
    ) -> Result<Vec<IdentityProviderEvent>, IdentityProviderError> {
        let domain = self.own(domain)?;
        if self.verified_domains.contains(&domain) {
            return Ok(Vec::new());
        }
        let Some(token) = self.challenges.get(&domain) else {
            return Err(IdentityProviderError::NotChallenged(domain));
        };
        if !found.contains(token) {
            return Err(IdentityProviderError::ProofMissing(domain));
        }
        let mut verified_domains = self.verified_domains.clone();
        verified_domains.push(domain.clone());
        verified_domains.sort();
        Ok(vec![IdentityProviderEvent::DomainVerified { domain, method, verified_domains }])
    }

    /// The domain in lower case, if the provider answers for it.
    fn own(&self, domain: &str) -> Result<String, IdentityProviderError> {
        let domain = domain.to_lowercase();
        if self.settings.email_domains.contains(&domain) {
            Ok(domain)
        } else {
            Err(IdentityProviderError::DomainUnknown(domain))
        }
    }

    fn evolve(mut self, event: &IdentityProviderEvent) -> Self {
        use IdentityProviderEvent as E;
        match event {
            E::Configured { .. } | E::Removed { .. } => {}
            E::Updated { settings, verified_domains, enforce_sso, owner_came_in } => {
                self.settings = settings.clone();
                self.enforces_sso = *enforce_sso;
                self.owner_came_in = *owner_came_in;
                self.verified_domains.clone_from(verified_domains);
                self.challenges.retain(|domain, _| settings.email_domains.contains(domain));
            }
            E::DomainChallenged { domain, token } => {
                self.challenges.insert(domain.clone(), token.clone());
            }
            E::DomainVerified { domain, verified_domains, .. } => {
                self.verified_domains.clone_from(verified_domains);
                self.challenges.remove(domain);
            }
            E::Enabled { enforce_sso } => {
                self.status = IdentityProviderStatus::Active;
                self.enforces_sso = *enforce_sso;
            }
            E::Disabled { .. } => {
                self.status = IdentityProviderStatus::Disabled;
                self.enforces_sso = false;
            }
            E::OwnerLoginRecorded {} => self.owner_came_in = true,
        }
        self
    }
}

#[cfg(test)]
mod tests;
