//! The private PostgreSQL all stores are measured on, and the databases on it.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    process,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use cluster::{Cluster, Settings};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection, postgres::PgConnectOptions};

use crate::store::Proof;

/// The database every server has.
const MAINTENANCE: &str = "postgres";

/// Settings of the server beside the defaults; the same for everybody.
pub const SETTINGS: [(&str, &str); 5] = [
    ("shared_buffers", "1GB"),
    ("max_wal_size", "4GB"),
    ("max_connections", "300"),
    ("synchronous_commit", "on"),
    ("track_io_timing", "off"),
];

/// Who else is connected to a database.
const OTHERS: &str = "SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()";
/// Transactions that sessions which have ended, and others now and then, have handed in.
const TRANSACTIONS: &str = "SELECT xact_commit + xact_rollback FROM pg_stat_database
    WHERE datname = current_database()";
/// How often a long wait looks again.
const LOOK: Duration = Duration::from_millis(20);

/// A PostgreSQL that goes away with this process.
pub struct Server {
    cluster: Cluster,
    programs: PathBuf,
    data_dir: PathBuf,
}

/// A database on the server; `migrated` ones hold our schema, others nothing.
pub struct Database {
    /// Where it is, for whoever brings a client of another version.
    pub url: String,
    /// The same, parsed.
    pub options: PgConnectOptions,
    name: String,
}

impl Server {
    /// Starts it, on a new cluster.
    pub fn start() -> Result<Self> {
        // Under /tmp, because as root the server's user has to get there.
        let data_dir = PathBuf::from(format!("/tmp/commonhold-bench-{}", process::id()));
        fs::create_dir_all(&data_dir)?;
        fs::set_permissions(&data_dir, Permissions::from_mode(0o755))?;
        let options = SETTINGS.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let settings = Settings { options: options.to_vec(), ..Settings::new(&data_dir) };
        let mut cluster = Cluster::start(&settings)?;
        cluster.throw_away_at_exit()?;
        let (programs, _) = Cluster::programs(&settings)?;
        Ok(Self { cluster, programs, data_dir })
    }

    /// The id of its first process, the parent of all others.
    pub fn postmaster(&self) -> Result<u32> {
        let text = fs::read_to_string(self.data_dir.join("pgdata/postmaster.pid"))?;
        Ok(text.lines().next().context("no process id")?.trim().parse()?)
    }

    /// Where a program of PostgreSQL is.
    pub fn program(&self, name: &str) -> PathBuf {
        self.programs.join(name)
    }

    /// Where a client finds a database.
    pub fn url(&self, database: &str) -> String {
        self.cluster.url(database)
    }

    /// A connection to the server itself.
    pub async fn connect(&self) -> Result<PgConnection> {
        let options: PgConnectOptions = self.url(MAINTENANCE).parse()?;
        Ok(options.connect().await?)
    }

    /// A new database. A checkpoint comes first, so that nobody pays for whoever ran before.
    pub async fn database(&self, name: &str) -> Result<Database> {
        let mut connection = self.connect().await?;
        run(&mut connection, format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await?;
        run(&mut connection, format!("CREATE DATABASE {name}")).await?;
        run(&mut connection, "CHECKPOINT".to_owned()).await?;
        connection.close().await?;
        let url = self.url(name);
        let options = url.parse().context("the cluster's own address")?;
        Ok(Database { url, options, name: name.to_owned() })
    }

    /// A copy of a database that nobody is connected to.
    pub async fn copy(&self, name: &str, from: &Database) -> Result<Database> {
        let mut connection = self.connect().await?;
        let from = &from.name;
        run(&mut connection, format!("CREATE DATABASE {name} TEMPLATE {from}")).await?;
        let url = self.url(name);
        let options = url.parse().context("the cluster's own address")?;
        Ok(Database { url, options, name: name.to_owned() })
    }

    /// A new database with our schema.
    pub async fn migrated(&self, name: &str) -> Result<Database> {
        let database = self.database(name).await?;
        let pool = sqlx::PgPool::connect_with(database.options.clone()).await?;
        migrations::up(&pool, None).await?;
        pool.close().await;
        Ok(database)
    }

    /// Drops a database, whoever still is connected to it.
    pub async fn drop(&self, database: Database) -> Result<()> {
        let mut connection = self.connect().await?;
        run(&mut connection, format!("DROP DATABASE {} WITH (FORCE)", database.name)).await
    }
}

impl Database {
    /// Does now what autovacuum would do in the middle of a measurement.
    pub async fn settle(&self) -> Result<()> {
        let mut connection = self.options.connect().await?;
        run(&mut connection, "VACUUM (ANALYZE)".to_owned()).await?;
        run(&mut connection, "CHECKPOINT".to_owned()).await
    }

    /// How many transactions there were, once everybody has left: only then are they all counted.
    pub async fn transactions(&self) -> Result<i64> {
        let mut connection = self.options.connect().await?;
        while sqlx::query_scalar::<_, i64>(OTHERS).fetch_one(&mut connection).await? > 0 {
            tokio::time::sleep(LOOK).await;
        }
        Ok(sqlx::query_scalar(TRANSACTIONS).fetch_one(&mut connection).await?)
    }

    /// Counts rows, and fails where a number is not what it must be.
    pub async fn prove(&self, proofs: Vec<Proof>) -> Result<()> {
        let mut connection = self.options.connect().await?;
        for (sql, wanted) in proofs {
            let count = sqlx::query_scalar(AssertSqlSafe(sql.clone()));
            let found: i64 = count.fetch_one(&mut connection).await?;
            ensure!(u64::try_from(found)? == wanted, "{sql} gives {found}, it must be {wanted}");
        }
        Ok(())
    }
}

async fn run(connection: &mut PgConnection, sql: String) -> Result<()> {
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await?;
    Ok(())
}
