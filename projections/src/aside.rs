//! A module's tables beside the live ones: the former, the next in the making, those as of a
//! moment.
//!
//! Owns knowing where they are, and that they keep nothing of what a destroyed key sealed. Refuses
//! schemas without a checkpoint of the module: whatever they hold is somebody else's.

use sqlx::{Connection, PgConnection};

use crate::sql::{own, shred};

/// What `NOWAIT` ends with where somebody has the table.
const LOCK_NOT_AVAILABLE: &str = "55P03";

/// Clears columns of a module's table, in every schema but the live one, in the rows sealed under
/// keys. Rows of a purged organization stay, as they do in the log: without them such tables could
/// not be brought up to date.
///
/// Tables of another shape, made by another version, lose these rows: what their columns hold is
/// not known.
pub(crate) async fn clear(
    connection: &mut PgConnection,
    (module, table): (&str, &str),
    columns: &[&str],
    keys: &[&String],
) -> sqlx::Result<()> {
    let others: Vec<(String, bool)> = sqlx::query_as(
        "SELECT target, owner IS NOT NULL AND lease_until > clock_timestamp()
           FROM eventstore.checkpoints WHERE consumer = $1 AND target <> $1 ORDER BY target",
    )
    .bind(module)
    .fetch_all(&mut *connection)
    .await?;
    for (schema, held) in others {
        let found = columns_of(connection, &schema, table).await?;
        let has = |column: &str| found.iter().any(|one| one == column);
        if !has("key_id") {
            continue;
        }
        let name = format!("\"{schema}\".{table}");
        if held && !lock_at_once(connection, &name).await? {
            // Whoever makes these tables is at work on this one, and sweeps it before it is done.
            continue;
        }
        let sql = match columns.iter().all(|column| has(column)) {
            true => shred(&name, columns),
            false => format!("DELETE FROM {name} WHERE key_id = ANY($1::text[]::uuid[])"),
        };
        sqlx::query(own(&sql)).bind(keys).execute(&mut *connection).await?;
    }
    Ok(())
}

/// The columns of a table, none if there is no such table.
async fn columns_of(
    connection: &mut PgConnection,
    schema: &str,
    table: &str,
) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar(
        "SELECT attname::text FROM pg_attribute
           JOIN pg_class c ON c.oid = attrelid JOIN pg_namespace n ON n.oid = relnamespace
          WHERE nspname = $1 AND relname = $2 AND relkind = 'r' AND attnum > 0
            AND NOT attisdropped",
    )
    .bind(schema)
    .bind(table)
    .fetch_all(connection)
    .await
}

/// Keeps other writers off a table until the transaction ends, unless one is there already. Live
/// tables must not wait for as long as indexes are made.
async fn lock_at_once(connection: &mut PgConnection, name: &str) -> sqlx::Result<bool> {
    let mut attempt = connection.begin().await?;
    let sql = format!("LOCK TABLE {name} IN SHARE ROW EXCLUSIVE MODE NOWAIT");
    match sqlx::raw_sql(own(&sql)).execute(&mut *attempt).await {
        Ok(_) => attempt.commit().await.map(|()| true),
        Err(sqlx::Error::Database(refusal))
            if refusal.code().as_deref() == Some(LOCK_NOT_AVAILABLE) =>
        {
            attempt.rollback().await.map(|()| false)
        }
        Err(fault) => Err(fault),
    }
}
