//! What a command on the database needs: a connection, the log, and a clean end.

use std::time::Duration;

use eventstore::{Postgres, Store};
use sqlx::{PgPool, postgres::PgPoolOptions};
use tokio::sync::watch;

use super::{Common, Exit, Failure, Output};
use crate::{
    clock::Clock,
    config::Config,
    crypto::digest::Digests,
    database::{Database, DatabaseError},
    log_keys,
    serve::stop_signal,
};

/// What a command ends with that was cut off wherever it was.
pub(super) const CUT_OFF: &str = "interrupted";

/// An open database, as its owner.
pub(super) struct Session {
    pub(super) config: Config,
    pub(super) database: Database,
    pub(super) pool: PgPool,
    pub(super) output: Output,
    stop: watch::Sender<bool>,
}

/// Which database will do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// One that is there.
    Existing,
    /// Any: it is made if there is none.
    Any,
}

/// Opens the configured database, does the work, and closes it again, also when interrupted. Work
/// that asked for [`Session::stopping`] ends by itself then; only a second signal cuts it off.
///
/// A running platform is visited; if none runs on a private database, its server is started for
/// as long as the work takes.
pub(super) fn session<T>(
    common: &Common,
    output: &Output,
    wanted: Wanted,
    work: impl AsyncFnOnce(&Session) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let config = common.load()?.config;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let stop = stop_signal()?;
        let database = match wanted {
            Wanted::Any => Database::visit_or_make(&config).await,
            Wanted::Existing => Database::visit(&config).await,
        };
        let database = database.map_err(|error| {
            let none = matches!(error, DatabaseError::NoneYet(_));
            let exit = if none { Exit::NotFound } else { Exit::Failure };
            Failure { exit, ..Failure::from(error) }
        })?;
        database.answers().await?;
        let pool = PgPoolOptions::new()
            .max_connections(4)
            .acquire_timeout(Duration::from_secs(10))
            .connect_lazy_with(database.owner());
        let session =
            Session { config, database, pool, output: *output, stop: watch::channel(false).0 };
        let interrupted = async {
            stop.await;
            if session.stop.receiver_count() > 0 {
                session.stop.send_replace(true);
                output.words("stopping; another interrupt ends this at once");
                stop_signal()?.await;
            }
            Err(Failure::new(Exit::Interrupted, CUT_OFF))
        };
        let outcome = tokio::select! {
            // The work goes first: it may have more to say about being interrupted.
            biased;
            outcome = work(&session) => outcome,
            cut_off = interrupted => cut_off,
        };
        session.pool.close().await;
        session.database.close().await;
        outcome
    })
}

impl Session {
    /// Tells when to stop.
    pub(super) fn stopping(&self) -> watch::Receiver<bool> {
        self.stop.subscribe()
    }

    /// The log, with the keys that open it.
    ///
    /// # Errors
    /// If the keys cannot be used, or the database is not migrated or cannot be reached.
    pub(super) async fn store(&self) -> Result<Store, Failure> {
        Ok(self.log().await?.0)
    }

    /// The log, and what finds people in it.
    ///
    /// # Errors
    /// As [`Self::store`].
    pub(super) async fn log(&self) -> Result<(Store, Digests), Failure> {
        self.require_migrated().await?;
        let now = Clock::system().seconds();
        let mut connection = self.pool.acquire().await?;
        let (keys, first) = log_keys::open(&mut connection, &self.config.keys.dir, now).await?;
        drop(connection);
        if first {
            let folder = keys.folder().display();
            self.output.words(&format!("new keys were made in {folder}; back them up"));
        }
        let master = keys.master()?;
        let postgres = Postgres::connect(self.database.owner()).await?;
        Ok((Store::postgres(postgres, master.wrapping()).await?, Digests::new(&master)))
    }

    async fn require_migrated(&self) -> Result<(), Failure> {
        let status = migrations::check(&self.pool).await?;
        let conflict = |words: String| Err(Failure::new(Exit::Conflict, words));
        match (status.problem, status.pending.len()) {
            (Some(problem), _) => conflict(problem.to_string()),
            (None, 0) => Ok(()),
            (None, pending) => conflict(format!(
                "the database lacks {pending} migrations; run `platformctl migrate up`"
            )),
        }
    }
}
