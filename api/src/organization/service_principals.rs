//! `/organizations/{organization_id}/service-principals` and `/api-keys`: programs, and what they
//! sign in with.
//!
//! Owns the one moment in which a key is shown. The log keeps a hash, so a repeated request can
//! tell which key was made and not what it is.

use axum::extract::OriginalUri;
use chrono::{DateTime, TimeDelta, Utc};
use commands::{Done, organization::service_principal as cases};
use domain::{
    kernel::display_name,
    organization::{
        ApiKeyId, OrganizationId, ServicePrincipalId, WorkspaceId,
        service_principal::ServicePrincipal,
    },
};
use eventstore::Loaded;
use projections::organization::api_keys::{self as table, ApiKeyRow, Filter};
use serde::{Deserialize, Serialize};
use tokio::sync::MutexGuard;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::body::{IdView, ReasonBody, ReasonQuery, bounded};
use crate::{
    answer::{Accepted, Found},
    app::App,
    crypto::apikey::ApiKeySecret,
    door,
    extract::{Limit, Path, Query},
    gate::{Call, Command},
    listing::{List, Listing},
    problem::Problem,
    routes::{Routes, op},
    text::field,
};

/// How long a replaced key still opens unless said, and at most, in seconds.
const OVERLAP: u32 = 24 * 3_600;
const MAX_OVERLAP: u32 = 7 * OVERLAP;
/// Most permissions of a key.
const MAX_SCOPES: usize = 500;
const TAG: &str = "service-principals";

pub(super) fn routes() -> Routes<App> {
    principals().merge(keys())
}

fn principals() -> Routes<App> {
    Routes::new()
        .post(
            "/organizations/{organization_id}/service-principals",
            create,
            op("Create a service principal")
                .tag(TAG)
                .body::<ServicePrincipalBody>()
                .answer::<IdView>(201)
                .idempotent()
                .etag(),
        )
        .get(
            "/organizations/{organization_id}/service-principals/{service_principal_id}",
            read,
            op("Read a service principal")
                .tag(TAG)
                .description("As its last change left it: this needs no position to wait for.")
                .answer::<ServicePrincipalView>(200)
                .etag(),
        )
        .post(
            "/organizations/{organization_id}/service-principals/{service_principal_id}/disable",
            disable,
            op("Disable a service principal with all its keys")
                .tag(TAG)
                .description("For good.")
                .body::<ReasonBody>()
                .idempotent()
                .etag(),
        )
}

fn keys() -> Routes<App> {
    let shown_once = "The answer holds the key, this once: with a repeated `Idempotency-Key` it \
                      names the key that was made, without its secret. A key carries at most \
                      what its issuer may do.";
    Routes::new()
        .post(
            "/organizations/{organization_id}/service-principals/{service_principal_id}/api-keys",
            issue,
            op("Issue an API key")
                .tag(TAG)
                .description(shown_once)
                .body::<NewApiKeyBody>()
                .answer::<NewApiKeyView>(201)
                .idempotent()
                .etag(),
        )
        .post(
            "/organizations/{organization_id}/service-principals/{service_principal_id}/api-keys/{api_key_id}/rotate",
            rotate,
            op("Replace an API key by one of the same name and scopes")
                .tag(TAG)
                .description(shown_once)
                .body::<RotationBody>()
                .answer::<NewApiKeyView>(201)
                .idempotent()
                .etag(),
        )
        .delete(
            "/organizations/{organization_id}/service-principals/{service_principal_id}/api-keys/{api_key_id}",
            revoke,
            op("Revoke an API key")
                .tag(TAG)
                .description("It opens nothing any more, at the latest a second after the answer.")
                .query::<ReasonQuery>()
                .idempotent()
                .etag(),
        )
        .get(
            "/organizations/{organization_id}/api-keys",
            list,
            op("List API keys, newest first")
                .tag(TAG)
                .query::<ApiKeysQuery>()
                .answer::<List<ApiKeyView>>(200)
                .paged()
                .waits(),
        )
}

