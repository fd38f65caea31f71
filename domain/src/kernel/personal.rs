//! Personal data inside events: readable until its subject is erased.
//!
//! In clear JSON an open value is `{"~": value}`. The event store seals what stands behind
//! the marker under the subject's key before it is written, and opens it when it is read; once
//! the key is destroyed the value reads as `{"~": null}`, which is [`Personal::Erased`].

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, ser::SerializeMap};

/// The key that marks a personal value in JSON.
pub const MARKER: &str = "~";

/// A value that can be forgotten. It never shows in debug output.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Personal<T> {
    /// Still readable.
    Open(T),
    /// The subject's key is gone, and the value with it.
    Erased,
}

impl<T> Personal<T> {
    /// The value, unless it was erased.
    pub const fn open(&self) -> Option<&T> {
        match self {
            Self::Open(value) => Some(value),
            Self::Erased => None,
        }
    }
}

impl Personal<String> {
    /// The text, unless it was erased.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        self.open().map(String::as_str)
    }
}

impl<T> From<T> for Personal<T> {
    fn from(value: T) -> Self {
        Self::Open(value)
    }
}

impl<T> fmt::Debug for Personal<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open(_) => "<personal>",
            Self::Erased => "<erased>",
        })
    }
}

impl<T: Serialize> Serialize for Personal<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        match self {
            Self::Open(value) => map.serialize_entry(MARKER, value)?,
            Self::Erased => map.serialize_entry(MARKER, &())?,
        }
        map.end()
    }
}

#[derive(Deserialize)]
struct Marked<T> {
    #[serde(rename = "~")]
    value: Option<T>,
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Personal<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let marked = Option::<Marked<T>>::deserialize(deserializer)?;
        Ok(marked.and_then(|m| m.value).map_or(Self::Erased, Self::Open))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_value_survives_and_an_erased_one_stays_erased() {
        let open: Personal<String> = "Ada".to_owned().into();
        let json = serde_json::to_string(&open).unwrap();
        assert_eq!(json, r#"{"~":"Ada"}"#);
        assert_eq!(serde_json::from_str::<Personal<String>>(&json).unwrap(), open);
        let erased = serde_json::from_str::<Personal<String>>(r#"{"~":null}"#).unwrap();
        assert_eq!(erased, Personal::Erased);
        assert_eq!(serde_json::to_string(&erased).unwrap(), r#"{"~":null}"#);
    }

    #[test]
    fn debug_output_never_shows_the_value() {
        assert_eq!(format!("{:?}", Personal::Open("Ada")), "<personal>");
    }
}
