//! Who has which role: in an organization, and on the whole platform.

mod in_organization;
mod on_platform;

use chrono::{DateTime, Utc};
use domain::organization::{OrganizationId, WorkspaceId};
use projections::organization::role_assignments::RoleAssignmentRow;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{app::App, routes::Routes};

/// The group of these routes in the description.
const TAG: &str = "role-assignments";

pub(super) fn routes() -> Routes<App> {
    in_organization::routes().merge(on_platform::routes())
}

/// A role given to a principal in a scope.
#[derive(Debug, Serialize, ToSchema)]
struct RoleAssignmentView {
    id: Uuid,
    role_id: Uuid,
    /// The role's name for programs.
    #[schema(example = "bookkeeper")]
    role_key: String,
    /// `user` or `service`.
    #[schema(example = "user")]
    principal_kind: String,
    /// The user or service principal.
    principal_id: Uuid,
    /// How far it reaches: `platform`, `organization` or `workspace`.
    #[schema(example = "organization")]
    scope_kind: String,
    organization_id: Option<Uuid>,
    /// The only workspace in which it counts.
    workspace_id: Option<Uuid>,
    /// Who gave it; nil for the platform.
    granted_by: Uuid,
    granted_at: DateTime<Utc>,
    /// Why it was given.
    reason: Option<String>,
    /// When it ends by itself.
    expires_at: Option<DateTime<Utc>>,
    /// When it ended, be it taken away or over.
    revoked_at: Option<DateTime<Utc>>,
    /// Who took it away; null if its time was over.
    revoked_by: Option<Uuid>,
}

impl From<RoleAssignmentRow> for RoleAssignmentView {
    fn from(row: RoleAssignmentRow) -> Self {
        Self {
            id: row.id.uuid(),
            role_id: row.role_id.uuid(),
            role_key: row.role_key,
            principal_kind: row.principal_kind.to_string(),
            principal_id: row.principal_id,
            scope_kind: row.scope_kind.to_string(),
            organization_id: row.organization_id.map(OrganizationId::uuid),
            workspace_id: row.workspace_id.map(WorkspaceId::uuid),
            granted_by: row.granted_by,
            granted_at: row.granted_at,
            reason: row.reason,
            expires_at: row.expires_at,
            revoked_at: row.revoked_at,
            revoked_by: row.revoked_by,
        }
    }
}
