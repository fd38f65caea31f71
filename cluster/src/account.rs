//! The user a server runs as.
//!
//! PostgreSQL refuses to run as root. Started as root, its programs run as the owner of the data,
//! else as `postgres`, else as `nobody`; started as anybody else, as that user.

use std::{
    ffi::OsStr,
    fs, io,
    os::unix::{
        fs::{MetadataExt, chown},
        process::CommandExt,
    },
    path::Path,
    process::{Command, Output, Stdio},
};

use crate::{
    error::{ClusterError, Doing},
    folder::Folder,
};

pub(crate) const ROOT: u32 = 0;

/// Who runs the programs of PostgreSQL.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    uid: u32,
    gid: u32,
    /// Whether we must change to it; only root can, and only root needs to.
    switch: bool,
}

/// Whether this process runs as root.
pub(crate) fn runs_as_root() -> bool {
    id("-u", None) == Some(ROOT)
}

impl Account {
    /// The account for the cluster in `folder`.
    pub(crate) fn of(folder: &Folder) -> Result<Self, ClusterError> {
        let ours = id("-u", None).ok_or(ClusterError::NoAccount)?;
        if ours != ROOT {
            let gid = id("-g", None).ok_or(ClusterError::NoAccount)?;
            return Ok(Self { uid: ours, gid, switch: false });
        }
        // The owner of existing data goes first: it stays readable when `postgres` appears later.
        match fs::metadata(folder.data()) {
            Ok(data) if data.uid() != ROOT => {
                return Ok(Self { uid: data.uid(), gid: data.gid(), switch: true });
            }
            Ok(_) | Err(_) => {}
        }
        ["postgres", "nobody"]
            .into_iter()
            .find_map(|name| {
                let (uid, gid) = (id("-u", Some(name))?, id("-g", Some(name))?);
                (uid != ROOT).then_some(Self { uid, gid, switch: true })
            })
            .ok_or(ClusterError::NoAccount)
    }

    pub(crate) fn uid(&self) -> u32 {
        self.uid
    }

    /// A program that will run as this user, untouched by our environment: a `PGOPTIONS` or
    /// `PGDATA` of the caller must not reach the private server.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .envs([("PATH", "/usr/local/bin:/usr/bin:/bin"), ("LC_ALL", "C")])
            // The caller's folder may be closed to this user.
            .current_dir("/")
            .stdin(Stdio::null());
        if self.switch {
            command.uid(self.uid).gid(self.gid);
        }
        command
    }

    /// Gives a file or folder that we just made to this user.
    pub(crate) fn own(&self, path: &Path) -> io::Result<()> {
        match self.switch {
            true => chown(path, Some(self.uid), Some(self.gid)),
            false => Ok(()),
        }
    }

    /// Makes sure that this user can get to `folder`, by letting it try: modes, groups and access
    /// lists all have a say.
    pub(crate) fn check_reach(&self, folder: &Path) -> Result<(), ClusterError> {
        if self.can_enter(folder)? {
            return Ok(());
        }
        let mut way: Vec<_> = folder.ancestors().collect();
        way.reverse();
        for part in way {
            if !self.can_enter(part)? {
                let (folder, user) = (part.to_owned(), format!("user {}", self.uid));
                return Err(ClusterError::Unreachable { folder, user });
            }
        }
        Ok(())
    }

    fn can_enter(&self, folder: &Path) -> Result<bool, ClusterError> {
        let status = self.command("test").arg("-x").arg(folder).status();
        Ok(status.doing(|| "cannot run `test`".to_owned())?.success())
    }

    /// Runs a program to its end.
    pub(crate) fn output(&self, command: &mut Command) -> Result<Output, ClusterError> {
        let output = command.output();
        output.doing(|| format!("cannot run {}", command.get_program().to_string_lossy()))
    }
}

/// Asks the system for a number of a user, us when unnamed: `id` knows more than `/etc/passwd`.
fn id(which: &str, name: Option<&str>) -> Option<u32> {
    let output = Command::new("id").arg(which).args(name).output().ok()?;
    str::from_utf8(&output.stdout).ok()?.trim().parse().ok()
}
