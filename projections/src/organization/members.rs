//! Memberships as people see them: with the member's name and roles, or with the organization.
//!
//! Owns no table. Reads persons of module identity, which a read model may and a decision may not.

use domain::{
    identity::UserId,
    kernel::Timestamp,
    organization::{
        MembershipId, OrganizationId, RoleAssignmentId, RoleId, WorkspaceId,
        membership::MembershipStatus,
        organization::{OrganizationKind, OrganizationStatus, OrganizationType},
    },
};
use serde::Deserialize;
use sqlx::{QueryBuilder, Row as _, postgres::PgRow, types::Json};

use super::memberships::MembershipRow;
use crate::{
    Column as _, Page, PageRequest, QueryError, Reader, Row as _, TenantScope, query::Query,
    sql::selection,
};

/// A member of an organization.
#[derive(Debug, Clone, PartialEq)]
pub struct Member {
    /// The membership.
    pub membership: MembershipRow,
    /// The person's name; none once it was erased.
    pub display_name: Option<String>,
    /// The roles in force in the organization and its workspaces, by key.
    pub roles: Vec<HeldRole>,
}

/// A role a member holds.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct HeldRole {
    /// What gave it.
    pub role_assignment_id: RoleAssignmentId,
    /// The role.
    pub role_id: RoleId,
    /// Its name for programs.
    pub key: String,
    /// For people to read.
    pub name: String,
    /// The only workspace in which it counts.
    pub workspace_id: Option<WorkspaceId>,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
}

/// A place among the members: those with access first, then by seniority.
pub type Place = (MembershipStatus, Timestamp, MembershipId);

/// Query 7: the members of an organization, former ones last.
///
/// # Errors
/// If the database cannot be asked.
pub async fn list(
    reader: &Reader,
    organization: OrganizationId,
    status: Option<MembershipStatus>,
    now: Timestamp,
    page: &PageRequest<Place>,
) -> Result<Page<Member, Place>, QueryError> {
    let mut query = members(organization, now);
    if let Some(status) = status {
        query.push(" AND t.status = ").push_bind(status.to_string());
        query.push("::organization.membership_status");
    }
    if let Some((status, joined, id)) = page.after {
        query.push(" AND (t.status, t.joined_at, t.id) > (").push_bind(status.to_string());
        query.push("::organization.membership_status, ").push_bind(joined);
        query.push(", ").push_bind(id.uuid()).push(")");
    }
    query.push(" ORDER BY t.status, t.joined_at, t.id");
    let place = |member: &Member| {
        let row = &member.membership;
        (row.status, row.joined_at, row.id)
    };
    reader.page_of(query, page, member, place).await
}

/// Query 7: one member of an organization, present or former.
///
/// # Errors
/// If the database cannot be asked.
pub async fn by_user(
    reader: &Reader,
    organization: OrganizationId,
    user: UserId,
    now: Timestamp,
) -> Result<Option<Member>, QueryError> {
    let mut query = members(organization, now);
    query.push(" AND t.id = ").push_bind(MembershipId::of(organization, user).uuid());
    Ok(reader.fetch(query, member).await?.into_iter().next())
}

fn members(organization: OrganizationId, now: Timestamp) -> Query {
    let mut members = QueryBuilder::new(
        "SELECT p.display_name, (
             SELECT coalesce(jsonb_agg(jsonb_build_object(
                        'role_assignment_id', a.id, 'role_id', a.role_id, 'key', a.role_key,
                        'name', r.name, 'workspace_id', a.workspace_id,
                        'expires_at', a.expires_at) ORDER BY a.role_key, a.id), '[]')
               FROM organization.role_assignments a
               JOIN organization.roles r ON r.id = a.role_id AND r.archived_at IS NULL
              WHERE a.principal_kind = 'user' AND a.principal_id = t.user_id
                AND a.organization_id = t.organization_id AND a.revoked_at IS NULL
                AND (a.expires_at IS NULL OR a.expires_at > ",
    );
    members.push_bind(now).push(")), ").push(selection::<MembershipRow>());
    members.push(
        " FROM organization.memberships t LEFT JOIN identity.persons p ON p.id = t.person_id",
    );
    let scope = TenantScope::Organization(organization);
    let mut query = Query::over(members, &scope);
    scope.narrow(&mut query, "t.organization_id");
    query
}

fn member(row: &PgRow) -> Result<Member, sqlx::Error> {
    Ok(Member {
        display_name: row.try_get(0)?,
        roles: row.try_get::<Json<_>, _>(1)?.0,
        membership: MembershipRow::read(row, 2)?,
    })
}

/// An organization a user belongs to.
#[derive(Debug, Clone, PartialEq)]
pub struct Belonging {
    /// The membership, active or suspended.
    pub membership: MembershipRow,
    /// The organization's slug.
    pub slug: String,
    /// Its name.
    pub name: String,
    /// What shape of customer it is.
    pub r#type: OrganizationType,
    /// Whether it is real.
    pub kind: OrganizationKind,
    /// Where it stands.
    pub status: OrganizationStatus,
    /// Whether the user is one of its owners.
    pub is_owner: bool,
}

/// Query 8: the organizations a user belongs to, in the order of joining.
///
/// # Errors
/// If the database cannot be asked.
pub async fn organizations_of(
    reader: &Reader,
    user: UserId,
    page: &PageRequest<(Timestamp, MembershipId)>,
) -> Result<Page<Belonging, (Timestamp, MembershipId)>, QueryError> {
    let belongings = QueryBuilder::new(format!(
        "SELECT o.slug, o.name, o.type::text, o.kind::text, o.status::text,
                t.user_id = ANY(o.owner_user_ids), {}
           FROM organization.memberships t
           JOIN organization.organizations o ON o.id = t.organization_id",
        selection::<MembershipRow>()
    ));
    let mut query = Query::over(belongings, &TenantScope::Principal(user.uuid()));
    query.push(" AND t.status <> 'removed' AND t.user_id = ").push_bind(user.uuid());
    if let Some((joined, id)) = page.after {
        query.push(" AND (t.joined_at, t.id) > (").push_bind(joined);
        query.push(", ").push_bind(id.uuid()).push(")");
    }
    query.push(" ORDER BY t.joined_at, t.id");
    let read = |row: &PgRow| {
        Ok(Belonging {
            slug: row.try_get(0)?,
            name: row.try_get(1)?,
            r#type: OrganizationType::read(row, 2)?,
            kind: OrganizationKind::read(row, 3)?,
            status: OrganizationStatus::read(row, 4)?,
            is_owner: row.try_get(5)?,
            membership: MembershipRow::read(row, 6)?,
        })
    };
    let place = |belonging: &Belonging| (belonging.membership.joined_at, belonging.membership.id);
    reader.page_of(query, page, read, place).await
}
