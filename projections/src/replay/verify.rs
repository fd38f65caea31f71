//! Row by row: is what was rebuilt what is live?

use std::collections::HashSet;

use eventstore::failpoint;
use futures_util::TryStreamExt;
use sqlx::{Connection, PgConnection, Row, postgres::PgRow};

use super::{Observer, Phase, Progress, Replay, ReplayError, shadow::Shadow, swap};
use crate::{
    module::{Module, TableInfo},
    sql::own,
};

/// Differing rows reported for one table; the rest are only counted.
const MOST_REPORTED: usize = 1_000;

/// A row that is not the same in both sets of tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The table.
    pub table: String,
    /// The row's key.
    pub key: String,
    /// The live row as JSON, if there is one.
    pub live: Option<String>,
    /// The rebuilt row as JSON, if there is one.
    pub rebuilt: Option<String>,
}

impl Replay {
    /// What differs between the shadow and the live tables. Nobody has to stop for it.
    ///
    /// An event whose key was just destroyed is folded with its personal values or without,
    /// depending on when it was read, until the erasure is folded as well. So whatever differs is
    /// compared again where all of that is behind, and counts if it still differs.
    pub(super) async fn compare(
        &self,
        module: &'static Module,
        shadow: &mut Shadow,
        observe: Observer<'_>,
    ) -> Result<Vec<Difference>, ReplayError> {
        let found = self.compare_once(module, shadow, observe).await?;
        if found.is_empty() {
            return Ok(found);
        }
        let found: HashSet<_> = found.into_iter().map(|row| (row.table, row.key)).collect();
        let head = self.store.head().await?;
        self.fold_to(module, shadow, head, observe).await?;
        let mut left = self.compare_once(module, shadow, observe).await?;
        left.retain(|row| found.contains(&(row.table.clone(), row.key.clone())));
        Ok(left)
    }

    /// Brings the shadow to exactly where a snapshot of the live tables stands, and compares.
    async fn compare_once(
        &self,
        module: &'static Module,
        shadow: &mut Shadow,
        observe: Observer<'_>,
    ) -> Result<Vec<Difference>, ReplayError> {
        let mut other = self.connect().await?;
        let mut live = other.begin().await?;
        sqlx::query("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ").execute(&mut *live).await?;
        // No swap from before the snapshot on, which the first query takes: in a snapshot of before
        // a swap the tables of after it are empty.
        let locked = swap::lock(&mut live, module, "ACCESS SHARE");
        self.leases().keeping(&shadow.lease, locked).await?;
        let position: Option<i64> = sqlx::query_scalar(
            "SELECT position FROM eventstore.checkpoints WHERE consumer = $1 AND target = $1",
        )
        .bind(module.name)
        .fetch_optional(&mut *live)
        .await?;
        let position = domain::kernel::Position(position.unwrap_or_default());
        if position < shadow.position {
            // The live tables are behind: they cannot be compared before they caught up.
            live.rollback().await?;
            let caught_up = self.unless_stopped(self.await_live(module, shadow.position));
            self.leases().keeping(&shadow.lease, caught_up).await?;
            return Box::pin(self.compare_once(module, shadow, observe)).await;
        }
        self.fold_to(module, shadow, position, observe).await?;
        let Shadow { schema, lease, connection, .. } = shadow;
        observe(Progress {
            module: module.name,
            phase: Phase::Verifying,
            position,
            target: position,
        });
        failpoint("rebuild.verify");
        let compared = async {
            let mut found = Vec::new();
            for table in module.tables {
                let live = (&mut *live, module.name);
                found.extend(differences(live, (&mut *connection, schema), table).await?);
            }
            Ok::<_, ReplayError>(found)
        };
        let found = self.leases().keeping(lease, self.unless_stopped(compared)).await?;
        live.rollback().await?;
        Ok(found)
    }

