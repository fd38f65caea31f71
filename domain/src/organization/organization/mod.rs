//! The organization: the top container of people, workspaces and resources; a tenant.
//!
//! Owns its life from demo or trial to purge, its owners, its contract and its settings. Refuses
//! to judge who may ask: that is the use case's first line.

mod command;
mod error;
mod event;
mod present;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use chrono::{Days, NaiveDate};
use serde_json::{Map, Value};

use super::OrganizationId;
use crate::{
    identity::UserId,
    kernel::{Aggregate, KeyId, TenantId, Timestamp},
};

pub use self::{
    command::{Create, OrganizationCommand},
    error::OrganizationError,
    event::{OrganizationEvent, OrganizationKind, OrganizationStatus, OrganizationType},
};

/// How long an archived organization can still be restored.
pub const PURGE_AFTER: Days = Days::new(90);

/// Why an organization is frozen whose trial ran out.
pub const TRIAL_OVER: &str = "the trial is over";

/// The organization that runs the platform itself. It can be neither frozen nor archived.
pub const PLATFORM: OrganizationId =
    OrganizationId::from_uuid(uuid::uuid!("01900000-0000-7000-8000-000000000001"));

/// The state of an organization.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Organization {
    /// Before the first event.
    #[default]
    Missing,
    /// It exists.
    Present(Present),
    /// It was purged; the id is never used again.
    Purged(OrganizationId),
}

/// What an existing organization remembers.
#[derive(Debug, Clone, PartialEq)]
pub struct Present {
    /// Its id.
    pub id: OrganizationId,
    /// Its slug.
    pub slug: String,
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub status: OrganizationStatus,
    /// Who owns it, in order of addition.
    pub owners: Vec<UserId>,
    /// When its trial ends or ended, if it ever had one.
    pub trial_ends_at: Option<Timestamp>,
    halt: Option<Box<Halt>>,
    contract: (Option<NaiveDate>, Option<NaiveDate>, Option<UserId>),
    plan_label: Option<String>,
    external_refs: BTreeMap<String, String>,
    settings: Map<String, Value>,
}

/// How an organization came to be frozen, closed, or both.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Halt {
    frozen_because: Option<String>,
    archive: Option<Archive>,
}

/// How an organization came to be closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Archive {
    /// Where it stood before.
    before: OrganizationStatus,
    by_operator: bool,
    purge_after: Timestamp,
}

impl Present {
    /// Whether those closed it who run the platform: then only they open it again.
    #[must_use]
    pub fn is_archived_by_operator(&self) -> bool {
        self.archive().is_some_and(|archive| archive.by_operator)
    }

    fn archive(&self) -> Option<Archive> {
        self.halt.as_ref().and_then(|halt| halt.archive)
    }
}

impl Organization {
    /// The organization, if it can be worked with.
    ///
    /// # Errors
    /// [`OrganizationError::Missing`], also once it was purged.
    pub fn present(&self) -> Result<&Present, OrganizationError> {
        match self {
            Self::Present(present) => Ok(present),
            Self::Missing | Self::Purged(_) => Err(OrganizationError::Missing),
        }
    }

    /// The organization, if things inside it may change.
    ///
    /// # Errors
    /// [`OrganizationError::Missing`] or, while frozen or archived,
    /// [`OrganizationError::WrongStatus`].
    pub fn open(&self) -> Result<&Present, OrganizationError> {
        use OrganizationStatus as S;
        let present = self.present()?;
        match present.status {
            S::Demo | S::Trial | S::Active => Ok(present),
            S::Frozen | S::Archived => Err(OrganizationError::WrongStatus(present.status)),
        }
    }
}

impl Aggregate for Organization {
    type Id = OrganizationId;
    type Command = OrganizationCommand;
    type Event = OrganizationEvent;
    type Error = OrganizationError;

    fn decide(
        &self,
        command: &OrganizationCommand,
        now: Timestamp,
    ) -> Result<Vec<OrganizationEvent>, OrganizationError> {
        match (self, command) {
            (Self::Missing, OrganizationCommand::Create(create)) => create.decide(now),
            (_, OrganizationCommand::Create(_)) => Err(OrganizationError::IdRetired),
            (Self::Present(present), command) => present.decide(command, now),
            (Self::Missing | Self::Purged(_), _) => Err(OrganizationError::Missing),
        }
    }

    fn evolve(self, event: &OrganizationEvent) -> Self {
        match (self, event) {
            (_, OrganizationEvent::Created { .. }) => Present::created(event),
            (Self::Present(present), OrganizationEvent::Purged { .. }) => Self::Purged(present.id),
            (Self::Present(present), event) => Self::Present(present.evolve(event)),
            (state @ (Self::Missing | Self::Purged(_)), _) => state,
        }
    }

    fn tenant(&self) -> TenantId {
        match self {
            Self::Missing => TenantId::PLATFORM,
            Self::Present(Present { id, .. }) | Self::Purged(id) => id.tenant(),
        }
    }

    fn subject(&self) -> Option<KeyId> {
        self.present().ok().map(|present| present.id.key())
    }
}
