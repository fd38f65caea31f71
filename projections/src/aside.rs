//! A module's tables beside the live ones: the former, the next in the making, those as of a
//! moment.
//!
//! Owns knowing where they are, and that they keep nothing of what a destroyed key sealed. Tables
//! somebody has the lease on are in the making: what is erased meanwhile is cleared in them before
//! they are let go of. A lease that lapsed, rather than being given back, says that this is still to
//! be done. Refuses schemas without a checkpoint of the module: whatever they hold is somebody
//! else's.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::{Connection, PgConnection};

use crate::{
    lock,
    module::{MODULES, Module},
    sql::{OF_DESTROYED_KEYS, OF_KEYS, clearing, own},
};

/// Tables in a schema that nobody is making, and under which epoch they were seen.
struct Aside {
    schema: String,
    epoch: i64,
    /// Whether something may be left in them since somebody made them.
    owing: bool,
}

/// The columns of tables, by name.
type Shapes = BTreeMap<String, BTreeSet<String>>;

/// Clears what keys sealed in all tables beside the live ones that nobody is making, in the
/// transaction of the caller, and where something may be left, what any destroyed key sealed.
/// Rows of a purged organization stay, as they do in the log: without them such tables could not
/// be brought up to date.
///
/// Nobody waits long for whoever is in the way: then it is noted that something is left.
pub(crate) async fn clear(
    transaction: &mut PgConnection,
    module: &Module,
    keys: &BTreeSet<String>,
) -> sqlx::Result<()> {
    for aside in asides(transaction, module).await? {
        if keys.is_empty() && !aside.owing {
            continue;
        }
        let mut attempt = transaction.begin().await?;
        lock::briefly(&mut attempt).await?;
        let cleared = async {
            let keys = if aside.owing { None } else { Some(keys) };
            clear_schema(&mut attempt, module, &aside.schema, keys).await?;
            if aside.owing { paid(&mut attempt, module, &aside).await } else { Ok(()) }
        };
        let cleared = cleared.await;
        if lock::in_time(cleared)?.is_some() {
            lock::as_usual(&mut attempt).await?;
            attempt.commit().await?;
        } else {
            attempt.rollback().await?;
            owe(transaction, module, &aside).await?;
        }
    }
    Ok(())
}

/// Clears what whoever made tables may have left in them; answers whether nothing is left.
pub(crate) async fn settle(connection: &mut PgConnection, module: &Module) -> sqlx::Result<bool> {
    if !is_owing(connection, module).await? {
        return Ok(true);
    }
    let mut transaction = connection.begin().await?;
    lock::shared(&mut transaction, module.name).await?;
    clear(&mut transaction, module, &BTreeSet::new()).await?;
    transaction.commit().await?;
    Ok(!is_owing(connection, module).await?)
}

async fn is_owing(connection: &mut PgConnection, module: &Module) -> sqlx::Result<bool> {
    Ok(asides(connection, module).await?.iter().any(|aside| aside.owing))
}

/// The tables beside the live ones that nobody is making.
async fn asides(connection: &mut PgConnection, module: &Module) -> sqlx::Result<Vec<Aside>> {
    let rows: Vec<(String, i64, bool)> = sqlx::query_as(
        "SELECT target, epoch, owner IS NOT NULL FROM eventstore.checkpoints
          WHERE consumer = $1 AND target <> $1
            AND (owner IS NULL OR lease_until <= clock_timestamp())
          ORDER BY target",
    )
    .bind(module.name)
    .fetch_all(connection)
    .await?;
    let aside = |(schema, epoch, owing)| Aside { schema, epoch, owing };
    Ok(rows.into_iter().map(aside).collect())
}