    /// Waits for the live tables, or brings them up to date if nobody else does.
    async fn await_live(
        &self,
        module: &'static Module,
        position: domain::kernel::Position,
    ) -> Result<(), ReplayError> {
        use crate::{engine::Engine, wait::Positions};
        let positions = Positions::new(self.leases());
        if positions.wait(module.name, position).await.is_ok() {
            return Ok(());
        }
        #[expect(clippy::disallowed_methods, reason = "a process names itself once")]
        let owner = uuid::Uuid::now_v7();
        let Some(lease) = self.leases().acquire(module.name, module.name, owner).await? else {
            // Somebody holds the lease and works: look again.
            return Ok(());
        };
        let parked = eventstore::ParkedEvents::new(self.pool.clone());
        let parked = parked.list(Some((module.name, module.name))).await?;
        let mut connection = self.connect().await?;
        let mut engine = Engine::open(&mut connection, module, module.name, &parked).await?;
        if lease.position.0 == 0 {
            self.leases().stamp(&lease, &module.fingerprint()).await?;
        }
        let mut log = self.store.subscribe(lease.position);
        while log.position() < position {
            let events = log.next(2_000).await?;
            engine.take_in(&mut connection, &self.store, &lease, &events).await?;
        }
        self.leases().release(&lease).await?;
        Ok(())
    }
}

type Side<'c> = (&'c mut PgConnection, &'c str);

/// Walks both tables in key order and compares the hashes of rows.
async fn differences(
    live: Side<'_>,
    rebuilt: Side<'_>,
    table: &TableInfo,
) -> Result<Vec<Difference>, ReplayError> {
    let hashes = |schema: &str| {
        format!(
            "SELECT t.{key}::text, hash_record_extended(t, 0) FROM {schema}.{name} t
              ORDER BY t.{key}",
            key = table.key,
            name = table.name
        )
    };
    let mut keys = Vec::new();
    {
        let mut left = sqlx::query(own(&hashes(live.1))).fetch(&mut *live.0);
        let mut right = sqlx::query(own(&hashes(rebuilt.1))).fetch(&mut *rebuilt.0);
        let pair = |row: PgRow| -> (String, i64) { (row.get(0), row.get(1)) };
        let mut a = left.try_next().await?.map(pair);
        let mut b = right.try_next().await?.map(pair);
        loop {
            let order = match (&a, &b) {
                (None, None) => break,
                (Some(_), None) => std::cmp::Ordering::Less,
                (None, Some(_)) => std::cmp::Ordering::Greater,
                // Keys are UUIDs: their texts sort as they do.
                (Some((a, _)), Some((b, _))) => a.cmp(b),
            };
            match order {
                std::cmp::Ordering::Less => keys.extend(a.take().map(|(key, _)| key)),
                std::cmp::Ordering::Greater => keys.extend(b.take().map(|(key, _)| key)),
                std::cmp::Ordering::Equal if a != b => {
                    keys.extend(a.take().map(|(key, _)| key));
                    b = None;
                }
                std::cmp::Ordering::Equal => (a, b) = (None, None),
            }
            if order.is_le() {
                a = left.try_next().await?.map(pair);
            }
            if order.is_ge() {
                b = right.try_next().await?.map(pair);
            }
        }
    }
    let mut found = Vec::with_capacity(keys.len());
    for (number, key) in keys.into_iter().enumerate() {
        let report = number < MOST_REPORTED;
        found.push(Difference {
            table: table.name.to_owned(),
            live: if report { json(live.0, live.1, table, &key).await? } else { None },
            rebuilt: if report { json(rebuilt.0, rebuilt.1, table, &key).await? } else { None },
            key,
        });
    }
    Ok(found)
}

async fn json(
    connection: &mut PgConnection,
    schema: &str,
    table: &TableInfo,
    key: &str,
) -> Result<Option<String>, ReplayError> {
    let sql = format!(
        "SELECT to_jsonb(t)::text FROM {schema}.{} t WHERE t.{} = $1::text::uuid",
        table.name, table.key
    );
    Ok(sqlx::query_scalar(own(&sql)).bind(key).fetch_optional(connection).await?)
}
