//! Time-based one-time codes (RFC 6238): SHA-1, six digits, 30 seconds, one step either way.
//!
//! SHA-1 is what authenticator apps speak; in HMAC it is not broken.

use std::fmt;

use ring::hmac;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::random;

const STEP_SECONDS: u64 = 30;
const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// The secret shared with an authenticator.
#[derive(Clone, PartialEq, Eq)]
pub struct TotpSecret(Zeroizing<Vec<u8>>);

impl fmt::Debug for TotpSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<redacted>")
    }
}

impl TotpSecret {
    /// A fresh secret of 160 bits, the length RFC 4226 recommends.
    #[must_use]
    pub fn generate() -> Self {
        Self(Zeroizing::new(random::<20>().to_vec()))
    }

    /// Reads the base32 text, in either case and with spaces or padding.
    #[must_use]
    pub fn from_base32(text: &str) -> Option<Self> {
        let mut bytes = Vec::with_capacity(text.len().saturating_mul(5) / 8);
        let (mut buffer, mut bits) = (0_u32, 0_u32);
        for letter in text.bytes().filter(|letter| !matches!(letter, b' ' | b'=')) {
            let letter = letter.to_ascii_uppercase();
            let value = BASE32.iter().position(|known| *known == letter)?;
            buffer = (buffer << 5) | u32::try_from(value).ok()?;
            bits += 5;
            if bits >= 8 {
                bits -= 8;
                bytes.push(u8::try_from(buffer >> bits & 0xff).ok()?);
                buffer &= (1 << bits) - 1;
            }
        }
        (bytes.len() >= 16).then(|| Self(Zeroizing::new(bytes)))
    }

    /// The base32 text, for people who cannot scan the code.
    #[must_use]
    pub fn base32(&self) -> String {
        let mut text = String::new();
        for chunk in self.0.chunks(5) {
            let mut block = [0_u8; 8];
            for (to, from) in block.iter_mut().skip(3).zip(chunk) {
                *to = *from;
            }
            let block = u64::from_be_bytes(block);
            let letters = (chunk.len() * 8).div_ceil(5);
            for index in 0..letters {
                let value = usize::try_from(block >> (35 - 5 * index) & 31).unwrap_or_default();
                text.push(BASE32.get(value).map_or('A', |letter| char::from(*letter)));
            }
        }
        text
    }

    /// The URI an authenticator scans.
    #[must_use]
    pub fn uri(&self, issuer: &str, account: &str) -> String {
        let encode = |text: &str| {
            url::form_urlencoded::byte_serialize(text.as_bytes())
                .collect::<String>()
                .replace('+', "%20")
        };
        format!(
            "otpauth://totp/{issuer}:{account}?secret={secret}&issuer={issuer}\
             &algorithm=SHA1&digits=6&period=30",
            issuer = encode(issuer),
            account = encode(account),
            secret = self.base32(),
        )
    }

    /// The step a code is of, if it is right now, one step before or one after, and later than
    /// the last step that was used: a code works once.
    #[must_use]
    pub fn verify(&self, code: &str, now_seconds: u64, last_step: Option<u64>) -> Option<u64> {
        let present = now_seconds / STEP_SECONDS;
        let mut found = None;
        // All three are computed whatever the code, so that time tells nothing.
        for step in [present.saturating_sub(1), present, present.saturating_add(1)] {
            let right: bool = self.code(step).as_bytes().ct_eq(code.as_bytes()).into();
            if right && last_step.is_none_or(|last| step > last) {
                found = found.or(Some(step));
            }
        }
        found
    }

    /// The code of a step (RFC 4226 §5.3).
    fn code(&self, step: u64) -> String {
        format!("{:06}", self.number(step) % 1_000_000)
    }

    fn number(&self, step: u64) -> u32 {
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &self.0);
        let tag = hmac::sign(&key, &step.to_be_bytes());
        let offset = tag.as_ref().last().map_or(0, |byte| usize::from(byte & 0x0f));
        let word = tag.as_ref().get(offset..offset.saturating_add(4));
        let word = word.and_then(|bytes| bytes.try_into().ok()).map_or(0, u32::from_be_bytes);
        word & 0x7fff_ffff
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rfc() -> TotpSecret {
        TotpSecret(Zeroizing::new(b"12345678901234567890".to_vec()))
    }

    #[test]
    fn the_vectors_of_rfc_6238_hold() {
        for (seconds, eight_digits) in [
            (59, 94_287_082),
            (1_111_111_109, 7_081_804),
            (1_111_111_111, 14_050_471),
            (1_234_567_890, 89_005_924),
            (2_000_000_000, 69_279_037),
            (20_000_000_000, 65_353_130),
        ] {
            assert_eq!(rfc().number(seconds / 30) % 100_000_000, eight_digits, "{seconds}");
        }
    }

    #[test]
    fn a_code_is_right_for_one_step_either_way() {
        let code = rfc().code(100);
        for (seconds, expected) in [
            (98 * 30 + 29, None),
            (99 * 30, Some(100)),
            (100 * 30, Some(100)),
            (101 * 30 + 29, Some(100)),
            (102 * 30, None),
        ] {
            assert_eq!(rfc().verify(&code, seconds, None), expected, "{seconds}");
        }
    }

    #[test]
    fn a_code_works_once() {
        let code = rfc().code(100);
        assert_eq!(rfc().verify(&code, 3_000, Some(99)), Some(100));
        assert_eq!(rfc().verify(&code, 3_000, Some(100)), None);
    }

    #[test]
    fn anything_but_six_digits_is_wrong() {
        for code in ["", "12345", "1234567", "abcdef"] {
            assert_eq!(rfc().verify(code, 3_000, None), None);
        }
    }

    #[test]
    fn base32_goes_there_and_back() {
        assert_eq!(rfc().base32(), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
        assert_eq!(TotpSecret::from_base32("gezd gnbv gy3t qojq gezd gnbv gy3t qojq"), Some(rfc()));
        let secret = TotpSecret::generate();
        assert_eq!(TotpSecret::from_base32(&secret.base32()), Some(secret));
        assert_eq!(TotpSecret::from_base32("GEZDGNBV"), None);
        assert_eq!(TotpSecret::from_base32("1nvalid!"), None);
    }

    #[test]
    fn the_uri_escapes_names() {
        let uri = rfc().uri("Common hold", "ada@example.org");
        assert!(uri.starts_with("otpauth://totp/Common%20hold:ada%40example.org?secret=GEZD"));
    }
}
