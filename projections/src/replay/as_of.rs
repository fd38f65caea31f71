//! The tables as they stood at a moment, in a schema of their own.

use domain::kernel::{Position, Timestamp};
use eventstore::{Leases, ParkedEvents};

use super::{
    Observer, Replay, ReplayError, ReplayOptions, Target,
    alone::{Tries, alone, in_time},
    shadow::{self, Shadow, former, next},
};
use crate::module::{MODULES, Module};

impl Replay {
    /// Makes modules' tables as of a moment in a new schema. Personal data erased since then
    /// stays erased, and what is erased later is cleared there as well.
    ///
    /// # Errors
    /// If the schema exists or cannot be called that, or the log cannot be read.
    pub async fn as_of(
        &self,
        modules: &[&'static Module],
        target: Target,
        schema: &str,
        observe: Observer<'_>,
    ) -> Result<Position, ReplayError> {
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        let starts = schema.starts_with(|c: char| c.is_ascii_lowercase());
        if !starts || schema.len() > 40 || !schema.chars().all(fits) || schema.starts_with("pg_") {
            return Err(ReplayError::BadSchema(schema.to_owned()));
        }
        let taken = |module: &&Module| [next(module), former(module)].contains(&schema.to_owned());
        if MODULES.iter().any(taken) {
            return Err(ReplayError::Reserved(schema.to_owned()));
        }
        let (first, others) =
            modules.split_first().ok_or_else(|| ReplayError::UnknownModule("(none)".to_owned()))?;
        // Each module is made in a schema of its own, then moved into the one asked for.
        let others: Vec<_> =
            others.iter().map(|module| (*module, format!("{schema}_{}", module.name))).collect();
        let mut connection = self.connect().await?;
        for made in others.iter().map(|(_, own)| own.as_str()).chain([schema]) {
            if shadow::exists(&mut connection, made).await? {
                return Err(ReplayError::SchemaExists(made.to_owned()));
            }
        }
        let position = match target {
            Target::Position(asked) => {
                let head = self.store.head().await?;
                if asked > head {
                    return Err(ReplayError::Beyond { asked, head });
                }
                self.whole_append(asked).await?
            }
            Target::Time(at) => self.recorded_until(at).await?,
        };
        let parts: Vec<_> = std::iter::once((*first, schema.to_owned())).chain(others).collect();
        for (module, own) in &parts {
            if let Err(fault) = self.make(module, position, (own, schema), observe).await {
                // What is not complete is of no use, and would be in the way of another try.
                for (_, own) in &parts {
                    let _ = self.drop_aside(own).await;
                }
                return Err(fault);
            }
        }
        Ok(position)
    }

    /// Makes a module's tables in a schema of its own and moves them to where they are wanted.
    async fn make(
        &self,
        module: &'static Module,
        position: Position,
        (own, schema): (&str, &str),
        observe: Observer<'_>,
    ) -> Result<(), ReplayError> {
        let mut made = self.open_shadow(module, own, &ReplayOptions::default()).await?;
        let work = async {
            self.fill(module, &mut made, position, observe).await?;
            self.finish(module, &mut made, position, schema).await
        };
        let outcome = work.await;
        self.given_back(module, made, outcome).await
    }

    /// Leaves tables that follow no further where they are wanted.
    async fn finish(
        &self,
        module: &'static Module,
        made: &mut Shadow,
        position: Position,
        schema: &str,
    ) -> Result<(), ReplayError> {
        let Shadow { schema: own, lease, connection, .. } = made;
        let parked = ParkedEvents::new(self.pool.clone()).list(Some((module.name, own))).await?;
        let parked: Vec<_> = parked.iter().map(|event| event.position).collect();
        let mut tries = Tries::new();
        loop {
            self.leases().renew(lease).await?;
            let moved = async {
                let mut transaction = alone(connection, &[module.name], &[&*own]).await?;
                Leases::advance(&mut transaction, lease, position).await?;
                // Nobody will try these again.
                ParkedEvents::release(&mut transaction, module.name, own, &parked).await?;
                if own != schema {
                    for table in module.tables {
                        let name = table.name;
                        let sql = format!("ALTER TABLE \"{own}\".{name} SET SCHEMA \"{schema}\"");
                        sqlx::raw_sql(crate::sql::own(&sql)).execute(&mut *transaction).await?;
                    }
                    shadow::drop_schema(&mut transaction, own).await?;
                    Leases::rename(&mut transaction, module.name, own, schema).await?;
                }
                Ok(transaction.commit().await?)
            };
            match in_time(moved.await)? {
                Some(()) => break,
                None => tries.another(own).await?,
            }
        }
        // The claim moved with the tables.
        schema.clone_into(own);
        schema.clone_into(&mut lease.target);
        Ok(())
    }

    /// The end of the last append that lies wholly at or before a position.
    async fn whole_append(&self, position: Position) -> Result<Position, ReplayError> {
        let head = self.store.head().await?;
        let wanted = position.0.clamp(0, head.0);
        // An append has at most 1000 events.
        let from = Position(wanted.saturating_sub(1_001).max(0));
        let events = self.store.read(from, wanted.saturating_sub(from.0)).await?;
        let ends = events.iter().rev().map(|event| &event.envelope);
        let last = ends.into_iter().find(|e| e.position == e.append_last && e.position.0 <= wanted);
        Ok(last.map_or(Position(0), |envelope| envelope.position))
    }

    /// The end of the last append recorded at or before an instant.
    async fn recorded_until(&self, at: Timestamp) -> Result<Position, ReplayError> {
        let head = self.store.head().await?;
        self.whole_append(self.store.recorded_until(at, head).await?).await
    }
}
