//! Stopping in good order: what is folded is written, and the claim is given back.

use std::time::Duration;

use tokio::{sync::watch, time::timeout};

use super::{Replay, ReplayError, shadow::Shadow};

/// How long whoever wants to stop waits for the last statement.
const PATIENCE: Duration = Duration::from_secs(10);

impl Replay {
    /// The same tool, which stops in good order once it is told to.
    #[must_use]
    pub fn stopping(self, stop: watch::Receiver<bool>) -> Self {
        Self { stop, ..self }
    }

    /// Whether it was told to stop.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        *self.stop.borrow()
    }

    /// Does something that takes long and leaves nothing half done if it is cut off.
    pub(super) async fn unless_stopped<T>(
        &self,
        work: impl Future<Output = Result<T, ReplayError>>,
    ) -> Result<T, ReplayError> {
        let mut stop = self.stop.clone();
        let stopped = async {
            if stop.wait_for(|stop| *stop).await.is_err() {
                // Nobody is left to say so.
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            biased;
            done = work => done,
            () = stopped => Err(ReplayError::Stopped),
        }
    }

    /// After a failure: gives the claim back, so that the next run need not wait for it to lapse.
    /// Tables that stay as they are keep nothing readable that the log cannot say any more.
    pub(super) async fn given_back<T>(
        &self,
        shadow: &mut Shadow,
        outcome: Result<T, ReplayError>,
    ) -> Result<T, ReplayError> {
        if outcome.is_err() {
            // If that fails too, the claim lapses.
            let _ = self.leases().release(&shadow.lease).await;
        }
        if matches!(outcome, Err(ReplayError::Stopped)) {
            // Whoever writes the live tables passed over those that somebody worked on.
            let cleared = shadow.engine.clear_destroyed(&mut shadow.connection);
            // A statement that was cut off may go on for a while on the server.
            if !matches!(timeout(PATIENCE, cleared).await, Ok(Ok(()))) {
                tracing::warn!(schema = shadow.schema, "what was just erased may still be there");
            }
        }
        outcome
    }
}
