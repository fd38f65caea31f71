//! What a principal may do, and how fresh that answer is: the question behind every request.
//!
//! Owns the rule of what counts: roles in force and not archived, inside an organization only for
//! its active members. A row that waits for a parked event counts for nothing: the event may have
//! taken away what the row still gives. Refuses to cache: each answer is one statement, whose
//! snapshot also says how far the tables are.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    kernel::{Position, Timestamp},
    organization::{
        OrganizationId, Principal, PrincipalKind, WorkspaceId, organization::OrganizationStatus,
    },
};
use sqlx::{Postgres, QueryBuilder, Row as _, postgres::PgRow};
use uuid::Uuid;

use crate::{Column as _, QueryError, Reader, TenantScope, query::Query};

/// What a principal may do, as of a position of the log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Authority {
    /// Everything up to here is taken into account.
    pub position: Position,
    /// Whether the principal is an active member of the organization asked about.
    pub membership_active: bool,
    /// Where the organization asked about stands; none if there is no such organization, or that
    /// is not sure.
    pub organization_status: Option<OrganizationStatus>,
    /// Permissions everywhere.
    pub platform: BTreeSet<String>,
    /// Permissions in the whole organization asked about.
    pub inside: BTreeSet<String>,
    /// Further permissions, in one of its workspaces each.
    pub workspace: BTreeMap<WorkspaceId, BTreeSet<String>>,
    /// When the first of the roles that give these permissions ends by itself.
    pub ends_at: Option<Timestamp>,
    /// Whether any row of the module waits for a parked event: when it waits no longer, nothing in
    /// the log will tell.
    pub waiting: bool,
}

impl Authority {
    /// Whether a permission is held: everywhere, in the whole organization asked about, or in
    /// this workspace of it.
    #[must_use]
    pub fn holds(&self, permission: &str, workspace: Option<WorkspaceId>) -> bool {
        let there = workspace.and_then(|workspace| self.workspace.get(&workspace));
        self.platform.contains(permission)
            || self.inside.contains(permission)
            || there.is_some_and(|held| held.contains(permission))
    }
}

/// Query 12: what the roles of a principal let it do, everywhere and in one organization.
///
/// Roles of a service principal need no membership. What the bearer of one of its keys may do is
/// another question: what the key carries, and nothing else.
///
/// # Errors
/// If the database cannot be asked.
pub async fn grants(
    reader: &Reader,
    principal: Principal,
    organization: Option<OrganizationId>,
    now: Timestamp,
) -> Result<Authority, QueryError> {
    let member = match principal.kind {
        PrincipalKind::User => Some(principal.id),
        PrincipalKind::Service => None,
    };
    let mut query = header(organization, member);
    query.push(
        " SELECT h.position, h.status::text, h.is_member,
                 a.organization_id IS NOT NULL, a.workspace_id, r.permissions, a.expires_at,
                 (SELECT keys FROM waiting) <> '{}'
            FROM header h
            LEFT JOIN (organization.role_assignments a
                       JOIN organization.roles r ON r.id = a.role_id AND r.archived_at IS NULL)
              ON a.revoked_at IS NULL",
    );
    query.push(sure("role_assignments", "a.id", "a.id")).push(sure("roles", "r.id", "r.id"));
    query.push(" AND a.principal_kind = ");
    query.push_bind(principal.kind.to_string());
    query.push("::organization.principal_kind AND a.principal_id = ").push_bind(principal.id);
    query.push(" AND (a.expires_at IS NULL OR a.expires_at > ").push_bind(now);
    query.push(") AND (a.organization_id IS NULL OR a.organization_id = ");
    query.push_bind(organization.map(OrganizationId::uuid));
    query.push(" AND h.status IS NOT NULL AND (h.is_member OR ").push_bind(member.is_none());
    query.push("))");
    let scope = match organization {
        Some(organization) => TenantScope::PrincipalIn(principal.id, organization),
        None => TenantScope::Principal(principal.id),
    };
    answer(reader, Query::over(query, &scope)).await
}

