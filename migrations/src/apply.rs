//! Moving a schema up and down.
//!
//! One process at a time, on a connection of its own: the guard is a lock of the session, and a
//! pooled connection would carry it to whoever comes next.

use sqlx::{ConnectOptions, Connection, PgConnection, PgPool};

use crate::{MigrateError, Migration, Status, all, ledger};

/// The advisory lock of the migrator: "commonho" in ASCII.
const GUARD: i64 = 0x636f_6d6d_6f6e_686f;

/// What `lock_timeout` ends a wait with.
const LOCK_NOT_AVAILABLE: &str = "55P03";

/// How far to take a schema back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// So many migrations, the newest first.
    Steps(usize),
    /// Everything above a version; 0 takes all back.
    To(u32),
}

/// Applies what is pending, up to and including `target` if there is one; answers the versions.
///
/// Each migration is one transaction, and is marked dirty until it commits.
///
/// # Errors
/// If the database is not sound (see [`Status::problem`]), another process does not finish
/// migrating, or a migration fails.
pub async fn up(pool: &PgPool, target: Option<u32>) -> Result<Vec<u32>, MigrateError> {
    let target = target.map(known).transpose()?;
    let mut connection = guarded(pool).await?;
    let status = sound(&mut connection).await?;
    let mut stands_at = status.current.unwrap_or(0);
    let mut done = Vec::new();
    for migration in status.pending {
        if target.is_some_and(|last| migration.version > last) {
            break;
        }
        ledger::begin_up(&mut connection, migration).await?;
        apply(&mut connection, migration).await.map_err(failed(migration, stands_at))?;
        stands_at = stands_at.max(migration.version);
        done.push(migration.version);
    }
    connection.close().await?;
    Ok(done)
}

/// Takes migrations back, the newest first; answers their versions.
///
/// # Errors
/// As [`up`]. The event store's own migration refuses while the log holds events.
pub async fn down(pool: &PgPool, reach: Reach) -> Result<Vec<u32>, MigrateError> {
    if let Reach::To(version) = reach {
        known_or_none(version)?;
    }
    let mut connection = guarded(pool).await?;
    let status = sound(&mut connection).await?;
    let pending: Vec<_> = status.pending.iter().map(|one| one.version).collect();
    let applied = all().iter().rev().filter(|one| !pending.contains(&one.version));
    let chosen: Vec<_> = match reach {
        Reach::Steps(count) => applied.take(count).collect(),
        Reach::To(version) => applied.filter(|one| one.version > version).collect(),
    };
    for migration in &chosen {
        ledger::begin_down(&mut connection, migration).await?;
        let outcome = take_back(&mut connection, migration).await;
        outcome.map_err(failed(migration, migration.version))?;
    }
    connection.close().await?;
    Ok(chosen.iter().map(|one| one.version).collect())
}

/// Makes the database believe that exactly the migrations up to `version` are applied, each as
/// its file says now; 0 means none. Runs none of them.
///
/// # Errors
/// If there is no such migration, or the database cannot be written.
pub async fn force(pool: &PgPool, version: u32) -> Result<(), MigrateError> {
    known_or_none(version)?;
    let mut connection = guarded(pool).await?;
    let believed: Vec<_> = all().iter().filter(|one| one.version <= version).collect();
    ledger::overwrite(&mut connection, &believed).await?;
    Ok(connection.close().await?)
}

fn known(version: u32) -> Result<u32, MigrateError> {
    let found = all().iter().any(|one| one.version == version);
    found.then_some(version).ok_or(MigrateError::Unknown(version))
}

fn known_or_none(version: u32) -> Result<u32, MigrateError> {
    if version == 0 { Ok(version) } else { known(version) }
}

/// A connection that no other migrator has at the same time. Closing it lets the next one in.
async fn guarded(pool: &PgPool) -> Result<PgConnection, MigrateError> {
    let mut connection = pool.connect_options().connect().await?;
    sqlx::raw_sql("SET statement_timeout = 0; SET lock_timeout = '60s'")
        .execute(&mut connection)
        .await?;
    let locked = sqlx::query("SELECT pg_advisory_lock($1)").bind(GUARD).execute(&mut connection);
    match locked.await {
        Ok(_) => {}
        Err(sqlx::Error::Database(error))
            if error.code().as_deref() == Some(LOCK_NOT_AVAILABLE) =>
        {
            return Err(MigrateError::Busy);
        }
        Err(error) => return Err(error.into()),
    }
    ledger::create(&mut connection).await?;
    Ok(connection)
}

async fn sound(connection: &mut PgConnection) -> Result<Status, MigrateError> {
    let mut status = Status::of(&ledger::entries(connection).await?);
    status.problem.take().map_or(Ok(status), Err)
}

async fn apply(connection: &mut PgConnection, migration: &Migration) -> Result<(), sqlx::Error> {
    let mut transaction = connection.begin().await?;
    prepare(&mut transaction, migration).await?;
    sqlx::raw_sql(migration.up).execute(&mut *transaction).await?;
    ledger::end_up(&mut transaction, migration).await?;
    transaction.commit().await
}

async fn take_back(
    connection: &mut PgConnection,
    migration: &Migration,
) -> Result<(), sqlx::Error> {
    let mut transaction = connection.begin().await?;
    prepare(&mut transaction, migration).await?;
    sqlx::raw_sql(migration.down).execute(&mut *transaction).await?;
    ledger::end_down(&mut transaction, migration).await?;
    transaction.commit().await
}

/// A known search path, whatever the role's is; and no long wait for a table's lock, because
/// everybody who comes later would queue behind it.
async fn prepare(connection: &mut PgConnection, migration: &Migration) -> Result<(), sqlx::Error> {
    let path = match migration.read_table() {
        Some(_) => format!("{}, public", migration.module),
        None => "public".to_owned(),
    };
    let sql = "SELECT set_config('search_path', $1, true), set_config('lock_timeout', '10s', true)";
    sqlx::query(sql).bind(path).execute(connection).await.map(drop)
}

fn failed(migration: &Migration, stands_at: u32) -> impl FnOnce(sqlx::Error) -> MigrateError {
    let label = migration.label();
    move |source| MigrateError::Failed { label, stands_at, source }
}
