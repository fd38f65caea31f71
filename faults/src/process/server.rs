//! A running server: a child process that is watched and ended.

use std::{
    process::{Child, ExitStatus},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use tokio::time::{Instant, sleep};

use super::{client::Client, place::Place};
use crate::trials::Violation;

/// How long a server may take to be ready, also after it was killed.
pub const READY: Duration = Duration::from_secs(10);
/// How much longer it is waited for, so that a trial can say how late it was.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long an orderly stop may take.
const STOPPED: Duration = Duration::from_secs(60);

/// `platformctl serve` as a child. Dropped, it is killed.
#[derive(Debug)]
pub struct Server {
    child: Child,
    place: Place,
}

impl Server {
    /// Starts a server without waiting for it.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn spawn(place: &Place) -> Result<Self, Violation> {
        Ok(Self { child: place.serve()?.spawn()?, place: place.clone() })
    }

    /// Starts a server and waits until it is ready; says how long that took.
    ///
    /// # Errors
    /// If it ends instead, or never is.
    pub async fn start(place: &Place) -> Result<(Self, Duration), Violation> {
        let begun = Instant::now();
        let mut server = Self::spawn(place)?;
        server.ready(begun).await?;
        Ok((server, begun.elapsed()))
    }

    async fn ready(&mut self, begun: Instant) -> Result<(), Violation> {
        let client = Client::new(&self.place.url())?;
        loop {
            if client.is_ready().await {
                return Ok(());
            }
            if let Some(status) = self.ended()? {
                let words = self.place.last_words();
                return Err(Violation(format!("the server ended with {status}:\n{words}")));
            }
            if begun.elapsed() > PATIENCE {
                let words = self.place.last_words();
                return Err(Violation(format!("the server never was ready:\n{words}")));
            }
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// How it ended, if it did.
    ///
    /// # Errors
    /// If the system does not tell.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>, Violation> {
        Ok(self.child.try_wait()?)
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// If it does not come in time.
    pub async fn wait(&mut self, time: Duration) -> Result<ExitStatus, Violation> {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.ended()? {
                return Ok(status);
            }
            if begun.elapsed() > time {
                return Err(Violation(format!("the server did not end within {time:?}")));
            }
            sleep(Duration::from_millis(10)).await;
        }
    }

    /// Ends it as a power cut ends it: at once, and nothing is tidied up.
    ///
    /// # Errors
    /// If it cannot be ended.
    pub fn kill(&mut self) -> Result<(), Violation> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Asks it to stop, and waits for that.
    ///
    /// # Errors
    /// If it does not stop in time, or not well.
    pub async fn stop(mut self) -> Result<(), Violation> {
        signal(self.child.id(), Signal::TERM)?;
        let status = self.wait(STOPPED).await?;
        if status.success() {
            return Ok(());
        }
        let words = self.place.last_words();
        Err(Violation(format!("the server stopped with {status}:\n{words}")))
    }

    /// How much memory it holds, in KiB.
    ///
    /// # Errors
    /// If the system does not tell.
    pub fn memory_kib(&self) -> Result<u64, Violation> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
        number.ok_or_else(|| Violation("the system does not tell its memory".to_owned()))
    }

    /// How much processor time it has spent.
    ///
    /// # Errors
    /// If the system does not tell.
    pub fn processor(&self) -> Result<Duration, Violation> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // After the name, which may hold anything: user and system time, in hundredths.
        let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
        let ticks = fields.skip(11).take(2).map(str::parse::<u64>);
        let ticks: Result<u64, _> = ticks.sum();
        let ticks = ticks.map_err(|_| Violation("the system does not tell its time".to_owned()))?;
        Ok(Duration::from_millis(ticks.saturating_mul(10)))
    }

    /// The place it runs at.
    #[must_use]
    pub const fn place(&self) -> &Place {
        &self.place
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The number in the first line of a text.
pub(crate) fn first_line(text: &str) -> Option<u32> {
    text.lines().next()?.trim().parse().ok()
}

/// Sends a signal to a process that this trial started.
pub(crate) fn signal(pid: u32, signal: Signal) -> Result<(), Violation> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    let pid = pid.ok_or_else(|| Violation("no such process id".to_owned()))?;
    kill_process(pid, signal).map_err(|fault| Violation(format!("cannot signal: {fault}")))
}
