//! The keys of the installation: one master key, and the keys that sign tokens.
//!
//! Owns their files, their rotation and their publication. Refuses key files that others can
//! read, and never overwrites a key: losing the master key loses all personal data for good.

mod backup;
mod directory;

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::{digest, hkdf};
use serde_json::{Value, json};
use zeroize::Zeroizing;

pub use directory::{KeyDirectory, KeyError, KeyInfo};

/// The key all others of the platform are derived from or wrapped by.
#[derive(Clone)]
pub struct MasterKey(Zeroizing<[u8; 32]>);

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<redacted>")
    }
}

impl MasterKey {
    /// Takes 32 bytes as the master key.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes. Every use should be visible in review.
    #[must_use]
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// A key for one purpose (HKDF-SHA-256). Knowing one tells nothing about another.
    #[must_use]
    pub fn derive(&self, purpose: &str) -> Zeroizing<[u8; 32]> {
        let extracted = hkdf::Salt::new(hkdf::HKDF_SHA256, b"commonhold").extract(&*self.0);
        let info = [purpose.as_bytes()];
        let mut key = Zeroizing::new([0; 32]);
        #[expect(clippy::expect_used, reason = "32 bytes are within what HKDF-SHA-256 can give")]
        extracted
            .expand(&info, hkdf::HKDF_SHA256)
            .and_then(|output| output.fill(key.as_mut()))
            .expect("HKDF gives 32 bytes");
        key
    }

    /// The key that wraps the keys of subjects in the log.
    #[must_use]
    pub fn wrapping(&self) -> eventstore::MasterKey {
        eventstore::MasterKey::new(&self.derive("subject-keys.v1"), &[])
    }
}

/// One Ed25519 key that signs, or signed, tokens.
#[derive(Clone)]
pub struct SigningKey {
    /// RFC 7638 thumbprint of the public key.
    pub kid: String,
    /// When it was made, in seconds since 1970.
    pub created_at: u64,
    /// When it stopped signing.
    pub retired_at: Option<u64>,
    pub(super) pkcs8: Zeroizing<Vec<u8>>,
    pub(super) public: Vec<u8>,
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.kid)
    }
}

impl SigningKey {
    fn jwk(&self) -> Value {
        json!({
            "kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA",
            "kid": self.kid, "x": URL_SAFE_NO_PAD.encode(&self.public),
        })
    }
}

/// RFC 7638: the digest of the key's required members in lexical order.
fn thumbprint(public: &[u8]) -> String {
    let x = URL_SAFE_NO_PAD.encode(public);
    let members = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#);
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, members.as_bytes()))
}

/// The signing keys at one moment: one signs, all verify.
#[derive(Debug, Clone)]
pub struct SigningKeys {
    active: SigningKey,
    all: BTreeMap<String, SigningKey>,
}

impl SigningKeys {
    fn new(active: SigningKey, all: impl IntoIterator<Item = SigningKey>) -> Self {
        Self { active, all: all.into_iter().map(|key| (key.kid.clone(), key)).collect() }
    }

    /// The key that signs.
    #[must_use]
    pub fn active(&self) -> &SigningKey {
        &self.active
    }

    /// The key a token names.
    #[must_use]
    pub fn find(&self, kid: &str) -> Option<&SigningKey> {
        self.all.get(kid)
    }

    /// The public keys as a JWK set (RFC 7517).
    #[must_use]
    pub fn jwks(&self) -> Value {
        json!({ "keys": self.all.values().map(SigningKey::jwk).collect::<Vec<_>>() })
    }
}

/// The signing keys of a running process. Another process may rotate them: an unknown key id
/// makes this one look again, at most once a second.
#[derive(Debug)]
pub struct Keyring {
    directory: KeyDirectory,
    keys: RwLock<Arc<SigningKeys>>,
    looked_at: AtomicU64,
}

impl Keyring {
    /// Reads the keys of a directory.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn open(directory: KeyDirectory) -> Result<Self, KeyError> {
        let keys = RwLock::new(Arc::new(directory.signing()?));
        Ok(Self { directory, keys, looked_at: AtomicU64::new(0) })
    }

    /// The keys as last read.
    #[must_use]
    pub fn current(&self) -> Arc<SigningKeys> {
        Arc::clone(&self.keys.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The key a token names, looking again if it is not known.
    #[must_use]
    pub fn find(&self, kid: &str, now_seconds: u64) -> Option<SigningKey> {
        if let Some(key) = self.current().find(kid) {
            return Some(key.clone());
        }
        if self.looked_at.swap(now_seconds, Ordering::Relaxed) == now_seconds {
            return None;
        }
        self.reload().ok()?;
        self.current().find(kid).cloned()
    }

    /// Reads the directory again.
    ///
    /// # Errors
    /// [`KeyError`]; then the keys stay as they were.
    pub fn reload(&self) -> Result<(), KeyError> {
        let keys = Arc::new(self.directory.signing()?);
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = keys;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn purposes_have_keys_of_their_own() {
        let master = MasterKey::from_bytes([7; 32]);
        assert_eq!(master.derive("a"), master.derive("a"));
        assert_ne!(master.derive("a"), master.derive("b"));
        assert_ne!(master.derive("a"), MasterKey::from_bytes([8; 32]).derive("a"));
    }

    #[test]
    fn the_thumbprint_is_that_of_rfc_8037() {
        let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
        let public = URL_SAFE_NO_PAD.decode(x).unwrap();
        assert_eq!(thumbprint(&public), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }

    #[test]
    fn a_running_process_notices_a_rotation() {
        let (directory, _folder) = directory::tests::fresh();
        let keyring = Keyring::open(directory.clone()).unwrap();
        let old = keyring.current().active().kid.clone();
        let new = directory.rotate(100).unwrap().kid;
        assert_ne!(old, new);
        assert_eq!(keyring.find(&new, 100).unwrap().kid, new);
        assert_eq!(keyring.current().active().kid, new);
        assert!(keyring.find(&old, 101).is_some());
        assert!(keyring.find("nobody", 102).is_none());
        let keys = keyring.current().jwks();
        assert_eq!(keys["keys"].as_array().unwrap().len(), 2);
        assert_eq!(keys["keys"][0]["kty"], "OKP");
    }
}
