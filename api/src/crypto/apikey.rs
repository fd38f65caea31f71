//! API keys: `<prefix>.<secret>`, as in `ch_3fT0aPq9ZkLm.…`.
//!
//! The prefix finds the key. The secret has 256 bits and ends in a checksum, so that a typing
//! error never reaches argon2. At rest there is an argon2id hash; once verified, a process
//! remembers a keyed digest, so that the cost is paid once and not on every request.

use std::{fmt, num::NonZeroUsize, sync::Mutex};

use lru::LruCache;
use ring::hmac;
use subtle::ConstantTimeEq;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::{
    base62,
    password::{HashError, Password, PasswordHashing, Verdict},
    random,
};

const PREFIX_KIND: &str = "ch_";
const PREFIX_CHARS: usize = 12;
/// 43 characters of 62 hold more than 256 bits.
const SECRET_CHARS: usize = 43;
const CHECKSUM_CHARS: usize = 6;

/// A whole key as its owner holds it.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKeySecret {
    prefix: String,
    secret: Zeroizing<String>,
}

impl fmt::Debug for ApiKeySecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.<redacted>", self.prefix)
    }
}

impl ApiKeySecret {
    /// A fresh key.
    #[must_use]
    pub fn generate() -> Self {
        let prefix = format!("{PREFIX_KIND}{}", base62::random_text(PREFIX_CHARS));
        let mut secret = base62::random_text(SECRET_CHARS);
        secret.push_str(&checksum(&prefix, &secret));
        Self { prefix, secret: Zeroizing::new(secret) }
    }

    /// Reads a key as sent. `None` for what was never a key of ours, typing errors included.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (prefix, secret) = text.split_once('.')?;
        let body = prefix.strip_prefix(PREFIX_KIND)?;
        let base62 = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if body.len() != PREFIX_CHARS || secret.len() != SECRET_CHARS + CHECKSUM_CHARS {
            return None;
        }
        if !base62(body) || !base62(secret) {
            return None;
        }
        let (random, sum) = secret.split_at_checked(SECRET_CHARS)?;
        (checksum(prefix, random) == sum)
            .then(|| Self { prefix: prefix.to_owned(), secret: Zeroizing::new(secret.to_owned()) })
    }

    /// What finds the key; not secret.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The whole key, to be shown once.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{}.{}", self.prefix, *self.secret)
    }

    /// The argon2id hash to be stored.
    ///
    /// # Errors
    /// [`HashError`].
    pub async fn hash(&self, hashing: &PasswordHashing) -> Result<String, HashError> {
        hashing.hash(Password::secret(&self.secret)).await
    }
}

/// CRC-32 (IEEE 802.3) of prefix and secret: not a proof, only a guard against typing errors.
fn checksum(prefix: &str, secret: &str) -> String {
    let crc = prefix.bytes().chain(secret.bytes()).fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 }
        })
    });
    base62::six(!crc)
}

/// The keys this process has verified, by a digest that is worthless elsewhere.
pub struct VerifiedKeys {
    digest_key: hmac::Key,
    verified: Mutex<LruCache<String, Verified>>,
}

/// A key that was the right one.
#[derive(Clone, Copy)]
struct Verified {
    owner: Uuid,
    digest: hmac::Tag,
}

impl fmt::Debug for VerifiedKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("VerifiedKeys")
    }
}

impl VerifiedKeys {
    /// Remembers at most so many keys.
    #[must_use]
    pub fn new(capacity: NonZeroUsize) -> Self {
        Self {
            digest_key: hmac::Key::new(hmac::HMAC_SHA256, &random::<32>()),
            verified: Mutex::new(LruCache::new(capacity)),
        }
    }

    /// Who holds a prefix, if a key of it was verified. A prefix is taken once and never given
    /// back, so this needs no second look; whether the key still opens is for its stream to say.
    pub fn owner(&self, prefix: &str) -> Option<Uuid> {
        self.lock().get(prefix).map(|known| known.owner)
    }

    /// Whether a key was verified before against the hash that is stored.
    pub fn remembers(&self, key: &ApiKeySecret, stored: &str) -> bool {
        let digest = self.digest(key, stored);
        let mut verified = self.lock();
        let known = verified.get(key.prefix());
        known.is_some_and(|known| known.digest.as_ref().ct_eq(digest.as_ref()).into())
    }

