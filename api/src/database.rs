//! The database of the installation: one that is named, or a private one.
//!
//! Owns finding or starting it and the ways to connect: as the owner of the tables, for migrations
//! and rebuilds; as the role of the running platform, which can add to the log but never change it,
//! and only read the read tables; and as the role that writes those.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use cluster::{Cluster, ClusterError, Settings};
use eventstore::{NOTICED, lending};
use migrations::Role;
use sqlx::{ConnectOptions, Connection, PgPool, postgres::PgConnectOptions};

use tokio::time::{sleep, timeout};

use crate::config::Config;

/// The name of the database inside a private server.
const NAME: &str = "commonhold";
/// How long to wait for a server that is about to be there: a private one that another process is
/// starting or stopping, or the one named.
const STARTING: Duration = Duration::from_secs(20);

/// How long to rest before looking again.
const PAUSE: Duration = Duration::from_millis(100);
/// How long a first connection may take.
const ANSWER: Duration = Duration::from_secs(5);

/// Why the database cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// The private server does not start.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// The URL is none.
    #[error("database.url (DATABASE_URL) is not a PostgreSQL URL: {0}")]
    Url(String),
    /// There is nothing to visit.
    #[error(
        "there is no database in {0} yet: `platformctl serve` makes one, and so does `platformctl \
         migrate up`"
    )]
    NoneYet(PathBuf),
    /// It does not answer.
    #[error(
        "the database at {place} does not answer: {cause}; start it, or correct database.url \
         (DATABASE_URL)"
    )]
    Silent {
        /// Where it should be.
        place: String,
        /// Why not, in the words of the database or the system.
        cause: String,
    },
    /// The thread that started the server is gone.
    #[error("starting the private server was cut off")]
    CutOff,
}

/// An open database.
pub struct Database {
    options: PgConnectOptions,
    cluster: Option<Cluster>,
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Database")
    }
}

impl Database {
    /// Opens the configured database, starting a private server if none is named.
    ///
    /// # Errors
    /// What is missing, and what to do about it.
    pub async fn open(config: &Config) -> Result<Self, DatabaseError> {
        if let Some(url) = &config.database.url {
            return Self::at(url.expose());
        }
        let settings = Settings::new(&config.database.data_dir);
        let start = move || -> Result<Cluster, ClusterError> {
            let cluster = Cluster::start(&settings)?;
            cluster.create_database(NAME)?;
            Ok(cluster)
        };
        // Starting a server takes seconds and blocks.
        let cluster =
            tokio::task::spawn_blocking(start).await.map_err(|_| DatabaseError::CutOff)??;
        let mut database = Self::at(&cluster.url(NAME))?;
        database.cluster = Some(cluster);
        Ok(database)
    }

    /// Opens the configured database for a command: beside the process that serves, if there is
    /// one, else as [`Self::open`] does. Makes no new one.
    ///
    /// # Errors
    /// What is missing, and what to do about it.
    pub async fn visit(config: &Config) -> Result<Self, DatabaseError> {
        if config.database.url.is_some() {
            return Self::open(config).await;
        }
        let data_dir = &config.database.data_dir;
        if !data_dir.join("pgdata").exists() {
            return Err(DatabaseError::NoneYet(data_dir.clone()));
        }
        Self::visit_or_make(config).await
    }

    /// As [`Self::visit`], and makes the database if there is none.
    ///
    /// # Errors
    /// What is missing, and what to do about it.
    pub async fn visit_or_make(config: &Config) -> Result<Self, DatabaseError> {
        if config.database.url.is_some() {
            return Self::open(config).await;
        }
        let begun = Instant::now();
        loop {
            let settings = Settings::new(&config.database.data_dir);
            let attach =
                move || Cluster::attach(&settings).map(|found| found.map(|it| it.url(NAME)));
            let found = tokio::task::spawn_blocking(attach).await;
            if let Some(url) = found.map_err(|_| DatabaseError::CutOff)?? {
                let database = Self::at(&url)?;
                match database.answers().await {
                    // It is just stopping, with the process that had it.
                    Err(_) if begun.elapsed() < STARTING => {}
                    answer => return answer.map(|()| database),
                }
            }
            match Self::open(config).await {
                // Another process has it and is about to start or stop its server.
                Err(DatabaseError::Cluster(ClusterError::InUse { .. }))
                    if begun.elapsed() < STARTING => {}
                other => return other,
            }
            sleep(PAUSE).await;
        }
    }

    /// The URL of the configured database; none of a private server that does not run.
    ///
    /// # Errors
    /// If the folder of the private server cannot be judged.
    pub fn running_url(config: &Config) -> Result<Option<String>, DatabaseError> {
        if let Some(url) = &config.database.url {
            return Ok(Some(url.expose().to_owned()));
        }
        let found = Cluster::attach(&Settings::new(&config.database.data_dir))?;
        Ok(found.map(|server| server.url(NAME)))
    }

    /// A database at a URL.
    ///
    /// # Errors
    /// If it is none.
    pub fn at(url: &str) -> Result<Self, DatabaseError> {
        let options: PgConnectOptions =
            url.parse().map_err(|error: sqlx::Error| DatabaseError::Url(error.to_string()))?;
        Ok(Self { options: options.application_name("platformctl"), cluster: None })
    }

