//! Texts of request bodies, parsed once; each fault names its field.

use domain::kernel::{self, InvalidText, one_line};

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

/// Where somebody is, and how they read and write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Locality {
    /// ISO 3166-1 alpha-2.
    pub country: Option<String>,
    /// BCP 47.
    pub locale: String,
    /// IANA name.
    pub timezone: String,
}

/// The fields `country`, `locale` and `timezone` of a body. The language is `en` and the time zone
/// `UTC` unless said.
///
/// # Errors
/// 422 with the pointer of each field at fault.
pub fn locality(
    country: Option<&str>,
    locale: Option<&str>,
    timezone: Option<&str>,
) -> Result<Locality, Problem> {
    let country = field("/country", country.map(kernel::country).transpose());
    let locale = field("/locale", kernel::language_tag(locale.unwrap_or("en")));
    let timezone = field("/timezone", kernel::time_zone(timezone.unwrap_or("UTC")));
    let (country, (locale, timezone)) = both(country, both(locale, timezone))?;
    Ok(Locality { country, locale, timezone })
}

/// Two fields, each parsed for itself; if both are at fault, the problem names both.
///
/// # Errors
/// 422 with the pointer of each field at fault.
pub fn both<A, B>(one: Result<A, Problem>, other: Result<B, Problem>) -> Result<(A, B), Problem> {
    match (one, other) {
        (Ok(one), Ok(other)) => Ok((one, other)),
        (Err(one), Err(other)) => Err(one.and(other)),
        (Err(fault), Ok(_)) | (Ok(_), Err(fault)) => Err(fault),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pointers(problem: &Problem) -> Vec<String> {
        problem.body("").errors.into_iter().map(|error| error.pointer).collect()
    }

    #[test]
    fn absent_values_have_defaults() {
        let Locality { country, locale, timezone } = locality(None, None, None).unwrap();
        assert_eq!((country, &*locale, &*timezone), (None, "en", "UTC"));
        assert_eq!(optional_line("/x", Some("  "), 10).unwrap(), None);
        let vienna = locality(Some("AT"), Some("de-AT"), Some("europe/vienna")).unwrap();
        assert_eq!(vienna.timezone, "Europe/Vienna");
    }

    #[test]
    fn every_field_at_fault_is_named() {
        let wrong = locality(Some("ZZ"), Some("xx-bogus"), Some("Mars/X")).unwrap_err();
        assert_eq!(pointers(&wrong), ["/country", "/locale", "/timezone"]);
        let one = locality(Some("AT"), Some("en"), Some("Mars/X")).unwrap_err();
        assert_eq!(pointers(&one), ["/timezone"]);
        let line = optional_line("/c", Some("a\u{200b}b"), 10).unwrap_err();
        assert_eq!(pointers(&line), ["/c"]);
    }
}
