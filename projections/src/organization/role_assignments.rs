//! Owns `organization.role_assignments`: which role each principal has or had, and where.

use domain::{
    kernel::{DomainEvent, Recorded, Timestamp},
    organization::{
        OrganizationId, Principal, PrincipalKind, RoleAssignmentId, RoleId, ScopeKind, WorkspaceId,
        role_assignment::RoleAssignmentEvent,
    },
};
use sqlx::{Postgres, QueryBuilder};
use uuid::Uuid;

use crate::{
    At, Fault, Fold, Key, Page, PageRequest, QueryError, Reader, Std, Sweep, TenantScope, Touch,
    query::Query, required, row,
};

row! {
    /// A role given to a principal in a scope.
    pub struct RoleAssignmentRow in organization.role_assignments scope(TenantScope)
    key(id: RoleAssignmentId) unique(revoked_at) {
        /// Its id.
        id: RoleAssignmentId,
        /// The role.
        role_id: RoleId,
        /// The role's name for programs.
        role_key: String,
        /// What kind of principal has it.
        principal_kind: PrincipalKind,
        /// The user or service principal.
        principal_id: Uuid,
        /// How far it reaches.
        scope_kind: ScopeKind,
        /// Where it counts; none means everywhere.
        organization_id: Option<OrganizationId>,
        /// The only workspace in which it counts.
        workspace_id: Option<WorkspaceId>,
        /// Who gave it; nil for the platform.
        granted_by: Uuid,
        /// When it was given.
        granted_at: Timestamp,
        /// Why it was given.
        reason: Option<String>,
        /// When it ends by itself.
        expires_at: Option<Timestamp>,
        /// When it ended, be it taken away or over.
        revoked_at: Option<Timestamp>,
        /// Who took it away; none if its time was over.
        revoked_by: Option<Uuid>,
    }
}

/// The fold of `organization.role_assignments`.
#[derive(Debug)]
pub struct RoleAssignments;

impl Fold for RoleAssignments {
    type Row = RoleAssignmentRow;
    type Event = RoleAssignmentEvent;
    type Part<'e> = &'e RoleAssignmentEvent;
    const VERSION: u16 = 1;
    const HOME: Option<&'static str> = Some(RoleAssignmentEvent::CATEGORY);
    const SWEEPS: &'static [Sweep] = &[Sweep::Purged("organization_id")];

    fn touches(
        event: &Recorded<RoleAssignmentEvent>,
    ) -> Vec<Touch<Key<Self>, &RoleAssignmentEvent>> {
        use RoleAssignmentEvent as E;
        let id = RoleAssignmentId::from_uuid(event.envelope.stream);
        let fact = &event.event;
        match fact {
            E::Assigned { .. } => vec![Touch::New(id, fact)],
            E::Revoked { .. } | E::Expired { .. } => vec![Touch::Row(id, fact)],
        }
    }

    fn fold(
        row: Option<RoleAssignmentRow>,
        event: &RoleAssignmentEvent,
        _at: &At<'_>,
    ) -> Result<Option<RoleAssignmentRow>, Fault> {
        use RoleAssignmentEvent as E;
        Ok(Some(match event {
            E::Assigned {
                role_assignment_id,
                role_id,
                role_key,
                principal_kind,
                principal_id,
                scope_kind,
                organization_id,
                workspace_id,
                granted_by,
                granted_at,
                expires_at,
                reason,
            } => RoleAssignmentRow {
                id: *role_assignment_id,
                role_id: *role_id,
                role_key: role_key.clone(),
                principal_kind: *principal_kind,
                principal_id: *principal_id,
                scope_kind: *scope_kind,
                organization_id: *organization_id,
                workspace_id: *workspace_id,
                granted_by: *granted_by,
                granted_at: *granted_at,
                reason: reason.clone(),
                expires_at: *expires_at,
                revoked_at: None,
                revoked_by: None,
                std: Std::default(),
            },
            E::Revoked { reason: _, revoked_by, revoked_at } => RoleAssignmentRow {
                revoked_at: Some(*revoked_at),
                revoked_by: Some(*revoked_by),
                ..required(row)?
            },
            E::Expired { expired_at } => {
                RoleAssignmentRow { revoked_at: Some(*expired_at), ..required(row)? }
            }
        }))
    }
}

/// Which role assignments a list holds; every given filter must hold.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Of this principal.
    pub principal: Option<Principal>,
    /// In force at this instant.
    pub live_at: Option<Timestamp>,
}

