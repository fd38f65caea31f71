//! Query 14.

use domain::{
    kernel::testing::at,
    organization::{
        IdentityProviderId, OrganizationId,
        identity_provider::{IdentityProviderEvent, VerificationMethod},
        organization::OrganizationEvent,
    },
};
use projections::organization::identity_providers;

use super::{Tenants, facts, pages};
use crate::support::mint;

impl Tenants {
    pub(super) async fn provider(
        &self,
        organization: OrganizationId,
        domain: &str,
        later: &[IdentityProviderEvent],
    ) -> IdentityProviderId {
        let id = IdentityProviderId::from_uuid(mint());
        let events = [&[facts::provider(organization, id, domain)], later].concat();
        self.record(organization, id, &events).await;
        id
    }
}

fn verified(domain: &str) -> IdentityProviderEvent {
    IdentityProviderEvent::DomainVerified {
        domain: domain.into(),
        method: VerificationMethod::DnsTxt,
        verified_domains: vec![domain.into()],
    }
}

#[tokio::test]
async fn an_organization_sees_its_providers_as_configured() {
    let tenants = Tenants::new().await;
    let acme = tenants.acme;
    let challenged =
        IdentityProviderEvent::DomainChallenged { domain: "a.org".into(), token: "token".into() };
    let first = tenants.provider(acme, "a.org", &[challenged]).await;
    let second = tenants.provider(acme, "b.org", &[]).await;
    let removed = IdentityProviderEvent::Removed { released_domains: Vec::new() };
    let gone = tenants.provider(acme, "c.org", &[removed]).await;
    let foreign = tenants.provider(tenants.other, "d.org", &[]).await;
    let reader = tenants.folded().await;

    let rows =
        pages(async |page| identity_providers::list(&reader, acme, &page).await.unwrap()).await;
    assert_eq!(rows.iter().map(|row| row.id).collect::<Vec<_>>(), [first, second]);
    let row = identity_providers::by_id(&reader, acme, first).await.unwrap().unwrap();
    assert_eq!(row.challenge(), Some(("a.org", "token")));
    assert_eq!(row.saml_metadata.as_deref(), Some("<EntityDescriptor\tID=\"a\\b\"/>\n"));
    assert_eq!(row.certificates, ["-----BEGIN CERTIFICATE-----\nMIIC\n"]);
    assert_eq!(row.default_role_ids.len(), 1);
    for hidden in [gone, foreign] {
        let row = identity_providers::by_id(&reader, acme, hidden).await.unwrap();
        assert_eq!(row, None);
    }
}

#[tokio::test]
async fn a_domain_leads_to_the_provider_that_is_on_and_has_proved_it() {
    let tenants = Tenants::new().await;
    let enabled = || IdentityProviderEvent::Enabled { enforce_sso: false };
    let on = tenants.provider(tenants.acme, "a.org", &[verified("a.org"), enabled()]).await;
    tenants.provider(tenants.other, "b.org", &[verified("b.org")]).await;
    tenants.provider(tenants.other, "c.org", &[enabled()]).await;
    let gone = tenants.world.organization("gone").await;
    tenants.provider(gone, "e.org", &[verified("e.org"), enabled()]).await;
    let archived = OrganizationEvent::Archived {
        reason: "over".into(),
        purge_after: at(0),
        by_operator: false,
    };
    tenants.record_after(gone, gone, 1, &[archived]).await;
    let reader = tenants.folded().await;
    let found = identity_providers::discover(&reader, "A.org").await.unwrap().unwrap();
    assert_eq!(found.id, on);
    for nowhere in ["b.org", "c.org", "d.org", "e.org"] {
        assert_eq!(identity_providers::discover(&reader, nowhere).await.unwrap(), None);
    }
}
