//! Between an aggregate's events and the JSON the log keeps.
//!
//! Type and payload live in columns of their own, so serde's adjacent tagging is split on the
//! way in and joined on the way out; old payloads are lifted by upcasters.

use std::borrow::Cow;

use domain::kernel::{DomainEvent, Recorded};
use serde_json::Value;

use crate::event::Opened;

/// Why an event cannot be understood by this version of the software.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Undecodable {
    /// Written by a newer version.
    #[error("{name} has schema version {found}, this binary knows up to {known}")]
    Future {
        /// The event's name.
        name: String,
        /// The version it was written with.
        found: i16,
        /// The newest version known.
        known: i16,
    },
    /// The payload is not what its version says.
    #[error("{name}: {cause}")]
    Payload {
        /// The event's name.
        name: String,
        /// What serde says.
        cause: String,
    },
}

const HEAD: &str = r#"{"type":""#;
const BETWEEN: &str = r#"","data":"#;

/// The name and the payload of an event.
#[must_use]
pub fn encode<E: DomainEvent>(event: &E) -> (String, String) {
    let tagged = serde_json::to_string(event).unwrap_or_default();
    let split = tagged
        .strip_prefix(HEAD)
        .and_then(|rest| rest.split_once(BETWEEN))
        .and_then(|(name, data)| Some((name, data.strip_suffix('}')?)));
    // The macro `events!` makes every event adjacently tagged; anything else cannot be built.
    let (name, payload) = split.unwrap_or_default();
    (name.to_owned(), payload.to_owned())
}

/// The event of an opened payload, lifted to the current version.
///
/// # Errors
/// If it was written by a newer binary, or is not what its version says.
pub fn decode<E: DomainEvent>(opened: &Opened) -> Result<Recorded<E>, Undecodable> {
    let name = &*opened.envelope.name;
    let found = opened.envelope.schema_version;
    let payload = lift::<E>(name, found, &opened.payload)?;
    let mut tagged = String::with_capacity(payload.len().saturating_add(64));
    for part in [HEAD, name, BETWEEN, &payload, "}"] {
        tagged.push_str(part);
    }
    let event = serde_json::from_str(&tagged)
        .map_err(|e| Undecodable::Payload { name: name.to_owned(), cause: e.to_string() })?;
    Ok(Recorded { envelope: opened.envelope.clone(), event })
}

fn lift<'p, E: DomainEvent>(
    name: &str,
    found: i16,
    payload: &'p str,
) -> Result<Cow<'p, str>, Undecodable> {
    let known = E::schema_version(name);
    if found > known || found < 1 {
        return Err(Undecodable::Future { name: name.to_owned(), found, known });
    }
    if found == known {
        return Ok(Cow::Borrowed(payload));
    }
    let mut value: Value = serde_json::from_str(payload)
        .map_err(|e| Undecodable::Payload { name: name.to_owned(), cause: e.to_string() })?;
    let done = usize::try_from(found.saturating_sub(1)).unwrap_or_default();
    for upcaster in E::UPCASTERS.iter().filter(|up| up.event == name).skip(done) {
        value = (upcaster.lift)(value);
    }
    Ok(Cow::Owned(value.to_string()))
}
