//! The life of a user, as operators lead it.

use commands::identity::user as cases;
use domain::{identity::UserId, kernel::one_line};
use serde::Deserialize;
use utoipa::ToSchema;

use super::TAG;
use crate::{
    answer::Accepted,
    app::App,
    extract::Path,
    gate::Command,
    problem::Problem,
    routes::{Routes, op},
    text::field,
};

/// Longest reason, in characters.
const MAX_REASON: usize = 500;

pub(super) fn routes() -> Routes<App> {
    Routes::new()
        .delete(
            "/users/{user_id}",
            delete,
            op("Delete a user for good")
                .tag(TAG)
                .description(
                    "Ends all sessions and frees the address. The person stays; to forget them, \
                     carry out an erasure.",
                )
                .idempotent(),
        )
        .post(
            "/users/{user_id}/disable",
            disable,
            op("Put a user out of use, and end all sessions")
                .tag(TAG)
                .body::<DisableBody>()
                .idempotent(),
        )
        .post(
            "/users/{user_id}/enable",
            enable,
            op("Put a disabled user to use again").tag(TAG).idempotent(),
        )
        .post(
            "/users/{user_id}/unlock",
            unlock,
            op("Let a locked user sign in again").tag(TAG).idempotent(),
        )
}

async fn delete(
    Path(user_id): Path<UserId>,
    command: Command<()>,
) -> Result<Accepted<()>, Problem> {
    let done = command.run(&cases::Delete { user_id }).await?;
    Ok(Accepted::done(&done, user_id))
}

/// Why a user is put out of use.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct DisableBody {
    /// One line of at most 500 characters, for the record.
    #[schema(example = "left the company")]
    reason: String,
}

async fn disable(
    Path(user_id): Path<UserId>,
    command: Command<DisableBody>,
) -> Result<Accepted<()>, Problem> {
    let reason = field("/reason", one_line(&command.body.reason, MAX_REASON))?;
    let done = command.run(&cases::Disable { user_id, reason }).await?;
    Ok(Accepted::done(&done, user_id))
}

async fn enable(
    Path(user_id): Path<UserId>,
    command: Command<()>,
) -> Result<Accepted<()>, Problem> {
    let done = command.run(&cases::Enable { user_id }).await?;
    Ok(Accepted::done(&done, user_id))
}

async fn unlock(
    Path(user_id): Path<UserId>,
    command: Command<()>,
) -> Result<Accepted<()>, Problem> {
    let done = command.run(&cases::Unlock { user_id }).await?;
    Ok(Accepted::done(&done, user_id))
}
