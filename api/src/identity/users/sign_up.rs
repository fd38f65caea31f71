//! Signing up, and proving that the address is one's own.
//!
//! Refuses to tell whether an address is known: the answer is the same, and the owner of a taken
//! address gets a mail instead of the newcomer.

use chrono::TimeDelta;
use commands::{
    CommandError,
    identity::{
        Login, find_user,
        user::{
            NewUser, NoteRegistrationAttempt, Register, RequestEmailVerification, Username,
            VerifyEmail,
        },
    },
};
use domain::{
    identity::{PersonId, UserId, person::Profile},
    kernel::{Personal, display_name, email, mailbox, slug},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{TAG, password::hashed};
use crate::{
    answer::Noted,
    app::App,
    clock::mint,
    context::Network,
    crypto::password::Password,
    extract::Json,
    gate::Call,
    identity::{
        discreet::Floor,
        proof::{TokenBody, accepted, ip, new_token, presented},
    },
    problem::{CONFLICT, Problem},
    rate::Mailing,
    routes::{Routes, op},
    text::{both, field, locality},
};

/// How long a token to verify an address counts.
const VERIFICATION_LIVES: TimeDelta = TimeDelta::hours(24);

pub(super) fn routes() -> Routes<App> {
    Routes::new()
        .post(
            "/users",
            register,
            op("Sign up")
                .tag(TAG)
                .description(
                    "A mail with a token goes to the address. An address that is taken has the \
                     same answer; its owner gets a mail instead.",
                )
                .body::<RegisterBody>()
                .answer::<RegisteredView>(202),
        )
        .post(
            "/users/verify-email",
            verify,
            op("Prove that an address is one's own").tag(TAG).body::<TokenBody>(),
        )
        .post(
            "/users/verify-email/resend",
            resend,
            op("Send the verification mail again")
                .tag(TAG)
                .description("The answer is the same for every address.")
                .body::<AddressBody>()
                .answer_empty(202),
        )
}

/// A new user.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RegisterBody {
    /// Where the verification mail goes.
    #[schema(example = "ada@example.org")]
    email: String,
    /// 8 to 1024 characters.
    #[schema(example = "correct horse battery staple")]
    password: String,
    /// A name to sign in with instead of the address, public and for ever: 3 to 40 of `a-z`,
    /// `0-9` and inner hyphens.
    username: Option<String>,
    /// How to call the person.
    #[schema(example = "Ada")]
    display_name: Option<String>,
    /// ISO 3166-1 alpha-2.
    country: Option<String>,
    /// BCP 47; `en` unless said.
    locale: Option<String>,
    /// IANA name; `UTC` unless said.
    timezone: Option<String>,
}

/// A sign-up that was taken in.
#[derive(Serialize, ToSchema)]
struct RegisteredView {
    /// What happens next.
    status: &'static str,
}

// Without an idempotency key: a repetition is a sign-up with a taken address, which is harmless.
async fn register(
    call: Call,
    Json(body): Json<RegisterBody>,
) -> Result<Noted<RegisteredView>, Problem> {
    call.app.limits.sign_up(Network::of(call.request.client()))?;
    let new = parse(&call, body).await?;
    // Names are public. Asked first, whether or not the address is taken: otherwise a name known
    // to be taken would tell about the address.
    if let Some(Username { digest, .. }) = new.username.clone()
        && find_user(&call.app.store, &Login::Username(digest)).await?.is_some()
    {
        let taken = Problem::new(&CONFLICT);
        return Err(taken.field("/username", "taken", "this user name is taken"));
    }
    let floor = Floor::begin(&call.app);
    let signed_up = sign_up(&call, new).await;
    floor.reached().await;
    signed_up.map(|()| Noted::new(RegisteredView { status: "check the mail for a link" }))
}

/// Signs up a newcomer, or tells the owner of a taken address.
async fn sign_up(call: &Call, new: NewUser) -> Result<(), Problem> {
    let email_digest = new.email_digest.clone();
    let username_digest = new.username.as_ref().map(|name| name.digest.clone());
    let user_id = new.user_id;
    let known = find_user(&call.app.store, &Login::Email(email_digest.clone())).await?;
    let is_taken = match known {
        Some(_) => true,
        None => {
            let token = new_token(call, new.user_id, VERIFICATION_LIVES);
            let context = call.context(call.once());
            match commands::execute(&context, &Register { new, token }).await {
                Ok(_) => false,
                Err(CommandError::Taken { scope }) if scope == "user.email" => true,
                Err(other) => return Err(other.into()),
            }
        }
    };
    if is_taken {
        let note = NoteRegistrationAttempt { email_digest, username_digest, user_id, ip: ip(call) };
        call.run(call.once(), &note).await?;
    }
    Ok(())
}

/// Reads the body, and hashes the password before anything is looked up: a taken address costs
/// what a free one does.
async fn parse(call: &Call, body: RegisterBody) -> Result<NewUser, Problem> {
    let address = field("/email", mailbox(&body.email));
    let password = Password::new(body.password, "/password");
    let username = field("/username", body.username.as_deref().map(slug).transpose());
    let name = field("/display_name", body.display_name.as_deref().map(display_name).transpose());
    let [country, locale, timezone] =
        [&body.country, &body.locale, &body.timezone].map(Option::as_deref);
    let ((address, password), (username, (name, at))) = both(
        both(address, password),
        both(username, both(name, locality(country, locale, timezone))),
    )?;
    let profile = Profile {
        display_name: name.map(Personal::Open),
        legal_name: None,
        country: at.country,
        locale: at.locale,
        timezone: at.timezone,
    };
    Ok(NewUser {
        user_id: UserId::from_uuid(mint()),
        person_id: PersonId::from_uuid(mint()),
        profile,
        email_digest: call.app.digests.email(&address),
        email: Personal::Open(address),
        username: username.map(|name| Username {
            digest: call.app.digests.username(&name),
            name: Personal::Open(name),
        }),
        password: hashed(call, password).await?,
    })
}

async fn verify(call: Call, Json(body): Json<TokenBody>) -> Result<Noted<()>, Problem> {
    let (user_id, token) = presented(&body.token)?;
    let done = call.run(call.once(), &VerifyEmail { user_id, token }).await?;
    accepted(done.answer)?;
    Ok(Noted::done(done.position))
}

/// An address.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AddressBody {
    /// The address.
    #[schema(example = "ada@example.org")]
    pub(super) email: String,
}

async fn resend(call: Call, Json(body): Json<AddressBody>) -> Result<Noted<()>, Problem> {
    let address = field("/email", email(&body.email))?;
    let digest = call.app.digests.email(&address);
    call.app.limits.mail(Mailing::Verification, &digest)?;
    let floor = Floor::begin(&call.app);
    let user_id = find_user(&call.app.store, &Login::Email(digest)).await?;
    let stream = user_id.unwrap_or(UserId::from_uuid(Uuid::nil()));
    let token = new_token(&call, stream, VERIFICATION_LIVES);
    let asked = call.run(call.once(), &RequestEmailVerification { user_id, token }).await;
    floor.reached().await;
    asked.map(|_| Noted::accepted())
}
