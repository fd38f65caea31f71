//! `/me`: the signed-in user, and what belongs to them; and the organizations of a user.

use axum::extract::OriginalUri;
use chrono::{DateTime, Utc};
use domain::{identity::UserId, kernel::TenantId};
use projections::{
    PageRequest,
    identity::{
        persons::{self, PersonRow},
        users::{self, UserRow},
    },
    organization::members::{self, Belonging},
};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    answer::Found,
    app::App,
    extract::{Limit, Path, Query},
    gate::Call,
    listing::{List, Listing, Paging},
    problem::Problem,
    routes::{Routes, op},
};

pub(super) fn routes() -> Routes<App> {
    Routes::new()
        .get(
            "/me",
            me,
            op("Read the signed-in user")
                .tag("me")
                .description(
                    "With the person behind the user, the first 200 organizations in the order \
                     of joining, and the permissions on the whole platform. Those inside an \
                     organization are below `/principals`.",
                )
                .answer::<MeView>(200)
                .waits(),
        )
        .get(
            "/users/{user_id}/organizations",
            organizations,
            op("List the organizations a user belongs to, in the order of joining")
                .tag("members")
                .answer::<List<BelongingView>>(200)
                .paged()
                .waits(),
        )
}

/// The signed-in user.
#[derive(Debug, Serialize, ToSchema)]
struct MeView {
    user: MyUserView,
    /// The human behind the user.
    person: MyPersonView,
    /// The organizations they belong to, at most 200.
    organizations: Vec<BelongingView>,
    /// Permissions on the whole platform, by name.
    permissions: Vec<String>,
}

/// The user.
#[derive(Debug, Serialize, ToSchema)]
struct MyUserView {
    id: Uuid,
    #[schema(example = "ada@example.org")]
    email: Option<String>,
    /// Whether the address was shown to be theirs.
    email_verified: bool,
    /// The name to sign in with instead of the address.
    username: Option<String>,
    /// `active`, or `locked` for new sign-ins.
    #[schema(example = "active")]
    status: String,
    /// Whether a password alone is not enough.
    mfa_enrolled: bool,
    last_login_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
}

impl From<UserRow> for MyUserView {
    fn from(row: UserRow) -> Self {
        Self {
            id: row.id.uuid(),
            email: row.email,
            email_verified: row.email_verified_at.is_some(),
            username: row.username,
            status: row.status.to_string(),
            mfa_enrolled: row.mfa_enrolled,
            last_login_at: row.last_login_at,
            created_at: row.std.created_at,
        }
    }
}

/// The human.
#[derive(Debug, Serialize, ToSchema)]
struct MyPersonView {
    id: Uuid,
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
}

impl From<PersonRow> for MyPersonView {
    fn from(row: PersonRow) -> Self {
        Self {
            id: row.id.uuid(),
            display_name: row.display_name,
            legal_name: row.legal_name,
            country: row.country,
            locale: row.locale,
            timezone: row.timezone,
        }
    }
}

/// An organization a user belongs to.
#[derive(Debug, Serialize, ToSchema)]
struct BelongingView {
    organization_id: Uuid,
    #[schema(example = "acme")]
    slug: String,
    #[schema(example = "Acme")]
    name: String,
    /// `personal`, `team`, `enterprise` or `cooperative`.
    r#type: String,
    /// `customer` or `demo`.
    kind: String,
    /// `demo`, `trial`, `active`, `frozen` or `archived`.
    status: String,
    membership_id: Uuid,
    /// `active` or `suspended`.
    #[schema(example = "active")]
    membership_status: String,
    /// What the user is called there.
    title: Option<String>,
    /// Whether the user is one of its owners.
    is_owner: bool,
    joined_at: DateTime<Utc>,
}

impl From<Belonging> for BelongingView {
    fn from(belonging: Belonging) -> Self {
        let membership = belonging.membership;
        Self {
            organization_id: membership.organization_id.uuid(),
            slug: belonging.slug,
            name: belonging.name,
            r#type: belonging.r#type.to_string(),
            kind: belonging.kind.to_string(),
            status: belonging.status.to_string(),
            membership_id: membership.id.uuid(),
            membership_status: membership.status.to_string(),
            title: membership.title,
            is_owner: belonging.is_owner,
            joined_at: membership.joined_at,
        }
    }
}

async fn me(call: Call) -> Result<Found<MeView>, Problem> {
    let user = call.caller.user()?;
    let person = call.caller.person.ok_or_else(Problem::not_found)?;
    let position = call.fresh("organization").await?.min(call.fresh("identity").await?);
    let reader = &call.app.reader;
    let first = PageRequest::first(Limit::MAX);
    let (user, person, organizations) = tokio::try_join!(
        users::by_id(reader, user),
        persons::by_id(reader, person),
        members::organizations_of(reader, user, &first),
    )?;
    let view = MeView {
        user: user.ok_or_else(Problem::not_found)?.into(),
        person: person.ok_or_else(Problem::not_found)?.into(),
        organizations: organizations.rows.into_iter().map(BelongingView::from).collect(),
        permissions: call.caller.grants.platform.iter().cloned().collect(),
    };
    Ok(Found::new(view, position))
}

async fn organizations(
    call: Call,
    OriginalUri(uri): OriginalUri,
    Path(user): Path<UserId>,
    Query(paging): Query<Paging>,
) -> Result<Found<List<BelongingView>>, Problem> {
    let position = call.fresh("organization").await?;
    let listing = Listing::new(&call.app.cursors, &uri, TenantId::PLATFORM, &user);
    let request = listing.request(paging.limit, paging.cursor.as_deref())?;
    let page = members::organizations_of(&call.app.reader, user, &request).await?;
    let (list, link) = listing.answer(page, BelongingView::from)?;
    Ok(Found::new(list, position).link(link))
}
