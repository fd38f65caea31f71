//! How far each module's tables are, and waiting for them: what makes a write readable.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use domain::kernel::Position;
use eventstore::{Leases, Unavailable};
use tokio::{sync::watch, time::Instant};

/// How long a reader waits at most for a position.
pub const PATIENCE: Duration = Duration::from_secs(2);
/// How often tables kept by another process are asked how far they are.
const ASK: Duration = Duration::from_millis(20);

/// The positions of all modules' tables, as far as this process knows.
#[derive(Debug, Clone)]
pub struct Positions {
    leases: Leases,
    known: Arc<Mutex<HashMap<&'static str, watch::Sender<Position>>>>,
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

    fn of(&self, module: &'static str) -> watch::Sender<Position> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.entry(module).or_insert_with(|| watch::Sender::new(Position(0))).clone()
    }

    /// Notes how far a module's tables are.
    pub(crate) fn reached(&self, module: &'static str, position: Position) {
        self.of(module).send_replace(position);
    }

    /// How far a module's tables are, as far as this process knows.
    #[must_use]
    pub fn known(&self, module: &'static str) -> Position {
        *self.of(module).borrow()
    }

    /// Waits until a module's tables hold everything up to a position.
    ///
    /// # Errors
    /// If they do not within [`PATIENCE`].
    pub async fn wait(&self, module: &'static str, wanted: Position) -> Result<Position, Lagging> {
        let sender = self.of(module);
        let mut reached = sender.subscribe();
        let deadline = Instant::now() + PATIENCE;
        loop {
            let at = *reached.borrow_and_update();
            if at >= wanted {
                return Ok(at);
            }
            if Instant::now() >= deadline {
                return Err(Lagging::Behind { module, at, wanted });
            }
            // The runner may live in another process: ask the checkpoint too, now and then.
            if tokio::time::timeout(ASK, reached.changed()).await.is_err() {
                let stored = self.leases.position(module, module).await?;
                sender.send_if_modified(|known| {
                    let rises = stored > *known;
                    *known = stored.max(*known);
                    rises
                });
            }
        }
    }
}
