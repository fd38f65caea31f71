//! Sealing personal values inside a payload, and opening them again.
//!
//! AES-256-GCM (NIST SP 800-38D) under the subject's key, a fresh 96-bit nonce each, bound to the
//! event's id and the value's ordinal so that a sealed value cannot be moved elsewhere.

use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD as BASE64};
use domain::kernel::MARKER;
use ring::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    rand::{SecureRandom, SystemRandom},
};
use serde_json::Value;
use uuid::Uuid;

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
    if let Ok(mut value) = serde_json::from_str(clear) {
        each_marked(&mut value, &mut |marked| open |= !marked.is_null());
    }
    open
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
    let mut value: Value = serde_json::from_str(payload).map_err(|_| SealFailed)?;
    let mut ordinal = 0;
    let mut failed = false;
    each_marked(&mut value, &mut |marked| {
        if !marked.is_null() {
            let sealed = key.seal(&place(event, ordinal), marked.to_string().as_bytes());
            failed |= sealed.is_err();
            *marked = sealed.map_or(Value::Null, |bytes| Value::String(BASE64.encode(bytes)));
        }
        ordinal = ordinal.saturating_add(1);
    });
    if failed { Err(SealFailed) } else { Ok(value.to_string()) }
}

/// Opens every marked value of a payload; without a key, or where opening fails, it is erased.
pub(crate) fn open_payload(payload: &str, event: Uuid, key: Option<&SubjectKey>) -> String {
    let Ok(mut value) = serde_json::from_str::<Value>(payload) else { return payload.to_owned() };
    let mut ordinal = 0;
    each_marked(&mut value, &mut |marked| {
        let clear = marked
            .as_str()
            .zip(key)
            .and_then(|(text, key)| key.open(&place(event, ordinal), &BASE64.decode(text).ok()?))
            .and_then(|bytes| serde_json::from_slice(&bytes).ok());
        *marked = clear.unwrap_or(Value::Null);
        ordinal = ordinal.saturating_add(1);
    });
    value.to_string()
}

/// Visits the value behind each marker, in document order.
fn each_marked(value: &mut Value, visit: &mut impl FnMut(&mut Value)) {
    match value {
        Value::Object(map) if map.len() == 1 && map.contains_key(MARKER) => {
            if let Some(marked) = map.get_mut(MARKER) {
                visit(marked);
            }
        }
        Value::Object(map) => map.values_mut().for_each(|inner| each_marked(inner, visit)),
        Value::Array(list) => list.iter_mut().for_each(|inner| each_marked(inner, visit)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
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
    fn two_sealings_of_one_value_differ() {
        let payload = r#"{"a":{"~":"x"}}"#;
        let seal = || seal_payload(payload, Uuid::nil(), &key(1)).unwrap();
        assert_ne!(seal(), seal());
    }
}
