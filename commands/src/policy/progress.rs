//! How far each policy is, and waiting for them.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use domain::kernel::Position;
use eventstore::{Filter, Leases, Processes, Store, Unavailable};
use tokio::{
    sync::watch,
    time::{Instant, timeout, timeout_at},
};
use uuid::Uuid;

use super::runner::TARGET;

/// How long anybody waits for policies.
pub const PATIENCE: Duration = Duration::from_secs(2);
/// How often a policy that runs in another process is asked how far it is.
const ASK: Duration = Duration::from_millis(20);
/// How often what policies did is itself waited for.
const MOST_HOPS: usize = 4;

/// The policies, as far as this process knows.
#[derive(Debug, Clone)]
pub struct Policies {
    leases: Leases,
    known: Arc<BTreeMap<&'static str, watch::Sender<Position>>>,
}

/// The policies did not get there in time.
#[derive(Debug, thiserror::Error)]
pub enum Lagging {
    /// One is behind.
    #[error("{policy} has come to position {at} and not yet to {wanted}")]
    Behind {
        /// Which.
        policy: &'static str,
        /// How far it is.
        at: Position,
        /// How far it should be.
        wanted: Position,
    },
    /// What follows does not come to an end.
    #[error("policies go on answering each other")]
    Unsettled,
    /// The log cannot be reached.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl Policies {
    /// Nothing known yet of these policies.
    pub(super) fn new(processes: &Processes, names: &[&'static str]) -> Self {
        let known = names.iter().map(|name| (*name, watch::Sender::new(Position(0))));
        Self { leases: processes.leases(), known: Arc::new(known.collect()) }
    }

    pub(super) fn reached(&self, policy: &'static str, position: Position) {
        if let Some(sender) = self.known.get(policy) {
            sender.send_replace(position);
        }
    }

    /// Waits until every policy has dealt with everything up to a position.
    ///
    /// # Errors
    /// If one has not within [`PATIENCE`].
    pub async fn wait(&self, wanted: Position) -> Result<(), Lagging> {
        self.wait_until(wanted, Instant::now() + PATIENCE).await
    }

    /// Waits until policies have dealt with a command, and with what they did about it
    /// themselves. Answers the last position of it all.
    ///
    /// # Errors
    /// If that does not come to an end within [`PATIENCE`].
    pub async fn settle(
        &self,
        store: &Store,
        correlation: Uuid,
        mut position: Position,
    ) -> Result<Position, Lagging> {
        let deadline = Instant::now() + PATIENCE;
        for _ in 0..MOST_HOPS {
            self.wait_until(position, deadline).await?;
            let last = Filter {
                correlation: Some(correlation),
                descending: true,
                limit: 1,
                ..Filter::default()
            };
            match store.search(&last).await?.first() {
                Some(event) if event.envelope.position > position => {
                    position = event.envelope.position;
                }
                Some(_) | None => return Ok(position),
            }
        }
        Err(Lagging::Unsettled)
    }

    async fn wait_until(&self, wanted: Position, deadline: Instant) -> Result<(), Lagging> {
        for (&policy, sender) in &*self.known {
            let mut reached = sender.subscribe();
            loop {
                let at = *reached.borrow_and_update();
                if at >= wanted {
                    break;
                }
                let behind = || Lagging::Behind { policy, at, wanted };
                if Instant::now() >= deadline {
                    return Err(behind());
                }
                // The policy may run in another process: ask its checkpoint too, now and then.
                if timeout(ASK, reached.changed()).await.is_err() {
                    let stored = timeout_at(deadline, self.leases.position(policy, TARGET)).await;
                    let stored = stored.map_err(|_| behind())??;
                    sender.send_if_modified(|known| {
                        let rises = stored > *known;
                        *known = stored.max(*known);
                        rises
                    });
                }
            }
        }
        Ok(())
    }
}
