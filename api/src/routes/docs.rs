//! `/openapi.json`, and `/docs`: a page that shows it without any network.

use std::sync::Arc;

use axum::{Router, body::Bytes, response::IntoResponse, routing::get};
use http::{HeaderName, HeaderValue, header};

const INDEX: &str = include_str!("../../assets/docs/index.html");
const STYLE: &str = include_str!("../../assets/docs/docs.css");
const SCRIPT: &str = include_str!("../../assets/docs/docs.js");

/// The pages may load what this server serves, and nothing else.
const DOCS_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
     connect-src 'self'; img-src 'self' data:; base-uri 'none'; frame-ancestors 'none'";

/// Serves the description of the routes.
pub fn description<S: Clone + Send + Sync + 'static>(openapi: Arc<str>) -> Router<S> {
    // One text for all answers: it is much, and anybody may ask for it.
    let openapi = Bytes::copy_from_slice(openapi.as_bytes());
    let json = move || {
        let openapi = openapi.clone();
        async move { typed("application/json", openapi) }
    };
    Router::new()
        .route("/openapi.json", get(json))
        .route("/docs", get(async || typed("text/html; charset=utf-8", INDEX)))
        .route("/docs/docs.css", get(async || typed("text/css; charset=utf-8", STYLE)))
        .route("/docs/docs.js", get(async || typed("text/javascript; charset=utf-8", SCRIPT)))
}

fn typed<B: IntoResponse>(media_type: &'static str, body: B) -> impl IntoResponse {
    let policy: HeaderName = header::CONTENT_SECURITY_POLICY;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(media_type)),
        (policy, HeaderValue::from_static(DOCS_POLICY)),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    ];
    (headers, body)
}
