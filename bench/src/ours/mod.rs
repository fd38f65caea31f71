//! The shipped event store, asked through the use cases of the platform.
//!
//! Every append carries metadata, a command id and its kept answer, because the store has no way
//! without them.

mod ledger;

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use anyhow::Result;
use commands::{Caller, Context, Denied, Grants, Refusal, Unit, UseCase, execute};
use domain::{
    identity::PersonId,
    kernel::{Actor, ActorKind, Position, RequestInfo, TenantId},
};
use eventstore::{Claim, CommandKey, MasterKey, Postgres};
use sqlx::postgres::PgConnectOptions;
use tokio::sync::Semaphore;
use uuid::Uuid;

use crate::{
    ours::ledger::{Ledger, LedgerCommand, LedgerEvent, LedgerId, PAYER},
    payload::mint,
    store::{Proof, Store},
};

/// Whose streams they are.
const TENANT: TenantId = TenantId::from_uuid(Uuid::from_u128(7));
/// Events read at a time when catching up, as a rebuild reads them.
const PAGE: usize = 5_000;

/// What an append carries beyond the event, its metadata and its command id.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Extras {
    /// A unique value is taken.
    pub claim: bool,
    /// A field of each event is sealed.
    pub personal: Personal,
    /// The client's address and description are kept, sealed.
    pub request: bool,
    /// Appends go one at a time, so that no two can share a commit.
    pub alone: bool,
}

/// Under whose key a field is sealed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Personal {
    /// Nothing is.
    #[default]
    None,
    /// One of a thousand subjects, whose keys exist after the first while.
    Known,
    /// A subject for each new stream, whose key is made first.
    New,
}

impl Extras {
    /// A unique claim and a personal field.
    pub const FULL: Self =
        Self { claim: true, personal: Personal::Known, request: false, alone: false };
}

/// The store, with what each append carries.
#[derive(Clone)]
pub struct Ours {
    store: eventstore::Store,
    options: PgConnectOptions,
    caller: Caller,
    extras: Extras,
    turn: Option<Arc<Semaphore>>,
}

impl Ours {
    /// Opens it on a migrated database.
    pub async fn open(options: &PgConnectOptions, extras: Extras) -> Result<Self> {
        let actor = Actor {
            kind: ActorKind::User,
            id: mint(),
            credential_id: Some(mint()),
            on_behalf_of: None,
        };
        let person = extras.request.then(|| PersonId::from_uuid(mint()));
        Ok(Self {
            store: open(options).await?,
            options: options.clone(),
            caller: Caller { actor, person, grants: Arc::new(Grants::default()) },
            extras,
            turn: extras.alone.then(|| Arc::new(Semaphore::new(1))),
        })
    }

    async fn book(&self, ledger: LedgerId, bookings: usize, new: bool) -> Result<u32> {
        let _turn = match &self.turn {
            Some(turn) => Some(turn.acquire().await?),
            None => None,
        };
        let book = Book { ledger, bookings, new, extras: self.extras, attempts: AtomicU32::new(0) };
        execute(&self.context(), &book).await?;
        Ok(book.attempts.into_inner().saturating_sub(1))
    }

    fn context(&self) -> Context {
        let client = |text: &str| self.extras.request.then(|| text.to_owned().into());
        Context {
            store: self.store.clone(),
            caller: self.caller.clone(),
            now: chrono::Utc::now(),
            command: CommandKey { tenant: TENANT, id: mint(), digest: [7; 32] },
            correlation_id: mint(),
            causation_id: Some(mint()),
            request: Some(RequestInfo {
                id: mint().to_string(),
                ip: client("203.0.113.17"),
                user_agent: client("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Firefox/140.0"),
            }),
        }
    }
}

/// The store of a database.
pub async fn open(options: &PgConnectOptions) -> Result<eventstore::Store> {
    let postgres = Postgres::connect(options.clone()).await?;
    Ok(eventstore::Store::postgres(postgres, MasterKey::new(&[7; 32], &[])).await?)
}

/// Books to a ledger.
struct Book {
    ledger: LedgerId,
    bookings: usize,
    new: bool,
    extras: Extras,
    attempts: AtomicU32,
}

impl UseCase for Book {
    type Answer = LedgerId;

    fn authorise(&self, caller: &Caller) -> Result<(), Denied> {
        match caller.actor.kind {
            ActorKind::Anonymous => Err(Denied::Unauthenticated),
            ActorKind::User | ActorKind::Service | ActorKind::System => Ok(()),
        }
    }

    async fn run(&self, unit: &mut Unit<'_>) -> Result<LedgerId, Refusal> {
        self.attempts.fetch_add(1, Ordering::Relaxed);
        let ledger = match self.new {
            true => unit.begin::<Ledger>(self.ledger),
            false => unit.load::<Ledger>(self.ledger).await?,
        };
        let payer = (self.extras.personal != Personal::None).then(|| PAYER.to_owned().into());
        let command = LedgerCommand {
            ledger: self.ledger,
            bookings: self.bookings,
            payer,
            own_account: self.extras.personal == Personal::New,
        };
        unit.decide(ledger, &command)?;
        if self.extras.claim {
            unit.claim(Claim::take("bench.reference", mint(), self.ledger));
        }
        Ok(self.ledger)
    }
}

impl Store for Ours {
    async fn create(&self, stream: Uuid, bookings: usize) -> Result<()> {
        self.book(LedgerId::from_uuid(stream), bookings, true).await?;
        Ok(())
    }

    async fn command(&self, stream: Uuid) -> Result<u32> {
        self.book(LedgerId::from_uuid(stream), 1, false).await
    }

    async fn catch_up(&self) -> Result<u64> {
        let store = open(&self.options).await?;
        let head = store.head().await?;
        let mut log = store.subscribe(Position(0));
        let mut bookings = 0;
        while log.position() < head {
            let events = log.next(PAGE).await?;
            for opened in store.open(&events).await? {
                eventstore::decode::<LedgerEvent>(&opened)?;
                bookings += 1;
            }
        }
        Ok(bookings)
    }

    async fn restarted(&self) -> Result<Self> {
        Ok(Self { store: open(&self.options).await?, ..self.clone() })
    }

    fn proofs(&self, appends: u64, events: u64) -> Vec<Proof> {
        let sealed = if self.extras.personal == Personal::None { 0 } else { events };
        let claims = if self.extras.claim { appends } else { 0 };
        let rows = |from: &str, wanted| (format!("SELECT count(*) FROM eventstore.{from}"), wanted);
        vec![
            rows("events", events),
            ("SELECT coalesce(max(position), 0) FROM eventstore.events".to_owned(), events),
            rows("commands", appends),
            rows("unique_claims", claims),
            rows("events WHERE key_id IS NOT NULL", sealed),
            rows("events WHERE correlation_id IS NULL OR request IS NULL", 0),
        ]
    }
}
