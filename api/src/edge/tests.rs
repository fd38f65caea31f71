//! The layers together.

use axum::{body::Body, routing::get};
use http::{Request, Response};
use http_body_util::BodyExt;
use serde_json::Value;
use tower::ServiceExt;

use super::*;

fn router(change: impl FnOnce(&mut Config)) -> Router {
    let mut config = Config::default();
    change(&mut config);
    let inner = Router::new()
        .route("/ok", get(async || "ok"))
        .route("/panic", get(async || -> () { panic!("hunter2") }));
    around(inner, &config, &Arc::new(Metrics::new()), &Arc::new(Limits::new(&config)))
}

async fn ask(router: Router, request: Request<Body>) -> (Response<()>, Value) {
    let (parts, body) = router.oneshot(request).await.unwrap().into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    (Response::from_parts(parts, ()), serde_json::from_slice(&bytes).unwrap_or_default())
}

fn to(path: &str) -> Request<Body> {
    Request::get(path).body(Body::empty()).unwrap()
}

#[tokio::test]
async fn every_answer_carries_ids_and_security_headers() {
    for path in ["/ok", "/nowhere", "/panic"] {
        let mut request = to(path);
        let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        request.headers_mut().insert("traceparent", parent.parse().unwrap());
        let (response, body) = ask(router(|_| ()), request).await;
        let headers = response.headers();
        assert_eq!(headers["x-content-type-options"], "nosniff");
        assert_eq!(headers["x-frame-options"], "DENY");
        assert_eq!(headers["cache-control"], "no-store");
        assert_eq!(headers["x-request-id"].len(), 36);
        let trace = "0af7651916cd43dd8448eb211c80319c";
        assert!(headers["traceparent"].to_str().unwrap().contains(trace));
        assert!(!headers.contains_key("strict-transport-security"));
        if path != "/ok" {
            assert_eq!(body["trace_id"], trace, "{path}");
        }
    }
}

#[tokio::test]
async fn a_panic_is_a_constant_answer() {
    let (response, body) = ask(router(|_| ()), to("/panic")).await;
    assert_eq!(response.status(), 500);
    assert_eq!(body["code"], "internal");
    assert!(!body.to_string().contains("hunter2"));
}

#[tokio::test]
async fn hsts_stands_behind_https_only() {
    let https = |config: &mut Config| config.http.public_url = "https://back.example.org".into();
    let (response, _) = ask(router(https), to("/ok")).await;
    assert!(response.headers().contains_key("strict-transport-security"));
}

#[tokio::test]
async fn only_configured_origins_may_call_from_browsers() {
    let allow =
        |config: &mut Config| config.http.cors_origins = vec!["https://a.example.org".into()];
    for (origin, allowed) in [("https://a.example.org", true), ("https://b.example.org", false)] {
        let request = Request::options("/ok")
            .header("origin", origin)
            .header("access-control-request-method", "PUT")
            .header("access-control-request-headers", "if-match")
            .body(Body::empty())
            .unwrap();
        let (response, _) = ask(router(allow), request).await;
        let headers = response.headers();
        assert_eq!(headers.contains_key("access-control-allow-origin"), allowed, "{origin}");
        assert!(!headers.contains_key("access-control-allow-credentials"));
    }
}

#[tokio::test]
async fn an_allowed_page_can_read_why_it_is_refused() {
    let few = |config: &mut Config| {
        config.http.cors_origins = vec!["https://a.example.org".into()];
        config.rate_limit.per_address_per_minute = 1;
    };
    let router = router(few);
    for status in [200, 429] {
        let mut request = to("/ok");
        request.headers_mut().insert("origin", "https://a.example.org".parse().unwrap());
        let (response, _) = ask(router.clone(), request).await;
        assert_eq!(response.status(), status);
        assert_eq!(response.headers()["access-control-allow-origin"], "https://a.example.org");
        let exposed = response.headers()["access-control-expose-headers"].to_str().unwrap();
        for name in ["ratelimit-limit", "ratelimit-remaining", "ratelimit-reset"] {
            assert!(response.headers().contains_key(name) && exposed.contains(name), "{name}");
        }
    }
}

#[tokio::test]
async fn requests_are_counted_by_route() {
    let (config, metrics) = (Config::default(), Arc::new(Metrics::new()));
    let inner = Router::new().route("/lamps/{id}", get(async || "lit"));
    let router = around(inner, &config, &metrics, &Arc::new(Limits::new(&config)));
    for path in ["/lamps/1", "/lamps/2", "/nowhere"] {
        ask(router.clone(), to(path)).await;
    }
    let text = metrics.text().unwrap();
    for count in [
        "{method=\"GET\",route=\"/lamps/{id}\",status=\"200\"} 2",
        "{method=\"GET\",route=\"unmatched\",status=\"404\"} 1",
    ] {
        let line = format!("http_server_request_duration_seconds_count{count}");
        assert!(text.contains(&line), "{text}");
    }
}

#[tokio::test]
async fn forged_forwarding_headers_change_nothing() {
    let echo = get(async |context: context::RequestContext| context.client().to_string());
    let config = Config::default();
    let limits = Arc::new(Limits::new(&config));
    let router =
        around(Router::new().route("/me", echo), &config, &Arc::new(Metrics::new()), &limits);
    let mut request = to("/me");
    request.headers_mut().insert("x-forwarded-for", "203.0.113.9".parse().unwrap());
    request.extensions_mut().insert(context::PeerAddress("10.0.0.1:9".parse().unwrap()));
    let response = router.oneshot(request).await.unwrap();
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(bytes, "10.0.0.1");
}

#[tokio::test]
async fn wrong_paths_and_methods_are_problems() {
    for (method, path, status, code) in [
        ("DELETE", "/ok", 405, "method-not-allowed"),
        ("GET", "/nowhere", 404, "not-found"),
        ("BREW", "/nowhere", 404, "not-found"),
    ] {
        let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
        let (response, problem) = ask(router(|_| ()), request).await;
        assert_eq!(response.status(), status, "{path}");
        assert_eq!(response.headers().contains_key("allow"), status == 405, "{path}");
        assert_eq!(problem["code"], code);
    }
}

#[tokio::test]
async fn the_pages_beside_the_api_are_served() {
    let config = Config::default();
    let metrics = Arc::new(Metrics::new());
    let pages = pages(&Arc::new(Health::new()), &metrics, "{}".into());
    let router = around(pages, &config, &metrics, &Arc::new(Limits::new(&config)));
    for path in ["/healthz", "/metrics", "/docs", "/openapi.json", "/problems/not-found"] {
        let (response, _) = ask(router.clone(), to(path)).await;
        assert_eq!(response.status(), 200, "{path}");
    }
}
