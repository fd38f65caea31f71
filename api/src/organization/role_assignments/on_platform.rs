//! `/users/{user_id}/roles`: roles on the whole platform.

use axum::extract::OriginalUri;
use chrono::{DateTime, Utc};
use commands::organization::role_assignment as cases;
use domain::{
    identity::UserId,
    kernel::TenantId,
    organization::{Principal, PrincipalKind, RoleId},
};
use projections::organization::role_assignments::{self as table, Filter};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::{
    super::body::{IdView, MAX_NOTE, ReasonQuery},
    RoleAssignmentView, TAG,
};
use crate::{
    answer::{Accepted, Found},
    app::App,
    extract::{Limit, Path, Query},
    gate::{Call, Command},
    listing::{List, Listing},
    problem::Problem,
    routes::{Routes, op},
    text::optional_line,
};

pub(super) fn routes() -> Routes<App> {
    Routes::new()
        .get(
            "/users/{user_id}/roles",
            list,
            op("List a user's roles on the platform")
                .tag(TAG)
                .query::<PlatformRolesQuery>()
                .answer::<List<RoleAssignmentView>>(200)
                .paged()
                .waits(),
        )
        .post(
            "/users/{user_id}/roles",
            assign,
            op("Give a user a role on the platform")
                .tag(TAG)
                .description("Nobody gives what they do not hold themselves.")
                .body::<PlatformRoleBody>()
                .answer::<IdView>(201)
                .idempotent()
                .etag(),
        )
        .delete(
            "/users/{user_id}/roles/{role_id}",
            revoke,
            op("Take a role on the platform away from a user")
                .tag(TAG)
                .query::<ReasonQuery>()
                .idempotent(),
        )
}

/// Which of the user's role assignments.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct PlatformRolesQuery {
    /// Only those in force now.
    #[serde(default)]
    live: bool,
    #[param(ignore)]
    #[serde(default)]
    limit: Limit,
    #[param(ignore)]
    cursor: Option<String>,
}

async fn list(
    call: Call,
    OriginalUri(uri): OriginalUri,
    Path(user): Path<UserId>,
    Query(query): Query<PlatformRolesQuery>,
) -> Result<Found<List<RoleAssignmentView>>, Problem> {
    let PlatformRolesQuery { live, limit, cursor } = query;
    let position = call.fresh("organization").await?;
    let listing = Listing::new(&call.app.cursors, &uri, TenantId::PLATFORM, &live);
    let request = listing.request(limit, cursor.as_deref())?;
    let principal = Principal { kind: PrincipalKind::User, id: user.uuid() };
    let filter = Filter { principal: Some(principal), live_at: live.then_some(call.now) };
    let page = table::on_platform(&call.app.reader, &filter, &request).await?;
    let (list, link) = listing.answer(page, RoleAssignmentView::from)?;
    Ok(Found::new(list, position).link(link))
}

/// A role of the platform for a user.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PlatformRoleBody {
    /// The role.
    #[schema(value_type = Uuid)]
    role_id: RoleId,
    /// When it ends by itself.
    expires_at: Option<DateTime<Utc>>,
    /// Why, for the record.
    #[schema(example = "joins the support team")]
    reason: Option<String>,
}

async fn assign(
    Path(user_id): Path<UserId>,
    command: Command<PlatformRoleBody>,
) -> Result<Accepted<IdView>, Problem> {
    let body = &command.body;
    let (role_id, expires_at) = (body.role_id, body.expires_at);
    let reason = optional_line("/reason", body.reason.as_deref(), MAX_NOTE)?;
    let case = cases::AssignOnPlatform { user_id, role_id, expires_at, reason };
    let done = command.run(&case).await?;
    let id = done.answer.role_assignment_id;
    let location = format!("/api/v1/users/{user_id}/roles/{role_id}");
    Ok(Accepted::created(&done, id, location, IdView::of(id)))
}

async fn revoke(
    Path((user_id, role_id)): Path<(UserId, RoleId)>,
    Query(query): Query<ReasonQuery>,
    command: Command<()>,
) -> Result<Accepted<()>, Problem> {
    let reason = query.parse("revoked")?;
    let done = command.run(&cases::RevokeOnPlatform { user_id, role_id, reason }).await?;
    Ok(Accepted::done(&done, role_id))
}
