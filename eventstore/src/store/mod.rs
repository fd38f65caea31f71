//! The event store as the rest of the platform sees it: one handle over a backend.

mod states;

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use domain::kernel::{KeyId, Position, TenantId, Version};
use tokio::sync::watch;
use uuid::Uuid;

use crate::{
    activity::Activity,
    ahead::{Line, Outlook},
    append::{Append, AppendError, Committed},
    backend::{Backend, CommandRecord, Filter, NewKey, Unavailable},
    cache::States,
    event::{Opened, Stored},
    feed::Feed,
    keyring::{KeyFailure, Keyring, Keys, MasterKey},
    loader::Loader,
    memory::Memory,
    postgres::Postgres,
    prepare,
    queue::Queues,
    scan::Scan,
    seal,
    subscribe::{POLL, Subscription},
    writer::{Refused, Writer},
};

pub use states::LoadError;

/// Events read at most because of one hint.
const NEWS: i64 = 1_000;

/// The log, with its caches and writing task. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
    poll: Duration,
}

struct Inner {
    backend: Arc<dyn Backend>,
    keyring: Keyring,
    feed: Arc<Feed>,
    writer: Writer,
    loader: Loader,
    states: States,
    outlook: Outlook,
    queues: Queues,
    /// Whether appends are refused because room is short.
    full: AtomicBool,
}

/// Room is short, says whoever watches it; the database was not asked.
#[derive(Debug, thiserror::Error)]
#[error("less room is left than must stay free")]
struct NoRoom;

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Store")
    }
}

/// What becomes of the keys of subjects that begin with an append.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Strangers {
    /// They are made with it, which takes no round trip of its own.
    Made,
    /// The log is asked for them first.
    AskedFor,
}

impl Store {
    /// A store over PostgreSQL. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// If the log cannot be reached.
    pub async fn postgres(postgres: Postgres, master: MasterKey) -> Result<Self, Unavailable> {
        Self::over(Arc::new(postgres), master).await
    }

    /// A store in memory, for tests of what stands on it.
    ///
    /// # Errors
    /// None in practice.
    pub async fn memory(memory: Memory, master: MasterKey) -> Result<Self, Unavailable> {
        Self::over(Arc::new(memory), master).await
    }

    async fn over(backend: Arc<dyn Backend>, master: MasterKey) -> Result<Self, Unavailable> {
        let feed = Arc::new(Feed::new(backend.head().await?));
        let writer = Writer::start(backend.clone(), feed.clone());
        let loader = Loader::start(backend.clone(), 2);
        let inner = Inner {
            backend,
            keyring: Keyring::new(master),
            feed,
            writer,
            loader,
            states: States::new(),
            outlook: Outlook::default(),
            queues: Queues::default(),
            full: AtomicBool::new(false),
        };
        Ok(Self { inner: Arc::new(inner), poll: POLL })
    }

    /// The same log; subscriptions that nobody tells of new events look for themselves this often,
    /// instead of five times a second.
    #[must_use]
    pub fn polled_every(self, poll: Duration) -> Self {
        Self { poll, ..self }
    }

    /// Refuses appends from now on as if the disk were full, or takes them again. A database
    /// without any room left can fail half-way through its own affairs, so whoever can see the room
    /// shrink stops writing before. Reading goes on.
    pub fn set_full(&self, full: bool) {
        self.inner.full.store(full, Ordering::Relaxed);
    }

