//! The folder of the unix socket, and with it who may connect.
//!
//! The server trusts whoever reaches its socket. That is sound only because the folder is closed
//! to everybody but the server's user (and root), so it is checked at each start.

use std::{
    fs::{self, DirBuilder, Metadata},
    io,
    os::unix::{
        fs::{DirBuilderExt, MetadataExt},
        net::UnixStream,
    },
    path::{Path, PathBuf},
};

use crate::{
    SUPERUSER,
    account::Account,
    error::{ClusterError, Doing},
    folder::Folder,
};

/// Names the socket file only; nothing listens on the network.
pub(crate) const PORT: u16 = 5432;

/// The private folder a server's socket lies in.
#[derive(Debug)]
pub(crate) struct SocketFolder {
    path: PathBuf,
}

impl SocketFolder {
    /// Makes the folder, or checks that the one there is still private.
    ///
    /// It does not lie in the data folder, because a socket's path may not exceed 107 bytes.
    pub(crate) fn prepare(folder: &Folder, account: &Account) -> Result<Self, ClusterError> {
        let path = place(folder, account);
        match DirBuilder::new().mode(0o700).create(&path) {
            Ok(()) => account.own(&path),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            Err(error) => Err(error),
        }
        .doing(|| format!("cannot create {}", path.display()))?;

        let found = fs::symlink_metadata(&path).doing(|| format!("no {}", path.display()))?;
        if !is_private(&found, account) {
            return Err(ClusterError::SocketFolder(path));
        }
        Ok(Self { path })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The socket itself.
    pub(crate) fn file(&self) -> PathBuf {
        file(&self.path)
    }
}

/// The folder of a server that takes connections there; none if no such server runs.
pub(crate) fn answering(folder: &Folder, account: &Account) -> Option<PathBuf> {
    let path = place(folder, account);
    let private = fs::symlink_metadata(&path).is_ok_and(|found| is_private(&found, account));
    (private && UnixStream::connect(file(&path)).is_ok()).then_some(path)
}

/// Where a client finds `database`.
pub(crate) fn url(path: &Path, database: &str) -> String {
    format!("postgres://{SUPERUSER}@localhost:{PORT}/{database}?host={}", path.display())
}

fn place(folder: &Folder, account: &Account) -> PathBuf {
    let name = format!("commonhold-{}-{:016x}", account.uid(), fnv1a(folder.root()));
    Path::new("/tmp").join(name)
}

fn file(path: &Path) -> PathBuf {
    path.join(format!(".s.PGSQL.{PORT}"))
}

/// Anybody may create names in a shared folder: a link or a stranger's folder is refused.
fn is_private(found: &Metadata, account: &Account) -> bool {
    found.is_dir() && found.uid() == account.uid() && found.mode() & 0o077 == 0
}

/// Leaves nothing behind. A folder that stays does no harm, so failing is no error.
impl Drop for SocketFolder {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.path) {
            tracing::debug!(%error, folder = %self.path.display(), "socket folder stays");
        }
    }
}

/// FNV-1a: the name must be the same in every build, which the standard hasher does not promise.
fn fnv1a(path: &Path) -> u64 {
    let bytes = path.as_os_str().as_encoded_bytes();
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
