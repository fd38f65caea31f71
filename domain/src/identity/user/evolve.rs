//! How each fact changes what a user remembers.

use std::collections::BTreeMap;

use super::{
    Credential, Present, Secret, Sessions, Token, TokenPurpose, User, UserEvent, UserStatus,
};
use crate::{
    identity::{CredentialId, TokenId},
    kernel::{Personal, Timestamp},
};

impl Present {
    pub(super) fn registered(event: &UserEvent) -> User {
        let UserEvent::Registered { user_id, person_id, email, email_digest, username, .. } = event
        else {
            return User::Missing;
        };
        User::Present(Box::new(Self {
            id: *user_id,
            person_id: *person_id,
            email: email.clone(),
            email_digest: email_digest.clone(),
            email_verified: false,
            username: username.clone(),
            status: UserStatus::Pending,
            failed_logins: 0,
            credentials: Vec::new(),
            locked_until: None,
            attempted_at: None,
            tokens: BTreeMap::new(),
            sessions: Sessions::default(),
        }))
    }

    pub(super) fn evolve(self, event: &UserEvent) -> Self {
        use TokenPurpose as P;
        use UserEvent as E;
        match event {
            E::EmailVerificationRequested { token_id, token_hash, sent_to, expires_at, .. } => {
                let to = (sent_to.clone(), self.email_digest.clone());
                self.with_token(P::EmailVerification, *token_id, token_hash, to, *expires_at)
            }
            E::PasswordResetRequested { token_id, token_hash, sent_to, expires_at, .. } => {
                let to = (sent_to.clone(), self.email_digest.clone());
                self.with_token(P::PasswordReset, *token_id, token_hash, to, *expires_at)
            }
            E::EmailChangeRequested {
                token_id,
                token_hash,
                sent_to,
                email_digest,
                expires_at,
                ..
            } => {
                let to = (sent_to.clone(), email_digest.clone());
                self.with_token(P::EmailChange, *token_id, token_hash, to, *expires_at)
            }
            E::TokenAttempted { token_id, attempts } => self.attempted(*token_id, *attempts),
            E::TokenInvalidated { token_id, .. } => self.without_token(Some(*token_id)),
            E::EmailVerified { token_id, .. } => {
                let after = self.without_token(*token_id);
                Self { email_verified: true, status: UserStatus::Active, ..after }
            }
            E::EmailChanged { token_id, email, email_digest, .. } => {
                let (email, email_digest) = (email.clone(), email_digest.clone());
                Self { email, email_digest, ..self.without_token(Some(*token_id)) }
            }
            E::PasswordSet { credential_id, secret_hash, replaces } => {
                self.with_password(*credential_id, secret_hash, *replaces)
            }
            E::PasswordRehashed { credential_id, secret_hash } => {
                self.rehashed(*credential_id, secret_hash)
            }
            E::PasswordReset { token_id, credential_id, secret_hash, replaces } => {
                let after = self.without_token(Some(*token_id));
                after.with_password(*credential_id, secret_hash, *replaces)
            }
            E::IdentityLinked { credential_id, kind, issuer, subject } => {
                let (issuer, subject) = (issuer.clone(), subject.clone());
                let account = Secret::External { kind: *kind, issuer, subject };
                self.with_credential(*credential_id, account)
            }
            E::TotpEnrolled { credential_id, seed, step, .. } => {
                let app = Secret::Totp { seed: seed.clone(), last_step: *step };
                self.with_credential(*credential_id, app)
            }
            E::IdentityUnlinked { credential_id } | E::CredentialRevoked { credential_id, .. } => {
                self.without_credential(Some(*credential_id))
            }
            E::LoginSucceeded { session_id, session_expires_at, totp_step, .. } => {
                let sessions = self.sessions.with(*session_id, *session_expires_at);
                Self { failed_logins: 0, sessions, ..self }.code_used(*totp_step)
            }
            E::LoginFailed { count, .. } => Self { failed_logins: *count, ..self },
            E::RegistrationAttempted { at, .. } => Self { attempted_at: Some(*at), ..self },
            E::Locked { until } => {
                Self { status: UserStatus::Locked, locked_until: *until, ..self }
            }
            E::Unlocked {} => Self { status: UserStatus::Active, locked_until: None, ..self },
            E::Disabled { .. } => Self { status: UserStatus::Disabled, locked_until: None, ..self },
            E::Enabled { status } => Self { status: *status, ..self },
            E::PersonChanged { person_id } => Self { person_id: *person_id, ..self },
            E::Registered { .. } | E::Deleted { .. } => self,
        }
    }

    /// A purpose has one token at most, so a new one takes the place of the one it supersedes.
    fn with_token(
        mut self,
        purpose: TokenPurpose,
        id: TokenId,
        hash: &str,
        (sent_to, email_digest): (Personal<String>, String),
        expires_at: Timestamp,
    ) -> Self {
        let hash = hash.to_owned();
        let token = Token { id, purpose, sent_to, email_digest, expires_at, attempts: 0, hash };
        self.tokens.insert(purpose, token);
        self
    }

    fn without_token(mut self, id: Option<TokenId>) -> Self {
        self.tokens.retain(|_, token| Some(token.id) != id);
        self
    }

    fn attempted(mut self, id: TokenId, attempts: i16) -> Self {
        for token in self.tokens.values_mut().filter(|token| token.id == id) {
            token.attempts = attempts;
        }
        self
    }

    fn with_credential(mut self, id: CredentialId, secret: Secret) -> Self {
        self.credentials.push(Credential { id, secret });
        self
    }

    fn with_password(
        self,
        id: CredentialId,
        hash: &Personal<String>,
        replaces: Option<CredentialId>,
    ) -> Self {
        let password = Secret::Password { hash: hash.clone() };
        self.without_credential(replaces).with_credential(id, password)
    }

    fn without_credential(mut self, id: Option<CredentialId>) -> Self {
        self.credentials.retain(|credential| Some(credential.id) != id);
        self
    }

    fn rehashed(mut self, id: CredentialId, hash: &Personal<String>) -> Self {
        for credential in self.credentials.iter_mut().filter(|credential| credential.id == id) {
            credential.secret = Secret::Password { hash: hash.clone() };
        }
        self
    }

    fn code_used(mut self, step: Option<i64>) -> Self {
        for credential in &mut self.credentials {
            if let (Secret::Totp { last_step, .. }, Some(_)) = (&mut credential.secret, step) {
                *last_step = step;
            }
        }
        self
    }
}
