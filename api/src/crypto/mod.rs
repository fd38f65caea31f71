//! Secrets and proofs: keys, tokens, passwords, one-time codes, digests.
//!
//! Owns every use of a cryptographic primitive at the edge. One library does the work (ring), one
//! source gives randomness (the system's). Refuses to keep a secret in clear anywhere but in the
//! key directory.

pub mod apikey;
pub mod digest;
pub mod keys;
pub mod password;
pub mod sealing;
pub mod tokens;
pub mod totp;

mod argon;
mod base62;
mod provider;

use ring::rand::{SecureRandom, SystemRandom};

pub use provider::install;

/// Random bytes from the system.
#[must_use]
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    #[expect(clippy::expect_used, reason = "a system without randomness must not go on")]
    SystemRandom::new().fill(&mut bytes).expect("the system gives no randomness");
    bytes
}

/// A password that nobody has to remember: 24 letters and digits, 142 bits.
#[must_use]
pub fn password_text() -> String {
    base62::random_text(24)
}
