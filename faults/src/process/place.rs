//! A folder with all that a server keeps, and how it is configured.

use std::{
    fs::{self, File, OpenOptions, Permissions},
    io,
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{self, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU16, AtomicU32, Ordering},
    },
};

use cluster::{Cluster, Settings};
use rustix::process::Signal;

use super::server::{first_line, signal};
use crate::trials::Violation;

/// The first port tried. All lie below those that systems hand out by themselves: a client that
/// asks for a server that is away must not be connected to itself.
const FIRST_PORT: u16 = 20_000;
/// How many ports there are to try.
const PORTS: u16 = 10_000;

/// Removed when the last place in it is gone, with the private database that a killed server left
/// running in it.
#[derive(Debug)]
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let left = fs::read_to_string(self.0.join("postgres/pgdata/postmaster.pid"));
        if let Some(pid) = left.ok().as_deref().and_then(first_line) {
            drop(signal(pid, Signal::QUIT));
        }
        drop(fs::remove_dir_all(&self.0));
    }
}

/// Where one server runs.
#[derive(Debug, Clone)]
pub struct Place {
    folder: Arc<Folder>,
    binary: PathBuf,
    port: u16,
    variables: Vec<(String, String)>,
}

impl Place {
    /// An empty folder and a free port, for this binary of `platformctl`.
    ///
    /// # Errors
    /// If there is no such binary or no room.
    pub fn new(binary: &Path) -> Result<Self, Violation> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        if !binary.is_file() {
            return Err(Violation(format!("there is no server at {}", binary.display())));
        }
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        // Under /tmp whatever TMPDIR says: as root, the database's user has to get there.
        let folder = PathBuf::from(format!("/tmp/commonhold-trial-{}-{number}", process::id()));
        drop(fs::remove_dir_all(&folder));
        fs::create_dir(&folder)?;
        fs::set_permissions(&folder, Permissions::from_mode(0o755))?;
        let place = Self {
            folder: Arc::new(Folder(folder)),
            binary: binary.to_owned(),
            port: free_port()?,
            variables: Vec::new(),
        };
        let (folder, url) = (place.folder().display().to_string(), place.url());
        Ok(place
            .with("PLATFORM__HTTP__PUBLIC_URL", &url)
            .with("PLATFORM__DATA_DIR", &folder)
            .with("PLATFORM__RATE_LIMIT__ENABLED", "false")
            // Real argon2id with little memory: trials are about the log.
            .with("PLATFORM__AUTH__PASSWORD_MEMORY_KIB", "1024"))
    }

    /// The same with one variable more.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.retain(|(known, _)| known != name);
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A second server over the same keys, mails and database, with an address of its own. To the
    /// world they are one: what links and tokens call them stays.
    ///
    /// # Errors
    /// If no port is free.
    pub fn beside(&self) -> Result<Self, Violation> {
        Ok(Self { port: free_port()?, ..self.clone() })
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder.0
    }

    /// Where its server answers.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Where its server listens.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Where mails are written to.
    #[must_use]
    pub fn outbox(&self) -> PathBuf {
        self.folder().join("outbox")
    }

    /// What the server last said, for whoever has to find out why it is not there.
    #[must_use]
    pub fn last_words(&self) -> String {
        let text = fs::read_to_string(self.log_file()).unwrap_or_default();
        let lines: Vec<_> = text.lines().rev().take(12).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }

    /// `platformctl` with these arguments, and nothing in its environment but our variables.
    #[must_use]
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        command
            .args(arguments)
            .env_clear()
            .env("PLATFORM__HTTP__BIND", format!("127.0.0.1:{}", self.port))
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .current_dir(self.folder())
            .stdin(Stdio::null());
        command
    }

    /// `platformctl serve`, which writes what it says into a file.
    pub(super) fn serve(&self) -> io::Result<Command> {
        let log = OpenOptions::new().create(true).append(true).open(self.log_file())?;
        let errors: File = log.try_clone()?;
        let mut command = self.command(&["serve"]);
        command.stdout(log).stderr(errors);
        Ok(command)
    }

    fn log_file(&self) -> PathBuf {
        self.folder().join(format!("server-{}.log", self.port))
    }

    /// Where the database of a running server is.
    ///
    /// # Errors
    /// If no server runs.
    pub fn database_url(&self) -> Result<String, Violation> {
        let named = self.variables.iter().find(|(name, _)| name == "DATABASE_URL");
        if let Some((_, url)) = named {
            return Ok(url.clone());
        }
        let settings = Settings::new(self.folder().join("postgres"));
        let attached = Cluster::attach(&settings).map_err(|fault| Violation(fault.to_string()))?;
        let attached = attached.ok_or_else(|| Violation("no database runs".to_owned()))?;
        Ok(attached.url("commonhold"))
    }
}

fn free_port() -> Result<u16, Violation> {
    static TRIED: AtomicU16 = AtomicU16::new(0);
    let own = u16::try_from(process::id() % 97).unwrap_or_default().saturating_mul(100);
    for _ in 0..PORTS {
        let offset = TRIED.fetch_add(1, Ordering::Relaxed).wrapping_add(own) % PORTS;
        let port = FIRST_PORT.saturating_add(offset);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    Err(Violation("no port is free".to_owned()))
}
