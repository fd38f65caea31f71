//! Use cases of a session: refreshing it, and ending one or all.

use domain::{
    identity::{
        Aal, SessionId, UserId,
        session::{Session, SessionCommand, SessionError, SessionStatus},
        user::{User, UserStatus},
    },
    permissions,
};
use serde::{Deserialize, Serialize};

use crate::{Caller, Denied, Handle, Refusal, Unit, UseCase};

/// Why a session ended when its user signed out.
const SIGNED_OUT: &str = "signed out";
/// Why a session ended when somebody took it off the user's list.
const REVOKED: &str = "revoked";

/// Replaces the refresh token of a session.
#[derive(Debug, Clone)]
pub struct Refresh {
    /// Which session.
    pub session_id: SessionId,
    /// The generation of the token shown; the edge has checked that the token is ours.
    pub presented_generation: i32,
    /// SHA-256 of the next generation's token.
    pub new_refresh_hash: String,
}

/// What came of showing a refresh token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refreshed {
    /// The session goes on.
    Successor {
        /// Whose it is.
        user_id: UserId,
        /// The generation to hand out.
        generation: i32,
        /// How sure the sign-in was.
        aal: Aal,
    },
    /// Somebody showed a token that was already replaced: the session is over.
    Reused,
}

impl Refreshed {
    /// The user, the generation to hand out and the assurance.
    ///
    /// # Errors
    /// [`SessionError::Ended`] once the session is over.
    pub const fn successor(self) -> Result<(UserId, i32, Aal), SessionError> {
        match self {
            Self::Successor { user_id, generation, aal } => Ok((user_id, generation, aal)),
            Self::Reused => Err(SessionError::Ended),
        }
    }
}

impl UseCase for Refresh {
    type Answer = Refreshed;

    fn authorise(&self, _: &Caller) -> Result<(), Denied> {
        Ok(())
    }

    async fn run(&self, unit: &mut Unit<'_>) -> Result<Refreshed, Refusal> {
        let now = unit.ctx().now;
        let session = unit.load::<Session>(self.session_id).await?;
        // Whoever shows a token of a session that never was learns no more than of a wrong one.
        let owner = unit.state(session).present().map_err(|_| SessionError::TokenInvalid)?.user_id;
        let user = unit.look::<User>(owner).await?;
        let active = |user: &User| {
            user.present().is_ok_and(|user| user.status_at(now) == UserStatus::Active)
        };
        if !active(unit.state(user)) {
            return Err(SessionError::Ended.into());
        }
        let refresh = SessionCommand::Refresh {
            presented_generation: self.presented_generation,
            new_refresh_hash: self.new_refresh_hash.clone(),
        };
        unit.decide(session, &refresh)?;
        let after = unit.state(session).present()?;
        Ok(match after.status {
            SessionStatus::Active => Refreshed::Successor {
                user_id: after.user_id,
                generation: after.generation,
                aal: after.aal,
            },
            SessionStatus::Revoked | SessionStatus::Expired => Refreshed::Reused,
        })
    }
}

/// Ends the session the caller is signed in with.
#[derive(Debug, Clone, Copy)]
pub struct Logout;

impl UseCase for Logout {
    type Answer = ();

    fn authorise(&self, caller: &Caller) -> Result<(), Denied> {
        caller.user().map(drop)
    }

    async fn run(&self, unit: &mut Unit<'_>) -> Result<(), Refusal> {
        let Some(session_id) = own(&unit.ctx().caller) else { return Ok(()) };
        let session = unit.load::<Session>(session_id).await?;
        unit.decide(session, &SessionCommand::Revoke { reason: SIGNED_OUT.to_owned() })
    }
}

/// Ends one session of a user.
#[derive(Debug, Clone, Copy)]
pub struct RevokeSession {
    /// Whose.
    pub user_id: UserId,
    /// Which.
    pub session_id: SessionId,
}

impl UseCase for RevokeSession {
    type Answer = ();

    fn authorise(&self, caller: &Caller) -> Result<(), Denied> {
        caller.require_self_or(self.user_id, permissions::IDENTITY_SESSION_REVOKE)
    }

    async fn run(&self, unit: &mut Unit<'_>) -> Result<(), Refusal> {
        let session = unit.load::<Session>(self.session_id).await?;
        if unit.state(session).present()?.user_id != self.user_id {
            return Err(SessionError::Missing.into());
        }
        unit.decide(session, &SessionCommand::Revoke { reason: REVOKED.to_owned() })
    }
}

/// Ends all sessions of a user.
#[derive(Debug, Clone, Copy)]
pub struct RevokeAllSessions {
    /// Whose.
    pub user_id: UserId,
}

impl UseCase for RevokeAllSessions {
    type Answer = ();

    fn authorise(&self, caller: &Caller) -> Result<(), Denied> {
        caller.require_self_or(self.user_id, permissions::IDENTITY_SESSION_REVOKE)
    }

    async fn run(&self, unit: &mut Unit<'_>) -> Result<(), Refusal> {
        let user = unit.load::<User>(self.user_id).await?;
        let live = unit.state(user).present()?.live_sessions(unit.ctx().now);
        end(unit, live, SIGNED_OUT).await
    }
}

/// Ends sessions in the append of the unit. Those that ended before stay as they are.
pub(super) async fn end(
    unit: &mut Unit<'_>,
    sessions: impl IntoIterator<Item = SessionId>,
    reason: &str,
) -> Result<(), Refusal> {
    let revoke = SessionCommand::Revoke { reason: reason.to_owned() };
    for session in unit.look_all::<Session>(sessions).await? {
        unit.decide(session, &revoke)?;
    }
    Ok(())
}

/// Ends all sessions of a user but the one the caller is signed in with.
pub(super) async fn end_others(
    unit: &mut Unit<'_>,
    user: Handle<User>,
    reason: &str,
) -> Result<(), Refusal> {
    let own = own(&unit.ctx().caller);
    let mut others = unit.state(user).present()?.live_sessions(unit.ctx().now);
    others.retain(|id| Some(*id) != own);
    end(unit, others, reason).await
}

/// The session the caller is signed in with.
pub(super) fn own(caller: &Caller) -> Option<SessionId> {
    caller.user().ok().and(caller.actor.credential_id).map(SessionId::from_uuid)
}
