//! Answers in pages, each beginning where the last one ended.

use eventstore::Unavailable;

/// Largest page.
pub(crate) const MOST_ROWS: u16 = 200;

/// How much to answer, and from where on.
#[derive(Debug, Clone)]
pub struct PageRequest<K> {
    /// At most so many rows.
    pub limit: u16,
    /// Behind this place in the order.
    pub after: Option<K>,
}

impl<K> PageRequest<K> {
    /// The first rows.
    #[must_use]
    pub const fn first(limit: u16) -> Self {
        Self { limit, after: None }
    }

    pub(crate) fn limit(&self) -> u16 {
        self.limit.clamp(1, MOST_ROWS)
    }
}

/// Some rows, and where the next ones begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<R, K> {
    /// The rows.
    pub rows: Vec<R>,
    /// Behind which place the next page begins; `None` on the last.
    pub next: Option<K>,
}

/// The read tables cannot be asked.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// The database cannot be reached or answers nonsense.
    #[error("the read tables cannot be read")]
    Database(#[from] sqlx::Error),
    /// The log cannot be reached.
    #[error(transparent)]
    Log(#[from] Unavailable),
}
