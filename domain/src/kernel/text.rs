//! Text from outside, made safe once: after parsing it is trusted.

use std::{error::Error, fmt};

/// Why a text was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvalidText {
    /// Shorter or longer than allowed.
    Length {
        /// Fewest characters.
        min: usize,
        /// Most characters.
        max: usize,
    },
    /// A control, zero-width or direction character.
    Character,
    /// Not of the required form.
    Form(&'static str),
}

impl fmt::Display for InvalidText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length { min, max } => write!(f, "must have {min} to {max} characters"),
            Self::Character => {
                f.write_str("must not hold control, zero-width or direction characters")
            }
            Self::Form(form) => write!(f, "must be {form}"),
        }
    }
}

impl Error for InvalidText {}

/// An enum with a fixed text for each variant, the same in JSON, SQL and Rust.
pub trait TextEnum: Copy + Sized + 'static {
    /// All variants, in declaration order.
    const ALL: &'static [Self];

    /// The text of this variant.
    fn as_str(self) -> &'static str;

    /// The variant of a text.
    #[must_use]
    fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|variant| variant.as_str() == text)
    }
}

/// Declares a [`TextEnum`] with serde, `Display` and `FromStr` on the same texts.
#[macro_export]
macro_rules! text_enum {
    (
        $(#[$meta:meta])*
        pub enum $name:ident {
            $( $(#[$vmeta:meta])* $variant:ident = $text:literal ),+ $(,)?
        }
    ) => {
        $(#[$meta])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash,
            serde::Serialize, serde::Deserialize,
        )]
        pub enum $name {
            $( $(#[$vmeta])* #[serde(rename = $text)] $variant ),+
        }

        impl $crate::kernel::TextEnum for $name {
            const ALL: &'static [Self] = &[$(Self::$variant),+];

            fn as_str(self) -> &'static str {
                match self {
                    $( Self::$variant => $text ),+
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str($crate::kernel::TextEnum::as_str(*self))
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::kernel::InvalidText;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                <Self as $crate::kernel::TextEnum>::parse(text).ok_or(
                    $crate::kernel::InvalidText::Form(concat!("one of", $(" `", $text, "`"),+)),
                )
            }
        }
    };
}

/// A slug: 3 to 40 of `a-z`, `0-9` and inner hyphens (the seeds' rule for tenants).
///
/// # Errors
/// Anything else.
pub fn slug(text: &str) -> Result<String, InvalidText> {
    let inner = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-';
    let bytes = text.as_bytes();
    if !(3..=40).contains(&bytes.len()) {
        return Err(InvalidText::Length { min: 3, max: 40 });
    }
    let edges = [bytes.first(), bytes.last()];
    if bytes.iter().all(inner) && edges.iter().all(|edge| edge.is_some_and(|b| *b != b'-')) {
        Ok(text.to_owned())
    } else {
        Err(InvalidText::Form("lower-case letters, digits and inner hyphens"))
    }
}

/// An e-mail address, trimmed and lower-cased: one `@`, a dot in the domain, no spaces.
///
/// Delivery proves the rest; RFC 5321 allows far more than any mailbox uses.
///
/// # Errors
/// Anything else, and more than 254 characters (RFC 5321 §4.5.3.1.3).
pub fn email(text: &str) -> Result<String, InvalidText> {
    const FORM: InvalidText = InvalidText::Form("an e-mail address such as ada@example.org");
    let address = text.trim().to_lowercase();
    if address.len() > 254 {
        return Err(InvalidText::Length { min: 3, max: 254 });
    }
    let Some((local, host)) = address.split_once('@') else { return Err(FORM) };
    let host_ok = host.contains('.')
        && host.split('.').all(|label| {
            !label.is_empty()
                && label.len() <= 63
                && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        });
    let local_ok = (1..=64).contains(&local.len())
        && local.chars().all(|c| c.is_ascii_alphanumeric() || "!#$%&'*+/=?^_`{|}~.-".contains(c))
        && !local.starts_with('.')
        && !local.ends_with('.')
        && !local.contains("..");
    if host_ok && local_ok { Ok(address) } else { Err(FORM) }
}

/// An e-mail address that letters can reach. Names under `localdomain` an installation gives to
/// users of its own: nobody else can have them.
///
/// # Errors
/// As [`email`], and for those names.
pub fn mailbox(text: &str) -> Result<String, InvalidText> {
    let address = email(text)?;
    if address.ends_with(".localdomain") {
        return Err(InvalidText::Form("an e-mail address that letters can reach"));
    }
    Ok(address)
}

/// One line of free text, trimmed, of at most `max` characters.
///
/// # Errors
/// Empty or too long text; control, zero-width and direction characters.
pub fn one_line(text: &str, max: usize) -> Result<String, InvalidText> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > max {
        return Err(InvalidText::Length { min: 1, max });
    }
    if text.chars().any(forbidden) { Err(InvalidText::Character) } else { Ok(text.to_owned()) }
}

/// A name shown to people: one line of at most 120 characters.
///
/// # Errors
/// As [`one_line`].
pub fn display_name(text: &str) -> Result<String, InvalidText> {
    one_line(text, 120)
}

/// Characters that hide or reorder text (Unicode TR 36), and controls.
fn forbidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}'
            | '\u{feff}' | '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_follow_the_seeds_pattern() {
        for good in ["abc", "a-b", "0-9", &"a".repeat(40)] {
            assert!(slug(good).is_ok(), "{good}");
        }
        for bad in ["ab", "-abc", "abc-", "Abc", "a_b", "", &"a".repeat(41), "äbc"] {
            assert!(slug(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn addresses_are_lowered_and_checked() {
        assert_eq!(email(" Ada@Example.ORG ").unwrap(), "ada@example.org");
        for bad in
            ["ada", "ada@", "@example.org", "a b@example.org", "a@b", "a@-b.org", "a..b@c.org"]
        {
            assert!(email(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn names_of_the_installation_itself_are_no_mailboxes() {
        assert_eq!(mailbox("Ada@Example.org").unwrap(), "ada@example.org");
        for own in ["admin@commonhold.localdomain", "Admin@Commonhold.LocalDomain"] {
            assert!(email(own).is_ok() && mailbox(own).is_err(), "{own}");
        }
    }

    #[test]
    fn hidden_characters_are_refused() {
        assert_eq!(one_line("a\u{200b}b", 10), Err(InvalidText::Character));
        assert_eq!(one_line("a\nb", 10), Err(InvalidText::Character));
        assert_eq!(one_line("  ", 10), Err(InvalidText::Length { min: 1, max: 10 }));
    }
}
