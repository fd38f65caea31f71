//! The user: one login of a person, and every way it has to prove who signs in.
//!
//! Owns the address, the credentials, the tokens sent out of band, the lock on the door, and the
//! list of live sessions. Refuses to check a secret, which is slow by design: the use case does,
//! the command says what passed, and the user judges whether that still counts. Refuses, too, to
//! know other users: that an address, user name or external identity is nobody else's is a claim
//! made with the append.

mod command;
mod credential;
mod email;
mod error;
mod event;
mod evolve;
mod login;
mod password;
mod sessions;
mod status;
mod token;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use self::sessions::Sessions;
use super::{PersonId, UserId};
use crate::kernel::{Aggregate, KeyId, Personal, TenantId, Timestamp};

pub use self::{
    command::{NewPassword, RecordLogin, Register, TotpCode, UserCommand},
    credential::{BY_USER, Credential, Secret},
    email::{ATTEMPT_PAUSE, BY_TOKEN},
    error::UserError,
    event::{CredentialKind, IdentityKind, TokenPurpose, UserEvent, UserStatus},
    sessions::MAX_SESSIONS,
    token::{MAX_ATTEMPTS, NewToken, PresentedToken, Token},
};

/// The state of a user.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum User {
    /// Before the first event.
    #[default]
    Missing,
    /// The login exists.
    Present(Box<Present>),
    /// It is gone; the id is never used again.
    Deleted {
        /// The human behind it.
        person_id: PersonId,
    },
}

/// What an existing user remembers.
#[derive(Debug, Clone, PartialEq)]
pub struct Present {
    /// The id.
    pub id: UserId,
    /// The human behind the login.
    pub person_id: PersonId,
    /// The address.
    pub email: Personal<String>,
    /// Keyed digest of the address, which a claim holds.
    pub email_digest: String,
    /// Whether the address was shown to be the user's.
    pub email_verified: bool,
    /// The name to sign in with instead of the address; it never changes.
    pub username: Option<Personal<String>>,
    /// Where the user stands; a lock may be over without anybody having noted it.
    pub status: UserStatus,
    /// How often in a row somebody failed to sign in.
    pub failed_logins: i32,
    /// What proves who signs in.
    pub credentials: Vec<Credential>,
    locked_until: Option<Timestamp>,
    attempted_at: Option<Timestamp>,
    tokens: BTreeMap<TokenPurpose, Token>,
    sessions: Sessions,
}

impl User {
    /// The user, if anything can be asked of it.
    ///
    /// # Errors
    /// [`UserError::Missing`], also once deleted.
    pub fn present(&self) -> Result<&Present, UserError> {
        match self {
            Self::Present(present) => Ok(present),
            Self::Missing | Self::Deleted { .. } => Err(UserError::Missing),
        }
    }
}

impl Aggregate for User {
    type Id = UserId;
    type Command = UserCommand;
    type Event = UserEvent;
    type Error = UserError;

    fn decide(&self, command: &UserCommand, now: Timestamp) -> Result<Vec<UserEvent>, UserError> {
        match (self, command) {
            (Self::Missing, UserCommand::Register(register)) => Ok(register.decide()),
            (_, UserCommand::Register(_)) => Err(UserError::IdRetired),
            (Self::Present(present), command) => present.decide(command, now),
            (Self::Deleted { .. }, UserCommand::Delete) => Ok(Vec::new()),
            (Self::Missing | Self::Deleted { .. }, _) => Err(UserError::Missing),
        }
    }

    fn evolve(self, event: &UserEvent) -> Self {
        match (self, event) {
            (_, UserEvent::Registered { .. }) => Present::registered(event),
            (Self::Present(present), UserEvent::Deleted { .. }) => {
                Self::Deleted { person_id: present.person_id }
            }
            (Self::Present(present), event) => Self::Present(Box::new(present.evolve(event))),
            (state @ (Self::Missing | Self::Deleted { .. }), _) => state,
        }
    }

    fn tenant(&self) -> TenantId {
        TenantId::PLATFORM
    }

    fn subject(&self) -> Option<KeyId> {
        match self {
            Self::Missing => None,
            Self::Present(present) => Some(present.person_id.key()),
            Self::Deleted { person_id } => Some(person_id.key()),
        }
    }
}

impl Register {
    fn decide(&self) -> Vec<UserEvent> {
        let mut events = vec![UserEvent::Registered {
            user_id: self.user_id,
            person_id: self.person_id,
            email: self.email.clone(),
            email_digest: self.email_digest.clone(),
            username: self.username.clone(),
            via: self.via.clone(),
        }];
        if self.verified {
            events.push(UserEvent::EmailVerified { token_id: None, method: self.via.clone() });
        }
        events
    }
}

impl Present {
    fn decide(&self, command: &UserCommand, now: Timestamp) -> Result<Vec<UserEvent>, UserError> {
        use UserCommand as C;
        match command {
            C::Register(_) => Err(UserError::IdRetired),
            C::RequestEmailVerification(new) => self.request_email_verification(new, now),
            C::VerifyEmail(shown) => self.verify_email(shown, now),
            C::RequestEmailChange { email, email_digest, token } => {
                self.request_email_change(email, email_digest, token, now)
            }
            C::ConfirmEmailChange(shown) => self.confirm_email_change(shown, now),
            C::SetPassword(new) => self.set_password(new),
            C::ChangePassword { verified, password } => self.change_password(*verified, password),
            C::RehashPassword { outdated, secret_hash } => {
                Ok(self.rehash_password(outdated, secret_hash))
            }
            C::RequestPasswordReset(new) => self.request_password_reset(new, now),
            C::ResetPassword { token, password } => self.reset_password(token, password, now),
            C::AttemptToken { token_id } => Ok(self.attempt(*token_id)),
            C::LinkIdentity { credential_id, kind, issuer, subject } => {
                self.link_identity(*credential_id, *kind, issuer, subject)
            }
            C::UnlinkIdentity { credential_id } => self.unlink_identity(*credential_id),
            C::EnrolTotp { credential_id, seed, label, step } => {
                self.enrol_totp(*credential_id, seed, label.as_ref(), *step)
            }
            C::RevokeOwnCredential { verified, credential_id, code } => {
                self.revoke_own_credential(*verified, *credential_id, *code)
            }
            C::RevokeCredential { credential_id, reason } => {
                self.revoke_credential(*credential_id, reason)
            }
            C::RecordLogin(login) => self.record_login(login, now),
            C::RecordLoginFailure { reason, ip } => {
                Ok(self.record_login_failure(reason, ip.as_ref()))
            }
            C::NoteRegistrationAttempt { ip } => {
                Ok(self.note_registration_attempt(ip.as_ref(), now))
            }
            C::Lock { until } => self.lock(*until, now),
            C::Unlock => self.unlock(),
            C::Disable { reason } => Ok(self.disable(reason)),
            C::Enable => Ok(self.enable()),
            C::Delete => Ok(self.delete()),
            C::ChangePerson { person_id } => Ok(self.change_person(*person_id)),
        }
    }
}
