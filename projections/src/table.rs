//! One table in the hands of the runner: loads what a batch touches, folds, writes set-wise.

use std::{
    collections::HashMap,
    num::NonZeroUsize,
    panic::{AssertUnwindSafe, catch_unwind},
};

use futures_util::future::BoxFuture;
use lru::LruCache;
use sqlx::PgConnection;

use crate::{
    column::Column,
    copy::Copier,
    engine::Arrived,
    fold::{At, EventSet, Fault, Fold, Key, Sweep, Touch},
    row::{Row, Std},
    sql::{TableSql, own},
    sweep::Swept,
};

/// Rows kept in memory between batches: the runner is the only writer.
const KEPT: NonZeroUsize = NonZeroUsize::new(20_000).expect("not zero");
/// Rows in one statement.
const MOST_ROWS: usize = 5_000;

/// A table of whatever row, as the engine drives it.
pub(crate) trait Table: Send {
    fn wants(&self, category: &str) -> bool;
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
    /// Applies an effect on all rows, to those in memory now and to the others when written.
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
    before: Option<R>,
    now: Option<R>,
    changed: bool,
}

type Journal<F> = Vec<(Key<F>, Option<Entry<<F as Fold>::Row>>)>;

pub(crate) struct FoldTable<F: Fold> {
    sql: TableSql,
    /// Whether the stored table is still empty, so that nothing needs to be looked for in it.
    empty: bool,
    kept: LruCache<Key<F>, F::Row>,
    batch: HashMap<Key<F>, Entry<F::Row>>,
    missing: Vec<Key<F>>,
    /// Entries as they were before the event in hand.
    journal: Journal<F>,
    swept: Vec<Swept>,
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
            swept: Vec::new(),
        }))
    }

    fn decode(event: &Arrived<'_>) -> Result<Option<std::sync::Arc<Recorded<F>>>, Fault> {
        if !F::Event::CATEGORIES.contains(&event.category()) {
            return Ok(None);
        }
        event.decoded::<F::Event>().map(Some)
    }

    /// The entry of a key, taken into the batch.
    fn take(&mut self, key: &Key<F>, new: bool) -> Result<Entry<F::Row>, Fault> {
        if let Some(entry) = self.batch.get(key) {
            return Ok(entry.clone());
        }
        let before = self.kept.get(key).cloned();
        if before.is_none() && !new && !self.empty {
            // `seek` came first, so a key that is nowhere was looked for and is absent only if
            // it stands in the batch; this would be a fault of ours.
            return Err(Fault(format!("row {key:?} was not looked for")));
        }
        Ok(Entry { now: before.clone(), before, changed: false })
    }

    fn stamp(after: &mut F::Row, existed: bool, event: &Arrived<'_>, edits: bool) {
        let envelope = event.envelope();
        let home = F::HOME == Some(&*envelope.category);
        after.std_mut().stamp(!existed, envelope, home, edits);
    }

    /// Applies a sweep to a row; `false` if nothing is left of it.
    fn survives(row: &mut F::Row, swept: &Swept) -> bool {
        for sweep in F::SWEEPS {
            match sweep {
                Sweep::Purged(column) => {
                    if swept.purged.is_some() && row.text(column) == swept.purged {
                        return false;
                    }
                }
                Sweep::Shredded(columns) => {
                    if row.text("key_id").is_some_and(|key| swept.shredded.contains(&key)) {
                        columns.iter().for_each(|column| row.clear(column));
                    }
                }
            }
        }
        true
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
                // Sweeps wait for the next write: what is stored does not show them yet.
                let mut now = row.clone();
                let stays = self.swept.iter().all(|swept| Self::survives(&mut now, swept));
                let now = stays.then_some(now);
                self.batch.insert(key, Entry { before: Some(row), now, changed: false });
            }
        }
        Ok(())
    }

    async fn write_batch(&mut self, connection: &mut PgConnection) -> sqlx::Result<u64> {
        for swept in &self.swept {
            for sweep in F::SWEEPS {
                self.sweep_stored(connection, sweep, swept).await?;
            }
        }
        let mut gone = Vec::new();
        let mut there: Vec<&F::Row> = Vec::new();
        for (key, entry) in self.batch.iter().filter(|(_, entry)| entry.changed) {
            let released = match (&entry.before, &entry.now) {
                (Some(before), Some(now)) => !before.same_unique(now),
                (Some(_), None) => true,
                (None, _) => false,
            };
            if released {
                gone.push(text(key));
            }
            there.extend(&entry.now);
        }
        let written = there.len();
        // One order for all writers of a table, and rows laid down as keys grow.
        there.sort_unstable_by_key(|row| row.key());
        for keys in gone.chunks(MOST_ROWS) {
            sqlx::query(own(&self.sql.delete)).bind(keys).execute(&mut *connection).await?;
        }
        if self.empty && written > MOST_ROWS {
            let mut copier = Copier::start(connection, &self.sql.copy).await?;
            for row in there {
                copier.row(texts(row).into_iter()).await?;
            }
            copier.finish().await?;
        } else {
            for rows in there.chunks(MOST_ROWS) {
                let mut arrays: Vec<Vec<Option<String>>> = Vec::new();
                for row in rows {
                    for (index, value) in texts(*row).into_iter().enumerate() {
                        match arrays.get_mut(index) {
                            Some(array) => array.push(value),
                            None => arrays.push(vec![value]),
                        }
                    }
                }
                let query = sqlx::query(own(&self.sql.upsert));
                arrays
                    .into_iter()
                    .fold(query, |query, array| query.bind(array))
                    .execute(&mut *connection)
                    .await?;
            }
        }
        u64::try_from(written).map_err(|e| sqlx::Error::Encode(Box::new(e)))
    }

    async fn sweep_stored(
        &self,
        connection: &mut PgConnection,
        sweep: &Sweep,
        swept: &Swept,
    ) -> sqlx::Result<()> {
        match (sweep, &swept.purged) {
            (Sweep::Purged(column), Some(organization)) => {
                let sql = self.sql.purge(column);
                sqlx::query(own(&sql)).bind(organization).execute(connection).await?;
            }
            (Sweep::Shredded(columns), _) if !swept.shredded.is_empty() => {
                let sql = self.sql.shred(columns);
                let keys: Vec<_> = swept.shredded.iter().collect();
                sqlx::query(own(&sql)).bind(keys).execute(connection).await?;
            }
            (Sweep::Purged(_) | Sweep::Shredded(_), _) => {}
        }
        Ok(())
    }
}

