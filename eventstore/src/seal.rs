//! Sealing personal values inside a payload, and opening them again.
//!
//! AES-256-GCM (NIST SP 800-38D) under the subject's key, a fresh 96-bit nonce each, bound to the
//! event's id and the value's ordinal so that a sealed value cannot be moved elsewhere.

use std::convert::Infallible;

use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD as BASE64};
use ring::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    rand::{SecureRandom, SystemRandom},
};
use serde_json::value::RawValue;
use uuid::Uuid;

/// How a personal value begins, as serde writes it.
const MARKED: &str = r#"{"~":"#;
/// What stands there once it is erased.
const NOTHING: &str = "null";

/// Whether a payload holds personal values at all; spares the others a parse.
pub(crate) fn is_personal(payload: &str) -> bool {
    payload.contains(r#""~":"#)
}

/// Whether a payload shows a personal value that is neither sealed nor erased.
pub(crate) fn is_open(clear: &str) -> bool {
    if !is_personal(clear) {
        return false;
    }
    let mut open = false;
    let looked = rewrite(clear, |_, value, _| {
        open |= value != NOTHING;
        Ok::<_, Infallible>(())
    });
    looked.is_ok() && open
}

/// One subject's key, unwrapped.
pub(crate) struct SubjectKey(LessSafeKey);

/// The randomness or the cipher failed; nothing can be sealed safely.
#[derive(Debug, thiserror::Error)]
#[error("sealing failed")]
pub(crate) struct SealFailed;

impl SubjectKey {
    pub(crate) fn new(bytes: &[u8; 32]) -> Option<Self> {
        UnboundKey::new(&AES_256_GCM, bytes).ok().map(|key| Self(LessSafeKey::new(key)))
    }

    /// Seals bytes: nonce, ciphertext, tag.
    pub(crate) fn seal(&self, aad: &[u8], clear: &[u8]) -> Result<Vec<u8>, SealFailed> {
        let mut nonce = [0_u8; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce).map_err(|_| SealFailed)?;
        let mut sealed = clear.to_vec();
        let tag = self
            .0
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(aad),
                &mut sealed,
            )
            .map_err(|_| SealFailed)?;
        Ok([&nonce[..], &sealed, tag.as_ref()].concat())
    }

    /// Opens what [`Self::seal`] made; `None` if it was altered, moved or sealed otherwise.
    pub(crate) fn open(&self, aad: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, rest) = sealed.split_first_chunk::<NONCE_LEN>()?;
        let mut clear = rest.to_vec();
        let length = self
            .0
            .open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(aad), &mut clear)
            .ok()?
            .len();
        clear.truncate(length);
        Some(clear)
    }
}

/// The place of the n-th personal value of an event.
fn place(event: Uuid, ordinal: u32) -> [u8; 20] {
    let mut aad = [0_u8; 20];
    let (id, number) = aad.split_at_mut(16);
    id.copy_from_slice(event.as_bytes());
    number.copy_from_slice(&ordinal.to_be_bytes());
    aad
}

/// Seals every marked value of a payload.
pub(crate) fn seal_payload(
    payload: &str,
    event: Uuid,
    key: &SubjectKey,
) -> Result<String, SealFailed> {
    rewrite(payload, |ordinal, value, sealed| {
        if value == NOTHING {
            sealed.push_str(NOTHING);
        } else {
            let bytes = key.seal(&place(event, ordinal), value.as_bytes())?;
            sealed.push('"');
            BASE64.encode_string(bytes, sealed);
            sealed.push('"');
        }
        Ok(())
    })
}

/// Opens every marked value of a payload; without a key, or where opening fails, it is erased.
pub(crate) fn open_payload(payload: &str, event: Uuid, key: Option<&SubjectKey>) -> String {
    let opened = rewrite(payload, |ordinal, value, clear| {
        let sealed = value.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
        let opened = key
            .zip(sealed)
            .and_then(|(key, text)| key.open(&place(event, ordinal), &BASE64.decode(text).ok()?))
            // Authentic, hence the JSON that was sealed.
            .and_then(|bytes| String::from_utf8(bytes).ok());
        clear.push_str(opened.as_deref().unwrap_or(NOTHING));
        Ok::<_, Infallible>(())
    });
    opened.unwrap_or_else(|never| match never {})
}

