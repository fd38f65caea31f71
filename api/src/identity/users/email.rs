//! Changing one's own address.

use chrono::TimeDelta;
use commands::identity::user::{ConfirmEmailChange, RequestEmailChange};
use domain::kernel::{Personal, mailbox};
use serde::Deserialize;
use utoipa::ToSchema;

use super::TAG;
use crate::{
    answer::{Accepted, Noted},
    app::App,
    extract::Json,
    gate::Call,
    identity::proof::{self, TokenBody, accepted, new_token, presented},
    problem::Problem,
    rate::Mailing,
    routes::{Routes, op},
    text::field,
};

/// How long a token to change an address counts.
const CHANGE_LIVES: TimeDelta = TimeDelta::hours(24);

pub(super) fn routes() -> Routes<App> {
    Routes::new()
        .post(
            "/users/change-email",
            request,
            op("Ask for another address")
                .tag(TAG)
                .description(
                    "A token goes to the new address. Whether somebody else has it shows only to \
                     who shows that token.",
                )
                .body::<ChangeEmailBody>()
                .answer_empty(202),
        )
        .post(
            "/users/change-email/confirm",
            confirm,
            op("Change the address with the token from the mail").tag(TAG).body::<TokenBody>(),
        )
}

/// Another address.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ChangeEmailBody {
    /// The address wanted.
    #[schema(example = "ada@example.com")]
    email: String,
    /// The user's password: whoever found an open screen does not know it.
    password: String,
}

async fn request(call: Call, Json(body): Json<ChangeEmailBody>) -> Result<Accepted<()>, Problem> {
    let user_id = call.caller.user()?;
    let address = field("/email", mailbox(&body.email))?;
    proof::password(&call, body.password, "/password").await?;
    let email_digest = call.app.digests.email(&address);
    call.app.limits.mail(Mailing::AddressChange, &email_digest)?;
    let case = RequestEmailChange {
        user_id,
        email: Personal::Open(address),
        email_digest,
        token: new_token(&call, user_id, CHANGE_LIVES),
    };
    let done = call.run(call.once(), &case).await?;
    Ok(Accepted::underway(&done))
}

async fn confirm(call: Call, Json(body): Json<TokenBody>) -> Result<Noted<()>, Problem> {
    let (user_id, token) = presented(&body.token)?;
    let done = call.run(call.once(), &ConfirmEmailChange { user_id, token }).await?;
    accepted(done.answer)?;
    Ok(Noted::done(done.position))
}
