//! Which tables of a module there are, live and otherwise, and dropping those that are not.

use domain::kernel::Position;
use eventstore::{Lease, Leases};
use sqlx::PgConnection;

use super::{
    Replay, ReplayError,
    alone::{Tries, alone, in_time},
    shadow::{drop_schema, former, next},
};
use crate::module::{MODULES, Module};

/// What a module's tables in a schema are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// They answer queries.
    Live,
    /// A rebuild or a comparison makes them, or was stopped while it did.
    Next,
    /// They were live before the last rebuild; a rollback goes back to them.
    Former,
    /// They stand as of a moment, and follow no further.
    AsOf,
}

impl Purpose {
    fn of(module: &Module, target: &str) -> Self {
        match target {
            live if live == module.name => Self::Live,
            target if target == next(module) => Self::Next,
            target if target == former(module) => Self::Former,
            _ => Self::AsOf,
        }
    }

    /// For people and machines.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Next => "next",
            Self::Former => "former",
            Self::AsOf => "as-of",
        }
    }

    /// Whether the tables come closer to the head of the log by themselves.
    #[must_use]
    pub const fn follows(self) -> bool {
        matches!(self, Self::Live | Self::Next)
    }
}

/// A module's tables as operators see them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// The module.
    pub module: String,
    /// The schema.
    pub target: String,
    /// What they are for.
    pub purpose: Purpose,
    /// Up to where the log is folded.
    pub position: Position,
    /// The last position of the log.
    pub head: Position,
    /// Events waiting behind a fault.
    pub parked: usize,
    /// Whether the folds changed since the tables were made: a rebuild is due.
    pub outdated: bool,
}

impl Status {
    /// Live tables that no event has reached yet.
    fn untouched(module: &Module, head: Position) -> Self {
        Self {
            module: module.name.to_owned(),
            target: module.name.to_owned(),
            purpose: Purpose::Live,
            position: Position(0),
            head,
            parked: 0,
            outdated: false,
        }
    }
}

impl Replay {
    /// Every module's tables, live and otherwise.
    ///
    /// # Errors
    /// If the database cannot be reached.
    pub async fn status(&self) -> Result<Vec<Status>, ReplayError> {
        let head = self.store.head().await?;
        let known = self.leases().list().await?;
        let parked = self.parked().await?;
        let mut list = Vec::new();
        for module in MODULES {
            let live = |p: &&eventstore::Progress| {
                (p.consumer.as_str(), p.target.as_str()) == (module.name, module.name)
            };
            if !known.iter().any(|progress| live(&progress)) {
                list.push(Status::untouched(module, head));
            }
            let of = known.iter().filter(|progress| progress.consumer == module.name);
            for progress in of {
                let waits = |p: &&eventstore::Parked| {
                    (&p.consumer, &p.target) == (&progress.consumer, &progress.target)
                };
                list.push(Status {
                    module: module.name.to_owned(),
                    target: progress.target.clone(),
                    purpose: Purpose::of(module, &progress.target),
                    position: progress.position,
                    head,
                    parked: parked.iter().filter(waits).count(),
                    outdated: progress.fingerprint != module.fingerprint()
                        && !progress.fingerprint.is_empty(),
                });
            }
        }
        Ok(list)
    }

    /// Drops a schema that replays made: of former tables, of next ones that nobody is making any
    /// more, or of those as of a moment.
    ///
    /// # Errors
    /// If replays made no such schema, it is live, or somebody is at work on it or keeps reading it.
    pub async fn drop_aside(&self, schema: &str) -> Result<(), ReplayError> {
        let known = self.leases().list().await?;
        let aside = |module: &&&'static Module| {
            schema != module.name
                && known.iter().any(|p| (&*p.consumer, &*p.target) == (module.name, schema))
        };
        let modules: Vec<&'static Module> = MODULES.iter().filter(aside).copied().collect();
        if modules.is_empty() {
            return Err(ReplayError::NotAside(schema.to_owned()));
        }
        let mut leases = Vec::with_capacity(modules.len());
        let dropped = async {
            for module in &modules {
                leases.push(self.lease(module, schema).await?);
            }
            let mut connection = self.connect().await?;
            self.drop_tables(&mut connection, schema, &leases).await
        };
        let dropped = dropped.await;
        if dropped.is_err() {
            for lease in &leases {
                let _ = self.leases().lapse(lease).await;
            }
        }
        dropped
    }

    /// Drops a schema and the checkpoints of its tables, unless they are another's by now.
    pub(super) async fn drop_tables(
        &self,
        connection: &mut PgConnection,
        schema: &str,
        leases: &[Lease],
    ) -> Result<(), ReplayError> {
        let mut tries = Tries::new();
        loop {
            for lease in leases {
                self.leases().renew(lease).await?;
            }
            let dropped = async {
                let modules: Vec<_> = leases.iter().map(|lease| &*lease.consumer).collect();
                let mut transaction = alone(connection, &modules, &[schema]).await?;
                drop_schema(&mut transaction, schema).await?;
                for lease in leases {
                    Leases::remove(&mut transaction, lease).await?;
                }
                Ok(transaction.commit().await?)
            };
            match in_time(dropped.await)? {
                Some(()) => return Ok(()),
                None => tries.another(schema).await?,
            }
        }
    }
}