/// A new service principal.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ServicePrincipalBody {
    /// For people to read.
    #[schema(example = "Nightly export")]
    name: String,
    /// The only workspace it acts in; absent means the whole organization.
    #[schema(value_type = Option<Uuid>)]
    workspace_id: Option<WorkspaceId>,
}

async fn create(command: Command<ServicePrincipalBody>) -> Result<Accepted<IdView>, Problem> {
    let organization_id = command.call.organization()?;
    let name = field("/name", display_name(&command.body.name))?;
    let workspace_id = command.body.workspace_id;
    let done = command.run(&cases::Create { organization_id, workspace_id, name }).await?;
    let id = done.answer.service_principal_id;
    let location = format!("/api/v1/organizations/{organization_id}/service-principals/{id}");
    Ok(Accepted::created(&done, id, location, IdView::of(id)))
}

/// A service principal.
#[derive(Debug, Serialize, ToSchema)]
struct ServicePrincipalView {
    id: Uuid,
    /// For people to read.
    name: String,
    /// The only workspace it acts in; null means the whole organization.
    workspace_id: Option<Uuid>,
    status: ServicePrincipalStatus,
}

/// What becomes of a service principal.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum ServicePrincipalStatus {
    /// It can be given keys.
    Active,
    /// It gets no keys any more, and those it had open nothing.
    Disabled,
}

async fn read(
    call: Call,
    Path((_, service_principal_id)): Path<(String, ServicePrincipalId)>,
) -> Result<Found<ServicePrincipalView>, Problem> {
    let head = *call.app.store.watch_head().borrow();
    // No table holds those without a key.
    let loaded = load(&call, service_principal_id).await?;
    let principal = loaded.state.present().map_err(|_| Problem::not_found())?;
    let status = match principal.is_disabled {
        false => ServicePrincipalStatus::Active,
        true => ServicePrincipalStatus::Disabled,
    };
    let view = ServicePrincipalView {
        id: principal.id.uuid(),
        name: principal.name.clone(),
        workspace_id: principal.workspace_id.map(WorkspaceId::uuid),
        status,
    };
    Ok(Found::new(view, head).version(i64::from(loaded.edited.0)))
}

/// A service principal of the path's organization, as the log has it now.
async fn load(call: &Call, id: ServicePrincipalId) -> Result<Loaded<ServicePrincipal>, Problem> {
    let organization_id = call.organization()?;
    let loaded = call.app.store.load_fresh::<ServicePrincipal>(id.uuid()).await?;
    match loaded.state.present() {
        Ok(present) if present.organization_id == organization_id => Ok(loaded),
        Ok(_) | Err(_) => Err(Problem::not_found()),
    }
}

async fn disable(
    Path((_, service_principal_id)): Path<(String, ServicePrincipalId)>,
    command: Command<ReasonBody>,
) -> Result<Accepted<()>, Problem> {
    let (organization_id, reason) = (command.call.organization()?, command.body.parse()?);
    let case = cases::Disable { organization_id, service_principal_id, reason };
    let done = command.run(&case).await?;
    Ok(Accepted::done(&done, service_principal_id))
}

/// A new API key.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewApiKeyBody {
    /// What people call it.
    #[schema(example = "export server")]
    name: String,
    /// The permissions it carries, at least one; you can name only what you hold yourself.
    #[schema(example = json!(["organization.membership.read"]))]
    scopes: Vec<String>,
    /// When it ends by itself.
    expires_at: Option<DateTime<Utc>>,
}

/// A key that was made.
#[derive(Serialize, ToSchema)]
struct NewApiKeyView {
    /// Its id.
    id: Uuid,
    /// Its public part; null when the answer repeats an earlier one.
    #[schema(example = "ch_3fT0aPq9ZkLm")]
    prefix: Option<String>,
    /// The whole key, to be sent as `Authorization: Bearer`. Shown this once; null when the
    /// answer repeats an earlier one.
    key: Option<String>,
}

