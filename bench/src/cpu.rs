//! Which part of the machine's work was whose.

use std::{fs, process};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::server::Server;

/// How many of the system's ticks are a second.
const TICKS: f64 = 100.0;

/// Processor time of the three who share the machine, in seconds so far, or in microseconds an
/// operation.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct Cpu {
    /// The process that is measured; 0 if it is this one.
    pub server: f64,
    /// All processes of PostgreSQL.
    pub postgresql: f64,
    /// This process.
    pub client: f64,
}

impl Cpu {
    /// What everybody has used until now.
    pub fn now(server: &Server, measured: Option<u32>) -> Result<Self> {
        Ok(Self {
            server: measured.map_or(Ok(0.0), |pid| used(pid).context("the process is gone"))?,
            postgresql: family(server.postmaster()?)?,
            client: used(process::id()).context("this process")?,
        })
    }

    /// What was used since then by each of so many operations.
    #[must_use]
    pub fn since(self, before: Self, operations: f64) -> Self {
        let each = |now: f64, before: f64| (now - before) * 1e6 / operations;
        Self {
            server: each(self.server, before.server),
            postgresql: each(self.postgresql, before.postgresql),
            client: each(self.client, before.client),
        }
    }
}

/// Seconds a process and its ended children have used.
fn used(pid: u32) -> Option<f64> {
    let [user, system, of_children, for_children] = [11, 12, 13, 14].map(|n| field(pid, n));
    Some((user? + system? + of_children? + for_children?) / TICKS)
}

/// Seconds a process and all its children have used.
fn family(parent: u32) -> Result<f64> {
    let own = [11, 12].map(|n| field(parent, n).unwrap_or_default()).iter().sum::<f64>();
    let ended = [13, 14].map(|n| field(parent, n).unwrap_or_default()).iter().sum::<f64>();
    let mut all = (own + ended) / TICKS;
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) else { continue };
        if field(pid, 1) == Some(f64::from(parent)) {
            all += used(pid).unwrap_or_default();
        }
    }
    Ok(all)
}

/// The n-th number behind a process's name in its `stat`, beginning with its state as 0.
fn field(pid: u32, n: usize) -> Option<f64> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, behind) = text.rsplit_once(") ")?;
    behind.split(' ').nth(n)?.parse().ok()
}
