//! The shipped platform: as processes of their own that are asked over HTTP, or in this process.
//!
//! Owns where one runs and with which settings, who its users are, and the client that asks it.
//! Refuses any setting an operator could not make.

pub mod calls;
pub mod client;
pub mod estate;
pub mod place;
pub mod process;

use anyhow::Result;
use api::platform::Platform;
use projections::MODULES;

pub use {estate::Estate, place::Place, process::Process};

/// Waits until all tables of a platform hold its log.
pub async fn caught_up(platform: &Platform) -> Result<()> {
    let head = platform.app.store.head().await?;
    for module in MODULES {
        // Each wait is short, whatever there is to catch up with.
        while platform.app.positions.wait(module.name, head).await.is_err() {}
    }
    Ok(())
}
