//! Why a user refuses.

use super::UserStatus;
use crate::kernel::{DomainError, Kind};

/// Why a user refuses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UserError {
    /// Not known, or gone.
    #[error("this user does not exist")]
    Missing,
    /// The id is taken, or was once.
    #[error("this id was already used")]
    IdRetired,
    /// Not in this status.
    #[error("not possible while the user is {0}")]
    WrongStatus(UserStatus),
    /// Unknown, wrong, used, superseded, expired or tried too often: whoever guesses learns
    /// nothing.
    #[error("this token is not valid; ask for a new one")]
    TokenInvalid,
    /// A token must be usable.
    #[error("a token must expire after now")]
    TokenExpiry,
    /// What was checked is no longer a credential of the user.
    #[error("the proof of identity does not hold")]
    ProofInvalid,
    /// The password alone is not enough.
    #[error("a code of the authenticator app is needed as well")]
    SecondFactorRequired,
    /// A code works once (RFC 6238 §5.2).
    #[error("this code was already used; wait for the next one")]
    CodeUsed,
    /// Not a credential of the user.
    #[error("this user has no such credential")]
    CredentialMissing,
    /// Nobody could sign in any more.
    #[error("the only way to sign in cannot be taken away; add another one first")]
    LastCredential,
    /// One app at a time.
    #[error("an authenticator app is enrolled already; revoke it first")]
    TotpEnrolled,
    /// Whoever found an open screen does not know it.
    #[error("one's own credential is taken away with one's password")]
    PasswordRequired,
    /// A lock ends in the future.
    #[error("a lock must end after now")]
    LockEnd,
}

impl DomainError for UserError {
    fn code(&self) -> &'static str {
        match self {
            Self::Missing => "not-found",
            Self::IdRetired => "id-retired",
            Self::WrongStatus(_) => "user-wrong-status",
            Self::TokenInvalid => "user-token-invalid",
            Self::TokenExpiry => "user-token-expiry",
            Self::ProofInvalid => "user-proof-invalid",
            Self::SecondFactorRequired => "user-second-factor-required",
            Self::CodeUsed => "user-code-used",
            Self::CredentialMissing => "user-credential-missing",
            Self::LastCredential => "user-last-credential",
            Self::TotpEnrolled => "user-totp-enrolled",
            Self::PasswordRequired => "user-password-required",
            Self::LockEnd => "user-lock-end",
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::Missing | Self::CredentialMissing => Kind::Missing,
            Self::IdRetired | Self::WrongStatus(_) | Self::LastCredential | Self::TotpEnrolled => {
                Kind::Conflict
            }
            Self::TokenInvalid | Self::TokenExpiry | Self::LockEnd => Kind::Invalid,
            Self::PasswordRequired => Kind::Forbidden,
            Self::ProofInvalid | Self::SecondFactorRequired | Self::CodeUsed => {
                Kind::Unauthenticated
            }
        }
    }

    fn pointer(&self) -> Option<&'static str> {
        match self {
            Self::TokenInvalid => Some("/token"),
            Self::LockEnd => Some("/until"),
            Self::Missing
            | Self::IdRetired
            | Self::WrongStatus(_)
            | Self::TokenExpiry
            | Self::ProofInvalid
            | Self::SecondFactorRequired
            | Self::CodeUsed
            | Self::CredentialMissing
            | Self::LastCredential
            | Self::TotpEnrolled
            | Self::PasswordRequired => None,
        }
    }
}
