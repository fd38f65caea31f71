//! `platformctl keys`.

use std::path::PathBuf;

use chrono::{DateTime, SecondsFormat};
use clap::Subcommand;
use serde_json::json;

use super::{Common, Exit, Failure, Output, output::table};
use crate::{
    clock::Clock,
    crypto::keys::{KeyDirectory, KeyError},
};

/// Looks after the master key and the signing keys.
#[derive(Debug, Subcommand)]
pub(super) enum Keys {
    /// List the signing keys
    List,
    /// Make a new signing key active; running processes notice by themselves
    Rotate,
    /// Copy all keys into one new file, which must be kept as safe as the keys
    Backup {
        /// The file to write
        file: PathBuf,
    },
    /// Bring the keys of a backup back into an empty key directory
    Restore {
        /// The file to read
        file: PathBuf,
    },
}

impl Keys {
    pub(super) fn run(self, common: &Common, output: &Output) -> Result<(), Failure> {
        let folder = common.load()?.config.keys.dir;
        let now = Clock::system().seconds();
        if let Self::Restore { file } = &self {
            let count = KeyDirectory::restore(file, &folder).map_err(failure)?;
            output.words(&format!("{count} keys restored into {}", folder.display()));
            return output.data(&json!({ "restored": count }), || count.to_string());
        }
        let directory = KeyDirectory::existing(&folder).map_err(failure)?;
        match self {
            Self::List | Self::Restore { .. } => list(&directory, output),
            Self::Rotate => {
                let key = directory.rotate(now).map_err(failure)?;
                output.words("tokens signed before stay valid until they expire");
                output.data(&key, || key.kid.clone())
            }
            Self::Backup { file } => {
                let count = directory.backup(&file).map_err(failure)?;
                output.words(&format!("{count} keys copied to {}", file.display()));
                output
                    .data(&json!({ "copied": count, "file": file }), || file.display().to_string())
            }
        }
    }
}

fn list(directory: &KeyDirectory, output: &Output) -> Result<(), Failure> {
    let keys = directory.list().map_err(failure)?;
    output.data(&keys, || {
        let rows: Vec<_> = keys
            .iter()
            .map(|key| {
                let retired = key.retired_at.map_or_else(|| "active".to_owned(), date);
                [key.kid.clone(), date(key.created_at), retired]
            })
            .collect();
        table(["KEY ID", "CREATED", "RETIRED"], &rows)
    })
}

fn date(seconds: u64) -> String {
    let at = i64::try_from(seconds).ok().and_then(|seconds| DateTime::from_timestamp(seconds, 0));
    at.map_or_else(|| "-".to_owned(), |at| at.to_rfc3339_opts(SecondsFormat::Secs, true))
}

fn failure(error: KeyError) -> Failure {
    let exit = match &error {
        KeyError::Exists(_) => Exit::Conflict,
        KeyError::Missing(_) => Exit::NotFound,
        KeyError::Exposed(_) => Exit::Denied,
        KeyError::Damaged(_) => Exit::VerificationFailed,
        KeyError::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
            Exit::NotFound
        }
        KeyError::Io { .. } => Exit::Failure,
    };
    Failure { exit, ..Failure::from(error) }
}
