//! The authenticator app, and taking credentials away.
//!
//! Enrolling takes two steps, and only the second one is a fact: the first hands out a seed and,
//! sealed, all that the second needs to trust it.

use chrono::TimeDelta;
use commands::identity::user::{
    Account, EnrolTotp, FirstFactor, HalfAuthenticated, RevokeCredential, RevokeOwnCredential,
};
use domain::{
    identity::{CredentialId, UserId, user::TotpCode},
    kernel::{Personal, Timestamp},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    answer::Accepted,
    app::App,
    clock::mint,
    crypto::totp::TotpSecret,
    extract::{Json, Path},
    gate::{Call, Command},
    identity::proof::{self, seconds},
    problem::Problem,
    routes::{Routes, op},
    text::optional_line,
};

/// How long an enrolment may take.
const ENROLMENT_LIVES: TimeDelta = TimeDelta::minutes(15);
/// Longest name of an app, in characters.
const MAX_LABEL: usize = 60;

pub(super) fn routes() -> Routes<App> {
    let tag = "credentials";
    Routes::new()
        .post(
            "/users/{user_id}/totp",
            begin,
            op("Begin to enrol an authenticator app")
                .tag(tag)
                .description(
                    "Nothing is changed yet: show the seed to the app, then confirm with a code \
                     of it within 15 minutes.",
                )
                .body::<PasswordBody>()
                .answer::<TotpSeedView>(200),
        )
        .post(
            "/users/{user_id}/totp/confirm",
            confirm,
            op("Enrol the authenticator app")
                .tag(tag)
                .description(
                    "From now on a password alone is not enough to sign in. All other sessions \
                     end. The user is told by mail.",
                )
                .body::<ConfirmTotpBody>()
                .answer::<CredentialIdView>(200),
        )
        .post(
            "/users/{user_id}/credentials/{credential_id}/revoke",
            revoke_own,
            op("Take a credential of one's own away")
                .tag(tag)
                .description(
                    "With the password; the authenticator app with a code of it as well. The \
                     only way to sign in stays. The user is told by mail.",
                )
                .body::<RevokeBody>(),
        )
        .delete(
            "/users/{user_id}/credentials/{credential_id}",
            revoke,
            op("Take a credential of somebody else away")
                .tag(tag)
                .description(
                    "For operators, such as when a phone is lost. The only way to sign in stays. \
                     The user is told by mail.",
                )
                .idempotent(),
        )
}

/// The seed of a user's app, as it is kept.
pub(in crate::identity) fn open(app: &App, user: UserId, sealed: &str) -> Option<TotpSecret> {
    let seed = app.sealing.open(&format!("totp seed of {user}"), sealed)?;
    TotpSecret::from_base32(std::str::from_utf8(&seed).ok()?)
}

fn seal(app: &App, user: UserId, seed: &TotpSecret) -> Option<String> {
    app.sealing.seal(&format!("totp seed of {user}"), seed.base32().as_bytes())
}

/// An enrolment on its way: what the client brings back, unread.
#[derive(Serialize, Deserialize)]
struct Enrolment {
    seed: String,
    expires_at: Timestamp,
}

impl Enrolment {
    fn context(user: UserId) -> String {
        format!("totp enrolment of {user}")
    }
}

/// The user's password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PasswordBody {
    /// Whoever found an open screen does not know it.
    #[schema(example = "correct horse battery staple")]
    password: String,
}

/// A seed for an app.
#[derive(Serialize, ToSchema)]
struct TotpSeedView {
    /// To be typed into the app: base32.
    secret: String,
    /// To be shown to the app as a QR code.
    uri: String,
    /// To be brought back with a code.
    enrolment: String,
}

async fn begin(
    call: Call,
    Path(user): Path<UserId>,
    Json(body): Json<PasswordBody>,
) -> Result<axum::Json<TotpSeedView>, Problem> {
    proof::password(&call, body.password, "/password").await?;
    let seed = TotpSecret::generate();
    let enrolment = Enrolment { seed: seed.base32(), expires_at: call.now + ENROLMENT_LIVES };
    let enrolment = serde_json::to_vec(&enrolment).map_err(Problem::internal)?;
    let enrolment = call.app.sealing.seal(&Enrolment::context(user), &enrolment);
    let issuer = &call.app.config.auth.audience;
    Ok(axum::Json(TotpSeedView {
        secret: seed.base32(),
        uri: seed.uri(issuer, &user.to_string()),
        enrolment: enrolment.ok_or_else(unsealed)?,
    }))
}

/// A code of the app.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ConfirmTotpBody {
    /// As it was handed out.
    enrolment: String,
    /// The present code of the app.
    #[schema(example = "123456")]
    code: String,
    /// What the user calls the app.
    #[schema(example = "my phone")]
    label: Option<String>,
}

