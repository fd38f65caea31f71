//! Metrics, named as OpenTelemetry names them, in the OpenMetrics text format.
//!
//! Owns the registry, the duration of requests and the count of refusals. Refuses labels without bound: a path is
//! counted by its route, an unknown method as one.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use http::{Method, header};
use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, histogram::Histogram},
    registry::{Registry, Unit},
};

use crate::problem::{self, Code, Problem};

const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The boundaries OpenTelemetry recommends for request durations, in seconds.
const BUCKETS: [f64; 14] =
    [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

type Durations = Family<RequestLabels, Histogram, fn() -> Histogram>;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    method: &'static str,
    route: String,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ProblemLabels {
    code: &'static str,
}

/// Refusals by their code. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Refusals(Family<ProblemLabels, Counter>);

impl Refusals {
    /// Every code of the catalogue at zero, so that the first of its kind is a rise.
    pub(crate) fn new() -> Self {
        let family = Family::default();
        for known in problem::all() {
            drop(family.get_or_create(&ProblemLabels { code: known.code }));
        }
        Self(family)
    }

    /// Counts an answer, if it is a refusal.
    pub fn count(&self, response: &Response) {
        if let Some(Code(code)) = response.extensions().get() {
            self.0.get_or_create(&ProblemLabels { code }).inc();
        }
    }
}

/// The metrics of the process.
pub struct Metrics {
    registry: Mutex<Registry>,
    durations: Durations,
    refusals: Refusals,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// A registry with the request durations and the refusals.
    #[must_use]
    pub fn new() -> Self {
        let durations: Durations = Family::new_with_constructor(|| Histogram::new(BUCKETS));
        let mut registry = Registry::default();
        registry.register_with_unit(
            "http_server_request_duration",
            "Duration of HTTP requests",
            Unit::Seconds,
            durations.clone(),
        );
        let refusals = Refusals::new();
        registry.register(
            "http_server_problems",
            "Answers that were refusals, by the code of the problem",
            refusals.0.clone(),
        );
        Self { registry: Mutex::new(registry), durations, refusals }
    }

    /// Counts an answer to a request of a route, which took so long.
    pub fn observe(&self, method: &Method, route: String, response: &Response, took: Duration) {
        let status = response.status().as_u16();
        let labels = RequestLabels { method: known(method), route, status };
        self.durations.get_or_create(&labels).observe(took.as_secs_f64());
        self.refusals.count(response);
    }

    /// Where refusals are counted that no middleware sees.
    #[must_use]
    pub fn refusals(&self) -> Refusals {
        self.refusals.clone()
    }

    /// Lets a part of the process add its own metrics.
    pub fn register(&self, add: impl FnOnce(&mut Registry)) {
        add(&mut self.lock());
    }

    /// Everything, as `/metrics` shows it.
    ///
    /// # Errors
    /// If a metric cannot be written as text.
    pub fn text(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.lock()).map(|()| text)
    }

    fn lock(&self) -> MutexGuard<'_, Registry> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `GET /metrics`.
///
/// # Errors
/// `internal` if a metric cannot be written as text.
pub async fn page(State(metrics): State<Arc<Metrics>>) -> Result<Response, Problem> {
    let text = metrics.text().map_err(Problem::internal)?;
    Ok(([(header::CONTENT_TYPE, CONTENT_TYPE)], text).into_response())
}

/// A client can invent methods; a metric cannot hold them all.
fn known(method: &Method) -> &'static str {
    const KNOWN: [&str; 7] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];
    KNOWN.into_iter().find(|known| *known == method.as_str()).unwrap_or("_OTHER")
}

#[cfg(test)]
mod tests {
    use axum::{Router, body::Body, routing::get};
    use http_body_util::BodyExt;
    use prometheus_client::metrics::gauge::Gauge;
    use tower::ServiceExt;

    use super::*;

    #[tokio::test]
    async fn requests_are_counted_and_others_can_add() {
        let metrics = Arc::new(Metrics::new());
        let lag: Gauge = Gauge::default();
        lag.set(7);
        metrics
            .register(|registry| registry.register("platform_projection_lag_events", "Lag", lag));
        for _ in 0..3 {
            let answer = "lit".into_response();
            metrics.observe(&Method::GET, "/lamps/{id}".into(), &answer, Duration::from_millis(7));
        }
        let router = Router::new().route("/metrics", get(page).with_state(metrics));
        let request = http::Request::get("/metrics").body(Body::empty()).unwrap();
        let response = router.oneshot(request).await.unwrap();
        assert_eq!(response.headers()[header::CONTENT_TYPE], CONTENT_TYPE);
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        let text = String::from_utf8_lossy(&bytes);
        let count = "http_server_request_duration_seconds_count\
                     {method=\"GET\",route=\"/lamps/{id}\",status=\"200\"} 3";
        assert!(text.contains(count), "{text}");
        assert!(text.contains("platform_projection_lag_events 7"), "{text}");
        assert!(text.ends_with("# EOF\n"));
    }

    #[test]
    fn invented_methods_are_one() {
        assert_eq!(known(&Method::from_bytes(b"BREW").unwrap()), "_OTHER");
    }
}
