//! What was applied, as the database remembers it: `public.schema_migrations`.

use ring::digest::{SHA256, digest};
use sqlx::{FromRow, PgConnection, Result, Row, postgres::PgRow};

use crate::Migration;

/// A row of the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    version: i32,
    module: String,
    name: String,
    pub(crate) checksum: String,
    /// Whether it was ever applied to the end; a dirty entry that was is one being taken back.
    pub(crate) applied: bool,
    /// Whether a run began and did not finish.
    pub(crate) dirty: bool,
}

impl Entry {
    pub(crate) fn version(&self) -> u32 {
        self.version.unsigned_abs()
    }

    pub(crate) fn label(&self) -> String {
        format!("{:04}_{}_{}", self.version, self.module, self.name)
    }
}

impl FromRow<'_, PgRow> for Entry {
    fn from_row(row: &PgRow) -> Result<Self> {
        Ok(Self {
            version: row.try_get("version")?,
            module: row.try_get("module")?,
            name: row.try_get("name")?,
            checksum: row.try_get("checksum")?,
            applied: row.try_get("applied")?,
            dirty: row.try_get("dirty")?,
        })
    }
}

/// Makes the table, for the first run on a database.
pub(crate) async fn create(connection: &mut PgConnection) -> Result<()> {
    let sql = "CREATE TABLE IF NOT EXISTS public.schema_migrations (
        version    integer PRIMARY KEY,
        module     text NOT NULL,
        name       text NOT NULL,
        checksum   text NOT NULL,
        applied_at timestamptz,
        dirty      boolean NOT NULL)";
    sqlx::raw_sql(sql).execute(connection).await.map(drop)
}

/// Whether the table is there; on a fresh server it is not.
pub(crate) async fn exists(connection: &mut PgConnection) -> Result<bool> {
    let sql = "SELECT to_regclass('public.schema_migrations') IS NOT NULL";
    sqlx::query_scalar(sql).fetch_one(connection).await
}

/// Everything that was begun, in order.
pub(crate) async fn entries(connection: &mut PgConnection) -> Result<Vec<Entry>> {
    let sql = "SELECT version, module, name, checksum, applied_at IS NOT NULL AS applied, dirty
        FROM public.schema_migrations ORDER BY version";
    sqlx::query_as(sql).fetch_all(connection).await
}

/// Notes that a migration begins, before it does.
pub(crate) async fn begin_up(connection: &mut PgConnection, migration: &Migration) -> Result<()> {
    let sql = "INSERT INTO public.schema_migrations (version, module, name, checksum, dirty)
        VALUES ($1, $2, $3, $4, true)";
    sqlx::query(sql)
        .bind(version(migration))
        .bind(migration.module)
        .bind(migration.name)
        .bind(checksum(migration))
        .execute(connection)
        .await
        .map(drop)
}

/// Notes that a migration is done, in its own transaction.
pub(crate) async fn end_up(connection: &mut PgConnection, migration: &Migration) -> Result<()> {
    let sql = "UPDATE public.schema_migrations SET dirty = false, applied_at = clock_timestamp()
        WHERE version = $1";
    sqlx::query(sql).bind(version(migration)).execute(connection).await.map(drop)
}

/// Notes that a migration is about to be taken back.
pub(crate) async fn begin_down(connection: &mut PgConnection, migration: &Migration) -> Result<()> {
    let sql = "UPDATE public.schema_migrations SET dirty = true WHERE version = $1";
    sqlx::query(sql).bind(version(migration)).execute(connection).await.map(drop)
}

/// Forgets a migration, in the transaction that took it back.
pub(crate) async fn end_down(connection: &mut PgConnection, migration: &Migration) -> Result<()> {
    let sql = "DELETE FROM public.schema_migrations WHERE version = $1";
    sqlx::query(sql).bind(version(migration)).execute(connection).await.map(drop)
}

/// Believes the caller that exactly `migrations` are applied, each as its file says.
pub(crate) async fn overwrite(
    connection: &mut PgConnection,
    migrations: &[&Migration],
) -> Result<()> {
    let versions: Vec<_> = migrations.iter().map(|one| version(one)).collect();
    let modules: Vec<_> = migrations.iter().map(|one| one.module).collect();
    let names: Vec<_> = migrations.iter().map(|one| one.name).collect();
    let checksums: Vec<_> = migrations.iter().map(|one| checksum(one)).collect();
    let sql = "WITH gone AS (
            DELETE FROM public.schema_migrations WHERE version <> ALL ($1))
        INSERT INTO public.schema_migrations (version, module, name, checksum, applied_at, dirty)
        SELECT version, module, name, checksum, clock_timestamp(), false
        FROM unnest($1::int[], $2::text[], $3::text[], $4::text[])
            AS believed (version, module, name, checksum)
        ON CONFLICT (version) DO UPDATE SET
            module = excluded.module, name = excluded.name, checksum = excluded.checksum,
            applied_at = coalesce(schema_migrations.applied_at, excluded.applied_at),
            dirty = false";
    sqlx::query(sql)
        .bind(versions)
        .bind(modules)
        .bind(names)
        .bind(checksums)
        .execute(connection)
        .await
        .map(drop)
}

/// What tells an edited file: of the way up alone, as a way back may be mended at any time.
pub(crate) fn checksum(migration: &Migration) -> String {
    let digest = digest(&SHA256, migration.up.as_bytes());
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Four digits always fit.
fn version(migration: &Migration) -> i32 {
    migration.version.cast_signed()
}
