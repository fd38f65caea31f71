//! `/organizations/{organization_id}/role-assignments`.

use axum::extract::OriginalUri;
use chrono::{DateTime, Utc};
use commands::organization::role_assignment as cases;
use domain::organization::{Principal, PrincipalKind, RoleAssignmentId, RoleId, WorkspaceId};
use projections::organization::role_assignments::{self as table, Filter};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

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
            "/organizations/{organization_id}/role-assignments",
            list,
            op("List who has which role in an organization, by role")
                .tag(TAG)
                .query::<RoleAssignmentsQuery>()
                .answer::<List<RoleAssignmentView>>(200)
                .paged()
                .waits(),
        )
        .post(
            "/organizations/{organization_id}/role-assignments",
            assign,
            op("Give a role in an organization")
                .tag(TAG)
                .description(
                    "Nobody gives what they do not hold themselves. The owner role comes and \
                     goes with being an owner.",
                )
                .body::<RoleAssignmentBody>()
                .answer::<IdView>(201)
                .idempotent()
                .etag(),
        )
        .delete(
            "/organizations/{organization_id}/role-assignments/{role_assignment_id}",
            revoke,
            op("Take a role away in an organization")
                .tag(TAG)
                .query::<ReasonQuery>()
                .idempotent()
                .etag(),
        )
}

/// Which role assignments.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct RoleAssignmentsQuery {
    /// Of this user or service principal.
    principal: Option<Uuid>,
    /// What kind of principal that is: `user`, unless said, or `service`.
    #[param(value_type = Option<String>)]
    principal_kind: Option<PrincipalKind>,
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
    Query(query): Query<RoleAssignmentsQuery>,
) -> Result<Found<List<RoleAssignmentView>>, Problem> {
    let RoleAssignmentsQuery { principal, principal_kind, live, limit, cursor } = query;
    if principal.is_none() && principal_kind.is_some() {
        return Err(Problem::invalid_field("?principal", "is required with `principal_kind`"));
    }
    let (organization, position) = (call.organization()?, call.fresh("organization").await?);
    let bound = (principal, principal_kind, live);
    let listing = Listing::new(&call.app.cursors, &uri, organization.tenant(), &bound);
    let request = listing.request(limit, cursor.as_deref())?;
    let kind = principal_kind.unwrap_or(PrincipalKind::User);
    let filter = Filter {
        principal: principal.map(|id| Principal { kind, id }),
        live_at: live.then_some(call.now),
    };
    let page = table::list(&call.app.reader, organization, &filter, &request).await?;
    let (list, link) = listing.answer(page, RoleAssignmentView::from)?;
    Ok(Found::new(list, position).link(link))
}

/// A role for somebody.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RoleAssignmentBody {
    /// The role.
    #[schema(value_type = Uuid)]
    role_id: RoleId,
    /// Who gets it: an active member, or a service principal of the organization.
    principal_id: Uuid,
    /// `user`, unless said, or `service`.
    #[schema(value_type = Option<String>, example = "user")]
    principal_kind: Option<PrincipalKind>,
    /// The only workspace in which it counts; absent means the whole organization.
    #[schema(value_type = Option<Uuid>)]
    workspace_id: Option<WorkspaceId>,
    /// When it ends by itself.
    expires_at: Option<DateTime<Utc>>,
    /// Why, for the record.
    #[schema(example = "holiday cover")]
    reason: Option<String>,
}

async fn assign(command: Command<RoleAssignmentBody>) -> Result<Accepted<IdView>, Problem> {
    let (organization_id, body) = (command.call.organization()?, &command.body);
    let kind = body.principal_kind.unwrap_or(PrincipalKind::User);
    let case = cases::Assign {
        organization_id,
        workspace_id: body.workspace_id,
        role_id: body.role_id,
        principal: Principal { kind, id: body.principal_id },
        expires_at: body.expires_at,
        reason: optional_line("/reason", body.reason.as_deref(), MAX_NOTE)?,
    };
    let done = command.run(&case).await?;
    let id = done.answer.role_assignment_id;
    let location = format!("/api/v1/organizations/{organization_id}/role-assignments/{id}");
    Ok(Accepted::created(&done, id, location, IdView::of(id)))
}

async fn revoke(
    Path((_, role_assignment_id)): Path<(String, RoleAssignmentId)>,
    Query(query): Query<ReasonQuery>,
    command: Command<()>,
) -> Result<Accepted<()>, Problem> {
    let organization_id = command.call.organization()?;
    let reason = query.parse("revoked")?;
    let done = command.run(&cases::Revoke { organization_id, role_assignment_id, reason }).await?;
    Ok(Accepted::done(&done, role_assignment_id))
}
