//! Owns `organization.identity_providers`: how members of a tenant sign on with its own directory.

use domain::{
    kernel::{DomainEvent, Recorded, Timestamp},
    organization::{
        IdentityProviderId, OrganizationId, RoleId,
        identity_provider::{
            IdentityProviderEvent, IdentityProviderKind, IdentityProviderStatus, Settings,
        },
    },
};
use serde_json::{Map, Value};

use crate::{
    At, Fault, Fold, Key, Page, PageRequest, QueryError, Reader, Std, Sweep, TenantScope, Touch,
    query::Query, required, row,
};

row! {
    /// A connection to an organization's own sign-on.
    pub struct IdentityProviderRow in organization.identity_providers scope(TenantScope)
    key(id: IdentityProviderId) unique() {
        /// Its id.
        id: IdentityProviderId,
        /// Whose sign-on it is.
        organization_id: OrganizationId,
        /// The protocol it speaks.
        kind: IdentityProviderKind,
        /// Where it stands.
        status: IdentityProviderStatus,
        /// For people to read.
        display_name: String,
        /// OIDC: who signs the tokens.
        issuer: Option<String>,
        /// OIDC: what the provider calls us.
        client_id: Option<String>,
        /// OIDC: where our secret is kept.
        client_secret_ref: Option<String>,
        /// OIDC: where its configuration is.
        discovery_url: Option<String>,
        /// SAML: what the provider calls itself.
        saml_entity_id: Option<String>,
        /// SAML: where to send people.
        saml_sso_url: Option<String>,
        /// SAML: its description of itself.
        saml_metadata: Option<String>,
        /// SAML: the certificates it signs with.
        certificates: Vec<String>,
        /// The domains of the addresses it answers for.
        email_domains: Vec<String>,
        /// Those the organization has shown to control.
        verified_domains: Vec<String>,
        /// The newest open challenge; [`IdentityProviderRow::challenge`] takes it apart.
        domain_challenge: Option<String>,
        /// Which of its attributes fill which of ours.
        attribute_mapping: Map<String, Value>,
        /// Whether whoever it vouches for becomes a member.
        jit_enabled: bool,
        /// The roles such a member gets.
        default_role_ids: Vec<RoleId>,
        /// Whether it is the only way in.
        enforce_sso: bool,
    }
}

impl IdentityProviderRow {
    /// The domain asked about last and the token that must be found there, unless it was found.
    #[must_use]
    pub fn challenge(&self) -> Option<(&str, &str)> {
        self.domain_challenge.as_deref()?.split_once('=')
    }

    fn configured_as(self, settings: &Settings) -> Self {
        let Settings {
            display_name,
            issuer,
            client_id,
            client_secret_ref,
            discovery_url,
            saml_entity_id,
            saml_sso_url,
            saml_metadata,
            certificates,
            email_domains,
            attribute_mapping,
            jit_enabled,
            default_role_ids,
        } = settings.clone();
        Self {
            display_name,
            issuer,
            client_id,
            client_secret_ref,
            discovery_url,
            saml_entity_id,
            saml_sso_url,
            saml_metadata,
            certificates,
            email_domains,
            attribute_mapping,
            jit_enabled,
            default_role_ids,
            ..self
        }
    }

    /// A challenge is moot once its domain is verified, or not among the provider's any more.
    fn without_moot_challenge(self) -> Self {
        let is_open = self.challenge().is_some_and(|(domain, _)| {
            let among = |domains: &[String]| domains.iter().any(|known| known == domain);
            among(&self.email_domains) && !among(&self.verified_domains)
        });
        Self { domain_challenge: self.domain_challenge.filter(|_| is_open), ..self }
    }
}

/// The fold of `organization.identity_providers`.
#[derive(Debug)]
pub struct IdentityProviders;

impl Fold for IdentityProviders {
    type Row = IdentityProviderRow;
    type Event = IdentityProviderEvent;
    type Part<'e> = &'e IdentityProviderEvent;
    const VERSION: u16 = 1;
    const HOME: Option<&'static str> = Some(IdentityProviderEvent::CATEGORY);
    const SWEEPS: &'static [Sweep] = &[Sweep::Purged("organization_id")];

