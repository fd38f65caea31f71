//! Folding a run of events into a module's tables, in one schema.
//!
//! Owns the order of things: whole appends, tables in declared order, sweeps, parking, and one
//! transaction for rows and checkpoint. Live, rebuild and as-of are this engine on different
//! schemas with batches of different size.

use std::{
    any::{Any, TypeId},
    cell::RefCell,
    collections::{BTreeSet, HashSet},
    sync::Arc,
};

use domain::kernel::{Envelope, Position, Recorded};
use eventstore::{
    Fenced, Lease, Leases, Opened, Parked, ParkedEvents, Span, Store, Stored, Unavailable,
    failpoint,
};
use sqlx::{Connection, PgConnection};

use crate::{
    aside,
    fold::{EventSet, Fault},
    lock,
    module::Module,
    redacted::Redacted,
    sweep::{self, Swept},
    table::Table,
};

/// An opened event on its way through a module's tables; understood once for all of them.
pub struct Arrived<'b> {
    opened: &'b Opened,
    understood: RefCell<Vec<(TypeId, Understood)>>,
}

type Understood = Result<Arc<dyn Any + Send + Sync>, Fault>;

impl std::fmt::Debug for Arrived<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Arrived({})", self.opened.envelope.position)
    }
}

impl<'b> Arrived<'b> {
    /// An event that nobody looked at yet.
    #[must_use]
    pub const fn new(opened: &'b Opened) -> Self {
        Self { opened, understood: RefCell::new(Vec::new()) }
    }

    pub(crate) fn envelope(&self) -> &'b Envelope {
        &self.opened.envelope
    }

    pub(crate) fn category(&self) -> &'b str {
        &self.opened.envelope.category
    }

    pub(crate) fn decoded<E: EventSet>(&self) -> Result<Arc<Recorded<E>>, Fault> {
        let wanted = TypeId::of::<E>();
        let known = |list: &Vec<(TypeId, Understood)>| {
            list.iter().find(|(of, _)| *of == wanted).map(|(_, event)| event.clone())
        };
        let understood = known(&self.understood.borrow());
        let understood = understood.unwrap_or_else(|| {
            let event: Understood = match E::decode(self.opened) {
                Ok(recorded) => Ok(Arc::new(recorded)),
                Err(cause) => Err(Fault(format!("{}.{cause}", self.category()))),
            };
            self.understood.borrow_mut().push((wanted, event.clone()));
            event
        });
        understood?
            .downcast::<Recorded<E>>()
            .map_err(|_| Fault("an event was understood as another type".into()))
    }
}

/// Why a batch could not be taken in. The rows and the checkpoint are as before.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The database cannot be reached, or refuses more than one append's rows.
    #[error("the read tables cannot be written: {0}")]
    Database(Redacted),
    /// The log cannot be reached.
    #[error(transparent)]
    Log(#[from] Unavailable),
    /// Another process has the lease.
    #[error(transparent)]
    Fenced(#[from] Fenced),
    /// The database neither answers nor goes away, as on a network that swallows.
    #[error("the database does not answer")]
    Silent(#[from] tokio::time::error::Elapsed),
}

impl From<sqlx::Error> for EngineError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error.into())
    }
}

/// A module's tables in one schema.
pub struct Engine {
    module: &'static Module,
    schema: String,
    tables: Vec<Box<dyn Table>>,
    /// The stream categories whose events the tables fold.
    categories: BTreeSet<&'static str>,
    /// Rows (`table/key`) and streams (`stream/id`) behind a parked event.
    blocked: HashSet<String>,
    parking: Vec<Parked>,
    /// Keys that ended, to be cleared with the next write beside the live tables, if these are.
    ended: BTreeSet<String>,
    /// Those of earlier writes that were neither cleared everywhere nor noted.
    unnoted: BTreeSet<String>,
    /// Whether the write not yet committed left none.
    noted: bool,
    /// Everything up to here is folded, though perhaps not yet written.
    folded: Position,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Engine({} in {})", self.module.name, self.schema)
    }
}

