//! The invitation: an offer of membership, sent to an e-mail address.
//!
//! Owns the offer from its sending to its one answer. Refuses an answer from anybody but the
//! invited: a verified address must match, and a link, where one is shown, must be the newest.
//! Once it has ended nobody needs the address any more: its key goes with the answer.

use super::{InvitationId, OrganizationId, RoleId, WorkspaceId};
use crate::{
    events,
    identity::UserId,
    kernel::{Aggregate, DomainError, KeyId, Kind, Personal, TenantId, Timestamp},
    text_enum,
};

/// How often one invitation is sent, so that nobody's mailbox can be flooded with it.
pub const MAX_SENDS: i16 = 10;

text_enum! {
    /// Where an invitation stands.
    pub enum InvitationStatus {
        /// Waiting for an answer.
        Pending = "pending",
        /// The invited came in.
        Accepted = "accepted",
        /// The invited said no.
        Declined = "declined",
        /// The organization took it back.
        Revoked = "revoked",
        /// Nobody answered in time.
        Expired = "expired",
    }
}

events! {
    /// Facts of an invitation. Each that ends it names the keys destroyed with it.
    pub enum InvitationEvent in "organization.invitation" {
        /// It was sent for the first time.
        Invited {
            invitation_id: InvitationId,
            organization_id: OrganizationId,
            #[serde(default)]
            workspace_id: Option<WorkspaceId>,
            email: Personal<String>,
            email_digest: String,
            role_ids: Vec<RoleId>,
            token_hash: String,
            invited_by: UserId,
            #[serde(default)]
            message: Option<Personal<String>>,
            expires_at: Timestamp,
            sent_at: Timestamp,
        },
        /// It was sent again with a new link; `count` sends in all.
        Resent { token_hash: String, count: i16, sent_at: Timestamp, expires_at: Timestamp },
        /// The invited came in as this user.
        Accepted { user_id: UserId, resolved_at: Timestamp, key_ids: Vec<KeyId> },
        /// The invited said no.
        Declined { resolved_at: Timestamp, key_ids: Vec<KeyId> },
        /// The organization took it back.
        Revoked { resolved_at: Timestamp, key_ids: Vec<KeyId> },
        /// Nobody answered in time.
        Expired { resolved_at: Timestamp, key_ids: Vec<KeyId> },
    }
}

/// What may be asked of an invitation.
#[derive(Debug, Clone, PartialEq)]
pub enum InvitationCommand {
    /// Send it.
    Invite(Box<Invite>),
    /// Send it again.
    Resend {
        /// SHA-256 of the new link's token.
        token_hash: String,
        /// Which sending the link is made for.
        count: i16,
        /// When the offer now ends.
        expires_at: Timestamp,
    },
    /// Come in.
    Accept {
        /// Who comes in.
        user_id: UserId,
        /// How they show that they are the invited.
        proof: Proof,
    },
    /// Say no.
    Decline {
        /// How they show that they are the invited.
        proof: Proof,
    },
    /// Take it back.
    Revoke,
    /// Note that nobody answered in time.
    Expire,
}

/// The content of [`InvitationCommand::Invite`].
#[derive(Debug, Clone, PartialEq)]
pub struct Invite {
    /// Its id, minted by the caller.
    pub invitation_id: InvitationId,
    /// Who invites.
    pub organization_id: OrganizationId,
    /// The workspace its roles are for; none means the whole organization.
    pub workspace_id: Option<WorkspaceId>,
    /// The address it is sent to.
    pub email: String,
    /// Keyed digest of the address.
    pub email_digest: String,
    /// What the invited may do once in.
    pub role_ids: Vec<RoleId>,
    /// SHA-256 of the link's token.
    pub token_hash: String,
    /// The member who invites.
    pub invited_by: UserId,
    /// A word to the invited.
    pub message: Option<String>,
    /// When the offer ends.
    pub expires_at: Timestamp,
}

/// What the one who answers shows.
#[derive(Debug, Clone, PartialEq)]
pub struct Proof {
    /// Keyed digests of the verified addresses of the user.
    pub email_digests: Vec<String>,
    /// SHA-256 of the token of the link they followed. Those who answer from their list of
    /// invitations followed none: their verified address is enough.
    pub token_hash: Option<String>,
}

/// Why an invitation refuses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvitationError {
    /// It does not exist, or nothing shows that it is for the one who asks.
    #[error("this invitation does not exist")]
    Missing,
    /// The id is taken.
    #[error("this invitation id was already used")]
    IdRetired,
    /// It has had its answer.
    #[error("this invitation is already {0}")]
    Resolved(InvitationStatus),
    /// The offer is over.
    #[error("this invitation has expired")]
    Expired,
    /// The offer still stands.
    #[error("this invitation has not expired yet")]
    NotExpired,
    /// The link is right, the account is not.
    #[error("this invitation is for another e-mail address; sign in with that one")]
    OtherAddress,
    /// A newer link was sent.
    #[error("this link is no longer valid; use the newest one")]
    StaleLink,
    /// An offer ends in the future.
    #[error("an invitation must end after now")]
    ExpiresTooEarly,
    /// The link was made for a sending that somebody else's was.
    #[error("this invitation was sent again meanwhile")]
    SentMeanwhile,
    /// Sent often enough.
    #[error("an invitation is sent at most {MAX_SENDS} times")]
    TooManySends,
}

