//! The accept loop: connections, their limits, and their end.
//!
//! Owns everything between the socket and the router: how many connections, how long headers,
//! bodies and answers may take, how large they may be, and stopping without dropping anybody.
//! Refuses to run a handler inside the connection's task: a client that goes away never cancels
//! a unit of work half-way (sqlx#4385).

mod activity;
mod body;
mod connection;
mod framing;
mod request;

use std::{future::Future, io, net::SocketAddr, sync::Arc, time::Duration};

use axum::Router;
use tokio::{
    net::TcpListener,
    sync::{Semaphore, watch},
    time,
};

use crate::config::Http;

/// Bytes of bodies held at once, over all connections.
const BODY_BUDGET_KIB: usize = 131_072;

/// What every connection shares.
struct Shared {
    router: Router,
    limits: Limits,
    /// A permit for each request being answered.
    requests: Arc<Semaphore>,
    /// A permit for each KiB of body being held.
    body_budget: Arc<Semaphore>,
}

/// The configured bounds.
#[derive(Debug, Clone)]
struct Limits {
    body_bytes: usize,
    header_bytes: usize,
    header: Duration,
    body: Duration,
    request: Duration,
    idle: Duration,
    drain: Duration,
    connections: usize,
    requests: usize,
    trusted_proxies: usize,
}

impl From<&Http> for Limits {
    fn from(http: &Http) -> Self {
        let seconds = Duration::from_secs;
        Self {
            body_bytes: http.body_limit_bytes,
            header_bytes: http.header_limit_bytes,
            header: seconds(http.header_timeout_seconds),
            body: seconds(http.body_timeout_seconds),
            request: seconds(http.request_timeout_seconds),
            idle: seconds(http.idle_timeout_seconds),
            drain: seconds(http.drain_timeout_seconds),
            connections: http.max_connections,
            requests: http.max_requests,
            trusted_proxies: http.trusted_proxies,
        }
    }
}

/// How the server ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Every request was answered.
    Drained,
    /// The deadline came first.
    Deadline,
}

/// A bound listener: its address is known, nothing is served yet.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    limits: Limits,
}

impl Server {
    /// Binds the configured address.
    ///
    /// # Errors
    /// If the address cannot be bound.
    pub async fn bind(http: &Http) -> io::Result<Self> {
        Ok(Self { listener: TcpListener::bind(&http.bind).await?, limits: http.into() })
    }

    /// The address in fact bound.
    ///
    /// # Errors
    /// If the system does not tell.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `shutdown` ends, then stops accepting and finishes what was begun, within
    /// the configured deadline.
    pub async fn run(self, router: Router, shutdown: impl Future<Output = ()>) -> Ended {
        let Self { listener, limits } = self;
        let connections = Arc::new(Semaphore::new(limits.connections));
        let shared = Arc::new(Shared {
            router,
            requests: Arc::new(Semaphore::new(limits.requests)),
            body_budget: Arc::new(Semaphore::new(BODY_BUDGET_KIB)),
            limits: limits.clone(),
        });
        let (stop, stopping) = watch::channel(false);
        tokio::select! {
            () = accept(&listener, &connections, &shared, &stopping) => {}
            () = shutdown => {}
        }
        drop(listener);
        stop.send_replace(true);
        let drained = async {
            // All permits back means: no connection is open, and no handler runs.
            let _ = connections.acquire_many(permits(limits.connections)).await;
            let _ = shared.requests.acquire_many(permits(limits.requests)).await;
        };
        match time::timeout(limits.drain, drained).await {
            Ok(()) => Ended::Drained,
            Err(_) => Ended::Deadline,
        }
    }
}

/// Binds, serves and drains.
///
/// # Errors
/// If the address cannot be bound.
pub async fn run(
    router: Router,
    http: &Http,
    shutdown: impl Future<Output = ()>,
) -> io::Result<Ended> {
    Ok(Server::bind(http).await?.run(router, shutdown).await)
}

/// Ends when the process is asked to stop: SIGTERM or SIGINT.
///
/// # Errors
/// If the system does not let signals be watched.
pub fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// Takes connections while there is room; others wait in the system's queue.
async fn accept(
    listener: &TcpListener,
    connections: &Arc<Semaphore>,
    shared: &Arc<Shared>,
    stopping: &watch::Receiver<bool>,
) {
    loop {
        let Ok(permit) = Arc::clone(connections).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, peer)) => {
                let (shared, stopping) = (Arc::clone(shared), stopping.clone());
                tokio::spawn(async move {
                    connection::serve(stream, peer, shared, stopping).await;
                    drop(permit);
                });
            }
            Err(error) => {
                // Out of file handles, most likely: closing connections will free some.
                tracing::warn!(%error, "a connection could not be accepted");
                time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

fn permits(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
