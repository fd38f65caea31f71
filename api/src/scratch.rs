//! A folder for one test. Owns its end: nothing of a test is left behind.

use std::{
    fs,
    ops::Deref,
    path::{Path, PathBuf},
};

/// The folder; it goes when this does.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    /// A path that nothing is at yet.
    pub(crate) fn path() -> Self {
        Self(std::env::temp_dir().join(format!("commonhold-unit-{}", crate::clock::mint())))
    }
}

impl Deref for Scratch {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Not every test comes as far as making it.
        drop(fs::remove_dir_all(&self.0));
    }
}
