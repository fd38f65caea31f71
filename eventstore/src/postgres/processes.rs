//! Where process managers keep what they know, and move it together with their checkpoint.
//!
//! Owns the one transaction in which everything an event led to is noted: what is remembered,
//! which timers are set, which events wait, and how far the manager has come.

use std::collections::BTreeMap;

use domain::kernel::Position;
use serde_json::Value;
use sqlx::PgPool;
use uuid::Uuid;

use super::{
    parked::{Parked, ParkedEvents},
    process::{ProcessStates, StateChanges, StateKey},
    silence::heard,
    timers::{Timer, Timers},
};
use crate::{
    backend::Unavailable,
    lease::{Fenced, Lease, Leases},
};

/// Begins a unit of work. If its end is lost on the way, the server would keep what it has locked,
/// a checkpoint above all, for as long as it believes in the connection: for hours. What is
/// [`ABANDONED`](super::silence::ABANDONED) ends.
const BEGIN: &str = "BEGIN; SET LOCAL idle_in_transaction_session_timeout = '4s'";

/// The process managers of a log.
#[derive(Debug, Clone)]
pub struct Processes {
    pool: PgPool,
}

/// What events led to, to be noted together.
#[derive(Debug, Default)]
pub struct Notes {
    /// What is remembered.
    pub states: StateChanges,
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
    pub fn is_empty(&self) -> bool {
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

    /// Their leases and checkpoints; who asks for them has to bound the wait, by [`heard`].
    #[must_use]
    pub fn leases(&self) -> Leases {
        Leases::new(self.pool.clone())
    }

    /// Their parked events; as for leases.
    #[must_use]
    pub fn parked(&self) -> ParkedEvents {
        ParkedEvents::new(self.pool.clone())
    }

    /// Their timers.
    #[must_use]
    pub fn timers(&self) -> Timers {
        Timers::new(self.pool.clone())
    }

    /// What a process remembers in a place.
    ///
    /// # Errors
    /// If the log cannot be reached.
    pub async fn recall(&self, process: &str, key: StateKey) -> Result<Option<Value>, Unavailable> {
        let recalled = async {
            let mut connection = self.pool.acquire().await?;
            ProcessStates::get(&mut connection, process, key).await
        };
        heard(recalled).await?
    }

    /// All that a process remembers of a thing, the thing itself first.
    ///
    /// # Errors
    /// If the log cannot be reached.
    pub async fn recall_all(
        &self,
        process: &str,
        key: Uuid,
    ) -> Result<BTreeMap<StateKey, Value>, Unavailable> {
        let recalled = async {
            let mut connection = self.pool.acquire().await?;
            ProcessStates::all(&mut connection, process, key).await
        };
        heard(recalled).await?
    }

    /// Notes everything and moves the checkpoint, or does neither.
    ///
    /// # Errors
    /// [`Fenced::Lost`] if the lease is another's by now.
    pub async fn note(&self, lease: &Lease, notes: &Notes, to: Position) -> Result<(), Fenced> {
        let mut transaction = heard(self.pool.begin_with(BEGIN)).await??;
        let Lease { consumer, target, .. } = lease;
        heard(ProcessStates::put(&mut transaction, consumer, &notes.states)).await??;
        for timer in &notes.set {
            heard(Timers::set(&mut transaction, timer)).await??;
        }
        for (process, key) in &notes.cancelled {
            heard(Timers::cancel(&mut transaction, process, *key)).await??;
        }
        heard(async {
            ParkedEvents::park(&mut transaction, &notes.parked).await?;
            ParkedEvents::release(&mut transaction, consumer, target, &notes.released).await?;
            Leases::advance(&mut transaction, lease, to).await
        })
        .await??;
        Ok(heard(transaction.commit()).await??)
    }
}
