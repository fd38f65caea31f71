//! `/organizations/{organization_id}/roles`: an organization's own roles, and those of the
//! platform that can be given in it.

use axum::extract::OriginalUri;
use commands::organization::role as cases;
use domain::organization::RoleId;
use projections::organization::roles::{self as table, Owner};

use super::{super::body::IdView, NewRoleBody, RoleBody, RoleView, RolesQuery, TAG};
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
            "/organizations/{organization_id}/roles",
            list,
            op("List the roles an organization can give, by key")
                .tag(TAG)
                .query::<RolesQuery>()
                .answer::<List<RoleView>>(200)
                .paged()
                .waits(),
        )
        .post(
            "/organizations/{organization_id}/roles",
            define,
            op("Define a role of an organization")
                .tag(TAG)
                .body::<NewRoleBody>()
                .answer::<IdView>(201)
                .idempotent()
                .etag(),
        )
        .get(
            "/organizations/{organization_id}/roles/{role_id}",
            read,
            op("Read a role an organization can give")
                .tag(TAG)
                .answer::<RoleView>(200)
                .etag()
                .waits(),
        )
        .put(
            "/organizations/{organization_id}/roles/{role_id}",
            update,
            op("Change a role of an organization")
                .tag(TAG)
                .description("Replaces all but the key. The platform's roles stay.")
                .body::<RoleBody>()
                .idempotent()
                .conditional(),
        )
        .delete(
            "/organizations/{organization_id}/roles/{role_id}",
            archive,
            op("Archive a role of an organization")
                .tag(TAG)
                .description("It can be given to nobody any more, and lets nobody do anything.")
                .idempotent()
                .etag(),
        )
}

async fn list(
    call: Call,
    OriginalUri(uri): OriginalUri,
    Query(query): Query<RolesQuery>,
) -> Result<Found<List<RoleView>>, Problem> {
    let RolesQuery { with_archived, limit, cursor } = query;
    let (organization, position) = (call.organization()?, call.fresh("organization").await?);
    let listing = Listing::new(&call.app.cursors, &uri, organization.tenant(), &with_archived);
    let request = listing.request(limit, cursor.as_deref())?;
    let owner = Owner::Organization(organization);
    let page = table::list(&call.app.reader, owner, with_archived, &request).await?;
    let (list, link) = listing.answer(page, RoleView::from)?;
    Ok(Found::new(list, position).link(link))
}

async fn read(
    call: Call,
    Path((_, id)): Path<(String, RoleId)>,
) -> Result<Found<RoleView>, Problem> {
    let (organization, position) = (call.organization()?, call.fresh("organization").await?);
    let row = table::by_id(&call.app.reader, Owner::Organization(organization), id).await?;
    let row = row.ok_or_else(Problem::not_found)?;
    let version = row.std.stream_version;
    Ok(Found::new(row.into(), position).version(version))
}

async fn define(command: Command<NewRoleBody>) -> Result<Accepted<IdView>, Problem> {
    let (organization_id, body) = (command.call.organization()?, &command.body);
    let (key, content) = (body.key.clone(), body.content()?);
    let case = cases::Define { organization_id: Some(organization_id), key, content };
    let done = command.run(&case).await?;
    let id = done.answer.role_id;
    let location = format!("/api/v1/organizations/{organization_id}/roles/{id}");
    Ok(Accepted::created(&done, id, location, IdView::of(id)))
}

async fn update(
    Path((_, role_id)): Path<(String, RoleId)>,
    IfMatch(seen): IfMatch,
    command: Command<RoleBody>,
) -> Result<Accepted<()>, Problem> {
    let organization_id = Some(command.call.organization()?);
    let content = command.body.content()?;
    let case = cases::Update { organization_id, role_id, seen: Some(seen), content };
    let done = command.run(&case).await?;
    Ok(Accepted::done(&done, role_id))
}

async fn archive(
    Path((_, role_id)): Path<(String, RoleId)>,
    command: Command<()>,
) -> Result<Accepted<()>, Problem> {
    let organization_id = Some(command.call.organization()?);
    let done = command.run(&cases::Archive { organization_id, role_id }).await?;
    Ok(Accepted::done(&done, role_id))
}
