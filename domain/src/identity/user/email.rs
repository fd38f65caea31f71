//! The address of a user: verified by a token sent to it, changed by a token sent to the new one.

use chrono::TimeDelta;

use super::{NewToken, Present, PresentedToken, TokenPurpose, UserError, UserEvent, UserStatus};
use crate::kernel::{Personal, Timestamp};

/// How an address was verified when its owner followed a link.
pub const BY_TOKEN: &str = "token";

/// How long after a try to sign up with the address no other is noted, so that nobody's mailbox
/// can be flooded by a stranger who tries again and again.
pub const ATTEMPT_PAUSE: TimeDelta = TimeDelta::hours(1);

impl Present {
    pub(super) fn request_email_verification(
        &self,
        new: &NewToken,
        now: Timestamp,
    ) -> Result<Vec<UserEvent>, UserError> {
        if self.email_verified {
            return Ok(Vec::new());
        }
        let supersedes = self.supersede(TokenPurpose::EmailVerification, new, now)?;
        Ok(vec![UserEvent::EmailVerificationRequested {
            token_id: new.token_id,
            token_hash: new.token_hash.clone(),
            sent_to: self.email.clone(),
            expires_at: new.expires_at,
            supersedes,
        }])
    }

    pub(super) fn verify_email(
        &self,
        shown: &PresentedToken,
        now: Timestamp,
    ) -> Result<Vec<UserEvent>, UserError> {
        let token = self.redeem(TokenPurpose::EmailVerification, shown, now)?;
        Ok(vec![UserEvent::EmailVerified { token_id: Some(token.id), method: BY_TOKEN.to_owned() }])
    }

    /// Whoever has not verified their address registers again rather than change it: what cannot
    /// be reached cannot agree.
    pub(super) fn request_email_change(
        &self,
        email: &Personal<String>,
        email_digest: &str,
        new: &NewToken,
        now: Timestamp,
    ) -> Result<Vec<UserEvent>, UserError> {
        if self.status == UserStatus::Pending {
            return Err(UserError::WrongStatus(UserStatus::Pending));
        }
        if email_digest == self.email_digest {
            return Ok(Vec::new());
        }
        let supersedes = self.supersede(TokenPurpose::EmailChange, new, now)?;
        Ok(vec![UserEvent::EmailChangeRequested {
            token_id: new.token_id,
            token_hash: new.token_hash.clone(),
            sent_to: email.clone(),
            email_digest: email_digest.to_owned(),
            expires_at: new.expires_at,
            supersedes,
        }])
    }

    /// Tokens sent to the old address go with it: its mailbox may be somebody else's by now.
    pub(super) fn confirm_email_change(
        &self,
        shown: &PresentedToken,
        now: Timestamp,
    ) -> Result<Vec<UserEvent>, UserError> {
        let token = self.redeem(TokenPurpose::EmailChange, shown, now)?;
        let changed = UserEvent::EmailChanged {
            token_id: token.id,
            email: token.sent_to.clone(),
            email_digest: token.email_digest.clone(),
            previous: Some(self.email.clone()),
        };
        let others = self.invalidate(|other| other.id != token.id);
        Ok(std::iter::once(changed).chain(others).collect())
    }

    pub(super) fn note_registration_attempt(
        &self,
        ip: Option<&Personal<String>>,
        now: Timestamp,
    ) -> Vec<UserEvent> {
        let last = self.attempted_at;
        if last.is_some_and(|last| now.signed_duration_since(last) < ATTEMPT_PAUSE) {
            return Vec::new();
        }
        vec![UserEvent::RegistrationAttempted { ip: ip.cloned(), at: now }]
    }
}
