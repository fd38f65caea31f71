//! `/auth`: signing in, staying signed in, signing out.
//!
//! Refuses to say why a sign-in failed: an unknown user, a wrong password, a wrong code and an
//! account that cannot sign in are one answer after equal work. Only who knew the password learns
//! that a code is needed as well.

use chrono::TimeDelta;
use commands::{
    CommandError, Refusal,
    identity::{
        Login, find_user,
        session::{Logout, Refresh},
        user::{Account, Authenticated, FirstFactor, HalfAuthenticated, SignIn},
    },
};
use domain::{
    identity::{SessionId, UserId, session::SessionError, user::UserError},
    kernel::{Kind, Personal, email},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    discreet::Floor,
    proof::{self, ip},
    rehash::{self, Outdated},
    users::totp,
};
use crate::{
    answer::{Accepted, Tokens},
    app::App,
    clock::mint,
    context::Network,
    crypto::{
        digest::sha256_hex,
        password::{Password, Verdict},
    },
    extract::Json,
    gate::Call,
    problem::{INVALID_CREDENTIALS, Problem},
    routes::{Routes, op},
};

pub(super) fn routes() -> Routes<App> {
    let tag = "auth";
    Routes::new()
        .post(
            "/auth/login",
            login,
            op("Sign in")
                .tag(tag)
                .description(
                    "With the address or the user name, the password, and a code of the \
                     authenticator app if one is enrolled. Every failure has the same answer; \
                     only who knew the password is told that a code is missing \
                     (`user-second-factor-required`).",
                )
                .body::<LoginBody>()
                .refuses(401)
                .answer::<TokensView>(200),
        )
        .post(
            "/auth/refresh",
            refresh,
            op("Exchange a refresh token for its successor")
                .tag(tag)
                .description(
                    "Each refresh token works once. A repetition within ten seconds gets the \
                     same successor; a later one ends the session.",
                )
                .body::<RefreshBody>()
                .refuses(401)
                .answer::<TokensView>(200),
        )
        .post("/auth/logout", logout, op("Sign out").tag(tag))
}

/// Who signs in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct LoginBody {
    /// The address; or give `username`.
    #[schema(example = "ada@example.org")]
    email: Option<String>,
    /// The user name; or give `email`.
    username: Option<String>,
    /// The password.
    #[schema(example = "correct horse battery staple")]
    password: String,
    /// A code of the authenticator app.
    #[schema(example = "123456")]
    code: Option<String>,
}

/// What a signed-in client holds.
#[derive(Serialize, ToSchema)]
struct TokensView {
    /// Send it as `Authorization: Bearer …`.
    access_token: String,
    /// Always `Bearer`.
    token_type: &'static str,
    /// For how many seconds the access token works.
    expires_in: u64,
    /// Exchange it before then.
    refresh_token: String,
    /// Who signed in.
    user_id: Uuid,
    /// The session.
    session_id: Uuid,
}

async fn login(call: Call, Json(body): Json<LoginBody>) -> Result<Tokens<TokensView>, Problem> {
    let floor = Floor::begin(&call.app);
    let answer = sign_in(&call, body).await;
    // Who succeeds knows that there is such a user.
    if answer.is_err() {
        floor.reached().await;
    }
    answer
}

async fn sign_in(call: &Call, body: LoginBody) -> Result<Tokens<TokensView>, Problem> {
    let app = &call.app;
    let network = Network::of(call.request.client());
    let (login, account) = named(app, body.email.as_deref(), body.username)?;
    let password = Password::typed(body.password, "/password")?;
    app.login_guard.begin(&account, network, call.now)?;
    let (proof, outdated) = prove(call, &login, password, body.code.as_deref()).await?;
    let session_id = SessionId::from_uuid(mint());
    let lifetime = i64::try_from(app.config.auth.refresh_ttl_seconds).unwrap_or(i64::MAX);
    let refresh_token = app.digests.refresh_token(session_id.uuid(), 1);
    let case = SignIn {
        proof,
        session_id,
        refresh_hash: sha256_hex(refresh_token.as_bytes()),
        expires_at: call.now + TimeDelta::try_seconds(lifetime).unwrap_or_default(),
        ip: ip(call),
        user_agent: call.request.user_agent().map(|agent| Personal::Open(agent.to_owned())),
    };
    let done = commands::execute(&call.context(call.once()), &case).await.map_err(since)?;
    let user_id = done.answer.user_id;
    app.login_guard.succeeded(&[&account, &user_id.to_string()], network);
    if let Some(outdated) = outdated {
        rehash::begin(call, user_id, outdated);
    }
    let view = tokens(call, user_id, session_id, refresh_token)?;
    Ok(Tokens::new(view, done.position))
}

