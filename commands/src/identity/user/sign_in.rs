//! Signing in, and failing to.

use domain::{
    identity::{
        SessionId, UserId,
        session::{Session, SessionCommand, Start},
        user::{RecordLogin, User, UserCommand},
    },
    kernel::{Personal, Timestamp},
};
use serde::{Deserialize, Serialize};

use super::Authenticated;
use crate::{Caller, Denied, Refusal, Unit, UseCase, identity::session};

/// Why a session ended that another one pushed out.
const PUSHED_OUT: &str = "too many sessions";

/// Starts a session of somebody who proved who they are.
#[derive(Debug, Clone)]
pub struct SignIn {
    /// Who, and how they proved it.
    pub proof: Authenticated,
    /// The session's id.
    pub session_id: SessionId,
    /// SHA-256 of the first refresh token.
    pub refresh_hash: String,
    /// When the session ends.
    pub expires_at: Timestamp,
    /// The client's address.
    pub ip: Option<Personal<String>>,
    /// The client's own description of itself.
    pub user_agent: Option<Personal<String>>,
}

/// A session that started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedIn {
    /// Whose it is.
    pub user_id: UserId,
    /// Which it is.
    pub session_id: SessionId,
}

impl UseCase for SignIn {
    type Answer = SignedIn;

    fn authorise(&self, _: &Caller) -> Result<(), Denied> {
        Ok(())
    }

    async fn run(&self, unit: &mut Unit<'_>) -> Result<SignedIn, Refusal> {
        let Self { proof, session_id, .. } = self;
        let user = unit.load::<User>(proof.user_id).await?;
        let pushed_out = unit.state(user).present()?.sessions_over_limit(unit.ctx().now);
        let login = RecordLogin {
            session_id: *session_id,
            session_expires_at: self.expires_at,
            credential_id: proof.credential_id,
            totp: proof.totp,
            aal: proof.aal(),
            ip: self.ip.clone(),
        };
        unit.decide(user, &UserCommand::RecordLogin(Box::new(login)))?;
        let start = Start {
            session_id: *session_id,
            user_id: proof.user_id,
            person_id: unit.state(user).present()?.person_id,
            refresh_hash: self.refresh_hash.clone(),
            aal: proof.aal(),
            amr: proof.amr(),
            expires_at: self.expires_at,
            ip: self.ip.clone(),
            user_agent: self.user_agent.clone(),
        };
        let started = unit.begin::<Session>(*session_id);
        unit.decide(started, &SessionCommand::Start(Box::new(start)))?;
        session::end(unit, pushed_out, PUSHED_OUT).await?;
        Ok(SignedIn { user_id: proof.user_id, session_id: *session_id })
    }
}

/// Notes that somebody failed to sign in as a user.
#[derive(Debug, Clone)]
pub struct RecordSignInFailure {
    /// As whom.
    pub user_id: UserId,
    /// How, for the record.
    pub reason: &'static str,
    /// The client's address.
    pub ip: Option<Personal<String>>,
}

impl UseCase for RecordSignInFailure {
    type Answer = ();

    fn authorise(&self, _: &Caller) -> Result<(), Denied> {
        Ok(())
    }

    async fn run(&self, unit: &mut Unit<'_>) -> Result<(), Refusal> {
        let user = unit.load::<User>(self.user_id).await?;
        let reason = self.reason.to_owned();
        unit.decide(user, &UserCommand::RecordLoginFailure { reason, ip: self.ip.clone() })
    }
}
