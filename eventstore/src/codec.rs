//! Between an aggregate's events and the JSON the log keeps.
//!
//! Type and payload live in columns of their own, so serde's adjacent tagging is split on the
//! way in and shown again on the way out; old payloads are lifted by upcasters.

use std::borrow::Cow;

use domain::kernel::{DomainEvent, Recorded};
use serde::de::{
    DeserializeSeed, IntoDeserializer, MapAccess,
    value::{MapAccessDeserializer, StrDeserializer},
};
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
    #[error("{name} of schema version {found}: {cause}")]
    Payload {
        /// The event's name.
        name: String,
        /// The version it was written with.
        found: i16,
        /// What is wrong, without any value of the payload: those may be personal.
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
    let envelope = &opened.envelope;
    let event = event(&envelope.name, envelope.schema_version, &opened.payload)?;
    Ok(Recorded { envelope: envelope.clone(), event })
}

/// The event of a name, the version it was written with, and an opened payload.
pub(crate) fn event<E: DomainEvent>(
    name: &str,
    found: i16,
    payload: &str,
) -> Result<E, Undecodable> {
    let payload = lift::<E>(name, found, payload)?;
    let tagged = Tagged { name: Some(name), payload: Some(&payload) };
    E::deserialize(MapAccessDeserializer::new(tagged)).map_err(|e| damaged(name, found, &e))
}

/// A name and a payload as the map that serde's adjacent tagging reads, without being joined
/// first. The tag comes first, so that nothing has to be set aside.
struct Tagged<'p> {
    name: Option<&'p str>,
    payload: Option<&'p str>,
}

impl<'p> MapAccess<'p> for Tagged<'p> {
    type Error = serde_json::Error;

    fn next_key_seed<K: DeserializeSeed<'p>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Self::Error> {
        let key = match (self.name, self.payload) {
            (Some(_), _) => "type",
            (None, Some(_)) => "data",
            (None, None) => return Ok(None),
        };
        let key: StrDeserializer<'_, Self::Error> = key.into_deserializer();
        seed.deserialize(key).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'p>>(
        &mut self,
        seed: V,
    ) -> Result<V::Value, Self::Error> {
        if let Some(name) = self.name.take() {
            let name: StrDeserializer<'_, Self::Error> = name.into_deserializer();
            return seed.deserialize(name);
        }
        let mut json = serde_json::Deserializer::from_str(self.payload.take().unwrap_or_default());
        let value = seed.deserialize(&mut json)?;
        json.end()?;
        Ok(value)
    }
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
    let mut value: Value = serde_json::from_str(payload).map_err(|e| damaged(name, found, &e))?;
    let done = usize::try_from(found.saturating_sub(1)).unwrap_or_default();
    for upcaster in E::UPCASTERS.iter().filter(|up| up.event == name).skip(done) {
        value = (upcaster.lift)(value);
    }
    Ok(Cow::Owned(value.to_string()))
}

fn damaged(name: &str, found: i16, error: &serde_json::Error) -> Undecodable {
    Undecodable::Payload { name: name.to_owned(), found, cause: told(&error.to_string()) }
}

/// What serde may say of a payload. Its own words quote what they object to, which may be
/// personal, so only their kind is kept, and the name of a field that our own type asks for.
fn told(error: &str) -> String {
    const KINDS: [&str; 6] = [
        "invalid type",
        "invalid value",
        "invalid length",
        "unknown variant",
        "unknown field",
        "missing field",
    ];
    let Some(kind) = KINDS.iter().find(|kind| error.starts_with(**kind)) else {
        return "not what the event is made of".to_owned();
    };
    let field = error.strip_prefix("missing field `").and_then(|rest| rest.split_once('`'));
    field.map_or_else(|| (*kind).to_owned(), |(field, _)| format!("{kind} {field}"))
}

#[cfg(test)]
mod tests {
    use super::told;

    #[test]
    fn a_damaged_payload_is_described_without_its_values() {
        let said = [
            ("invalid type: string \"ada@example.org\", expected i32 at line 1", "invalid type"),
            ("unknown variant `ada@example.org`, expected `active`", "unknown variant"),
            ("unknown field `ada@example.org`, expected `name`", "unknown field"),
            ("missing field `email_digest` at line 1 column 9", "missing field email_digest"),
            ("ada@example.org is no address at line 1", "not what the event is made of"),
        ];
        for (error, expected) in said {
            assert_eq!(told(error), expected);
        }
    }
}
