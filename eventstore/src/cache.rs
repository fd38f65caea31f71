//! States of recently used aggregates. A cached state is a guess until an append with its
//! version succeeds; whoever refuses a command on one must look again first.
//!
//! A state holds personal values in clear. Another process may destroy their key, so a state is
//! made anew from the log when it is an hour old, and one nobody asks for is dropped.

use std::{
    any::Any,
    num::NonZeroUsize,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use domain::kernel::{Aggregate, Version};
use lru::LruCache;
use uuid::Uuid;

use crate::ahead::Fate;

/// How many states are held.
const HELD: NonZeroUsize = NonZeroUsize::new(65_536).expect("not zero");
/// For how long a state is brought up to date before it is made anew.
const KEPT: Duration = Duration::from_secs(3_600);

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
    /// The append that leads to it, where that is not written yet.
    pub follows: Option<Fate>,
    /// When it was made from the log; what has happened since was added to it.
    since: Instant,
}

impl<A: Aggregate> Loaded<A> {
    /// The state of what never happened.
    #[must_use]
    pub fn nothing() -> Self {
        Self {
            state: A::default(),
            version: Version(0),
            edited: Version(0),
            cached: false,
            follows: None,
            since: Instant::now(),
        }
    }

    /// Whether it has to be made anew.
    pub(crate) fn is_old(&self, now: Instant) -> bool {
        is_old(self.since, now)
    }
}

fn is_old(since: Instant, now: Instant) -> bool {
    now.saturating_duration_since(since) >= KEPT
}

/// A state as it is held in memory, of whatever aggregate.
#[derive(Clone)]
pub struct Kept {
    since: Instant,
    version: Version,
    edited: Version,
    state: Arc<dyn Any + Send + Sync>,
}

impl std::fmt::Debug for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Kept({})", self.version)
    }
}

impl<A: Aggregate> From<Loaded<A>> for Kept {
    fn from(Loaded { state, version, edited, since, .. }: Loaded<A>) -> Self {
        Self { since, version, edited, state: Arc::new(state) }
    }
}

impl Kept {
    /// The state, if it is of this aggregate.
    pub(crate) fn loaded<A: Aggregate>(&self, follows: Option<Fate>) -> Option<Loaded<A>> {
        let state = self.state.downcast_ref::<A>()?.clone();
        let Self { since, version, edited, .. } = *self;
        Some(Loaded { state, version, edited, cached: true, follows, since })
    }

    #[cfg(test)]
    pub(crate) fn of_nobody() -> Self {
        let version = Version(0);
        Self { since: Instant::now(), version, edited: version, state: Arc::new(()) }
    }

    /// Whether it has to be made anew.
    fn is_old(&self, now: Instant) -> bool {
        is_old(self.since, now)
    }
}

pub(crate) struct States {
    held: Mutex<LruCache<Uuid, Kept>>,
}

impl States {
    pub(crate) fn new() -> Self {
        Self { held: Mutex::new(LruCache::new(HELD)) }
    }

    pub(crate) fn get<A: Aggregate>(&self, id: Uuid, now: Instant) -> Option<Loaded<A>> {
        let kept = {
            let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
            let kept = held.get(&id)?;
            if kept.is_old(now) {
                held.pop(&id);
                return None;
            }
            kept.clone()
        };
        kept.loaded(None)
    }

    pub(crate) fn put(&self, id: Uuid, kept: Kept, now: Instant) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        // Two callers may finish out of order; the newer state stays. One that has become old under way
        // takes the place of none.
        let known = held.peek(&id);
        if known.is_none_or(|known| known.version <= kept.version) && !kept.is_old(now) {
            held.put(id, kept);
        }
        // The last in line is what nobody has asked for the longest. Two at a time: what has gone out
        // of use is dropped faster than anything comes.
        for _ in 0..2 {
            if held.peek_lru().is_some_and(|(_, kept)| kept.is_old(now)) {
                held.pop_lru();
            }
        }
    }

    pub(crate) fn forget(&self, id: Uuid) {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).pop(&id);
    }
}

#[cfg(test)]
mod tests {
    use domain::kernel::{DomainError, KeyId, Kind, TenantId, Timestamp};

    use super::*;

    domain::events! {
        /// What happens to a word.
        pub enum Said in "test.word" {
            /// It was said.
            Said { word: String },
        }
    }

    #[derive(Debug, Clone, Default, PartialEq)]
    struct Word(&'static str);

    #[derive(Debug, thiserror::Error)]
    #[error("never")]
    struct Never;

    impl DomainError for Never {
        fn code(&self) -> &'static str {
            "never"
        }

        fn kind(&self) -> Kind {
            Kind::Invalid
        }
    }

    impl Aggregate for Word {
        type Id = Uuid;
        type Command = ();
        type Event = Said;
        type Error = Never;

        fn decide(&self, (): &(), _now: Timestamp) -> Result<Vec<Said>, Never> {
            Ok(Vec::new())
        }

        fn evolve(self, _event: &Said) -> Self {
            self
        }

        fn tenant(&self) -> TenantId {
            TenantId::PLATFORM
        }

        fn subject(&self) -> Option<KeyId> {
            None
        }
    }

    fn word(word: &'static str, version: i32, since: Instant) -> Kept {
        let version = Version(version);
        Kept { since, version, edited: version, state: Arc::new(Word(word)) }
    }

    #[test]
    fn a_state_is_made_anew_after_an_hour_however_often_it_changed() {
        let (states, begun, id) = (States::new(), Instant::now(), Uuid::from_u128(1));
        let kept = |now| states.get::<Word>(id, now).map(|loaded| loaded.state.0);
        states.put(id, word("a", 1, begun), begun);
        let later = begun + KEPT / 2;
        let changed = states.get::<Word>(id, later).unwrap();
        let changed = Loaded { state: Word("b"), version: Version(2), ..changed };
        states.put(id, changed.into(), later);
        assert_eq!(kept(later), Some("b"));
        assert_eq!(kept(begun + KEPT), None);
        states.put(id, word("c", 3, begun + KEPT), begun + KEPT);
        assert_eq!(kept(begun + KEPT + KEPT / 2), Some("c"));
    }

    #[test]
    fn what_nobody_asks_for_is_dropped_when_something_else_comes() {
        let (states, begun) = (States::new(), Instant::now());
        for id in 0..10 {
            states.put(Uuid::from_u128(id), word("idle", 1, begun), begun);
        }
        for id in 10..15 {
            states.put(Uuid::from_u128(id), word("new", 1, begun + KEPT), begun + KEPT);
        }
        assert_eq!(states.held.lock().unwrap().len(), 5);
    }
}
