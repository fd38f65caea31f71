//! Owns `organization.workspaces`: the parts of each tenant, open or archived.

use domain::{
    kernel::{DomainEvent, Recorded, Timestamp},
    organization::{
        OrganizationId, WorkspaceId,
        workspace::{WorkspaceEvent, WorkspaceStatus},
    },
};

use crate::{
    At, Fault, Fold, Key, Page, PageRequest, QueryError, Reader, Std, Sweep, TenantScope, Touch,
    query::Query, required, row,
};

row! {
    /// A part of a tenant.
    pub struct WorkspaceRow in organization.workspaces scope(TenantScope)
    key(id: WorkspaceId) unique() {
        /// Its id.
        id: WorkspaceId,
        /// Where it belongs.
        organization_id: OrganizationId,
        /// Unique in the organization, for ever.
        slug: String,
        /// For people to read.
        name: String,
        /// What it is for.
        description: Option<String>,
        /// Whether it is in use.
        status: WorkspaceStatus,
        /// Whether it is the organization's one default workspace.
        is_default: bool,
        /// Since when it is archived.
        archived_at: Option<Timestamp>,
    }
}

/// The fold of `organization.workspaces`.
#[derive(Debug)]
pub struct Workspaces;

impl Fold for Workspaces {
    type Row = WorkspaceRow;
    type Event = WorkspaceEvent;
    type Part<'e> = &'e WorkspaceEvent;
    const VERSION: u16 = 1;
    const HOME: Option<&'static str> = Some(WorkspaceEvent::CATEGORY);
    const SWEEPS: &'static [Sweep] = &[Sweep::Purged("organization_id")];

    fn touches(event: &Recorded<WorkspaceEvent>) -> Vec<Touch<Key<Self>, &WorkspaceEvent>> {
        use WorkspaceEvent as E;
        let id = WorkspaceId::from_uuid(event.envelope.stream);
        let fact = &event.event;
        match fact {
            E::Created { .. } => vec![Touch::New(id, fact)],
            E::Renamed { .. } | E::Archived {} | E::Restored {} => vec![Touch::Row(id, fact)],
        }
    }

    fn fold(
        row: Option<WorkspaceRow>,
        event: &WorkspaceEvent,
        at: &At<'_>,
    ) -> Result<Option<WorkspaceRow>, Fault> {
        use WorkspaceEvent as E;
        use WorkspaceStatus as S;
        Ok(Some(match event {
            E::Created { workspace_id, organization_id, slug, name, description, is_default } => {
                WorkspaceRow {
                    id: *workspace_id,
                    organization_id: *organization_id,
                    slug: slug.clone(),
                    name: name.clone(),
                    description: description.clone(),
                    status: S::Active,
                    is_default: *is_default,
                    archived_at: None,
                    std: Std::default(),
                }
            }
            E::Renamed { name, description } => WorkspaceRow {
                name: name.clone(),
                description: description.clone(),
                ..required(row)?
            },
            E::Archived {} => WorkspaceRow {
                status: S::Archived,
                archived_at: Some(at.envelope.occurred_at),
                ..required(row)?
            },
            E::Restored {} => {
                WorkspaceRow { status: S::Active, archived_at: None, ..required(row)? }
            }
        }))
    }
}

/// Query 10: the workspaces of an organization, by slug.
///
/// # Errors
/// If the database cannot be asked.
pub async fn list(
    reader: &Reader,
    organization: OrganizationId,
    status: Option<WorkspaceStatus>,
    page: &PageRequest<String>,
) -> Result<Page<WorkspaceRow, String>, QueryError> {
    let scope = TenantScope::Organization(organization);
    let mut query = Query::of::<WorkspaceRow>(&scope);
    scope.narrow(&mut query, "t.organization_id");
    if let Some(status) = status {
        query.push(" AND t.status = ").push_bind(status.to_string());
        query.push("::organization.workspace_status");
    }
    if let Some(slug) = &page.after {
        query.push(" AND t.slug > ").push_bind(slug.clone());
    }
    query.push(" ORDER BY t.slug");
    reader.page(query, page, |row: &WorkspaceRow| row.slug.clone()).await
}

/// Query 10: one workspace of an organization.
///
/// # Errors
/// If the database cannot be asked.
pub async fn by_id(
    reader: &Reader,
    organization: OrganizationId,
    id: WorkspaceId,
) -> Result<Option<WorkspaceRow>, QueryError> {
    let scope = TenantScope::Organization(organization);
    let mut query = Query::of::<WorkspaceRow>(&scope);
    scope.narrow(&mut query, "t.organization_id");
    query.push(" AND t.id = ").push_bind(id.uuid());
    reader.one(query).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{id, row, stream};

    fn created() -> WorkspaceEvent {
        WorkspaceEvent::Created {
            workspace_id: WorkspaceId::from_uuid(id(2)),
            organization_id: OrganizationId::from_uuid(id(1)),
            slug: "main".into(),
            name: "Main".into(),
            description: Some("all of it".into()),
            is_default: true,
        }
    }

    fn after(later: impl IntoIterator<Item = WorkspaceEvent>) -> WorkspaceRow {
        row::<Workspaces>(&stream(id(2), None, [created()].into_iter().chain(later)))
    }

    #[test]
    fn it_starts_in_use() {
        let row = after([]);
        assert_eq!((row.slug.as_str(), row.is_default), ("main", true));
        assert_eq!((row.status, row.archived_at), (WorkspaceStatus::Active, None));
    }

    #[test]
    fn a_new_name_replaces_the_description_as_well() {
        let row = after([WorkspaceEvent::Renamed { name: "Core".into(), description: None }]);
        assert_eq!((row.name.as_str(), row.description), ("Core", None));
        assert_eq!(row.std.stream_version, 2);
    }

    #[test]
    fn an_archive_has_a_date_until_it_is_opened_again() {
        let archived = after([WorkspaceEvent::Archived {}]);
        assert_eq!(archived.status, WorkspaceStatus::Archived);
        assert_eq!(archived.archived_at, Some(archived.std.updated_at));
        let restored = after([WorkspaceEvent::Archived {}, WorkspaceEvent::Restored {}]);
        assert_eq!((restored.status, restored.archived_at), (WorkspaceStatus::Active, None));
    }

    #[test]
    fn without_its_row_an_event_is_a_fault() {
        let events = stream(id(2), None, [WorkspaceEvent::Archived {}]);
        let at = At { envelope: &events[0].envelope };
        assert!(Workspaces::fold(None, &events[0].event, &at).is_err());
    }
}
