//! One owner per data folder.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{Read, Seek, Write},
    path::{Path, PathBuf},
    process,
};

use crate::error::{ClusterError, Doing};

/// An exclusive hold on a data folder. The kernel frees it with the process, however that ends,
/// so a lock left by a killed process never stands in the way.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock, or names the process that has it.
    pub(crate) fn take(path: PathBuf) -> Result<Self, ClusterError> {
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .doing(|| format!("cannot open {}", path.display()))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(in_use(&path, &mut file)),
            Err(TryLockError::Error(error)) => {
                return Err(error).doing(|| format!("cannot lock {}", path.display()));
            }
        }
        // The pid is for the message of whoever comes second.
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| write!(file, "{}", process::id()))
            .doing(|| format!("cannot write {}", path.display()))?;
        Ok(Self { _file: file })
    }

    /// Whether a living process has the lock.
    pub(crate) fn is_held(path: &Path) -> bool {
        let held = |file: File| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock));
        File::open(path).is_ok_and(held)
    }
}

fn in_use(path: &Path, file: &mut File) -> ClusterError {
    let mut holder = String::new();
    let known = file.read_to_string(&mut holder).is_ok() && !holder.is_empty();
    ClusterError::InUse {
        folder: path.parent().unwrap_or(path).to_owned(),
        holder: if known { holder } else { "(starting)".to_owned() },
    }
}