    fn touches(
        event: &Recorded<IdentityProviderEvent>,
    ) -> Vec<Touch<Key<Self>, &IdentityProviderEvent>> {
        use IdentityProviderEvent as E;
        let id = IdentityProviderId::from_uuid(event.envelope.stream);
        let fact = &event.event;
        match fact {
            E::Configured { .. } => vec![Touch::New(id, fact)],
            E::Updated { .. }
            | E::DomainChallenged { .. }
            | E::DomainVerified { .. }
            | E::Enabled { .. }
            | E::Disabled { .. }
            | E::OwnerLoginRecorded {}
            | E::Removed { .. } => vec![Touch::Row(id, fact)],
        }
    }

    fn fold(
        row: Option<IdentityProviderRow>,
        event: &IdentityProviderEvent,
        _at: &At<'_>,
    ) -> Result<Option<IdentityProviderRow>, Fault> {
        use IdentityProviderEvent as E;
        use IdentityProviderStatus as S;
        if let E::Configured { identity_provider_id, organization_id, kind, settings } = event {
            let blank = blank(*identity_provider_id, *organization_id, *kind);
            return Ok(Some(blank.configured_as(settings)));
        }
        let row = required(row)?;
        Ok(Some(match event {
            E::Configured { .. } | E::OwnerLoginRecorded {} => row,
            E::Updated { settings, verified_domains, enforce_sso, owner_came_in: _ } => {
                let verified_domains = verified_domains.clone();
                IdentityProviderRow { verified_domains, enforce_sso: *enforce_sso, ..row }
                    .configured_as(settings)
                    .without_moot_challenge()
            }
            E::DomainChallenged { domain, token } => {
                IdentityProviderRow { domain_challenge: Some(format!("{domain}={token}")), ..row }
            }
            E::DomainVerified { domain: _, method: _, verified_domains } => {
                let verified_domains = verified_domains.clone();
                IdentityProviderRow { verified_domains, ..row }.without_moot_challenge()
            }
            E::Enabled { enforce_sso } => {
                IdentityProviderRow { status: S::Active, enforce_sso: *enforce_sso, ..row }
            }
            E::Disabled { reason: _ } => {
                IdentityProviderRow { status: S::Disabled, enforce_sso: false, ..row }
            }
            E::Removed { released_domains: _ } => return Ok(None),
        }))
    }
}

/// A draft before its settings.
fn blank(
    id: IdentityProviderId,
    organization_id: OrganizationId,
    kind: IdentityProviderKind,
) -> IdentityProviderRow {
    IdentityProviderRow {
        id,
        organization_id,
        kind,
        status: IdentityProviderStatus::Draft,
        display_name: String::new(),
        issuer: None,
        client_id: None,
        client_secret_ref: None,
        discovery_url: None,
        saml_entity_id: None,
        saml_sso_url: None,
        saml_metadata: None,
        certificates: Vec::new(),
        email_domains: Vec::new(),
        verified_domains: Vec::new(),
        domain_challenge: None,
        attribute_mapping: Map::new(),
        jit_enabled: false,
        default_role_ids: Vec::new(),
        enforce_sso: false,
        std: Std::default(),
    }
}

/// A place in a list: oldest first.
pub type Place = (Timestamp, IdentityProviderId);

/// Query 14: the identity providers of an organization, oldest first.
///
/// # Errors
/// If the database cannot be asked.
pub async fn list(
    reader: &Reader,
    organization: OrganizationId,
    page: &PageRequest<Place>,
) -> Result<Page<IdentityProviderRow, Place>, QueryError> {
    let scope = TenantScope::Organization(organization);
    let mut query = Query::of::<IdentityProviderRow>(&scope);
    scope.narrow(&mut query, "t.organization_id");
    if let Some((created, id)) = page.after {
        query.push(" AND (t.created_at, t.id) > (").push_bind(created);
        query.push(", ").push_bind(id.uuid()).push(")");
    }
    query.push(" ORDER BY t.created_at, t.id");
    let place = |row: &IdentityProviderRow| (row.std.created_at, row.id);
    reader.page(query, page, place).await
}

/// One identity provider of an organization.
///
/// # Errors
/// If the database cannot be asked.
pub async fn by_id(
    reader: &Reader,
    organization: OrganizationId,
    id: IdentityProviderId,
) -> Result<Option<IdentityProviderRow>, QueryError> {
    let scope = TenantScope::Organization(organization);
    let mut query = Query::of::<IdentityProviderRow>(&scope);
    scope.narrow(&mut query, "t.organization_id");
    query.push(" AND t.id = ").push_bind(id.uuid());
    reader.one(query).await
}

