//! Owns `organization.roles`: what each role lets its holders do, the platform's roles included.

use domain::{
    kernel::{DomainEvent, Recorded, Timestamp},
    organization::{OrganizationId, RoleId, ScopeKind, role::RoleEvent},
};
use sqlx::{Postgres, QueryBuilder};

use crate::{
    At, Fault, Fold, Key, Page, PageRequest, QueryError, Reader, Std, Sweep, TenantScope, Touch,
    query::Query, required, row,
};

row! {
    /// A named set of permissions.
    pub struct RoleRow in organization.roles scope(TenantScope)
    key(id: RoleId) unique() {
        /// Its id.
        id: RoleId,
        /// Whose role it is; none for a system role.
        organization_id: Option<OrganizationId>,
        /// Its name for programs, unique among its owner's roles.
        key: String,
        /// For people to read.
        name: String,
        /// What it is for.
        description: Option<String>,
        /// Whether it is the platform's.
        is_system: bool,
        /// In which kinds of scope it can be given.
        assignable_scopes: Vec<ScopeKind>,
        /// What it lets its holders do.
        permissions: Vec<String>,
        /// Since when it is given to nobody any more.
        archived_at: Option<Timestamp>,
    }
}

/// The fold of `organization.roles`.
#[derive(Debug)]
pub struct Roles;

impl Fold for Roles {
    type Row = RoleRow;
    type Event = RoleEvent;
    type Part<'e> = &'e RoleEvent;
    const VERSION: u16 = 1;
    const HOME: Option<&'static str> = Some(RoleEvent::CATEGORY);
    const SWEEPS: &'static [Sweep] = &[Sweep::Purged("organization_id")];

    fn touches(event: &Recorded<RoleEvent>) -> Vec<Touch<Key<Self>, &RoleEvent>> {
        use RoleEvent as E;
        let id = RoleId::from_uuid(event.envelope.stream);
        let fact = &event.event;
        match fact {
            E::Defined { .. } => vec![Touch::New(id, fact)],
            E::Updated { .. } | E::Archived {} => vec![Touch::Row(id, fact)],
        }
    }

    fn fold(
        row: Option<RoleRow>,
        event: &RoleEvent,
        at: &At<'_>,
    ) -> Result<Option<RoleRow>, Fault> {
        use RoleEvent as E;
        Ok(Some(match event {
            E::Defined {
                role_id,
                organization_id,
                key,
                name,
                description,
                scopes,
                permissions,
                is_system,
            } => RoleRow {
                id: *role_id,
                organization_id: *organization_id,
                key: key.clone(),
                name: name.clone(),
                description: description.clone(),
                is_system: *is_system,
                assignable_scopes: scopes.clone(),
                permissions: permissions.clone(),
                archived_at: None,
                std: Std::default(),
            },
            E::Updated { name, description, scopes, permissions } => RoleRow {
                name: name.clone(),
                description: description.clone(),
                assignable_scopes: scopes.clone(),
                permissions: permissions.clone(),
                ..required(row)?
            },
            E::Archived {} => {
                RoleRow { archived_at: Some(at.envelope.occurred_at), ..required(row)? }
            }
        }))
    }
}

/// Which roles a query may see. There is no default: whoever asks has to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// The platform's own.
    Platform,
    /// Those of an organization, and those of the platform that can be given in it.
    Organization(OrganizationId),
}

impl Owner {
    const fn scope(self) -> TenantScope {
        match self {
            Self::Platform => TenantScope::Platform,
            Self::Organization(organization) => TenantScope::Organization(organization),
        }
    }

    fn narrow(self, query: &mut QueryBuilder<Postgres>) {
        match self {
            Self::Platform => query.push(" AND t.organization_id IS NULL"),
            Self::Organization(organization) => {
                query.push(" AND (t.organization_id = ").push_bind(organization.uuid()).push(
                    " OR t.organization_id IS NULL AND t.assignable_scopes
                         && '{organization,workspace}'::organization.scope_kind[])",
                )
            }
        };
    }
}

/// A place in a list: by key; an organization may have one that the platform has too.
pub type Place = (String, RoleId);

/// Query 11: roles by key; archived ones only if asked for.
///
/// # Errors
/// If the database cannot be asked.
pub async fn list(
    reader: &Reader,
    owner: Owner,
    with_archived: bool,
    page: &PageRequest<Place>,
) -> Result<Page<RoleRow, Place>, QueryError> {
    let mut query = Query::of::<RoleRow>(&owner.scope());
    owner.narrow(&mut query);
    if !with_archived {
        query.push(" AND t.archived_at IS NULL");
    }
    if let Some((key, id)) = &page.after {
        query.push(" AND (t.key, t.id) > (").push_bind(key.clone());
        query.push(", ").push_bind(id.uuid()).push(")");
    }
    query.push(" ORDER BY t.key, t.id");
    reader.page(query, page, |row: &RoleRow| (row.key.clone(), row.id)).await
}

/// Query 11: one role, archived or not.
///
/// # Errors
/// If the database cannot be asked.
pub async fn by_id(
    reader: &Reader,
    owner: Owner,
    id: RoleId,
) -> Result<Option<RoleRow>, QueryError> {
    let mut query = Query::of::<RoleRow>(&owner.scope());
    owner.narrow(&mut query);
    query.push(" AND t.id = ").push_bind(id.uuid());
    reader.one(query).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{id, row, stream};

    fn defined() -> RoleEvent {
        RoleEvent::Defined {
            role_id: RoleId::from_uuid(id(5)),
            organization_id: Some(OrganizationId::from_uuid(id(1))),
            key: "clerk".into(),
            name: "Clerk".into(),
            description: None,
            scopes: vec![ScopeKind::Workspace],
            permissions: vec!["organization.workspace.read".into()],
            is_system: false,
        }
    }

    fn after(later: impl IntoIterator<Item = RoleEvent>) -> RoleRow {
        row::<Roles>(&stream(id(5), None, [defined()].into_iter().chain(later)))
    }

    #[test]
    fn an_update_replaces_everything_but_owner_and_key() {
        let row = after([RoleEvent::Updated {
            name: "Archivist".into(),
            description: Some("keeps papers".into()),
            scopes: vec![ScopeKind::Organization],
            permissions: Vec::new(),
        }]);
        assert_eq!((row.key.as_str(), row.name.as_str()), ("clerk", "Archivist"));
        assert_eq!(row.description.as_deref(), Some("keeps papers"));
        assert_eq!(row.assignable_scopes, [ScopeKind::Organization]);
        assert!(row.permissions.is_empty() && !row.is_system);
    }

    #[test]
    fn an_archived_role_keeps_what_it_was() {
        assert_eq!(after([]).archived_at, None);
        let row = after([RoleEvent::Archived {}]);
        assert_eq!(row.archived_at, Some(row.std.updated_at));
        assert_eq!(row.permissions, ["organization.workspace.read"]);
    }
}
