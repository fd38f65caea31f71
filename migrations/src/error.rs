//! What stops the migrator, each with what to do about it.

/// Why the schema could not be moved or judged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MigrateError {
    /// The SQL of a migration failed; its transaction was rolled back and it is marked dirty.
    #[error(
        "migration {label} failed, and everything it did was rolled back: mend the cause{}, then run \
         `platformctl migrate force {stands_at}` and try again", rights(.source)
    )]
    Failed {
        /// Which migration.
        label: String,
        /// The version the schema stands at.
        stands_at: u32,
        /// What the database said.
        source: sqlx::Error,
    },
    /// An earlier run failed or was killed.
    #[error(
        "migration {label} did not finish in an earlier run, and everything it did was rolled \
         back: mend the cause, then run `platformctl migrate force {stands_at}` and try again"
    )]
    Dirty {
        /// Which migration.
        label: String,
        /// The version the schema stands at.
        stands_at: u32,
    },
    /// The database has seen a migration this binary does not know.
    #[error(
        "the database is at migration {label}, which this binary does not have: run the newer \
         binary, or take the migration back with it"
    )]
    Ahead {
        /// Which migration.
        label: String,
    },
    /// A migration was edited after it had been applied.
    #[error(
        "migration {label} was edited after it had been applied: restore the file and put the \
         change into a new migration, or, if the schema already is as the file says, run \
         `platformctl migrate force {stands_at}`"
    )]
    Drift {
        /// Which migration.
        label: String,
        /// The version the schema stands at.
        stands_at: u32,
    },
    /// No migration has this number.
    #[error("there is no migration {0}")]
    Unknown(u32),
    /// Another process has been migrating for too long.
    #[error("another process is migrating this database; it was waited for in vain")]
    Busy,
    /// The database could not be asked.
    #[error("the database refused")]
    Database(#[from] sqlx::Error),
}

/// Where to read on if it is the role of the database that may not.
fn rights(source: &sqlx::Error) -> &'static str {
    let code = source.as_database_error().and_then(|refusal| refusal.code());
    match code.as_deref() {
        Some("42501") => {
            " (\"The role of the database\" in docs/operations.md says what it must be able to do)"
        }
        _ => "",
    }
}
