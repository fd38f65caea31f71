//! `eventcore` with `eventcore-postgres`: advisory locks a stream, versions by trigger, an empty
//! object for metadata, order by event id.

use anyhow::Result;
use eventcore::{
    BackoffStrategy, Command, CommandError, CommandLogic, DelayMilliseconds, Event, NewEvents,
    RetryPolicy, StreamId, execute,
};
use eventcore_postgres::PostgresEventStore;
use eventcore_types::{
    BatchSize, EventFilter, EventPage, EventReader, EventStore, StreamVersion, StreamWrites,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    payload::{Balance, Booking},
    peers::{MOST_RETRIES, pool},
    store::{Proof, Store},
};

/// Events read at a time when catching up.
const PAGE: usize = 5_000;

/// The store.
#[derive(Clone)]
pub struct Eventcore {
    store: PostgresEventStore,
}

impl Eventcore {
    /// Opens it on an empty database.
    pub async fn open(url: &str) -> Result<Self> {
        let store = PostgresEventStore::from_pool(pool(url).await?);
        store.migrate().await;
        Ok(Self { store })
    }
}

/// The crate wants the stream inside the event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum LedgerEvent {
    Booked { ledger: StreamId, booking: Booking },
}

impl Event for LedgerEvent {
    fn stream_id(&self) -> &StreamId {
        let Self::Booked { ledger, .. } = self;
        ledger
    }

    fn event_type_name() -> &'static str {
        "booked"
    }
}

#[derive(Command)]
struct Book {
    #[stream]
    ledger: StreamId,
    id: Uuid,
}

impl CommandLogic for Book {
    type Event = LedgerEvent;
    type State = Balance;

    fn apply(&self, state: Balance, event: &LedgerEvent) -> Balance {
        let LedgerEvent::Booked { booking, .. } = event;
        state.after(booking)
    }

    fn handle(&self, state: Balance) -> Result<NewEvents<LedgerEvent>, CommandError> {
        let booking = Booking::of(self.id, state.bookings + 1);
        Ok(vec![LedgerEvent::Booked { ledger: self.ledger.clone(), booking }].into())
    }
}

impl Store for Eventcore {
    async fn create(&self, stream: Uuid, bookings: usize) -> Result<()> {
        let ledger = StreamId::try_new(stream.to_string())?;
        let mut writes =
            StreamWrites::new().register_stream(ledger.clone(), StreamVersion::new(0))?;
        for n in 1..=bookings {
            let booking = Booking::of(stream, n);
            writes = writes.append(LedgerEvent::Booked { ledger: ledger.clone(), booking })?;
        }
        self.store.append_events(writes).await?;
        Ok(())
    }

    /// Tries again at once, as all others do.
    async fn command(&self, stream: Uuid) -> Result<u32> {
        let command = Book { ledger: StreamId::try_new(stream.to_string())?, id: stream };
        let at_once = BackoffStrategy::Fixed { delay_ms: DelayMilliseconds::new(0) };
        let policy = RetryPolicy::new().max_retries(MOST_RETRIES).backoff_strategy(at_once);
        let response = execute(&self.store, command, policy).await?;
        Ok(response.attempts().saturating_sub(1))
    }

    async fn catch_up(&self) -> Result<u64> {
        let mut page = Some(EventPage::first(BatchSize::new(PAGE)));
        let mut read = 0;
        while let Some(next) = page {
            let events = self.store.read_events::<LedgerEvent>(EventFilter::all(), next).await?;
            read += u64::try_from(events.len())?;
            page = next.next_from_results(&events);
        }
        Ok(read)
    }

    fn proofs(&self, _appends: u64, events: u64) -> Vec<Proof> {
        vec![("SELECT count(*) FROM eventcore_events".to_owned(), events)]
    }
}
