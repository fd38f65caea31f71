//! Invitations: an organization's, and those a user may answer.
//!
//! Owns the link of an invitation: its token is derived from the invitation and the number of the
//! sending, so that nothing secret is stored and the mail can be written later.

use axum::extract::OriginalUri;
use chrono::{DateTime, Days, TimeDelta, Utc};
use commands::{Done, organization::invitation as cases};
use domain::{
    kernel::{Timestamp, email},
    organization::{
        InvitationId, OrganizationId, RoleId, WorkspaceId,
        invitation::{Invitation, InvitationStatus},
    },
};
use projections::organization::invitations::{self as table, InvitationRow};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::body::{IdView, MAX_NOTE, MAX_ROLES, bounded};
use crate::{
    answer::{Accepted, Found},
    app::App,
    clock::mint,
    crypto::digest::{Digests, SingleUseToken},
    extract::{Limit, Path, Query},
    gate::{Call, Command},
    listing::{List, Listing},
    problem::Problem,
    routes::{Routes, op},
    text::{field, optional_line},
};

mod answers;

/// For how long an offer stands unless said.
const STANDS: Days = Days::new(7);
/// For how long an offer may stand.
const STANDS_AT_MOST: TimeDelta = TimeDelta::days(30);
/// The group of these routes in the description.
const TAG: &str = "invitations";

pub(super) fn routes() -> Routes<App> {
    Routes::new()
        .get(
            "/organizations/{organization_id}/invitations",
            list,
            op("List invitations, newest first")
                .tag(TAG)
                .description(
                    "The address is known while an invitation waits for an answer; who accepted \
                     is a member from then on.",
                )
                .query::<InvitationsQuery>()
                .answer::<List<InvitationView>>(200)
                .paged()
                .waits(),
        )
        .post(
            "/organizations/{organization_id}/invitations",
            invite,
            op("Invite somebody by e-mail")
                .tag(TAG)
                .description(
                    "The mail holds a link with a single-use token. Roles are promised now and \
                     given on acceptance; nobody promises what they do not hold themselves.",
                )
                .body::<NewInvitationBody>()
                .answer::<IdView>(201)
                .idempotent()
                .etag(),
        )
        .post(
            "/organizations/{organization_id}/invitations/{invitation_id}/resend",
            resend,
            op("Send an invitation again")
                .tag(TAG)
                .description("With a new link; the one before is no longer valid.")
                .body::<ResendBody>()
                .idempotent()
                .etag(),
        )
        .delete(
            "/organizations/{organization_id}/invitations/{invitation_id}",
            revoke,
            op("Take an invitation back").tag(TAG).idempotent().etag(),
        )
        .merge(answers::routes())
}

/// The token of the link that an invitation is sent with; the first sending is number 1.
pub(crate) fn link(digests: &Digests, invitation: InvitationId, sending: i16) -> SingleUseToken {
    let id = Uuid::new_v5(&invitation.uuid(), &sending.to_be_bytes());
    digests.single_use(invitation.uuid(), id)
}

/// An invitation as the organization sees it.
#[derive(Debug, Serialize, ToSchema)]
struct InvitationView {
    id: Uuid,
    /// The address it was sent to; null once the invitation has ended, and forgotten then.
    #[schema(example = "ada@example.org")]
    email: Option<String>,
    /// The workspace its roles are for; null means the whole organization.
    workspace_id: Option<Uuid>,
    /// What the invited may do once in.
    role_ids: Vec<Uuid>,
    /// `pending`, `accepted`, `declined`, `revoked` or `expired`.
    #[schema(example = "pending")]
    status: String,
    /// The member who invites.
    invited_by: Uuid,
    /// A word to the invited; null, as the address, once the invitation has ended.
    message: Option<String>,
    /// How often it was sent.
    sent_count: i16,
    last_sent_at: DateTime<Utc>,
    /// When the offer ends.
    expires_at: DateTime<Utc>,
    /// When it had its answer.
    resolved_at: Option<DateTime<Utc>>,
    /// Who came in.
    accepted_by_user_id: Option<Uuid>,
    created_at: DateTime<Utc>,
}

impl From<InvitationRow> for InvitationView {
    fn from(row: InvitationRow) -> Self {
        Self {
            id: row.id.uuid(),
            email: row.email,
            workspace_id: row.workspace_id.map(WorkspaceId::uuid),
            role_ids: row.role_ids.into_iter().map(RoleId::uuid).collect(),
            status: row.status.to_string(),
            invited_by: row.invited_by.uuid(),
            message: row.message,
            sent_count: row.sent_count,
            last_sent_at: row.last_sent_at,
            expires_at: row.expires_at,
            resolved_at: row.resolved_at,
            accepted_by_user_id: row.accepted_by_user_id.map(Into::into),
            created_at: row.std.created_at,
        }
    }
}

/// Which invitations.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct InvitationsQuery {
    /// In this status: `pending`, `accepted`, `declined`, `revoked` or `expired`.
    #[param(value_type = Option<String>)]
    status: Option<InvitationStatus>,
    #[param(ignore)]
    #[serde(default)]
    limit: Limit,
    #[param(ignore)]
    cursor: Option<String>,
}

async fn list(
    call: Call,
    OriginalUri(uri): OriginalUri,
    Query(query): Query<InvitationsQuery>,
) -> Result<Found<List<InvitationView>>, Problem> {
    let InvitationsQuery { status, limit, cursor } = query;
    let (organization, position) = (call.organization()?, call.fresh("organization").await?);
    let listing = Listing::new(&call.app.cursors, &uri, organization.tenant(), &status);
    let request = listing.request(limit, cursor.as_deref())?;
    let page = table::list(&call.app.reader, organization, status, &request).await?;
    let (list, link) = listing.answer(page, InvitationView::from)?;
    Ok(Found::new(list, position).link(link))
}