    /// Whether it answers, asked once: a pool would try again until its own patience ends, and
    /// keep the cause to itself.
    ///
    /// # Errors
    /// Where it does not, and why.
    pub async fn answers(&self) -> Result<(), DatabaseError> {
        let asked = timeout(ANSWER, self.options.connect()).await;
        let cause = match asked {
            Ok(Ok(connection)) => {
                // Nothing was written: an unclean end loses nothing.
                drop(connection.close().await);
                return Ok(());
            }
            Ok(Err(error)) => words(&error),
            Err(_) => format!("silent for {} seconds", ANSWER.as_secs()),
        };
        let place = self.options.get_socket().map_or_else(
            || format!("{}:{}", self.options.get_host(), self.options.get_port()),
            |socket| socket.display().to_string(),
        );
        Err(DatabaseError::Silent { place, cause })
    }

    /// Waits until it answers, as at the start of a machine, where both are started at once.
    ///
    /// # Errors
    /// As [`Self::answers`], in the end.
    pub async fn awaited(&self) -> Result<(), DatabaseError> {
        let begun = Instant::now();
        let mut told = false;
        loop {
            match self.answers().await {
                Err(fault) if begun.elapsed() < STARTING => {
                    if !std::mem::replace(&mut told, true) {
                        tracing::warn!(cause = %fault, "waiting for the database");
                    }
                }
                answer => return answer,
            }
            sleep(PAUSE).await;
        }
    }

    /// Whether the server was started by this process, so that nobody else can be at work on it.
    #[must_use]
    pub const fn is_fresh(&self) -> bool {
        self.cluster.is_some()
    }

    /// Connects as the owner of the tables.
    #[must_use]
    pub fn owner(&self) -> PgConnectOptions {
        self.options.clone()
    }

    /// Connects as the role of the running platform.
    #[must_use]
    pub fn app(&self) -> PgConnectOptions {
        self.taking_on(Role::App)
    }

    /// Connects as the role that writes the read tables.
    #[must_use]
    pub fn projector(&self) -> PgConnectOptions {
        self.taking_on(Role::Projector)
    }

    fn taking_on(&self, role: Role) -> PgConnectOptions {
        let options = self.options.clone().options([
            ("role", role.as_str()),
            ("default_transaction_isolation", "read committed"),
            ("idle_in_transaction_session_timeout", "30s"),
        ]);
        // A process whose host is gone in the middle of a transaction would hold what that has
        // locked, the row of a lease above all, until the server notices.
        options.options(NOTICED)
    }

    /// A pool for the running platform's units of work; read tables are read through a
    /// [`Reader`](projections::Reader).
    ///
    /// # Errors
    /// If the database cannot be reached.
    pub async fn pool(&self, most: u32) -> sqlx::Result<PgPool> {
        lending(most).connect_with(self.app()).await
    }

    /// The name of the database, and whether its log holds events.
    ///
    /// # Errors
    /// If it cannot be asked.
    pub async fn name_and_use(&self, pool: &PgPool) -> sqlx::Result<(String, bool)> {
        let sql = "SELECT current_database()::text, to_regclass('eventstore.events') IS NOT NULL";
        let (name, has_log): (String, bool) = sqlx::query_as(sql).fetch_one(pool).await?;
        let sql = "SELECT EXISTS (SELECT FROM eventstore.events)";
        let in_use = has_log && sqlx::query_scalar(sql).fetch_one(pool).await?;
        Ok((name, in_use))
    }

    /// Stops a private server.
    pub async fn close(self) {
        let Some(cluster) = self.cluster else { return };
        let stopped = tokio::task::spawn_blocking(move || cluster.stop()).await;
        if let Ok(Err(fault)) = stopped {
            tracing::warn!(cause = ?fault, "the private database did not stop cleanly");
        }
    }
}

/// What the database or the system said, and no more: where in its sources a server found the fault
/// helps nobody.
pub fn words(error: &sqlx::Error) -> String {
    if let sqlx::Error::Io(fault) = error {
        return fault.to_string();
    }
    error.as_database_error().map_or_else(|| error.to_string(), |refusal| refusal.message().into())
}

#[cfg(test)]
mod tests {
    use sqlx::postgres::PgPoolOptions;

    use super::*;

    #[tokio::test]
    async fn a_transaction_that_was_left_alone_ends() {
        let database = testkit::database().await;
        let opened = Database::at(&database.url).unwrap();
        for options in [opened.app(), opened.projector()] {
            let pool = PgPoolOptions::new().max_connections(1).connect_with(options).await.unwrap();
            let sql = "SELECT current_setting('idle_in_transaction_session_timeout'),
                              current_setting('transaction_isolation')";
            let set: (String, String) = sqlx::query_as(sql).fetch_one(&pool).await.unwrap();
            assert_eq!(set, ("30s".to_owned(), "read committed".to_owned()));
            pool.close().await;
        }
        database.close().await;
    }
}