/// Whom a client names, and what failures are counted by, known or not.
fn named(
    app: &App,
    address: Option<&str>,
    username: Option<String>,
) -> Result<(Login, String), Problem> {
    match (address, username) {
        (Some(address), None) => {
            // An address that cannot be one is nobody's: the same answer as for any other.
            let address = email(address).unwrap_or_else(|_| address.to_lowercase());
            let digest = app.digests.email(&address);
            Ok((Login::Email(digest.clone()), digest))
        }
        (None, Some(name)) => {
            let digest = app.digests.username(&name.to_lowercase());
            Ok((Login::Username(digest.clone()), digest))
        }
        (Some(_), Some(_)) | (None, None) => {
            Err(Problem::invalid_field("/email", "give either `email` or `username`"))
        }
    }
}

/// The one answer to every failed sign-in.
fn refused() -> Problem {
    Problem::new(&INVALID_CREDENTIALS)
}

/// What changed since the proofs were checked: an account that cannot sign in any more is still
/// the one answer; a code that is needed now, or was used meanwhile, is told.
fn since(error: CommandError) -> Problem {
    if let CommandError::Refused(Refusal::Rule(rule)) = &error
        && rule.kind() != Kind::Unauthenticated
    {
        return refused();
    }
    error.into()
}

/// Checks every factor, at the same cost whoever is named. Answers, too, what is left to do if the
/// password was right and its hash is not of today's costs.
async fn prove(
    call: &Call,
    login: &Login,
    password: Password,
    code: Option<&str>,
) -> Result<(Authenticated, Option<Outdated>), Problem> {
    let app = &call.app;
    // Nobody is loaded like anybody, so that the log is asked as often.
    let user = find_user(&app.store, login).await?.unwrap_or(UserId::from_uuid(Uuid::nil()));
    let counted = app.login_guard.named(user.uuid(), Network::of(call.request.client()), call.now);
    let account = Account::load(&app.store, user, call.now).await?;
    let stored = account.as_ref().and_then(Account::password).map(|(_, hash)| hash.to_owned());
    let verdict = app.hashing.verify(password.clone(), stored.clone()).await?;
    let (Some(account), Ok(())) = (account, counted) else { return Err(refused()) };
    let user_id = account.user_id();
    let is_right = verdict != Verdict::Wrong && account.is_open();
    let proof = match account.password_passed().filter(|_| is_right) {
        Some(FirstFactor::Enough(proof)) => proof,
        Some(FirstFactor::NeedsCode(half)) => second_factor(call, &half, code)?,
        None => return Err(failed(call, user_id, "password")),
    };
    let is_outdated = verdict == Verdict::RightButOutdated;
    let outdated = stored.filter(|_| is_outdated).map(|hash| Outdated { password, hash });
    Ok((proof, outdated))
}

fn second_factor(
    call: &Call,
    half: &HalfAuthenticated,
    code: Option<&str>,
) -> Result<Authenticated, Problem> {
    let code = code.ok_or_else(|| Problem::refused(&UserError::SecondFactorRequired))?;
    match totp::step(call, half, code)? {
        Some(step) => Ok(half.code_passed(step)),
        None => Err(failed(call, half.user_id(), "code")),
    }
}

/// The one answer, after a failure that is noted.
fn failed(call: &Call, user_id: UserId, reason: &'static str) -> Problem {
    proof::note_failure(call, user_id, reason);
    refused()
}

fn tokens(
    call: &Call,
    user: UserId,
    session: SessionId,
    refresh_token: String,
) -> Result<TokensView, Problem> {
    let access_token = call.app.tokens.issue(user.uuid(), session.uuid(), call.now);
    Ok(TokensView {
        access_token: access_token.map_err(Problem::internal)?,
        token_type: "Bearer",
        expires_in: call.app.config.auth.access_ttl_seconds,
        refresh_token,
        user_id: user.uuid(),
        session_id: session.uuid(),
    })
}

/// A refresh token.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RefreshBody {
    /// The newest one.
    refresh_token: String,
}

async fn refresh(call: Call, Json(body): Json<RefreshBody>) -> Result<Tokens<TokensView>, Problem> {
    let wrong = || Problem::refused(&SessionError::TokenInvalid);
    let digests = &call.app.digests;
    let shown = digests.parse_refresh_token(&body.refresh_token).ok_or_else(wrong)?;
    let (session, generation) = shown;
    let successor = generation.checked_add(1).ok_or_else(wrong)?;
    let session_id = SessionId::from_uuid(session);
    let case = Refresh {
        session_id,
        presented_generation: i32::try_from(generation).map_err(|_| wrong())?,
        new_refresh_hash: sha256_hex(digests.refresh_token(session, successor).as_bytes()),
    };
    let done = call.run(call.once(), &case).await?;
    let successor = done.answer.successor().map_err(|ended| Problem::refused(&ended))?;
    let (user_id, generation, _) = successor;
    let generation = u32::try_from(generation).map_err(|_| wrong())?;
    let token = digests.refresh_token(session, generation);
    let view = tokens(&call, user_id, session_id, token)?;
    Ok(Tokens::new(view, done.position))
}

async fn logout(call: Call) -> Result<Accepted<()>, Problem> {
    let session = call.caller.actor.credential_id.unwrap_or_default();
    let done = call.run(call.once(), &Logout).await?;
    Ok(Accepted::done(&done, session))
}
