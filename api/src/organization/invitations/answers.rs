//! `/invitations`: what a user was offered, and their answer.
//!
//! A verified address is proof enough. Whoever follows the link of the mail shows its token too,
//! so that an old link says that there is a newer one.

use axum::extract::OriginalUri;
use chrono::{DateTime, Utc};
use commands::organization::invitation as cases;
use domain::{
    identity::UserId,
    kernel::TenantId,
    organization::{InvitationId, RoleId, WorkspaceId},
};
use projections::{
    Page,
    identity::users,
    organization::invitations::{self as table, Offer},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::TAG;
use crate::{
    answer::{Accepted, Found},
    app::App,
    crypto::digest::SingleUseToken,
    extract::{Path, Query},
    gate::{Call, Command},
    listing::{List, Listing, Paging},
    problem::Problem,
    routes::{Routes, op},
};

pub(super) fn routes() -> Routes<App> {
    Routes::new()
        .get(
            "/invitations/mine",
            mine,
            op("List the invitations you may answer, newest first")
                .tag(TAG)
                .description("Those sent to your address, once it is verified.")
                .answer::<List<OfferView>>(200)
                .paged()
                .waits(),
        )
        .post(
            "/invitations/{invitation_id}/accept",
            accept,
            op("Accept an invitation")
                .tag(TAG)
                .description("You are a member from now on, and have the roles promised.")
                .body::<AnswerBody>()
                .answer::<AcceptedView>(200)
                .idempotent()
                .etag(),
        )
        .post(
            "/invitations/{invitation_id}/decline",
            decline,
            op("Decline an invitation").tag(TAG).body::<AnswerBody>().idempotent().etag(),
        )
}

/// An invitation as the invited sees it.
#[derive(Debug, Serialize, ToSchema)]
struct OfferView {
    id: Uuid,
    organization_id: Uuid,
    #[schema(example = "Acme")]
    organization_name: String,
    #[schema(example = "acme")]
    organization_slug: String,
    /// The workspace the roles are for; null means the whole organization.
    workspace_id: Option<Uuid>,
    /// What you may do once in.
    role_ids: Vec<Uuid>,
    /// The member who invites.
    invited_by: Uuid,
    /// A word to you.
    message: Option<String>,
    /// When the offer ends.
    expires_at: DateTime<Utc>,
    created_at: DateTime<Utc>,
}

impl From<Offer> for OfferView {
    fn from(offer: Offer) -> Self {
        let row = offer.invitation;
        Self {
            id: row.id.uuid(),
            organization_id: row.organization_id.uuid(),
            organization_name: offer.organization_name,
            organization_slug: offer.organization_slug,
            workspace_id: row.workspace_id.map(WorkspaceId::uuid),
            role_ids: row.role_ids.into_iter().map(RoleId::uuid).collect(),
            invited_by: row.invited_by.uuid(),
            message: row.message,
            expires_at: row.expires_at,
            created_at: row.std.created_at,
        }
    }
}

async fn mine(
    call: Call,
    OriginalUri(uri): OriginalUri,
    Query(paging): Query<Paging>,
) -> Result<Found<List<OfferView>>, Problem> {
    let user = call.caller.user()?;
    let position = call.fresh("organization").await?.min(call.fresh("identity").await?);
    let listing = Listing::new(&call.app.cursors, &uri, TenantId::PLATFORM, &user);
    let request = listing.request(paging.limit, paging.cursor.as_deref())?;
    let page = match address(&call, user).await? {
        Some(email) => table::mine(&call.app.reader, &email, call.now, &request).await?,
        None => Page { rows: Vec::new(), next: None },
    };
    let (list, link) = listing.answer(page, OfferView::from)?;
    Ok(Found::new(list, position).link(link))
}

/// The address a user has shown to be theirs.
async fn address(call: &Call, user: UserId) -> Result<Option<String>, Problem> {
    let row = users::by_id(&call.app.reader, user).await?;
    Ok(row.filter(|row| row.email_verified_at.is_some()).and_then(|row| row.email))
}

/// What comes with an answer.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct AnswerBody {
    /// The token of the link in the mail; without it your verified address decides.
    token: Option<String>,
}

impl std::fmt::Debug for AnswerBody {
    /// Without the token: requests may be logged.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AnswerBody")
    }
}

impl AnswerBody {
    /// What an invitation compares. A token that is none of ours is like one replaced by a newer.
    fn token_hash(&self, invitation: InvitationId) -> Option<String> {
        self.token.as_deref().map(|text| {
            SingleUseToken::parse(text)
                .filter(|token| token.stream() == invitation.uuid())
                .map_or_else(String::new, |token| token.hash())
        })
    }
}

/// Where you came in.
#[derive(Debug, Serialize, ToSchema)]
struct AcceptedView {
    organization_id: Uuid,
    membership_id: Uuid,
}

async fn accept(
    Path(invitation_id): Path<InvitationId>,
    command: Command<AnswerBody>,
) -> Result<Accepted<AcceptedView>, Problem> {
    let token_hash = command.body.token_hash(invitation_id);
    let done = command.run(&cases::Accept { invitation_id, token_hash }).await?;
    let view = AcceptedView {
        organization_id: done.answer.organization_id.uuid(),
        membership_id: done.answer.membership_id.uuid(),
    };
    Ok(Accepted::changed(&done, invitation_id, view))
}

async fn decline(
    Path(invitation_id): Path<InvitationId>,
    command: Command<AnswerBody>,
) -> Result<Accepted<()>, Problem> {
    let token_hash = command.body.token_hash(invitation_id);
    let done = command.run(&cases::Decline { invitation_id, token_hash }).await?;
    Ok(Accepted::done(&done, invitation_id))
}
