//! The SQL of a table, made from its row's declaration: for any schema, so that live, shadow and
//! as-of tables are written by the same code.

use std::fmt::Write;

use sqlx::{AssertSqlSafe, PgConnection, Row as _};

use crate::row::{Row, Std};

/// The statements for one table in one schema.
#[derive(Debug, Clone)]
pub(crate) struct TableSql {
    pub(crate) select: String,
    pub(crate) upsert: String,
    pub(crate) delete: String,
    pub(crate) copy: String,
    /// `schema.table`
    pub(crate) name: String,
    /// Each column's type as the catalogue has it, by name.
    types: Vec<(String, String)>,
}

impl TableSql {
    /// Reads the column types of the table and composes its statements.
    pub(crate) async fn prepare<R: Row>(
        connection: &mut PgConnection,
        schema: &str,
    ) -> Result<Self, sqlx::Error> {
        let name = format!("\"{schema}\".{}", R::TABLE);
        let rows = sqlx::query(
            "SELECT attname::text, format_type(atttypid, atttypmod) FROM pg_attribute
              WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped",
        )
        .bind(&name)
        .fetch_all(connection)
        .await?;
        let types: Vec<(String, String)> =
            rows.iter().map(|row| (row.get(0), row.get(1))).collect();
        check::<R>(&name, &types)?;
        Ok(Self::compose::<R>(name, types))
    }

    fn compose<R: Row>(name: String, types: Vec<(String, String)>) -> Self {
        let names: Vec<&str> = columns::<R>().map(|(column, _)| column).collect();
        let list = names.join(", ");
        let type_of = |column: &str| {
            types.iter().find(|(name, _)| name == column).map_or("text", |(_, of)| of.as_str())
        };
        let key_type = type_of(R::KEY).to_owned();
        let mut casts = String::new();
        let mut arguments = String::new();
        let mut sets = String::new();
        for (column, number) in names.iter().zip(1..) {
            let comma = if number > 1 { ", " } else { "" };
            // Writing into a String cannot fail.
            let _ = write!(casts, "{comma}i.{column}::{}", type_of(column));
            let _ = write!(arguments, "{comma}${number}::text[]");
            let _ = write!(sets, "{comma}{column} = excluded.{column}");
        }
        Self {
            select: format!(
                "SELECT {} FROM {name} t WHERE t.{key} = ANY($1::text[]::{key_type}[])",
                selection::<R>(),
                key = R::KEY
            ),
            upsert: format!(
                "INSERT INTO {name} ({list}) SELECT {casts} FROM unnest({arguments}) i({list})
                 ON CONFLICT ({key}) DO UPDATE SET {sets}",
                key = R::KEY
            ),
            delete: format!(
                "DELETE FROM {name} WHERE {key} = ANY($1::text[]::{key_type}[])",
                key = R::KEY
            ),
            copy: format!("COPY {name} ({list}) FROM STDIN"),
            name,
            types,
        }
    }

    /// Deletes the rows whose column has one of some values, unless touched since a position.
    pub(crate) fn purge(&self, column: &str) -> String {
        format!(
            "DELETE FROM {} t USING unnest($1::text[]::{}[], $2::bigint[]) gone(id, at)
              WHERE t.{column} = gone.id AND t.last_position < gone.at",
            self.name,
            self.type_of(column)
        )
    }

    /// Clears columns in the rows sealed under keys.
    pub(crate) fn shred(&self, columns: &[&str]) -> String {
        clearing(&self.name, columns, OF_KEYS)
    }

    fn type_of(&self, column: &str) -> &str {
        self.types.iter().find(|(name, _)| name == column).map_or("text", |(_, of)| of)
    }
}

/// Which rows are sealed under keys.
pub(crate) const OF_KEYS: &str = "key_id = ANY($1::text[]::uuid[])";
/// Which rows are sealed under any key that is destroyed.
pub(crate) const OF_DESTROYED_KEYS: &str =
    "key_id IN (SELECT key_id FROM eventstore.subject_keys WHERE destroyed_at IS NOT NULL)";

/// Clears columns of a table in some of its rows. Rows cleared before, as those of a rebuild are
/// from the beginning, are not written again.
pub(crate) fn clearing(name: &str, columns: &[&str], condition: &str) -> String {
    let nulls: Vec<_> = columns.iter().map(|column| format!("{column} = NULL")).collect();
    format!(
        "UPDATE {name} SET {} WHERE {condition} AND num_nonnulls({}) > 0",
        nulls.join(", "),
        columns.join(", ")
    )
}

/// Every column of a row with its cast, [`Std`] last.
fn columns<R: Row>() -> impl Iterator<Item = (&'static str, &'static str)> {
    R::COLUMNS.iter().copied().chain(Std::NAMES.map(|name| (name, "")))
}

/// The select list that [`Row::read`] understands, for a table with the alias `t`.
pub(crate) fn selection<R: Row>() -> String {
    let list: Vec<_> = columns::<R>().map(|(column, cast)| format!("t.{column}{cast}")).collect();
    list.join(", ")
}

/// The declared columns must be the table's, no more and no fewer.
fn check<R: Row>(name: &str, types: &[(String, String)]) -> Result<(), sqlx::Error> {
    let declared: Vec<_> = columns::<R>().map(|(column, _)| column).collect();
    let missing = declared.iter().find(|column| !types.iter().any(|(name, _)| name == *column));
    let extra = types.iter().find(|(column, _)| !declared.contains(&column.as_str()));
    match (missing, extra) {
        (None, None) => Ok(()),
        (Some(column), _) => Err(sqlx::Error::Configuration(
            format!("{name} lacks the column {column}; run platformctl migrate up").into(),
        )),
        (None, Some((column, _))) => Err(sqlx::Error::Configuration(
            format!("{name} has the column {column}, which this binary does not know").into(),
        )),
    }
}

/// Marks composed SQL: its parts are names of our own declarations, never input.
pub(crate) fn own(sql: &str) -> AssertSqlSafe<String> {
    AssertSqlSafe(sql.to_owned())
}
