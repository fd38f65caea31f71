//! Owns `organization.api_keys`: the keys of actors that are not human, by what is public of them.
//!
//! Refuses secrets, hashed or not: whoever checks one reads the principal's stream. The address of
//! the last use is personal, under the organization's key.

use std::net::IpAddr;

use domain::{
    kernel::{DomainEvent, KeyId, Recorded, Timestamp},
    organization::{
        ApiKeyId, OrganizationId, ServicePrincipalId, WorkspaceId,
        service_principal::ServicePrincipalEvent,
    },
};
use uuid::Uuid;

use crate::{
    At, Fault, Fold, Key, Page, PageRequest, QueryError, Reader, Std, Sweep, TenantScope, Touch,
    query::Query, required, row,
};

row! {
    /// A key of a service principal.
    pub struct ApiKeyRow in organization.api_keys scope(TenantScope)
    key(id: ApiKeyId) unique() {
        /// Its id.
        id: ApiKeyId,
        /// Where it opens anything.
        organization_id: OrganizationId,
        /// The only workspace in which it does.
        workspace_id: Option<WorkspaceId>,
        /// Whose key it is; stays the same when the key is rotated.
        principal_id: ServicePrincipalId,
        /// The principal's name.
        principal_name: String,
        /// What people call the key.
        name: String,
        /// Its public part, by which it is looked up.
        prefix: String,
        /// The permissions it carries.
        scopes: Vec<String>,
        /// Who asked for it; nil for the platform.
        created_by: Uuid,
        /// The key it replaces.
        rotated_from_key_id: Option<ApiKeyId>,
        /// When it was used, to within an hour.
        last_used_at: Option<Timestamp>,
        /// From where.
        last_used_ip: Option<IpAddr>,
        /// When it ends by itself.
        expires_at: Option<Timestamp>,
        /// When it was ended.
        revoked_at: Option<Timestamp>,
        /// Who ended it; nil for the platform.
        revoked_by: Option<Uuid>,
        /// Why it was ended.
        revoked_reason: Option<String>,
        /// The key that seals the personal columns.
        key_id: Option<KeyId>,
    }
}

impl ApiKeyRow {
    /// Whether it opens anything: neither revoked nor expired.
    #[must_use]
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|end| now < end)
    }
}

/// The fold of `organization.api_keys`.
#[derive(Debug)]
pub struct ApiKeys;

impl Fold for ApiKeys {
    type Row = ApiKeyRow;
    type Event = ServicePrincipalEvent;
    type Part<'e> = &'e ServicePrincipalEvent;
    const VERSION: u16 = 1;
    const HOME: Option<&'static str> = Some(ServicePrincipalEvent::CATEGORY);
    const SWEEPS: &'static [Sweep] =
        &[Sweep::Purged("organization_id"), Sweep::Shredded(&["last_used_ip"])];

    fn touches(
        event: &Recorded<ServicePrincipalEvent>,
    ) -> Vec<Touch<Key<Self>, &ServicePrincipalEvent>> {
        use ServicePrincipalEvent as E;
        let fact = &event.event;
        match fact {
            // A principal without keys has no row.
            E::Created { .. } => Vec::new(),
            E::KeyIssued { key_id, .. } => vec![Touch::New(*key_id, fact)],
            // The new key was issued by an event of its own.
            E::KeyRotated { old_key_id, .. } => vec![Touch::Row(*old_key_id, fact)],
            E::KeyRevoked { key_id, .. } | E::KeyUsed { key_id, .. } => {
                vec![Touch::Row(*key_id, fact)]
            }
            E::Disabled { api_key_ids, .. } => {
                api_key_ids.iter().map(|key_id| Touch::Row(*key_id, fact)).collect()
            }
        }
    }

