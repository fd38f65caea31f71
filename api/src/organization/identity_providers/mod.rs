//! `/organizations/{organization_id}/identity-providers`: an organization's own sign-on.

mod domains;
mod settings;

use axum::extract::OriginalUri;
use chrono::{DateTime, Utc};
use commands::organization::identity_provider as cases;
use domain::organization::{IdentityProviderId, identity_provider::IdentityProviderKind};
use projections::organization::identity_providers::{self as table, IdentityProviderRow};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use self::settings::ProviderSettings;
use super::body::{IdView, ReasonBody};
use crate::{
    answer::{Accepted, Found},
    app::App,
    domain_proof,
    extract::{IfMatch, Path, Query},
    gate::{Call, Command},
    listing::{List, Listing, Paging},
    problem::Problem,
    routes::{Routes, op},
};

const TAG: &str = "identity-providers";

pub(super) fn routes() -> Routes<App> {
    Routes::new()
        .get(
            "/organizations/{organization_id}/identity-providers",
            list,
            op("List identity providers, oldest first")
                .tag(TAG)
                .answer::<List<IdentityProviderView>>(200)
                .paged()
                .waits(),
        )
        .post(
            "/organizations/{organization_id}/identity-providers",
            configure,
            op("Set up an identity provider")
                .tag(TAG)
                .description(
                    "As a draft: people sign on once a domain is verified and it is enabled.",
                )
                .body::<NewIdentityProviderBody>()
                .answer::<IdView>(201)
                .idempotent()
                .etag(),
        )
        .get(
            "/organizations/{organization_id}/identity-providers/{identity_provider_id}",
            read,
            op("Read an identity provider")
                .tag(TAG)
                .answer::<IdentityProviderView>(200)
                .etag()
                .waits(),
        )
        .put(
            "/organizations/{organization_id}/identity-providers/{identity_provider_id}",
            update,
            op("Replace the settings of an identity provider")
                .tag(TAG)
                .description("A domain that is no longer among them is free for others.")
                .body::<IdentityProviderBody>()
                .idempotent()
                .conditional(),
        )
        .delete(
            "/organizations/{organization_id}/identity-providers/{identity_provider_id}",
            remove,
            op("Remove an identity provider")
                .tag(TAG)
                .description("Its domains are free for others.")
                .idempotent(),
        )
        .post(
            "/organizations/{organization_id}/identity-providers/{identity_provider_id}/enable",
            enable,
            op("Let people sign on through an identity provider")
                .tag(TAG)
                .body::<EnableBody>()
                .idempotent()
                .etag(),
        )
        .post(
            "/organizations/{organization_id}/identity-providers/{identity_provider_id}/disable",
            disable,
            op("Let nobody sign on through an identity provider")
                .tag(TAG)
                .description("Nobody has to, either.")
                .body::<ReasonBody>()
                .idempotent()
                .etag(),
        )
        .merge(domains::routes())
}

