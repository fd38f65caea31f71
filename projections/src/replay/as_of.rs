//! The tables as they stood at a moment, in a schema of their own.

use domain::kernel::{Position, Timestamp};
use eventstore::Leases;

use super::{Observer, Replay, ReplayError, ReplayOptions, Target, shadow};
use crate::module::Module;

impl Replay {
    /// Makes modules' tables as of a moment in a new schema. Personal data erased since then
    /// stays erased.
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
            Target::Position(position) => self.whole_append(position).await?,
            Target::Time(at) => self.recorded_until(at).await?,
        };
        self.make(first, position, schema, observe).await?;
        for (module, own) in others {
            self.make(module, position, &own, observe).await?;
            for table in module.tables {
                let sql = format!("ALTER TABLE \"{own}\".{} SET SCHEMA \"{schema}\"", table.name);
                sqlx::raw_sql(crate::sql::own(&sql)).execute(&mut connection).await?;
            }
            shadow::drop_schema(&mut connection, &own).await?;
        }
        Ok(position)
    }

    async fn make(
        &self,
        module: &'static Module,
        position: Position,
        schema: &str,
        observe: Observer<'_>,
    ) -> Result<(), ReplayError> {
        let mut made = self.open_shadow(module, schema, &ReplayOptions::default()).await?;
        self.fill(module, &mut made, position, observe).await?;
        Ok(Leases::remove(&mut made.connection, &made.lease).await?)
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
