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
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use domain::kernel::Aggregate;
use tokio::{sync::Notify, time::timeout};
use uuid::Uuid;

use crate::{
    backend::Unavailable,
    cache::{Kept, Loaded},
};

/// How long one waits for a fate. Meanwhile others wait behind.
const PATIENCE: Duration = Duration::from_secs(3);

/// What becomes of an append that is handed in.
#[derive(Debug, Clone, Default)]
pub struct Fate(Arc<Told>);

#[derive(Debug, Default)]
struct Told {
    is_written: OnceLock<bool>,
    news: Notify,
}

/// How an append ended, as far as is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// Nobody knows yet.
    Open,
    /// It is in the log.
    Written,
    /// It is not, or nobody can tell.
    Void,
}

impl Fate {
    /// Settles it, once and for all.
    fn settle(&self, is_written: bool) {
        let _ = self.0.is_written.set(is_written);
        self.0.news.notify_waiters();
    }

    /// How it ended. The writer settles it while others look, so whoever tells all three ends apart
    /// looks once.
    pub(crate) fn end(&self) -> End {
        match self.0.is_written.get() {
            None => End::Open,
            Some(true) => End::Written,
            Some(false) => End::Void,
        }
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
        if self.end() == End::Open {
            news.await;
        }
    }
}

/// The writer's duty to settle a fate. Whatever becomes of the writer, nobody waits for it for ever.
#[derive(Debug)]
pub(crate) struct Owed(Option<Fate>);

impl Owed {
    pub(crate) const fn new(fate: Option<Fate>) -> Self {
        Self(fate)
    }

    pub(crate) fn settle(&mut self, is_written: bool) {
        if let Some(fate) = self.0.take() {
            fate.settle(is_written);
        }
    }
}

impl Drop for Owed {
    fn drop(&mut self) {
        if let Some(fate) = &self.0 {
            fate.settle(false);
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
        let follows = match fate.end() {
            End::Open => Some(fate),
            End::Written => None,
            End::Void => return None,
        };
        kept.loaded(follows)
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

    /// Waits until it is known what became of what was handed in for a stream so far, as far as its
    /// callers still wait themselves.
    ///
    /// # Errors
    /// If that takes so long that the log must be in trouble.
    pub(crate) async fn settled(&self, stream: Uuid) -> Result<(), Unavailable> {
        let fate = self.states().get(&stream).map(|foreseen| foreseen.fate.clone());
        let Some(fate) = fate else { return Ok(()) };
        timeout(PATIENCE, fate.settled()).await.map_err(Unavailable::lost)
    }

    fn states(&self) -> MutexGuard<'_, HashMap<Uuid, Foreseen>> {
        self.states.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_waits_for_a_fate_is_told_in_any_case() {
        let (fate, stream) = (Fate::default(), Uuid::from_u128(1));
        let (outlook, owed) = (Outlook::default(), Owed::new(Some(fate.clone())));
        outlook.put(stream, Kept::of_nobody(), fate.clone());
        let mut settled = Box::pin(outlook.settled(stream));
        assert!(settled.as_mut().now_or_never().is_none());
        // As by a writer that is gone.
        drop(owed);
        assert_eq!((settled.await, fate.end()), (Ok(()), End::Void));
        fate.settle(true);
        assert_eq!(fate.end(), End::Void, "once and for all");

        outlook.put(stream, Kept::of_nobody(), Fate::default());
        assert!(outlook.settled(stream).await.is_err_and(|fault| !fault.is_refusal()));
        assert_eq!(outlook.settled(Uuid::from_u128(2)).await, Ok(()));
    }
}
