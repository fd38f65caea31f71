//! Driving the programs of PostgreSQL: `initdb` and `pg_ctl`.

use std::{
    fs::{self, DirBuilder, File},
    io::{self, Read, Seek, SeekFrom},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use crate::{
    PATIENCE, SUPERUSER,
    account::Account,
    binaries::Binaries,
    configuration,
    error::{ClusterError, Doing},
    folder::Folder,
};

/// What `pg_ctl status` exits with when no server runs.
const NOT_RUNNING: i32 = 3;

/// A log larger than this is put aside at the next start; one older log is kept.
const LOG_LIMIT_BYTES: u64 = 16 << 20;

/// How much of the log an error shows.
const TAIL_BYTES: i64 = 4 << 10;
const TAIL_LINES: usize = 15;

/// The programs, the user that runs them and the data they work on.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    binaries: Binaries,
    account: Account,
    data: PathBuf,
    log: PathBuf,
}

impl Server {
    pub(crate) fn new(binaries: Binaries, account: Account, folder: &Folder) -> Self {
        Self { binaries, account, data: folder.data(), log: folder.log_file() }
    }

    pub(crate) fn account(&self) -> &Account {
        &self.account
    }

    pub(crate) fn version(&self) -> u32 {
        self.binaries.version
    }

    /// Creates the cluster aside and moves it to its place when it is whole.
    pub(crate) fn create(&self, folder: &Folder, durable: bool) -> Result<(), ClusterError> {
        let aside = folder.unfinished();
        // C.UTF-8 sorts by code point, whatever the system's libraries think next year. Not every
        // system has it; C sorts the same and knows fewer letters.
        let made = match self.initdb(&aside, "C.UTF-8", durable) {
            Err(ClusterError::Failed { output, .. }) if output.contains("invalid locale") => {
                self.initdb(&aside, "C", durable)
            }
            other => other,
        };
        made.and_then(|()| configuration::include(&aside))?;
        // Unless the move itself is on disk, a power cut could turn the cluster, by then full of
        // data, back into a half-made one.
        fs::rename(&aside, folder.data())
            .and_then(|()| File::open(folder.root())?.sync_all())
            .doing(|| format!("cannot move {} to its place", aside.display()))
    }

    fn initdb(&self, data: &Path, locale: &str, durable: bool) -> Result<(), ClusterError> {
        match fs::remove_dir_all(data) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
        .and_then(|()| DirBuilder::new().mode(0o700).create(data))
        .and_then(|()| self.account.own(data))
        .doing(|| format!("cannot create {}", data.display()))?;

        let mut command = self.account.command(self.binaries.path("initdb"));
        command
            .args(["--username", SUPERUSER, "--encoding", "UTF8", "--locale", locale])
            .args(["--auth-local", "trust", "--auth-host", "scram-sha-256", "--data-checksums"])
            .args((!durable).then_some("--no-sync"))
            .arg("--pgdata")
            .arg(data);
        let output = self.account.output(&mut command)?;
        succeeded("initdb", &output, String::new)
    }

    /// Whether a server runs on the data. One that died leaves a pid file, which PostgreSQL itself
    /// recognises.
    pub(crate) fn is_running(&self) -> Result<bool, ClusterError> {
        let output = self.account.output(self.pg_ctl().arg("status"))?;
        if output.status.code() == Some(NOT_RUNNING) {
            return Ok(false);
        }
        succeeded("pg_ctl status", &output, String::new).map(|()| true)
    }

    /// Starts the server and waits until it takes connections.
    pub(crate) fn start(&self) -> Result<(), ClusterError> {
        self.rotate_log()?;
        let mut command = self.pg_ctl_waiting();
        let output = self.account.output(command.arg("--log").arg(&self.log).arg("start"))?;
        succeeded("pg_ctl start", &output, || self.tail())
    }

    /// Stops the server: sessions are ended, a checkpoint is written.
    pub(crate) fn stop(&self) -> Result<(), ClusterError> {
        let mut command = self.pg_ctl_waiting();
        let output = self.account.output(command.args(["--mode", "fast", "stop"]))?;
        succeeded("pg_ctl stop", &output, || self.tail())
    }

    fn pg_ctl(&self) -> Command {
        let mut command = self.account.command(self.binaries.path("pg_ctl"));
        command.arg("--pgdata").arg(&self.data);
        command
    }

    fn pg_ctl_waiting(&self) -> Command {
        let mut command = self.pg_ctl();
        command.args(["--silent", "--wait", "--timeout", &PATIENCE.as_secs().to_string()]);
        command
    }

    fn rotate_log(&self) -> Result<(), ClusterError> {
        match fs::metadata(&self.log) {
            Ok(log) if log.len() > LOG_LIMIT_BYTES => {
                let old = self.log.with_extension("log.1");
                fs::rename(&self.log, &old).doing(|| format!("cannot write {}", old.display()))
            }
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// The end of the log, for whoever has to find out why a start failed.
    fn tail(&self) -> String {
        let mut bytes = Vec::new();
        let read = File::open(&self.log).and_then(|mut log| {
            if log.seek(SeekFrom::End(-TAIL_BYTES)).is_err() {
                log.rewind()?; // shorter than that
            }
            log.read_to_end(&mut bytes)
        });
        if let Err(error) = read {
            return format!("({} cannot be read: {error})", self.log.display());
        }
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<_> = text.lines().rev().take(TAIL_LINES).collect();
        let lines: Vec<_> = lines.into_iter().rev().collect();
        format!("the last lines of {}:\n{}", self.log.display(), lines.join("\n"))
    }
}

/// Turns a bad ending into an error that says what the program said, and `more`.
fn succeeded(
    program: &'static str,
    output: &Output,
    more: impl FnOnce() -> String,
) -> Result<(), ClusterError> {
    if output.status.success() {
        return Ok(());
    }
    let said = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
    let parts = said.iter().map(|text| text.trim().to_owned()).chain([more()]);
    let output_text: Vec<_> = parts.filter(|text| !text.is_empty()).collect();
    Err(ClusterError::Failed { program, status: output.status, output: output_text.join("\n") })
}
