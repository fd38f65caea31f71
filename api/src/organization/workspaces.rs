//! `/organizations/{organization_id}/workspaces`: the parts of an organization.

use axum::extract::OriginalUri;
use chrono::{DateTime, Utc};
use commands::organization::workspace as cases;
use domain::{
    kernel::{display_name, slug},
    organization::{WorkspaceId, workspace::WorkspaceStatus},
};
use projections::organization::workspaces::{self as table, WorkspaceRow};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::body::{IdView, MAX_NOTE};
use crate::{
    answer::{Accepted, Found},
    app::App,
    extract::{IfMatch, Limit, Path, Query},
    gate::{Call, Command},
    listing::{List, Listing},
    problem::Problem,
    routes::{Routes, op},
    text::{both, field, optional_line},
};

pub(super) fn routes() -> Routes<App> {
    let tag = "workspaces";
    Routes::new()
        .get(
            "/organizations/{organization_id}/workspaces",
            list,
            op("List workspaces by slug")
                .tag(tag)
                .query::<WorkspacesQuery>()
                .answer::<List<WorkspaceView>>(200)
                .paged()
                .waits(),
        )
        .post(
            "/organizations/{organization_id}/workspaces",
            create,
            op("Create a workspace")
                .tag(tag)
                .body::<NewWorkspaceBody>()
                .answer::<IdView>(201)
                .idempotent()
                .etag(),
        )
        .get(
            "/organizations/{organization_id}/workspaces/{workspace_id}",
            read,
            op("Read a workspace").tag(tag).answer::<WorkspaceView>(200).etag().waits(),
        )
        .put(
            "/organizations/{organization_id}/workspaces/{workspace_id}",
            rename,
            op("Rename a workspace")
                .tag(tag)
                .description("Replaces name and description; the slug stays for ever.")
                .body::<WorkspaceBody>()
                .idempotent()
                .conditional(),
        )
        .post(
            "/organizations/{organization_id}/workspaces/{workspace_id}/archive",
            archive,
            op("Archive a workspace")
                .tag(tag)
                .description("The default workspace stays as long as its organization.")
                .idempotent()
                .etag(),
        )
        .post(
            "/organizations/{organization_id}/workspaces/{workspace_id}/restore",
            restore,
            op("Restore an archived workspace").tag(tag).idempotent().etag(),
        )
}

/// A workspace.
#[derive(Debug, Serialize, ToSchema)]
struct WorkspaceView {
    id: Uuid,
    /// Unique in the organization, for ever.
    #[schema(example = "accounting")]
    slug: String,
    /// For people to read.
    #[schema(example = "Accounting")]
    name: String,
    /// What it is for.
    description: Option<String>,
    /// `active` or `archived`.
    #[schema(example = "active")]
    status: String,
    /// Whether it is the one that came with the organization.
    is_default: bool,
    archived_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl From<WorkspaceRow> for WorkspaceView {
    fn from(row: WorkspaceRow) -> Self {
        Self {
            id: row.id.uuid(),
            slug: row.slug,
            name: row.name,
            description: row.description,
            status: row.status.to_string(),
            is_default: row.is_default,
            archived_at: row.archived_at,
            created_at: row.std.created_at,
            updated_at: row.std.updated_at,
        }
    }
}

/// Which workspaces.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct WorkspacesQuery {
    /// In this status: `active` or `archived`.
    #[param(value_type = Option<String>)]
    status: Option<WorkspaceStatus>,
    #[param(ignore)]
    #[serde(default)]
    limit: Limit,
    #[param(ignore)]
    cursor: Option<String>,
}

async fn list(
    call: Call,
    OriginalUri(uri): OriginalUri,
    Query(query): Query<WorkspacesQuery>,
) -> Result<Found<List<WorkspaceView>>, Problem> {
    let WorkspacesQuery { status, limit, cursor } = query;
    let (organization, position) = (call.organization()?, call.fresh("organization").await?);
    let listing = Listing::new(&call.app.cursors, &uri, organization.tenant(), &status);
    let request = listing.request(limit, cursor.as_deref())?;
    let page = table::list(&call.app.reader, organization, status, &request).await?;
    let (list, link) = listing.answer(page, WorkspaceView::from)?;
    Ok(Found::new(list, position).link(link))
}

/// A new workspace.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewWorkspaceBody {
    /// 3 to 40 of `a-z`, `0-9` and inner hyphens; unique in the organization.
    #[schema(example = "accounting")]
    slug: String,
    /// For people to read.
    #[schema(example = "Accounting")]
    name: String,
    /// What it is for.
    description: Option<String>,
}

async fn create(command: Command<NewWorkspaceBody>) -> Result<Accepted<IdView>, Problem> {
    let (organization_id, body) = (command.call.organization()?, &command.body);
    let description = optional_line("/description", body.description.as_deref(), MAX_NOTE);
    let texts = both(field("/name", display_name(&body.name)), description);
    let (slug, (name, description)) = both(field("/slug", slug(&body.slug)), texts)?;
    let case = cases::Create { organization_id, slug, name, description };
    let done = command.run(&case).await?;
    let id = done.answer.workspace_id;
    let location = format!("/api/v1/organizations/{organization_id}/workspaces/{id}");
    Ok(Accepted::created(&done, id, location, IdView::of(id)))
}

async fn read(
    call: Call,
    Path((_, id)): Path<(String, WorkspaceId)>,
) -> Result<Found<WorkspaceView>, Problem> {
    let (organization, position) = (call.organization()?, call.fresh("organization").await?);
    let row = table::by_id(&call.app.reader, organization, id).await?;
    let row = row.ok_or_else(Problem::not_found)?;
    let version = row.std.stream_version;
    Ok(Found::new(row.into(), position).version(version))
}

/// A workspace's name and description, as they stand after.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct WorkspaceBody {
    /// For people to read.
    #[schema(example = "Accounting")]
    name: String,
    /// What it is for; absent or null removes it.
    description: Option<String>,
}

async fn rename(
    Path((_, workspace_id)): Path<(String, WorkspaceId)>,
    IfMatch(seen): IfMatch,
    command: Command<WorkspaceBody>,
) -> Result<Accepted<()>, Problem> {
    let body = &command.body;
    let description = optional_line("/description", body.description.as_deref(), MAX_NOTE);
    let (name, description) = both(field("/name", display_name(&body.name)), description)?;
    let case = cases::Rename {
        organization_id: command.call.organization()?,
        workspace_id,
        seen: Some(seen),
        name,
        description,
    };
    let done = command.run(&case).await?;
    Ok(Accepted::done(&done, workspace_id))
}

async fn archive(
    Path((_, workspace_id)): Path<(String, WorkspaceId)>,
    command: Command<()>,
) -> Result<Accepted<()>, Problem> {
    let organization_id = command.call.organization()?;
    let done = command.run(&cases::Archive { organization_id, workspace_id }).await?;
    Ok(Accepted::done(&done, workspace_id))
}

async fn restore(
    Path((_, workspace_id)): Path<(String, WorkspaceId)>,
    command: Command<()>,
) -> Result<Accepted<()>, Problem> {
    let organization_id = command.call.organization()?;
    let done = command.run(&cases::Restore { organization_id, workspace_id }).await?;
    Ok(Accepted::done(&done, workspace_id))
}
