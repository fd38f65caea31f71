//! Security headers and CORS.

use axum::response::Response;
use http::{HeaderName, HeaderValue, Method, header};
use tower_http::cors::{AllowOrigin, CorsLayer};

use crate::{
    config::Http,
    context::{REQUEST_ID, TRACEPARENT},
    extract::PLATFORM_POSITION,
};

/// An answer that is not a page may load nothing and stand nowhere.
const API_POLICY: &str = "default-src 'none'; frame-ancestors 'none'";
/// Two years, as browsers ask before they preload it.
const HSTS: &str = "max-age=63072000; includeSubDomains";
const PREFLIGHT_SECONDS: u64 = 600;

/// The headers every answer carries.
#[derive(Debug, Clone)]
pub struct Headers {
    https: bool,
}

impl Headers {
    /// Behind an https URL browsers are told to stay with it.
    #[must_use]
    pub fn new(http: &Http) -> Self {
        Self { https: http.public_url.starts_with("https://") }
    }

    /// Adds those that an answer does not set itself.
    pub fn add(&self, response: &mut Response) {
        let mut add = |name: HeaderName, value: &'static str| {
            response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
        };
        add(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
        add(header::X_FRAME_OPTIONS, "DENY");
        add(header::REFERRER_POLICY, "no-referrer");
        add(header::CONTENT_SECURITY_POLICY, API_POLICY);
        add(header::CACHE_CONTROL, "no-store");
        add(HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
        add(HeaderName::from_static("cross-origin-resource-policy"), "same-site");
        if self.https {
            add(header::STRICT_TRANSPORT_SECURITY, HSTS);
        }
    }
}

/// Lets the configured origins call from browsers; no other, and never with cookies. Nothing if
/// there are none: then no browser needs an answer.
pub fn cors(http: &Http) -> Option<CorsLayer> {
    let origins = http.cors_origins.iter().filter_map(|origin| HeaderValue::from_str(origin).ok());
    let origins: Vec<_> = origins.collect();
    (!origins.is_empty()).then(|| allowing(origins))
}

fn allowing(origins: Vec<HeaderValue>) -> CorsLayer {
    CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins))
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
        .allow_headers([
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            header::IF_MATCH,
            HeaderName::from_static("idempotency-key"),
            PLATFORM_POSITION,
            REQUEST_ID,
            TRACEPARENT,
        ])
        .expose_headers([
            header::ETAG,
            header::LINK,
            header::RETRY_AFTER,
            HeaderName::from_static("ratelimit-limit"),
            HeaderName::from_static("ratelimit-remaining"),
            HeaderName::from_static("ratelimit-reset"),
            PLATFORM_POSITION,
            REQUEST_ID,
            TRACEPARENT,
        ])
        .max_age(std::time::Duration::from_secs(PREFLIGHT_SECONDS))
}