impl DomainError for InvitationError {
    fn code(&self) -> &'static str {
        match self {
            Self::Missing => "not-found",
            Self::IdRetired => "id-retired",
            Self::Resolved(_) => "invitation-resolved",
            Self::Expired => "invitation-expired",
            Self::NotExpired => "invitation-not-expired",
            Self::OtherAddress => "invitation-other-address",
            Self::StaleLink => "invitation-stale-link",
            Self::ExpiresTooEarly => "invitation-expiry",
            Self::SentMeanwhile => "invitation-sent-meanwhile",
            Self::TooManySends => "invitation-too-many-sends",
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::Missing => Kind::Missing,
            Self::IdRetired
            | Self::Resolved(_)
            | Self::Expired
            | Self::NotExpired
            | Self::SentMeanwhile
            | Self::TooManySends => Kind::Conflict,
            Self::OtherAddress | Self::StaleLink => Kind::Forbidden,
            Self::ExpiresTooEarly => Kind::Invalid,
        }
    }

    fn pointer(&self) -> Option<&'static str> {
        match self {
            Self::ExpiresTooEarly => Some("/expires_at"),
            Self::StaleLink => Some("/token"),
            Self::Missing
            | Self::IdRetired
            | Self::Resolved(_)
            | Self::Expired
            | Self::NotExpired
            | Self::OtherAddress
            | Self::SentMeanwhile
            | Self::TooManySends => None,
        }
    }
}

/// The state of an invitation.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Invitation {
    /// Before the first event.
    #[default]
    Missing,
    /// It was sent.
    Present(Present),
}

/// What an existing invitation remembers.
#[derive(Debug, Clone, PartialEq)]
pub struct Present {
    /// Its id.
    pub id: InvitationId,
    /// Who invites.
    pub organization_id: OrganizationId,
    /// The workspace its roles are for.
    pub workspace_id: Option<WorkspaceId>,
    /// The address it is sent to, while it is pending.
    pub email: Personal<String>,
    /// Keyed digest of the address, which a claim holds while it is pending.
    pub email_digest: String,
    /// What the invited may do once in.
    pub role_ids: Vec<RoleId>,
    /// The member who invites.
    pub invited_by: UserId,
    /// Their word to the invited.
    pub message: Option<Personal<String>>,
    /// Where it stands.
    pub status: InvitationStatus,
    /// When the offer ends.
    pub expires_at: Timestamp,
    /// How often it was sent.
    pub sends: i16,
    token_hash: String,
}

impl Invitation {
    /// The invitation, answered or not.
    ///
    /// # Errors
    /// [`InvitationError::Missing`].
    pub fn present(&self) -> Result<&Present, InvitationError> {
        match self {
            Self::Present(present) => Ok(present),
            Self::Missing => Err(InvitationError::Missing),
        }
    }
}

impl Aggregate for Invitation {
    type Id = InvitationId;
    type Command = InvitationCommand;
    type Event = InvitationEvent;
    type Error = InvitationError;

    fn decide(
        &self,
        command: &InvitationCommand,
        now: Timestamp,
    ) -> Result<Vec<InvitationEvent>, InvitationError> {
        match (self, command) {
            (Self::Missing, InvitationCommand::Invite(invite)) => invite.decide(now),
            (Self::Missing, _) => Err(InvitationError::Missing),
            (Self::Present(present), command) => present.decide(command, now),
        }
    }

    fn evolve(self, event: &InvitationEvent) -> Self {
        match (self, event) {
            (_, InvitationEvent::Invited { .. }) => Present::invited(event),
            (Self::Present(present), event) => Self::Present(present.evolve(event)),
            (Self::Missing, _) => Self::Missing,
        }
    }

    fn tenant(&self) -> TenantId {
        match self {
            Self::Missing => TenantId::PLATFORM,
            Self::Present(present) => present.organization_id.tenant(),
        }
    }

    fn subject(&self) -> Option<KeyId> {
        self.present().ok().map(|present| present.id.key())
    }
}

impl Invite {
    fn decide(&self, now: Timestamp) -> Result<Vec<InvitationEvent>, InvitationError> {
        if self.expires_at <= now {
            return Err(InvitationError::ExpiresTooEarly);
        }
        Ok(vec![InvitationEvent::Invited {
            invitation_id: self.invitation_id,
            organization_id: self.organization_id,
            workspace_id: self.workspace_id,
            email: self.email.clone().into(),
            email_digest: self.email_digest.clone(),
            role_ids: self.role_ids.clone(),
            token_hash: self.token_hash.clone(),
            invited_by: self.invited_by,
            message: self.message.clone().map(Personal::from),
            expires_at: self.expires_at,
            sent_at: now,
        }])
    }
}