/// Writes a payload anew, the value behind each marker as `write` has it, given its ordinal. The
/// rest is not taken apart: serde writes no spaces, and inside a string a marker's quotes would be
/// escaped.
fn rewrite<E>(
    payload: &str,
    mut write: impl FnMut(u32, &str, &mut String) -> Result<(), E>,
) -> Result<String, E> {
    let mut written = String::with_capacity(payload.len());
    let (mut rest, mut ordinal) = (payload, 0);
    while let Some((before, marked)) = next_marker(rest) {
        written.push_str(before);
        rest = match value_alone(marked) {
            Some((value, after)) => {
                write(ordinal, value, &mut written)?;
                ordinal = ordinal.saturating_add(1);
                after
            }
            // A marker stands alone; with something beside it, it is somebody's own data.
            None => marked,
        };
    }
    written.push_str(rest);
    Ok(written)
}

/// Everything up to and with the next marker, and what follows.
fn next_marker(text: &str) -> Option<(&str, &str)> {
    text.split_at_checked(text.find(MARKED)?.checked_add(MARKED.len())?)
}

/// The value that follows a marker, if nothing else does, and what comes behind it.
fn value_alone(marked: &str) -> Option<(&str, &str)> {
    let mut values = serde_json::Deserializer::from_str(marked).into_iter::<&RawValue>();
    let value = values.next()?.ok()?.get();
    let after = marked.get(values.byte_offset()..)?;
    after.starts_with('}').then_some((value, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> SubjectKey {
        SubjectKey::new(&[byte; 32]).unwrap()
    }

    #[test]
    fn what_is_sealed_opens_only_with_its_key_and_in_its_place() {
        let payload = r#"{"email":{"~":"ada@example.org"},"list":[{"~":{"a":1}}],"open":"x"}"#;
        let (here, there) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let sealed = seal_payload(payload, here, &key(1)).unwrap();
        assert!(!sealed.contains("ada"));
        assert!(sealed.contains(r#""open":"x""#));
        assert_eq!(open_payload(&sealed, here, Some(&key(1))), payload);
        let erased = r#"{"email":{"~":null},"list":[{"~":null}],"open":"x"}"#;
        assert_eq!(open_payload(&sealed, here, None), erased);
        assert_eq!(open_payload(&sealed, here, Some(&key(2))), erased);
        assert_eq!(open_payload(&sealed, there, Some(&key(1))), erased);
    }

    #[test]
    fn what_only_looks_like_a_marker_stays_as_it_is() {
        let here = Uuid::from_u128(1);
        let payload = r#"{"a":{"~":{"~":"x"},"b":{"~":"y"}},"c":"{\"~\":\"z\"}","d":{"~":null}}"#;
        let sealed = seal_payload(payload, here, &key(1)).unwrap();
        assert!(!sealed.contains(r#""x""#) && !sealed.contains(r#""y""#), "{sealed}");
        assert!(sealed.contains(r#""c":"{\"~\":\"z\"}","d":{"~":null}}"#), "{sealed}");
        assert_eq!(open_payload(&sealed, here, Some(&key(1))), payload);
    }

    #[test]
    fn what_was_never_sealed_opens_as_erased() {
        let event = Uuid::from_u128(1);
        for odd in [r#"{"~":{"a":1}}"#, r#"{"~":1}"#, r#"{"~":"\u0041"}"#, r#"{"~":"QUJD"}"#] {
            assert_eq!(open_payload(odd, event, Some(&key(1))), r#"{"~":null}"#, "{odd}");
        }
        let beside = r#"{"~":"x","y":{"~":1}}"#;
        assert_eq!(open_payload(beside, event, None), r#"{"~":"x","y":{"~":null}}"#);
        assert!(is_open(beside) && !is_open(r#"{"~":"x","y":{"~":null}}"#));
    }

    #[test]
    fn the_marker_is_the_one_personal_values_are_written_with() {
        let personal = domain::kernel::Personal::from("x".to_owned());
        let written = serde_json::to_string(&personal).unwrap();
        assert_eq!(written, format!(r#"{MARKED}"x"}}"#));
    }

    #[test]
    fn two_sealings_of_one_value_differ() {
        let payload = r#"{"a":{"~":"x"}}"#;
        let seal = || seal_payload(payload, Uuid::nil(), &key(1)).unwrap();
        assert_ne!(seal(), seal());
    }
}
