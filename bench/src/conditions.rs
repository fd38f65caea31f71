//! Under which conditions something was measured.

use std::{fs, process::Command, thread};

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::server::Server;

/// Settings that decide what a commit costs, read back from the server.
const SETTINGS: &str = "SELECT name || ' = ' || current_setting(name) FROM unnest(ARRAY[
    'fsync', 'synchronous_commit', 'full_page_writes', 'shared_buffers', 'max_wal_size',
    'max_connections', 'wal_level']) AS name";

/// The machine and the server.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Conditions {
    /// What the system calls its processor.
    pub cpu: String,
    /// How many of them there are; server, client and load share them.
    pub cores: usize,
    /// Of the whole machine.
    pub memory_gib: u64,
    /// Version of the server.
    pub postgresql: String,
    /// Its settings.
    pub settings: Vec<String>,
    /// The commit this was built from, and whether anything was changed.
    #[serde(default)]
    pub commit: String,
    /// When it was measured.
    pub measured_at: String,
    /// The load average when the measurement began.
    pub load: String,
}

impl Conditions {
    /// As they are now.
    pub async fn read(server: &Server) -> Result<Self> {
        let mut connection = server.connect().await?;
        let postgresql = sqlx::query_scalar("SELECT current_setting('server_version')")
            .fetch_one(&mut connection);
        Ok(Self {
            postgresql: postgresql.await?,
            settings: sqlx::query_scalar(SETTINGS).fetch_all(&mut connection).await?,
            cpu: line("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown".to_owned()),
            cores: thread::available_parallelism()?.get(),
            memory_gib: kib("/proc/meminfo", "MemTotal").unwrap_or(0) >> 20,
            commit: commit(),
            measured_at: chrono::Utc::now().format("%Y-%m-%d %H:%M UTC").to_string(),
            load: load(),
        })
    }
}

/// The commit of this source, marked if more than figures was changed since.
fn commit() -> String {
    let git = |args: &[&str]| {
        let mut git = Command::new("git");
        let output = git.arg("-C").arg(env!("CARGO_MANIFEST_DIR")).args(args).output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        output.status.success().then(|| text.trim().to_owned())
    };
    let figures = [":(top,exclude)bench/results.json", ":(top,exclude)docs/benchmarks.md"];
    let changed = git(&[&["status", "--porcelain", "--", ":/"], &figures[..]].concat());
    let commit = git(&["rev-parse", "--short", "HEAD"]).unwrap_or_else(|| "unknown".to_owned());
    let changed = changed.is_none_or(|changed| !changed.is_empty());
    commit + if changed { " and changes" } else { "" }
}

/// The load averages of the last one, five and fifteen minutes.
pub fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let averages: Vec<_> = text.split(' ').take(3).collect();
    averages.join(" ")
}

/// Forgets the peak of this process's memory, so that the next [`peak_mib`] is of what follows.
pub fn forget_peak() -> Result<()> {
    Ok(fs::write("/proc/self/clear_refs", "5")?)
}

/// The most memory this process held.
pub fn peak_mib() -> u64 {
    kib("/proc/self/status", "VmHWM").unwrap_or(0) >> 10
}

fn kib(file: &str, name: &str) -> Option<u64> {
    line(file, name)?.split(' ').next()?.parse().ok()
}

/// The value behind a name in one of the system's tables.
fn line(file: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let found = text.lines().find(|line| line.starts_with(name))?;
    Some(found.split_once(':')?.1.trim().to_owned())
}
