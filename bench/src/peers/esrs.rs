//! `esrs`: optimistic locking by unique index, no metadata, order by time.

use anyhow::Result;
use esrs::{
    Aggregate, AggregateState,
    manager::AggregateManager,
    store::{
        EventStore,
        postgres::{PgStore, PgStoreBuilder, PgStoreError},
    },
};
use futures_util::TryStreamExt;
use serde::{Deserialize, Serialize};
use sqlx_peers::PgPool;
use uuid::Uuid;

use crate::{
    payload::{Balance, Booking},
    peers::{MOST_RETRIES, pool},
    store::{Proof, Store},
};

/// The store.
#[derive(Clone)]
pub struct Esrs {
    pool: PgPool,
    store: PgStore<Ledger>,
}

impl Esrs {
    /// Opens it on an empty database, with event ids that rise, the faster of its two kinds.
    pub async fn open(url: &str) -> Result<Self> {
        let pool = pool(url).await?;
        let builder = PgStoreBuilder::<Ledger>::new(pool.clone());
        let builder = builder.with_event_id_format(esrs::store::postgres::UuidFormat::V7);
        Ok(Self { store: builder.try_build().await?, pool })
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum LedgerEvent {
    Booked(Booking),
}

struct Ledger;

#[derive(Debug, thiserror::Error)]
enum Never {}

impl Aggregate for Ledger {
    const NAME: &'static str = "ledger";
    type State = Balance;
    type Command = Uuid;
    type Event = LedgerEvent;
    type Error = Never;

    fn handle_command(state: &Balance, ledger: Uuid) -> Result<Vec<LedgerEvent>, Never> {
        Ok(vec![LedgerEvent::Booked(Booking::of(ledger, state.bookings + 1))])
    }

    fn apply_event(state: Balance, LedgerEvent::Booked(booking): LedgerEvent) -> Balance {
        state.after(&booking)
    }
}

/// Whether somebody else was faster: the unique index refuses the version.
fn conflicts(error: &PgStoreError) -> bool {
    match error {
        PgStoreError::Sqlx(error) => {
            error.as_database_error().is_some_and(|refusal| refusal.is_unique_violation())
        }
        PgStoreError::Json(_) | PgStoreError::Custom(_) => false,
    }
}

impl Store for Esrs {
    async fn create(&self, stream: Uuid, bookings: usize) -> Result<()> {
        let mut state = AggregateState::with_id(stream);
        let booked = |n| LedgerEvent::Booked(Booking::of(stream, n));
        self.store.persist(&mut state, (1..=bookings).map(booked).collect()).await?;
        Ok(())
    }

    async fn command(&self, stream: Uuid) -> Result<u32> {
        let manager = AggregateManager::new(self.store.clone());
        for retries in 0..MOST_RETRIES {
            let loaded = manager.load(stream).await?;
            let state = loaded.unwrap_or_else(|| AggregateState::with_id(stream));
            match manager.handle_command(state, stream).await {
                Err(error) if conflicts(&error) => {}
                outcome => {
                    outcome??;
                    return Ok(retries);
                }
            }
        }
        anyhow::bail!("conflicts did not end")
    }

    async fn catch_up(&self) -> Result<u64> {
        let mut log = self.store.stream_events(&self.pool);
        let mut events = 0;
        while log.try_next().await?.is_some() {
            events += 1;
        }
        Ok(events)
    }

    fn proofs(&self, _appends: u64, events: u64) -> Vec<Proof> {
        vec![("SELECT count(*) FROM ledger_events".to_owned(), events)]
    }
}
