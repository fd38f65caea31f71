//! Instants: UTC, in microseconds, which is what PostgreSQL keeps.

use chrono::{DateTime, SubsecRound, Utc};

/// An instant in UTC.
pub type Timestamp = DateTime<Utc>;

/// Cuts an instant to microseconds, so that what is written equals what is read back.
#[must_use]
pub fn micros(at: Timestamp) -> Timestamp {
    at.trunc_subsecs(6)
}
