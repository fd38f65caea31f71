//! What the process tells of itself beside its requests, as metrics.
//!
//! Owns their names and what each is read from: memory and `/proc` when they are scraped, the
//! database every few seconds. Refuses labels without bound: modules, policies and outcomes are
//! written in the code; no tenant, user or address is ever a label.

mod log;
mod page;
mod process;
mod resources;
mod survey;

use std::path::PathBuf;

use prometheus_client::metrics::info::Info;
use sqlx::PgPool;
use tokio::task::JoinHandle;

use crate::{app::App, metrics::Metrics};
pub(crate) use page::Page;

/// Registers the metrics, and asks the database for as long as the task runs. `data_dir` is where
/// its data lies, if that is on this machine.
pub fn register(
    metrics: &Metrics,
    app: &App,
    pool: &PgPool,
    data_dir: Option<PathBuf>,
) -> JoinHandle<()> {
    let (survey, asking) = survey::Survey::start(pool.clone(), data_dir);
    metrics.register(|registry| {
        let version = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("commonhold_build", "The version that runs", version);
        registry.register_collector(Box::new(process::Process));
        registry.register_collector(Box::new(log::Log(app.store.clone())));
        registry.register_collector(Box::new(resources::Resources::new(app.clone(), pool.clone())));
        registry.register_collector(Box::new(survey));
    });
    asking
}