impl Engine {
    /// Opens a module's tables in a schema.
    ///
    /// # Errors
    /// If the database cannot be reached or a table is not what its row declares.
    pub async fn open(
        connection: &mut PgConnection,
        module: &'static Module,
        schema: &str,
        parked: &[Parked],
    ) -> Result<Self, EngineError> {
        let tables = (module.open)(connection, schema).await?;
        let categories = tables.iter().flat_map(|table| table.categories()).copied().collect();
        let blocked = parked.iter().flat_map(|event| event.keys.iter().cloned()).collect();
        Ok(Self {
            module,
            schema: schema.to_owned(),
            tables,
            categories,
            blocked,
            parking: Vec::new(),
            ended: BTreeSet::new(),
            unnoted: BTreeSet::new(),
            noted: true,
            folded: Position(0),
        })
    }

    /// How many rows wait to be written.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.tables.iter().map(|table| table.pending()).sum()
    }

    /// How far events are folded.
    #[must_use]
    pub const fn folded(&self) -> Position {
        self.folded
    }

    /// How the types of the events begin that the tables take in.
    pub(crate) fn types(&self) -> Arc<[String]> {
        let folded = self.categories.iter().map(|category| format!("{category}."));
        let sweeping = sweep::EVENTS.iter().filter(|(category, _)| !self.folds(category));
        folded.chain(sweeping.map(|(category, name)| format!("{category}.{name}"))).collect()
    }

    /// Folds what a span of the log holds for the tables, as [`Self::fold`] does.
    ///
    /// # Errors
    /// As [`Self::fold`].
    pub(crate) async fn fold_span(
        &mut self,
        connection: &mut PgConnection,
        store: &Store,
        span: &Span,
    ) -> Result<(), EngineError> {
        self.fold(connection, store, &span.events).await?;
        self.folded = span.until;
        Ok(())
    }

    /// Folds events in memory; rows they touch are loaded first. Whole appends only.
    ///
    /// # Errors
    /// If rows or keys cannot be loaded.
    pub async fn fold(
        &mut self,
        connection: &mut PgConnection,
        store: &Store,
        events: &[Stored],
    ) -> Result<(), EngineError> {
        let wanted: Vec<Stored> =
            events.iter().filter(|event| self.wants(&event.envelope)).cloned().collect();
        let opened = store.open(&wanted).await?;
        let arrived: Vec<_> = opened.iter().map(Arrived::new).collect();
        for event in &arrived {
            for table in &mut self.tables {
                // A fault shows again, and is dealt with, when the event is folded.
                let _ = table.seek(event);
            }
        }
        for table in &mut self.tables {
            table.load(connection).await?;
        }
        for event in &arrived {
            self.fold_one(event);
        }
        if let Some(last) = events.last() {
            self.folded = last.envelope.position;
        }
        Ok(())
    }

    fn folds(&self, category: &str) -> bool {
        self.categories.contains(category)
    }

    fn wants(&self, envelope: &Envelope) -> bool {
        self.folds(&envelope.category) || is_sweep(envelope)
    }

    fn sweep(&mut self, swept: &Swept) {
        if self.schema == self.module.name {
            self.ended.extend(swept.shredded.iter().cloned());
        }
        self.tables.iter_mut().for_each(|table| table.sweep(swept));
    }

    fn fold_one(&mut self, event: &Arrived<'_>) {
        if let Some(swept) = sweep::of(event.opened) {
            self.sweep(&swept);
        }
        let outcome = self
            .barred(event)
            .and_then(|()| self.tables.iter_mut().try_for_each(|table| table.fold(event)));
        match outcome {
            Ok(()) => self.tables.iter_mut().for_each(|table| table.settle()),
            Err(fault) => {
                self.tables.iter_mut().for_each(|table| table.undo());
                self.park(event, &fault);
            }
        }
    }

    /// An event that touches a row behind a parked one must wait as well, whole.
    fn barred(&self, event: &Arrived<'_>) -> Result<(), Fault> {
        if self.blocked.is_empty() {
            return Ok(());
        }
        let stream = stream_key(event.envelope());
        let touched = self.touched(event)?;
        let blocked = touched.iter().chain([&stream]).find(|key| self.blocked.contains(*key));
        blocked.map_or(Ok(()), |key| Err(Fault(format!("waits behind a parked event of {key}"))))
    }

    fn touched(&self, event: &Arrived<'_>) -> Result<Vec<String>, Fault> {
        let mut keys = Vec::new();
        for table in &self.tables {
            keys.extend(table.touched(event)?);
        }
        Ok(keys)
    }

    fn park(&mut self, event: &Arrived<'_>, fault: &Fault) {
        let envelope = event.envelope();
        // What cannot be understood cannot say which rows it touches: its stream waits.
        let keys = self.touched(event).unwrap_or_else(|_| vec![stream_key(envelope)]);
        tracing::error!(
            module = self.module.name,
            schema = self.schema,
            position = envelope.position.0,
            event = envelope.event_type(),
            cause = fault.0,
            "event parked"
        );
        self.blocked.extend(keys.iter().cloned());
        self.parking.push(Parked {
            consumer: self.module.name.to_owned(),
            target: self.schema.clone(),
            position: envelope.position,
            keys,
            cause: fault.0.clone(),
        });
    }

    /// Whether any of these events is something to the tables, or a write is due without any.
    #[must_use]
    pub fn concerns(&self, events: &[Stored]) -> bool {
        !self.unnoted.is_empty() || events.iter().any(|event| self.wants(&event.envelope))
    }

    /// Moves past events that are nothing to the tables.
    pub fn pass_over(&mut self, events: &[Stored]) {
        if let Some(last) = events.last() {
            self.folded = last.envelope.position;
        }
    }

    /// Moves the checkpoint over events that were passed over. One statement, without the
    /// module's lock: no row changes, and a swap holds the checkpoint it goes by.
    ///
    /// # Errors
    /// If the database refuses, or another process has the lease.
    pub async fn checkpoint(
        &mut self,
        connection: &mut PgConnection,
        lease: &Lease,
    ) -> Result<(), EngineError> {
        Ok(Leases::advance(connection, lease, self.folded.max(lease.position)).await?)
    }

    /// Writes what was folded, with what was parked, and moves the checkpoint, all in one
    /// transaction of the caller's.
    ///
    /// # Errors
    /// If the database refuses, or another process has the lease.
    pub async fn flush(
        &mut self,
        transaction: &mut PgConnection,
        lease: &Lease,
    ) -> Result<u64, EngineError> {
        let written = self.write(transaction).await?;
        ParkedEvents::park(transaction, &self.parking).await?;
        // Events taken in late lie behind the checkpoint, which stays.
        failpoint("tables.checkpoint");
        Leases::advance(transaction, lease, self.folded.max(lease.position)).await?;
        Ok(written)
    }

    async fn write(&mut self, transaction: &mut PgConnection) -> sqlx::Result<u64> {
        let mut written = 0_u64;
        for table in &mut self.tables {
            written = written.saturating_add(table.write(transaction).await?);
            failpoint("tables.written");
        }
        let ended: BTreeSet<_> = self.ended.union(&self.unnoted).cloned().collect();
        self.noted = ended.is_empty() || aside::clear(transaction, self.module, &ended).await?;
        Ok(written)
    }

    /// Sweeps the stored rows at once, as events between those that are taken in late did.
    ///
    /// # Errors
    /// If the database refuses.
    pub(crate) async fn sweep_stored(
        &mut self,
        connection: &mut PgConnection,
        sweeps: &[(Position, Swept)],
    ) -> Result<(), EngineError> {
        sweeps.iter().for_each(|(_, swept)| self.sweep(swept));
        self.write(connection).await?;
        self.committed();
        Ok(())
    }

    /// What was flushed is committed.
    pub fn committed(&mut self) {
        self.parking.clear();
        self.unnoted.append(&mut self.ended);
        if self.noted {
            self.unnoted.clear();
        }
        self.tables.iter_mut().for_each(|table| table.committed());
    }

    /// What was folded or flushed is void; start again from the checkpoint.
    pub fn reset(&mut self, parked: &[Parked]) {
        self.forget(parked.iter().flat_map(|event| event.keys.iter().cloned()).collect());
    }

    /// Forgets what was folded and not committed.
    fn forget(&mut self, blocked: HashSet<String>) {
        self.parking.clear();
        self.ended.clear();
        self.blocked = blocked;
        self.tables.iter_mut().for_each(|table| table.reset());
    }

    /// Folds events and writes them, in one transaction. What the database refuses is narrowed
    /// down to one append, which is parked.
    ///
    /// # Errors
    /// If the database or the log cannot be reached, or another process has the lease.
    pub async fn take_in(
        &mut self,
        connection: &mut PgConnection,
        store: &Store,
        lease: &Lease,
        events: &[Stored],
    ) -> Result<(), EngineError> {
        let mut runs = vec![events];
        while let Some(run) = runs.pop() {
            let before = self.blocked.clone();
            match self.attempt(connection, store, lease, run).await {
                Err(EngineError::Database(cause)) if cause.is_refusal() => {
                    self.forget(before);
                    match split(run) {
                        Some((first, second)) => runs.extend([second, first]),
                        None => self.park_append(connection, store, lease, run, &cause).await?,
                    }
                }
                Err(fault) => {
                    self.forget(before);
                    return Err(fault);
                }
                Ok(()) => {}
            }
        }
        Ok(())
    }

    async fn attempt(
        &mut self,
        connection: &mut PgConnection,
        store: &Store,
        lease: &Lease,
        events: &[Stored],
    ) -> Result<(), EngineError> {
        if !self.concerns(events) {
            self.pass_over(events);
            return self.checkpoint(connection, lease).await;
        }
        let mut transaction = connection.begin().await?;
        lock::shared(&mut transaction, self.module.name).await?;
        self.fold(&mut transaction, store, events).await?;
        self.flush(&mut transaction, lease).await?;
        failpoint("tables.commit");
        transaction.commit().await?;
        failpoint("tables.committed");
        self.committed();
        Ok(())
    }

    async fn park_append(
        &mut self,
        connection: &mut PgConnection,
        store: &Store,
        lease: &Lease,
        events: &[Stored],
        cause: &Redacted,
    ) -> Result<(), EngineError> {
        for event in store.open(events).await? {
            if self.wants(&event.envelope) {
                // What must be forgotten is forgotten, whatever else goes wrong.
                if let Some(swept) = sweep::of(&event) {
                    self.sweep(&swept);
                }
                self.park(&Arrived::new(&event), &Fault(cause.to_string()));
            }
        }
        if let Some(last) = events.last() {
            self.folded = last.envelope.position;
        }
        let mut transaction = connection.begin().await?;
        lock::shared(&mut transaction, self.module.name).await?;
        self.flush(&mut transaction, lease).await?;
        transaction.commit().await?;
        self.committed();
        Ok(())
    }
}

/// Whether an event has an effect on all rows of a table.
fn is_sweep(envelope: &Envelope) -> bool {
    sweep::EVENTS.contains(&(&*envelope.category, &*envelope.name))
}

fn stream_key(envelope: &Envelope) -> String {
    format!("stream/{}", envelope.stream)
}

/// Two runs of whole appends, unless there is only one append.
fn split(events: &[Stored]) -> Option<(&[Stored], &[Stored])> {
    let ends_append = |event: &Stored| event.envelope.position == event.envelope.append_last;
    let half = events.len() / 2;
    let later = events.iter().skip(half).position(ends_append).map(|at| at.saturating_add(half));
    let last = events.len().checked_sub(1)?;
    let cut = match later {
        Some(at) if at < last => at,
        Some(_) | None => events.get(..half)?.iter().rposition(ends_append)?,
    };
    events.split_at_checked(cut.saturating_add(1))
}