    fn fold(
        row: Option<ApiKeyRow>,
        event: &ServicePrincipalEvent,
        at: &At<'_>,
    ) -> Result<Option<ApiKeyRow>, Fault> {
        use ServicePrincipalEvent as E;
        Ok(match event {
            E::Created { .. } => row,
            E::KeyIssued { .. } => issued(event, at),
            E::KeyRotated { overlap_until, .. } => {
                Some(ApiKeyRow { expires_at: Some(*overlap_until), ..required(row)? })
            }
            E::KeyRevoked { reason, revoked_by, revoked_at, .. }
            | E::Disabled { reason, revoked_by, revoked_at, .. } => Some(ApiKeyRow {
                revoked_at: Some(*revoked_at),
                revoked_by: Some(*revoked_by),
                revoked_reason: Some(reason.clone()),
                ..required(row)?
            }),
            E::KeyUsed { at: used_at, ip, .. } => Some(ApiKeyRow {
                last_used_at: Some(*used_at),
                last_used_ip: ip.as_ref().and_then(|ip| ip.open()?.parse().ok()),
                // Of the row's columns only the address is sealed, and only by this event.
                key_id: at.envelope.key_id,
                ..required(row)?
            }),
        })
    }
}

fn issued(event: &ServicePrincipalEvent, at: &At<'_>) -> Option<ApiKeyRow> {
    let ServicePrincipalEvent::KeyIssued {
        key_id,
        principal_name,
        name,
        prefix,
        secret_hash: _,
        scopes,
        created_by,
        expires_at,
        organization_id,
        workspace_id,
        rotated_from_key_id,
    } = event
    else {
        return None;
    };
    Some(ApiKeyRow {
        id: *key_id,
        organization_id: *organization_id,
        workspace_id: *workspace_id,
        principal_id: ServicePrincipalId::from_uuid(at.envelope.stream),
        principal_name: principal_name.clone(),
        name: name.clone(),
        prefix: prefix.clone(),
        scopes: scopes.clone(),
        created_by: *created_by,
        rotated_from_key_id: *rotated_from_key_id,
        last_used_at: None,
        last_used_ip: None,
        expires_at: *expires_at,
        revoked_at: None,
        revoked_by: None,
        revoked_reason: None,
        key_id: None,
        std: Std::default(),
    })
}

/// Which keys a list holds; every given filter must hold.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Of this principal.
    pub principal: Option<ServicePrincipalId>,
    /// Opening something at this instant.
    pub live_at: Option<Timestamp>,
}

/// A place in a list: newest first.
pub type Place = (Timestamp, ApiKeyId);

/// Query 13: the keys of an organization, newest first.
///
/// # Errors
/// If the database cannot be asked.
pub async fn list(
    reader: &Reader,
    organization: OrganizationId,
    filter: &Filter,
    page: &PageRequest<Place>,
) -> Result<Page<ApiKeyRow, Place>, QueryError> {
    let scope = TenantScope::Organization(organization);
    let mut query = Query::of::<ApiKeyRow>(&scope);
    scope.narrow(&mut query, "t.organization_id");
    if let Some(principal) = filter.principal {
        query.push(" AND t.principal_id = ").push_bind(principal.uuid());
    }
    if let Some(now) = filter.live_at {
        query.push(" AND t.revoked_at IS NULL AND (t.expires_at IS NULL OR t.expires_at > ");
        query.push_bind(now).push(")");
    }
    if let Some((created, id)) = page.after {
        query.push(" AND (t.created_at, t.id) < (").push_bind(created);
        query.push(", ").push_bind(id.uuid()).push(")");
    }
    query.push(" ORDER BY t.created_at DESC, t.id DESC");
    reader.page(query, page, |row: &ApiKeyRow| (row.std.created_at, row.id)).await
}

/// One key of an organization, live or not.
///
/// # Errors
/// If the database cannot be asked.
pub async fn by_id(
    reader: &Reader,
    organization: OrganizationId,
    id: ApiKeyId,
) -> Result<Option<ApiKeyRow>, QueryError> {
    let scope = TenantScope::Organization(organization);
    let mut query = Query::of::<ApiKeyRow>(&scope);
    scope.narrow(&mut query, "t.organization_id");
    query.push(" AND t.id = ").push_bind(id.uuid());
    reader.one(query).await
}

#[cfg(test)]
mod tests {
    use domain::kernel::{Personal, testing::at};

