//! The command line, as a process: what it prints where, and how it ends.

mod doctor;
mod migrate;
mod replay;
mod settings;
mod tour;
mod trouble;

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    process::{Command, Output},
};

use api::crypto::keys::KeyDirectory;
use serde_json::Value;

/// A folder with its configuration, and the environment `platformctl` runs in.
pub(crate) struct Place {
    pub(crate) folder: PathBuf,
    variables: Vec<(String, String)>,
}

impl Place {
    /// Nothing configured but a data folder of its own.
    pub(crate) fn new() -> Self {
        let folder = std::env::temp_dir().join(format!("cli-{}", api::clock::mint()));
        fs::create_dir_all(&folder).unwrap();
        // As root, a private server runs as somebody else, who has to get here.
        fs::set_permissions(&folder, Permissions::from_mode(0o755)).unwrap();
        let data_dir = folder.display().to_string();
        Self { folder, variables: Vec::new() }.with("PLATFORM__DATA_DIR", &data_dir)
    }

    /// The same, on a database.
    pub(crate) fn on(url: &str) -> Self {
        Self::new().with("DATABASE_URL", url)
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The keys that a first start makes.
    pub(crate) fn keys(&self) -> KeyDirectory {
        KeyDirectory::open(&self.folder.join("keys"), 0).unwrap().0
    }

    /// `platformctl` in the folder, with nothing in its environment but our variables.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_platformctl"));
        command
            .args(arguments)
            .env_clear()
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .current_dir(&self.folder);
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        Ended(self.command(arguments).output().unwrap())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.folder));
    }
}

/// What a command left behind.
pub(crate) struct Ended(Output);

impl Ended {
    /// Demands an exit code.
    #[track_caller]
    pub(crate) fn with(self, code: i32) -> Self {
        let Output { status, stdout, .. } = &self.0;
        let stdout = String::from_utf8_lossy(stdout);
        assert_eq!(status.code(), Some(code), "{}\n{stdout}", self.words());
        self
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.stdout).into_owned()
    }

    pub(crate) fn words(&self) -> String {
        String::from_utf8_lossy(&self.0.stderr).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.0.stdout).unwrap()
    }

    /// Each line as a JSON value of its own.
    pub(crate) fn lines(&self) -> Vec<Value> {
        self.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

#[test]
fn help_is_data_and_a_mistake_is_not() {
    let help = Place::new().run(&["--help"]).with(0);
    assert!(!help.text().is_empty());
    let mistake = Place::new().run(&["modules", "dance"]).with(2);
    assert!(mistake.text().is_empty() && !mistake.words().is_empty());
}
