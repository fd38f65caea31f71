//! Texts of request bodies, parsed once; each fault names its field.

use domain::kernel::{InvalidText, one_line};

use crate::problem::Problem;

/// A parsed field, or the problem that names it.
///
/// # Errors
/// 422 with the field's pointer.
pub fn field<T>(pointer: &str, parsed: Result<T, InvalidText>) -> Result<T, Problem> {
    parsed.map_err(|fault| Problem::invalid_field(pointer, fault.to_string()))
}

/// An optional line of at most `max` characters; an empty one counts as absent.
///
/// # Errors
/// 422 with the field's pointer.
pub fn optional_line(
    pointer: &str,
    text: Option<&str>,
    max: usize,
) -> Result<Option<String>, Problem> {
    match text.map(str::trim).filter(|text| !text.is_empty()) {
        None => Ok(None),
        Some(text) => field(pointer, one_line(text, max)).map(Some),
    }
}

/// A country of ISO 3166-1 alpha-2.
///
/// # Errors
/// 422 with the field's pointer.
pub fn country(pointer: &str, text: Option<&str>) -> Result<Option<String>, Problem> {
    let form = InvalidText::Form("two capital letters (ISO 3166-1 alpha-2)");
    let fits = |code: &str| code.len() == 2 && code.bytes().all(|b| b.is_ascii_uppercase());
    match text {
        None => Ok(None),
        Some(code) if fits(code) => Ok(Some(code.to_owned())),
        Some(_) => field(pointer, Err(form)),
    }
}

/// A language tag of BCP 47; `en` unless said.
///
/// # Errors
/// 422 with the field's pointer.
pub fn locale(pointer: &str, text: Option<&str>) -> Result<String, Problem> {
    let tag = text.unwrap_or("en");
    let part = |part: &str| {
        (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric())
    };
    let language = tag.split('-').next().is_some_and(|first| {
        (2..=3).contains(&first.len()) && first.bytes().all(|b| b.is_ascii_alphabetic())
    });
    if language && tag.len() <= 35 && tag.split('-').all(part) {
        Ok(tag.to_owned())
    } else {
        field(pointer, Err(InvalidText::Form("a language tag such as `en` or `de-AT`")))
    }
}

/// A time zone by its IANA name; `UTC` unless said.
///
/// # Errors
/// 422 with the field's pointer.
pub fn timezone(pointer: &str, text: Option<&str>) -> Result<String, Problem> {
    let name = text.unwrap_or("UTC");
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'_' | b'-' | b'+');
    if (1..=64).contains(&name.len()) && name.bytes().all(fits) && !name.starts_with('/') {
        Ok(name.to_owned())
    } else {
        field(pointer, Err(InvalidText::Form("a time zone such as `Europe/Vienna`")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_values_have_defaults_and_wrong_ones_name_their_field() {
        assert_eq!(locale("/locale", None).unwrap(), "en");
        assert_eq!(timezone("/timezone", None).unwrap(), "UTC");
        assert_eq!(country("/country", None).unwrap(), None);
        assert_eq!(optional_line("/x", Some("  "), 10).unwrap(), None);
        for bad in [
            country("/c", Some("at")).map(drop),
            locale("/c", Some("x")).map(drop),
            timezone("/c", Some("/etc/passwd")).map(drop),
            optional_line("/c", Some("a\u{200b}b"), 10).map(drop),
        ] {
            assert_eq!(bad.unwrap_err().body("").errors[0].pointer, "/c");
        }
    }
}
