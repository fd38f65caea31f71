//! Every problem code there is: what it means and what to do about it.
//!
//! Owns the union of the tables and its documentation. A code that is missing here has no page,
//! and a test of the documents fails.

use std::fmt::Write;

use http::StatusCode;

/// One code of the catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProblemCode {
    /// Stable, kebab-case.
    pub code: &'static str,
    /// The HTTP status it comes with.
    pub status: u16,
    /// The code in words.
    pub title: &'static str,
    /// Why it happens.
    pub cause: &'static str,
    /// What the reader can do.
    pub fix: &'static str,
}

impl ProblemCode {
    /// The status; a number that is none counts as a failure of ours.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

/// Every code, the edge's first. A module that adds codes adds its table here.
pub fn all() -> impl Iterator<Item = &'static ProblemCode> {
    super::EDGE.iter().chain(super::refusals::TABLES.iter().copied().flatten())
}

/// The entry of a code.
#[must_use]
pub fn find(code: &str) -> Option<&'static ProblemCode> {
    all().find(|entry| entry.code == code)
}

/// The text of `docs/problems.md`.
#[must_use]
pub fn markdown() -> String {
    let mut text = String::from(
        "# Problem codes\n\n\
         Every refusal is `application/problem+json` (RFC 9457): `type`, `title`, `status`, `code`,\n\
         `detail`, `fix`, `trace_id`, and `errors` with a `pointer`, `code` and `detail` for the\n\
         fields at fault, of which later ones may show only once the first are right. A `pointer`\n\
         is a JSON pointer into the body, or `?name` for a query parameter.\n\
         Branch on `code`: it never changes. `GET /problems/{code}` serves the same entries.\n\n\
         This file is written by `platformctl docs generate`.\n",
    );
    for entry in all() {
        let ProblemCode { code, status, title, cause, fix } = entry;
        let _ = write!(
            text,
            "\n## {code}\n\n{title} (status {status}).\n\n- **Cause:** {cause}\n- **Fix:** {fix}\n"
        );
    }
    text
}
