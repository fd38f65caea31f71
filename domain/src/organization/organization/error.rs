//! Why an organization refuses.

use super::OrganizationStatus;
use crate::kernel::{DomainError, Kind, Timestamp};

/// Why an organization refuses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OrganizationError {
    /// It does not exist.
    #[error("this organization does not exist")]
    Missing,
    /// The id is taken, or was once.
    #[error("this organization id was already used")]
    IdRetired,
    /// Not from this status.
    #[error("not possible while the organization is {0}")]
    WrongStatus(OrganizationStatus),
    /// The platform's own organization stays.
    #[error("the platform's own organization can be neither frozen, archived nor purged")]
    Platform,
    /// Somebody must own it.
    #[error("an organization keeps at least one owner; add another owner first")]
    LastOwner,
    /// Time runs forward.
    #[error("the end must lie after now and after the present end")]
    EndsTooEarly,
    /// A contract ends after it starts.
    #[error("a contract cannot end before it starts")]
    ContractReversed,
    /// Too early to purge.
    #[error("an archived organization can be purged from {0} on")]
    PurgeTooEarly(Timestamp),
    /// Too late to restore.
    #[error("the time to restore this organization is over")]
    RestoreTooLate,
    /// Too many settings.
    #[error("an organization has at most 200 settings")]
    TooManySettings,
}

impl DomainError for OrganizationError {
    fn code(&self) -> &'static str {
        match self {
            Self::Missing => "not-found",
            Self::IdRetired => "id-retired",
            Self::WrongStatus(_) => "organization-wrong-status",
            Self::Platform => "organization-is-platform",
            Self::LastOwner => "organization-last-owner",
            Self::EndsTooEarly => "organization-trial-end",
            Self::ContractReversed => "organization-contract-dates",
            Self::PurgeTooEarly(_) => "organization-purge-too-early",
            Self::RestoreTooLate => "organization-restore-too-late",
            Self::TooManySettings => "organization-too-many-settings",
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::Missing => Kind::Missing,
            Self::IdRetired
            | Self::WrongStatus(_)
            | Self::Platform
            | Self::LastOwner
            | Self::PurgeTooEarly(_)
            | Self::RestoreTooLate => Kind::Conflict,
            Self::EndsTooEarly | Self::ContractReversed | Self::TooManySettings => Kind::Invalid,
        }
    }
}