impl Filter {
    fn narrow(&self, query: &mut QueryBuilder<Postgres>) {
        if let Some(Principal { kind, id }) = self.principal {
            query.push(" AND t.principal_kind = ").push_bind(kind.to_string());
            query.push("::organization.principal_kind AND t.principal_id = ").push_bind(id);
        }
        if let Some(now) = self.live_at {
            query.push(" AND t.revoked_at IS NULL AND (t.expires_at IS NULL OR t.expires_at > ");
            query.push_bind(now).push(")");
        }
    }
}

/// A place in a list: by role.
pub type Place = (String, RoleAssignmentId);

/// Query 11: who has which role in an organization and its workspaces, by role.
///
/// # Errors
/// If the database cannot be asked.
pub async fn list(
    reader: &Reader,
    organization: OrganizationId,
    filter: &Filter,
    page: &PageRequest<Place>,
) -> Result<Page<RoleAssignmentRow, Place>, QueryError> {
    let scope = TenantScope::Organization(organization);
    let mut query = Query::of::<RoleAssignmentRow>(&scope);
    scope.narrow(&mut query, "t.organization_id");
    by_role(query, reader, filter, page).await
}

/// Who has which role on the whole platform, by role. For operators, and for users about
/// themselves.
///
/// # Errors
/// If the database cannot be asked.
pub async fn on_platform(
    reader: &Reader,
    filter: &Filter,
    page: &PageRequest<Place>,
) -> Result<Page<RoleAssignmentRow, Place>, QueryError> {
    let own = filter.principal.map(|principal| TenantScope::Principal(principal.id));
    let mut query = Query::of::<RoleAssignmentRow>(&own.unwrap_or(TenantScope::Platform));
    query.push(" AND t.organization_id IS NULL");
    by_role(query, reader, filter, page).await
}

async fn by_role(
    mut query: Query,
    reader: &Reader,
    filter: &Filter,
    page: &PageRequest<Place>,
) -> Result<Page<RoleAssignmentRow, Place>, QueryError> {
    filter.narrow(&mut query);
    if let Some((key, id)) = &page.after {
        query.push(" AND (t.role_key, t.id) > (").push_bind(key.clone());
        query.push(", ").push_bind(id.uuid()).push(")");
    }
    query.push(" ORDER BY t.role_key, t.id");
    let place = |row: &RoleAssignmentRow| (row.role_key.clone(), row.id);
    reader.page(query, page, place).await
}

/// One role assignment of an organization, ended or not.
///
/// # Errors
/// If the database cannot be asked.
pub async fn by_id(
    reader: &Reader,
    organization: OrganizationId,
    id: RoleAssignmentId,
) -> Result<Option<RoleAssignmentRow>, QueryError> {
    let scope = TenantScope::Organization(organization);
    let mut query = Query::of::<RoleAssignmentRow>(&scope);
    scope.narrow(&mut query, "t.organization_id");
    query.push(" AND t.id = ").push_bind(id.uuid());
    reader.one(query).await
}

#[cfg(test)]
mod tests {
    use domain::kernel::testing::at;

    use super::*;
    use crate::testing::{id, row, stream};

    fn assigned() -> RoleAssignmentEvent {
        RoleAssignmentEvent::Assigned {
            role_assignment_id: RoleAssignmentId::from_uuid(id(6)),
            role_id: RoleId::from_uuid(id(5)),
            role_key: "clerk".into(),
            principal_kind: PrincipalKind::User,
            principal_id: id(7),
            scope_kind: ScopeKind::Workspace,
            organization_id: Some(OrganizationId::from_uuid(id(1))),
            workspace_id: Some(WorkspaceId::from_uuid(id(2))),
            granted_by: id(8),
            granted_at: at(0),
            expires_at: Some(at(100)),
            reason: Some("holiday cover".into()),
        }
    }

    fn after(later: impl IntoIterator<Item = RoleAssignmentEvent>) -> RoleAssignmentRow {
        row::<RoleAssignments>(&stream(id(6), None, [assigned()].into_iter().chain(later)))
    }

    #[test]
    fn a_gift_is_in_force_until_somebody_takes_it_away() {
        assert_eq!((after([]).revoked_at, after([]).revoked_by), (None, None));
        let row = after([RoleAssignmentEvent::Revoked {
            reason: "back from holiday".into(),
            revoked_by: id(9),
            revoked_at: at(50),
        }]);
        assert_eq!((row.revoked_at, row.revoked_by), (Some(at(50)), Some(id(9))));
        assert_eq!(row.reason.as_deref(), Some("holiday cover"), "why it was given");
    }

    #[test]
    fn a_gift_whose_time_is_over_makes_room_for_the_next() {
        let row = after([RoleAssignmentEvent::Expired { expired_at: at(101) }]);
        assert_eq!((row.revoked_at, row.revoked_by), (Some(at(101)), None));
    }
}
