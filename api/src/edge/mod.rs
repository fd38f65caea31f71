//! What every request passes on its way to a handler, and every answer on its way back.
//!
//! Owns the order of the layers: the context is outermost, so that whatever refuses within it
//! answers with a trace id, is logged once and counted once.

use std::{any::Any, io, sync::Arc};

use axum::{
    Router,
    extract::{DefaultBodyLimit, Request},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::get,
};
use tower_http::{catch_panic::CatchPanicLayer, compression::CompressionLayer};

use crate::{
    config::Config,
    context,
    health::Health,
    metrics::{self, Metrics},
    problem::{self, METHOD_NOT_ALLOWED, Problem},
    rate::{self, Limits},
    routes::{self, RouteFault},
    security, telemetry,
};

/// A refusal decided before the router: the accept loop puts it into the request, so that it is
/// answered, logged and counted like any other.
#[derive(Debug, Clone)]
pub struct EarlyRefusal(pub Problem);

/// Puts the layers around a router.
pub fn around(
    router: Router,
    config: &Config,
    metrics: &Arc<Metrics>,
    limits: &Arc<Limits>,
) -> Router {
    router
        .method_not_allowed_fallback(async || Problem::new(&METHOD_NOT_ALLOWED))
        .fallback(async || Problem::not_found())
        .layer(DefaultBodyLimit::max(config.http.body_limit_bytes))
        .layer(CompressionLayer::new())
        .layer(middleware::from_fn_with_state(Arc::clone(limits), rate::layer))
        .layer(middleware::from_fn(refuse_early))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(security::cors(&config.http))
        .layer(middleware::from_fn_with_state(
            security::Headers::new(&config.http),
            security::layer,
        ))
        .layer(middleware::from_fn_with_state(Arc::clone(metrics), metrics::layer))
        .layer(middleware::from_fn(telemetry::layer))
        .layer(middleware::from_fn_with_state(config.http.trusted_proxies, context::layer))
}

/// The pages beside the API: probes, metrics, the description, the problem codes.
pub fn pages(health: &Arc<Health>, metrics: &Arc<Metrics>, openapi: Arc<str>) -> Router {
    let measured = Router::new().route("/metrics", get(metrics::page));
    Router::new()
        .route("/problems/{code}", get(problem::page))
        .merge(routes::description(openapi))
        .merge(measured.with_state(Arc::clone(metrics)))
        .merge(health.router())
}

/// Says which routes and entries of the authorisation table do not fit.
#[must_use]
pub fn route_failure(faults: &[RouteFault]) -> io::Error {
    let faults: Vec<_> = faults.iter().map(ToString::to_string).collect();
    io::Error::other(format!("routes and manifests do not fit: {}", faults.join("; ")))
}

async fn refuse_early(request: Request, next: Next) -> Response {
    match request.extensions().get::<EarlyRefusal>() {
        Some(EarlyRefusal(problem)) => problem.clone().into_response(),
        None => next.run(request).await,
    }
}

fn panicked(panic: Box<dyn Any + Send + 'static>) -> Response {
    let text = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a handler panicked".to_owned());
    Problem::internal(text).into_response()
}

#[cfg(test)]
mod tests;
