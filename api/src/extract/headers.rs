//! The headers that make a request safe to repeat and sure of what it changes.

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use domain::kernel::{Position, Version};
use http::{HeaderName, HeaderValue, header, request::Parts};

use crate::problem::{MISSING_IDEMPOTENCY_KEY, MISSING_IF_MATCH, Problem};

/// The header that answers a command with its place in the log, and asks a query to wait for it.
pub const PLATFORM_POSITION: HeaderName = HeaderName::from_static("platform-position");

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The query parameter that says the same as [`PLATFORM_POSITION`].
pub(crate) const MIN_POSITION: &str = "min_position";

/// The client's name for one intended change; repeating it repeats the answer, not the change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// The key as sent.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<S: Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let mut values = parts.headers.get_all(IDEMPOTENCY_KEY).iter();
        let value = values.next().ok_or_else(|| Problem::new(&MISSING_IDEMPOTENCY_KEY))?;
        let bytes = value.as_bytes();
        let sound = (1..=255).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_graphic);
        match value.to_str() {
            Ok(key) if sound && values.next().is_none() => Ok(Self(key.to_owned())),
            _ => Err(Problem::malformed(
                "`Idempotency-Key` must be one value of 1 to 255 visible ASCII characters",
            )),
        }
    }
}

impl<S: Sync> OptionalFromRequestParts<S> for IdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Option<Self>, Problem> {
        if parts.headers.contains_key(IDEMPOTENCY_KEY) {
            <Self as FromRequestParts<S>>::from_request_parts(parts, state).await.map(Some)
        } else {
            Ok(None)
        }
    }
}

/// The version a change is based on: the `If-Match` header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IfMatch(pub Version);

impl<S: Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let mut values = parts.headers.get_all(header::IF_MATCH).iter();
        let value = values.next().ok_or_else(|| Problem::new(&MISSING_IF_MATCH))?;
        value
            .to_str()
            .ok()
            .filter(|_| values.next().is_none())
            .and_then(parse_etag)
            .map(Self)
            .ok_or_else(|| {
                Problem::malformed("`If-Match` must be one strong `ETag` as the platform sent it")
            })
    }
}

/// The strong `ETag` of a version.
#[must_use]
pub fn etag(version: Version) -> HeaderValue {
    // Digits and quotes are always valid in a header.
    HeaderValue::from_str(&format!("\"{version}\""))
        .unwrap_or_else(|_| HeaderValue::from_static("\"0\""))
}

/// Exactly what [`etag`] writes: neither weak, nor a list, nor `*`.
fn parse_etag(text: &str) -> Option<Version> {
    let digits = text.strip_prefix('"')?.strip_suffix('"')?;
    let version = digits.parse::<i32>().ok().filter(|version| *version >= 0)?;
    (version.to_string() == digits).then_some(Version(version))
}

/// The position a query must have reached before it answers, if the client named one: the
/// `Platform-Position` header, or the parameter `min_position`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MinPosition(pub Option<Position>);

impl<S: Sync> FromRequestParts<S> for MinPosition {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let parse = |text: &str| text.parse::<i64>().ok().filter(|at| *at >= 0).map(Position);
        let from_header = match parts.headers.get(PLATFORM_POSITION) {
            None => None,
            Some(value) => Some(value.to_str().ok().and_then(parse).ok_or_else(|| {
                Problem::malformed("`Platform-Position` must be a position as the platform sent it")
            })?),
        };
        let query = parts.uri.query().unwrap_or_default();
        let from_query = url::form_urlencoded::parse(query.as_bytes())
            .find(|(name, _)| name == MIN_POSITION)
            .map(|(_, value)| {
                parse(&value)
                    .ok_or_else(|| Problem::invalid_field("?min_position", "must be a position"))
            })
            .transpose()?;
        Ok(Self(from_header.max(from_query)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(uri: &str, headers: &[(&str, &str)]) -> Parts {
        let mut request = http::Request::get(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    async fn read<T: FromRequestParts<(), Rejection = Problem>>(
        uri: &str,
        headers: &[(&str, &str)],
    ) -> Result<T, (u16, &'static str)> {
        T::from_request_parts(&mut parts(uri, headers), &())
            .await
            .map_err(|problem| (problem.status().as_u16(), problem.code()))
    }

    #[tokio::test]
    async fn an_idempotency_key_is_visible_ascii() {
        let key = read::<IdempotencyKey>("/", &[("idempotency-key", "a-1")]).await.unwrap();
        assert_eq!(key.as_str(), "a-1");
        let missing = read::<IdempotencyKey>("/", &[]).await;
        assert_eq!(missing, Err((400, "missing-idempotency-key")));
        for bad in ["", "a b", &"a".repeat(256)] {
            let refused = read::<IdempotencyKey>("/", &[("idempotency-key", bad)]).await;
            assert_eq!(refused, Err((400, "malformed")), "{bad:?}");
        }
        let twice = [("idempotency-key", "a"), ("idempotency-key", "b")];
        assert_eq!(read::<IdempotencyKey>("/", &twice).await, Err((400, "malformed")));
    }

    #[tokio::test]
    async fn if_match_is_the_etag_as_sent() {
        let sent = etag(Version(12));
        let headers = [("if-match", sent.to_str().unwrap())];
        assert_eq!(read::<IfMatch>("/", &headers).await, Ok(IfMatch(Version(12))));
        assert_eq!(read::<IfMatch>("/", &[]).await, Err((428, "missing-if-match")));
        for bad in ["12", "W/\"12\"", "*", "\"012\"", "\"-1\"", "\"1\", \"2\"", "\"x\""] {
            let refused = read::<IfMatch>("/", &[("if-match", bad)]).await;
            assert_eq!(refused, Err((400, "malformed")), "{bad}");
        }
    }

    #[tokio::test]
    async fn the_later_position_counts() {
        let header = [("platform-position", "7")];
        let at = |n| Ok(MinPosition(Some(Position(n))));
        assert_eq!(read::<MinPosition>("/", &[]).await, Ok(MinPosition(None)));
        assert_eq!(read::<MinPosition>("/", &header).await, at(7));
        assert_eq!(read::<MinPosition>("/?min_position=9", &header).await, at(9));
        assert_eq!(
            read::<MinPosition>("/?min_position=-1", &[]).await,
            Err((422, "invalid-field"))
        );
        let bad = [("platform-position", "x")];
        assert_eq!(read::<MinPosition>("/", &bad).await, Err((400, "malformed")));
    }
}
