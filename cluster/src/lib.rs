//! A private PostgreSQL, so that the platform runs from one command with nothing set up.
//!
//! Owns one data folder: it finds the binaries, creates the cluster, starts it on a unix socket,
//! and stops it. Refuses to share the folder with a second server, to touch data it cannot read,
//! and to know what is stored: no schema, no query language beyond `CREATE DATABASE`.
//!
//! Blocking throughout. A program that serves starts and stops a cluster outside its async tasks.

mod account;
mod binaries;
mod configuration;
mod error;
mod folder;
mod lock;
mod server;
mod socket;
mod watchdog;
mod wire;

use std::{path::PathBuf, time::Duration};

pub use error::ClusterError;

use crate::{
    account::Account, binaries::Binaries, folder::Folder, lock::Lock, server::Server,
    socket::SocketFolder, watchdog::Watchdog,
};

/// The superuser of every private cluster. There is no other role to begin with.
pub const SUPERUSER: &str = "commonhold";

/// The oldest major version the platform runs on.
pub const OLDEST_VERSION: u32 = 15;

/// How long a start or a stop may take. A crash recovery replays at most `max_wal_size`.
const PATIENCE: Duration = Duration::from_secs(60);

/// Whether this process runs as root, so that the server has to run as somebody else, who cannot
/// enter a home.
pub fn runs_as_root() -> bool {
    account::runs_as_root()
}

/// Where a cluster lives and how it runs.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The folder that holds everything of the cluster: `pgdata`, its log, the lock.
    pub data_dir: PathBuf,
    /// Whether a commit survives a power cut. False switches fsync off, which is for tests alone:
    /// `platformctl serve` never passes false, and a release build refuses it.
    pub durable: bool,
    /// Server settings beyond the defaults, as `postgresql.conf` names them. Where the server
    /// listens and whether it syncs cannot be overridden.
    pub options: Vec<(String, String)>,
    /// Where to find `postgres`, `initdb` and `pg_ctl`; searched for when absent.
    pub bin_dir: Option<PathBuf>,
}

impl Settings {
    /// A durable cluster in `data_dir` with the default options.
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self { data_dir: data_dir.into(), durable: true, options: Vec::new(), bin_dir: None }
    }
}

/// A running PostgreSQL that belongs to this process.
#[derive(Debug)]
pub struct Cluster {
    server: Option<Server>,
    folder: Folder,
    socket: SocketFolder,
    watchdog: Option<Watchdog>,
    /// Held as long as the cluster is ours; the kernel frees it when the process dies.
    _lock: Lock,
}

impl Cluster {
    /// Starts the cluster of `settings.data_dir`, creating it first if the folder is empty.
    ///
    /// A server that a killed process left behind on the same folder is stopped and replaced.
    ///
    /// # Errors
    /// Says what is missing and what to do: no binaries, a folder in use by another process, data
    /// of another major version, a folder the server's user cannot reach, a failed start with the
    /// last lines of its log.
    pub fn start(settings: &Settings) -> Result<Self, ClusterError> {
        if !settings.durable && !cfg!(debug_assertions) {
            return Err(ClusterError::MustBeDurable);
        }
        let folder = Folder::open(&settings.data_dir)?;
        let lock = Lock::take(folder.lock_file())?;
        let account = Account::of(&folder)?;
        account.check_reach(folder.root())?;

        let version = folder.version()?;
        let binaries = Binaries::find(settings, &folder, &account, version)?;
        let server = Server::new(binaries, account, &folder);
        if version.is_none() {
            server.create(&folder, settings.durable)?;
        }
        if server.is_running()? {
            tracing::warn!("a server left behind by a killed process is stopped and replaced");
            server.stop()?;
        }
        let socket = SocketFolder::prepare(&folder, server.account())?;
        configuration::write(settings, &folder, &socket, server.account())?;
        server.start()?;
        tracing::info!(data = %folder.data().display(), version = server.version(), "postgresql is ready");
        Ok(Self { server: Some(server), folder, socket, watchdog: None, _lock: lock })
    }

    /// Where a client finds `database`, as a URL both sqlx and libpq understand.
    pub fn url(&self, database: &str) -> String {
        socket::url(self.socket.path(), database)
    }

    /// The folder and major version of the programs that [`Cluster::start`] would run. Starts and
    /// changes nothing.
    ///
    /// # Errors
    /// As [`Cluster::start`], of what can be known beforehand.
    pub fn programs(settings: &Settings) -> Result<(PathBuf, u32), ClusterError> {
        let folder = Folder::planned(&settings.data_dir);
        let account = Account::of(&folder)?;
        let binaries = Binaries::find(settings, &folder, &account, folder.version()?)?;
        Ok((binaries.folder, binaries.version))
    }

    /// Finds the cluster of `settings.data_dir` that another living process runs; none if no
    /// process does, or it is still starting or already stopping. Starts and changes nothing.
    ///
    /// # Errors
    /// If the folder exists and cannot be judged.
    pub fn attach(settings: &Settings) -> Result<Option<Attached>, ClusterError> {
        if !settings.data_dir.exists() {
            return Ok(None);
        }
        let folder = Folder::existing(&settings.data_dir)?;
        let account = Account::of(&folder)?;
        let Some(socket) = socket::answering(&folder, &account) else { return Ok(None) };
        // Without an owner it was left behind by a killed process, and whoever starts the cluster
        // next will replace it.
        Ok(Lock::is_held(&folder.lock_file()).then_some(Attached { socket }))
    }

    /// Creates `database`; content if it exists.
    ///
    /// # Errors
    /// If the server cannot be reached or refuses.
    pub fn create_database(&self, database: &str) -> Result<(), ClusterError> {
        wire::create_database(&self.socket.file(), database)
    }

    /// The file the server writes its log to.
    pub fn log_file(&self) -> PathBuf {
        self.folder.log_file()
    }

    /// Makes the cluster a throw-away one: when this process ends, however it ends, the server is
    /// stopped without ceremony and its whole folder deleted. For tests.
    ///
    /// # Errors
    /// If the watching process cannot be started.
    pub fn throw_away_at_exit(&mut self) -> Result<(), ClusterError> {
        self.watchdog = Some(Watchdog::spawn(&self.folder, &self.socket)?);
        Ok(())
    }

    /// Stops the server: open transactions are rolled back, everything committed is written.
    ///
    /// # Errors
    /// If the server does not stop within a minute.
    pub fn stop(mut self) -> Result<(), ClusterError> {
        self.server.take().map_or(Ok(()), |server| server.stop())
    }
}

/// A running PostgreSQL that belongs to another process, which may stop it at any time.
#[derive(Debug)]
pub struct Attached {
    socket: PathBuf,
}

impl Attached {
    /// Where a client finds `database`, as [`Cluster::url`].
    pub fn url(&self, database: &str) -> String {
        socket::url(&self.socket, database)
    }
}

/// A cluster that is dropped, in a panic for instance, is stopped all the same.
impl Drop for Cluster {
    fn drop(&mut self) {
        let stopped = self.server.take().map_or(Ok(()), |server| server.stop());
        if let Err(error) = stopped {
            tracing::error!(%error, "postgresql was not stopped");
        }
    }
}
