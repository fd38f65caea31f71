//! A module's advisory lock: writers of its tables share it, and who moves, makes or drops tables
//! has it alone. And waiting for locks for a short time only, where others wait behind, and keeping
//! them for no longer than there is somebody to keep them.

use sqlx::{ConnectOptions, PgConnection, postgres::PgConnectOptions};

/// What a statement ends with that waited too long for a lock.
pub(crate) const LOCK_NOT_AVAILABLE: &str = "55P03";

/// Connects for statements that may take long. Whoever is gone leaves none at work for more than a
/// second, which would keep locks meanwhile.
pub(crate) async fn connect(options: &PgConnectOptions) -> sqlx::Result<PgConnection> {
    let mut connection = options.connect().await?;
    // Not every server can tell.
    let check = "SET client_connection_check_interval = '1s'";
    let _ = sqlx::raw_sql(check).execute(&mut connection).await;
    Ok(connection)
}

/// Takes the lock beside other writers, until the transaction ends.
pub(crate) async fn shared(connection: &mut PgConnection, module: &str) -> sqlx::Result<()> {
    take("SELECT pg_advisory_xact_lock_shared($1)", connection, module).await
}

/// Takes the lock alone, until the transaction ends.
pub(crate) async fn alone(connection: &mut PgConnection, module: &str) -> sqlx::Result<()> {
    take("SELECT pg_advisory_xact_lock($1)", connection, module).await
}

/// From here on, waits no longer than 200 ms for any lock, until the transaction ends.
pub(crate) async fn briefly(transaction: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::raw_sql("SET LOCAL lock_timeout = '200ms'").execute(transaction).await?;
    Ok(())
}

/// Ends what [`briefly`] began, for the rest of the transaction.
pub(crate) async fn as_usual(transaction: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::raw_sql("SET LOCAL lock_timeout TO DEFAULT").execute(transaction).await?;
    Ok(())
}

/// What was done, `None` if a lock was not to be had in time.
pub(crate) fn in_time<T>(outcome: sqlx::Result<T>) -> sqlx::Result<Option<T>> {
    match outcome {
        Err(sqlx::Error::Database(refusal))
            if refusal.code().as_deref() == Some(LOCK_NOT_AVAILABLE) =>
        {
            Ok(None)
        }
        outcome => outcome.map(Some),
    }
}

async fn take(sql: &'static str, connection: &mut PgConnection, module: &str) -> sqlx::Result<()> {
    sqlx::query(sql).bind(number(module)).execute(connection).await?;
    Ok(())
}

fn number(module: &str) -> i64 {
    // FNV-1a: stable for ever, and no collision among a handful of module names.
    let hash = module.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    i64::from_ne_bytes(hash.to_ne_bytes())
}
