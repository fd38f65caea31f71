//! Users as they are read, and what is known of the humans behind them.

use axum::extract::OriginalUri;
use chrono::{DateTime, Utc};
use commands::identity::user::UpdateProfile;
use domain::{
    identity::{
        CredentialId, UserId,
        person::Profile,
        user::{CredentialKind, UserStatus},
    },
    kernel::{Personal, TenantId},
};
use projections::{
    PageRequest,
    identity::{
        credentials::{self, CredentialRow},
        persons::{self, PersonRow},
        users::{self as table, UserRow},
    },
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::TAG;
use crate::{
    answer::{Accepted, Found},
    app::App,
    extract::{IfMatch, Limit, Path, Query},
    gate::{Call, Command},
    listing::{List, Listing},
    problem::Problem,
    routes::{Routes, op},
    text::{Locality, both, locality, optional_line},
};

/// Longest name, in characters.
const MAX_NAME: usize = 120;

pub(super) fn routes() -> Routes<App> {
    Routes::new()
        .get(
            "/users",
            list,
            op("List users, newest first")
                .tag(TAG)
                .query::<UsersQuery>()
                .answer::<List<UserView>>(200)
                .paged()
                .waits(),
        )
        .get(
            "/users/{user_id}",
            read,
            op("Read a user")
                .tag(TAG)
                .description(
                    "With the person behind the user, whose version the `ETag` is, and the \
                     credentials that count.",
                )
                .answer::<UserDetailView>(200)
                .etag()
                .waits(),
        )
        .put(
            "/users/{user_id}",
            update,
            op("Replace the profile of the person behind a user")
                .tag(TAG)
                .body::<ProfileBody>()
                .idempotent()
                .conditional(),
        )
}

/// A user.
#[derive(Serialize, ToSchema)]
struct UserView {
    id: Uuid,
    person_id: Uuid,
    /// Null once erased.
    #[schema(example = "ada@example.org")]
    email: Option<String>,
    email_verified_at: Option<DateTime<Utc>>,
    /// The address a change was asked for.
    pending_email: Option<String>,
    /// Null once erased.
    username: Option<String>,
    /// `pending`, `active`, `locked`, `disabled` or `deleted`.
    #[schema(example = "active")]
    status: String,
    /// Whether a password alone is not enough.
    mfa_enrolled: bool,
    /// Failed sign-ins since the last good one.
    failed_login_count: i32,
    locked_until: Option<DateTime<Utc>>,
    last_login_at: Option<DateTime<Utc>>,
    disabled_reason: Option<String>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl From<UserRow> for UserView {
    fn from(row: UserRow) -> Self {
        Self {
            id: row.id.uuid(),
            person_id: row.person_id.uuid(),
            email: row.email,
            email_verified_at: row.email_verified_at,
            pending_email: row.pending_email,
            username: row.username,
            status: row.status.to_string(),
            mfa_enrolled: row.mfa_enrolled,
            failed_login_count: row.failed_login_count,
            locked_until: row.locked_until,
            last_login_at: row.last_login_at,
            disabled_reason: row.disabled_reason,
            created_at: row.std.created_at,
            updated_at: row.std.updated_at,
        }
    }
}

/// A user, the human behind it, and the ways to sign in.
#[derive(Serialize, ToSchema)]
struct UserDetailView {
    #[serde(flatten)]
    user: UserView,
    /// What to call the human; null once erased.
    #[schema(example = "Ada Lovelace")]
    display_name: Option<String>,
    /// What contracts call them.
    legal_name: Option<String>,
    /// ISO 3166-1 alpha-2.
    country: Option<String>,
    /// BCP 47.
    #[schema(example = "en")]
    locale: String,
    /// IANA name.
    #[schema(example = "UTC")]
    timezone: String,
    /// Those that count, oldest first.
    credentials: Vec<CredentialView>,
}

/// A way to prove who one is. No secret is ever shown.
#[derive(Serialize, ToSchema)]
struct CredentialView {
    #[schema(value_type = Uuid)]
    id: CredentialId,
    /// Such as `password` or `totp`.
    #[schema(value_type = String, example = "password")]
    kind: CredentialKind,
    label: Option<String>,
    last_used_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
}

impl From<CredentialRow> for CredentialView {
    fn from(row: CredentialRow) -> Self {
        Self {
            id: row.id,
            kind: row.kind,
            label: row.label,
            last_used_at: row.last_used_at,
            created_at: row.std.created_at,
        }
    }
}

/// Which users.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct UsersQuery {
    /// In this status.
    #[param(value_type = Option<String>)]
    status: Option<UserStatus>,
    /// With this address.
    email: Option<String>,
    /// With an address that begins like this.
    email_prefix: Option<String>,
    #[param(ignore)]
    #[serde(default)]
    limit: Limit,
    #[param(ignore)]
    cursor: Option<String>,
}

async fn list(
    call: Call,
    OriginalUri(uri): OriginalUri,
    Query(query): Query<UsersQuery>,
) -> Result<Found<List<UserView>>, Problem> {
    let UsersQuery { status, email, email_prefix, limit, cursor } = query;
    let position = call.fresh("identity").await?;
    let narrowed = (status, &email, &email_prefix);
    let listing = Listing::new(&call.app.cursors, &uri, TenantId::PLATFORM, &narrowed);
    let request = listing.request(limit, cursor.as_deref())?;
    let email = match (email.clone(), email_prefix.clone()) {
        (Some(email), None) => Some(table::Email::Is(email)),
        (None, Some(start)) => Some(table::Email::StartsWith(start)),
        (None, None) => None,
        (Some(_), Some(_)) => {
            return Err(Problem::invalid_field("?email_prefix", "cannot come with `email`"));
        }
    };
    let filter = table::Filter { status, email };
    let page = table::list(&call.app.reader, &filter, &request).await?;
    let (list, link) = listing.answer(page, UserView::from)?;
    Ok(Found::new(list, position).link(link))
}

async fn read(call: Call, Path(id): Path<UserId>) -> Result<Found<UserDetailView>, Problem> {
    let position = call.fresh("identity").await?;
    let reader = &call.app.reader;
    let user = table::by_id(reader, id).await?.ok_or_else(Problem::not_found)?;
    let first = PageRequest::first(Limit::MAX);
    let (person, credentials) = tokio::try_join!(
        persons::by_id(reader, user.person_id),
        credentials::live_of_user(reader, id, &first),
    )?;
    let PersonRow { display_name, legal_name, country, locale, timezone, std, .. } =
        person.ok_or_else(Problem::not_found)?;
    let view = UserDetailView {
        user: user.into(),
        display_name,
        legal_name,
        country,
        locale,
        timezone,
        credentials: credentials.rows.into_iter().map(CredentialView::from).collect(),
    };
    Ok(Found::new(view, position).version(std.stream_version))
}

/// All that is known of a human, as it stands after; what is absent is not known.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ProfileBody {
    /// What to call them.
    #[schema(example = "Ada Lovelace")]
    display_name: Option<String>,
    /// What contracts call them.
    legal_name: Option<String>,
    /// ISO 3166-1 alpha-2.
    #[schema(example = "AT")]
    country: Option<String>,
    /// BCP 47; `en` unless said.
    #[schema(example = "en")]
    locale: Option<String>,
    /// IANA name; `UTC` unless said.
    #[schema(example = "Europe/Vienna")]
    timezone: Option<String>,
}

async fn update(
    Path(user_id): Path<UserId>,
    IfMatch(seen): IfMatch,
    command: Command<ProfileBody>,
) -> Result<Accepted<()>, Problem> {
    let body = &command.body;
    let name = |pointer, text: &Option<String>| {
        let name = optional_line(pointer, text.as_deref(), MAX_NAME)?;
        Ok::<_, Problem>(name.map(Personal::Open))
    };
    let names =
        both(name("/display_name", &body.display_name), name("/legal_name", &body.legal_name));
    let [country, locale, timezone] =
        [&body.country, &body.locale, &body.timezone].map(Option::as_deref);
    let ((display_name, legal_name), at) = both(names, locality(country, locale, timezone))?;
    let Locality { country, locale, timezone } = at;
    let profile = Profile { display_name, legal_name, country, locale, timezone };
    let done = command.run(&UpdateProfile { user_id, seen: Some(seen), profile }).await?;
    Ok(Accepted::done(&done, done.answer))
}
