//! Small secrets, sealed by the master key where they are kept or travel.

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use zeroize::Zeroizing;

use super::{keys::MasterKey, random};

/// Seals with AES-256-GCM under a fresh nonce. What is sealed opens only under the same context,
/// so it cannot be carried elsewhere.
#[derive(Clone)]
pub struct Sealing(LessSafeKey);

impl fmt::Debug for Sealing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealing")
    }
}

impl Sealing {
    /// Derives the key.
    #[must_use]
    pub fn new(master: &MasterKey) -> Self {
        let key = master.derive("sealing.v1");
        #[expect(clippy::expect_used, reason = "32 bytes are a key of AES-256")]
        let key = UnboundKey::new(&AES_256_GCM, key.as_ref()).expect("a key of 32 bytes");
        Self(LessSafeKey::new(key))
    }

    /// Seals bytes; `None` only if the cipher fails.
    #[must_use]
    pub fn seal(&self, context: &str, clear: &[u8]) -> Option<String> {
        let nonce = random::<NONCE_LEN>();
        let mut sealed = clear.to_vec();
        let aad = Aad::from(context.as_bytes());
        let unique = Nonce::assume_unique_for_key(nonce);
        self.0.seal_in_place_append_tag(unique, aad, &mut sealed).ok()?;
        Some(URL_SAFE_NO_PAD.encode([nonce.as_slice(), &sealed].concat()))
    }

    /// Opens what [`Self::seal`] made under the same context.
    #[must_use]
    pub fn open(&self, context: &str, text: &str) -> Option<Zeroizing<Vec<u8>>> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (nonce, sealed) = bytes.split_first_chunk::<NONCE_LEN>()?;
        let mut clear = Zeroizing::new(sealed.to_vec());
        let aad = Aad::from(context.as_bytes());
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let length = self.0.open_in_place(nonce, aad, &mut clear).ok()?.len();
        clear.truncate(length);
        Some(clear)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealing(byte: u8) -> Sealing {
        Sealing::new(&MasterKey::from_bytes([byte; 32]))
    }

    #[test]
    fn a_secret_opens_in_its_context_alone() {
        let sealed = sealing(1).seal("seed of ada", b"secret").unwrap();
        let open = |byte, context| sealing(byte).open(context, &sealed);
        assert_eq!(open(1, "seed of ada").unwrap().as_slice(), b"secret");
        assert!(open(1, "seed of bob").is_none());
        assert!(open(2, "seed of ada").is_none());
        assert_ne!(sealing(1).seal("seed of ada", b"secret"), Some(sealed));
    }

    #[test]
    fn an_altered_or_shortened_text_does_not_open() {
        let sealed = sealing(1).seal("", b"secret").unwrap();
        for end in 0..sealed.len() {
            assert!(sealing(1).open("", &sealed[..end]).is_none());
        }
        for at in 0..sealed.len() - 1 {
            let mut altered = sealed.clone().into_bytes();
            altered[at] = if altered[at] == b'A' { b'B' } else { b'A' };
            assert!(sealing(1).open("", std::str::from_utf8(&altered).unwrap()).is_none());
        }
    }
}
