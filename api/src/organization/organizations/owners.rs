//! The owners of an organization. Their list is part of the organization itself.

use commands::organization::organization as cases;
use domain::identity::UserId;
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
};

pub(super) fn routes() -> Routes<App> {
    Routes::new()
        .post(
            "/organizations/{organization_id}/owners",
            add,
            op("Make a member an owner")
                .tag(TAG)
                .description("The owner role comes with it.")
                .body::<OwnerBody>()
                .idempotent()
                .etag(),
        )
        .delete(
            "/organizations/{organization_id}/owners/{user_id}",
            remove,
            op("Make an owner an ordinary member")
                .tag(TAG)
                .description("The owner role goes with it. The last owner stays.")
                .idempotent()
                .etag(),
        )
}

/// Who becomes an owner.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct OwnerBody {
    /// An active member.
    #[schema(value_type = Uuid)]
    user_id: UserId,
}

async fn add(command: Command<OwnerBody>) -> Result<Accepted<()>, Problem> {
    let (organization_id, user_id) = (command.call.organization()?, command.body.user_id);
    let done = command.run(&cases::AddOwner { organization_id, user_id }).await?;
    Ok(Accepted::done(&done, organization_id))
}

async fn remove(
    Path((_, user_id)): Path<(String, UserId)>,
    command: Command<()>,
) -> Result<Accepted<()>, Problem> {
    let organization_id = command.call.organization()?;
    let done = command.run(&cases::RemoveOwner { organization_id, user_id }).await?;
    Ok(Accepted::done(&done, organization_id))
}
