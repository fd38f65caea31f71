//! What every request passes on its way to a handler, and every answer on its way back.
//!
//! Owns the order of things: the context is outermost, so that whatever refuses within it answers
//! with a trace id, is logged once and counted once. All of ours is one layer, because a router
//! copies everything inside of a layer for each request: the cost of layers is the square of their
//! number.

use std::{any::Any, convert::Infallible, io, panic::AssertUnwindSafe, sync::Arc, time::Instant};

use axum::{
    Router,
    body::{Body, HttpBody},
    extract::{DefaultBodyLimit, Request, State},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::get,
};
use futures_util::FutureExt;
use tower::{Layer, ServiceExt, service_fn};
use tower_http::{compression::CompressionLayer, cors::CorsLayer};
use tracing::Instrument;

use crate::{
    config::Config,
    context::{self, RequestContext},
    health::Health,
    metrics::{self, Metrics},
    problem::{self, METHOD_NOT_ALLOWED, Problem},
    rate::Limits,
    routes::{self, RouteFault},
    security, telemetry,
};

/// A refusal decided before the router: the accept loop puts it into the request, so that it is
/// answered, logged and counted like any other.
#[derive(Debug, Clone)]
pub struct EarlyRefusal(pub Problem);

/// What the body of an answer takes of memory: its bytes before they are compressed, which are held
/// until the last of them is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size(pub(crate) u64);

/// Puts the layers around a router.
pub fn around(
    router: Router,
    config: &Config,
    metrics: &Arc<Metrics>,
    limits: &Arc<Limits>,
) -> Router {
    let edge = Edge {
        trusted_proxies: config.http.trusted_proxies,
        body_limit: DefaultBodyLimit::max(config.http.body_limit_bytes),
        headers: security::Headers::new(&config.http),
        cors: security::cors(&config.http),
        metrics: Arc::clone(metrics),
        limits: Arc::clone(limits),
    };
    router
        .method_not_allowed_fallback(async || Problem::new(&METHOD_NOT_ALLOWED))
        .fallback(async || Problem::not_found())
        .layer(middleware::from_fn_with_state(Arc::new(edge), pass))
}

/// What the layer needs to know.
struct Edge {
    trusted_proxies: usize,
    body_limit: DefaultBodyLimit,
    headers: security::Headers,
    cors: Option<CorsLayer>,
    metrics: Arc<Metrics>,
    limits: Arc<Limits>,
}

/// The layer: context, log and metrics, headers.
async fn pass(State(edge): State<Arc<Edge>>, mut request: Request, next: Next) -> Response {
    let context = context::of(&mut request, edge.trusted_proxies);
    let (route, method) = (telemetry::route(&request), request.method().clone());
    let span = telemetry::span(&context, &request, &route);
    let answer = async {
        let started = Instant::now();
        let mut response = admit(&edge, &context, request, next).instrument(span.clone()).await;
        edge.headers.add(&mut response);
        let took = started.elapsed();
        span.in_scope(|| telemetry::line(&response, took, &route));
        edge.metrics.observe(&method, route, &response, took);
        response
    };
    context::within(context.clone(), answer).await
}

/// Lets browsers know what their pages may ask, where any page may ask anything.
async fn admit(
    edge: &Arc<Edge>,
    context: &RequestContext,
    request: Request,
    next: Next,
) -> Response {
    let Some(cors) = &edge.cors else {
        return guard(edge, context, request, next).await;
    };
    let inner = service_fn(|request| {
        let (edge, context, next) = (Arc::clone(edge), context.clone(), next.clone());
        async move { Ok::<_, Infallible>(guard(&edge, &context, request, next).await) }
    });
    let Ok(response) = cors.layer(inner).oneshot(request).await;
    response
}

/// Refuses what is too much and what the accept loop refused, which counts like any other, and
/// survives what panics.
async fn guard(
    edge: &Edge,
    context: &RequestContext,
    mut request: Request,
    next: Next,
) -> Response {
    let allowance = match edge.limits.network(context, request.uri().path()) {
        Ok(allowance) => allowance,
        Err(problem) => return problem.into_response(),
    };
    let mut response = if let Some(EarlyRefusal(problem)) = request.extensions().get() {
        problem.clone().into_response()
    } else {
        edge.body_limit.apply(&mut request);
        let answer = AssertUnwindSafe(compressed(request, next)).catch_unwind().await;
        answer.unwrap_or_else(panicked)
    };
    if let Some(allowance) = allowance {
        allowance.tell(&mut response);
    }
    response
}

/// Answers, in fewer bytes if the client takes them. The layer stands around the layered router by
/// hand: among the router's own it would be copied, with all inside of it, for each request.
async fn compressed(request: Request, next: Next) -> Response {
    let next = next.map_response(|mut response: Response| {
        let size = Size(response.body().size_hint().lower());
        response.extensions_mut().insert(size);
        response
    });
    let Ok(response) = CompressionLayer::new().layer(next).oneshot(request).await;
    response.map(Body::new)
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
