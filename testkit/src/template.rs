//! The migrated database that every test's database is a copy of.
//!
//! Copying takes a tenth of the time of migrating. On a server that outlives the process the
//! template stays, named after the migrations in it, and serves the next run.

use std::hash::{DefaultHasher, Hash, Hasher};

use sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool};
use tokio::sync::OnceCell;

use crate::{must, server::Server};

/// The advisory lock of whoever builds a template: two processes may share a server.
const GUARD: i64 = 0x7465_6d70_6c61_7465;

/// The name of the template, built first if there is none.
pub(crate) async fn name() -> &'static str {
    static NAME: OnceCell<String> = OnceCell::const_new();
    NAME.get_or_init(|| async {
        let name = name_of_migrations();
        must(ensure(Server::get(), &name).await);
        name
    })
    .await
}

fn name_of_migrations() -> String {
    let mut hasher = DefaultHasher::new();
    for migration in migrations::all() {
        (migration.label(), migration.up).hash(&mut hasher);
    }
    format!("commonhold_template_{:016x}", hasher.finish())
}

async fn ensure(server: &Server, name: &str) -> Result<(), migrations::MigrateError> {
    let mut connection = server.connect().await?;
    sqlx::query("SELECT pg_advisory_lock($1)").bind(GUARD).execute(&mut connection).await?;
    if !is_complete(&mut connection, name).await? {
        run(&mut connection, format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await?;
        run(&mut connection, format!("CREATE DATABASE {name}")).await?;
        let pool = PgPool::connect_with(server.options(name)).await?;
        let migrated = migrations::up(&pool, None).await;
        // A database with connections cannot be copied.
        pool.close().await;
        migrated?;
        let sealed = format!("ALTER DATABASE {name} WITH IS_TEMPLATE true ALLOW_CONNECTIONS false");
        run(&mut connection, sealed).await?;
    }
    Ok(connection.close().await?)
}

/// Being marked as a template is the last step of building one.
async fn is_complete(connection: &mut PgConnection, name: &str) -> sqlx::Result<bool> {
    let sql = "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1 AND datistemplate)";
    sqlx::query_scalar(sql).bind(name).fetch_one(connection).await
}

/// Runs a statement about a database, whose name cannot be a parameter; ours need no quotes.
pub(crate) async fn run(connection: &mut PgConnection, statement: String) -> sqlx::Result<()> {
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(connection).await.map(drop)
}
