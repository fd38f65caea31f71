//! Row by row: is what was rebuilt what is live?
//!
//! Owns the report. Refuses to hold all that differs, which may be every row of a big table: it names
//! some rows of each table, and counts the rest.

use std::cmp::Ordering;

use domain::kernel::Position;
use eventstore::failpoint;
use futures_util::TryStreamExt;
use sqlx::{PgConnection, Row, postgres::PgRow};

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

/// The rows that are not the same in both sets of tables.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Differences {
    /// The first thousand of each table.
    pub rows: Vec<Difference>,
    /// How many there are in all.
    pub count: usize,
    /// What to do about the tables that were made for it, if they could not be dropped.
    pub left: Option<String>,
}

/// The rows of a table that were not the same.
struct Suspects {
    table: &'static TableInfo,
    /// The keys of the first ones.
    keys: Vec<String>,
    /// How many more there are.
    others: usize,
}

impl Replay {
    /// What differs between the shadow and the live tables. Nobody has to stop for it.
    ///
    /// An event whose key was just destroyed is folded with its personal values or without,
    /// depending on when it was read, until the erasure is folded as well. So the rows that differ
    /// are looked at again where all of that is behind, and count if they still differ.
    pub(super) async fn compare(
        &self,
        module: &'static Module,
        shadow: &mut Shadow,
        observe: Observer<'_>,
    ) -> Result<Differences, ReplayError> {
        let mut live = self.connect().await?;
        self.side_by_side(module, shadow, &mut live, observe).await?;
        failpoint("rebuild.verify");
        let Shadow { schema, lease, connection, .. } = &mut *shadow;
        let walked = async {
            let mut suspects = Vec::with_capacity(module.tables.len());
            for table in module.tables {
                suspects.push(walk((&mut live, module.name), (connection, schema), table).await?);
            }
            Ok::<_, ReplayError>(suspects)
        };
        let suspects = self.leases().keeping(lease, self.unless_stopped(walked)).await?;
        end(&mut live).await?;
        let mut found = Differences::default();
        if suspects.iter().all(|suspects| suspects.keys.is_empty()) {
            return Ok(found);
        }
        let head = self.store.head().await?;
        self.fold_to(module, shadow, head, observe).await?;
        self.side_by_side(module, shadow, &mut live, observe).await?;
        let Shadow { schema, lease, connection, .. } = shadow;
        let looked = async {
            for mut suspects in suspects {
                if suspects.others > 0 {
                    // Too many to look at one by one: the whole table again.
                    let before = suspects.others;
                    let sides = ((&mut live, module.name), (&mut *connection, &**schema));
                    suspects = walk(sides.0, sides.1, suspects.table).await?;
                    suspects.others = suspects.others.min(before);
                }
                let (live, rebuilt) = ((&mut live, module.name), (&mut *connection, &**schema));
                found.rows.extend(look(live, rebuilt, &suspects).await?);
                found.count = found.count.saturating_add(suspects.others);
            }
            Ok::<_, ReplayError>(())
        };
        self.leases().keeping(lease, self.unless_stopped(looked)).await?;
        found.count = found.count.saturating_add(found.rows.len());
        Ok(found)
    }

    /// Begins a snapshot of the live tables, and brings the shadow to exactly where they stand.
    async fn side_by_side(
        &self,
        module: &'static Module,
        shadow: &mut Shadow,
        live: &mut PgConnection,
        observe: Observer<'_>,
    ) -> Result<(), ReplayError> {
        let position = loop {
            sqlx::raw_sql("BEGIN ISOLATION LEVEL REPEATABLE READ").execute(&mut *live).await?;
            // No swap from before the snapshot on, which the first query takes: in a snapshot of
            // before a swap the tables of after it are empty.
            let locked = swap::lock(live, module, "ACCESS SHARE");
            self.leases().keeping(&shadow.lease, locked).await?;
            let position: Option<i64> = sqlx::query_scalar(
                "SELECT position FROM eventstore.checkpoints WHERE consumer = $1 AND target = $1",
            )
            .bind(module.name)
            .fetch_optional(&mut *live)
            .await?;
            let position = Position(position.unwrap_or_default());
            if position >= shadow.position {
                break position;
            }
            // The live tables are behind: they cannot be compared before they caught up.
            end(live).await?;
            let caught_up = self.unless_stopped(self.await_live(module, shadow.position));
            self.leases().keeping(&shadow.lease, caught_up).await?;
        };
        self.fold_to(module, shadow, position, observe).await?;
        let (module, phase) = (module.name, Phase::Verifying);
        observe(Progress { module, phase, position, target: position });
        Ok(())
    }

