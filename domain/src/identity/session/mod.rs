//! The session: one sign-in, and the family of refresh tokens that follows from it.
//!
//! Owns the generation of the family: each refresh replaces the one token that works. Whoever
//! shows a token that was already replaced holds a copy, and a copy means theft, so the whole
//! family ends (RFC 9700 §4.14.2). Refuses to outlive the time given at the start.

use chrono::TimeDelta;

use super::{Aal, PersonId, SessionId, UserId};
use crate::{
    events,
    kernel::{Aggregate, DomainError, KeyId, Kind, Personal, TenantId, Timestamp},
    text_enum,
};

/// How long a family lives at most, however often it is refreshed.
pub const MAX_LIFETIME: TimeDelta = TimeDelta::days(7);

/// How long after a refresh the replaced token still gets its successor: a client whose answer
/// was lost, or that refreshed from two tabs at once, is no thief.
pub const REFRESH_GRACE: TimeDelta = TimeDelta::seconds(10);

/// Why a family ended when a replaced token was shown.
pub const REUSE: &str = "reuse";

text_enum! {
    /// Where a session stands.
    pub enum SessionStatus {
        /// Signed in.
        Active = "active",
        /// Ended by somebody.
        Revoked = "revoked",
        /// Ended by time.
        Expired = "expired",
    }
}

events! {
    /// Facts of a session.
    pub enum SessionEvent in "identity.session" quiet [Refreshed] => {
        /// Somebody signed in; generation 1 of the family works.
        Started {
            session_id: SessionId,
            user_id: UserId,
            person_id: PersonId,
            refresh_hash: String,
            aal: Aal,
            amr: Vec<String>,
            expires_at: Timestamp,
            #[serde(default)]
            ip: Option<Personal<String>>,
            #[serde(default)]
            user_agent: Option<Personal<String>>,
            at: Timestamp,
        },
        /// From now on only this generation works.
        Refreshed { generation: i32, refresh_hash: String, at: Timestamp },
        /// Somebody showed a token that was already replaced.
        ReuseDetected { presented_generation: i32 },
        /// Somebody ended it.
        Revoked { reason: String },
        /// Time ended it.
        Expired {},
    }
}

/// What may be asked of a session.
#[derive(Debug, Clone, PartialEq)]
pub enum SessionCommand {
    /// Sign in.
    Start(Box<Start>),
    /// Replace the token that works.
    Refresh {
        /// The generation of the token shown, whose authenticity the caller has checked.
        presented_generation: i32,
        /// SHA-256 of the next generation's token.
        new_refresh_hash: String,
    },
    /// End it.
    Revoke {
        /// Why, for the record.
        reason: String,
    },
    /// Note that its time is over.
    Expire,
}

/// The content of [`SessionCommand::Start`].
#[derive(Debug, Clone, PartialEq)]
pub struct Start {
    /// Its id, minted by the caller.
    pub session_id: SessionId,
    /// The login.
    pub user_id: UserId,
    /// The human behind the login.
    pub person_id: PersonId,
    /// SHA-256 of the first generation's token.
    pub refresh_hash: String,
    /// How sure the sign-in was.
    pub aal: Aal,
    /// How it was done: RFC 8176 names.
    pub amr: Vec<String>,
    /// When the family ends.
    pub expires_at: Timestamp,
    /// The client's address.
    pub ip: Option<Personal<String>>,
    /// The client's own description of itself.
    pub user_agent: Option<Personal<String>>,
}

/// Why a session refuses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    /// It does not exist.
    #[error("this session does not exist")]
    Missing,
    /// The id is taken.
    #[error("this session id was already used")]
    IdRetired,
    /// It is over.
    #[error("this session has ended; sign in again")]
    Ended,
    /// No such token was ever given out.
    #[error("this refresh token is not valid")]
    TokenInvalid,
    /// Its time is not over.
    #[error("this session has not expired yet")]
    NotExpired,
    /// It would end before it starts, or too late.
    #[error("a session must end after now and within {} days", MAX_LIFETIME.num_days())]
    Lifetime,
}

impl DomainError for SessionError {
    fn code(&self) -> &'static str {
        match self {
            Self::Missing => "not-found",
            Self::IdRetired => "id-retired",
            Self::Ended => "session-ended",
            Self::TokenInvalid => "session-token-invalid",
            Self::NotExpired => "session-not-expired",
            Self::Lifetime => "session-lifetime",
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::Missing => Kind::Missing,
            Self::IdRetired | Self::NotExpired => Kind::Conflict,
            Self::Ended | Self::TokenInvalid => Kind::Unauthenticated,
            Self::Lifetime => Kind::Invalid,
        }
    }
}

/// The state of a session.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Session {
    /// Before the first event.
    #[default]
    Missing,
    /// It was started.
    Present(Present),
}

/// What a started session remembers.
#[derive(Debug, Clone, PartialEq)]
pub struct Present {
    /// Its id.
    pub id: SessionId,
    /// The login.
    pub user_id: UserId,
    /// The human behind the login.
    pub person_id: PersonId,
    /// How sure the sign-in was.
    pub aal: Aal,
    /// How it was done: RFC 8176 names.
    pub amr: Vec<String>,
    /// When the sign-in happened.
    pub started_at: Timestamp,
    /// When the family ends.
    pub expires_at: Timestamp,
    /// The generation of the one token that works.
    pub generation: i32,
    /// SHA-256 of the one token that works.
    pub refresh_hash: String,
    /// Where it stands; time may have ended it without anybody having noted it.
    pub status: SessionStatus,
    refreshed_at: Timestamp,
}

