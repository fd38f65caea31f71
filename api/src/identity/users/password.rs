//! The password: changed by who knows it, reset by who has the mailbox.

use chrono::TimeDelta;
use commands::identity::{
    Login, find_user,
    user::{ChangePassword, RefuseReset, RequestPasswordReset, ResetPassword},
};
use domain::{
    identity::{
        CredentialId, UserId,
        user::{NewPassword, User},
    },
    kernel::{Personal, email},
};
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{TAG, sign_up::AddressBody};
use crate::{
    answer::{Accepted, Noted},
    app::App,
    clock::mint,
    context::Network,
    crypto::password::Password,
    door,
    extract::Json,
    gate::Call,
    identity::{
        discreet::Floor,
        proof::{self, accepted, new_token, presented},
    },
    problem::Problem,
    rate::Mailing,
    routes::{Routes, op},
    text::field,
};

/// How long a token to reset a password counts.
const RESET_LIVES: TimeDelta = TimeDelta::hours(1);

pub(super) fn routes() -> Routes<App> {
    Routes::new()
        .post(
            "/users/reset-password",
            request,
            op("Ask for a mail to reset a password")
                .tag(TAG)
                .description("The answer is the same for every address.")
                .body::<AddressBody>()
                .answer_empty(202),
        )
        .post(
            "/users/reset-password/confirm",
            confirm,
            op("Set another password with the token from the mail")
                .tag(TAG)
                .description("Ends all sessions of the user.")
                .body::<ResetPasswordBody>(),
        )
        .post(
            "/users/change-password",
            change,
            op("Change one's own password")
                .tag(TAG)
                .description("Ends all other sessions of the user.")
                .body::<ChangePasswordBody>(),
        )
}

async fn request(call: Call, Json(body): Json<AddressBody>) -> Result<Noted<()>, Problem> {
    let address = field("/email", email(&body.email))?;
    let digest = call.app.digests.email(&address);
    call.app.limits.mail(Mailing::PasswordReset, &digest)?;
    let floor = Floor::begin(&call.app);
    let user_id = find_user(&call.app.store, &Login::Email(digest)).await?;
    let stream = user_id.unwrap_or(UserId::from_uuid(Uuid::nil()));
    let case = RequestPasswordReset { user_id, token: new_token(&call, stream, RESET_LIVES) };
    let asked = call.run(call.once(), &case).await;
    floor.reached().await;
    asked.map(|_| Noted::accepted())
}

/// Another password, and the token that allows it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ResetPasswordBody {
    /// The token, whole.
    token: String,
    /// 8 to 1024 characters.
    password: String,
}

async fn confirm(call: Call, Json(body): Json<ResetPasswordBody>) -> Result<Noted<()>, Problem> {
    let (user_id, token) = presented(&body.token)?;
    let password = Password::new(body.password, "/password")?;
    let app = &call.app;
    let network = Network::of(call.request.client());
    app.login_guard.begin_token(network, call.now)?;
    // One at a time of a user: a token that many show at once is hashed for once.
    let _turn = door::aside(app.hashers.turn(&user_id.uuid())).await;
    let user = app.store.load_fresh::<User>(user_id.uuid()).await?;
    if !user.state.present().is_ok_and(|user| user.accepts_reset(&token, call.now)) {
        let case = RefuseReset { user_id, token_id: token.token_id };
        accepted(call.run(call.once(), &case).await?.answer)?;
    }
    app.login_guard.succeeded(&[], network);
    let password = hashed(&call, password).await?;
    let done = call.run(call.once(), &ResetPassword { user_id, token, password }).await?;
    accepted(done.answer)?;
    Ok(Noted::done(done.position))
}

/// Another password, and the present one.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ChangePasswordBody {
    /// The present one.
    current_password: String,
    /// 8 to 1024 characters.
    new_password: String,
}

async fn change(call: Call, Json(body): Json<ChangePasswordBody>) -> Result<Accepted<()>, Problem> {
    let user_id = call.caller.user()?;
    let verified = proof::password(&call, body.current_password, "/current_password").await?;
    let password = Password::new(body.new_password, "/new_password")?;
    let password = hashed(&call, password).await?;
    let done = call.run(call.once(), &ChangePassword { user_id, verified, password }).await?;
    Ok(Accepted::done(&done, user_id))
}

/// A new password, as it is kept.
pub(super) async fn hashed(call: &Call, password: Password) -> Result<NewPassword, Problem> {
    let secret_hash = call.app.hashing.hash(password).await?;
    Ok(NewPassword {
        credential_id: CredentialId::from_uuid(mint()),
        secret_hash: Personal::Open(secret_hash),
    })
}
