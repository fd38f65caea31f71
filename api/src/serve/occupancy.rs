//! How many connections and requests there are, and how many there may be.

use std::{fmt, sync::Arc};

use prometheus_client::{collector::Collector, encoding::DescriptorEncoder};
use tokio::sync::Semaphore;

use super::Limits;
use crate::{door::Door, gauges::Page};

#[derive(Debug)]
pub(super) struct Occupancy {
    pub(super) connections: Arc<Semaphore>,
    pub(super) requests: Arc<Semaphore>,
    pub(super) door: Door,
    pub(super) limits: Limits,
}

impl Collector for Occupancy {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let Limits { connections, requests, working_requests, .. } = self.limits;
        let taken = |most: usize, of: &Semaphore| most.saturating_sub(of.available_permits());
        let mut page = Page(encoder);
        page.gauge(
            "http_server_open_connections",
            "Open connections",
            taken(connections, &self.connections),
        )?;
        page.gauge("http_server_max_connections", "Most connections at once", connections)?;
        page.gauge(
            "http_server_active_requests",
            "Requests being answered, also when their clients have gone",
            taken(requests, &self.requests),
        )?;
        page.gauge("http_server_max_requests", "Most requests answered at once", requests)?;
        page.gauge(
            "http_server_working_requests",
            "Requests being worked on, which wait for nothing but the database",
            self.door.taken(),
        )?;
        page.gauge(
            "http_server_max_working_requests",
            "Most requests worked on at once",
            working_requests,
        )
    }
}