    use super::*;
    use crate::testing::{id, rows, stream};

    fn key(number: u128) -> ApiKeyId {
        ApiKeyId::from_uuid(id(number))
    }

    fn issued(number: u128, from: Option<ApiKeyId>) -> ServicePrincipalEvent {
        ServicePrincipalEvent::KeyIssued {
            key_id: key(number),
            principal_name: "Exporter".into(),
            name: "nightly".into(),
            prefix: format!("key_0000000{number}"),
            secret_hash: "$argon2id$hash".to_owned().into(),
            scopes: vec!["organization.workspace.read".into()],
            created_by: id(7),
            expires_at: None,
            organization_id: OrganizationId::from_uuid(id(1)),
            workspace_id: None,
            rotated_from_key_id: from,
        }
    }

    fn after(later: impl IntoIterator<Item = ServicePrincipalEvent>) -> Vec<ApiKeyRow> {
        let created = ServicePrincipalEvent::Created {
            service_principal_id: ServicePrincipalId::from_uuid(id(9)),
            organization_id: OrganizationId::from_uuid(id(1)),
            workspace_id: None,
            name: "Exporter".into(),
        };
        let events = [created, issued(1, None)].into_iter().chain(later);
        let events = stream(id(9), Some(KeyId::from_uuid(id(1))), events);
        rows::<ApiKeys>(&events).into_values().collect()
    }

    fn used(ip: Option<Personal<String>>) -> ServicePrincipalEvent {
        ServicePrincipalEvent::KeyUsed { key_id: key(1), at: at(90), ip }
    }

    #[test]
    fn a_key_names_its_principal_and_keeps_nothing_sealed() {
        let keys = after([]);
        assert_eq!(keys[0].principal_id, ServicePrincipalId::from_uuid(id(9)));
        assert_eq!(keys[0].key_id, None, "what the event sealed is not in the row");
        assert!(keys[0].is_live(at(0)));
    }

    #[test]
    fn a_rotated_key_ends_with_the_overlap() {
        let rotated = ServicePrincipalEvent::KeyRotated {
            old_key_id: key(1),
            new_key_id: key(2),
            overlap_until: at(500),
        };
        let keys = after([issued(2, Some(key(1))), rotated]);
        assert_eq!((keys[0].expires_at, keys[1].expires_at), (Some(at(500)), None));
        assert_eq!(keys[1].rotated_from_key_id, Some(key(1)));
        assert!(keys[0].is_live(at(499)) && !keys[0].is_live(at(500)));
    }

    #[test]
    fn a_use_names_the_key_that_seals_its_address() {
        let keys = after([used(Some("2001:db8::1".to_owned().into()))]);
        assert_eq!(keys[0].last_used_at, Some(at(90)));
        assert_eq!(keys[0].last_used_ip, "2001:db8::1".parse().ok());
        assert_eq!(keys[0].key_id, Some(KeyId::from_uuid(id(1))));
        let keys = after([used(Some("2001:db8::1".to_owned().into())), used(None)]);
        assert_eq!((keys[0].last_used_ip, keys[0].key_id), (None, None));
        let keys = after([used(Some(Personal::Erased))]);
        assert_eq!(keys[0].last_used_ip, None);
    }

    #[test]
    fn a_disabled_principal_loses_all_its_live_keys_at_once() {
        let revoked = ServicePrincipalEvent::KeyRevoked {
            key_id: key(1),
            reason: "leaked".into(),
            revoked_by: id(7),
            revoked_at: at(80),
        };
        let disabled = ServicePrincipalEvent::Disabled {
            api_key_ids: vec![key(2), key(3)],
            reason: "no longer used".into(),
            revoked_by: id(8),
            revoked_at: at(90),
        };
        let keys = after([issued(2, None), issued(3, None), revoked, disabled]);
        assert_eq!(keys[0].revoked_reason.as_deref(), Some("leaked"));
        for ended in &keys[1..] {
            assert_eq!((ended.revoked_at, ended.revoked_by), (Some(at(90)), Some(id(8))));
        }
    }
}
