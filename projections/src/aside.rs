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
    redacted::Redacted,
    sql::{OF_DESTROYED_KEYS, OF_KEYS, clearing, own},
};

/// Tables in a schema that nobody is making, and under which epoch they were seen.
struct Aside {
    schema: String,
    epoch: i64,
    /// Whether something may be left in them since somebody made them.
    owing: bool,
}

/// A table's columns, and whether whoever asks may change them.
#[derive(PartialEq, Eq)]
struct Shape {
    columns: BTreeSet<String>,
    may_update: bool,
}

/// How clearing tables ended; of several, the worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Cleared {
    /// Nothing is left.
    Yes,
    /// The server refuses, and may go on refusing.
    Refused,
    /// Somebody else has a row or table locked, which is soon over.
    Busy,
}

/// Which tables are settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    /// Those something is noted of.
    Owing,
    /// All: what could not be noted is forgotten with the process that wanted to.
    All,
}

impl Which {
    const fn has(self, aside: &Aside) -> bool {
        match self {
            Self::Owing => aside.owing,
            Self::All => true,
        }
    }
}

/// Clears what keys sealed in all tables beside the live ones that nobody is making, in the
/// transaction of the caller. Rows of a purged organization stay, as they do in the log: without
/// them such tables could not be brought up to date.
///
/// Nobody waits for whoever is in the way, or fails for what the server refuses beside the live
/// tables: then it is noted that something is left, which [`settle`] clears. Answers `false` if not
/// even that could be noted everywhere, and it is to be tried again with the same keys.
pub(crate) async fn clear(
    transaction: &mut PgConnection,
    module: &Module,
    keys: &BTreeSet<String>,
) -> sqlx::Result<bool> {
    let mut all = true;
    for aside in asides(transaction, module).await? {
        let cleared = !aside.owing
            && clear_schema(transaction, module, &aside.schema, Some(keys)).await? == Cleared::Yes;
        // Noted anew where it is noted: whoever clears there may not have seen these keys end.
        all &= cleared || owe(transaction, module, &aside).await?;
    }
    Ok(all)
}

/// Clears what may be left in tables beside the live ones, which may take long: each of them in a
/// transaction of its own. What could not be cleared is noted.
pub(crate) async fn settle(
    connection: &mut PgConnection,
    module: &Module,
    which: Which,
) -> sqlx::Result<Cleared> {
    let mut all = Cleared::Yes;
    for aside in asides(connection, module).await?.iter().filter(|aside| which.has(aside)) {
        let mut cleared = clear_schema(connection, module, &aside.schema, None).await?;
        if cleared != Cleared::Yes {
            if !aside.owing && !owe(connection, module, aside).await? {
                cleared = Cleared::Busy;
            }
        } else if aside.owing {
            paid(connection, module, aside).await?;
        }
        all = all.max(cleared);
    }
    Ok(all)
}

/// Whether there is anything to settle.
pub(crate) async fn is_due(
    connection: &mut PgConnection,
    module: &Module,
    which: Which,
) -> sqlx::Result<bool> {
    Ok(asides(connection, module).await?.iter().any(|aside| which.has(aside)))
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

/// Notes that nothing is left in tables, unless they have changed hands or more was noted meanwhile.
/// Whoever stood still under a lapsed lease finds it gone. Not in the transaction that cleared: whoever
/// notes something waits for nobody who clears.
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

/// Notes that something is left in tables, also for whoever is clearing them at this moment; answers
/// whether it could be noted.
async fn owe(connection: &mut PgConnection, module: &Module, aside: &Aside) -> sqlx::Result<bool> {
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
    if lock::in_time(noted)?.is_none() {
        attempt.rollback().await?;
        let (module, schema) = (module.name, &aside.schema);
        tracing::warn!(module, schema, "somebody keeps a checkpoint locked; it is tried again");
        return Ok(false);
    }
    lock::as_usual(&mut attempt).await?;
    attempt.commit().await?;
    Ok(true)
}

/// Clears in one schema what keys sealed, or all destroyed ones. What is in the way of one table is
/// not in the way of the others, unless somebody waits: then the first ends it.
async fn clear_schema(
    connection: &mut PgConnection,
    module: &Module,
    schema: &str,
    keys: Option<&BTreeSet<String>>,
) -> sqlx::Result<Cleared> {
    let statements = statements(connection, module, schema, keys.is_some()).await?;
    let keys: Option<Vec<_>> = keys.map(|keys| keys.iter().collect());
    let mut all = Cleared::Yes;
    for (table, sql) in statements {
        let mut attempt = connection.begin().await?;
        lock::briefly(&mut attempt).await?;
        let query = sqlx::query(own(&sql));
        let query = match &keys {
            Some(keys) => query.bind(keys),
            None => query,
        };
        let refusal = match query.execute(&mut *attempt).await {
            Ok(_) => {
                lock::as_usual(&mut attempt).await?;
                attempt.commit().await?;
                continue;
            }
            Err(refusal @ sqlx::Error::Database(_)) => Redacted::from(refusal),
            Err(fault) => return Err(fault),
        };
        attempt.rollback().await?;
        tracing::warn!(
            module = module.name,
            schema,
            table,
            cause = %refusal,
            "what was erased cannot be cleared here for now; it is tried again"
        );
        let busy = refusal.code().as_deref() == Some(lock::LOCK_NOT_AVAILABLE);
        all = all.max(if busy { Cleared::Busy } else { Cleared::Refused });
        if keys.is_some() {
            break;
        }
    }
    Ok(all)
}

/// How the tables of a schema are cleared, by name. Tables of another shape, made by another
/// version, those that no module has any more, and those whose columns must not be changed, lose
/// the rows: what their columns hold is not known, or stays.
async fn statements(
    connection: &mut PgConnection,
    module: &Module,
    schema: &str,
    of_keys: bool,
) -> sqlx::Result<Vec<(String, String)>> {
    let condition = if of_keys { OF_KEYS } else { OF_DESTROYED_KEYS };
    let live = shapes(connection, module.name).await?;
    let mut statements = Vec::new();
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
        statements.push((table, sql));
    }
    Ok(statements)
}

/// The tables of a schema whose rows are sealed under keys, if whoever asks may clear them.
async fn shapes(
    connection: &mut PgConnection,
    schema: &str,
) -> sqlx::Result<BTreeMap<String, Shape>> {
    let found: Vec<(String, Vec<String>, bool)> = sqlx::query_as(
        "SELECT relname::text, array_agg(attname::text), has_table_privilege(c.oid, 'UPDATE')
           FROM pg_attribute
           JOIN pg_class c ON c.oid = attrelid JOIN pg_namespace n ON n.oid = relnamespace
          WHERE nspname = $1 AND relkind = 'r' AND attnum > 0 AND NOT attisdropped
            AND has_table_privilege(c.oid, 'SELECT') AND has_table_privilege(c.oid, 'DELETE')
          GROUP BY c.oid HAVING bool_or(attname = 'key_id' AND atttypid = 'uuid'::regtype)",
    )
    .bind(schema)
    .fetch_all(connection)
    .await?;
    let shape = |(table, columns, may_update): (String, Vec<String>, bool)| {
        (table, Shape { columns: columns.into_iter().collect(), may_update })
    };
    Ok(found.into_iter().map(shape).collect())
}
