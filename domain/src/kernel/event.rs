//! What makes a type an event: a category, names for ever, and upcasters.

use std::fmt::Debug;

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

/// Lifts the payload of one event type from a version to the next.
#[derive(Debug, Clone, Copy)]
pub struct Upcaster {
    /// The event's own name, such as `registered`.
    pub event: &'static str,
    /// Pure: payload of version n in, payload of version n + 1 out.
    pub lift: fn(Value) -> Value,
}

/// A persisted fact of one aggregate. Declare it with [`events!`](crate::events).
///
/// The stored type is `CATEGORY.name`; the current version of a type is one plus its upcasters.
/// Names and past payloads are for ever: each version has a fixture under
/// `domain/tests/it/fixtures/events`.
pub trait DomainEvent:
    Serialize + DeserializeOwned + Clone + PartialEq + Debug + Send + Sync + 'static
{
    /// The stream category, `module.aggregate`. Never rename.
    const CATEGORY: &'static str;
    /// Every variant, as written in Rust.
    const VARIANTS: &'static [&'static str];
    /// Oldest first, per event name.
    const UPCASTERS: &'static [Upcaster];
    /// Variants that change nothing a client can edit, such as a sign-in.
    const QUIET: &'static [&'static str];

    /// The variant as written in Rust.
    fn variant(&self) -> &'static str;

    /// Whether this fact changes something a client can edit; only such facts move the `ETag`.
    fn edits(&self) -> bool {
        !Self::QUIET.contains(&self.variant())
    }

    /// The schema version now written for an event name.
    #[must_use]
    fn schema_version(name: &str) -> i16 {
        let lifts = Self::UPCASTERS.iter().filter(|up| up.event == name).count();
        i16::try_from(lifts).unwrap_or(i16::MAX).saturating_add(1)
    }
}

/// `PasswordReset` to `password_reset`: how serde names a variant.
#[must_use]
pub fn snake_case(variant: &str) -> String {
    let mut name = String::with_capacity(variant.len().saturating_add(4));
    for letter in variant.chars() {
        if letter.is_ascii_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(letter.to_ascii_lowercase());
    }
    name
}

/// Declares the events of an aggregate: an enum tagged for storage, and its [`DomainEvent`].
///
/// ```
/// # use domain::kernel::DomainEvent;
/// domain::events! {
///     /// What happens to a lamp.
///     pub enum LampEvent in "home.lamp" {
///         /// It shines.
///         SwitchedOn { watts: u16 },
///     }
/// }
/// assert_eq!(LampEvent::CATEGORY, "home.lamp");
/// ```
///
/// After the category may follow `upcast UPCASTERS =>`, a constant slice of [`Upcaster`]s, and
/// `quiet [Variant, …] =>`, the facts that change nothing a client can edit.
#[macro_export]
macro_rules! events {
    (
        $(#[$meta:meta])*
        pub enum $name:ident in $category:literal
            $(upcast $upcasters:expr =>)? $(quiet [$($quiet:ident),+] =>)?
        {
            $(
                $(#[$vmeta:meta])*
                $variant:ident {
                    $( $(#[$fmeta:meta])* $field:ident : $type:ty ),* $(,)?
                }
            ),+ $(,)?
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(tag = "type", content = "data", rename_all = "snake_case")]
        pub enum $name {
            $(
                $(#[$vmeta])*
                $variant {
                    $(
                        #[doc = concat!("`", stringify!($field), "` of the fact.")]
                        $(#[$fmeta])*
                        $field: $type
                    ),*
                }
            ),+
        }

        impl $crate::kernel::DomainEvent for $name {
            const CATEGORY: &'static str = $category;
            const VARIANTS: &'static [&'static str] = &[$(stringify!($variant)),+];
            const UPCASTERS: &'static [$crate::kernel::Upcaster] =
                $crate::events!(@upcasters $($upcasters)?);
            const QUIET: &'static [&'static str] = &[$($(stringify!($quiet)),+)?];

            fn variant(&self) -> &'static str {
                match self {
                    $( Self::$variant { .. } => stringify!($variant) ),+
                }
            }
        }
    };
    (@upcasters) => { &[] };
    (@upcasters $upcasters:expr) => { $upcasters };
}
