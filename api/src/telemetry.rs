//! The log: one line a request, and whatever is worth telling in between.
//!
//! Owns the format and the span of a request. Refuses to write bodies, queries and credentials:
//! only names, ids, statuses and durations.

use std::{io::IsTerminal, time::Duration};

use axum::{
    extract::{MatchedPath, Request},
    response::Response,
};
use tracing::{Level, Span};
use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt, util::SubscriberInitExt};

use crate::{config::Config, context::RequestContext, health, problem::Cause};

/// What is not written unless `log.filter` asks for it: the NATS client has a line for every try
/// to connect, of which the bell tells once.
const QUIET: &str = "async_nats=off";

/// Why the log cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// `log.filter` is not a list of directives.
    #[error("log.filter cannot be read")]
    Filter(#[source] tracing_subscriber::filter::ParseError),
    /// It was set up before.
    #[error("the log is set up already")]
    Twice(#[source] tracing_subscriber::util::TryInitError),
}

/// Sets up the process's log, on standard error.
///
/// # Errors
/// [`TelemetryError`].
pub fn init(config: &Config) -> Result<(), TelemetryError> {
    let directives = format!("{QUIET},{}", config.log.filter);
    let filter = EnvFilter::try_new(directives).map_err(TelemetryError::Filter)?;
    let registry = tracing_subscriber::registry().with(filter);
    let lines = fmt::layer().with_writer(std::io::stderr);
    // A file or a pipe is no place for colours; on a terminal `NO_COLOR` has its say already.
    let lines = if std::io::stderr().is_terminal() { lines } else { lines.with_ansi(false) };
    if config.logs_json() {
        registry.with(lines.json().flatten_event(true).with_span_list(false)).try_init()
    } else {
        registry.with(lines).try_init()
    }
    .map_err(TelemetryError::Twice)
}

/// The span of a request.
pub(crate) fn span(context: &RequestContext, request: &Request, route: &str) -> Span {
    tracing::info_span!(
        "request",
        request_id = context.request_id(),
        trace_id = context.trace().id_hex(),
        method = request.method().as_str(),
        route,
    )
}

/// The route as declared: what a log line and a metric may show of a path.
#[must_use]
pub fn route(request: &Request) -> String {
    let matched = request.extensions().get::<MatchedPath>();
    matched.map_or_else(|| "unmatched".to_owned(), |path| path.as_str().to_owned())
}

/// The line of a request.
pub(crate) fn line(response: &Response, took: Duration, route: &str) {
    let status = response.status().as_u16();
    let duration_ms = took.as_secs_f64() * 1_000.0;
    if let Some(Cause(cause)) = response.extensions().get::<Cause>() {
        let cause = chain(cause.as_ref());
        tracing::error!(status, duration_ms, cause, "request failed");
    } else if health::is_probe(route) {
        // Worth a line only when they fail.
        tracing::event!(Level::DEBUG, status, duration_ms, "request");
    } else {
        tracing::event!(Level::INFO, status, duration_ms, "request");
    }
}

/// An error with all its sources, outermost first.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        sync::{Arc, Mutex},
    };

    use axum::{Router, body::Body, routing::post};
    use tower::ServiceExt;
    use tracing_subscriber::fmt::MakeWriter;

    use super::*;
    use crate::{edge, metrics::Metrics, problem::Problem, rate::Limits};

    #[derive(Clone, Default)]
    struct Capture(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Capture {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl<'w> MakeWriter<'w> for Capture {
        type Writer = Self;

        fn make_writer(&'w self) -> Self {
            self.clone()
        }
    }

    #[tokio::test]
    async fn a_line_names_the_request_and_shows_no_content() {
        let capture = Capture::default();
        let subscriber = tracing_subscriber::registry()
            .with(fmt::layer().json().flatten_event(true).with_writer(capture.clone()));
        let guard = tracing::subscriber::set_default(subscriber);
        let fail = async || Problem::internal(io::Error::other("the disk is full"));
        let config = Config::default();
        let (metrics, limits) = (Arc::new(Metrics::new()), Arc::new(Limits::new(&config)));
        let lamps = Router::new().route("/lamps/{id}", post(fail));
        let router = edge::around(lamps, &config, &metrics, &limits);
        let request = http::Request::post("/lamps/7?token=canary-query")
            .header("authorization", "Bearer canary-token")
            .header("x-request-id", "order-7")
            .body(Body::from("canary-body"))
            .unwrap();
        let response = router.oneshot(request).await.unwrap();
        drop(guard);
        assert_eq!(response.status(), 500);
        let text = String::from_utf8(capture.0.lock().unwrap().clone()).unwrap();
        assert!(!text.contains("canary"), "{text}");
        assert_eq!(text.lines().count(), 1, "{text}");
        let line: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(line["status"], 500);
        assert_eq!(line["cause"], "the disk is full");
        assert_eq!(line["span"]["request_id"], "order-7");
        assert_eq!(line["span"]["route"], "/lamps/{id}");
    }
}
