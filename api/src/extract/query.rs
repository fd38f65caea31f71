//! The query of a request.

use std::collections::BTreeSet;

use axum::extract::FromRequestParts;
use http::request::Parts;
use serde::de::DeserializeOwned;

use super::{headers::MIN_POSITION, misfit::Misfit};
use crate::problem::Problem;

/// The query parameters, read strictly: no unknown one, none twice.
///
/// Give the type `#[serde(deny_unknown_fields)]`. The parameter `min_position` is left out here
/// because every list understands it, through [`MinPosition`](super::MinPosition).
#[derive(Debug, Clone, Copy, Default)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        read(parts.uri.query().unwrap_or_default()).map(Self)
    }
}

fn read<T: DeserializeOwned>(query: &str) -> Result<T, Problem> {
    let mut seen = BTreeSet::new();
    let mut kept = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        if !seen.insert(name.clone()) {
            let detail = "is given more than once";
            return Err(Problem::invalid_field(format!("?{name}"), detail));
        }
        if name != MIN_POSITION {
            kept.append_pair(&name, &value);
        }
    }
    let kept = kept.finish();
    let source = serde_urlencoded::Deserializer::new(url::form_urlencoded::parse(kept.as_bytes()));
    serde_path_to_error::deserialize(source).map_err(|error| {
        let parameter = format!("?{}", error.path().to_string().trim_matches('.'));
        misfit(parameter, &error.into_inner().to_string())
    })
}

fn misfit(parameter: String, message: &str) -> Problem {
    match Misfit::of(message) {
        Misfit::UnknownField(name) => Problem::unknown_field(format!("?{name}"), message),
        Misfit::UnknownVariant => Problem::unknown_field(parameter, message),
        Misfit::MissingField(name) => Problem::invalid_field(format!("?{name}"), "is required"),
        Misfit::Other(what) => Problem::invalid_field(parameter, what),
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::extract::Limit;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Filter {
        status: Option<Status>,
        #[serde(default)]
        limit: Limit,
        after: Option<u64>,
        live: Option<bool>,
        id: Option<uuid::Uuid>,
        from: Option<chrono::DateTime<chrono::Utc>>,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(rename_all = "snake_case")]
    enum Status {
        Active,
    }

    #[track_caller]
    fn refused(query: &str, code: &str, pointer: &str) {
        let body = read::<Filter>(query).unwrap_err().body("");
        assert_eq!((body.status, body.code.as_str()), (422, code), "{query}");
        assert_eq!(body.errors[0].pointer, pointer, "{query}: {}", body.errors[0].detail);
    }

    #[test]
    fn known_parameters_are_read() {
        let filter: Filter = read("status=active&limit=7&min_position=12").unwrap();
        assert_eq!(filter.status, Some(Status::Active));
        assert_eq!(filter.limit.get(), 7);
        assert_eq!(read::<Filter>("").unwrap().limit.get(), 50);
    }

    #[test]
    fn everything_else_is_refused() {
        refused("page=2", "unknown-field", "?page");
        refused("status=closed", "unknown-field", "?status");
        refused("limit=x", "invalid-field", "?limit");
        refused("limit=0", "invalid-field", "?limit");
        refused("limit=201", "invalid-field", "?limit");
        refused("limit=1&limit=2", "invalid-field", "?limit");
    }

    #[test]
    fn a_refusal_says_what_is_expected() {
        let limit = "must be a whole number from 1 to 200";
        let instant = "must be an instant with a zone, such as `2026-11-22T00:00:00Z` (RFC 3339)";
        for (query, expected) in [
            ("limit=0", limit),
            ("limit=abc", limit),
            ("limit=100000", limit),
            ("after=-5", "must be a whole number, 0 or more"),
            ("after=", "must be a whole number, 0 or more"),
            ("after=99999999999999999999", "is too large a number"),
            ("live=yes", "must be `true` or `false`"),
            ("id=acme-guide", "must be an id (a UUID)"),
            ("from=2026-11-22", instant),
            ("from=2026-11-22T00:00:00", instant),
            ("from=2026-11-32T00:00:00Z", instant),
            ("from=x", instant),
            ("from=2026-11-22T00:00:00Zx", instant),
        ] {
            let body = read::<Filter>(query).unwrap_err().body("");
            assert_eq!(body.errors[0].detail, expected, "{query}");
        }
    }
}
