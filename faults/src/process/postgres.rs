//! A PostgreSQL that a trial owns, so that it can be struck down and started again.

use std::{fs, path::PathBuf, time::Duration};

use cluster::{Cluster, Settings};
use rustix::process::Signal;
use sqlx::{Connection, PgConnection};
use tokio::{
    task::spawn_blocking,
    time::{Instant, sleep},
};

use super::{
    place::Place,
    server::{first_line, signal},
};
use crate::trials::{Violation, require};

/// The database in it.
const NAME: &str = "commonhold";
/// How long it may take until nothing is left of a server that was struck down.
const GONE: Duration = Duration::from_secs(60);

/// How a server is struck down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blow {
    /// Its first process is killed; the others find out by and by.
    Killed,
    /// Told to stop at once: no checkpoint, a recovery at the next start.
    Immediate,
    /// The process of one session is killed: the server ends all sessions and recovers by itself.
    Session,
}

impl Blow {
    /// All there are.
    pub const ALL: [Self; 3] = [Self::Killed, Self::Immediate, Self::Session];

    /// What a report calls it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Killed => "servers killed",
            Self::Immediate => "immediate stops",
            Self::Session => "sessions killed",
        }
    }
}

/// A running server, or a place for one.
#[derive(Debug)]
pub struct Postgres {
    settings: Settings,
    cluster: Option<Cluster>,
    url: String,
    /// A session that ends with all others, so that one can tell when a blow has had its effect.
    canary: Option<PgConnection>,
    /// Keeps the folder until the server is stopped.
    _place: Place,
}

impl Postgres {
    /// Starts a server in a place; its commits are on disk before they are answered.
    ///
    /// # Errors
    /// If it cannot be started.
    pub async fn start(place: &Place) -> Result<Self, Violation> {
        let settings = Settings::new(place.folder().join("database"));
        let cluster = started(settings.clone()).await?;
        let (cluster, made) = spawn_blocking(move || {
            let made = cluster.create_database(NAME);
            (cluster, made)
        })
        .await?;
        made.map_err(|fault| Violation(fault.to_string()))?;
        let url = cluster.url(NAME);
        Ok(Self { settings, cluster: Some(cluster), url, canary: None, _place: place.clone() })
    }

    /// Where it is.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    fn data(&self) -> PathBuf {
        self.settings.data_dir.join("pgdata")
    }

    /// Strikes it down.
    ///
    /// # Errors
    /// If it was down already, or has no session to strike.
    pub async fn strike(&mut self, blow: Blow) -> Result<(), Violation> {
        let pid = match blow {
            Blow::Killed | Blow::Immediate => {
                first_line(&fs::read_to_string(self.data().join("postmaster.pid"))?)
            }
            Blow::Session => {
                let mut connection = PgConnection::connect(&self.url).await?;
                let sql = "SELECT pid FROM pg_stat_activity
                            WHERE application_name = 'commonhold log writer'";
                let begun = Instant::now();
                // Between two connections of the writer there is none to strike.
                let pid: i32 = loop {
                    let found = sqlx::query_scalar(sql).fetch_optional(&mut connection).await?;
                    if let Some(pid) = found {
                        break pid;
                    }
                    require(begun.elapsed() < GONE, || "the log has no writer".to_owned())?;
                    sleep(Duration::from_millis(5)).await;
                };
                self.canary = Some(connection);
                u32::try_from(pid).ok()
            }
        };
        let pid = pid.ok_or_else(|| Violation("the database has no process".to_owned()))?;
        match blow {
            Blow::Immediate => signal(pid, Signal::QUIT),
            Blow::Killed | Blow::Session => signal(pid, Signal::KILL),
        }
    }

    /// Starts it again after a blow.
    ///
    /// # Errors
    /// If it does not start.
    pub async fn restart(&mut self) -> Result<(), Violation> {
        let cluster = self.cluster.take();
        // It finds nothing left to stop; only its lock is given back.
        spawn_blocking(move || drop(cluster)).await?;
        let begun = Instant::now();
        loop {
            match started(self.settings.clone()).await {
                Ok(cluster) => {
                    self.cluster = Some(cluster);
                    return Ok(());
                }
                // The sessions of a killed server hold its memory until they notice.
                Err(_) if begun.elapsed() < GONE => sleep(Duration::from_millis(50)).await,
                Err(fault) => return Err(fault),
            }
        }
    }

    /// Waits until it answers, as it does by itself after [`Blow::Session`].
    ///
    /// # Errors
    /// If it does not come back.
    pub async fn answers(&mut self) -> Result<(), Violation> {
        let begun = Instant::now();
        if let Some(mut canary) = self.canary.take() {
            while sqlx::query("SELECT 1").execute(&mut canary).await.is_ok() {
                sleep(Duration::from_millis(5)).await;
            }
        }
        loop {
            match PgConnection::connect(&self.url).await {
                Ok(connection) => {
                    drop(connection.close().await);
                    return Ok(());
                }
                Err(fault) if begun.elapsed() > GONE => return Err(fault.into()),
                Err(_) => sleep(Duration::from_millis(20)).await,
            }
        }
    }
}

async fn started(settings: Settings) -> Result<Cluster, Violation> {
    let started = spawn_blocking(move || Cluster::start(&settings)).await?;
    started.map_err(|fault| Violation(fault.to_string()))
}
