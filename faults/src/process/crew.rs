//! Several people at work while something happens to the platform.

use std::{mem, sync::Arc};

use tokio::sync::watch;

use super::{audit::audit, ledger::Ledger, place::Place, work::Worker};
use crate::trials::{Report, Violation};

/// Workers who enter what they ask into one ledger.
#[derive(Debug)]
pub struct Crew {
    /// The workers, while they rest.
    pub workers: Vec<Worker>,
    /// Everything they asked.
    pub ledger: Arc<Ledger>,
}

impl Crew {
    /// New users of a server, with an empty ledger.
    ///
    /// # Errors
    /// If the server refuses them.
    pub async fn new(place: &Place, count: u64, seed: u64) -> Result<Self, Violation> {
        let workers = Worker::several(place, count, seed).await?;
        Ok(Self { workers, ledger: Arc::default() })
    }

    /// Works while something happens; then each finishes what it asked.
    ///
    /// # Errors
    /// What went wrong with that, or what one of them should not have seen.
    pub async fn during<T>(
        &mut self,
        happens: impl Future<Output = Result<T, Violation>>,
    ) -> Result<T, Violation> {
        let (stop, stopping) = watch::channel(false);
        let work =
            |worker: Worker| tokio::spawn(worker.work(self.ledger.clone(), stopping.clone()));
        let tasks: Vec<_> = mem::take(&mut self.workers).into_iter().map(work).collect();
        let happened = happens.await;
        stop.send_replace(true);
        let happened = happened?;
        for task in tasks {
            self.workers.push(task.await??);
        }
        Ok(happened)
    }

    /// Asks again what has no answer yet, until all of it has.
    ///
    /// # Errors
    /// If something gets none.
    pub async fn settle(&self, report: &mut Report) -> Result<(), Violation> {
        self.ledger.settle(report).await
    }

    /// Judges the platform by the ledger, and reports what was seen on the way.
    ///
    /// # Errors
    /// The promise that was not kept.
    pub async fn audit(&mut self, place: &Place, report: &mut Report) -> Result<(), Violation> {
        for worker in &mut self.workers {
            report.merge(&mem::take(&mut worker.report));
        }
        audit(place, &self.ledger, report).await
    }
}
