//! Signing in: what the caller has checked must still count, and no code counts twice.

use super::{Present, RecordLogin, Secret, TotpCode, UserError, UserEvent, UserStatus};
use crate::{
    identity::SessionId,
    kernel::{Personal, Timestamp},
};

impl Present {
    /// The live sessions as far as the user knows: some may have been revoked meanwhile.
    #[must_use]
    pub fn live_sessions(&self, now: Timestamp) -> Vec<SessionId> {
        self.sessions.live(now)
    }

    /// The live sessions to revoke together with another sign-in, lest there be more than
    /// [`MAX_SESSIONS`](super::MAX_SESSIONS).
    #[must_use]
    pub fn sessions_over_limit(&self, now: Timestamp) -> Vec<SessionId> {
        self.sessions.pushed_out(now)
    }

    /// Checking secrets is slow by design and happens before; this judges whether what was
    /// checked still makes a sign-in.
    pub(super) fn record_login(
        &self,
        login: &RecordLogin,
        now: Timestamp,
    ) -> Result<Vec<UserEvent>, UserError> {
        let status = self.status_at(now);
        if status != UserStatus::Active {
            return Err(UserError::WrongStatus(status));
        }
        self.check_factors(login)?;
        let succeeded = UserEvent::LoginSucceeded {
            session_id: login.session_id,
            session_expires_at: login.session_expires_at,
            credential_id: login.credential_id,
            aal: login.aal,
            ip: login.ip.clone(),
            totp_credential_id: login.totp.map(|code| code.credential_id),
            totp_step: login.totp.map(|code| code.step),
        };
        let lock_is_over = self.status == UserStatus::Locked;
        Ok(lock_is_over.then_some(UserEvent::Unlocked {}).into_iter().chain([succeeded]).collect())
    }

    /// An account elsewhere has its own second factor, or none by its owner's choice.
    fn check_factors(&self, login: &RecordLogin) -> Result<(), UserError> {
        let first = self.credential(login.credential_id).filter(|one| one.is_first_factor());
        let first = first.ok_or(UserError::ProofInvalid)?;
        match (self.totp(), login.totp) {
            (None, None) => Ok(()),
            (Some(_), None) if matches!(first.secret, Secret::Password { .. }) => {
                Err(UserError::SecondFactorRequired)
            }
            (Some(_), None) => Ok(()),
            (Some(_) | None, Some(code)) => self.still_unused(code),
        }
    }

    /// Whether a code that was found right is one of the app that counts, and of no step before.
    pub(super) fn still_unused(&self, code: TotpCode) -> Result<(), UserError> {
        match self.totp() {
            Some((id, _, Some(last))) if id == code.credential_id && code.step <= last => {
                Err(UserError::CodeUsed)
            }
            Some((id, ..)) if id == code.credential_id => Ok(()),
            Some(_) | None => Err(UserError::ProofInvalid),
        }
    }

    /// Failures are counted in any status: whoever tries a disabled user is worth knowing too.
    pub(super) fn record_login_failure(
        &self,
        reason: &str,
        ip: Option<&Personal<String>>,
    ) -> Vec<UserEvent> {
        let count = self.failed_logins.saturating_add(1);
        vec![UserEvent::LoginFailed { reason: reason.to_owned(), count, ip: ip.cloned() }]
    }
}
