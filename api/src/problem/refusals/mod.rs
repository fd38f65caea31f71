//! The codes of the aggregates' refusals, so that each has a page.
//!
//! The aggregate decides; these tables only explain, and a test finds a code that is missing.

pub mod identity;
pub mod organization;
pub mod sign_on;

crate::problem_codes! {
    /// Codes that aggregates share.
    SHARED;

    ID_RETIRED = 409 "id-retired" {
        title: "This id was already used",
        cause: "An id is never used twice, also after its thing is gone.",
        fix: "Leave the id to the platform, or read the existing thing.",
    }
}

/// The tables of all modules.
pub const TABLES: &[&[super::ProblemCode]] =
    &[SHARED, identity::IDENTITY, organization::ORGANIZATION, sign_on::SIGN_ON];
