//! The file that keeps what was measured; each command replaces its own part.

use std::{fs, io::ErrorKind, path::Path};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::{
    compare::Comparison,
    measures::{
        http::Http, latency::Latency, order::Order, project::Projection, rebuild::Rebuilds,
        scale::Scale,
    },
};

/// All that was measured.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Results {
    /// Beside peers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peers: Option<Comparison>,
    /// What each thing costs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub costs: Option<Comparison>,
    /// With logs of different size.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scale: Option<Scale>,
    /// Live projection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project: Option<Projection>,
    /// Rebuilding tables.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rebuild: Option<Rebuilds>,
    /// Over HTTP.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http: Option<Http>,
    /// From a commit to its row.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency: Option<Latency>,
    /// Two nodes and a reader.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order: Option<Order>,
}

impl Results {
    /// What a file holds; nothing if there is none.
    pub fn read(file: &Path) -> Result<Self> {
        match fs::read(file) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Self::default()),
            bytes => {
                let bytes = bytes.with_context(|| format!("{} is unreadable", file.display()))?;
                serde_json::from_slice(&bytes)
                    .with_context(|| format!("{} holds something else", file.display()))
            }
        }
    }

    /// Writes a file, and keeps those of its parts that were not measured now.
    pub fn merge_into(self, file: &Path) -> Result<()> {
        let before = Self::read(file)?;
        let all = Self {
            peers: self.peers.or(before.peers),
            costs: self.costs.or(before.costs),
            scale: self.scale.or(before.scale),
            project: self.project.or(before.project),
            rebuild: self.rebuild.or(before.rebuild),
            http: self.http.or(before.http),
            latency: self.latency.or(before.latency),
            order: self.order.or(before.order),
        };
        Ok(fs::write(file, serde_json::to_string_pretty(&all)? + "\n")?)
    }
}