impl Session {
    /// The session, ended or not.
    ///
    /// # Errors
    /// [`SessionError::Missing`].
    pub fn present(&self) -> Result<&Present, SessionError> {
        match self {
            Self::Present(present) => Ok(present),
            Self::Missing => Err(SessionError::Missing),
        }
    }

    /// The session, if it still lets anybody in.
    ///
    /// # Errors
    /// [`SessionError::Missing`] or [`SessionError::Ended`].
    pub fn live(&self, now: Timestamp) -> Result<&Present, SessionError> {
        let present = self.present()?;
        if present.is_live(now) { Ok(present) } else { Err(SessionError::Ended) }
    }
}

impl Aggregate for Session {
    type Id = SessionId;
    type Command = SessionCommand;
    type Event = SessionEvent;
    type Error = SessionError;

    fn decide(
        &self,
        command: &SessionCommand,
        now: Timestamp,
    ) -> Result<Vec<SessionEvent>, SessionError> {
        match (self, command) {
            (Self::Missing, SessionCommand::Start(start)) => start.decide(now),
            (Self::Missing, _) => Err(SessionError::Missing),
            (Self::Present(present), command) => present.decide(command, now),
        }
    }

    fn evolve(self, event: &SessionEvent) -> Self {
        match (self, event) {
            (_, SessionEvent::Started { .. }) => Present::started(event),
            (Self::Present(present), event) => Self::Present(present.evolve(event)),
            (Self::Missing, _) => Self::Missing,
        }
    }

    fn tenant(&self) -> TenantId {
        TenantId::PLATFORM
    }

    fn subject(&self) -> Option<KeyId> {
        self.present().ok().map(|present| present.person_id.key())
    }
}

impl Start {
    fn decide(&self, now: Timestamp) -> Result<Vec<SessionEvent>, SessionError> {
        let lifetime = self.expires_at.signed_duration_since(now);
        if lifetime <= TimeDelta::zero() || lifetime > MAX_LIFETIME {
            return Err(SessionError::Lifetime);
        }
        Ok(vec![SessionEvent::Started {
            session_id: self.session_id,
            user_id: self.user_id,
            person_id: self.person_id,
            refresh_hash: self.refresh_hash.clone(),
            aal: self.aal,
            amr: self.amr.clone(),
            expires_at: self.expires_at,
            ip: self.ip.clone(),
            user_agent: self.user_agent.clone(),
            at: now,
        }])
    }
}

impl Present {
    /// Whether it still lets anybody in.
    #[must_use]
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.status == SessionStatus::Active && now < self.expires_at
    }

    fn decide(
        &self,
        command: &SessionCommand,
        now: Timestamp,
    ) -> Result<Vec<SessionEvent>, SessionError> {
        use SessionCommand as C;
        use SessionEvent as E;
        use SessionStatus as S;
        match (self.status, command) {
            (_, C::Start(_)) => Err(SessionError::IdRetired),
            (_, C::Refresh { .. }) if !self.is_live(now) => Err(SessionError::Ended),
            (_, C::Refresh { presented_generation, new_refresh_hash }) => {
                self.refresh(*presented_generation, new_refresh_hash, now)
            }
            (S::Active, C::Revoke { reason }) => Ok(vec![E::Revoked { reason: reason.clone() }]),
            (S::Active, C::Expire) if now < self.expires_at => Err(SessionError::NotExpired),
            (S::Active, C::Expire) => Ok(vec![E::Expired {}]),
            (S::Revoked | S::Expired, C::Revoke { .. } | C::Expire) => Ok(Vec::new()),
        }
    }

    fn refresh(
        &self,
        presented: i32,
        new_refresh_hash: &str,
        now: Timestamp,
    ) -> Result<Vec<SessionEvent>, SessionError> {
        use SessionEvent as E;
        let next = self.generation.saturating_add(1);
        if presented < 1 || presented > self.generation {
            return Err(SessionError::TokenInvalid);
        }
        if presented == self.generation {
            let refresh_hash = new_refresh_hash.to_owned();
            return Ok(vec![E::Refreshed { generation: next, refresh_hash, at: now }]);
        }
        let just_replaced = presented.saturating_add(1) == self.generation
            && now.signed_duration_since(self.refreshed_at) <= REFRESH_GRACE;
        if just_replaced {
            return Ok(Vec::new());
        }
        Ok(vec![
            E::ReuseDetected { presented_generation: presented },
            E::Revoked { reason: REUSE.to_owned() },
        ])
    }

    fn started(event: &SessionEvent) -> Session {
        let SessionEvent::Started {
            session_id,
            user_id,
            person_id,
            refresh_hash,
            aal,
            amr,
            expires_at,
            at,
            ..
        } = event
        else {
            return Session::Missing;
        };
        Session::Present(Self {
            id: *session_id,
            user_id: *user_id,
            person_id: *person_id,
            aal: *aal,
            amr: amr.clone(),
            started_at: *at,
            expires_at: *expires_at,
            generation: 1,
            refresh_hash: refresh_hash.clone(),
            status: SessionStatus::Active,
            refreshed_at: *at,
        })
    }

    fn evolve(self, event: &SessionEvent) -> Self {
        use SessionEvent as E;
        use SessionStatus as S;
        match event {
            E::Started { .. } | E::ReuseDetected { .. } => self,
            E::Refreshed { generation, refresh_hash, at } => Self {
                generation: *generation,
                refresh_hash: refresh_hash.clone(),
                refreshed_at: *at,
                ..self
            },
            E::Revoked { .. } => Self { status: S::Revoked, ..self },
            E::Expired {} => Self { status: S::Expired, ..self },
        }
    }
}

#[cfg(test)]
mod tests;
