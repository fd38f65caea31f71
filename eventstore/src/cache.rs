//! States of recently used aggregates. A cached state is a guess until an append with its
//! version succeeds; whoever refuses a command on one must look again first.

use std::{
    any::Any,
    num::NonZeroUsize,
    sync::{Arc, Mutex, PoisonError},
};

use domain::kernel::{Aggregate, Version};
use lru::LruCache;
use uuid::Uuid;

const HELD: NonZeroUsize = NonZeroUsize::new(65_536).expect("not zero");

/// An aggregate's state and the version it stands for.
#[derive(Debug, Clone)]
pub struct Loaded<A> {
    /// The state.
    pub state: A,
    /// The version of the stream's last event folded into it.
    pub version: Version,
    /// The version of the last event that changed something a client can edit: the `ETag`.
    pub edited: Version,
    /// Whether it came from memory and may be behind the log.
    pub cached: bool,
}

struct Entry {
    version: Version,
    edited: Version,
    state: Arc<dyn Any + Send + Sync>,
}

pub(crate) struct States {
    held: Mutex<LruCache<Uuid, Entry>>,
}

impl States {
    pub(crate) fn new() -> Self {
        Self { held: Mutex::new(LruCache::new(HELD)) }
    }

    pub(crate) fn get<A: Aggregate>(&self, id: Uuid) -> Option<Loaded<A>> {
        let (version, edited, state) = {
            let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
            let entry = held.get(&id)?;
            (entry.version, entry.edited, entry.state.clone())
        };
        let state = state.downcast_ref::<A>()?.clone();
        Some(Loaded { state, version, edited, cached: true })
    }

    pub(crate) fn put<A: Aggregate>(&self, id: Uuid, loaded: Loaded<A>) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let Loaded { state, version, edited, .. } = loaded;
        // Two callers may finish out of order; the newer state stays.
        if held.peek(&id).is_none_or(|known| known.version <= version) {
            held.put(id, Entry { version, edited, state: Arc::new(state) });
        }
    }

    pub(crate) fn forget(&self, id: Uuid) {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).pop(&id);
    }
}
