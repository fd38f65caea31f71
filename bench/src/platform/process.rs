//! `platformctl serve` as a child.
//!
//! This program is linked with `platformctl`, and is it where it is called so: what is measured is
//! built as the product is, and needs no second build.

use std::{
    fs::File,
    os::unix::process::CommandExt,
    process::{Child, Command, ExitCode, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};

use super::{Place, client::Client};

/// The name under which this program is the product.
const NAME: &str = "platformctl";
/// How long a start may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often a start is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// A running server. Dropped, it is killed.
#[derive(Debug)]
pub struct Process {
    child: Child,
    place: Place,
}

/// Runs `platformctl` if this process was started as it.
pub fn platformctl() -> Option<ExitCode> {
    let name = std::env::args_os().next()?;
    (name == NAME).then(|| {
        api::crypto::install();
        api::cli::run()
    })
}

impl Process {
    /// Starts a server and waits until it takes requests.
    pub async fn start(place: &Place) -> Result<Self> {
        let log = File::create(place.log())?;
        let child = Command::new(std::env::current_exe()?)
            .arg0(NAME)
            .arg("serve")
            .env_clear()
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            .envs(place.variables())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        let mut process = Self { child, place: place.clone() };
        process.ready().await?;
        Ok(process)
    }

    /// Waits until the server takes requests and its tables hold the whole log.
    pub async fn ready(&mut self) -> Result<()> {
        self.says("\"status\":").await
    }

    /// Waits until it is ready and has a word in its report.
    pub async fn says(&mut self, word: &str) -> Result<()> {
        let begun = Instant::now();
        loop {
            let ended = self.child.try_wait()?;
            ensure!(ended.is_none(), "the server ended: {}", self.last_words());
            if let Ok((200, report)) = self.report().await
                && report.contains(word)
            {
                return Ok(());
            }
            ensure!(begun.elapsed() < PATIENCE, "the server is not ready: {}", self.last_words());
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn report(&self) -> Result<(u16, String)> {
        let mut client = self.client().await?;
        let answer = client.get("/readyz", None).await?;
        Ok((answer.status, answer.text()?.to_owned()))
    }

    /// A connection to it.
    pub async fn client(&self) -> Result<Client> {
        Client::connect(self.place.address()).await
    }

    /// Its id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Asks it to stop, and waits for that.
    pub async fn stop(mut self) -> Result<()> {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        kill_process(pid.context("a child has an id")?, Signal::TERM)?;
        let begun = Instant::now();
        while self.child.try_wait()?.is_none() {
            ensure!(begun.elapsed() < PATIENCE, "the server does not stop: {}", self.last_words());
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }

    fn last_words(&self) -> String {
        let text = std::fs::read_to_string(self.place.log()).unwrap_or_default();
        let lines: Vec<_> = text.lines().rev().take(5).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
