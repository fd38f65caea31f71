//! What process managers remember between events, moved together with their checkpoint.

use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::backend::Unavailable;

/// The memory of process managers.
#[derive(Debug)]
pub struct ProcessStates;

impl ProcessStates {
    /// What a process remembers under a key.
    ///
    /// # Errors
    /// If the log cannot be reached.
    pub async fn get(
        connection: &mut PgConnection,
        process: &str,
        key: Uuid,
    ) -> Result<Option<Value>, Unavailable> {
        let state = sqlx::query_scalar(
            "SELECT state FROM eventstore.process_state WHERE process = $1 AND key = $2",
        )
        .bind(process)
        .bind(key)
        .fetch_optional(connection)
        .await?;
        Ok(state)
    }

    /// Remembers something, or forgets it.
    ///
    /// # Errors
    /// If the log cannot be reached.
    pub async fn put(
        connection: &mut PgConnection,
        process: &str,
        key: Uuid,
        state: Option<&Value>,
    ) -> Result<(), Unavailable> {
        let query = match state {
            Some(state) => sqlx::query(
                "INSERT INTO eventstore.process_state (process, key, state) VALUES ($1, $2, $3)
                 ON CONFLICT (process, key) DO UPDATE SET state = excluded.state",
            )
            .bind(process)
            .bind(key)
            .bind(state),
            None => {
                sqlx::query("DELETE FROM eventstore.process_state WHERE process = $1 AND key = $2")
                    .bind(process)
                    .bind(key)
            }
        };
        query.execute(connection).await?;
        Ok(())
    }
}