async fn issue(
    Path((_, service_principal_id)): Path<(String, ServicePrincipalId)>,
    command: Command<NewApiKeyBody>,
) -> Result<Accepted<NewApiKeyView>, Problem> {
    let (organization_id, body) = (command.call.organization()?, &command.body);
    let name = field("/name", display_name(&body.name))?;
    let scopes = bounded("/scopes", &body.scopes, MAX_SCOPES)?;
    let _turn = turn(&command.call).await;
    if let Some(done) = command.repeated().await? {
        return Ok(shown(&done, organization_id, service_principal_id, None));
    }
    load(&command.call, service_principal_id).await?;
    let (key, secret) = fresh(&command.call, body.expires_at).await?;
    let case = cases::IssueKey { organization_id, service_principal_id, name, scopes, secret };
    let done = command.run(&case).await?;
    Ok(shown(&done, organization_id, service_principal_id, Some(&key)))
}

/// How a key is replaced.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RotationBody {
    /// For how long the old key still opens: a day unless said, a week at most. It never lives
    /// longer for it.
    #[schema(minimum = 0, maximum = 604800, example = 3600)]
    overlap_seconds: Option<u32>,
    /// When the new key ends by itself.
    expires_at: Option<DateTime<Utc>>,
}

async fn rotate(
    Path((_, service_principal_id, api_key_id)): Path<(String, ServicePrincipalId, ApiKeyId)>,
    command: Command<RotationBody>,
) -> Result<Accepted<NewApiKeyView>, Problem> {
    let (call, body) = (&command.call, &command.body);
    let organization_id = call.organization()?;
    let overlap = body.overlap_seconds.unwrap_or(OVERLAP);
    if overlap > MAX_OVERLAP {
        let detail = format!("must be at most {MAX_OVERLAP}");
        return Err(Problem::invalid_field("/overlap_seconds", detail));
    }
    let overlap = TimeDelta::seconds(i64::from(overlap));
    let overlap_until = call.now.checked_add_signed(overlap).unwrap_or(call.now);
    let _turn = turn(call).await;
    if let Some(done) = command.repeated().await? {
        return Ok(shown(&done, organization_id, service_principal_id, None));
    }
    load(call, service_principal_id).await?;
    let (key, secret) = fresh(call, body.expires_at).await?;
    let case = cases::RotateKey {
        organization_id,
        service_principal_id,
        api_key_id,
        overlap_until,
        secret,
    };
    let done = command.run(&case).await?;
    Ok(shown(&done, organization_id, service_principal_id, Some(&key)))
}

/// Waits until no other request of the account has a key hashed: whoever asks for many at once must
/// not fill the line in which people sign in.
async fn turn(call: &Call) -> Option<MutexGuard<'_, ()>> {
    door::aside(call.app.hashers.turn(&call.caller.actor.id)).await
}

/// A fresh key, and what the log may keep of it.
async fn fresh(
    call: &Call,
    expires_at: Option<DateTime<Utc>>,
) -> Result<(ApiKeySecret, cases::NewSecret), Problem> {
    let key = ApiKeySecret::generate();
    let secret_hash = key.hash(&call.app.hashing).await?;
    let secret = cases::NewSecret { prefix: key.prefix().to_owned(), secret_hash, expires_at };
    Ok((key, secret))
}

/// The answer that shows a key. A repetition made a key that was thrown away: it shows none.
fn shown(
    done: &Done<cases::Issued>,
    organization: OrganizationId,
    principal: ServicePrincipalId,
    key: Option<&ApiKeySecret>,
) -> Accepted<NewApiKeyView> {
    let id = done.answer.api_key_id;
    let key = key.filter(|_| !done.duplicate);
    let view = NewApiKeyView {
        id: id.uuid(),
        prefix: key.map(|key| key.prefix().to_owned()),
        key: key.map(ApiKeySecret::text),
    };
    let location = format!(
        "/api/v1/organizations/{organization}/service-principals/{principal}/api-keys/{id}"
    );
    Accepted::created(done, principal, location, view)
}

