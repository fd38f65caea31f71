//! `/organizations/{organization_id}/members`: who belongs, and under which title.

use axum::extract::OriginalUri;
use chrono::{DateTime, Utc};
use commands::organization::membership as cases;
use domain::{
    identity::UserId,
    organization::{MembershipId, RoleId, WorkspaceId, membership::MembershipStatus},
};
use projections::organization::members::{self as table, HeldRole, Member};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::body::{IdView, MAX_ROLES, ReasonBody, ReasonQuery, bounded};
use crate::{
    answer::{Accepted, Found},
    app::App,
    extract::{IfMatch, Limit, Path, Query},
    gate::{Call, Command},
    listing::{List, Listing},
    problem::Problem,
    routes::{Routes, op},
    text::optional_line,
};

/// Longest title, in characters.
const MAX_TITLE: usize = 120;

pub(super) fn routes() -> Routes<App> {
    let tag = "members";
    Routes::new()
        .get(
            "/organizations/{organization_id}/members",
            list,
            op("List members, those with access first, former ones last")
                .tag(tag)
                .query::<MembersQuery>()
                .answer::<List<MemberView>>(200)
                .paged()
                .waits(),
        )
        .post(
            "/organizations/{organization_id}/members",
            add,
            op("Add a user without an invitation")
                .tag(tag)
                .description("Roles are given in the same step, or nothing happens.")
                .body::<NewMemberBody>()
                .answer::<IdView>(201)
                .idempotent()
                .etag(),
        )
        .post(
            "/organizations/{organization_id}/leave",
            leave,
            op("Leave an organization")
                .tag(tag)
                .description("An owner stops being an owner first.")
                .idempotent(),
        )
        .get(
            "/organizations/{organization_id}/members/{user_id}",
            read,
            op("Read a member, present or former")
                .tag(tag)
                .answer::<MemberView>(200)
                .etag()
                .waits(),
        )
        .put(
            "/organizations/{organization_id}/members/{user_id}",
            set_title,
            op("Set a member's title").tag(tag).body::<TitleBody>().idempotent().conditional(),
        )
        .delete(
            "/organizations/{organization_id}/members/{user_id}",
            remove,
            op("Remove a member")
                .tag(tag)
                .description("Access ends at once; an owner stops being an owner first.")
                .query::<ReasonQuery>()
                .idempotent(),
        )
        .post(
            "/organizations/{organization_id}/members/{user_id}/suspend",
            suspend,
            op("Take a member's access away for now")
                .tag(tag)
                .body::<ReasonBody>()
                .idempotent()
                .etag(),
        )
        .post(
            "/organizations/{organization_id}/members/{user_id}/reinstate",
            reinstate,
            op("Give a suspended member access again").tag(tag).idempotent().etag(),
        )
}

/// A member, present or former.
#[derive(Debug, Serialize, ToSchema)]
struct MemberView {
    /// The membership.
    id: Uuid,
    user_id: Uuid,
    person_id: Uuid,
    /// The person's name; null once it was erased.
    #[schema(example = "Ada Lovelace")]
    display_name: Option<String>,
    /// `active`, `suspended` or `removed`.
    #[schema(example = "active")]
    status: String,
    /// How they came in: `founder`, `invitation`, `sso_jit` or `operator`.
    #[schema(example = "invitation")]
    source: String,
    /// What they are called there.
    #[schema(example = "Treasurer")]
    title: Option<String>,
    /// The roles in force, in the organization and its workspaces.
    roles: Vec<HeldRoleView>,
    joined_at: DateTime<Utc>,
    suspended_at: Option<DateTime<Utc>>,
    removed_at: Option<DateTime<Utc>>,
    /// Why they are out; null for those who went by themselves.
    removed_reason: Option<String>,
    updated_at: DateTime<Utc>,
}

/// A role a member holds.
#[derive(Debug, Serialize, ToSchema)]
struct HeldRoleView {
    /// What gave it.
    role_assignment_id: Uuid,
    role_id: Uuid,
    /// The role's name for programs.
    #[schema(example = "member")]
    key: String,
    /// For people to read.
    name: String,
    /// The only workspace in which it counts; null means the whole organization.
    workspace_id: Option<Uuid>,
    /// When it ends by itself.
    expires_at: Option<DateTime<Utc>>,
}

impl From<Member> for MemberView {
    fn from(Member { membership: row, display_name, roles }: Member) -> Self {
        Self {
            id: row.id.uuid(),
            user_id: row.user_id.uuid(),
            person_id: row.person_id.uuid(),
            display_name,
            status: row.status.to_string(),
            source: row.source.to_string(),
            title: row.title,
            roles: roles.into_iter().map(HeldRoleView::from).collect(),
            joined_at: row.joined_at,
            suspended_at: row.suspended_at,
            removed_at: row.removed_at,
            removed_reason: row.removed_reason,
            updated_at: row.std.updated_at,
        }
    }
}

