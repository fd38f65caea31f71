//! Why a command did not happen.

use domain::kernel::{DomainError, Version};
use eventstore::{LoadError, Unavailable};

use crate::caller::Denied;

/// Why a use case stops half-way; nothing is recorded then.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// An aggregate or a rule across aggregates says no.
    #[error("{0}")]
    Rule(Box<dyn DomainError>),
    /// The caller may not.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The client's copy is out of date.
    #[error("this was changed in the meantime")]
    Stale {
        /// The version now.
        current: Version,
    },
    /// The log cannot be read.
    #[error(transparent)]
    Load(LoadError),
    /// Too much work is waiting already, such as password hashing.
    #[error("too much is waiting already")]
    Overloaded,
}

impl<E: DomainError> From<E> for Refusal {
    fn from(error: E) -> Self {
        Self::Rule(Box::new(error))
    }
}

/// Why a command did not happen.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The use case stopped.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Somebody else holds a unique value.
    #[error("{scope} is taken")]
    Taken {
        /// The scope of the value, such as `organization.slug`.
        scope: String,
    },
    /// The command id was used for another request.
    #[error("this idempotency key was already used for another request")]
    Reused,
    /// The person or organization behind it was erased.
    #[error("the person or organization behind this was erased")]
    SubjectErased,
    /// Others kept changing the same thing.
    #[error("others keep changing the same thing; try again")]
    Contended,
    /// Too many commands are waiting.
    #[error("too many commands are waiting; try again later")]
    Overloaded,
    /// The log cannot be reached; a repetition with the same command id finds out.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// The platform broke a rule of its own.
    #[error("{0}")]
    Broken(&'static str),
}

impl From<Denied> for CommandError {
    fn from(denied: Denied) -> Self {
        Self::Refused(denied.into())
    }
}
