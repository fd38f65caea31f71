//! Trying parked events again, in order, after their cause was mended.

use domain::kernel::Position;
use eventstore::{Filter, Leases, Parked, ParkedEvents};
use sqlx::Connection;

use super::{Replay, ReplayError};
use crate::{
    engine::Engine,
    lock,
    module::Module,
    sweep::{self, Swept},
};

/// Positions searched for sweeping events at a time, so that no search takes long.
const SPAN: i64 = 250_000;
/// Sweeping events read at a time.
const PAGE: i64 = 1_000;

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
    /// What was purged or erased since an event was parked stays so. An event that needs a row
    /// which a purge took meanwhile stays parked; a rebuild, which sees that row, takes it in.
    ///
    /// # Errors
    /// If the database cannot be reached or keeps the tables busy.
    pub async fn retry(&self, module: &'static Module) -> Result<usize, ReplayError> {
        let parked = ParkedEvents::new(self.pool.clone());
        let of_module = Some((module.name, module.name));
        if parked.list(of_module).await?.is_empty() {
            return Ok(0);
        }
        let mut connection = self.connect().await?;
        let mut transaction = connection.begin().await?;
        // Alone, so that no batch folds onto the same rows meanwhile.
        lock::alone(&mut transaction, module.name).await?;
        // The live runner drops its rows in memory: they change under it.
        let Some(lease) = Leases::fence(&mut transaction, module.name, module.name).await? else {
            return Ok(0);
        };
        let waiting = parked.list(of_module).await?;
        let positions: Vec<_> = waiting.iter().map(|event| event.position).collect();
        ParkedEvents::release(&mut transaction, module.name, module.name, &positions).await?;
        let mut events = Vec::with_capacity(positions.len());
        for position in &positions {
            events.extend(self.store.read(Position(position.0.saturating_sub(1)), 1).await?);
        }
        let mut engine = Engine::open(&mut transaction, module, module.name, &[]).await?;
        let first = positions.first().copied().unwrap_or(lease.position);
        let mut sweeps = self.swept(first, lease.position).await?;
        // What one command did stands together: a row may be whole only after all of it.
        for append in events.chunk_by(|a, b| a.envelope.append_last == b.envelope.append_last) {
            let first = append.first().map(|event| event.envelope.position);
            let later = sweeps.split_off(sweeps.partition_point(|(at, _)| Some(*at) < first));
            engine.sweep_stored(&mut transaction, &sweeps).await?;
            engine.take_in(&mut transaction, &self.store, &lease, append).await?;
            sweeps = later;
        }
        engine.sweep_stored(&mut transaction, &sweeps).await?;
        transaction.commit().await?;
        self.leases().release(&lease).await?;
        let left = parked.list(of_module).await?;
        let again = left.iter().filter(|event| positions.contains(&event.position)).count();
        Ok(positions.len().saturating_sub(again))
    }

    /// What swept the tables after a position and up to another, in order.
    async fn swept(
        &self,
        after: Position,
        until: Position,
    ) -> Result<Vec<(Position, Swept)>, ReplayError> {
        let mut found = Vec::new();
        for (category, name) in sweep::EVENTS {
            let mut after = after;
            while after < until {
                let end = Position(after.0.saturating_add(SPAN).min(until.0));
                let filter = Filter {
                    after: Some(after),
                    until: Some(end),
                    event_type: Some(format!("{category}.{name}")),
                    limit: PAGE,
                    ..Filter::default()
                };
                let page = self.store.search(&filter).await?;
                let full = i64::try_from(page.len()).is_ok_and(|events| events == PAGE);
                let last = page.last().filter(|_| full);
                after = last.map_or(end, |event| event.envelope.position);
                for event in self.store.open(&page).await? {
                    found.extend(sweep::of(&event).map(|swept| (event.envelope.position, swept)));
                }
            }
        }
        found.sort_unstable_by_key(|(position, _)| *position);
        Ok(found)
    }
}
