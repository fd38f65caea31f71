//! The master key and the log belong together.
//!
//! Owns telling whether a folder's master key is the one that a log is sealed with. Refuses to make
//! keys for a log that has some elsewhere: it would be served, nothing in it could be opened, and
//! what is new would be sealed apart.

use std::path::{Path, PathBuf};

use domain::kernel::KeyId;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::crypto::keys::{KeyDirectory, KeyError};

/// Why the keys of a folder are not used.
#[derive(Debug, thiserror::Error)]
pub enum LogKeysError {
    /// The key is somewhere else.
    #[error(
        "there is no master key in {}, and the log is sealed with one: name its folder (keys.dir), \
         or restore it with `platformctl keys restore BACKUP`; nothing was made", .0.display()
    )]
    Missing(PathBuf),
    /// Another key sealed the log.
    #[error(
        "the master key in {} does not open this log: name the folder of the right one (keys.dir), \
         or restore it with `platformctl keys restore BACKUP`; nothing was changed", .0.display()
    )]
    Other(PathBuf),
    /// The folder is not usable.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// The database does not tell.
    #[error("the database cannot be asked which key it is sealed with")]
    Sql(#[from] sqlx::Error),
}

/// How the master key of a folder and a log belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    /// Nothing is sealed that it would have to open.
    Unsealed,
    /// It opens the log.
    Opens,
    /// There is none.
    Missing,
    /// It does not open the log.
    Other,
}

/// Whether the master key of a folder opens a log; makes nothing.
///
/// # Errors
/// If the database does not tell or the folder's keys cannot be read.
pub async fn fit(connection: &mut PgConnection, folder: &Path) -> Result<Fit, LogKeysError> {
    let there = "SELECT to_regclass('eventstore.subject_keys') IS NOT NULL";
    if !sqlx::query_scalar::<_, bool>(there).fetch_one(&mut *connection).await? {
        return Ok(Fit::Unsealed);
    }
    let newest = "SELECT key_id, wrapped FROM eventstore.subject_keys WHERE wrapped IS NOT NULL
        ORDER BY created_at DESC LIMIT 1";
    let stored = sqlx::query_as::<_, (Uuid, Vec<u8>)>(newest).fetch_optional(connection).await?;
    let Some((id, wrapped)) = stored else { return Ok(Fit::Unsealed) };
    if !folder.join("master.key").exists() {
        return Ok(Fit::Missing);
    }
    let master = KeyDirectory::existing(folder)?.master()?;
    let opens = master.wrapping().opens(KeyId::from_uuid(id), &wrapped);
    Ok(if opens { Fit::Opens } else { Fit::Other })
}

/// Opens the folder of a log's keys as [`KeyDirectory::open`] does: makes keys for a log that is
/// sealed with none yet.
///
/// # Errors
/// If the log is sealed with another key, or the folder is not usable.
pub async fn open(
    connection: &mut PgConnection,
    folder: &Path,
    now_seconds: u64,
) -> Result<(KeyDirectory, bool), LogKeysError> {
    match fit(connection, folder).await? {
        Fit::Missing => Err(LogKeysError::Missing(folder.to_owned())),
        Fit::Other => Err(LogKeysError::Other(folder.to_owned())),
        Fit::Unsealed | Fit::Opens => Ok(KeyDirectory::open(folder, now_seconds)?),
    }
}
