//! `POST /organizations`.

use chrono::{DateTime, Utc};
use commands::organization::organization as cases;
use domain::{
    kernel::{display_name, slug},
    organization::{
        OrganizationId,
        organization::{Create, OrganizationKind, OrganizationType},
    },
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::TAG;
use crate::{
    answer::Accepted,
    app::App,
    clock::mint,
    gate::Command,
    problem::Problem,
    routes::{Routes, op},
    text::{both, field, locality},
};

pub(super) fn routes() -> Routes<App> {
    Routes::new().post(
        "/organizations",
        create,
        op("Create an organization")
            .tag(TAG)
            .description(
                "It comes with a default workspace, and with the caller as first member and \
                 owner, all at once or not at all.",
            )
            .body::<NewOrganizationBody>()
            .answer::<NewOrganizationView>(201)
            .refuses(404)
            .idempotent()
            .etag(),
    )
}

/// A new organization.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewOrganizationBody {
    /// 3 to 40 of `a-z`, `0-9` and inner hyphens; unique over the platform.
    #[schema(example = "acme")]
    slug: String,
    /// For people to read.
    #[schema(example = "Acme")]
    name: String,
    /// What shape of customer it is: `personal`, `team`, `enterprise` or `cooperative`.
    #[schema(value_type = String, example = "team")]
    r#type: OrganizationType,
    /// `customer` unless said; `demo` is for operators.
    #[schema(value_type = Option<String>)]
    kind: Option<OrganizationKind>,
    /// The organization it belongs to; for operators.
    #[schema(value_type = Option<Uuid>)]
    parent_organization_id: Option<OrganizationId>,
    /// ISO 3166-1 alpha-2.
    #[schema(example = "AT")]
    country: Option<String>,
    /// BCP 47; `en` unless said.
    #[schema(example = "de-AT")]
    locale: Option<String>,
    /// IANA name; `UTC` unless said.
    #[schema(example = "Europe/Vienna")]
    timezone: Option<String>,
    /// Starts it on trial until then; for operators.
    trial_ends_at: Option<DateTime<Utc>>,
}

/// What was created.
#[derive(Debug, Serialize, ToSchema)]
struct NewOrganizationView {
    /// The organization.
    id: Uuid,
    /// Its default workspace.
    workspace_id: Uuid,
    /// The founder's membership.
    membership_id: Uuid,
}

async fn create(
    command: Command<NewOrganizationBody>,
) -> Result<Accepted<NewOrganizationView>, Problem> {
    let body = &command.body;
    let names = both(field("/slug", slug(&body.slug)), field("/name", display_name(&body.name)));
    let [country, locale, timezone] =
        [&body.country, &body.locale, &body.timezone].map(Option::as_deref);
    let ((slug, name), at) = both(names, locality(country, locale, timezone))?;
    let case = cases::Create {
        organization: Create {
            organization_id: OrganizationId::from_uuid(mint()),
            slug,
            name,
            r#type: body.r#type,
            kind: body.kind.unwrap_or(OrganizationKind::Customer),
            owner_user_id: command.call.caller.user()?,
            parent_organization_id: body.parent_organization_id,
            country: at.country,
            locale: at.locale,
            timezone: at.timezone,
            trial_ends_at: body.trial_ends_at,
        },
    };
    let done = command.run(&case).await?;
    let id = done.answer.organization_id;
    let view = NewOrganizationView {
        id: id.uuid(),
        workspace_id: done.answer.workspace_id.uuid(),
        membership_id: done.answer.membership_id.uuid(),
    };
    Ok(Accepted::created(&done, id, format!("/api/v1/organizations/{id}"), view))
}
