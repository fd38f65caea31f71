//! A query on its way to the database, with its scope inside.
//!
//! Owns how the scope travels: in the query's own condition, so that a query is one statement and
//! one round trip. The condition is a sub-select without reference to any row, hence PostgreSQL
//! judges it once, above every scan, before it fetches the first row; and the setting ends with the
//! statement, so that a plan that did otherwise would find no scope and show no row (ADR 0012).

use migrations::Role;
use sqlx::{
    Execute as _, Postgres, QueryBuilder, postgres::PgArguments, query::Query as Statement,
};

use crate::{Row, scope::Scope, sql::selection};

/// A query that says in whose name it asks. There is no other kind that a
/// [`Reader`](crate::Reader) takes.
pub(crate) struct Query {
    role: Role,
    builder: QueryBuilder<Postgres>,
}

impl Query {
    /// A query of whatever shape, complete up to and without its `WHERE`; continue with ` AND …`.
    ///
    /// The scope is for this level: what looks into a table of tenants in a branch of a `UNION`
    /// needs a query of its own.
    pub(crate) fn over(mut builder: QueryBuilder<Postgres>, scope: &impl Scope) -> Self {
        match scope.setting() {
            Some(setting) => {
                builder.push(" WHERE (SELECT set_config('commonhold.scope', ");
                builder.push_bind(setting).push(", true)) IS NOT NULL");
            }
            None => {
                builder.push(" WHERE true");
            }
        }
        Self { role: scope.role(), builder }
    }

    /// A query of a table's rows, as `t`; continue with ` AND …`, then the order.
    pub(crate) fn of<R: Row>(scope: &R::Scope) -> Self {
        let list = selection::<R>();
        let from = format!("SELECT {list} FROM {}.{} t", R::SCHEMA, R::TABLE);
        Self::over(QueryBuilder::new(from), scope)
    }

    /// Who has to ask it.
    pub(crate) const fn role(&self) -> Role {
        self.role
    }

    /// The finished statement, to be asked any number of times.
    pub(crate) fn finish(mut self) -> Result<Ready, sqlx::Error> {
        let arguments = self.builder.build().take_arguments().map_err(sqlx::Error::Encode)?;
        Ok(Ready { sql: self.builder, arguments: arguments.unwrap_or_default() })
    }
}

impl std::ops::Deref for Query {
    type Target = QueryBuilder<Postgres>;

    fn deref(&self) -> &Self::Target {
        &self.builder
    }
}

impl std::ops::DerefMut for Query {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.builder
    }
}

/// A statement with its values.
pub(crate) struct Ready {
    sql: QueryBuilder<Postgres>,
    arguments: PgArguments,
}

impl Ready {
    pub(crate) fn statement(&self) -> Statement<'_, Postgres, PgArguments> {
        sqlx::query_with(self.sql.sql(), self.arguments.clone())
    }
}