/// Query 14: where people whose addresses are of a domain sign on; none if nowhere but here.
/// For strangers, hence of all organizations, save those in the archive: nobody goes to work there.
///
/// # Errors
/// If the database cannot be asked.
pub async fn discover(
    reader: &Reader,
    domain: &str,
) -> Result<Option<IdentityProviderRow>, QueryError> {
    let mut query = Query::of::<IdentityProviderRow>(&TenantScope::Platform);
    query.push(" AND t.status = 'active' AND t.verified_domains @> ARRAY[lower(");
    query.push_bind(domain.to_owned());
    query.push(
        ")] AND EXISTS (SELECT FROM organization.organizations o
                         WHERE o.id = t.organization_id AND o.status <> 'archived')",
    );
    // A domain is claimed by one organization, which may have two providers for it.
    query.push(" ORDER BY t.enforce_sso DESC, t.created_at, t.id LIMIT 1");
    reader.one(query).await
}

#[cfg(test)]
mod tests {
    use domain::organization::identity_provider::VerificationMethod;

    use super::*;
    use crate::testing::{id, row, rows, stream};

    fn settings(domains: &[&str]) -> Settings {
        Settings {
            display_name: "Example sign-on".into(),
            issuer: Some("https://login.example.org".into()),
            client_id: Some("commonhold".into()),
            email_domains: domains.iter().map(|&name| name.to_owned()).collect(),
            jit_enabled: true,
            ..Settings::default()
        }
    }

    fn configured() -> IdentityProviderEvent {
        IdentityProviderEvent::Configured {
            identity_provider_id: IdentityProviderId::from_uuid(id(4)),
            organization_id: OrganizationId::from_uuid(id(1)),
            kind: IdentityProviderKind::Oidc,
            settings: settings(&["a.org", "b.org"]),
        }
    }

    fn challenged(domain: &str) -> IdentityProviderEvent {
        IdentityProviderEvent::DomainChallenged { domain: domain.into(), token: "to=ken".into() }
    }

    fn verified(domain: &str) -> IdentityProviderEvent {
        IdentityProviderEvent::DomainVerified {
            domain: domain.into(),
            method: VerificationMethod::DnsTxt,
            verified_domains: vec![domain.into()],
        }
    }

    fn after(later: impl IntoIterator<Item = IdentityProviderEvent>) -> IdentityProviderRow {
        row::<IdentityProviders>(&stream(id(4), None, [configured()].into_iter().chain(later)))
    }

    #[test]
    fn it_starts_as_a_draft_with_its_settings() {
        let row = after([]);
        assert_eq!((row.status, row.enforce_sso), (IdentityProviderStatus::Draft, false));
        assert_eq!(row.issuer.as_deref(), Some("https://login.example.org"));
        assert_eq!(row.email_domains, ["a.org", "b.org"]);
        assert!(row.jit_enabled && row.verified_domains.is_empty());
    }

    #[test]
    fn a_challenge_is_open_until_its_own_domain_is_verified() {
        assert_eq!(after([challenged("a.org")]).challenge(), Some(("a.org", "to=ken")));
        let row = after([challenged("a.org"), challenged("b.org"), verified("a.org")]);
        assert_eq!(row.challenge(), Some(("b.org", "to=ken")));
        assert_eq!(row.verified_domains, ["a.org"]);
        assert_eq!(after([challenged("a.org"), verified("a.org")]).challenge(), None);
    }

    #[test]
    fn new_settings_take_domains_and_challenges_with_them() {
        let updated = IdentityProviderEvent::Updated {
            settings: settings(&["a.org"]),
            verified_domains: vec!["a.org".into()],
            enforce_sso: false,
            owner_came_in: false,
        };
        let row = after([verified("a.org"), challenged("b.org"), updated]);
        assert_eq!((row.email_domains.len(), row.challenge()), (1, None));
        assert_eq!(row.verified_domains, ["a.org"]);
    }

    #[test]
    fn once_disabled_it_is_not_the_only_way_in() {
        let enabled = || IdentityProviderEvent::Enabled { enforce_sso: true };
        let row = after([enabled()]);
        assert_eq!((row.status, row.enforce_sso), (IdentityProviderStatus::Active, true));
        let row = after([enabled(), IdentityProviderEvent::Disabled { reason: "moving".into() }]);
        assert_eq!((row.status, row.enforce_sso), (IdentityProviderStatus::Disabled, false));
    }

    #[test]
    fn a_removed_one_leaves_no_row() {
        let removed = IdentityProviderEvent::Removed { released_domains: Vec::new() };
        assert!(
            rows::<IdentityProviders>(&stream(id(4), None, [configured(), removed])).is_empty()
        );
    }
}