/// Notes that nothing is left in tables, unless they have changed hands or somebody was in the way
/// of another clearing meanwhile. Whoever stood still under a lapsed lease finds it gone.
async fn paid(connection: &mut PgConnection, module: &Module, aside: &Aside) -> sqlx::Result<()> {
    sqlx::query(
        "UPDATE eventstore.checkpoints SET owner = NULL, epoch = nextval('eventstore.epochs')
          WHERE consumer = $1 AND target = $2 AND epoch = $3 AND lease_until <= clock_timestamp()",
    )
    .bind(module.name)
    .bind(&aside.schema)
    .bind(aside.epoch)
    .execute(connection)
    .await?;
    Ok(())
}

/// Notes that something is left in tables, also for whoever is clearing them at this moment.
async fn owe(connection: &mut PgConnection, module: &Module, aside: &Aside) -> sqlx::Result<()> {
    tracing::warn!(
        module = module.name,
        schema = aside.schema,
        "somebody is in the way: what was erased is cleared here later"
    );
    let mut attempt = connection.begin().await?;
    lock::briefly(&mut attempt).await?;
    let noted = sqlx::query(
        "UPDATE eventstore.checkpoints
            SET owner = gen_random_uuid(), lease_until = '-infinity',
                epoch = nextval('eventstore.epochs')
          WHERE consumer = $1 AND target = $2
            AND (owner IS NULL OR lease_until <= clock_timestamp())",
    )
    .bind(module.name)
    .bind(&aside.schema)
    .execute(&mut *attempt)
    .await;
    // Whoever has the checkpoint is at work on the tables, and clears them.
    if lock::in_time(noted)?.is_none() {
        return attempt.rollback().await;
    }
    lock::as_usual(&mut attempt).await?;
    attempt.commit().await
}

/// Clears in one schema what keys sealed, or all destroyed ones. Tables of another shape, made by
/// another version, and those that no module has any more, lose these rows: what their columns hold
/// is not known.
async fn clear_schema(
    connection: &mut PgConnection,
    module: &Module,
    schema: &str,
    keys: Option<&BTreeSet<String>>,
) -> sqlx::Result<()> {
    let condition = if keys.is_some() { OF_KEYS } else { OF_DESTROYED_KEYS };
    let keys: Option<Vec<_>> = keys.map(|keys| keys.iter().collect());
    let live = shapes(connection, module.name).await?;
    for (table, shape) in shapes(connection, schema).await? {
        let of = |module: &Module| module.tables.iter().find(|info| info.name == table);
        let name = format!("\"{schema}\".\"{table}\"");
        let sql = match of(module) {
            Some(info) if live.get(&table) == Some(&shape) => match info.sealed {
                [] => continue,
                sealed => clearing(&name, sealed, condition),
            },
            None if MODULES.iter().any(|other| of(other).is_some()) => continue,
            Some(_) | None => format!("DELETE FROM {name} WHERE {condition}"),
        };
        let query = sqlx::query(own(&sql));
        let query = match &keys {
            Some(keys) => query.bind(keys),
            None => query,
        };
        query.execute(&mut *connection).await?;
    }
    Ok(())
}

/// The tables of a schema whose rows are sealed under keys, if whoever asks may clear them.
async fn shapes(connection: &mut PgConnection, schema: &str) -> sqlx::Result<Shapes> {
    let found: Vec<(String, Vec<String>)> = sqlx::query_as(
        "SELECT relname::text, array_agg(attname::text) FROM pg_attribute
           JOIN pg_class c ON c.oid = attrelid JOIN pg_namespace n ON n.oid = relnamespace
          WHERE nspname = $1 AND relkind = 'r' AND attnum > 0 AND NOT attisdropped
            AND has_table_privilege(c.oid, 'SELECT') AND has_table_privilege(c.oid, 'DELETE')
          GROUP BY relname HAVING bool_or(attname = 'key_id' AND atttypid = 'uuid'::regtype)",
    )
    .bind(schema)
    .fetch_all(connection)
    .await?;
    Ok(found.into_iter().map(|(table, columns)| (table, columns.into_iter().collect())).collect())
}
