//! Where a follower of the log is, and when that is worth a note.
//!
//! Owns the choice between noting a place and only remembering it. What an event led to is noted at
//! once, with the place. Most events lead to nothing, and a note is a transaction that everybody
//! else's have to share the disk with; a place that was not noted costs, after a crash or another
//! interruption, that the same events are looked at again, and each consumer here stands that.

use std::time::Duration;

use domain::kernel::Position;
use eventstore::{Fenced, Lease, Notes, Processes, heard};
use tokio::time::Instant;

/// How long a place is only remembered while the log moves.
const UNNOTED: Duration = Duration::from_millis(500);
/// How often a lease is renewed while nothing is noted.
pub(crate) const RENEW: Duration = Duration::from_secs(2);

/// A follower's place in the log.
#[derive(Debug)]
pub(crate) struct Place<'c> {
    processes: &'c Processes,
    lease: &'c Lease,
    at: Position,
    noted: Position,
    since: Instant,
}

impl<'c> Place<'c> {
    /// As the lease has it.
    pub(crate) fn new(processes: &'c Processes, lease: &'c Lease) -> Self {
        let at = lease.position;
        Self { processes, lease, at, noted: at, since: Instant::now() }
    }

    /// Moves on past events that led to nothing.
    ///
    /// # Errors
    /// [`Fenced::Lost`] if the lease is another's by now.
    pub(crate) async fn pass(&mut self, to: Position) -> Result<(), Fenced> {
        self.at = to;
        if self.since.elapsed() < UNNOTED {
            return Ok(());
        }
        self.note(&Notes::default(), to).await
    }

    /// Moves on, and notes what events led to.
    ///
    /// # Errors
    /// [`Fenced::Lost`] if the lease is another's by now.
    pub(crate) async fn note(&mut self, notes: &Notes, to: Position) -> Result<(), Fenced> {
        self.processes.note(self.lease, notes, to).await?;
        (self.at, self.noted, self.since) = (to, to, Instant::now());
        Ok(())
    }

    /// Notes a place that is only remembered, now that nothing comes; else keeps the lease.
    ///
    /// # Errors
    /// [`Fenced::Lost`] if the lease is another's by now.
    pub(crate) async fn rest(&mut self) -> Result<(), Fenced> {
        if self.at == self.noted {
            return self.hold().await;
        }
        self.note(&Notes::default(), self.at).await
    }

    /// Keeps the lease through work that takes long.
    ///
    /// # Errors
    /// [`Fenced::Lost`] if the lease is another's by now.
    pub(crate) async fn hold(&mut self) -> Result<(), Fenced> {
        if self.since.elapsed() <= RENEW {
            return Ok(());
        }
        if self.at != self.noted {
            return self.note(&Notes::default(), self.at).await;
        }
        heard(self.processes.leases().renew(self.lease)).await??;
        self.since = Instant::now();
        Ok(())
    }
}
