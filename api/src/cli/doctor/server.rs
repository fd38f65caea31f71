//! The database server: whether it keeps what it was given.

use sqlx::PgConnection;

use super::{Check, unanswered};

/// What must be on for a commit to survive a power cut, with the harm of going without.
const DURABLE: [(&str, &str); 3] = [
    ("fsync", "a power cut can destroy the whole database"),
    ("full_page_writes", "a power cut can leave half-written pages"),
    ("synchronous_commit", "what was acknowledged can be lost"),
];

const OLDEST: i32 = 150_000;

pub(super) async fn checks(connection: &mut PgConnection) -> Vec<Check> {
    let mut checks = vec![version(connection).await];
    for (setting, harm) in DURABLE {
        checks.push(durable(connection, setting, harm).await);
    }
    checks.push(checksums(connection).await);
    checks.push(clock(connection).await);
    checks
}

async fn setting(connection: &mut PgConnection, name: &str) -> sqlx::Result<String> {
    sqlx::query_scalar("SELECT current_setting($1)").bind(name).fetch_one(connection).await
}

async fn version(connection: &mut PgConnection) -> Check {
    let name = "server version";
    let sql =
        "SELECT current_setting('server_version'), current_setting('server_version_num')::int";
    match sqlx::query_as::<_, (String, i32)>(sql).fetch_one(connection).await {
        Ok((version, OLDEST..)) => Check::ok(name, version),
        Ok((version, _)) => Check::failed(name, version, "use PostgreSQL 15 or newer"),
        Err(error) => unanswered(name, &error),
    }
}

async fn durable(connection: &mut PgConnection, name: &'static str, harm: &str) -> Check {
    match setting(connection, name).await {
        // `remote_write` and its kin promise no less than `on`; `local` gives up a standby only.
        Ok(value) if value != "off" => Check::ok(name, value),
        Ok(value) => {
            let fix = format!("set {name} = on in postgresql.conf and reload");
            Check::failed(name, format!("{value}: {harm}"), fix)
        }
        Err(error) => unanswered(name, &error),
    }
}

async fn checksums(connection: &mut PgConnection) -> Check {
    let name = "data checksums";
    match setting(connection, "data_checksums").await {
        Ok(value) if value == "on" => Check::ok(name, value),
        Ok(value) => Check::warning(
            name,
            format!("{value}: a failing disk goes unnoticed"),
            "stop the server and run `pg_checksums --enable`",
        ),
        Err(error) => unanswered(name, &error),
    }
}

async fn clock(connection: &mut PgConnection) -> Check {
    let name = "clock";
    let now = crate::clock::Clock::system().now();
    let sql = "SELECT abs(extract(epoch FROM clock_timestamp() - $1))::float8";
    match sqlx::query_scalar::<_, f64>(sql).bind(now).fetch_one(connection).await {
        Ok(apart) if apart < 2.0 => Check::ok(name, "agrees with the database's"),
        // Tokens are accepted within a minute.
        Ok(apart) if apart < 60.0 => Check::warning(
            name,
            format!("{apart:.0} s away from the database's"),
            "let both machines follow a time server",
        ),
        Ok(apart) => Check::failed(
            name,
            format!("{apart:.0} s away from the database's"),
            "let both machines follow a time server",
        ),
        Err(error) => unanswered(name, &error),
    }
}
