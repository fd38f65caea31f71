//! `/users/{user_id}/sessions`: where a user is signed in.

use axum::extract::OriginalUri;
use chrono::{DateTime, Utc};
use commands::identity::session as cases;
use domain::{
    identity::{SessionId, UserId, session::SessionStatus},
    kernel::TenantId,
};
use projections::identity::sessions::{self as table, SessionRow};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::{
    answer::{Accepted, Found},
    app::App,
    extract::{Limit, Path, Query},
    gate::{Call, Command},
    listing::{List, Listing},
    problem::Problem,
    routes::{Routes, op},
};

pub(super) fn routes() -> Routes<App> {
    let tag = "sessions";
    Routes::new()
        .get(
            "/users/{user_id}/sessions",
            list,
            op("List a user's sessions, newest first")
                .tag(tag)
                .query::<SessionsQuery>()
                .answer::<List<SessionView>>(200)
                .paged()
                .waits(),
        )
        .delete(
            "/users/{user_id}/sessions",
            revoke_all,
            op("Sign out everywhere")
                .tag(tag)
                .description("Access tokens of these sessions stop working within a second.")
                .idempotent(),
        )
        .delete(
            "/users/{user_id}/sessions/{session_id}",
            revoke,
            op("End one session").tag(tag).idempotent(),
        )
}

/// A session.
#[derive(Serialize, ToSchema)]
struct SessionView {
    id: Uuid,
    /// `active`, `revoked` or `expired`.
    #[schema(example = "active")]
    status: String,
    /// Whether it is the one this request came through.
    is_current: bool,
    /// 1 for one factor, 2 for two.
    aal: i16,
    /// How the sign-in was done (RFC 8176).
    #[schema(example = json!(["pwd"]))]
    amr: Vec<String>,
    /// The client's address at the sign-in; null once erased.
    ip: Option<String>,
    /// What the client said it is; null once erased.
    user_agent: Option<String>,
    authenticated_at: DateTime<Utc>,
    refreshed_at: Option<DateTime<Utc>>,
    expires_at: DateTime<Utc>,
    revoked_at: Option<DateTime<Utc>>,
    revoked_reason: Option<String>,
}

fn view(row: SessionRow, current: Option<Uuid>) -> SessionView {
    SessionView {
        id: row.id.uuid(),
        status: row.status.to_string(),
        is_current: current == Some(row.id.uuid()),
        aal: row.aal.into(),
        amr: row.amr,
        ip: row.ip.map(|ip| ip.to_string()),
        user_agent: row.user_agent,
        authenticated_at: row.authenticated_at,
        refreshed_at: row.refreshed_at,
        expires_at: row.expires_at,
        revoked_at: row.revoked_at,
        revoked_reason: row.revoked_reason,
    }
}

/// Which sessions.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct SessionsQuery {
    /// In this status: `active`, `revoked` or `expired`. An active one may be over by time.
    #[param(value_type = Option<String>)]
    status: Option<SessionStatus>,
    #[param(ignore)]
    #[serde(default)]
    limit: Limit,
    #[param(ignore)]
    cursor: Option<String>,
}

async fn list(
    call: Call,
    Path(user_id): Path<UserId>,
    OriginalUri(uri): OriginalUri,
    Query(query): Query<SessionsQuery>,
) -> Result<Found<List<SessionView>>, Problem> {
    let SessionsQuery { status, limit, cursor } = query;
    let position = call.fresh("identity").await?;
    let listing = Listing::new(&call.app.cursors, &uri, TenantId::PLATFORM, &status);
    let request = listing.request(limit, cursor.as_deref())?;
    // A list of those in use leaves out what time has ended though nobody has noted it.
    let unexpired_at = status.filter(|status| *status == SessionStatus::Active).map(|_| call.now);
    let filter = table::Filter { status, unexpired_at };
    let page = table::of_user(&call.app.reader, user_id, &filter, &request).await?;
    let current = call.caller.actor.credential_id;
    let (list, link) = listing.answer(page, |row| view(row, current))?;
    Ok(Found::new(list, position).link(link))
}

async fn revoke_all(
    Path(user_id): Path<UserId>,
    command: Command<()>,
) -> Result<Accepted<()>, Problem> {
    let done = command.run(&cases::RevokeAllSessions { user_id }).await?;
    Ok(Accepted::done(&done, user_id))
}

async fn revoke(
    Path((user_id, session_id)): Path<(UserId, SessionId)>,
    command: Command<()>,
) -> Result<Accepted<()>, Problem> {
    let done = command.run(&cases::RevokeSession { user_id, session_id }).await?;
    Ok(Accepted::done(&done, session_id))
}
