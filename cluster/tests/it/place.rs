//! A folder for one test, that the server's user can reach.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU32, Ordering},
};

use cluster::Settings;

/// Deleted with the test.
pub(crate) struct Place(PathBuf);

impl Place {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = env::temp_dir().join(format!("cluster-test-{}-{number}", process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// A cluster here that need not survive a power cut.
    pub(crate) fn settings(&self) -> Settings {
        volatile(self.path())
    }

    /// How many databases the cluster has.
    pub(crate) fn databases(&self) -> usize {
        fs::read_dir(self.path().join("pgdata/base")).unwrap().count()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

pub(crate) fn volatile(path: &Path) -> Settings {
    // A release build refuses to run without fsync; its tests are slower.
    Settings { durable: !cfg!(debug_assertions), ..Settings::new(path) }
}
