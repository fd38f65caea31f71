//! The password of a user: at most one; each new one replaces the last.

use super::{
    NewPassword, NewToken, Present, PresentedToken, Token, TokenPurpose, UserError, UserEvent,
};
use crate::{
    identity::CredentialId,
    kernel::{Personal, Timestamp},
};

impl Present {
    pub(super) fn set_password(&self, new: &NewPassword) -> Result<Vec<UserEvent>, UserError> {
        self.in_use()?;
        self.fresh(new.credential_id)?;
        let set = UserEvent::PasswordSet {
            credential_id: new.credential_id,
            secret_hash: new.secret_hash.clone(),
            replaces: self.password().map(|(id, _)| id),
        };
        let others = self.invalidate(rests_on_password);
        Ok(std::iter::once(set).chain(others).collect())
    }

    /// The old password was checked before; meanwhile another one may have taken its place.
    pub(super) fn change_password(
        &self,
        verified: CredentialId,
        new: &NewPassword,
    ) -> Result<Vec<UserEvent>, UserError> {
        self.still_password(verified)?;
        self.set_password(new)
    }

    /// Whether what was checked is still the password.
    pub(super) fn still_password(&self, verified: CredentialId) -> Result<(), UserError> {
        match self.password() {
            Some((current, _)) if current == verified => Ok(()),
            Some(_) | None => Err(UserError::ProofInvalid),
        }
    }

    /// Where another password, or another hash of it, came first, there is nothing left to do.
    pub(super) fn rehash_password(
        &self,
        outdated: &Personal<String>,
        secret_hash: &Personal<String>,
    ) -> Vec<UserEvent> {
        self.password()
            .filter(|(_, known)| *known == outdated)
            .map(|(credential_id, _)| {
                let secret_hash = secret_hash.clone();
                UserEvent::PasswordRehashed { credential_id, secret_hash }
            })
            .into_iter()
            .collect()
    }

    pub(super) fn request_password_reset(
        &self,
        new: &NewToken,
        now: Timestamp,
    ) -> Result<Vec<UserEvent>, UserError> {
        let supersedes = self.supersede(TokenPurpose::PasswordReset, new, now)?;
        Ok(vec![UserEvent::PasswordResetRequested {
            token_id: new.token_id,
            token_hash: new.token_hash.clone(),
            sent_to: self.email.clone(),
            expires_at: new.expires_at,
            supersedes,
        }])
    }

    /// Whether a token to reset the password counts. Hashing the new one is slow, so whoever shows
    /// another token must be refused before that; the user judges again when asked.
    #[must_use]
    pub fn accepts_reset(&self, shown: &PresentedToken, now: Timestamp) -> bool {
        self.accepts(TokenPurpose::PasswordReset, shown, now).is_ok()
    }

    pub(super) fn reset_password(
        &self,
        shown: &PresentedToken,
        new: &NewPassword,
        now: Timestamp,
    ) -> Result<Vec<UserEvent>, UserError> {
        let token = self.redeem(TokenPurpose::PasswordReset, shown, now)?;
        self.fresh(new.credential_id)?;
        let reset = UserEvent::PasswordReset {
            token_id: token.id,
            credential_id: new.credential_id,
            secret_hash: new.secret_hash.clone(),
            replaces: self.password().map(|(id, _)| id),
        };
        let others = self.invalidate(|other| other.id != token.id && rests_on_password(other));
        Ok(std::iter::once(reset).chain(others).collect())
    }
}

/// Whoever knew the old password may have asked for the token, to come back with it. Only the
/// verification of an address asks for nothing but the mailbox.
fn rests_on_password(token: &Token) -> bool {
    token.purpose != TokenPurpose::EmailVerification
}
