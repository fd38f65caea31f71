//! The server that all tests of a process share.

use std::{
    env,
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    process,
    sync::OnceLock,
};

use cluster::{Cluster, ClusterError, Settings};
use sqlx::{Connection, PgConnection, postgres::PgConnectOptions};

use crate::must;

/// The database every server has.
const MAINTENANCE: &str = "postgres";

/// A server to create databases on.
#[derive(Debug)]
pub(crate) struct Server {
    options: PgConnectOptions,
    /// The private cluster; absent if the server is somebody else's. It is never dropped, as it
    /// is a static: its watchdog stops it when the process ends.
    cluster: Option<Cluster>,
}

impl Server {
    /// The one of this process, started by whoever asks first.
    pub(crate) fn get() -> &'static Self {
        static SERVER: OnceLock<Server> = OnceLock::new();
        SERVER.get_or_init(|| match external() {
            Some(url) => Self { options: must(url.parse()), cluster: None },
            None => {
                let cluster = must(start());
                Self { options: must(cluster.url(MAINTENANCE).parse()), cluster: Some(cluster) }
            }
        })
    }

    /// How to connect to a database.
    pub(crate) fn options(&self, database: &str) -> PgConnectOptions {
        self.options.clone().database(database)
    }

    /// Whether the server goes away with this process, and all its databases with it.
    pub(crate) fn is_ours(&self) -> bool {
        self.cluster.is_some()
    }

    /// A connection from which databases can be created and dropped.
    pub(crate) async fn connect(&self) -> sqlx::Result<PgConnection> {
        PgConnection::connect_with(&self.options).await
    }
}

#[expect(clippy::disallowed_methods, reason = "tests have no configuration to read it from")]
fn external() -> Option<String> {
    env::var("COMMONHOLD_TEST_SERVER_URL").ok().filter(|url| !url.is_empty())
}

fn start() -> Result<Cluster, ClusterError> {
    // Under /tmp whatever TMPDIR says: as root, the server's user has to get there. A predecessor
    // with our pid is dead, and so is what it left.
    let data_dir = PathBuf::from(format!("/tmp/commonhold-test-{}", process::id()));
    let made = fs::remove_dir_all(&data_dir).or(Ok(())).and_then(|()| {
        fs::create_dir(&data_dir)?;
        fs::set_permissions(&data_dir, Permissions::from_mode(0o755))
    });
    must(made);
    let mut cluster = Cluster::start(&Settings {
        // Release builds refuse to run without fsync; tests of a release build are slower.
        durable: !cfg!(debug_assertions),
        options: vec![("max_connections".to_owned(), "300".to_owned())],
        ..Settings::new(data_dir)
    })?;
    cluster.throw_away_at_exit()?;
    Ok(cluster)
}
