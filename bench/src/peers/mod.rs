//! Published stores, each through its own public interface.
//!
//! All get a pool of [`CONNECTIONS`] without the question that precedes each use by default,
//! which would slow them further.

pub mod cqrs_es;
pub mod esrs;
pub mod eventcore;

use anyhow::Result;
use sqlx_peers::{PgPool, postgres::PgPoolOptions};

/// Connections of each peer.
const CONNECTIONS: u32 = 16;
/// How often a peer may run into a conflict before the measurement is given up.
const MOST_RETRIES: u32 = 10_000;

/// A peer's pool.
async fn pool(url: &str) -> Result<PgPool> {
    let options = PgPoolOptions::new()
        .max_connections(CONNECTIONS)
        .min_connections(CONNECTIONS)
        .test_before_acquire(false);
    Ok(options.connect(url).await?)
}