/// A credential.
#[derive(Serialize, ToSchema)]
struct CredentialIdView {
    /// Its id.
    id: Uuid,
}

async fn confirm(
    call: Call,
    Path(user_id): Path<UserId>,
    Json(body): Json<ConfirmTotpBody>,
) -> Result<Accepted<CredentialIdView>, Problem> {
    let label = optional_line("/label", body.label.as_deref(), MAX_LABEL)?;
    let enrolment = call.app.sealing.open(&Enrolment::context(user_id), &body.enrolment);
    let enrolment = enrolment.and_then(|json| serde_json::from_slice::<Enrolment>(&json).ok());
    let enrolment = enrolment.filter(|enrolment| call.now < enrolment.expires_at);
    let seed = enrolment.and_then(|enrolment| TotpSecret::from_base32(&enrolment.seed));
    let seed = seed
        .ok_or_else(|| Problem::invalid_field("/enrolment", "is not valid any more; begin anew"))?;
    let step = seed.verify(&body.code, seconds(call.now), None);
    let step = step.and_then(|step| i64::try_from(step).ok());
    let step = step.ok_or_else(|| Problem::invalid_field("/code", "is not the present code"))?;
    let case = EnrolTotp {
        user_id,
        credential_id: CredentialId::from_uuid(mint()),
        seed: Personal::Open(seal(&call.app, user_id, &seed).ok_or_else(unsealed)?),
        label,
        step,
    };
    let done = call.run(call.once(), &case).await?;
    Ok(Accepted::changed(&done, user_id, CredentialIdView { id: done.answer.uuid() }))
}

fn unsealed() -> Problem {
    Problem::internal("a seed cannot be sealed")
}

/// What taking a credential away takes.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RevokeBody {
    /// Whoever found an open screen does not know it.
    #[schema(example = "correct horse battery staple")]
    password: String,
    /// The present code of the app, where it is the app that goes.
    #[schema(example = "123456")]
    code: Option<String>,
}

async fn revoke_own(
    call: Call,
    Path((user_id, credential_id)): Path<(UserId, CredentialId)>,
    Json(body): Json<RevokeBody>,
) -> Result<Accepted<()>, Problem> {
    let verified = proof::password(&call, body.password, "/password").await?;
    let code = code(&call, credential_id, body.code.as_deref()).await?;
    let case = RevokeOwnCredential { user_id, verified, credential_id, code };
    let done = call.run(call.once(), &case).await?;
    Ok(Accepted::done(&done, user_id))
}

/// The code with which the caller takes the app off, if that is what the credential is.
async fn code(
    call: &Call,
    credential_id: CredentialId,
    typed: Option<&str>,
) -> Result<Option<TotpCode>, Problem> {
    let (app, user_id) = (&call.app, call.caller.user()?);
    let account = Account::load(&app.store, user_id, call.now).await?;
    let half = match account.and_then(Account::password_passed) {
        Some(FirstFactor::NeedsCode(half)) if half.app() == credential_id => half,
        Some(_) | None => return Ok(None),
    };
    let wrong = || Problem::invalid_field("/code", "is not the present code");
    let step = step(call, &half, typed.ok_or_else(wrong)?)?.ok_or_else(wrong)?;
    Ok(Some(TotpCode { credential_id, step }))
}

/// The time step of a code that somebody shows who knows the password, if it is right and was not
/// used. Wrong ones count for the user, wherever they come from.
pub(in crate::identity) fn step(
    call: &Call,
    half: &HalfAuthenticated,
    typed: &str,
) -> Result<Option<i64>, Problem> {
    let (app, user) = (&call.app, half.user_id());
    let secret = half.seed().and_then(|seed| open(app, user, seed));
    let secret = secret.ok_or_else(|| Problem::internal("a seed cannot be opened"))?;
    app.login_guard.begin_code(user.uuid(), call.now)?;
    let last = half.last_step().and_then(|step| u64::try_from(step).ok());
    let step = secret.verify(typed, seconds(call.now), last);
    let step = step.and_then(|step| i64::try_from(step).ok());
    if step.is_some() {
        app.login_guard.code_succeeded(user.uuid());
    }
    Ok(step)
}

async fn revoke(
    Path((user_id, credential_id)): Path<(UserId, CredentialId)>,
    command: Command<()>,
) -> Result<Accepted<()>, Problem> {
    let reason = "revoked by an operator".to_owned();
    let case = RevokeCredential { user_id, credential_id, reason };
    let done = command.run(&case).await?;
    Ok(Accepted::done(&done, user_id))
}