/// A new invitation.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewInvitationBody {
    /// Whom to invite.
    #[schema(example = "ada@example.org")]
    email: String,
    /// What they may do once in.
    #[schema(value_type = Vec<Uuid>)]
    #[serde(default)]
    role_ids: Vec<RoleId>,
    /// The workspace the roles are for; absent means the whole organization.
    #[schema(value_type = Option<Uuid>)]
    workspace_id: Option<WorkspaceId>,
    /// A word to the invited, in one line of at most 500 characters.
    #[schema(example = "Welcome to the finance team")]
    message: Option<String>,
    /// When the offer ends: in a week unless said, in 30 days at the latest.
    expires_at: Option<DateTime<Utc>>,
}

impl std::fmt::Debug for NewInvitationBody {
    /// Without the address: requests may be logged.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("NewInvitationBody")
    }
}

async fn invite(command: Command<NewInvitationBody>) -> Result<Accepted<IdView>, Problem> {
    let (call, body) = (&command.call, &command.body);
    let organization_id = call.organization()?;
    // What is repeated sends no mail.
    if let Some(done) = command.repeated().await? {
        return Ok(invited(&done, organization_id));
    }
    let invitation_id = InvitationId::from_uuid(mint());
    let email = field("/email", email(&body.email))?;
    let email_digest = call.app.digests.email(&email);
    call.app.limits.invitation(organization_id, &email_digest)?;
    let case = cases::Invite {
        invitation_id,
        organization_id,
        workspace_id: body.workspace_id,
        email_digest,
        email,
        role_ids: bounded("/role_ids", &body.role_ids, MAX_ROLES)?,
        token_hash: link(&call.app.digests, invitation_id, 1).hash(),
        message: optional_line("/message", body.message.as_deref(), MAX_NOTE)?,
        expires_at: end(body.expires_at, call.now)?,
    };
    Ok(invited(&command.run(&case).await?, organization_id))
}

fn invited(done: &Done<cases::Invited>, organization_id: OrganizationId) -> Accepted<IdView> {
    let id = done.answer.invitation_id;
    let location = format!("/api/v1/organizations/{organization_id}/invitations/{id}");
    Accepted::created(done, id, location, IdView::of(id))
}

/// How an invitation is sent again.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ResendBody {
    /// When the offer now ends: in a week unless said, in 30 days at the latest.
    expires_at: Option<DateTime<Utc>>,
}

async fn resend(
    Path((_, invitation_id)): Path<(String, InvitationId)>,
    command: Command<ResendBody>,
) -> Result<Accepted<()>, Problem> {
    let (call, organization_id) = (&command.call, command.call.organization()?);
    // What is repeated sends no mail.
    if let Some(done) = command.repeated::<()>().await? {
        return Ok(Accepted::done(&done, invitation_id));
    }
    let expires_at = end(command.body.expires_at, call.now)?;
    let loaded = call.app.store.load_fresh::<Invitation>(invitation_id.uuid()).await?;
    // Of one that does not exist, or is another organization's, the use case says so.
    let known = loaded.state.present().ok();
    if let Some(own) = known.filter(|known| known.organization_id == organization_id) {
        call.app.limits.invitation(organization_id, &own.email_digest)?;
    }
    let count = known.map_or(0, |known| known.sends).saturating_add(1);
    let case = cases::Resend {
        organization_id,
        invitation_id,
        token_hash: link(&call.app.digests, invitation_id, count).hash(),
        count,
        expires_at,
    };
    let done = command.run(&case).await?;
    Ok(Accepted::done(&done, invitation_id))
}

async fn revoke(
    Path((_, invitation_id)): Path<(String, InvitationId)>,
    command: Command<()>,
) -> Result<Accepted<()>, Problem> {
    let organization_id = command.call.organization()?;
    let done = command.run(&cases::Revoke { organization_id, invitation_id }).await?;
    Ok(Accepted::done(&done, invitation_id))
}

/// When an offer ends. That it lies ahead is for the invitation to say.
fn end(wanted: Option<Timestamp>, now: Timestamp) -> Result<Timestamp, Problem> {
    match wanted {
        None => Ok(now.checked_add_days(STANDS).unwrap_or(now)),
        Some(end) if end.signed_duration_since(now) > STANDS_AT_MOST => {
            Err(Problem::invalid_field("/expires_at", "must be within 30 days"))
        }
        Some(end) => Ok(end),
    }
}

#[cfg(test)]
mod tests {
    use domain::kernel::testing::at;

    use super::*;
    use crate::crypto::keys::MasterKey;

    #[test]
    fn an_offer_stands_a_week_unless_said_and_a_month_at_most() {
        assert_eq!(end(None, at(0)).unwrap(), at(7 * 86_400));
        assert_eq!(end(Some(at(60)), at(0)).unwrap(), at(60));
        assert!(end(Some(at(31 * 86_400)), at(0)).is_err());
    }

    #[test]
    fn each_sending_has_a_link_of_its_own() {
        let digests = Digests::new(&MasterKey::from_bytes([7; 32]));
        let invitation = InvitationId::from_uuid(Uuid::from_u128(7));
        let first = link(&digests, invitation, 1);
        assert_eq!(first, link(&digests, invitation, 1));
        assert_eq!(first.stream(), invitation.uuid());
        assert!(!first.matches(&link(&digests, invitation, 2).hash()));
    }
}
