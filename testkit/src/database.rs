//! A database that belongs to one test.

use std::thread;

use sqlx::{
    ConnectOptions, Connection, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tokio::runtime;

use crate::{server::Server, template::run};

/// How many connections the pool of a test may open; many tests share a server.
const CONNECTIONS: u32 = 8;

/// A database that belongs to one test.
///
/// Its pool belongs to the runtime of that test and must not be handed to another.
#[derive(Debug)]
pub struct TestDb {
    /// Where it is, for whoever wants connections of their own.
    pub url: String,
    /// Some connections to it.
    pub pool: PgPool,
    name: String,
}

impl TestDb {
    pub(crate) async fn create(template: Option<&str>) -> sqlx::Result<Self> {
        let server = Server::get();
        let mut connection = server.connect().await?;
        // The server mints the name, as processes of several machines may share it.
        let sql = "SELECT 'commonhold_test_' || replace(gen_random_uuid()::text, '-', '')";
        let name: String = sqlx::query_scalar(sql).fetch_one(&mut connection).await?;
        let template = template.map_or(String::new(), |name| format!(" TEMPLATE {name}"));
        run(&mut connection, format!("CREATE DATABASE {name}{template}")).await?;
        connection.close().await?;

        let options: PgConnectOptions = server.options(&name);
        let url = options.to_url_lossy().to_string();
        let pool = PgPoolOptions::new().max_connections(CONNECTIONS).connect_with(options).await?;
        Ok(Self { url, pool, name })
    }

    /// Drops the database now rather than when the test process ends.
    pub async fn close(self) {
        self.pool.close().await;
        drop_database(&self.name).await;
    }
}

/// On a server that outlives us a test that ends, even by a panic, takes its database with it.
impl Drop for TestDb {
    fn drop(&mut self) {
        if Server::get().is_ours() {
            return;
        }
        let name = std::mem::take(&mut self.name);
        // The test's own runtime may be gone already, and cannot be blocked if it is not.
        let dropping = thread::spawn(move || {
            if let Ok(runtime) = runtime::Builder::new_current_thread().enable_all().build() {
                runtime.block_on(drop_database(&name));
            }
        });
        dropping.join().ok();
    }
}

/// Failing is no error: a database too many fails no test.
async fn drop_database(name: &str) {
    if let Ok(mut connection) = Server::get().connect().await {
        run(&mut connection, format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await.ok();
    }
}
