//! Each rule of a user, as past facts, a command and what follows.

mod credential;
mod email;
mod login;
mod password;
mod status;
mod token;

use uuid::Uuid;

use super::*;
use crate::{
    identity::{Aal, CredentialId, SessionId, TokenId},
    kernel::testing::{Given, at},
};

const DAY: i64 = 86_400;

/// A user after these facts.
fn given(events: impl IntoIterator<Item = UserEvent>) -> Given<User> {
    crate::kernel::testing::given(events)
}

fn user() -> UserId {
    UserId::from_uuid(Uuid::from_u128(1))
}

fn person(n: u128) -> PersonId {
    PersonId::from_uuid(Uuid::from_u128(n))
}

fn token_id(n: u128) -> TokenId {
    TokenId::from_uuid(Uuid::from_u128(n))
}

fn credential_id(n: u128) -> CredentialId {
    CredentialId::from_uuid(Uuid::from_u128(n))
}

fn session_id(n: u128) -> SessionId {
    SessionId::from_uuid(Uuid::from_u128(n))
}

fn personal(text: &str) -> Personal<String> {
    text.to_owned().into()
}

fn register(verified: bool) -> UserCommand {
    UserCommand::Register(Box::new(Register {
        user_id: user(),
        person_id: person(2),
        email: personal("ada@example.org"),
        email_digest: "digest-of-ada".into(),
        username: Some(personal("ada")),
        via: "signup".into(),
        verified,
    }))
}

fn registered() -> UserEvent {
    UserEvent::Registered {
        user_id: user(),
        person_id: person(2),
        email: personal("ada@example.org"),
        email_digest: "digest-of-ada".into(),
        username: Some(personal("ada")),
        via: "signup".into(),
    }
}

fn vouched() -> UserEvent {
    UserEvent::EmailVerified { token_id: None, method: "signup".into() }
}

/// An active user, and what happened then.
fn active(then: impl IntoIterator<Item = UserEvent>) -> Vec<UserEvent> {
    [registered(), vouched()].into_iter().chain(then).collect()
}

fn password_set(n: u128) -> UserEvent {
    let secret_hash = personal("$argon2id$");
    UserEvent::PasswordSet { credential_id: credential_id(n), secret_hash, replaces: None }
}

fn new_password(n: u128) -> NewPassword {
    NewPassword { credential_id: credential_id(n), secret_hash: personal("$argon2id$") }
}

fn linked(n: u128) -> UserEvent {
    UserEvent::IdentityLinked {
        credential_id: credential_id(n),
        kind: IdentityKind::Oidc,
        issuer: "https://id.example.org".into(),
        subject: personal("248289761001"),
    }
}

fn totp_enrolled(n: u128) -> UserEvent {
    UserEvent::TotpEnrolled {
        credential_id: credential_id(n),
        seed: personal("seed"),
        label: None,
        step: Some(100),
    }
}

/// A token of one day.
fn new_token(n: u128) -> NewToken {
    NewToken { token_id: token_id(n), token_hash: format!("hash-{n}"), expires_at: at(DAY) }
}

fn shown(n: u128) -> PresentedToken {
    PresentedToken { token_id: token_id(n), token_hash: format!("hash-{n}") }
}

fn verification_requested(n: u128, supersedes: Option<u128>) -> UserEvent {
    UserEvent::EmailVerificationRequested {
        token_id: token_id(n),
        token_hash: format!("hash-{n}"),
        sent_to: personal("ada@example.org"),
        expires_at: at(DAY),
        supersedes: supersedes.map(token_id),
    }
}

fn reset_requested(n: u128, supersedes: Option<u128>) -> UserEvent {
    UserEvent::PasswordResetRequested {
        token_id: token_id(n),
        token_hash: format!("hash-{n}"),
        sent_to: personal("ada@example.org"),
        expires_at: at(DAY),
        supersedes: supersedes.map(token_id),
    }
}

fn change_requested(n: u128, supersedes: Option<u128>) -> UserEvent {
    UserEvent::EmailChangeRequested {
        token_id: token_id(n),
        token_hash: format!("hash-{n}"),
        sent_to: personal("ada@example.com"),
        email_digest: "digest-of-new".into(),
        expires_at: at(DAY),
        supersedes: supersedes.map(token_id),
    }
}

fn invalidated(n: u128, purpose: TokenPurpose) -> UserEvent {
    UserEvent::TokenInvalidated { token_id: token_id(n), purpose }
}

fn disabled() -> UserEvent {
    UserEvent::Disabled { reason: "left the company".into() }
}

fn deleted(credentials: &[u128], tokens: &[u128]) -> UserEvent {
    UserEvent::Deleted {
        credential_ids: credentials.iter().copied().map(credential_id).collect(),
        token_ids: tokens.iter().copied().map(token_id).collect(),
        email_digest: Some("digest-of-ada".into()),
    }
}
