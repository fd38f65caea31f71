//! How soon after its commit an event is visible to a query: in the same process, and in another.

mod across;
mod here;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::{conditions::Conditions, server::Server};

/// The figures.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Latency {
    /// Where.
    pub conditions: Conditions,
    /// In one process, by number of writers.
    pub loads: Vec<UnderLoad>,
    /// From one process to another.
    #[serde(default)]
    pub across: Vec<Across>,
}

/// The figures beside so many writers.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct UnderLoad {
    /// Tasks that write without a pause.
    pub writers: usize,
    /// What they wrote each second.
    pub appends: f64,
    /// Milliseconds from the answer of the append to the answer of the query.
    pub p50_ms: f64,
    /// Of ninety-nine of a hundred.
    pub p99_ms: f64,
}

/// The figures with the tables kept by one of the processes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Across {
    /// Whether the process that is asked keeps the tables itself, or the one that writes.
    pub reader_keeps: bool,
    /// Whether there was a NATS server, or it was killed before.
    pub nats: bool,
    /// By number of writers.
    pub loads: Vec<UnderLoad>,
}

/// Measures without load and with it.
pub async fn measure(server: &Server, quick: bool) -> Result<Latency> {
    let conditions = Conditions::read(server).await?;
    let loads = here::measure(server, quick).await?;
    let across = across::measure(server, quick).await?;
    Ok(Latency { conditions, loads, across })
}
