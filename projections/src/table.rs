//! One table in the hands of the runner: loads what a batch touches, folds, writes set-wise.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    num::NonZeroUsize,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use domain::kernel::Position;
use futures_util::future::BoxFuture;
use lru::LruCache;
use sqlx::PgConnection;

use crate::{
    column::Column,
    copy::Copier,
    engine::Arrived,
    fold::{At, EventSet, Fault, Fold, Key, Sweep, Touch},
    row::{self, Row},
    sql::{TableSql, own},
    sweep::Swept,
};

/// Rows kept in memory between batches: the runner is the only writer.
const KEPT: NonZeroUsize = NonZeroUsize::new(20_000).expect("not zero");
/// Rows in one statement.
const MOST_ROWS: usize = 5_000;

/// A table of whatever row, as the engine drives it.
pub(crate) trait Table: Send {
    /// The stream categories whose events it folds.
    fn categories(&self) -> &'static [&'static str];
    /// `table/key` of each row an event touches.
    fn touched(&self, event: &Arrived<'_>) -> Result<Vec<String>, Fault>;
    /// Notes which rows must be loaded before an event can be folded.
    fn seek(&mut self, event: &Arrived<'_>) -> Result<(), Fault>;
    /// Loads what was noted.
    fn load<'a>(&'a mut self, connection: &'a mut PgConnection) -> BoxFuture<'a, sqlx::Result<()>>;
    /// Folds one event; what it did can be undone until [`Table::settle`].
    fn fold(&mut self, event: &Arrived<'_>) -> Result<(), Fault>;
    fn undo(&mut self);
    fn settle(&mut self);
    /// Applies an effect on all rows: a purge to those in memory now, the end of a key when they
    /// are next folded or written, and both to the others when these are written.
    fn sweep(&mut self, swept: &Swept);
    /// Writes the changed rows.
    fn write<'a>(
        &'a mut self,
        connection: &'a mut PgConnection,
    ) -> BoxFuture<'a, sqlx::Result<u64>>;
    /// The rows written stand: keep them.
    fn committed(&mut self);
    /// The rows written do not stand: forget everything.
    fn reset(&mut self);
    /// Rows changed but not yet written.
    fn pending(&self) -> usize;
}

/// A row of the batch: as stored, and as folded so far.
#[derive(Clone)]
struct Entry<R> {
    /// Shared, because it never changes while the entry is passed on and kept for undoing.
    before: Option<Arc<R>>,
    now: Option<R>,
    changed: bool,
}

/// Purged organizations, and when.
type Purged = BTreeMap<String, Position>;

type Journal<F> = Vec<(Key<F>, Option<Entry<<F as Fold>::Row>>)>;

pub(crate) struct FoldTable<F: Fold> {
    sql: TableSql,
    /// Whether the stored table is still empty, so that nothing needs to be looked for in it.
    empty: bool,
    kept: LruCache<Key<F>, Arc<F::Row>>,
    batch: HashMap<Key<F>, Entry<F::Row>>,
    missing: Vec<Key<F>>,
    /// Entries as they were before the event in hand.
    journal: Journal<F>,
    /// Waits for the next write.
    swept: Swept,
}

impl<F: Fold> FoldTable<F> {
    /// Prepares the table in a schema.
    pub(crate) async fn open(
        connection: &mut PgConnection,
        schema: &str,
    ) -> sqlx::Result<Box<dyn Table>>
    where
        F: Send,
        F::Row: Send,
    {
        let sql = TableSql::prepare::<F::Row>(connection, schema).await?;
        let any = format!("SELECT EXISTS (SELECT FROM {})", sql.name);
        let filled: bool = sqlx::query_scalar(own(&any)).fetch_one(connection).await?;
        Ok(Box::new(Self {
            sql,
            empty: !filled,
            kept: LruCache::new(KEPT),
            batch: HashMap::new(),
            missing: Vec::new(),
            journal: Vec::new(),
            swept: Swept::default(),
        }))
    }

    fn decode(event: &Arrived<'_>) -> Result<Option<Arc<Recorded<F>>>, Fault> {
        if !F::Event::CATEGORIES.contains(&event.category()) {
            return Ok(None);
        }
        event.decoded::<F::Event>().map(Some)
    }

    /// The entry of a key, taken into the batch.
    fn take(&mut self, key: &Key<F>, new: bool) -> Result<Entry<F::Row>, Fault> {
        let mut entry = match (self.batch.get(key), self.kept.get(key)) {
            (Some(entry), _) => entry.clone(),
            // `seek` came first, so a key that is nowhere was looked for and is absent only if
            // it stands in the batch; this would be a fault of ours.
            (None, None) if !new && !self.empty => {
                return Err(Fault(format!("row {key:?} was not looked for")));
            }
            (None, kept) => {
                let now = kept.map(|row| F::Row::clone(row));
                Entry { before: kept.cloned(), now, changed: false }
            }
        };
        if let Some(row) = &mut entry.now {
            Self::clear(row, &self.swept.shredded);
        }
        Ok(entry)
    }

    fn stamp(after: &mut F::Row, existed: bool, event: &Arrived<'_>, edits: bool) {
        let envelope = event.envelope();
        let home = F::HOME == Some(&*envelope.category);
        after.std_mut().stamp(!existed, envelope, home, edits);
    }

    /// Whether a row is of one of some organizations.
    fn is_of(row: &F::Row, organizations: &Purged) -> bool {
        !organizations.is_empty()
            && F::SWEEPS.iter().any(|sweep| match sweep {
                Sweep::Purged(column) => {
                    row.text(column).is_some_and(|id| organizations.contains_key(&id))
                }
                Sweep::Shredded(_) => false,
            })
    }

    /// Clears what was sealed under one of some keys. Its place among events does not matter:
    /// nothing is sealed under a key once it is destroyed.
    fn clear(row: &mut F::Row, keys: &BTreeSet<String>) {
        for sweep in F::SWEEPS {
            match sweep {
                Sweep::Shredded(columns) if holds(row, "key_id", keys) => {
                    columns.iter().for_each(|column| row.clear(column));
                }
                Sweep::Shredded(_) | Sweep::Purged(_) => {}
            }
        }
    }

    async fn load_missing(&mut self, connection: &mut PgConnection) -> sqlx::Result<()> {
        let missing = std::mem::take(&mut self.missing);
        if self.empty {
            return Ok(());
        }
        for keys in missing.chunks(MOST_ROWS) {
            let texts: Vec<String> = keys.iter().map(text).collect();
            let rows =
                sqlx::query(own(&self.sql.select)).bind(texts).fetch_all(&mut *connection).await?;
            for key in keys {
                let absent = Entry { before: None, now: None, changed: false };
                self.batch.entry(key.clone()).or_insert(absent);
            }
            for row in rows {
                let row = F::Row::read(&row, 0)?;
                let key = row.key();
                // A purge waits for the next write: what is stored does not show it yet.
                let now = Some(row.clone()).filter(|row| !Self::is_of(row, &self.swept.purged));
                self.batch.insert(key, Entry { before: Some(Arc::new(row)), now, changed: false });
            }
        }
        Ok(())
    }

    async fn write_batch(&mut self, connection: &mut PgConnection) -> sqlx::Result<u64> {
        self.sweep_all(connection).await?;
        let mut gone = Vec::new();
        let (mut fresh, mut known): (Vec<&F::Row>, Vec<&F::Row>) = (Vec::new(), Vec::new());
        for (key, entry) in self.batch.iter().filter(|(_, entry)| entry.changed) {
            let released = match (&entry.before, &entry.now) {
                (Some(before), Some(now)) => !before.same_unique(now),
                (Some(_), None) => true,
                (None, _) => false,
            };
            if released {
                gone.push(text(key));
            }
            let there = if entry.before.is_none() { &mut fresh } else { &mut known };
            there.extend(&entry.now);
        }
        let written = fresh.len().saturating_add(known.len());
        for keys in gone.chunks(MOST_ROWS) {
            sqlx::query(own(&self.sql.delete)).bind(keys).execute(&mut *connection).await?;
        }
        // One order for all writers of a table, and rows laid down as keys grow.
        if fresh.len() > MOST_ROWS && self.may_copy(connection).await? {
            fresh.sort_unstable_by_key(|row| row.key());
            let mut copier = Copier::start(connection, &self.sql.copy).await?;
            for row in fresh {
                copier.row(row).await?;
            }
            copier.finish().await?;
        } else {
            known.append(&mut fresh);
        }
        known.sort_unstable_by_key(|row| row.key());
        for rows in known.chunks(MOST_ROWS) {
            self.upsert(rows, connection).await?;
        }
        u64::try_from(written).map_err(|e| sqlx::Error::Encode(Box::new(e)))
    }

    async fn upsert(&self, rows: &[&F::Row], connection: &mut PgConnection) -> sqlx::Result<()> {
        let mut arrays: Vec<Vec<Option<String>>> = Vec::new();
        for row in rows {
            let mut index = 0_usize;
            row::texts(*row, &mut |value| {
                let value = value.map(str::to_owned);
                match arrays.get_mut(index) {
                    Some(array) => array.push(value),
                    None => arrays.push(vec![value]),
                }
                index = index.saturating_add(1);
            });
        }
        let query = sqlx::query(own(&self.sql.upsert));
        let query = arrays.into_iter().fold(query, |query, array| query.bind(array));
        query.execute(connection).await?;
        Ok(())
    }

    /// COPY refuses a table whose rows are under policies for whoever asks. Those of a shadow come
    /// into force with its indexes, when most rows are in.
    async fn may_copy(&self, connection: &mut PgConnection) -> sqlx::Result<bool> {
        let sql = "SELECT NOT row_security_active($1::regclass)";
        sqlx::query_scalar(sql).bind(&self.sql.name).fetch_one(connection).await
    }

    /// Sweeps what is stored, and then the rows that are to be written over it.
    async fn sweep_all(&mut self, connection: &mut PgConnection) -> sqlx::Result<()> {
        if self.swept.is_empty() {
            return Ok(());
        }
        let Swept { purged, shredded } = &self.swept;
        for sweep in F::SWEEPS {
            match sweep {
                Sweep::Purged(column) if !purged.is_empty() => {
                    let sql = self.sql.purge(column);
                    let (ids, at): (Vec<_>, Vec<_>) =
                        purged.iter().map(|(id, at)| (id, at.0)).unzip();
                    sqlx::query(own(&sql)).bind(ids).bind(at).execute(&mut *connection).await?;
                }
                Sweep::Shredded(columns) if !shredded.is_empty() => {
                    let sql = self.sql.shred(columns);
                    let keys: Vec<_> = shredded.iter().collect();
                    sqlx::query(own(&sql)).bind(&keys).execute(&mut *connection).await?;
                }
                Sweep::Purged(_) | Sweep::Shredded(_) => {}
            }
        }
        for row in self.batch.values_mut().filter_map(|entry| entry.now.as_mut()) {
            Self::clear(row, &self.swept.shredded);
        }
        Ok(())
    }

    /// Takes the rows of purged organizations out of memory.
    fn purge(&mut self, organizations: &Purged) {
        for entry in self.batch.values_mut() {
            entry.now.take_if(|row| Self::is_of(row, organizations));
        }
        let theirs = self.kept.iter().filter(|(_, row)| Self::is_of(row, organizations));
        let theirs: Vec<_> = theirs.map(|(key, _)| key.clone()).collect();
        for key in theirs {
            // In the batch it is known to be absent; otherwise it would have to be looked for.
            let before = self.kept.pop(&key);
            self.batch.entry(key).or_insert(Entry { before, now: None, changed: false });
        }
    }
}

type Recorded<F> = domain::kernel::Recorded<<F as Fold>::Event>;

impl<F: Fold + Send> Table for FoldTable<F> {
    fn categories(&self) -> &'static [&'static str] {
        F::Event::CATEGORIES
    }

    fn touched(&self, event: &Arrived<'_>) -> Result<Vec<String>, Fault> {
        let Some(recorded) = Self::decode(event)? else { return Ok(Vec::new()) };
        let keys = F::touches(&recorded).into_iter().map(|touch| touch.into_parts().0);
        Ok(keys.map(|key| format!("{}/{}", F::Row::TABLE, text(&key))).collect())
    }

    fn seek(&mut self, event: &Arrived<'_>) -> Result<(), Fault> {
        let Some(recorded) = Self::decode(event)? else { return Ok(()) };
        if self.empty {
            return Ok(());
        }
        let touches = guarded(|| Ok(F::touches(&recorded)))?;
        for touch in touches {
            if let Touch::Row(key, _) = touch
                && !self.batch.contains_key(&key)
                && !self.kept.contains(&key)
            {
                self.missing.push(key);
            }
        }
        Ok(())
    }

    fn load<'a>(&'a mut self, connection: &'a mut PgConnection) -> BoxFuture<'a, sqlx::Result<()>> {
        Box::pin(self.load_missing(connection))
    }

    fn fold(&mut self, event: &Arrived<'_>) -> Result<(), Fault> {
        let Some(recorded) = Self::decode(event)? else { return Ok(()) };
        let edits = recorded.event.edits();
        for touch in guarded(|| Ok(F::touches(&recorded)))? {
            let new = matches!(touch, Touch::New(..));
            let (key, part) = touch.into_parts();
            let mut entry = self.take(&key, new)?;
            let existed = entry.now.is_some();
            let before = entry.now.take();
            let at = At { envelope: event.envelope() };
            let mut after = guarded(|| F::fold(before, part, &at))?;
            if let Some(row) = &mut after {
                if row.key() != key {
                    return Err(Fault(format!("the fold of {key:?} made another key")));
                }
                Self::stamp(row, existed, event, edits);
            }
            entry.now = after;
            entry.changed = true;
            self.journal.push((key.clone(), self.batch.insert(key, entry)));
        }
        Ok(())
    }

    fn undo(&mut self) {
        while let Some((key, entry)) = self.journal.pop() {
            match entry {
                Some(entry) => self.batch.insert(key, entry),
                None => self.batch.remove(&key),
            };
        }
    }

    fn settle(&mut self) {
        self.journal.clear();
    }

    fn sweep(&mut self, swept: &Swept) {
        if F::SWEEPS.is_empty() {
            return;
        }
        if !swept.purged.is_empty() {
            self.purge(&swept.purged);
        }
        self.swept.extend(swept);
    }

    fn write<'a>(
        &'a mut self,
        connection: &'a mut PgConnection,
    ) -> BoxFuture<'a, sqlx::Result<u64>> {
        Box::pin(self.write_batch(connection))
    }

    fn committed(&mut self) {
        if !self.swept.shredded.is_empty() {
            for (_, row) in &mut self.kept {
                Self::clear(Arc::make_mut(row), &self.swept.shredded);
            }
        }
        self.swept.clear();
        for (key, entry) in self.batch.drain() {
            self.empty &= entry.now.is_none();
            match entry.now {
                Some(row) => drop(self.kept.put(key, Arc::new(row))),
                None => drop(self.kept.pop(&key)),
            }
        }
        // A fold over millions of rows leaves a large map behind.
        self.batch.shrink_to(KEPT.get());
    }

    fn reset(&mut self) {
        self.kept.clear();
        self.batch.clear();
        self.missing.clear();
        self.journal.clear();
        self.swept.clear();
        // Whether rows were written before is not known any more: look for them.
        self.empty = false;
    }

    fn pending(&self) -> usize {
        self.batch.len()
    }
}

/// A panic in a fold is a fault of that event, not of the runner.
fn guarded<T>(work: impl FnOnce() -> Result<T, Fault>) -> Result<T, Fault> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err(Fault("the fold panicked; see the log of the process".into())))
}

/// Whether a column of a row holds one of some ids.
fn holds(row: &impl Row, column: &str, ids: &BTreeSet<String>) -> bool {
    !ids.is_empty() && row.text(column).is_some_and(|id| ids.contains(&id))
}

fn text(column: &impl Column) -> String {
    let mut text = String::new();
    column.write(&mut text);
    text
}
