//! `platformctl replay parked`.

use clap::Subcommand;
use projections::Replay as Tool;
use serde_json::json;

use super::{failure, module};
use crate::cli::{Exit, Failure, Output, output::table};

/// Looks after events that could not be folded.
#[derive(Debug, Subcommand)]
pub(super) enum Parked {
    /// List them, with their cause
    List,
    /// Try a module's again, in order, once the cause is mended
    Retry {
        /// The module
        module: String,
    },
}

impl Parked {
    pub(super) async fn run(self, tool: &Tool, output: &Output) -> Result<(), Failure> {
        match self {
            Self::List => list(tool, output).await,
            Self::Retry { module } => retry(tool, &module, output).await,
        }
    }
}

async fn list(tool: &Tool, output: &Output) -> Result<(), Failure> {
    let parked = tool.parked().await.map_err(failure)?;
    let listed: Vec<_> = parked
        .iter()
        .map(|one| {
            json!({
                "module": one.consumer,
                "schema": one.target,
                "position": one.position.0,
                "keys": one.keys,
                "cause": one.cause,
            })
        })
        .collect();
    output.data(&listed, || {
        let cells = parked.iter().map(|one| {
            let position = one.position.to_string();
            [
                one.consumer.clone(),
                one.target.clone(),
                position,
                one.keys.join(" "),
                one.cause.clone(),
            ]
        });
        table(["MODULE", "SCHEMA", "POSITION", "ROWS", "CAUSE"], &cells.collect::<Vec<_>>())
    })
}

async fn retry(tool: &Tool, name: &str, output: &Output) -> Result<(), Failure> {
    let module = module(name)?;
    let through = tool.retry(module).await.map_err(failure)?;
    let parked = tool.parked().await.map_err(failure)?;
    let waits = |one: &&eventstore::Parked| one.consumer == name && one.target == name;
    let left = parked.iter().filter(waits).count();
    output.data(&json!({ "module": name, "folded": through, "parked": left }), || {
        format!("{through} events folded, {left} still parked")
    })?;
    match left {
        0 => Ok(()),
        _ => Err(Failure::new(Exit::Partial, "see `platformctl replay parked list`")),
    }
}
