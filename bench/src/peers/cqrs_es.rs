//! `cqrs-es` with `postgres-es`: optimistic locking by primary key, metadata, no global order.

use std::{convert::Infallible, sync::Arc};

use anyhow::Result;
use cqrs_es::{
    Aggregate, AggregateError, DomainEvent, EventStore,
    event_sink::EventSink,
    persist::{EventStoreAggregateContext, PersistedEventRepository, PersistedEventStore},
};
use postgres_es::{PostgresCqrs, PostgresEventRepository, postgres_cqrs};
use serde::{Deserialize, Serialize};
use sqlx_peers::PgPool;
use uuid::Uuid;

use crate::{
    payload::{Balance, Booking, metadata},
    peers::{MOST_RETRIES, pool},
    store::{Proof, Store},
};

/// The table the crate tells its users to create.
const SCHEMA: &str = "CREATE TABLE events (
    aggregate_type text                         NOT NULL,
    aggregate_id   text                         NOT NULL,
    sequence       bigint CHECK (sequence >= 0) NOT NULL,
    event_type     text                         NOT NULL,
    event_version  text                         NOT NULL,
    payload        json                         NOT NULL,
    metadata       json                         NOT NULL,
    PRIMARY KEY (aggregate_type, aggregate_id, sequence))";

/// The store.
#[derive(Clone)]
pub struct CqrsEs {
    pool: PgPool,
    commands: Arc<PostgresCqrs<Ledger>>,
    events: Arc<PersistedEventStore<PostgresEventRepository, Ledger>>,
}

impl CqrsEs {
    /// Opens it on an empty database.
    pub async fn open(url: &str) -> Result<Self> {
        let pool = pool(url).await?;
        sqlx_peers::query(SCHEMA).execute(&pool).await?;
        let events =
            PersistedEventStore::new_event_store(PostgresEventRepository::new(pool.clone()));
        Ok(Self {
            commands: Arc::new(postgres_cqrs(pool.clone(), Vec::new(), ())),
            events: Arc::new(events),
            pool,
        })
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum LedgerEvent {
    Booked(Booking),
}

impl DomainEvent for LedgerEvent {
    fn event_type(&self) -> String {
        "booked".to_owned()
    }

    fn event_version(&self) -> String {
        "1.0".to_owned()
    }
}

#[derive(Default, Serialize, Deserialize)]
struct Ledger(Balance);

impl Aggregate for Ledger {
    const TYPE: &'static str = "ledger";
    type Command = Uuid;
    type Event = LedgerEvent;
    type Error = Infallible;
    type Services = ();

    async fn handle(
        &mut self,
        ledger: Uuid,
        (): &(),
        sink: &EventSink<Self>,
    ) -> Result<(), Infallible> {
        let booking = Booking::of(ledger, self.0.bookings + 1);
        sink.write(LedgerEvent::Booked(booking), self).await;
        Ok(())
    }

    fn apply(&mut self, LedgerEvent::Booked(booking): LedgerEvent) {
        self.0 = std::mem::take(&mut self.0).after(&booking);
    }
}

impl Store for CqrsEs {
    /// Without the load that precedes a command: a new stream has nothing to load.
    async fn create(&self, stream: Uuid, bookings: usize) -> Result<()> {
        let context = EventStoreAggregateContext {
            aggregate_id: stream.to_string(),
            aggregate: Ledger::default(),
            current_sequence: 0,
            current_snapshot: None,
        };
        let booked = |n| LedgerEvent::Booked(Booking::of(stream, n));
        let events = (1..=bookings).map(booked).collect();
        self.events.commit(events, context, metadata()).await?;
        Ok(())
    }

    async fn command(&self, stream: Uuid) -> Result<u32> {
        let id = stream.to_string();
        for retries in 0..MOST_RETRIES {
            match self.commands.execute_with_metadata(&id, stream, metadata()).await {
                Err(AggregateError::AggregateConflict) => {}
                outcome => return Ok(outcome.map(|()| retries)?),
            }
        }
        anyhow::bail!("conflicts did not end")
    }

    async fn catch_up(&self) -> Result<u64> {
        let repository = PostgresEventRepository::new(self.pool.clone());
        let repository = repository.with_streaming_channel_size(5_000);
        let mut log = repository.stream_all_events::<Ledger>().await?;
        let mut events = 0;
        while let Some(event) = log.next::<Ledger>(&[]).await {
            event?;
            events += 1;
        }
        Ok(events)
    }

    fn proofs(&self, _appends: u64, events: u64) -> Vec<Proof> {
        vec![("SELECT count(*) FROM events".to_owned(), events)]
    }
}
