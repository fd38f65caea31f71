//! Trying parked events again, in order, after their cause was mended.

use eventstore::{Leases, Parked, ParkedEvents};
use sqlx::Connection;

use super::{Replay, ReplayError};
use crate::{engine::Engine, module::Module};

impl Replay {
    /// Everything that waits, of all modules.
    ///
    /// # Errors
    /// If the database cannot be reached.
    pub async fn parked(&self) -> Result<Vec<Parked>, ReplayError> {
        Ok(ParkedEvents::new(self.pool.clone()).list(None).await?)
    }

    /// Takes a module's parked events in again, in order; what still fails is parked again.
    /// Answers how many came through.
    ///
    /// # Errors
    /// If the database cannot be reached or keeps the tables busy.
    pub async fn retry(&self, module: &'static Module) -> Result<usize, ReplayError> {
        let parked = ParkedEvents::new(self.pool.clone());
        let waiting = parked.list(Some((module.name, module.name))).await?;
        if waiting.is_empty() {
            return Ok(0);
        }
        let mut connection = self.connect().await?;
        let mut transaction = connection.begin().await?;
        // Alone, so that no batch folds onto the same rows meanwhile.
        sqlx::query("SELECT pg_advisory_xact_lock($1)")
            .bind(crate::engine::lock_number(module.name))
            .execute(&mut *transaction)
            .await?;
        // The live runner drops its rows in memory: they change under it.
        Leases::fence(&mut transaction, module.name, module.name).await?;
        let waiting = parked.list(Some((module.name, module.name))).await?;
        let mut engine = Engine::open(&mut transaction, module, module.name, &[]).await?;
        let mut events = Vec::with_capacity(waiting.len());
        for event in &waiting {
            let before = domain::kernel::Position(event.position.0.saturating_sub(1));
            events.extend(self.store.read(before, 1).await?);
        }
        let positions: Vec<_> = waiting.iter().map(|event| event.position).collect();
        ParkedEvents::release(&mut transaction, module.name, module.name, &positions).await?;
        engine.fold(&mut transaction, &self.store, &events).await?;
        let again = engine.flush_in_place(&mut transaction).await?;
        transaction.commit().await?;
        Ok(waiting.len().saturating_sub(again))
    }
}
