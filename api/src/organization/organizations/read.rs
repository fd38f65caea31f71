//! `GET /organizations`, and one of them by id or slug.

use axum::extract::OriginalUri;
use chrono::{DateTime, NaiveDate, Utc};
use domain::{
    identity::UserId,
    kernel::TenantId,
    organization::{
        OrganizationId,
        organization::{OrganizationKind, OrganizationStatus, OrganizationType},
    },
};
use projections::organization::organizations::{self as table, OrganizationRow};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::TAG;
use crate::{
    answer::Found,
    app::App,
    extract::{Limit, Query},
    gate::Call,
    listing::{List, Listing},
    problem::Problem,
    routes::{Routes, op},
};

pub(super) fn routes() -> Routes<App> {
    Routes::new()
        .get(
            "/organizations",
            list,
            op("List organizations, newest first")
                .tag(TAG)
                .description("Those of one user are below `/users/{user_id}/organizations`.")
                .query::<OrganizationsQuery>()
                .answer::<List<OrganizationView>>(200)
                .paged()
                .waits(),
        )
        .get(
            "/organizations/{organization_id}",
            read,
            op("Read an organization by id or slug")
                .tag(TAG)
                .answer::<OrganizationView>(200)
                .etag()
                .waits(),
        )
}

/// An organization.
#[derive(Debug, Serialize, ToSchema)]
struct OrganizationView {
    id: Uuid,
    /// Unique over the platform.
    #[schema(example = "acme")]
    slug: String,
    /// For people to read.
    #[schema(example = "Acme")]
    name: String,
    /// `personal`, `team`, `enterprise` or `cooperative`.
    r#type: String,
    /// `customer` or `demo`.
    kind: String,
    /// `demo`, `trial`, `active`, `frozen` or `archived`.
    #[schema(example = "active")]
    status: String,
    /// Why it stands there.
    status_reason: Option<String>,
    owner_user_ids: Vec<Uuid>,
    parent_organization_id: Option<Uuid>,
    /// The name of its plan.
    plan_label: Option<String>,
    /// Its names in other systems, by system.
    external_refs: Map<String, Value>,
    trial_ends_at: Option<DateTime<Utc>>,
    contract_starts_on: Option<NaiveDate>,
    contract_ends_on: Option<NaiveDate>,
    /// Who looks after the account.
    sales_owner_user_id: Option<Uuid>,
    /// ISO 3166-1 alpha-2.
    country: Option<String>,
    /// BCP 47.
    locale: String,
    /// IANA name.
    timezone: String,
    settings: Map<String, Value>,
    frozen_at: Option<DateTime<Utc>>,
    archived_at: Option<DateTime<Utc>>,
    /// From when on it may be purged.
    purge_after: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl From<OrganizationRow> for OrganizationView {
    fn from(row: OrganizationRow) -> Self {
        Self {
            id: row.id.uuid(),
            slug: row.slug,
            name: row.name,
            r#type: row.r#type.to_string(),
            kind: row.kind.to_string(),
            status: row.status.to_string(),
            status_reason: row.status_reason,
            owner_user_ids: row.owner_user_ids.into_iter().map(UserId::uuid).collect(),
            parent_organization_id: row.parent_organization_id.map(OrganizationId::uuid),
            plan_label: row.plan_label,
            external_refs: row.external_refs,
            trial_ends_at: row.trial_ends_at,
            contract_starts_on: row.contract_starts_on,
            contract_ends_on: row.contract_ends_on,
            sales_owner_user_id: row.sales_owner_user_id.map(UserId::uuid),
            country: row.country,
            locale: row.locale,
            timezone: row.timezone,
            settings: row.settings,
            frozen_at: row.frozen_at,
            archived_at: row.archived_at,
            purge_after: row.purge_after,
            created_at: row.std.created_at,
            updated_at: row.std.updated_at,
        }
    }
}

/// Which organizations.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct OrganizationsQuery {
    /// In this status.
    #[param(value_type = Option<String>)]
    status: Option<OrganizationStatus>,
    /// Of this kind.
    #[param(value_type = Option<String>)]
    kind: Option<OrganizationKind>,
    /// Of this type.
    #[param(value_type = Option<String>)]
    r#type: Option<OrganizationType>,
    /// Looked after by this user.
    #[param(value_type = Option<Uuid>)]
    sales_owner: Option<UserId>,
    /// Whose trial ends before this instant.
    trial_ends_before: Option<DateTime<Utc>>,
    #[param(ignore)]
    #[serde(default)]
    limit: Limit,
    #[param(ignore)]
    cursor: Option<String>,
}

async fn list(
    call: Call,
    OriginalUri(uri): OriginalUri,
    Query(query): Query<OrganizationsQuery>,
) -> Result<Found<List<OrganizationView>>, Problem> {
    let OrganizationsQuery { status, kind, r#type, sales_owner, trial_ends_before, limit, cursor } =
        query;
    let position = call.fresh("organization").await?;
    let bound = (status, kind, r#type, sales_owner, trial_ends_before);
    let listing = Listing::new(&call.app.cursors, &uri, TenantId::PLATFORM, &bound);
    let request = listing.request(limit, cursor.as_deref())?;
    let filter = table::Filter { status, kind, r#type, sales_owner, trial_ends_before };
    let page = table::list(&call.app.reader, &filter, &request).await?;
    let (list, link) = listing.answer(page, OrganizationView::from)?;
    Ok(Found::new(list, position).link(link))
}

async fn read(call: Call) -> Result<Found<OrganizationView>, Problem> {
    let position = call.fresh("organization").await?;
    let row = table::by_id(&call.app.reader, call.organization()?).await?;
    let row = row.ok_or_else(Problem::not_found)?;
    let version = row.std.stream_version;
    Ok(Found::new(row.into(), position).version(version))
}
