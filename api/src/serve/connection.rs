//! One connection, from its first byte to its last.

use std::{net::SocketAddr, pin::pin, sync::Arc};

use hyper::service::service_fn;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use tokio::{
    net::TcpStream,
    sync::watch,
    time::{Instant, sleep_until},
};

use super::{Shared, activity::Activity, framing::Framed, outgoing::Outgoing, request};

/// Most requests at once on an HTTP/2 connection.
const MAX_STREAMS: u32 = 32;
/// How much of an answer leaves its own memory before the client of an HTTP/2 connection takes it.
const SEND_BUFFER_BYTES: usize = 65_536;

/// Serves a connection until the client, a limit or the shutdown ends it.
pub(super) async fn serve(
    stream: TcpStream,
    peer: SocketAddr,
    shared: Arc<Shared>,
    mut stopping: watch::Receiver<bool>,
) {
    // Small answers should leave at once; if the system refuses, they leave a little later.
    let _ = stream.set_nodelay(true);
    let activity = Activity::new(shared.limits.patience(), shared.seats.untaken());
    let _seat = shared.seats.take(activity.clone());
    let (framed, ambiguous) = Framed::new(stream, activity.clone());
    let builder = builder(&shared);
    let service = service_fn(|request| {
        let under_way = activity.begin();
        let answer = request::answer(
            request,
            peer,
            Arc::clone(&shared),
            ambiguous.clone(),
            activity.clone(),
        );
        let (activity, seats) = (activity.clone(), shared.seats.clone());
        async move {
            let answer = Outgoing::answer(answer.await, &activity, &seats);
            drop(under_way);
            Ok::<_, std::convert::Infallible>(answer)
        }
    });
    let mut connection = pin!(builder.serve_connection(TokioIo::new(framed), service));
    let mut finishing = false;
    loop {
        let deadline = activity.deadline();
        tokio::select! {
            result = connection.as_mut() => {
                if let Err(error) = result {
                    tracing::debug!(%error, "a connection ended early");
                }
                return;
            }
            _ = stopping.wait_for(|stop| *stop), if !finishing => {
                finishing = true;
                connection.as_mut().graceful_shutdown();
            }
            () = activity.hurried() => {}
            // Nothing was asked or taken for too long: also a client that dribbles its first
            // bytes, which the protocol detection would wait for without end. Or somebody else
            // needs the place.
            () = sleep_until(deadline) => {
                if activity.deadline() <= Instant::now() {
                    return;
                }
            }
        }
    }
}

fn builder(shared: &Shared) -> auto::Builder<TokioExecutor> {
    let limits = &shared.limits;
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header)
        .max_buf_size(limits.header_bytes);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(u32::try_from(limits.header_bytes).unwrap_or(u32::MAX))
        .max_concurrent_streams(MAX_STREAMS)
        .max_send_buf_size(SEND_BUFFER_BYTES);
    builder
}