type Recorded<F> = domain::kernel::Recorded<<F as Fold>::Event>;

impl<F: Fold + Send> Table for FoldTable<F> {
    fn wants(&self, category: &str) -> bool {
        F::Event::CATEGORIES.contains(&category)
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
        for entry in self.batch.values_mut() {
            entry.now.take_if(|row| !Self::survives(row, swept));
        }
        let mut gone = Vec::new();
        for (key, row) in &mut self.kept {
            if !Self::survives(row, swept) {
                gone.push(key.clone());
            }
        }
        for key in gone {
            // In the batch it is known to be absent; otherwise it would have to be looked for.
            let before = self.kept.pop(&key);
            self.batch.entry(key).or_insert(Entry { before, now: None, changed: false });
        }
        self.swept.push(swept.clone());
    }

    fn write<'a>(
        &'a mut self,
        connection: &'a mut PgConnection,
    ) -> BoxFuture<'a, sqlx::Result<u64>> {
        Box::pin(self.write_batch(connection))
    }

    fn committed(&mut self) {
        self.swept.clear();
        for (key, entry) in self.batch.drain() {
            self.empty &= entry.now.is_none();
            match entry.now {
                Some(row) => drop(self.kept.put(key, row)),
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

fn text(column: &impl Column) -> String {
    let mut text = String::new();
    column.write(&mut text);
    text
}

/// The text form of every column, [`Std`] last.
fn texts<R: Row>(row: &R) -> Vec<Option<String>> {
    let mut values = Vec::with_capacity(R::COLUMNS.len().saturating_add(Std::NAMES.len()));
    row.texts(&mut |value| values.push(value));
    let std = row.std();
    values.push(Some(text(&std.stream_version)));
    values.push(Some(text(&std.last_position)));
    values.push(Some(text(&std.created_at)));
    values.push(Some(text(&std.updated_at)));
    values
}
