//! `/roles`: the platform's own roles, for those who run it.

use axum::extract::OriginalUri;
use commands::organization::role as cases;
use domain::{kernel::TenantId, organization::RoleId};
use projections::organization::roles::{self as table, Owner};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{
    super::body::{IdView, bounded},
    MAX_PERMISSIONS, NewRoleBody, RoleBody, RoleView, RolesQuery, TAG,
};
use crate::{
    answer::{Accepted, Found},
    app::App,
    extract::{IfMatch, Path, Query},
    gate::{Call, Command},
    listing::{List, Listing},
    problem::Problem,
    routes::{Routes, op},
};

pub(super) fn routes() -> Routes<App> {
    Routes::new()
        .get(
            "/roles",
            list,
            op("List the platform's roles by key")
                .tag(TAG)
                .query::<RolesQuery>()
                .answer::<List<RoleView>>(200)
                .paged()
                .waits(),
        )
        .post(
            "/roles",
            define,
            op("Define a role of the platform")
                .tag(TAG)
                .body::<NewRoleBody>()
                .answer::<IdView>(201)
                .idempotent()
                .etag(),
        )
        .get(
            "/roles/{role_id}",
            read,
            op("Read a role of the platform").tag(TAG).answer::<RoleView>(200).etag().waits(),
        )
        .put(
            "/roles/{role_id}",
            update,
            op("Change a role of the platform")
                .tag(TAG)
                .description("Replaces all but the key. Roles that come with the platform stay.")
                .body::<RoleBody>()
                .idempotent()
                .conditional(),
        )
        .delete(
            "/roles/{role_id}",
            archive,
            op("Archive a role of the platform")
                .tag(TAG)
                .description("It can be given to nobody any more, and lets nobody do anything.")
                .idempotent()
                .etag(),
        )
        .post(
            "/roles/{role_id}/permissions",
            add_permissions,
            op("Let a role of the platform do more")
                .tag(TAG)
                .body::<PermissionsBody>()
                .idempotent()
                .etag(),
        )
        .delete(
            "/roles/{role_id}/permissions/{permission}",
            remove_permission,
            op("Let a role of the platform do less").tag(TAG).idempotent().etag(),
        )
}

async fn list(
    call: Call,
    OriginalUri(uri): OriginalUri,
    Query(query): Query<RolesQuery>,
) -> Result<Found<List<RoleView>>, Problem> {
    let RolesQuery { with_archived, limit, cursor } = query;
    let position = call.fresh("organization").await?;
    let listing = Listing::new(&call.app.cursors, &uri, TenantId::PLATFORM, &with_archived);
    let request = listing.request(limit, cursor.as_deref())?;
    let page = table::list(&call.app.reader, Owner::Platform, with_archived, &request).await?;
    let (list, link) = listing.answer(page, RoleView::from)?;
    Ok(Found::new(list, position).link(link))
}

async fn read(call: Call, Path(id): Path<RoleId>) -> Result<Found<RoleView>, Problem> {
    let position = call.fresh("organization").await?;
    let row = table::by_id(&call.app.reader, Owner::Platform, id).await?;
    let row = row.ok_or_else(Problem::not_found)?;
    let version = row.std.stream_version;
    Ok(Found::new(row.into(), position).version(version))
}

async fn define(command: Command<NewRoleBody>) -> Result<Accepted<IdView>, Problem> {
    let body = &command.body;
    let case =
        cases::Define { organization_id: None, key: body.key.clone(), content: body.content()? };
    let done = command.run(&case).await?;
    let id = done.answer.role_id;
    Ok(Accepted::created(&done, id, format!("/api/v1/roles/{id}"), IdView::of(id)))
}

async fn update(
    Path(role_id): Path<RoleId>,
    IfMatch(seen): IfMatch,
    command: Command<RoleBody>,
) -> Result<Accepted<()>, Problem> {
    let content = command.body.content()?;
    let case = cases::Update { organization_id: None, role_id, seen: Some(seen), content };
    let done = command.run(&case).await?;
    Ok(Accepted::done(&done, role_id))
}

async fn archive(
    Path(role_id): Path<RoleId>,
    command: Command<()>,
) -> Result<Accepted<()>, Problem> {
    let done = command.run(&cases::Archive { organization_id: None, role_id }).await?;
    Ok(Accepted::done(&done, role_id))
}

/// What a role is to do as well.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PermissionsBody {
    /// Names of permissions; you can name only what you hold yourself.
    #[schema(example = json!(["identity.user.read"]))]
    permissions: Vec<String>,
}

async fn add_permissions(
    Path(role_id): Path<RoleId>,
    command: Command<PermissionsBody>,
) -> Result<Accepted<()>, Problem> {
    let permissions = bounded("/permissions", &command.body.permissions, MAX_PERMISSIONS)?;
    let case = cases::AddPermissions { organization_id: None, role_id, permissions };
    let done = command.run(&case).await?;
    Ok(Accepted::done(&done, role_id))
}

async fn remove_permission(
    Path((role_id, permission)): Path<(RoleId, String)>,
    command: Command<()>,
) -> Result<Accepted<()>, Problem> {
    let permissions = vec![permission];
    let case = cases::RemovePermissions { organization_id: None, role_id, permissions };
    let done = command.run(&case).await?;
    Ok(Accepted::done(&done, role_id))
}
