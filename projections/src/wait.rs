//! How far each module's tables are, and waiting for them: what makes a write readable.
//!
//! Owns the waiting. Refuses to ask the database once for each who waits: whoever's turn it is asks
//! for all, and a position that no log has given out yet is not waited for.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use domain::kernel::Position;
use eventstore::{Leases, Unavailable};
use tokio::{
    sync::{self, MutexGuard, watch},
    time::{Instant, sleep_until, timeout_at},
};

/// How long a reader waits at most for a position.
pub const PATIENCE: Duration = Duration::from_secs(2);
/// How often tables kept by another process are asked how far they are.
const ASK: Duration = Duration::from_millis(20);

/// The positions of all modules' tables, as far as this process knows.
#[derive(Debug, Clone)]
pub struct Positions {
    leases: Leases,
    known: Arc<Mutex<HashMap<&'static str, Arc<Tables>>>>,
}

/// The tables of a module.
#[derive(Debug)]
struct Tables {
    known: watch::Sender<Known>,
    /// Held by whoever asks for all, with the time of the last question.
    turn: sync::Mutex<Instant>,
}

/// What is known of them.
#[derive(Debug)]
struct Known {
    /// How far they are.
    at: Position,
    /// How far the log reaches, or why that could not be told, as of when it was asked last.
    log: Result<Position, Unavailable>,
    asked: Instant,
}

/// The tables did not reach a position in time.
#[derive(Debug, thiserror::Error)]
pub enum Lagging {
    /// They are behind.
    #[error("{module} has come to position {at} and not yet to {wanted}")]
    Behind {
        /// The module that lags.
        module: &'static str,
        /// How far it is.
        at: Position,
        /// How far it should be.
        wanted: Position,
    },
    /// The log itself does not reach that far: nothing would come of waiting.
    #[error("the log has come to position {head} and not yet to {wanted}")]
    Beyond {
        /// How far the log reaches.
        head: Position,
        /// How far it should.
        wanted: Position,
    },
    /// The database cannot be reached.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl Positions {
    /// Nothing known yet.
    #[must_use]
    pub fn new(leases: Leases) -> Self {
        Self { leases, known: Arc::default() }
    }

    fn of(&self, module: &'static str) -> Arc<Tables> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(known.entry(module).or_insert_with(|| Arc::new(Tables::unknown())))
    }

    /// Notes how far a module's tables are.
    pub(crate) fn reached(&self, module: &'static str, position: Position) {
        self.of(module).known.send_modify(|known| known.at = position);
    }

    /// How far a module's tables are, as far as this process knows.
    #[must_use]
    pub fn known(&self, module: &'static str) -> Position {
        self.of(module).known.borrow().at
    }

    /// Whose turn it is to keep a module's tables: another answer than before says that rows may have
    /// changed without an event, as by a rebuild, a rollback or parked events taken in.
    ///
    /// # Errors
    /// If the log cannot be reached.
    pub async fn epoch(&self, module: &'static str) -> Result<Option<i64>, Unavailable> {
        self.leases.epoch(module, module).await
    }

    /// Waits until a module's tables hold everything up to a position.
    ///
    /// # Errors
    /// If they do not within [`PATIENCE`], or as soon as the log is found to end before it.
    pub async fn wait(&self, module: &'static str, wanted: Position) -> Result<Position, Lagging> {
        let tables = self.of(module);
        let mut told = tables.known.subscribe();
        let begun = Instant::now();
        let deadline = begun + PATIENCE;
        loop {
            {
                let known = told.borrow_and_update();
                if let Some(answer) = known.answer(wanted, begun) {
                    return answer;
                }
                if Instant::now() >= deadline {
                    return Err(Lagging::Behind { module, at: known.at, wanted });
                }
            }
            tokio::select! {
                // Cannot fail: the sender is at hand.
                _ = told.changed() => {}
                turn = tables.turn(begun) => {
                    // Not cut short by news: others wait for the answer as well.
                    let asked = timeout_at(deadline, tables.ask(&self.leases, module, turn));
                    let _ = asked.await;
                }
                () = sleep_until(deadline) => {}
            }
        }
    }
}

impl Known {
    /// What to tell who began to wait at a moment, if that is clear already.
    fn answer(&self, wanted: Position, begun: Instant) -> Option<Result<Position, Lagging>> {
        if self.at >= wanted {
            return Some(Ok(self.at));
        }
        // Another process may have written it until just before this one was asked for it.
        if self.asked <= begun {
            return None;
        }
        match &self.log {
            Ok(head) if *head >= wanted => None,
            Ok(head) => Some(Err(Lagging::Beyond { head: *head, wanted })),
            Err(fault) => Some(Err(fault.clone().into())),
        }
    }
}

impl Tables {
    fn unknown() -> Self {
        let (nowhere, now) = (Position(0), Instant::now());
        let known = Known { at: nowhere, log: Ok(nowhere), asked: now };
        Self { known: watch::Sender::new(known), turn: sync::Mutex::new(now) }
    }

    /// Waits to be the one who asks. The runner may live in another process; where it lives in this
    /// one, who began to wait just now is told before anybody has to ask.
    async fn turn(&self, begun: Instant) -> MutexGuard<'_, Instant> {
        sleep_until(begun + ASK).await;
        let last = self.turn.lock().await;
        sleep_until(*last + ASK).await;
        last
    }

    /// Asks the database, and tells all who wait.
    async fn ask(&self, leases: &Leases, module: &'static str, mut last: MutexGuard<'_, Instant>) {
        let asked = Instant::now();
        *last = asked;
        let (stored, log) = match leases.position_and_head(module, module).await {
            Ok((stored, head)) => (stored, Ok(head)),
            Err(fault) => (Position(0), Err(fault)),
        };
        self.known.send_modify(|known| {
            *known = Known { at: stored.max(known.at), log, asked };
        });
    }
}
