//! Queries: a tenant that cannot be forgotten, keyset pages, typed rows.

use domain::organization::OrganizationId;
use eventstore::Unavailable;
use sqlx::{PgPool, Postgres, QueryBuilder, postgres::PgRow};

use crate::{row::Row, sql::selection};

/// Largest page.
pub(crate) const MOST_ROWS: u16 = 200;

/// Whose rows a query may see. There is no default: whoever asks has to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TenantScope {
    /// Those of one organization.
    Organization(OrganizationId),
    /// All: for operators who hold the permission on the whole platform.
    Platform,
}

impl TenantScope {
    /// Narrows a query to the scope's rows.
    pub fn narrow(self, query: &mut QueryBuilder<Postgres>, column: &'static str) {
        match self {
            Self::Organization(organization) => {
                query.push(" AND ").push(column).push(" = ").push_bind(organization.uuid());
            }
            Self::Platform => {}
        }
    }
}

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

    fn limit(&self) -> u16 {
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

/// Reads tables.
#[derive(Debug, Clone)]
pub struct Reader {
    pool: PgPool,
}

impl Reader {
    /// A reader over a pool.
    #[must_use]
    pub const fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    /// The pool, for queries that are not of one table's rows.
    #[must_use]
    pub const fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// All rows of a query begun with [`select`].
    ///
    /// # Errors
    /// If the database cannot be asked.
    pub async fn rows<R: Row>(
        &self,
        mut query: QueryBuilder<Postgres>,
    ) -> Result<Vec<R>, QueryError> {
        let rows = query.build().fetch_all(&self.pool).await?;
        Ok(rows.iter().map(|row| R::read(row, 0)).collect::<Result<_, _>>()?)
    }

    /// The first row of a query begun with [`select`].
    ///
    /// # Errors
    /// If the database cannot be asked.
    pub async fn one<R: Row>(
        &self,
        query: QueryBuilder<Postgres>,
    ) -> Result<Option<R>, QueryError> {
        Ok(self.rows(query).await?.into_iter().next())
    }

    /// One page of a query begun with [`select`] that is already ordered and placed; `place`
    /// says where a row stands in the order.
    ///
    /// # Errors
    /// If the database cannot be asked.
    pub async fn page<R: Row, K>(
        &self,
        query: QueryBuilder<Postgres>,
        request: &PageRequest<K>,
        place: impl Fn(&R) -> K,
    ) -> Result<Page<R, K>, QueryError> {
        self.page_of(query, request, |row| R::read(row, 0), place).await
    }

    /// One page of a query of any shape that is already ordered and placed; `read` understands
    /// what it selects.
    ///
    /// # Errors
    /// If the database cannot be asked.
    pub async fn page_of<T, K>(
        &self,
        mut query: QueryBuilder<Postgres>,
        request: &PageRequest<K>,
        read: impl Fn(&PgRow) -> Result<T, sqlx::Error>,
        place: impl Fn(&T) -> K,
    ) -> Result<Page<T, K>, QueryError> {
        let limit = request.limit();
        query.push(" LIMIT ").push_bind(i64::from(limit).saturating_add(1));
        let rows = query.build().fetch_all(&self.pool).await?;
        let more = rows.len() > usize::from(limit);
        let rows = rows.iter().take(usize::from(limit)).map(read);
        let rows: Vec<T> = rows.collect::<Result<_, _>>()?;
        let next = if more { rows.last().map(place) } else { None };
        Ok(Page { rows, next })
    }
}

/// Begins a query of a table's rows, as `t`; continue with ` AND …`, then the order.
#[must_use]
pub(crate) fn select<R: Row>() -> QueryBuilder<Postgres> {
    QueryBuilder::new(format!(
        "SELECT {} FROM {}.{} t WHERE true",
        selection::<R>(),
        R::SCHEMA,
        R::TABLE
    ))
}
