//! The data folder: what lies where, and of which version it is.
//!
//! PostgreSQL's own directory is a child of the folder, so that the lock and a half-made cluster
//! can lie beside it even when the folder itself is a mount point.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crate::error::{ClusterError, Doing};

/// The folder of one cluster.
#[derive(Debug)]
pub(crate) struct Folder {
    root: PathBuf,
}

impl Folder {
    /// Makes the folder if need be.
    pub(crate) fn open(root: &Path) -> Result<Self, ClusterError> {
        fs::create_dir_all(root).doing(|| format!("cannot create {}", root.display()))?;
        Self::existing(root)
    }

    /// The folder as it is, or as it will be.
    pub(crate) fn planned(root: &Path) -> Self {
        Self { root: root.canonicalize().unwrap_or_else(|_| root.to_owned()) }
    }

    /// The folder as it is.
    pub(crate) fn existing(root: &Path) -> Result<Self, ClusterError> {
        // The path is written into files and hashed, so that it must be the same from everywhere.
        let root = root.canonicalize().doing(|| format!("cannot resolve {}", root.display()))?;
        Ok(Self { root })
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// PostgreSQL's data directory.
    pub(crate) fn data(&self) -> PathBuf {
        self.root.join("pgdata")
    }

    /// Where a cluster is made before it is moved to its place: a kill in between leaves no half.
    pub(crate) fn unfinished(&self) -> PathBuf {
        self.root.join("pgdata.unfinished")
    }

    pub(crate) fn lock_file(&self) -> PathBuf {
        self.root.join("lock")
    }

    pub(crate) fn log_file(&self) -> PathBuf {
        self.data().join("server.log")
    }

    /// Where fetched binaries are kept: beside the data, shared by clusters that lie there.
    pub(crate) fn cache(&self) -> PathBuf {
        self.root.parent().unwrap_or(&self.root).join("postgresql")
    }

    /// The major version that wrote the data; none if there is no data yet.
    pub(crate) fn version(&self) -> Result<Option<u32>, ClusterError> {
        let data = self.data();
        match fs::read_to_string(data.join("PG_VERSION")) {
            Ok(text) => text.trim().parse().map(Some).map_err(|_| ClusterError::NotACluster(data)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => match is_empty(&data)? {
                true => Ok(None),
                false => Err(ClusterError::NotACluster(data)),
            },
            Err(error) => Err(error).doing(|| format!("cannot read {}", data.display())),
        }
    }
}

/// Whether a folder has nothing in it, or does not exist.
fn is_empty(folder: &Path) -> Result<bool, ClusterError> {
    match fs::read_dir(folder) {
        Ok(mut entries) => Ok(entries.next().is_none()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(error).doing(|| format!("cannot list {}", folder.display())),
    }
}
