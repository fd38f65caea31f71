//! Why a value does not fit its type, read out of serde's words.
//!
//! Serde offers no structure here. Its wording is pinned by the tests of those who use this.

/// What a message of serde says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Misfit<'m> {
    /// A name the type does not have.
    UnknownField(&'m str),
    /// A value the enum does not have.
    UnknownVariant,
    /// A name the type needs.
    MissingField(&'m str),
    /// Any other fault of the value.
    Other,
}

impl<'m> Misfit<'m> {
    /// Sorts a message.
    pub(super) fn of(message: &'m str) -> Self {
        let quoted = |prefix: &str| message.strip_prefix(prefix)?.split('`').next();
        if let Some(name) = quoted("unknown field `") {
            Self::UnknownField(name)
        } else if quoted("unknown variant `").is_some() {
            Self::UnknownVariant
        } else if let Some(name) = quoted("missing field `") {
            Self::MissingField(name)
        } else {
            Self::Other
        }
    }
}
