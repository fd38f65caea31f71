//! Deciding ahead of the log: on what an append that is handed in, and not written yet, will lead to.
//!
//! Commands of one busy stream need not wait for each other's commits: the next is decided on the
//! state that the one before it leads to, and both may be written in one batch. Owns that nothing
//! rests on what is never written. A version does not tell that: somebody else's event may stand in
//! the place of the one that was foreseen. So an append names the fates of those it follows, and is
//! refused unless they are written. Refuses to show what is foreseen to anybody but deciders.

use std::{
    collections::{HashMap, hash_map::Entry},
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU8, Ordering},
    },
};

use domain::kernel::Aggregate;
use tokio::sync::Notify;
use uuid::Uuid;

use crate::cache::{Kept, Loaded};

/// What becomes of an append that is handed in.
#[derive(Debug, Clone, Default)]
pub struct Fate(Arc<Told>);

#[derive(Debug, Default)]
struct Told {
    end: AtomicU8,
    news: Notify,
}

/// Nobody knows yet.
const OPEN: u8 = 0;
/// It is in the log.
const WRITTEN: u8 = 1;
/// It is not, or nobody can tell.
const VOID: u8 = 2;

impl Fate {
    /// Settles it.
    pub(crate) fn settle(&self, is_written: bool) {
        self.0.end.store(if is_written { WRITTEN } else { VOID }, Ordering::Release);
        self.0.news.notify_waiters();
    }

    pub(crate) fn is_open(&self) -> bool {
        self.0.end.load(Ordering::Acquire) == OPEN
    }

    pub(crate) fn is_void(&self) -> bool {
        self.0.end.load(Ordering::Acquire) == VOID
    }

    /// Whether it is that of the same append.
    #[must_use]
    pub fn same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    async fn settled(&self) {
        let mut news = pin!(self.0.news.notified());
        // From here on nothing is missed.
        news.as_mut().enable();
        if self.is_open() {
            news.await;
        }
    }
}

/// Where an append stands among others that are under way.
#[derive(Debug, Clone, Default)]
pub struct Line {
    /// Its own fate, where others may follow it.
    pub fate: Option<Fate>,
    /// Those it is written after, and only if they are.
    pub follows: Vec<Fate>,
}

/// What streams will be like once all that is handed in is written.
#[derive(Default)]
pub(crate) struct Outlook {
    states: Mutex<HashMap<Uuid, Foreseen>>,
}

struct Foreseen {
    kept: Kept,
    fate: Fate,
}

impl Outlook {
    /// The state that the last append to a stream leads to, unless that came to nothing.
    pub(crate) fn get<A: Aggregate>(&self, stream: Uuid) -> Option<Loaded<A>> {
        let (kept, fate) = {
            let states = self.states();
            let Foreseen { kept, fate } = states.get(&stream)?;
            (kept.clone(), fate.clone())
        };
        if fate.is_void() {
            return None;
        }
        kept.loaded(fate.is_open().then_some(fate))
    }

    pub(crate) fn put(&self, stream: Uuid, kept: Kept, fate: Fate) {
        self.states().insert(stream, Foreseen { kept, fate });
    }

    /// Drops what an append was foreseen to lead to, unless a later one took its place.
    pub(crate) fn drop(&self, stream: Uuid, fate: &Fate) {
        if let Entry::Occupied(foreseen) = self.states().entry(stream)
            && foreseen.get().fate.same(fate)
        {
            foreseen.remove();
        }
    }

    /// Waits until it is known what became of all that was handed in for a stream so far.
    pub(crate) async fn settled(&self, stream: Uuid) {
        let fate = self.states().get(&stream).map(|foreseen| foreseen.fate.clone());
        if let Some(fate) = fate {
            fate.settled().await;
        }
    }

    fn states(&self) -> MutexGuard<'_, HashMap<Uuid, Foreseen>> {
        self.states.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