    /// Whether a key is the one whose hash is stored with its owner. Costs an argon2 the first
    /// time only. Without an owner, which is how a prefix nobody has arrives here, it takes as long
    /// as a wrong key and is wrong.
    ///
    /// # Errors
    /// [`HashError`].
    pub async fn verify(
        &self,
        key: &ApiKeySecret,
        stored: Option<(Uuid, &str)>,
        hashing: &PasswordHashing,
    ) -> Result<bool, HashError> {
        if stored.is_some_and(|(_, hash)| self.remembers(key, hash)) {
            return Ok(true);
        }
        let hash = stored.map(|(_, hash)| hash.to_owned());
        let verdict = hashing.verify(Password::secret(&key.secret), hash).await?;
        match stored {
            Some((owner, hash)) if verdict != Verdict::Wrong => {
                let digest = self.digest(key, hash);
                self.lock().put(key.prefix.clone(), Verified { owner, digest });
                Ok(true)
            }
            Some(_) | None => Ok(false),
        }
    }

    /// Forgets a key: it was revoked or rotated.
    pub fn forget(&self, prefix: &str) {
        self.lock().pop(prefix);
    }

    /// The stored hash is part of the digest: another hash, another digest.
    fn digest(&self, key: &ApiKeySecret, stored: &str) -> hmac::Tag {
        let mut context = hmac::Context::with_key(&self.digest_key);
        context.update(key.secret.as_bytes());
        context.update(stored.as_bytes());
        context.sign()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, LruCache<String, Verified>> {
        // A panic while it was held cannot have left the cache half-changed in a harmful way.
        self.verified.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::{super::password::tests::cheap, *};

    #[test]
    fn a_key_has_its_form_and_survives_the_way() {
        let key = ApiKeySecret::generate();
        assert_eq!(ApiKeySecret::parse(&key.text()), Some(key.clone()));
        assert_eq!(key.prefix().len(), 15);
        assert!(!format!("{key:?}").contains(&*key.secret));
    }

    #[test]
    fn a_typing_error_is_noticed_without_hashing() {
        let text = ApiKeySecret::generate().text();
        for at in 0..text.len() {
            let mut typo = text.clone().into_bytes();
            typo[at] = if typo[at] == b'x' { b'y' } else { b'x' };
            assert_eq!(ApiKeySecret::parse(std::str::from_utf8(&typo).unwrap()), None, "{at}");
        }
        for end in 0..text.len() {
            assert_eq!(ApiKeySecret::parse(&text[..end]), None);
        }
    }

    #[test]
    fn the_checksum_is_crc_32() {
        // The check value of CRC-32/ISO-HDLC.
        assert_eq!(checksum("12345", "6789"), base62::six(0xcbf4_3926));
    }

    #[tokio::test]
    async fn a_verified_key_is_remembered_until_forgotten() {
        let hashing = PasswordHashing::new(&cheap()).unwrap();
        let verified = VerifiedKeys::new(NonZeroUsize::MIN);
        let key = ApiKeySecret::generate();
        let (owner, stored) = (Uuid::from_u128(7), key.hash(&hashing).await.unwrap());
        assert_eq!(verified.owner(key.prefix()), None);
        assert_eq!(verified.verify(&key, Some((owner, &stored)), &hashing).await, Ok(true));
        assert_eq!(verified.owner(key.prefix()), Some(owner));
        assert!(verified.remembers(&key, &stored));
        assert!(!verified.remembers(&key, "another hash"));
        verified.forget(key.prefix());
        assert!(!verified.remembers(&key, &stored));
        assert_eq!(verified.owner(key.prefix()), None);
    }

    #[tokio::test]
    async fn another_secret_under_the_same_prefix_is_wrong() {
        let hashing = PasswordHashing::new(&cheap()).unwrap();
        let verified = VerifiedKeys::new(NonZeroUsize::MIN);
        let key = ApiKeySecret::generate();
        let (owner, stored) = (Uuid::from_u128(7), key.hash(&hashing).await.unwrap());
        assert_eq!(verified.verify(&key, Some((owner, &stored)), &hashing).await, Ok(true));
        let forged = ApiKeySecret { secret: ApiKeySecret::generate().secret, ..key };
        assert_eq!(verified.verify(&forged, Some((owner, &stored)), &hashing).await, Ok(false));
        assert_eq!(verified.verify(&forged, None, &hashing).await, Ok(false));
    }
}
