//! What the server does without any store: the limits a store can come near to.

use std::{fs, process::Command};

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use crate::{
    payload::{Booking, metadata},
    server::Server,
};

/// The database of these limits.
const DATABASE: &str = "bench_raw";

/// A table with rows of about the size of an event's, and the two indexes a log needs.
const SCHEMA: &str = "CREATE TABLE raw (
    position   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    stream     uuid NOT NULL,
    version    int NOT NULL,
    type       text NOT NULL,
    payload    json NOT NULL,
    metadata   json NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (stream, version))";

/// One limit.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Limit {
    /// What was done.
    pub name: String,
    /// How often, or how many rows, per second.
    pub rate: f64,
}

/// Measures all limits, so many seconds each.
pub async fn measure(server: &Server, seconds: u32) -> Result<Vec<Limit>> {
    let database = server.database(DATABASE).await?;
    let pool = sqlx::PgPool::connect_with(database.options.clone()).await?;
    sqlx::query(SCHEMA).execute(&pool).await?;
    pool.close().await;
    let mut limits = Vec::new();
    for clients in [1, 8, 64] {
        let name = format!("insert 1 row a transaction, clients: {clients}");
        limits.push(Limit { name, rate: pgbench(server, &insert(1)?, clients, seconds)? });
    }
    let batches = pgbench(server, &insert(100)?, 1, seconds)?;
    let name = "insert 100 rows a transaction, clients: 1 (rows)".to_owned();
    limits.push(Limit { name, rate: batches * 100.0 });
    let name = "select 1, clients: 64".to_owned();
    limits.push(Limit { name, rate: pgbench(server, "SELECT 1;", 64, seconds)? });
    server.drop(database).await?;
    Ok(limits)
}

/// The rate of the limit whose name begins so.
pub fn rate(limits: &[Limit], begins: &str) -> Option<f64> {
    limits.iter().find(|limit| limit.name.starts_with(begins)).map(|limit| limit.rate)
}

fn insert(rows: u32) -> Result<String> {
    let payload = serde_json::to_string(&Booking::of(uuid::Uuid::nil(), 1))?;
    let metadata = serde_json::to_string(&metadata())?;
    Ok(format!(
        "INSERT INTO raw (stream, version, type, payload, metadata) \
         SELECT gen_random_uuid(), 1, 'bench.ledger.booked', '{payload}', '{metadata}' \
         FROM generate_series(1, {rows});"
    ))
}

/// Runs a script, and answers transactions per second.
fn pgbench(server: &Server, script: &str, clients: u32, seconds: u32) -> Result<f64> {
    let file = std::env::temp_dir().join(format!("commonhold-bench-{}.sql", std::process::id()));
    fs::write(&file, script)?;
    let output = Command::new(server.program("pgbench"))
        .args(["--no-vacuum", "--protocol=prepared", "--jobs=2"])
        .arg(format!("--client={clients}"))
        .arg(format!("--time={seconds}"))
        .arg("--file")
        .arg(&file)
        .arg(server.url(DATABASE))
        .output()
        .context("pgbench is missing; it comes with the server's contributed programs")?;
    fs::remove_file(&file)?;
    let text = String::from_utf8_lossy(&output.stdout);
    let error = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "pgbench failed: {error}");
    let line = text.lines().find_map(|line| line.strip_prefix("tps = "));
    let figure = line.and_then(|rest| rest.split(' ').next()).context("pgbench gave no figure")?;
    Ok(figure.parse()?)
}
