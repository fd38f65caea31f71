//! The restore walk of the document, walked: a base backup and the archived log bring a database
//! back to a moment, with everything before it and nothing after.

use std::{
    fs::{self, Permissions},
    os::unix::{
        fs::{MetadataExt, PermissionsExt, chown},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::Command,
};

use cluster::{Cluster, Settings};
use sqlx::{ConnectOptions, Connection, PgConnection, postgres::PgConnectOptions};

use super::block;
use crate::cli::Place;

/// An installation on a server of its own that archives, and whoever runs that server.
struct Installation {
    place: Place,
    cluster: Option<Cluster>,
    backup: PathBuf,
    restored: PathBuf,
    tools: PathBuf,
    /// Who the commands run as, where it is not who runs the test: PostgreSQL refuses root.
    account: Option<(u32, u32)>,
}

impl Installation {
    fn new() -> Self {
        let place = Place::new();
        let folder = |name: &str| {
            let folder = place.folder.join(name);
            fs::create_dir_all(&folder).unwrap();
            folder
        };
        let (backup, restored) = (folder("backup"), folder("restored"));
        let tools = folder("tools");
        folder("backup/wal");
        let data = place.folder.join("server");
        let settings = |options| Settings { options, ..Settings::new(&data) };
        // Who owns the data is known once there is some; then the archive can be given to them.
        Cluster::start(&settings(Vec::new())).unwrap().stop().unwrap();
        let owner = fs::metadata(data.join("pgdata")).unwrap();
        let account = cluster::runs_as_root().then(|| (owner.uid(), owner.gid()));
        for folder in [&backup, &backup.join("wal"), &restored, &tools] {
            chown(folder, Some(owner.uid()), Some(owner.gid())).unwrap();
            fs::set_permissions(folder, Permissions::from_mode(0o700)).unwrap();
        }
        // The program may lie where only we can go.
        fs::copy(env!("CARGO_BIN_EXE_platformctl"), tools.join("platformctl")).unwrap();
        let cluster = Cluster::start(&settings(archiving(&backup))).unwrap();
        cluster.create_database("commonhold").unwrap();
        let url = cluster.url("commonhold");
        let place = place
            .with("DATABASE_URL", &url)
            .with("PLATFORM__DATA_DIR", &tools.display().to_string());
        Self { place, cluster: Some(cluster), backup, restored, tools, account }
    }

    fn url(&self) -> String {
        self.cluster.as_ref().unwrap().url("commonhold")
    }

    /// Runs blocks of the document as one script, as the user of the server.
    #[track_caller]
    fn walk(&self, blocks: &[&str], target: &str) -> String {
        let script: String = blocks.iter().map(|words| block(words)).collect();
        let (programs, _) = Cluster::programs(&Settings::new(self.tools.join("none"))).unwrap();
        let path = format!("{}:{}:/usr/bin:/bin", self.tools.display(), programs.display());
        let mut command = Command::new("bash");
        command
            .args(["-c", &format!("set -euo pipefail\n{script}")])
            .env_clear()
            .envs([("PATH", path.as_str()), ("LC_ALL", "C"), ("TARGET", target)])
            .env("DATABASE_URL", self.url())
            .env("PLATFORM__DATA_DIR", &self.tools)
            .envs([("BACKUP", &self.backup), ("RESTORED", &self.restored)])
            .current_dir(&self.tools);
        if let Some((uid, gid)) = self.account {
            command.uid(uid).gid(gid);
        }
        let output = command.output().unwrap();
        let words = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(output.status.success(), "{blocks:?}: {words}\n{}", self.log());
        words
    }

    /// `platformctl` as the user of the server, whose keys these are.
    #[track_caller]
    fn platformctl(&self, arguments: &[&str]) {
        let mut command = self.place.command(arguments);
        if let Some((uid, gid)) = self.account {
            command.uid(uid).gid(gid);
        }
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    fn log(&self) -> String {
        fs::read_to_string(self.restored.join("server.log")).unwrap_or_default()
    }
}

impl Drop for Installation {
    fn drop(&mut self) {
        // A walk that broke off leaves its server behind.
        let pid = fs::read_to_string(self.restored.join("pgdata/postmaster.pid"));
        if let Some(pid) = pid.ok().as_deref().and_then(|text| text.lines().next()) {
            drop(Command::new("kill").args(["-QUIT", pid]).status());
        }
        if let Some(cluster) = self.cluster.take() {
            drop(cluster.stop());
        }
    }
}

/// The settings of the document, for a backup folder.
fn archiving(backup: &Path) -> Vec<(String, String)> {
    let settings = block("ini").lines().map(|line| line.split_once(" = ").unwrap());
    let value =
        |value: &str| value.trim_matches('\'').replace("$BACKUP", &backup.display().to_string());
    settings.map(|(name, text)| (name.to_owned(), value(text))).collect()
}

async fn ask(url: &str, sql: &'static str) -> String {
    let options: PgConnectOptions = url.parse().unwrap();
    let mut connection: PgConnection = options.connect().await.unwrap();
    let answer = sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    answer
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_and_the_archive_bring_a_moment_back() {
    let installation = Installation::new();
    let again = || {
        installation.platformctl(&["admin", "reset-password", "--email", api::seed::ADMIN_EMAIL]);
        installation.platformctl(&["replay", "rebuild", "--all"]);
    };
    let url = installation.url();
    let head = "SELECT max(position)::text FROM eventstore.events";
    installation.platformctl(&["migrate", "up"]);
    installation.platformctl(&["seed"]);
    installation.walk(&["sh backup"], "");
    // After the backup and before the moment: it is in the archive alone.
    again();
    let wanted = ask(&url, head).await;
    let moment = ask(&url, "SELECT clock_timestamp()::text").await;
    // After the moment: it must not come back.
    again();
    assert_ne!(ask(&url, head).await, wanted, "the log went on");

    let told = installation.walk(&["sh archive", "sh restore", "sh verify"], &moment);
    assert!(told.contains("opens the log's personal data"), "{told}");
    let restored = installation.restored.display().to_string();
    let copy = format!("postgres://commonhold@localhost:5433/commonhold?host={restored}");
    assert_eq!(ask(&copy, head).await, wanted, "the moment, and nothing after it");
    installation.walk(&["sh discard"], "");
    assert_eq!(fs::read_dir(&installation.restored).unwrap().count(), 1, "the server's log");
}
