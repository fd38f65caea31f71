//! Random text of letters and digits: survives a double click, a URL and a shell.

use super::random;

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// `length` characters, each of 62 equally likely.
pub(super) fn random_text(length: usize) -> String {
    let mut text = String::with_capacity(length);
    while text.len() < length {
        // Bytes from 248 up would favour the first characters; they are thrown away.
        let draws = random::<32>().into_iter().filter(|byte| *byte < 248);
        let letters = draws.filter_map(|byte| ALPHABET.get(usize::from(byte % 62)));
        text.extend(letters.take(length - text.len()).map(|letter| char::from(*letter)));
    }
    text
}

/// A number in exactly six characters: enough for 32 bits.
pub(super) fn six(mut number: u32) -> String {
    let mut digits = [0_u8; 6];
    for digit in digits.iter_mut().rev() {
        let value = usize::try_from(number % 62).unwrap_or_default();
        *digit = ALPHABET.get(value).copied().unwrap_or(b'0');
        number /= 62;
    }
    digits.into_iter().map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_has_its_length_and_its_alphabet() {
        let text = random_text(4_000);
        assert_eq!(text.len(), 4_000);
        assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        assert!(ALPHABET.iter().all(|letter| text.as_bytes().contains(letter)));
    }

    #[test]
    fn numbers_are_padded() {
        assert_eq!(six(0), "000000");
        assert_eq!(six(61), "00000z");
        assert_eq!(six(u32::MAX), "4gfFC3");
    }
}
