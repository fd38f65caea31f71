//! Live tables whose batches are cut at random, carefully or not.

use domain::kernel::Position;
use eventstore::{Lease, Leases, ParkedEvents, Stored};
use projections::{Engine, Module};
use sqlx::{Connection, PgConnection};

use crate::{
    history::Dice,
    support::{World, mint},
};

/// How batches are dealt with: properly, or with one fault planted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Care {
    /// As the runner does.
    Proper,
    /// Two engines take turns and neither forgets its rows.
    KeepsStaleRows,
    /// Now and then a rolled back batch is taken for committed.
    LosesBatches,
}

/// One module's live tables.
pub(crate) struct Live {
    module: &'static Module,
    care: Care,
    connection: PgConnection,
    /// More than one only by fault.
    engines: Vec<Engine>,
    lease: Lease,
    position: Position,
}

impl Live {
    pub(crate) async fn open(world: &World, module: &'static Module, care: Care) -> Self {
        let leases = Leases::new(world.pool().clone());
        let lease = leases.acquire(module.name, module.name, mint()).await.unwrap().unwrap();
        let mut connection = PgConnection::connect(&world.db.url).await.unwrap();
        let mut engines = vec![engine(world, module, &mut connection).await];
        if care == Care::KeepsStaleRows {
            engines.push(engine(world, module, &mut connection).await);
        }
        Self { module, care, connection, engines, lease, position: Position(0) }
    }

    /// Takes in whatever is new.
    pub(crate) async fn follow(&mut self, world: &World, dice: &mut Dice) {
        if self.care == Care::Proper && dice.one_in(3) {
            // Another process goes on, with no rows in memory.
            self.engines = vec![engine(world, self.module, &mut self.connection).await];
        }
        let events = world.store.read(self.position, 100_000).await.unwrap();
        let mut rest = events.as_slice();
        while !rest.is_empty() {
            let (batch, after) = rest.split_at(cut(rest, dice));
            rest = after;
            self.take_in(world, batch, dice).await;
            self.position = batch.last().unwrap().envelope.position;
        }
    }

    /// Takes in the rest and lets go.
    pub(crate) async fn finish(mut self, world: &World, dice: &mut Dice) {
        self.follow(world, dice).await;
        Leases::new(world.pool().clone()).release(&self.lease).await.unwrap();
    }

    async fn take_in(&mut self, world: &World, batch: &[Stored], dice: &mut Dice) {
        let turn = dice.below(self.engines.len());
        let engine = &mut self.engines[turn];
        let connection = &mut self.connection;
        if self.care == Care::LosesBatches && dice.one_in(3) {
            let mut transaction = connection.begin().await.unwrap();
            engine.fold(&mut transaction, &world.store, batch).await.unwrap();
            engine.flush(&mut transaction, &self.lease).await.unwrap();
            transaction.rollback().await.unwrap();
            engine.committed();
        } else if self.care == Care::Proper && dice.one_in(2) {
            // As a rebuild does: several pages, then one write.
            let mut transaction = connection.begin().await.unwrap();
            let mut rest = batch;
            while !rest.is_empty() {
                let page = rest.iter().position(ends_append).unwrap() + 1;
                let (page, after) = rest.split_at(page);
                engine.fold(&mut transaction, &world.store, page).await.unwrap();
                rest = after;
            }
            engine.flush(&mut transaction, &self.lease).await.unwrap();
            transaction.commit().await.unwrap();
            engine.committed();
        } else {
            engine.take_in(connection, &world.store, &self.lease, batch).await.unwrap();
        }
    }
}

async fn engine(world: &World, module: &'static Module, connection: &mut PgConnection) -> Engine {
    let parked = ParkedEvents::new(world.pool().clone());
    let parked = parked.list(Some((module.name, module.name))).await.unwrap();
    Engine::open(connection, module, module.name, &parked).await.unwrap()
}

/// Some number of events, at least one, of whole appends.
fn cut(events: &[Stored], dice: &mut Dice) -> usize {
    let wanted = dice.below(events.len().min(40));
    wanted + events[wanted..].iter().position(ends_append).unwrap() + 1
}

fn ends_append(event: &Stored) -> bool {
    event.envelope.position == event.envelope.append_last
}
