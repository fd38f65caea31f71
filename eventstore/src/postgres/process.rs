//! What process managers remember between events, moved together with their checkpoint.
//!
//! Owns where it is kept. Refuses to let one thing grow: what has many parts is kept part by part,
//! so that a change costs the same however many there are.

use std::collections::BTreeMap;

use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::backend::Unavailable;

/// Where something is remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StateKey {
    key: Uuid,
    part: Uuid,
}

/// What is remembered from now on; none is forgotten.
pub type StateChanges = BTreeMap<StateKey, Option<Value>>;

impl StateKey {
    /// Of the thing itself.
    #[must_use]
    pub const fn of(key: Uuid) -> Self {
        Self { key, part: Uuid::nil() }
    }

    /// Of one of its parts, whose id is not zero.
    #[must_use]
    pub const fn of_part(key: Uuid, part: Uuid) -> Self {
        Self { key, part }
    }

    /// The thing.
    #[must_use]
    pub const fn key(self) -> Uuid {
        self.key
    }

    /// The part; zero for the thing itself.
    #[must_use]
    pub const fn part(self) -> Uuid {
        self.part
    }

    /// All there can be of a thing, in order.
    #[must_use]
    pub const fn all(key: Uuid) -> std::ops::RangeInclusive<Self> {
        Self::of(key)..=Self::of_part(key, Uuid::max())
    }
}

/// The memory of process managers.
#[derive(Debug)]
pub struct ProcessStates;

impl ProcessStates {
    /// What a process remembers in a place.
    ///
    /// # Errors
    /// If the log cannot be reached.
    pub async fn get(
        connection: &mut PgConnection,
        process: &str,
        key: StateKey,
    ) -> Result<Option<Value>, Unavailable> {
        let state = sqlx::query_scalar(
            "SELECT state FROM eventstore.process_state
              WHERE process = $1 AND key = $2 AND part = $3",
        )
        .bind(process)
        .bind(key.key)
        .bind(key.part)
        .fetch_optional(connection)
        .await?;
        Ok(state)
    }

    /// All that a process remembers of a thing, the thing itself first.
    ///
    /// # Errors
    /// If the log cannot be reached.
    pub async fn all(
        connection: &mut PgConnection,
        process: &str,
        key: Uuid,
    ) -> Result<BTreeMap<StateKey, Value>, Unavailable> {
        let rows: Vec<(Uuid, Value)> = sqlx::query_as(
            "SELECT part, state FROM eventstore.process_state WHERE process = $1 AND key = $2",
        )
        .bind(process)
        .bind(key)
        .fetch_all(connection)
        .await?;
        Ok(rows.into_iter().map(|(part, state)| (StateKey { key, part }, state)).collect())
    }

    /// Remembers and forgets; two questions at most, however much it is.
    ///
    /// # Errors
    /// If the log cannot be reached.
    pub async fn put(
        connection: &mut PgConnection,
        process: &str,
        changes: &StateChanges,
    ) -> Result<(), Unavailable> {
        let (mut kept, mut forgotten) = (Columns::default(), Columns::default());
        for (key, state) in changes {
            let columns = if state.is_some() { &mut kept } else { &mut forgotten };
            columns.keys.push(key.key);
            columns.parts.push(key.part);
            columns.states.extend(state);
        }
        if !kept.keys.is_empty() {
            sqlx::query(
                "INSERT INTO eventstore.process_state (process, key, part, state)
                 SELECT $1, * FROM unnest($2::uuid[], $3::uuid[], $4::jsonb[])
                 ON CONFLICT (process, key, part) DO UPDATE SET state = excluded.state",
            )
            .bind(process)
            .bind(kept.keys)
            .bind(kept.parts)
            .bind(kept.states)
            .execute(&mut *connection)
            .await?;
        }
        if !forgotten.keys.is_empty() {
            sqlx::query(
                "DELETE FROM eventstore.process_state WHERE process = $1
                    AND (key, part) IN (SELECT * FROM unnest($2::uuid[], $3::uuid[]))",
            )
            .bind(process)
            .bind(forgotten.keys)
            .bind(forgotten.parts)
            .execute(connection)
            .await?;
        }
        Ok(())
    }
}

#[derive(Default)]
struct Columns<'v> {
    keys: Vec<Uuid>,
    parts: Vec<Uuid>,
    states: Vec<&'v Value>,
}
