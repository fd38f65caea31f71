//! A module's advisory lock: writers of its tables share it, and who moves, makes or drops tables
//! has it alone.

use sqlx::PgConnection;

/// Takes the lock beside other writers, until the transaction ends.
pub(crate) async fn shared(connection: &mut PgConnection, module: &str) -> sqlx::Result<()> {
    take("SELECT pg_advisory_xact_lock_shared($1)", connection, module).await
}

/// Takes the lock alone, until the transaction ends.
pub(crate) async fn alone(connection: &mut PgConnection, module: &str) -> sqlx::Result<()> {
    take("SELECT pg_advisory_xact_lock($1)", connection, module).await
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
