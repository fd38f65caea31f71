//! Bodies and views that several resources of this module share.
//!
//! Owns the reason people give for what they end, and the answer that names a new thing. Refuses
//! lists of any length.

use domain::kernel::one_line;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::{problem::Problem, text::field};

/// Longest reason, and longest note, in characters.
pub(super) const MAX_NOTE: usize = 500;
/// Most roles named at once.
pub(super) const MAX_ROLES: usize = 50;

/// Why something is done, for the record.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ReasonBody {
    /// One line of at most 500 characters.
    #[schema(example = "invoice 2026-118 is overdue")]
    reason: String,
}

impl ReasonBody {
    pub(super) fn parse(&self) -> Result<String, Problem> {
        field("/reason", one_line(&self.reason, MAX_NOTE))
    }
}

/// Why something ends. A parameter, because a DELETE has no body that arrives everywhere.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct ReasonQuery {
    /// One line of at most 500 characters, for the record.
    reason: Option<String>,
}

impl ReasonQuery {
    /// The reason, or what stands for one that was not given.
    pub(super) fn parse(&self, absent: &str) -> Result<String, Problem> {
        match &self.reason {
            Some(reason) => field("?reason", one_line(reason, MAX_NOTE)),
            None => Ok(absent.to_owned()),
        }
    }
}

/// A list of a body, if it is not too long: each element may cost a look into the log.
pub(super) fn bounded<T: Clone>(pointer: &str, items: &[T], max: usize) -> Result<Vec<T>, Problem> {
    if items.len() > max {
        return Err(Problem::invalid_field(pointer, format!("must have at most {max} elements")));
    }
    Ok(items.to_vec())
}

/// What was made.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct IdView {
    /// Its id.
    id: Uuid,
}

impl IdView {
    pub(super) fn of(id: impl Into<Uuid>) -> Self {
        Self { id: id.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_one_line_and_on_a_delete_may_be_left_out() {
        let body = |reason: &str| ReasonBody { reason: reason.to_owned() };
        assert_eq!(body(" late ").parse().unwrap(), "late");
        assert_eq!(body(" ").parse().unwrap_err().body("").errors[0].pointer, "/reason");
        let query = |reason: Option<&str>| ReasonQuery { reason: reason.map(str::to_owned) };
        assert_eq!(query(None).parse("removed").unwrap(), "removed");
        let long = "x".repeat(MAX_NOTE + 1);
        let refused = query(Some(&long)).parse("removed").unwrap_err();
        assert_eq!(refused.body("").errors[0].pointer, "?reason");
    }
}
