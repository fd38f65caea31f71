//! What integration tests share: one throw-away PostgreSQL per test process, a migrated database of
//! its own for each test, and a NATS server or a Prometheus for who needs one.
//!
//! Owns the servers' lives and the template. Refuses to be part of the product: nothing but
//! `[dev-dependencies]` may name it, and crates that nothing ships.
//!
//! `COMMONHOLD_TEST_SERVER_URL` names a server to use instead of a private one; its user must be
//! allowed to create databases.

mod database;
mod mutations;
mod nats;
mod prometheus;
mod server;
mod template;

pub use database::TestDb;
pub use mutations::{Mutations, mutations};
pub use nats::Nats;
pub use prometheus::Prometheus;

/// A fresh database with every migration applied.
///
/// # Panics
/// If there is no PostgreSQL to be had: then no test that needs one can say anything.
pub async fn database() -> TestDb {
    must(TestDb::create(Some(template::name().await)).await)
}

/// A fresh database with nothing in it.
///
/// # Panics
/// As [`database`].
pub async fn empty_database() -> TestDb {
    must(TestDb::create(None).await)
}

/// The kit's one way to give up.
#[expect(clippy::panic, reason = "a test without its database can only fail")]
fn must<T, E: std::error::Error>(result: Result<T, E>) -> T {
    result.unwrap_or_else(|error| {
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            text = format!("{text}: {cause}");
            source = cause.source();
        }
        panic!("{text}")
    })
}