    /// Whether appends are refused because room is short.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.inner.full.load(Ordering::Relaxed)
    }

    /// Records an append, or says why not.
    ///
    /// # Errors
    /// See [`AppendError`]; every error but `Unavailable` means that nothing was recorded.
    pub async fn append(&self, append: Append) -> Result<Committed, AppendError> {
        self.append_in_line(append, Line::default(), || {}).await
    }

    /// Records an append whose place among others under way is known, or says why not. `handed_in`
    /// is called once nothing that is handed in from then on can overtake it, and before it is known
    /// whether it is written: the moment to [foresee](Self::foresee) what it leads to.
    ///
    /// # Errors
    /// As [`Self::append`]; [`AppendError::Conflict`] without versions if what it follows was not
    /// written.
    pub async fn append_in_line(
        &self,
        append: Append,
        line: Line,
        handed_in: impl FnOnce() + Send,
    ) -> Result<Committed, AppendError> {
        prepare::check(&append)?;
        if self.is_full() {
            return Err(Unavailable::full(NoRoom).into());
        }
        let (keys, makes) = self.keys_for(&append, Strangers::Made).await?;
        let outcome = if makes.is_empty() {
            self.write(append, line, (keys, makes), handed_in).await
        } else {
            match self.write(append.clone(), line.clone(), (keys, makes), handed_in).await {
                // The subject is older than it seemed, so what it has is sealed under its own key.
                Err(Refused::KeyMade) => {
                    let keys = self.keys_for(&append, Strangers::AskedFor).await?;
                    // Its fate is settled by now.
                    let line = Line { fate: None, ..line };
                    self.write(append, line, keys, || {}).await
                }
                outcome => outcome,
            }
        };
        outcome.map_err(|refused| match refused {
            Refused::Told(error) => error,
            Refused::KeyMade => Unavailable::stopped().into(),
        })
    }

    async fn write(
        &self,
        append: Append,
        line: Line,
        (mut keys, makes): (Keys, Vec<NewKey>),
        handed_in: impl FnOnce(),
    ) -> Result<Committed, Refused> {
        let Inner { keyring, writer, states, .. } = &*self.inner;
        let since = Instant::now();
        let sealed = Arc::new(prepare::seal(append, line, &keys, makes)?);
        let outcome = writer.append(sealed.clone(), handed_in).await;
        match &outcome {
            Ok(committed) => {
                if !sealed.makes.is_empty() && !committed.duplicate {
                    keys.retain(|id, _| sealed.makes.iter().any(|made| made.id == *id));
                    keyring.keep(keys, since);
                }
                keyring.forget(&sealed.shred);
            }
            Err(Refused::Told(AppendError::SubjectErased)) => keyring.forget(&sealed.uses),
            Err(Refused::Told(AppendError::Conflict(versions))) => {
                versions.iter().for_each(|(stream, _)| states.forget(*stream));
            }
            Err(_) => {}
        }
        outcome
    }

    /// What its writer has done since it was opened.
    #[must_use]
    pub fn activity(&self) -> Activity {
        self.inner.writer.activity()
    }

    /// Who holds a unique value.
    ///
    /// # Errors
    /// If the log cannot be reached.
    pub async fn claim_owner(&self, scope: &str, key: &str) -> Result<Option<Uuid>, Unavailable> {
        self.inner.backend.claim_owner(scope, key).await
    }

    /// The unique values of a scope that begin alike, in order, each with who holds it; at most
    /// so many.
    ///
    /// # Errors
    /// If the log cannot be reached.
    pub async fn claim_owners(
        &self,
        scope: &str,
        prefix: &str,
        limit: i64,
    ) -> Result<Vec<(String, Uuid)>, Unavailable> {
        self.inner.backend.claim_owners(scope, prefix, limit).await
    }

    /// What is kept of a command.
    ///
    /// # Errors
    /// If the log cannot be reached.
    pub async fn command(
        &self,
        tenant: TenantId,
        id: Uuid,
    ) -> Result<Option<CommandRecord>, Unavailable> {
        self.inner.backend.command(tenant, id).await
    }

    /// A name of this log that every process which opens it finds, and no other log.
    ///
    /// # Errors
    /// If the log cannot be reached.
    pub async fn log_id(&self) -> Result<String, Unavailable> {
        self.inner.backend.log_id().await
    }

    /// The last position of the log, asked of the log itself.
    ///
    /// # Errors
    /// If the log cannot be reached.
    pub async fn head(&self) -> Result<Position, Unavailable> {
        let head = self.inner.backend.head().await?;
        self.inner.feed.raise(head);
        Ok(head)
    }

    /// Takes a hint, from anywhere, that the log reaches to `position`. If that is news, the log is
    /// read, once for all subscribers, and they are woken if it has grown. Answers how far the log
    /// is known to reach: less than `position` if the hint was wrong, which harms nobody.
    ///
    /// # Errors
    /// If the log cannot be reached.
    pub async fn hint(&self, position: Position) -> Result<Position, Unavailable> {
        let Inner { backend, feed, .. } = &*self.inner;
        let known = *feed.head().borrow();
        if position <= known {
            return Ok(known);
        }
        let news = backend.page(known, NEWS).await?;
        let reached = feed.learn(news).unwrap_or(known);
        // Whoever is so far behind reads on by itself.
        if position <= reached { Ok(reached) } else { self.head().await }
    }

    /// The highest position this process knows of, and word of higher ones. Never ahead of what
    /// the log itself has said.
    #[must_use]
    pub fn watch_head(&self) -> watch::Receiver<Position> {
        self.inner.feed.head()
    }

    /// The last position this process wrote, and word of later ones: what other processes do not
    /// know yet.
    #[must_use]
    pub fn watch_written(&self) -> watch::Receiver<Position> {
        self.inner.feed.written()
    }

    /// Follows the log from behind a position.
    #[must_use]
    pub fn subscribe(&self, after: Position) -> Subscription {
        let Inner { backend, feed, .. } = &*self.inner;
        Subscription::new(backend.clone(), feed.clone(), self.poll, after)
    }

    /// Runs through the log from behind a position to the end of an append, about `most` positions
    /// at a time, reading ahead. Hands out the events whose types begin with one of some texts.
    #[must_use]
    pub fn scan(
        &self,
        (after, end): (Position, Position),
        most: usize,
        types: Arc<[String]>,
    ) -> Scan {
        Scan::new(self.inner.backend.clone(), types, (after, end), most)
    }

    /// Events after a position, as stored.
    ///
    /// # Errors
    /// If the log cannot be reached.
    pub async fn read(&self, after: Position, limit: i64) -> Result<Vec<Stored>, Unavailable> {
        self.inner.backend.read(after, limit).await
    }

    /// Events of one stream after a version, as stored.
    ///
    /// # Errors
    /// If the log cannot be reached.
    pub async fn read_stream(
        &self,
        stream: Uuid,
        after: Version,
    ) -> Result<Vec<Stored>, Unavailable> {
        self.inner.backend.stream(stream, after).await
    }

    /// Events that match a filter, as stored.
    ///
    /// # Errors
    /// If the log cannot be reached.
    pub async fn search(&self, filter: &Filter) -> Result<Vec<Stored>, Unavailable> {
        self.inner.backend.search(filter).await
    }

    /// Opens the personal values of events; erased ones stay marked.
    ///
    /// # Errors
    /// If the keys cannot be reached, or the master key is not the one they were wrapped with.
    pub async fn open(&self, events: &[Stored]) -> Result<Vec<Opened>, Unavailable> {
        let ids = events.iter().filter_map(|event| {
            event.envelope.key_id.filter(|_| seal::is_personal(&event.payload))
        });
        let keys = self.keys_of(ids.collect()).await?;
        Ok(events.iter().map(|event| opened(event, &keys)).collect())
    }

    /// Opens events together with the requests that led to them, for investigators.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub async fn open_with_requests(&self, events: &[Stored]) -> Result<Vec<Opened>, Unavailable> {
        let ids = events.iter().flat_map(|e| [e.envelope.key_id, e.envelope.request_key_id]);
        let keys = self.keys_of(ids.flatten().collect()).await?;
        let with_request = |event: &Stored| {
            let mut opened = opened(event, &keys);
            let mut envelope = (*opened.envelope).clone();
            envelope.request = event.request.as_deref().and_then(|request| {
                let key = envelope.request_key_id.and_then(|id| keys.get(&id)?.clone());
                let clear = seal::open_payload(request, envelope.correlation_id, key.as_deref());
                serde_json::from_str(&clear).ok()
            });
            opened.envelope = Arc::new(envelope);
            opened
        };
        Ok(events.iter().map(with_request).collect())
    }

    /// Forgets unwrapped keys, so that the log is asked for them: for tests. By itself a store
    /// learns within a minute that another process destroyed one.
    pub fn forget_keys(&self, destroyed: &[KeyId]) {
        self.inner.keyring.forget(destroyed);
    }

    /// The keys an append is sealed under, and those of them it makes.
    async fn keys_for(
        &self,
        append: &Append,
        strangers: Strangers,
    ) -> Result<(Keys, Vec<NewKey>), AppendError> {
        let Inner { backend, keyring, .. } = &*self.inner;
        let uses = prepare::keys_used(append);
        let request = append.meta.request.as_ref().and(append.meta.request_key);
        let wanted: Vec<_> = uses.iter().copied().chain(request).collect();
        let begins = |key| {
            strangers == Strangers::Made && uses.contains(&key) && prepare::begins(append, key)
        };
        let keys = keyring.create(&**backend, &wanted, begins).await;
        Ok(keys.map_err(unavailable)?)
    }

    async fn keys_of(&self, ids: HashSet<KeyId>) -> Result<Keys, Unavailable> {
        if ids.is_empty() {
            return Ok(Keys::new());
        }
        let ids: Vec<_> = ids.into_iter().collect();
        self.inner.keyring.find(&*self.inner.backend, &ids).await.map_err(unavailable)
    }
}

fn unavailable(failure: KeyFailure) -> Unavailable {
    match failure {
        KeyFailure::Unavailable(fault) => fault,
        KeyFailure::Seal(_) | KeyFailure::WrongMaster(_) => Unavailable::refused(failure),
    }
}

fn opened(event: &Stored, keys: &Keys) -> Opened {
    let envelope = &event.envelope;
    let clear = open(&event.payload, envelope.event_id, envelope.key_id, keys);
    let payload = clear.map_or_else(|| event.payload.clone(), Into::into);
    Opened { envelope: envelope.clone(), payload }
}

/// A payload with its personal values opened; none if it has none.
fn open(payload: &str, event: Uuid, key: Option<KeyId>, keys: &Keys) -> Option<String> {
    if !seal::is_personal(payload) {
        return None;
    }
    let key = key.and_then(|id| keys.get(&id)?.clone());
    Some(seal::open_payload(payload, event, key.as_deref()))
}
