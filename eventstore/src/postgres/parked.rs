//! Events a consumer could not take in. Nothing is skipped: they wait here, in order, with every
//! later event that touches the same rows.

use domain::kernel::Position;
use sqlx::{PgConnection, PgPool, Row};

use crate::backend::Unavailable;

/// The parked events of a log.
#[derive(Debug, Clone)]
pub struct ParkedEvents {
    pool: PgPool,
}

/// One parked event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parked {
    /// Whose checkpoint it is parked for.
    pub consumer: String,
    /// The schema that lacks it.
    pub target: String,
    /// Which event.
    pub position: Position,
    /// `table/key` of each row it touches; `stream/id` if it could not be understood.
    pub keys: Vec<String>,
    /// Why.
    pub cause: String,
}

impl ParkedEvents {
    /// The parked events behind a pool.
    #[must_use]
    pub const fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    /// Parks events inside the transaction that moves the checkpoint past them.
    ///
    /// # Errors
    /// If the log cannot be reached.
    pub async fn park(
        transaction: &mut PgConnection,
        parked: &[Parked],
    ) -> Result<(), Unavailable> {
        for event in parked {
            sqlx::query(
                "INSERT INTO eventstore.parked (consumer, target, position, keys, cause)
                 VALUES ($1, $2, $3, $4, $5)
                 ON CONFLICT (consumer, target, position)
                 DO UPDATE SET keys = excluded.keys, cause = excluded.cause",
            )
            .bind(&event.consumer)
            .bind(&event.target)
            .bind(event.position.0)
            .bind(&event.keys)
            .bind(&event.cause)
            .execute(&mut *transaction)
            .await?;
        }
        Ok(())
    }

    /// Takes events out again, inside the transaction that writes what they lead to.
    ///
    /// # Errors
    /// If the log cannot be reached.
    pub async fn release(
        transaction: &mut PgConnection,
        consumer: &str,
        target: &str,
        positions: &[Position],
    ) -> Result<(), Unavailable> {
        if positions.is_empty() {
            return Ok(());
        }
        let positions: Vec<i64> = positions.iter().map(|position| position.0).collect();
        sqlx::query(
            "DELETE FROM eventstore.parked
              WHERE consumer = $1 AND target = $2 AND position = ANY($3)",
        )
        .bind(consumer)
        .bind(target)
        .bind(positions)
        .execute(transaction)
        .await?;
        Ok(())
    }

    /// Everything parked for a consumer, in order; for all consumers without one.
    ///
    /// # Errors
    /// If the log cannot be reached.
    pub async fn list(&self, consumer: Option<(&str, &str)>) -> Result<Vec<Parked>, Unavailable> {
        let (consumer, target) = consumer.unzip();
        let rows = sqlx::query(
            "SELECT consumer, target, position, keys, cause FROM eventstore.parked
              WHERE ($1::text IS NULL OR consumer = $1) AND ($2::text IS NULL OR target = $2)
              ORDER BY consumer, target, position",
        )
        .bind(consumer)
        .bind(target)
        .fetch_all(&self.pool)
        .await?;
        let parked = |row: sqlx::postgres::PgRow| Parked {
            consumer: row.get(0),
            target: row.get(1),
            position: Position(row.get(2)),
            keys: row.get(3),
            cause: row.get(4),
        };
        Ok(rows.into_iter().map(parked).collect())
    }
}
