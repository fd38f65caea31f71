//! Cleaning up after a process that may be killed at any time.

use std::{
    os::unix::process::CommandExt,
    process::{ChildStdin, Command, Stdio},
};

use crate::{
    error::{ClusterError, Doing},
    folder::Folder,
    socket::SocketFolder,
};

/// Waits for its standard input to close, which the kernel does when the process that holds the
/// other end is gone; then quits the server, waits for it and deletes the folders. It waits for the
/// pid file rather than the pid, which nobody may be there to reap, and for ten seconds at most.
const SCRIPT: &str = r#"
cat >/dev/null
pid_file=$1/pgdata/postmaster.pid
pid=$(head -n 1 "$pid_file" 2>/dev/null) && kill -QUIT "$pid" 2>/dev/null
turns=200
while [ -e "$pid_file" ] && [ "$turns" -gt 0 ]; do sleep 0.05; turns=$((turns - 1)); done
rm -rf "$1" "$2"
"#;

/// A process that outlives ours by a moment.
#[derive(Debug)]
pub(crate) struct Watchdog {
    /// Never written to: its closing is the signal.
    _held: ChildStdin,
}

impl Watchdog {
    /// Starts watching. It runs as us, not as the server's user, so that it may delete everything.
    pub(crate) fn spawn(folder: &Folder, socket: &SocketFolder) -> Result<Self, ClusterError> {
        let doing = || "cannot start the watchdog".to_owned();
        let mut child = Command::new("/bin/sh")
            .args(["-c", SCRIPT, "watchdog"])
            .arg(folder.root())
            .arg(socket.path())
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // A group of its own: an interrupt typed at the terminal must not reach it.
            .process_group(0)
            .spawn()
            .doing(doing)?;
        let held = child.stdin.take().ok_or(std::io::ErrorKind::BrokenPipe.into()).doing(doing)?;
        Ok(Self { _held: held })
    }
}
