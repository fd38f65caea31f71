//! The database's errors, without the rows they quote.
//!
//! Owns what may be told of them to logs, operators and `eventstore.parked`: codes and names from
//! our own declarations. Refuses messages, details and contexts: PostgreSQL quotes values there,
//! and a value may be personal.

use std::fmt;

use sqlx::error::DatabaseError;

/// An error of the database that can be shown to anybody: it says which table and which
/// constraint, never which value.
pub struct Redacted(sqlx::Error);

impl Redacted {
    /// The SQLSTATE, if the server itself refused.
    #[must_use]
    pub fn code(&self) -> Option<String> {
        self.0.as_database_error()?.code().map(Into::into)
    }

    /// Whether the database refuses what a row holds (classes 22 and 23 of SQLSTATE), which it
    /// will do again, rather than being short of something for now.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        self.code().is_some_and(|code| code.starts_with("22") || code.starts_with("23"))
    }
}

impl From<sqlx::Error> for Redacted {
    fn from(error: sqlx::Error) -> Self {
        Self(error)
    }
}

// No source: whoever prints the chain would print the values.
impl std::error::Error for Redacted {}

impl fmt::Debug for Redacted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Redacted({self})")
    }
}

impl fmt::Display for Redacted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(refusal) = self.0.as_database_error() {
            refused(refusal, f)
        } else if is_of_connection(&self.0) {
            write!(f, "{}", self.0)
        } else {
            // What could not be read or written may be inside.
            f.write_str("a value is not what its column holds")
        }
    }
}

/// Whether it is about connections, pools and declarations: then no row has come into it.
fn is_of_connection(error: &sqlx::Error) -> bool {
    use sqlx::Error as E;
    matches!(
        error,
        E::Configuration(_)
            | E::Io(_)
            | E::Tls(_)
            | E::RowNotFound
            | E::TypeNotFound { .. }
            | E::ColumnIndexOutOfBounds { .. }
            | E::ColumnNotFound(_)
            | E::PoolTimedOut
            | E::PoolClosed
            | E::WorkerCrashed
    )
}

fn refused(refusal: &dyn DatabaseError, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let code = refusal.code().unwrap_or_default();
    write!(f, "SQLSTATE {code}, {}", meaning(&code))?;
    if let Some(table) = refusal.table() {
        write!(f, ", table {table}")?;
    }
    if let Some(constraint) = refusal.constraint() {
        write!(f, ", constraint {constraint}")?;
    }
    let postgres = refusal.try_downcast_ref::<sqlx::postgres::PgDatabaseError>();
    if let Some(column) = postgres.and_then(|refusal| refusal.column()) {
        write!(f, ", column {column}")?;
    }
    Ok(())
}

/// The condition a SQLSTATE stands for, or at least its class (PostgreSQL manual, appendix A).
fn meaning(code: &str) -> &'static str {
    match code {
        "22001" => "a text is too long",
        "22003" => "a number is out of range",
        "22007" | "22008" => "a date or time is out of range",
        "22021" | "22P05" => "a character cannot be stored",
        "22P02" => "a text does not have the form of its column",
        "23502" => "a value is missing",
        "23503" => "the row referred to does not exist",
        "23505" => "another row has the same value",
        "23514" => "a check fails",
        "23P01" => "another row excludes this one",
        "55P03" => "somebody else has it locked",
        "57014" => "it took too long, or somebody stopped it",
        _ => match code.get(..2).unwrap_or_default() {
            "08" => "connection lost",
            "22" => "a value does not fit its column",
            "23" => "a constraint is violated",
            "25" => "wrong state of the transaction",
            "28" => "not allowed to connect",
            "40" => "transaction rolled back",
            "42" => "the tables are not what this binary expects, or not its to use",
            "53" => "out of resources",
            "55" => "not in the required state",
            "57" => "the server stopped it",
            "58" | "XX" => "the server failed",
            _ => "the database refuses",
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_not_be_read_is_not_shown() {
        let canary = "ada@example.org";
        let decode = || sqlx::Error::Decode(canary.into());
        let column = sqlx::Error::ColumnDecode { index: "3".into(), source: canary.into() };
        for error in [decode(), column, sqlx::Error::Encode(canary.into())] {
            let error = Redacted::from(error);
            assert!(!format!("{error} {error:?}").contains(canary), "{error}");
            assert!(std::error::Error::source(&error).is_none());
        }
    }

    #[test]
    fn an_unknown_code_is_told_by_its_class() {
        assert_eq!(meaning("22999"), meaning("22000"));
        assert_ne!(meaning("22999"), meaning("23999"));
        assert_eq!(meaning(""), "the database refuses");
    }
}
