//! Where process managers keep what they know, and move it together with their checkpoint.
//!
//! Owns the one transaction in which everything an event led to is noted: what is remembered,
//! which timers are set, which events wait, and how far the manager has come.

use domain::kernel::Position;
use serde_json::Value;
use sqlx::PgPool;
use uuid::Uuid;

use super::{
    parked::{Parked, ParkedEvents},
    process::ProcessStates,
    timers::{Timer, Timers},
};
use crate::{
    backend::Unavailable,
    lease::{Fenced, Lease, Leases},
};

/// The process managers of a log.
#[derive(Debug, Clone)]
pub struct Processes {
    pool: PgPool,
}

/// What events led to, to be noted together.
#[derive(Debug, Default)]
pub struct Notes {
    /// What is remembered under a key from now on; none forgets it.
    pub states: Vec<(Uuid, Option<Value>)>,
    /// Timers to set.
    pub set: Vec<Timer>,
    /// Timers to cancel.
    pub cancelled: Vec<(String, Uuid)>,
    /// Events that could not be taken in.
    pub parked: Vec<Parked>,
    /// Parked events that could be taken in after all.
    pub released: Vec<Position>,
}

impl Notes {
    /// Whether events led to nothing.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        let Self { states, set, cancelled, parked, released } = self;
        states.is_empty()
            && set.is_empty()
            && cancelled.is_empty()
            && parked.is_empty()
            && released.is_empty()
    }
}

impl Processes {
    /// The process managers behind a pool.
    #[must_use]
    pub const fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    /// Their leases and checkpoints.
    #[must_use]
    pub fn leases(&self) -> Leases {
        Leases::new(self.pool.clone())
    }

    /// Their parked events.
    #[must_use]
    pub fn parked(&self) -> ParkedEvents {
        ParkedEvents::new(self.pool.clone())
    }

    /// Their timers.
    #[must_use]
    pub fn timers(&self) -> Timers {
        Timers::new(self.pool.clone())
    }

    /// What a process remembers under a key.
    ///
    /// # Errors
    /// If the log cannot be reached.
    pub async fn recall(&self, process: &str, key: Uuid) -> Result<Option<Value>, Unavailable> {
        let mut connection = self.pool.acquire().await?;
        ProcessStates::get(&mut connection, process, key).await
    }

    /// Notes everything and moves the checkpoint, or does neither.
    ///
    /// # Errors
    /// [`Fenced::Lost`] if the lease is another's by now.
    pub async fn note(&self, lease: &Lease, notes: &Notes, to: Position) -> Result<(), Fenced> {
        let mut transaction = self.pool.begin().await?;
        let Lease { consumer, target, .. } = lease;
        for (key, state) in &notes.states {
            ProcessStates::put(&mut transaction, consumer, *key, state.as_ref()).await?;
        }
        for timer in &notes.set {
            Timers::set(&mut transaction, timer).await?;
        }
        for (process, key) in &notes.cancelled {
            Timers::cancel(&mut transaction, process, *key).await?;
        }
        ParkedEvents::park(&mut transaction, &notes.parked).await?;
        ParkedEvents::release(&mut transaction, consumer, target, &notes.released).await?;
        Leases::advance(&mut transaction, lease, to).await?;
        transaction.commit().await?;
        Ok(())
    }
}
