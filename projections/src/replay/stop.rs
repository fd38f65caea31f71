//! Ending in good order: what is folded is written, the claim is given back, and nothing is left
//! behind that must be forgotten.

use tokio::sync::watch;

use super::{Replay, ReplayError, alone::Tries, shadow::Shadow};
use crate::{
    aside::{self, Cleared, Which},
    module::Module,
};

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

    /// After all else: lets go of the claim, so that the next run need not wait for it to lapse, and
    /// sees to it that tables which stay keep nothing that was erased. Whoever writes the live
    /// tables passed over these meanwhile. If that fails, they do it later.
    pub(super) async fn given_back<T>(
        &self,
        module: &'static Module,
        shadow: Shadow,
        outcome: Result<T, ReplayError>,
    ) -> Result<T, ReplayError> {
        let Shadow { schema, lease, connection, .. } = shadow;
        // Perhaps a statement was cut off: with its connection it ends on the server too.
        drop(connection);
        // If that fails too, the claim lapses.
        let _ = self.leases().lapse(&lease).await;
        if let Err(cause) = self.settle(module).await {
            tracing::warn!(schema, %cause, "what was just erased may still be there");
        }
        outcome
    }

    async fn settle(&self, module: &'static Module) -> Result<(), ReplayError> {
        let (mut connection, mut tries) = (self.connect().await?, Tries::new());
        while aside::settle(&mut connection, module, Which::Owing).await? == Cleared::Busy {
            tries.another(module.name).await?;
        }
        Ok(())
    }
}
