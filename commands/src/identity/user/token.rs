//! Showing a token that was sent out of band.

use domain::identity::{
    TokenId,
    user::{User, UserCommand, UserError},
};
use serde::{Deserialize, Serialize};

use crate::{Handle, Refusal, Unit};

/// What came of showing a token. A wrong one is recorded, so it is an answer here and becomes a
/// refusal only once that is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenShown {
    /// It counted.
    Accepted,
    /// It did not.
    Refused,
}

impl TokenShown {
    /// Whether it counted.
    ///
    /// # Errors
    /// [`UserError::TokenInvalid`] if not.
    pub const fn accepted(self) -> Result<(), UserError> {
        match self {
            Self::Accepted => Ok(()),
            Self::Refused => Err(UserError::TokenInvalid),
        }
    }
}

/// Asks a user for something a token allows. A token that does not count is counted.
pub(super) fn show(
    unit: &mut Unit<'_>,
    user: Handle<User>,
    token_id: TokenId,
    command: &UserCommand,
) -> Result<TokenShown, Refusal> {
    match unit.judge(user, command) {
        Ok(()) => Ok(TokenShown::Accepted),
        Err(UserError::TokenInvalid | UserError::Missing) => count(unit, user, token_id),
        Err(other) => Err(other.into()),
    }
}

/// Counts a token that does not count.
pub(super) fn count(
    unit: &mut Unit<'_>,
    user: Handle<User>,
    token_id: TokenId,
) -> Result<TokenShown, Refusal> {
    match unit.judge(user, &UserCommand::AttemptToken { token_id }) {
        Ok(()) => Ok(TokenShown::Refused),
        // A token that names a user who never was, or is gone, is no more than a wrong one.
        Err(UserError::Missing) => Err(UserError::TokenInvalid.into()),
        Err(other) => Err(other.into()),
    }
}

/// Sends a token, unless the user is out of use: the one who asks learns neither.
pub(super) fn send(
    unit: &mut Unit<'_>,
    user: Handle<User>,
    command: &UserCommand,
) -> Result<(), Refusal> {
    match unit.judge(user, command) {
        Ok(()) | Err(UserError::Missing | UserError::WrongStatus(_)) => Ok(()),
        Err(other) => Err(other.into()),
    }
}
