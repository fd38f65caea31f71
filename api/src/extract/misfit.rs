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
    /// Any other fault of the value, in words that say what is expected.
    Other(&'m str),
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
            Self::Other(plain(message))
        }
    }
}

/// What a value should be, where the library that reads it only tells what it stumbled over.
fn plain(message: &str) -> &str {
    match message {
        "invalid digit found in string" | "cannot parse integer from empty string" => {
            "must be a whole number, 0 or more"
        }
        "number too large to fit in target type" => "is too large a number",
        "provided string was not `true` or `false`" => "must be `true` or `false`",
        "premature end of input"
        | "trailing input"
        | "input contains invalid characters"
        | "input is out of range" => {
            "must be an instant with a zone, such as `2026-11-22T00:00:00Z` (RFC 3339)"
        }
        uuid if uuid.starts_with("UUID parsing failed") => "must be an id (a UUID)",
        other => other,
    }
}
