//! Query 13, and the look-up by a key's public part.

use domain::{
    kernel::testing::at,
    organization::{
        ApiKeyId, OrganizationId, ServicePrincipalId, WorkspaceId,
        service_principal::ServicePrincipalEvent,
    },
};
use projections::organization::api_keys::{self, Filter};

use super::{Tenants, facts, pages};
use crate::support::mint;

impl Tenants {
    /// A new principal with a key; further events follow.
    pub(super) async fn key(
        &self,
        (organization, workspace): (OrganizationId, Option<WorkspaceId>),
        prefix: &str,
        later: impl Fn(ApiKeyId) -> Vec<ServicePrincipalEvent>,
    ) -> (ServicePrincipalId, ApiKeyId) {
        let (principal, id) = (ServicePrincipalId::from_uuid(mint()), ApiKeyId::from_uuid(mint()));
        let first = [
            facts::principal(organization, principal),
            facts::key(organization, workspace, id, prefix),
        ];
        self.record(organization, principal, &[&first, later(id).as_slice()].concat()).await;
        (principal, id)
    }
}

pub(super) fn revoked(key_id: ApiKeyId) -> Vec<ServicePrincipalEvent> {
    vec![ServicePrincipalEvent::KeyRevoked {
        key_id,
        reason: "leaked".into(),
        revoked_by: mint(),
        revoked_at: at(5),
    }]
}

pub(super) fn used(key_id: ApiKeyId) -> Vec<ServicePrincipalEvent> {
    let ip = Some("2001:db8::1".to_owned().into());
    vec![ServicePrincipalEvent::KeyUsed { key_id, at: at(9), ip }]
}

#[tokio::test]
async fn keys_are_listed_newest_first_and_never_anothers() {
    let tenants = Tenants::new().await;
    let (acme, other) = (tenants.acme, tenants.other);
    let (_, ended) = tenants.key((acme, None), "key_aaaaaaaa", revoked).await;
    let (principal, live) = tenants.key((acme, None), "key_bbbbbbbb", |_| Vec::new()).await;
    let (_, foreign) = tenants.key((other, None), "key_cccccccc", |_| Vec::new()).await;
    let reader = tenants.folded().await;

    let list = async |filter: Filter| {
        let rows = pages(async |page| api_keys::list(&reader, acme, &filter, &page).await.unwrap());
        rows.await.into_iter().map(|row| row.id).collect::<Vec<_>>()
    };
    assert_eq!(list(Filter::default()).await, [live, ended]);
    let at_instant = |now| Filter { live_at: Some(now), ..Filter::default() };
    assert_eq!(list(at_instant(at(99))).await, [live]);
    assert_eq!(list(at_instant(at(100))).await, []);
    let of = Filter { principal: Some(principal), ..Filter::default() };
    assert_eq!(list(of).await, [live]);
    assert!(api_keys::by_id(&reader, acme, ended).await.unwrap().is_some());
    assert_eq!(api_keys::by_id(&reader, acme, foreign).await.unwrap(), None);
}

#[tokio::test]
async fn the_use_of_a_key_does_not_edit_it() {
    let tenants = Tenants::new().await;
    let (principal, id) = tenants.key((tenants.acme, None), "key_aaaaaaaa", used).await;
    let reader = tenants.folded().await;
    let row = api_keys::by_id(&reader, tenants.acme, id).await.unwrap().unwrap();
    assert_eq!((row.prefix.as_str(), row.principal_id), ("key_aaaaaaaa", principal));
    assert_eq!(row.last_used_at, Some(at(9)));
    assert_eq!(row.last_used_ip, "2001:db8::1".parse().ok());
    assert_eq!(row.key_id, Some(tenants.acme.key()));
    assert_eq!(row.std.stream_version, 2, "the issue, not the use");
    assert!(row.is_live(at(99)));
}
