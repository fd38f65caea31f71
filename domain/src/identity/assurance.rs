//! How sure a sign-in makes us of who it was.

use serde::{Deserialize, Serialize};

/// Authenticator assurance level, after NIST SP 800-63B: how many factors were shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "i16", try_from = "i16")]
pub enum Aal {
    /// One factor.
    One,
    /// Two different factors.
    Two,
}

/// Neither one nor two factors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an assurance level is 1 or 2")]
pub struct UnknownAal;

impl From<Aal> for i16 {
    fn from(aal: Aal) -> Self {
        match aal {
            Aal::One => 1,
            Aal::Two => 2,
        }
    }
}

impl TryFrom<i16> for Aal {
    type Error = UnknownAal;

    fn try_from(level: i16) -> Result<Self, UnknownAal> {
        match level {
            1 => Ok(Self::One),
            2 => Ok(Self::Two),
            _ => Err(UnknownAal),
        }
    }
}