impl Present {
    fn decide(
        &self,
        command: &InvitationCommand,
        now: Timestamp,
    ) -> Result<Vec<InvitationEvent>, InvitationError> {
        use InvitationCommand as C;
        use InvitationEvent as E;
        use InvitationStatus as S;
        if let C::Accept { proof, .. } | C::Decline { proof } = command {
            self.check(proof)?;
        }
        let (resolved_at, key_ids) = (now, vec![self.id.key()]);
        let event = match (self.status, command) {
            (_, C::Invite(_)) => return Err(InvitationError::IdRetired),
            (S::Pending, C::Accept { .. } | C::Decline { .. }) if now >= self.expires_at => {
                return Err(InvitationError::Expired);
            }
            (S::Pending, C::Resend { token_hash, count, expires_at }) => {
                self.resent(token_hash, *count, *expires_at, now)?
            }
            (S::Pending, &C::Accept { user_id, .. }) => {
                E::Accepted { user_id, resolved_at, key_ids }
            }
            (S::Pending, C::Decline { .. }) => E::Declined { resolved_at, key_ids },
            (S::Pending, C::Revoke) => E::Revoked { resolved_at, key_ids },
            (S::Pending, C::Expire) if now < self.expires_at => {
                return Err(InvitationError::NotExpired);
            }
            (S::Pending, C::Expire) => E::Expired { resolved_at, key_ids },
            // The timer comes late by nature; an answer before it is no fault.
            (_, C::Expire) | (S::Declined, C::Decline { .. }) | (S::Revoked, C::Revoke) => {
                return Ok(Vec::new());
            }
            (status, C::Resend { .. } | C::Accept { .. } | C::Decline { .. } | C::Revoke) => {
                return Err(InvitationError::Resolved(status));
            }
        };
        Ok(vec![event])
    }

    /// Who holds neither the address nor the link learns nothing, not even that there is one.
    fn check(&self, proof: &Proof) -> Result<(), InvitationError> {
        let address = proof.email_digests.contains(&self.email_digest);
        let link = proof.token_hash.as_ref().map(|hash| *hash == self.token_hash);
        match (address, link) {
            (true, None | Some(true)) => Ok(()),
            (true, Some(false)) => Err(InvitationError::StaleLink),
            (false, Some(true)) => Err(InvitationError::OtherAddress),
            (false, None | Some(false)) => Err(InvitationError::Missing),
        }
    }

    /// Each sending has a link of its own, made of its number before it is decided here.
    fn resent(
        &self,
        token_hash: &str,
        count: i16,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Result<InvitationEvent, InvitationError> {
        if expires_at <= now {
            return Err(InvitationError::ExpiresTooEarly);
        }
        if self.sends >= MAX_SENDS {
            return Err(InvitationError::TooManySends);
        }
        if count != self.sends.saturating_add(1) {
            return Err(InvitationError::SentMeanwhile);
        }
        Ok(InvitationEvent::Resent {
            token_hash: token_hash.to_owned(),
            count,
            sent_at: now,
            expires_at,
        })
    }

    fn invited(event: &InvitationEvent) -> Invitation {
        let InvitationEvent::Invited {
            invitation_id,
            organization_id,
            workspace_id,
            email,
            email_digest,
            role_ids,
            token_hash,
            invited_by,
            message,
            expires_at,
            ..
        } = event
        else {
            return Invitation::Missing;
        };
        Invitation::Present(Self {
            id: *invitation_id,
            organization_id: *organization_id,
            workspace_id: *workspace_id,
            email: email.clone(),
            email_digest: email_digest.clone(),
            role_ids: role_ids.clone(),
            invited_by: *invited_by,
            message: message.clone(),
            status: InvitationStatus::Pending,
            expires_at: *expires_at,
            token_hash: token_hash.clone(),
            sends: 1,
        })
    }

    fn evolve(self, event: &InvitationEvent) -> Self {
        use InvitationEvent as E;
        use InvitationStatus as S;
        match event {
            E::Invited { .. } => self,
            E::Resent { token_hash, count, expires_at, .. } => Self {
                token_hash: token_hash.clone(),
                sends: *count,
                expires_at: *expires_at,
                ..self
            },
            E::Accepted { .. } => self.ended(S::Accepted),
            E::Declined { .. } => self.ended(S::Declined),
            E::Revoked { .. } => self.ended(S::Revoked),
            E::Expired { .. } => self.ended(S::Expired),
        }
    }

    /// Forgets what was sealed too, so that a state kept in memory knows no more than the log.
    fn ended(self, status: InvitationStatus) -> Self {
        let message = self.message.map(|_| Personal::Erased);
        Self { status, email: Personal::Erased, message, ..self }
    }
}

#[cfg(test)]
mod tests;
