//! What a refusal is, without any transport: a stable code and a kind.

/// The family of a refusal. Only the HTTP edge turns it into a status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The thing does not exist, or not for this caller.
    Missing,
    /// The thing is in a state that does not allow this.
    Conflict,
    /// The command itself is wrong.
    Invalid,
    /// The caller may not do this.
    Forbidden,
    /// The proof of identity does not hold.
    Unauthenticated,
}

/// A refusal of an aggregate: one enum each, every variant with a code that never changes.
pub trait DomainError: std::error::Error + Send + Sync + 'static {
    /// Stable, kebab-case, documented in `docs/problems.md`.
    fn code(&self) -> &'static str;

    /// The family of this refusal.
    fn kind(&self) -> Kind;

    /// The field at fault, as a JSON pointer into the request body, where there is one.
    fn pointer(&self) -> Option<&'static str> {
        None
    }
}
