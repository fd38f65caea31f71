//! `/roles` and `/organizations/{organization_id}/roles`: what roles let their holders do.
//!
//! Owns the form of a role, which is the same for the platform's and for an organization's own;
//! the two differ in who may use the routes, and in what they list.

mod of_organization;
mod system;

use chrono::{DateTime, Utc};
use domain::{
    kernel::{TextEnum, display_name},
    organization::{OrganizationId, ScopeKind, role::Content},
};
use projections::organization::roles::RoleRow;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::body::{MAX_NOTE, bounded};
use crate::{
    app::App,
    extract::Limit,
    problem::Problem,
    routes::Routes,
    text::{both, field, optional_line},
};

/// The group of these routes in the description.
const TAG: &str = "roles";
/// Most permissions named at once.
const MAX_PERMISSIONS: usize = 500;

pub(super) fn routes() -> Routes<App> {
    system::routes().merge(of_organization::routes())
}

/// A role.
#[derive(Debug, Serialize, ToSchema)]
struct RoleView {
    id: Uuid,
    /// Whose role it is; null for one of the platform's.
    organization_id: Option<Uuid>,
    /// Its name for programs.
    #[schema(example = "bookkeeper")]
    key: String,
    /// For people to read.
    #[schema(example = "Bookkeeper")]
    name: String,
    /// What it is for.
    description: Option<String>,
    /// Whether it is one of the platform's.
    is_system: bool,
    /// In which kinds of scope it can be given: `platform`, `organization`, `workspace`.
    scopes: Vec<String>,
    /// What it lets its holders do.
    permissions: Vec<String>,
    /// Since when it is given to nobody any more.
    archived_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl From<RoleRow> for RoleView {
    fn from(row: RoleRow) -> Self {
        Self {
            id: row.id.uuid(),
            organization_id: row.organization_id.map(OrganizationId::uuid),
            key: row.key,
            name: row.name,
            description: row.description,
            is_system: row.is_system,
            scopes: row.assignable_scopes.iter().map(ToString::to_string).collect(),
            permissions: row.permissions,
            archived_at: row.archived_at,
            created_at: row.std.created_at,
            updated_at: row.std.updated_at,
        }
    }
}

/// Which roles.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct RolesQuery {
    /// Archived ones too.
    #[serde(default)]
    with_archived: bool,
    #[param(ignore)]
    #[serde(default)]
    limit: Limit,
    #[param(ignore)]
    cursor: Option<String>,
}

/// A new role.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewRoleBody {
    /// 2 to 48 of `a-z`, `0-9` and `_`, a letter first; unique among its owner's roles, for ever.
    #[schema(example = "bookkeeper")]
    key: String,
    /// For people to read.
    #[schema(example = "Bookkeeper")]
    name: String,
    /// What it is for.
    description: Option<String>,
    /// In which kinds of scope it can be given: `platform`, `organization`, `workspace`.
    #[schema(value_type = Vec<String>, example = json!(["organization", "workspace"]))]
    scopes: Vec<ScopeKind>,
    /// What it lets its holders do; you can name only what you hold yourself.
    #[schema(example = json!(["organization.workspace.read"]))]
    permissions: Vec<String>,
}

impl NewRoleBody {
    fn content(&self) -> Result<Content, Problem> {
        content(&self.name, self.description.as_deref(), &self.scopes, &self.permissions)
    }
}

/// A role, as it stands after. Its key stays for ever.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RoleBody {
    /// For people to read.
    #[schema(example = "Bookkeeper")]
    name: String,
    /// What it is for; absent or null removes it.
    description: Option<String>,
    /// In which kinds of scope it can be given: `platform`, `organization`, `workspace`.
    #[schema(value_type = Vec<String>, example = json!(["organization", "workspace"]))]
    scopes: Vec<ScopeKind>,
    /// What it lets its holders do; you can add only what you hold yourself.
    #[schema(example = json!(["organization.workspace.read"]))]
    permissions: Vec<String>,
}

impl RoleBody {
    fn content(&self) -> Result<Content, Problem> {
        content(&self.name, self.description.as_deref(), &self.scopes, &self.permissions)
    }
}

fn content(
    name: &str,
    description: Option<&str>,
    scopes: &[ScopeKind],
    permissions: &[String],
) -> Result<Content, Problem> {
    let description = optional_line("/description", description, MAX_NOTE);
    let ((name, description), (scopes, permissions)) = both(
        both(field("/name", display_name(name)), description),
        both(
            bounded("/scopes", scopes, ScopeKind::ALL.len()),
            bounded("/permissions", permissions, MAX_PERMISSIONS),
        ),
    )?;
    Ok(Content { name, description, scopes, permissions })
}