/// An identity provider.
#[derive(Debug, Serialize, ToSchema)]
struct IdentityProviderView {
    id: Uuid,
    /// `oidc` or `saml`.
    #[schema(example = "oidc")]
    kind: String,
    /// `draft`, `active` or `disabled`.
    #[schema(example = "draft")]
    status: String,
    settings: ProviderSettings,
    /// The e-mail domains the organization has shown to control.
    verified_domains: Vec<String>,
    /// The newest open challenge.
    challenge: Option<OpenChallengeView>,
    /// Whether it is the only way in.
    enforce_sso: bool,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

/// A proof that is waited for.
#[derive(Debug, Serialize, ToSchema)]
struct OpenChallengeView {
    /// The domain.
    #[schema(example = "example.org")]
    domain: String,
    /// What has to be published there.
    proof: String,
}

impl From<IdentityProviderRow> for IdentityProviderView {
    fn from(row: IdentityProviderRow) -> Self {
        let challenge = row.challenge().map(|(domain, token)| OpenChallengeView {
            domain: domain.to_owned(),
            proof: domain_proof::proof(token),
        });
        Self {
            id: row.id.uuid(),
            kind: row.kind.to_string(),
            status: row.status.to_string(),
            verified_domains: row.verified_domains.clone(),
            challenge,
            enforce_sso: row.enforce_sso,
            created_at: row.std.created_at,
            updated_at: row.std.updated_at,
            settings: row.into(),
        }
    }
}

async fn list(
    call: Call,
    OriginalUri(uri): OriginalUri,
    Query(paging): Query<Paging>,
) -> Result<Found<List<IdentityProviderView>>, Problem> {
    let (organization, position) = (call.organization()?, call.fresh("organization").await?);
    let listing = Listing::new(&call.app.cursors, &uri, organization.tenant(), &());
    let request = listing.request(paging.limit, paging.cursor.as_deref())?;
    let page = table::list(&call.app.reader, organization, &request).await?;
    let (list, link) = listing.answer(page, IdentityProviderView::from)?;
    Ok(Found::new(list, position).link(link))
}

async fn read(
    call: Call,
    Path((_, id)): Path<(String, IdentityProviderId)>,
) -> Result<Found<IdentityProviderView>, Problem> {
    let (organization, position) = (call.organization()?, call.fresh("organization").await?);
    let row = table::by_id(&call.app.reader, organization, id).await?;
    let row = row.ok_or_else(Problem::not_found)?;
    let version = row.std.stream_version;
    Ok(Found::new(row.into(), position).version(version))
}

/// A new identity provider.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewIdentityProviderBody {
    /// The protocol, for ever: `oidc` or `saml`.
    #[schema(value_type = String, example = "oidc")]
    kind: IdentityProviderKind,
    /// How to reach it.
    settings: ProviderSettings,
}

async fn configure(command: Command<NewIdentityProviderBody>) -> Result<Accepted<IdView>, Problem> {
    let (organization_id, body) = (command.call.organization()?, &command.body);
    let (kind, settings) = (body.kind, body.settings.parse()?);
    let done = command.run(&cases::Configure { organization_id, kind, settings }).await?;
    let id = done.answer.identity_provider_id;
    let location = format!("/api/v1/organizations/{organization_id}/identity-providers/{id}");
    Ok(Accepted::created(&done, id, location, IdView::of(id)))
}

/// An identity provider, as it stands after. Its protocol stays for ever.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct IdentityProviderBody {
    /// How to reach it.
    settings: ProviderSettings,
}

async fn update(
    Path((_, identity_provider_id)): Path<(String, IdentityProviderId)>,
    IfMatch(seen): IfMatch,
    command: Command<IdentityProviderBody>,
) -> Result<Accepted<()>, Problem> {
    let organization_id = command.call.organization()?;
    let settings = command.body.settings.parse()?;
    let seen = Some(seen);
    let case = cases::Update { organization_id, identity_provider_id, seen, settings };
    let done = command.run(&case).await?;
    Ok(Accepted::done(&done, identity_provider_id))
}

async fn remove(
    Path((_, identity_provider_id)): Path<(String, IdentityProviderId)>,
    command: Command<()>,
) -> Result<Accepted<()>, Problem> {
    let organization_id = command.call.organization()?;
    let done = command.run(&cases::Remove { organization_id, identity_provider_id }).await?;
    Ok(Accepted::done(&done, identity_provider_id))
}

/// How people sign on from now on.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct EnableBody {
    /// Lets members in no other way. An owner must have signed on through it before, and again
    /// once its issuer, its entity id, a URL or the metadata instead of it changes, which ends it.
    #[serde(default)]
    enforce_sso: bool,
}

async fn enable(
    Path((_, identity_provider_id)): Path<(String, IdentityProviderId)>,
    command: Command<EnableBody>,
) -> Result<Accepted<()>, Problem> {
    let organization_id = command.call.organization()?;
    let enforce_sso = command.body.enforce_sso;
    let case = cases::Enable { organization_id, identity_provider_id, enforce_sso };
    let done = command.run(&case).await?;
    Ok(Accepted::done(&done, identity_provider_id))
}

async fn disable(
    Path((_, identity_provider_id)): Path<(String, IdentityProviderId)>,
    command: Command<ReasonBody>,
) -> Result<Accepted<()>, Problem> {
    let (organization_id, reason) = (command.call.organization()?, command.body.parse()?);
    let case = cases::Disable { organization_id, identity_provider_id, reason };
    let done = command.run(&case).await?;
    Ok(Accepted::done(&done, identity_provider_id))
}
