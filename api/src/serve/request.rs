//! One request: read whole, answered in a task of its own.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, Request, Uri, Version, header};
use hyper::body::Incoming;
use tokio::{sync::OwnedSemaphorePermit, time};
use tower::ServiceExt;

use super::{Shared, activity::Activity, body, framing::Ambiguous};
use crate::{
    context::{self, PeerAddress, RequestContext},
    door::Place,
    edge::EarlyRefusal,
    health,
    problem::{OVERLOADED, Problem, TIMEOUT},
};

/// Answers a request. The handler goes on when nobody waits for it any more, because the client
/// left or the time is over: what it began, it ends.
pub(super) async fn answer(
    request: Request<Incoming>,
    peer: SocketAddr,
    shared: Arc<Shared>,
    ambiguous: Ambiguous,
    activity: Activity,
) -> Response {
    let limits = &shared.limits;
    let context = RequestContext::read(request.headers(), peer.ip(), limits.trusted_proxies);
    let version = request.version();
    let (mut parts, incoming) = request.into_parts();
    parts.extensions.insert(PeerAddress(peer));
    parts.extensions.insert(context.clone());

    let read = if ambiguous.found() {
        Err(Problem::malformed("a request has either `Content-Length` or `Transfer-Encoding`"))
    } else {
        // Whoever watches the process is not counted, and has nothing to send.
        let most = if health::is_probe(parts.uri.path()) { 0 } else { limits.body_bytes };
        let reading = shared.bodies.read(incoming, most);
        time::timeout(limits.body, reading).await.unwrap_or_else(|_| Err(body::too_slow()))
    };
    let _answering = activity.answering();
    let refused = read.is_err();
    let (body, held) = match read {
        Ok((bytes, held)) => (Body::from(bytes), held),
        Err(problem) => {
            parts.extensions.insert(EarlyRefusal(problem));
            (Body::empty(), None)
        }
    };
    let counted = |problem| {
        let response = context::answer(&context, problem);
        shared.refusals.count(&response);
        response
    };
    let Some(admitted) = Admitted::wait(&parts.uri, &shared).await else {
        return counted(Problem::new(&OVERLOADED).retry_after(1));
    };
    let router = shared.router.clone();
    // Boxed, because a task is aligned to cache lines, and a large one would take the slow way
    // through the allocator.
    let handler = tokio::spawn(Box::pin(admitted.work(async move {
        let response = router.oneshot(Request::from_parts(parts, body)).await;
        drop(held);
        response.into_response()
    })));
    let mut response = match time::timeout(limits.request, handler).await {
        Ok(Ok(response)) => response,
        Ok(Err(failed)) => counted(Problem::internal(failed)),
        Err(_) => {
            tracing::warn!(request_id = context.request_id(), "a request outlived its time");
            counted(Problem::new(&TIMEOUT))
        }
    };
    // The rest of a refused body stands between this request and the next one.
    if refused && version <= Version::HTTP_11 {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// The right to be answered. Who watches the process has it always, and most when it is busy.
enum Admitted {
    Probe,
    Request(OwnedSemaphorePermit, Place),
}

impl Admitted {
    async fn wait(uri: &Uri, shared: &Shared) -> Option<Self> {
        if health::is_probe(uri.path()) {
            return Some(Self::Probe);
        }
        let permit = Arc::clone(&shared.requests).try_acquire_owned().ok()?;
        Some(Self::Request(permit, shared.door.enter().await?))
    }

    async fn work(self, handler: impl Future<Output = Response>) -> Response {
        match self {
            Self::Probe => handler.await,
            Self::Request(permit, place) => {
                let response = place.hold(handler).await;
                drop(permit);
                response
            }
        }
    }
}
