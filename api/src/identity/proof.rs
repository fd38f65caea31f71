//! Proofs that several routes ask for: tokens from a mail, and the password once more.

use chrono::TimeDelta;
use commands::identity::user::{Account, RecordSignInFailure, TokenShown};
use domain::{
    identity::{
        CredentialId, TokenId, UserId,
        user::{NewToken, PresentedToken, UserError},
    },
    kernel::{Personal, Timestamp},
};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    clock::mint,
    context::Network,
    crypto::{
        digest::SingleUseToken,
        password::{Password, Verdict},
    },
    gate::Call,
    problem::Problem,
};

/// A token from a mail.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TokenBody {
    /// The token, whole.
    pub(super) token: String,
}

/// A token of a user's stream. Only its hash goes further: whoever writes the mail derives the
/// token anew.
pub(super) fn new_token(call: &Call, user_id: UserId, lives: TimeDelta) -> NewToken {
    let token_id = TokenId::from_uuid(mint());
    let token = call.app.digests.single_use(user_id.uuid(), token_id.uuid());
    NewToken { token_id, token_hash: token.hash(), expires_at: call.now + lives }
}

/// The user and the token that a text stands for.
pub(super) fn presented(text: &str) -> Result<(UserId, PresentedToken), Problem> {
    let wrong = || Problem::refused(&UserError::TokenInvalid);
    let token = SingleUseToken::parse(text).ok_or_else(wrong)?;
    let token_id = TokenId::from_uuid(token.id());
    let shown = PresentedToken { token_id, token_hash: token.hash() };
    Ok((UserId::from_uuid(token.stream()), shown))
}

/// A wrong token was counted; for the client it is a refusal.
pub(super) fn accepted(shown: TokenShown) -> Result<(), Problem> {
    shown.accepted().map_err(|refusal| Problem::refused(&refusal))
}

/// The password of a signed-in user, once more: whoever found an open screen does not know it.
/// Guesses count as failed sign-ins do.
pub(super) async fn password(
    call: &Call,
    typed: String,
    pointer: &'static str,
) -> Result<CredentialId, Problem> {
    let app = &call.app;
    let user_id = call.caller.user()?;
    let password = Password::typed(typed, pointer)?;
    let (account, network) = (user_id.to_string(), Network::of(call.request.client()));
    app.login_guard.begin(&account, network, call.now)?;
    let known = Account::load(&app.store, user_id, call.now).await?;
    let known = known.as_ref().and_then(Account::password);
    let (credential, stored) = known.map(|(id, hash)| (id, hash.to_owned())).unzip();
    let verdict = app.hashing.verify(password, stored).await?;
    match credential.filter(|_| verdict != Verdict::Wrong) {
        Some(credential) => {
            app.login_guard.succeeded(&[&account], network);
            Ok(credential)
        }
        None => {
            note_failure(call, user_id, "password");
            Err(Problem::invalid_field(pointer, "is not your password"))
        }
    }
}

/// Notes a failure with the user. Nobody waits for that: how long an answer takes must not tell
/// whether there is such a user.
pub(super) fn note_failure(call: &Call, user_id: UserId, reason: &'static str) {
    let context = call.context(call.once());
    let case = RecordSignInFailure { user_id, reason, ip: ip(call) };
    tokio::spawn(async move {
        if let Err(fault) = commands::execute(&context, &case).await {
            tracing::warn!(cause = ?fault, "a failed sign-in could not be noted");
        }
    });
}

/// The client's address, as events keep it.
pub(super) fn ip(call: &Call) -> Option<Personal<String>> {
    Some(Personal::Open(call.request.client().to_string()))
}

/// Whole seconds since 1970.
pub(super) fn seconds(now: Timestamp) -> u64 {
    u64::try_from(now.timestamp()).unwrap_or_default()
}
