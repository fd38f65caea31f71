//! The accept loop: connections, their limits, and their end.
//!
//! Owns everything between the socket and the router: how many connections, how long headers,
//! bodies and answers may take, how large they may be, and stopping without dropping anybody.
//! Refuses to run a handler inside the connection's task: a client that goes away never cancels
//! a unit of work half-way (sqlx#4385).

mod activity;
mod body;
mod connection;
mod descriptors;
mod framing;
mod listen;
mod occupancy;
mod outgoing;
mod request;
mod seats;

use std::{future::Future, io, net::SocketAddr, sync::Arc, time::Duration};

use axum::Router;
use tokio::{
    net::TcpListener,
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time,
};

use activity::Patience;
use body::Bodies;
use occupancy::Occupancy;
use seats::Seats;

pub(crate) use descriptors::raise as raise_descriptors;

use crate::{
    config::Http,
    door::Door,
    metrics::{Metrics, Refusals},
};

/// KiB of bodies held at once, over all connections.
const BODY_BUDGET_KIB: usize = 131_072;
/// What part of the connections is kept free.
const SPARE: usize = 16;
/// After what time a full house is looked at again.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// What every connection shares.
struct Shared {
    router: Router,
    limits: Limits,
    /// Who is connected.
    seats: Seats,
    /// A permit for each request being answered.
    requests: Arc<Semaphore>,
    /// Before those that are worked on.
    door: Door,
    /// What is held of bodies.
    bodies: Bodies,
    /// Counts what is refused before or beside the router.
    refusals: Refusals,
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
    working_requests: usize,
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
            working_requests: http.max_working_requests,
            trusted_proxies: http.trusted_proxies,
        }
    }
}

impl Limits {
    /// An answer is given the time to be taken that a request is given to arrive.
    const fn patience(&self) -> Patience {
        Patience { first: self.header, later: self.idle, taking: self.body }
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
    connections: Arc<Semaphore>,
    requests: Arc<Semaphore>,
    door: Door,
    refusals: Refusals,
}

impl Server {
    /// Binds the configured address.
    ///
    /// # Errors
    /// If the address cannot be bound.
    pub async fn bind(http: &Http) -> io::Result<Self> {
        let limits = Limits::from(http);
        Ok(Self {
            listener: listen::bind(&http.bind).await?,
            connections: Arc::new(Semaphore::new(limits.connections)),
            requests: Arc::new(Semaphore::new(limits.requests)),
            door: Door::new(limits.working_requests),
            refusals: Refusals::new(),
            limits,
        })
    }

    /// Tells of its connections and requests among the metrics of the process.
    #[must_use]
    pub fn watched(mut self, metrics: &Metrics) -> Self {
        let occupancy = Occupancy {
            connections: self.connections.clone(),
            requests: self.requests.clone(),
            door: self.door.clone(),
            limits: self.limits.clone(),
        };
        metrics.register(|registry| registry.register_collector(Box::new(occupancy)));
        self.refusals = metrics.refusals();
        self
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
        let Self { listener, limits, connections, requests, door, refusals } = self;
        let shared = Arc::new(Shared {
            router,
            requests,
            door,
            refusals,
            seats: Seats::default(),
            bodies: Bodies::new(BODY_BUDGET_KIB),
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

/// Takes connections. Where there is no room, one that keeps the server waiting goes; if all are
/// being answered, others wait in the system's queue.
async fn accept(
    listener: &TcpListener,
    connections: &Arc<Semaphore>,
    shared: &Arc<Shared>,
    stopping: &watch::Receiver<bool>,
) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                let most = shared.limits.connections;
                let Some(permit) = seat(connections, most, &shared.seats).await else { return };
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

/// Room for one more connection. It is made before it is needed, while a sixteenth is still free:
/// whoever comes does not wait for others to leave.
async fn seat(
    connections: &Arc<Semaphore>,
    most: usize,
    seats: &Seats,
) -> Option<OwnedSemaphorePermit> {
    let free = || Arc::clone(connections);
    if connections.available_permits() <= most / SPARE {
        seats.make_room();
    }
    loop {
        if let Ok(permit) = free().try_acquire_owned() {
            return Some(permit);
        }
        if seats.make_room() {
            return free().acquire_owned().await.ok();
        }
        // Everybody is being answered: looked at again soon, for whoever is not any more.
        if let Ok(permit) = time::timeout(LOOK_AGAIN, free().acquire_owned()).await {
            return permit.ok();
        }
    }
}

fn permits(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