/// One row, whatever is missing: how far the tables are, where the organization stands, and
/// whether a user is an active member of it.
fn header(organization: Option<OrganizationId>, member: Option<Uuid>) -> QueryBuilder<Postgres> {
    let organization = organization.map(OrganizationId::uuid);
    let mut query = QueryBuilder::new(
        "WITH waiting AS MATERIALIZED (
             SELECT coalesce(array_agg(key), '{}') AS keys FROM eventstore.parked, unnest(keys) key
              WHERE consumer = 'organization' AND target = 'organization'
         ), header AS MATERIALIZED (
             SELECT (SELECT position FROM eventstore.checkpoints
                      WHERE consumer = 'organization' AND target = 'organization') AS position,
                    (SELECT o.status FROM organization.organizations o WHERE o.id = ",
    );
    query.push_bind(organization).push(sure("organizations", "o.id", "o.id")).push(
        ") AS status,
                    EXISTS (SELECT FROM organization.memberships m
                             WHERE m.status = 'active' AND m.organization_id = ",
    );
    query.push_bind(organization).push(" AND m.user_id = ").push_bind(member);
    query.push(sure("memberships", "m.id", "m.id")).push(") AS is_member)");
    query
}

/// That a row waits for no parked event: neither for one that touches it, nor for one of its
/// stream of which it is not known what it touches.
fn sure(table: &str, id: &str, stream: &str) -> String {
    format!(
        " AND NOT ARRAY['{table}/' || {id}, 'stream/' || {stream}] && (SELECT keys FROM waiting)"
    )
}

/// Rows of: position, status, membership, whether inside, workspace, permissions, their end,
/// whether rows wait; a principal without any has one row all the same.
async fn answer(reader: &Reader, query: Query) -> Result<Authority, QueryError> {
    let mut authority = Authority::default();
    for held in reader.fetch(query, Held::read).await? {
        authority.add(held);
    }
    Ok(authority)
}

/// A row of the answer.
struct Held {
    position: Position,
    status: Option<OrganizationStatus>,
    is_member: bool,
    inside: bool,
    workspace: Option<WorkspaceId>,
    permissions: Option<Vec<String>>,
    ends_at: Option<Timestamp>,
    waiting: bool,
}

impl Held {
    fn read(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            position: Position(row.try_get::<Option<i64>, _>(0)?.unwrap_or_default()),
            status: Option::<OrganizationStatus>::read(row, 1)?,
            is_member: row.try_get(2)?,
            inside: row.try_get(3)?,
            workspace: Option::<WorkspaceId>::read(row, 4)?,
            permissions: row.try_get(5)?,
            ends_at: row.try_get(6)?,
            waiting: row.try_get(7)?,
        })
    }
}

impl Authority {
    fn add(&mut self, row: Held) {
        self.position = row.position;
        self.organization_status = row.status;
        self.membership_active = row.is_member;
        self.waiting = row.waiting;
        self.ends_at = self.ends_at.into_iter().chain(row.ends_at).min();
        let Some(permissions) = row.permissions else { return };
        let held = match (row.inside, row.workspace) {
            (false, _) => &mut self.platform,
            (true, None) => &mut self.inside,
            (true, Some(workspace)) => self.workspace.entry(workspace).or_default(),
        };
        held.extend(permissions);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::id;

    #[test]
    fn a_permission_counts_where_it_is_held() {
        let set = |name: &str| BTreeSet::from([name.to_owned()]);
        let (here, there) = (WorkspaceId::from_uuid(id(1)), WorkspaceId::from_uuid(id(2)));
        let authority = Authority {
            platform: set("a"),
            inside: set("b"),
            workspace: BTreeMap::from([(here, set("c"))]),
            ..Authority::default()
        };
        for everywhere in ["a", "b"] {
            assert!(authority.holds(everywhere, None) && authority.holds(everywhere, Some(there)));
        }
        assert!(authority.holds("c", Some(here)));
        assert!(!authority.holds("c", Some(there)) && !authority.holds("c", None));
        assert!(!authority.holds("d", Some(here)));
    }
}