async fn revoke(
    Path((_, service_principal_id, api_key_id)): Path<(String, ServicePrincipalId, ApiKeyId)>,
    Query(query): Query<ReasonQuery>,
    command: Command<()>,
) -> Result<Accepted<()>, Problem> {
    let (organization_id, app) = (command.call.organization()?, &command.call.app);
    let reason = query.parse("revoked")?;
    let case = cases::RevokeKey { organization_id, service_principal_id, api_key_id, reason };
    let done = command.run(&case).await?;
    // The gate asks the stream, so the key is dead already; this only frees its place.
    let loaded = app.store.load::<ServicePrincipal>(service_principal_id.uuid()).await?;
    if let Some(key) = loaded.state.key(api_key_id) {
        app.verified_keys.forget(&key.prefix);
    }
    Ok(Accepted::done(&done, service_principal_id))
}

/// An API key, by what is public of it.
#[derive(Debug, Serialize, ToSchema)]
struct ApiKeyView {
    id: Uuid,
    /// Whose key it is.
    service_principal_id: Uuid,
    /// The service principal's name.
    service_principal_name: String,
    /// The only workspace in which it opens anything.
    workspace_id: Option<Uuid>,
    /// What people call the key.
    name: String,
    /// Its public part.
    #[schema(example = "ch_3fT0aPq9ZkLm")]
    prefix: String,
    /// The permissions it carries.
    scopes: Vec<String>,
    /// Who asked for it; nil for the platform.
    created_by: Uuid,
    /// The key it replaces.
    rotated_from_key_id: Option<Uuid>,
    /// When it was used, to within an hour.
    last_used_at: Option<DateTime<Utc>>,
    /// From where.
    last_used_ip: Option<String>,
    /// When it ends by itself.
    expires_at: Option<DateTime<Utc>>,
    revoked_at: Option<DateTime<Utc>>,
    /// Who ended it; nil for the platform.
    revoked_by: Option<Uuid>,
    /// Why it was ended.
    revoked_reason: Option<String>,
    created_at: DateTime<Utc>,
}

impl From<ApiKeyRow> for ApiKeyView {
    fn from(row: ApiKeyRow) -> Self {
        Self {
            id: row.id.uuid(),
            service_principal_id: row.principal_id.uuid(),
            service_principal_name: row.principal_name,
            workspace_id: row.workspace_id.map(WorkspaceId::uuid),
            name: row.name,
            prefix: row.prefix,
            scopes: row.scopes,
            created_by: row.created_by,
            rotated_from_key_id: row.rotated_from_key_id.map(ApiKeyId::uuid),
            last_used_at: row.last_used_at,
            last_used_ip: row.last_used_ip.map(|ip| ip.to_string()),
            expires_at: row.expires_at,
            revoked_at: row.revoked_at,
            revoked_by: row.revoked_by,
            revoked_reason: row.revoked_reason,
            created_at: row.std.created_at,
        }
    }
}

/// Which API keys.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct ApiKeysQuery {
    /// Of this service principal.
    #[param(value_type = Option<Uuid>)]
    service_principal: Option<ServicePrincipalId>,
    /// Only those that open something now.
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
    Query(query): Query<ApiKeysQuery>,
) -> Result<Found<List<ApiKeyView>>, Problem> {
    let ApiKeysQuery { service_principal, live, limit, cursor } = query;
    let (organization, position) = (call.organization()?, call.fresh("organization").await?);
    let bound = (service_principal, live);
    let listing = Listing::new(&call.app.cursors, &uri, organization.tenant(), &bound);
    let request = listing.request(limit, cursor.as_deref())?;
    let filter = Filter { principal: service_principal, live_at: live.then_some(call.now) };
    let page = table::list(&call.app.reader, organization, &filter, &request).await?;
    let (list, link) = listing.answer(page, ApiKeyView::from)?;
    Ok(Found::new(list, position).link(link))
}