    /// Waits for the live tables, or brings them up to date if nobody else does.
    async fn await_live(
        &self,
        module: &'static Module,
        position: Position,
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

/// Ends a snapshot.
async fn end(live: &mut PgConnection) -> Result<(), ReplayError> {
    sqlx::raw_sql("ROLLBACK").execute(live).await?;
    Ok(())
}

/// Walks both tables in key order and compares the hashes of rows.
async fn walk(
    live: Side<'_>,
    rebuilt: Side<'_>,
    table: &'static TableInfo,
) -> Result<Suspects, ReplayError> {
    let hashes = |schema: &str| {
        format!(
            "SELECT t.{key}::text, hash_record_extended(t, 0) FROM {schema}.{name} t
              ORDER BY t.{key}",
            key = table.key,
            name = table.name
        )
    };
    let mut suspects = Suspects { table, keys: Vec::new(), others: 0 };
    let mut left = sqlx::query(own(&hashes(live.1))).fetch(live.0);
    let mut right = sqlx::query(own(&hashes(rebuilt.1))).fetch(rebuilt.0);
    let pair = |row: PgRow| -> (String, i64) { (row.get(0), row.get(1)) };
    let mut a = left.try_next().await?.map(pair);
    let mut b = right.try_next().await?.map(pair);
    loop {
        let order = match (&a, &b) {
            (None, None) => return Ok(suspects),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            // Keys are UUIDs: their texts sort as they do.
            (Some((a, _)), Some((b, _))) => a.cmp(b),
        };
        if a != b {
            let first = if order.is_le() { &mut a } else { &mut b };
            suspects.add(first.take().map(|(key, _)| key));
        }
        if order.is_le() {
            a = left.try_next().await?.map(pair);
        }
        if order.is_ge() {
            b = right.try_next().await?.map(pair);
        }
    }
}

impl Suspects {
    fn add(&mut self, key: Option<String>) {
        if self.keys.len() < MOST_REPORTED {
            self.keys.extend(key);
        } else {
            self.others = self.others.saturating_add(1);
        }
    }
}

/// Looks again at rows that were not the same.
async fn look(
    live: Side<'_>,
    rebuilt: Side<'_>,
    suspects: &Suspects,
) -> Result<Vec<Difference>, ReplayError> {
    let mut found = Vec::new();
    for key in &suspects.keys {
        let left = row((&mut *live.0, live.1), suspects.table, key).await?;
        let right = row((&mut *rebuilt.0, rebuilt.1), suspects.table, key).await?;
        let hash = |row: &Option<(i64, String)>| row.as_ref().map(|(hash, _)| *hash);
        if hash(&left) != hash(&right) {
            found.push(Difference {
                table: suspects.table.name.to_owned(),
                key: key.clone(),
                live: left.map(|(_, json)| json),
                rebuilt: right.map(|(_, json)| json),
            });
        }
    }
    Ok(found)
}

/// The hash of a row, and the row as JSON.
async fn row(
    (connection, schema): Side<'_>,
    table: &TableInfo,
    key: &str,
) -> Result<Option<(i64, String)>, ReplayError> {
    let sql = format!(
        "SELECT hash_record_extended(t, 0), to_jsonb(t)::text FROM {schema}.{} t
          WHERE t.{} = $1::text::uuid",
        table.name, table.key
    );
    Ok(sqlx::query_as(own(&sql)).bind(key).fetch_optional(connection).await?)
}
