//! What is known of a request before anybody reads it: its id, its trace, where it came from.
//!
//! Owns `x-request-id`, W3C `traceparent` in and out, and the client's address behind trusted
//! proxies. Refuses to trust what a client claims: an insane id is replaced, and forwarding
//! headers count only as far as the configured number of proxies reaches.

mod client;
mod trace;

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
};

use axum::{
    extract::{FromRequestParts, Request},
    response::{IntoResponse, Response},
};
use domain::kernel::{Personal, RequestInfo};
use http::{HeaderMap, HeaderName, HeaderValue, header, request::Parts};
use uuid::Uuid;

pub use client::{Network, PeerAddress, client_address};
pub use trace::Trace;

use crate::{clock::mint, problem::Problem};

/// The header that names a request.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The W3C header that ties a request to a trace.
pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

const USER_AGENT_MAX_CHARS: usize = 256;

tokio::task_local! {
    static CURRENT: RequestContext;
}

/// The context of the request being answered. Cheap to clone.
#[derive(Debug, Clone)]
pub struct RequestContext(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    request_id: String,
    trace: Trace,
    client: IpAddr,
    user_agent: Option<String>,
}

impl RequestContext {
    /// Reads the context of a request from its headers and the address of its peer.
    #[must_use]
    pub fn read(headers: &HeaderMap, peer: IpAddr, trusted_proxies: usize) -> Self {
        let text = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
        let user_agent = text(&header::USER_AGENT)
            .map(|agent| agent.chars().take(USER_AGENT_MAX_CHARS).collect());
        Self(Arc::new(Inner {
            request_id: text(&REQUEST_ID)
                .filter(|id| sane_id(id))
                .map_or_else(|| mint().to_string(), str::to_owned),
            trace: text(&TRACEPARENT).and_then(Trace::parse).unwrap_or_else(Trace::start),
            client: client_address(headers, peer, trusted_proxies),
            user_agent,
        }))
    }

    /// The request's id: the client's if it was sane, else ours.
    #[must_use]
    pub fn request_id(&self) -> &str {
        &self.0.request_id
    }

    /// The trace this request belongs to.
    #[must_use]
    pub fn trace(&self) -> Trace {
        self.0.trace
    }

    /// Shared by everything this request leads to: the trace id as a UUID.
    #[must_use]
    pub fn correlation_id(&self) -> Uuid {
        self.0.trace.id()
    }

    /// The client's address.
    #[must_use]
    pub fn client(&self) -> IpAddr {
        self.0.client
    }

    /// The client's own description of itself, cut to 256 characters.
    #[must_use]
    pub fn user_agent(&self) -> Option<&str> {
        self.0.user_agent.as_deref()
    }

    /// What an event keeps of the request.
    #[must_use]
    pub fn info(&self) -> RequestInfo {
        RequestInfo {
            id: self.0.request_id.clone(),
            ip: Some(Personal::Open(self.0.client.to_string())),
            user_agent: self.0.user_agent.clone().map(Personal::Open),
        }
    }
}

/// The trace id of the request being answered, or nothing outside of one.
#[must_use]
pub fn trace_id() -> String {
    CURRENT.try_with(|context| context.trace().id_hex()).unwrap_or_default()
}

/// The context of the request being answered.
#[must_use]
pub fn current() -> Option<RequestContext> {
    CURRENT.try_with(Clone::clone).ok()
}

/// The context of a request, which the accept loop made, or else this does.
pub(crate) fn of(request: &mut Request, trusted_proxies: usize) -> RequestContext {
    let extensions = request.extensions();
    if let Some(context) = extensions.get::<RequestContext>() {
        return context.clone();
    }
    let unknown = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    let peer = extensions.get::<PeerAddress>().map_or(unknown, |peer| peer.0.ip());
    let context = RequestContext::read(request.headers(), peer, trusted_proxies);
    request.extensions_mut().insert(context.clone());
    context
}

/// Answers a request within its context, and names that in the answer.
pub(crate) async fn within(
    context: RequestContext,
    answer: impl Future<Output = Response>,
) -> Response {
    let response = CURRENT.scope(context.clone(), answer).await;
    named(&context, response)
}

/// A problem as the answer to a request that never reached the layer.
pub fn answer(context: &RequestContext, problem: Problem) -> Response {
    named(context, CURRENT.sync_scope(context.clone(), || problem.into_response()))
}

fn named(context: &RequestContext, mut response: Response) -> Response {
    let trace = context.trace().header();
    for (name, value) in [(REQUEST_ID, context.request_id()), (TRACEPARENT, &trace)] {
        if let Ok(value) = HeaderValue::from_str(value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// Ids go into logs and events: 1 to 128 letters, digits, `.`, `_`, `-`.
fn sane_id(id: &str) -> bool {
    (1..=128).contains(&id.len())
        && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

impl<S: Sync> FromRequestParts<S> for RequestContext {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        parts
            .extensions
            .get::<Self>()
            .cloned()
            .ok_or_else(|| Problem::internal("the context layer is not in front of this route"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: HeaderName, value: &str) -> RequestContext {
        let mut headers = HeaderMap::new();
        headers.insert(name, HeaderValue::from_str(value).unwrap());
        RequestContext::read(&headers, IpAddr::from([10, 0, 0, 1]), 0)
    }

    #[test]
    fn a_sane_request_id_is_kept_and_any_other_replaced() {
        assert_eq!(read(REQUEST_ID, "order-7.b_2").request_id(), "order-7.b_2");
        for insane in ["", "a b", "a\"b", &"a".repeat(129), "x\u{7f}"] {
            let mut headers = HeaderMap::new();
            if let Ok(value) = HeaderValue::from_str(insane) {
                headers.insert(REQUEST_ID, value);
            }
            let context = RequestContext::read(&headers, IpAddr::from([10, 0, 0, 1]), 0);
            assert_eq!(context.request_id().len(), 36, "{insane:?}");
        }
    }

    #[test]
    fn the_trace_of_the_client_goes_on() {
        let context = read(TRACEPARENT, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
        assert_eq!(context.trace().id_hex(), "0af7651916cd43dd8448eb211c80319c");
        assert_eq!(context.correlation_id().simple().to_string(), context.trace().id_hex());
    }

    #[test]
    fn a_long_user_agent_is_cut() {
        let context = read(header::USER_AGENT, &"x".repeat(1_000));
        assert_eq!(context.user_agent().unwrap().len(), 256);
        assert_eq!(context.info().ip.unwrap().text(), Some("10.0.0.1"));
    }
}
