//! Access tokens: signed, short-lived, and of one kind only.
//!
//! Owns issuing and verifying (RFC 9068 in spirit: `typ` is `at+jwt`). Refuses every header and
//! claim it did not write itself, and says the same to all that fail.

use std::{
    fmt,
    num::NonZeroUsize,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use domain::kernel::Timestamp;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use lru::LruCache;
use ring::digest;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::keys::Keyring;
use crate::{
    clock::mint,
    problem::{INVALID_TOKEN, Problem},
};

const TYP: &str = "at+jwt";
/// How far ahead the clock of the process that issued a token may run. Expiry has no leeway: a
/// revoked or expired sign-in should not live on.
const LEEWAY_SECONDS: u64 = 60;
/// Longer than any token of ours; what is longer is not looked at.
const MAX_TOKEN_BYTES: usize = 2_048;

/// What an access token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claims {
    /// Who issued it.
    pub iss: String,
    /// Whom it is for.
    pub aud: String,
    /// The user.
    pub sub: Uuid,
    /// The session.
    pub sid: Uuid,
    /// When it was issued, in seconds since 1970.
    pub iat: u64,
    /// From when it is valid.
    pub nbf: u64,
    /// Until when it is valid.
    pub exp: u64,
    /// Its own id.
    pub jti: Uuid,
}

/// A token is not valid. Why is not told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the access token is not valid")]
pub struct InvalidToken;

impl From<InvalidToken> for Problem {
    fn from(_: InvalidToken) -> Self {
        Self::new(&INVALID_TOKEN)
    }
}

/// What all tokens of an installation share.
#[derive(Debug, Clone)]
pub struct TokenSettings {
    /// `iss`.
    pub issuer: String,
    /// `aud`.
    pub audience: String,
    /// Life of a token.
    pub ttl_seconds: u64,
    /// How many verified tokens are remembered.
    pub cache: NonZeroUsize,
}

/// Issues and verifies access tokens.
pub struct AccessTokens {
    keyring: Arc<Keyring>,
    settings: TokenSettings,
    validation: Validation,
    /// Tokens whose signature was checked, by their hash. Each is still checked against the time.
    verified: Mutex<LruCache<[u8; 32], Claims>>,
}

impl fmt::Debug for AccessTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccessTokens")
    }
}

impl AccessTokens {
    /// Tokens signed by the keys of a ring.
    #[must_use]
    pub fn new(keyring: Arc<Keyring>, settings: TokenSettings) -> Self {
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_issuer(&[&settings.issuer]);
        validation.set_audience(&[&settings.audience]);
        validation.set_required_spec_claims(&["exp", "nbf", "iss", "aud", "sub"]);
        // Time is an input here, not read by a library.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        let verified = Mutex::new(LruCache::new(settings.cache));
        Self { keyring, settings, validation, verified }
    }

    /// A token for a session of a user.
    ///
    /// # Errors
    /// If the active key cannot sign.
    pub fn issue(
        &self,
        user: Uuid,
        session: Uuid,
        now: Timestamp,
    ) -> Result<String, jsonwebtoken::errors::Error> {
        let keys = self.keyring.current();
        let key = keys.active();
        let iat = u64::try_from(now.timestamp()).unwrap_or_default();
        let claims = Claims {
            iss: self.settings.issuer.clone(),
            aud: self.settings.audience.clone(),
            sub: user,
            sid: session,
            iat,
            nbf: iat,
            exp: iat.saturating_add(self.settings.ttl_seconds),
            jti: mint(),
        };
        jsonwebtoken::encode(&header(&key.kid), &claims, &EncodingKey::from_ed_der(&key.pkcs8))
    }

    /// The claims of a token that is valid now.
    ///
    /// # Errors
    /// [`InvalidToken`] for every other.
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<Claims, InvalidToken> {
        let now = u64::try_from(now.timestamp()).unwrap_or_default();
        if token.len() > MAX_TOKEN_BYTES {
            return Err(InvalidToken);
        }
        let hash = digest::digest(&digest::SHA256, token.as_bytes());
        let hash: [u8; 32] = hash.as_ref().try_into().map_err(|_| InvalidToken)?;
        let known = self.lock().get(&hash).cloned();
        let claims = match known {
            Some(claims) => claims,
            None => self.decode(token, now)?,
        };
        let starts = claims.nbf.max(claims.iat);
        if now >= claims.exp || now.saturating_add(LEEWAY_SECONDS) < starts {
            self.lock().pop(&hash);
            return Err(InvalidToken);
        }
        self.lock().put(hash, claims.clone());
        Ok(claims)
    }

    /// The claims of a token we signed, whatever the time.
    fn decode(&self, token: &str, now: u64) -> Result<Claims, InvalidToken> {
        let found = jsonwebtoken::decode_header(token).map_err(|_| InvalidToken)?;
        let kid = found.kid.clone().ok_or(InvalidToken)?;
        // No key by reference (`jku`, `jwk`, `x5u`), no other type, no other algorithm: the
        // header is the one we write, or the token is not ours.
        if found != header(&kid) {
            return Err(InvalidToken);
        }
        let key = self.keyring.find(&kid, now).ok_or(InvalidToken)?;
        let key = DecodingKey::from_ed_der(&key.public);
        jsonwebtoken::decode::<Claims>(token, &key, &self.validation)
            .map(|token| token.claims)
            .map_err(|_| InvalidToken)
    }

    fn lock(&self) -> MutexGuard<'_, LruCache<[u8; 32], Claims>> {
        self.verified.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn header(kid: &str) -> Header {
    let mut header = Header::new(Algorithm::EdDSA);
    header.typ = Some(TYP.to_owned());
    header.kid = Some(kid.to_owned());
    header
}

#[cfg(test)]
mod tests;