impl From<HeldRole> for HeldRoleView {
    fn from(role: HeldRole) -> Self {
        Self {
            role_assignment_id: role.role_assignment_id.uuid(),
            role_id: role.role_id.uuid(),
            key: role.key,
            name: role.name,
            workspace_id: role.workspace_id.map(WorkspaceId::uuid),
            expires_at: role.expires_at,
        }
    }
}

/// Which members.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct MembersQuery {
    /// In this status: `active`, `suspended` or `removed`.
    #[param(value_type = Option<String>)]
    status: Option<MembershipStatus>,
    #[param(ignore)]
    #[serde(default)]
    limit: Limit,
    #[param(ignore)]
    cursor: Option<String>,
}

async fn list(
    call: Call,
    OriginalUri(uri): OriginalUri,
    Query(query): Query<MembersQuery>,
) -> Result<Found<List<MemberView>>, Problem> {
    let MembersQuery { status, limit, cursor } = query;
    let (organization, position) = (call.organization()?, call.fresh("organization").await?);
    let listing = Listing::new(&call.app.cursors, &uri, organization.tenant(), &status);
    let request = listing.request(limit, cursor.as_deref())?;
    let page = table::list(&call.app.reader, organization, status, call.now, &request).await?;
    let (list, link) = listing.answer(page, MemberView::from)?;
    Ok(Found::new(list, position).link(link))
}

async fn read(
    call: Call,
    Path((_, user)): Path<(String, UserId)>,
) -> Result<Found<MemberView>, Problem> {
    let (organization, position) = (call.organization()?, call.fresh("organization").await?);
    let member = table::by_user(&call.app.reader, organization, user, call.now).await?;
    let member = member.ok_or_else(Problem::not_found)?;
    let version = member.membership.std.stream_version;
    Ok(Found::new(member.into(), position).version(version))
}

/// A user to be let in.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewMemberBody {
    /// Who.
    #[schema(value_type = Uuid)]
    user_id: UserId,
    /// What they are called there.
    #[schema(example = "Treasurer")]
    title: Option<String>,
    /// What they may do there.
    #[schema(value_type = Vec<Uuid>)]
    #[serde(default)]
    role_ids: Vec<RoleId>,
}

async fn add(command: Command<NewMemberBody>) -> Result<Accepted<IdView>, Problem> {
    let (organization_id, body) = (command.call.organization()?, &command.body);
    let user_id = body.user_id;
    let title = optional_line("/title", body.title.as_deref(), MAX_TITLE)?;
    let role_ids = bounded("/role_ids", &body.role_ids, MAX_ROLES)?;
    let case = cases::Add { organization_id, user_id, title, role_ids };
    let done = command.run(&case).await?;
    let id = done.answer.membership_id;
    let location = format!("/api/v1/organizations/{organization_id}/members/{user_id}");
    Ok(Accepted::created(&done, id, location, IdView::of(id)))
}

async fn leave(command: Command<()>) -> Result<Accepted<()>, Problem> {
    let organization_id = command.call.organization()?;
    let membership = MembershipId::of(organization_id, command.call.caller.user()?);
    let done = command.run(&cases::Leave { organization_id }).await?;
    Ok(Accepted::done(&done, membership))
}

/// A member's title, as it stands after.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct TitleBody {
    /// One line; absent or null removes it.
    #[schema(example = "Treasurer")]
    title: Option<String>,
}

async fn set_title(
    Path((_, user_id)): Path<(String, UserId)>,
    IfMatch(seen): IfMatch,
    command: Command<TitleBody>,
) -> Result<Accepted<()>, Problem> {
    let organization_id = command.call.organization()?;
    let title = optional_line("/title", command.body.title.as_deref(), MAX_TITLE)?;
    let case = cases::SetTitle { organization_id, user_id, seen: Some(seen), title };
    let done = command.run(&case).await?;
    Ok(Accepted::done(&done, MembershipId::of(organization_id, user_id)))
}

async fn remove(
    Path((_, user_id)): Path<(String, UserId)>,
    Query(query): Query<ReasonQuery>,
    command: Command<()>,
) -> Result<Accepted<()>, Problem> {
    let organization_id = command.call.organization()?;
    let case = cases::Remove { organization_id, user_id, reason: query.parse("removed")? };
    let done = command.run(&case).await?;
    Ok(Accepted::done(&done, MembershipId::of(organization_id, user_id)))
}

async fn suspend(
    Path((_, user_id)): Path<(String, UserId)>,
    command: Command<ReasonBody>,
) -> Result<Accepted<()>, Problem> {
    let organization_id = command.call.organization()?;
    let case = cases::Suspend { organization_id, user_id, reason: command.body.parse()? };
    let done = command.run(&case).await?;
    Ok(Accepted::done(&done, MembershipId::of(organization_id, user_id)))
}

async fn reinstate(
    Path((_, user_id)): Path<(String, UserId)>,
    command: Command<()>,
) -> Result<Accepted<()>, Problem> {
    let organization_id = command.call.organization()?;
    let done = command.run(&cases::Reinstate { organization_id, user_id }).await?;
    Ok(Accepted::done(&done, MembershipId::of(organization_id, user_id)))
}
