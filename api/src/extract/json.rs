//! The JSON body of a request.

use axum::{
    extract::{FromRequest, Request},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, header};
use serde::{Serialize, de::DeserializeOwned};

use super::{body, strict};
use crate::problem::{Problem, UNSUPPORTED_MEDIA_TYPE};

/// A JSON body, read strictly; also a JSON answer.
///
/// Give the type `#[serde(deny_unknown_fields)]`, without which unknown names would be ignored.
#[derive(Debug, Clone, Copy, Default)]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        if !is_json(request.headers()) {
            return Err(Problem::new(&UNSUPPORTED_MEDIA_TYPE));
        }
        let bytes = body::bytes(request, state).await?;
        strict::from_slice(&bytes).map(Self)
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

/// `application/json` or `application/…+json`, in UTF-8.
pub(crate) fn is_json(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok())
    else {
        return false;
    };
    let mut parts = value.split(';').map(|part| part.trim().to_ascii_lowercase());
    let essence = parts.next().unwrap_or_default();
    let json = essence == "application/json"
        || (essence.starts_with("application/") && essence.ends_with("+json"));
    json && parts.all(|parameter| {
        parameter.strip_prefix("charset=").is_none_or(|set| set.trim_matches('"') == "utf-8")
    })
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    #[derive(serde::Deserialize)]
    struct Seven {
        n: u8,
    }

    async fn read(media_type: Option<&str>, body: &'static str) -> Result<u8, &'static str> {
        let mut request = http::Request::post("/");
        if let Some(media_type) = media_type {
            request = request.header(header::CONTENT_TYPE, media_type);
        }
        let request = request.body(Body::from(body)).unwrap();
        let read = Json::<Seven>::from_request(request, &()).await;
        read.map(|Json(seven)| seven.n).map_err(|problem| problem.code())
    }

    #[tokio::test]
    async fn only_json_in_utf_8_is_read() {
        assert_eq!(read(Some("application/json"), r#"{"n":7}"#).await, Ok(7));
        assert_eq!(read(Some("application/JSON; charset=\"UTF-8\""), r#"{"n":7}"#).await, Ok(7));
        assert_eq!(read(Some("application/merge-patch+json"), r#"{"n":7}"#).await, Ok(7));
        for other in ["text/plain", "application/json; charset=latin1", "text/json"] {
            assert_eq!(
                read(Some(other), r#"{"n":7}"#).await,
                Err("unsupported-media-type"),
                "{other}"
            );
        }
        assert_eq!(read(None, r#"{"n":7}"#).await, Err("unsupported-media-type"));
    }

    #[tokio::test]
    async fn a_body_beyond_the_limit_is_refused() {
        let limited = axum::Router::new()
            .route("/", axum::routing::post(|Json(_): Json<Seven>| async {}))
            .layer(axum::extract::DefaultBodyLimit::max(4));
        let request = http::Request::post("/")
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from("{\"n\":7}"))
            .unwrap();
        let response = tower::ServiceExt::oneshot(limited, request).await.unwrap();
        assert_eq!(response.status(), 413);
    }
}
