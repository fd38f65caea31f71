//! The log in PostgreSQL: one call a batch, gapless positions in commit order.
//!
//! Owns all SQL of schema `eventstore`. The writing connection is its own, never pooled: no
//! other transaction can linger on it, and its planner settings suit small keyed look-ups.

mod append;
mod parked;
mod process;
mod read;

use std::sync::Arc;

use domain::kernel::{KeyId, Position, TenantId, Version};
use futures_util::FutureExt;
use sqlx::{
    ConnectOptions, PgConnection, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tokio::sync::Mutex;
use uuid::Uuid;

use crate::{
    backend::{Answer, Backend, CommandRecord, Filter, Sealed, Unavailable, Verdict},
    event::Stored,
};

pub use parked::{Parked, ParkedEvents};
pub use process::ProcessStates;

/// Connections for reading the log, beside the one that writes.
const READERS: u32 = 4;

/// The log in a PostgreSQL database.
#[derive(Debug)]
pub struct Postgres {
    readers: PgPool,
    writing: PgConnectOptions,
    writer: Mutex<Option<PgConnection>>,
}

impl Postgres {
    /// Connects to a migrated database.
    ///
    /// # Errors
    /// If it cannot be reached.
    pub async fn connect(options: PgConnectOptions) -> Result<Self, Unavailable> {
        let keyed = options.clone().options([
            ("enable_seqscan", "off"),
            ("enable_hashjoin", "off"),
            ("enable_mergejoin", "off"),
            ("jit", "off"),
        ]);
        let reading = keyed.clone().options([("default_transaction_read_only", "off")]);
        let readers = PgPoolOptions::new()
            .max_connections(READERS)
            .test_before_acquire(false)
            .connect_with(reading)
            .await
            .map_err(fault)?;
        let writing = keyed.options([
            ("plan_cache_mode", "force_generic_plan"),
            ("lock_timeout", "10s"),
            ("statement_timeout", "20s"),
            ("idle_in_transaction_session_timeout", "10s"),
            ("synchronous_commit", "on"),
        ]);
        Ok(Self { readers, writing, writer: Mutex::new(None) })
    }

    async fn write(&self, batch: &[Arc<Sealed>]) -> Result<Vec<Verdict>, Unavailable> {
        let mut slot = self.writer.lock().await;
        // Taken out: a connection that fails, or whose call is dropped half-way, is not put back.
        let mut connection = match slot.take() {
            Some(connection) => connection,
            None => self.writing.connect().await.map_err(fault)?,
        };
        let outcome = append::append(&mut connection, batch).await;
        match &outcome {
            Err(fault) if !fault.is_refusal() => {}
            Ok(_) | Err(_) => *slot = Some(connection),
        }
        let mut verdicts = outcome?;
        drop(slot);
        for (verdict, append) in verdicts.iter_mut().zip(batch) {
            if let Verdict::Duplicate(_) = verdict {
                let record = read::command(&self.readers, append.command.tenant, append.command.id);
                if let Some(record) = record.await? {
                    *verdict = Verdict::Duplicate(record);
                }
            }
        }
        Ok(verdicts)
    }
}

/// Tells a lost connection, worth another try, from a refusal of the server.
pub(crate) fn fault(error: sqlx::Error) -> Unavailable {
    let code = match &error {
        sqlx::Error::Database(db) => db.code().map(|code| code.to_string()),
        _ => return Unavailable::lost(error),
    };
    match code.as_deref() {
        Some("53100") => Unavailable::full(error),
        // 08 connection, 53 resources, 57P operator intervention, 40 rollback, 55P03 lock timeout
        Some(code)
            if ["08", "53", "57P", "40", "55P03", "57014"].iter().any(|c| code.starts_with(c)) =>
        {
            Unavailable::lost(error)
        }
        _ => Unavailable::refused(error),
    }
}

impl Backend for Postgres {
    fn append<'a>(&'a self, batch: &'a [Arc<Sealed>]) -> Answer<'a, Vec<Verdict>> {
        self.write(batch).boxed()
    }

    fn load<'a>(&'a self, wanted: &'a [(Uuid, Version)]) -> Answer<'a, Vec<Stored>> {
        read::load(&self.readers, wanted).boxed()
    }

    fn read<'a>(&'a self, after: Position, limit: i64) -> Answer<'a, Vec<Stored>> {
        read::page(&self.readers, after, limit).boxed()
    }

    fn search<'a>(&'a self, filter: &'a Filter) -> Answer<'a, Vec<Stored>> {
        read::search(&self.readers, filter).boxed()
    }

    fn head(&self) -> Answer<'_, Position> {
        read::head(&self.readers).boxed()
    }

    fn claim_owner<'a>(&'a self, scope: &'a str, key: &'a str) -> Answer<'a, Option<Uuid>> {
        read::claim_owner(&self.readers, scope, key).boxed()
    }

    fn command(&self, tenant: TenantId, id: Uuid) -> Answer<'_, Option<CommandRecord>> {
        read::command(&self.readers, tenant, id).boxed()
    }

    fn keys<'a>(
        &'a self,
        wanted: &'a [KeyId],
        offered: &'a [(KeyId, Vec<u8>)],
    ) -> Answer<'a, Vec<(KeyId, Option<Vec<u8>>)>> {
        read::keys(&self.readers, wanted, offered).boxed()
    }
}
