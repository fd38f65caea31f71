//! The states of aggregates: what the log says they are, what memory keeps of that, and what they
//! will be once all that is handed in is written.

use std::time::Instant;

use domain::kernel::{Aggregate, DomainEvent, StreamId};
use uuid::Uuid;

use super::{Store, open};
use crate::{
    ahead::Fate,
    backend::Unavailable,
    cache::{Kept, Loaded},
    codec::{self, Undecodable},
    event::Fact,
    queue::Ticket,
    seal,
};

/// Why an aggregate cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The log cannot be reached.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// One of its events cannot be understood: deciding on a guess is worse than refusing.
    #[error(transparent)]
    Undecodable(#[from] Undecodable),
    /// Too many wait for the same aggregate.
    #[error("too many commands are waiting for {0}")]
    Overloaded(StreamId),
}

impl Store {
    /// The state of an aggregate: from memory if it is there, else from the log.
    ///
    /// # Errors
    /// If the log cannot be reached or an event cannot be understood.
    pub async fn load<A: Aggregate>(&self, id: Uuid) -> Result<Loaded<A>, LoadError> {
        match self.inner.states.get::<A>(id, Instant::now()) {
            Some(loaded) => Ok(loaded),
            None => self.load_fresh(id).await,
        }
    }

    /// The state of an aggregate for whoever is about to decide, if anything is handed in for it: as
    /// if that were written already. What is decided on it has to follow the append it
    /// [names](Loaded::follows).
    ///
    /// A state that is too old is not shown: it is waited until the log can be asked instead.
    ///
    /// # Errors
    /// If that takes so long that the log must be in trouble.
    pub async fn foreseen<A: Aggregate>(&self, id: Uuid) -> Result<Option<Loaded<A>>, Unavailable> {
        let foreseen = self.inner.outlook.get::<A>(id);
        if foreseen.as_ref().is_some_and(|foreseen| foreseen.is_old(Instant::now())) {
            self.settled(id).await?;
            return Ok(None);
        }
        Ok(foreseen)
    }

    /// Lets deciders see the state that an append leads to which was just handed in.
    pub fn foresee(&self, id: Uuid, state: Kept, fate: &Fate) {
        self.inner.outlook.put(id, state, fate.clone());
    }

    /// Ends what [`Self::foresee`] began, once the append's verdict is known to its caller.
    pub fn unsee(&self, id: Uuid, fate: &Fate) {
        self.inner.outlook.drop(id, fate);
    }

    /// Waits until it is known what became of what was foreseen for an aggregate so far, as far as
    /// its callers still wait themselves.
    ///
    /// # Errors
    /// If that takes so long that the log must be in trouble.
    pub async fn settled(&self, id: Uuid) -> Result<(), Unavailable> {
        self.inner.outlook.settled(id).await
    }

    /// The state of an aggregate as the log has it now; a state in memory is brought up to date.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub async fn load_fresh<A: Aggregate>(&self, id: Uuid) -> Result<Loaded<A>, LoadError> {
        let known = self.inner.states.get::<A>(id, Instant::now());
        let mut loaded = known.unwrap_or_else(Loaded::nothing);
        loaded.cached = false;
        let facts = self.inner.loader.load(id, loaded.version).await?;
        // The id of something of another kind is the id of none of this kind.
        let category = <A::Event as DomainEvent>::CATEGORY;
        if facts.first().is_some_and(|first| *first.category != *category) {
            return Ok(loaded);
        }
        let sealed = facts.iter().filter(|fact| seal::is_personal(&fact.payload));
        let keys = self.keys_of(sealed.filter_map(|fact| fact.key_id).collect()).await?;
        for Fact { event_id, version, name, schema_version, key_id, payload, .. } in &facts {
            let clear = open(payload, *event_id, *key_id, &keys);
            let event: A::Event =
                codec::event(name, *schema_version, clear.as_deref().unwrap_or(payload))?;
            loaded.version = *version;
            if event.edits() {
                loaded.edited = *version;
            }
            loaded.state = loaded.state.evolve(&event);
        }
        if loaded.version.0 > 0 {
            self.inner.states.put(id, loaded.clone().into(), Instant::now());
        }
        Ok(loaded)
    }

    /// Keeps the state that follows a successful append.
    pub fn remember(&self, id: Uuid, state: Kept) {
        self.inner.states.put(id, state, Instant::now());
    }

    /// Drops a state from memory, so that it is loaded from the log: for who measures that.
    pub fn forget(&self, id: Uuid) {
        self.inner.states.forget(id);
    }

    /// Waits in line for an aggregate. Hold at most one such ticket at a time: two callers with
    /// more could wait for each other.
    ///
    /// # Errors
    /// If too many wait already.
    pub async fn ticket(&self, stream: StreamId) -> Result<Ticket, LoadError> {
        self.inner.queues.wait(stream.id).await.ok_or(LoadError::Overloaded(stream))
    }
}
