//! The life of a user: pending until the address is verified, active or locked or disabled by
//! turns, deleted in the end.

use super::{Present, UserError, UserEvent, UserStatus};
use crate::{identity::PersonId, kernel::Timestamp};

impl Present {
    /// Where the user stands now: a lock ends by itself when its time is over.
    #[must_use]
    pub fn status_at(&self, now: Timestamp) -> UserStatus {
        let lock_is_over = self.locked_until.is_some_and(|until| until <= now);
        if lock_is_over { UserStatus::Active } else { self.status }
    }

    /// A disabled user cannot be changed. A locked one can: the lock is on the door alone, so
    /// that the owner of a locked account can reset a password somebody else is guessing.
    pub(super) fn in_use(&self) -> Result<(), UserError> {
        match self.status {
            UserStatus::Pending | UserStatus::Active | UserStatus::Locked => Ok(()),
            UserStatus::Disabled | UserStatus::Deleted => Err(UserError::WrongStatus(self.status)),
        }
    }

    pub(super) fn lock(
        &self,
        until: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Vec<UserEvent>, UserError> {
        match self.status {
            UserStatus::Pending | UserStatus::Disabled | UserStatus::Deleted => {
                Err(UserError::WrongStatus(self.status))
            }
            UserStatus::Active | UserStatus::Locked if until.is_some_and(|end| end <= now) => {
                Err(UserError::LockEnd)
            }
            UserStatus::Locked if self.locked_until == until => Ok(Vec::new()),
            UserStatus::Active | UserStatus::Locked => Ok(vec![UserEvent::Locked { until }]),
        }
    }

    pub(super) fn unlock(&self) -> Result<Vec<UserEvent>, UserError> {
        match self.status {
            UserStatus::Locked => Ok(vec![UserEvent::Unlocked {}]),
            UserStatus::Pending | UserStatus::Active => Ok(Vec::new()),
            UserStatus::Disabled | UserStatus::Deleted => Err(UserError::WrongStatus(self.status)),
        }
    }

    pub(super) fn disable(&self, reason: &str) -> Vec<UserEvent> {
        match self.status {
            UserStatus::Pending | UserStatus::Active | UserStatus::Locked => {
                vec![UserEvent::Disabled { reason: reason.to_owned() }]
            }
            UserStatus::Disabled | UserStatus::Deleted => Vec::new(),
        }
    }

    /// Back to where the address allows; a lock from before is gone, for an operator decides.
    pub(super) fn enable(&self) -> Vec<UserEvent> {
        match self.status {
            UserStatus::Disabled if self.email_verified => {
                vec![UserEvent::Enabled { status: UserStatus::Active }]
            }
            UserStatus::Disabled => vec![UserEvent::Enabled { status: UserStatus::Pending }],
            UserStatus::Pending | UserStatus::Active | UserStatus::Locked | UserStatus::Deleted => {
                Vec::new()
            }
        }
    }

    pub(super) fn delete(&self) -> Vec<UserEvent> {
        vec![UserEvent::Deleted {
            credential_ids: self.credentials.iter().map(|credential| credential.id).collect(),
            token_ids: self.tokens.values().map(|token| token.id).collect(),
            email_digest: self.email_verified.then(|| self.email_digest.clone()),
        }]
    }

    pub(super) fn change_person(&self, person_id: PersonId) -> Vec<UserEvent> {
        if person_id == self.person_id {
            return Vec::new();
        }
        vec![UserEvent::PersonChanged { person_id }]
    }
}
