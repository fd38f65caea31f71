//! A NATS server of a test's own, to be killed and started again.

use std::{
    env,
    io::{self, BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
};

use crate::must;

const PROGRAM: &str = "nats-server";
/// Where Debian keeps it, which is on no path but root's.
const DEBIAN: &str = "/usr/sbin";

/// A NATS server on this machine. It ends when it is dropped.
#[derive(Debug)]
pub struct Nats {
    port: u16,
    arguments: Vec<String>,
    child: Child,
}

impl Nats {
    /// A server on a free port, that takes messages by the time this returns.
    ///
    /// # Panics
    /// If there is no NATS server to be had: then no test that needs one can say anything.
    #[must_use]
    pub fn start() -> Self {
        Self::with(&[])
    }

    /// The same, with further arguments of the program.
    ///
    /// # Panics
    /// As [`Self::start`].
    #[must_use]
    pub fn with(arguments: &[&str]) -> Self {
        let arguments: Vec<_> = arguments.iter().map(|one| (*one).to_owned()).collect();
        // The server takes a free port by itself, so that nobody else can take it before.
        let (child, port) = must(run("-1", &arguments));
        Self { port, arguments, child }
    }

    /// Where clients connect.
    #[must_use]
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Ends it at once, as a power cut would. Killing the dead is no harm.
    pub fn kill(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }

    /// Starts it again where it was.
    ///
    /// # Panics
    /// As [`Self::start`].
    pub fn restart(&mut self) {
        self.kill();
        (self.child, self.port) = must(run(&self.port.to_string(), &self.arguments));
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Starts the program and waits until its log says that it is ready, and on which port.
fn run(port: &str, arguments: &[String]) -> io::Result<(Child, u16)> {
    let mut child = Command::new(program())
        .args(["--addr", "127.0.0.1", "--port", port])
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| io::Error::other(format!("{PROGRAM}: {error}; run scripts/setup")))?;
    let mut log = BufReader::new(child.stderr.take().ok_or(io::ErrorKind::BrokenPipe)?).lines();
    let mut told = Vec::new();
    let mut found = None;
    for line in log.by_ref() {
        let line = line?;
        if let Some((_, address)) = line.split_once("client connections on ") {
            found = address.rsplit(':').next().and_then(|port| port.trim().parse().ok());
        }
        if line.ends_with("Server is ready") {
            break;
        }
        told.push(line);
    }
    let Some(port) = found else {
        child.kill().ok();
        child.wait()?;
        return Err(io::Error::other(format!("nats-server does not start:\n{}", told.join("\n"))));
    };
    // A full pipe would stop it.
    thread::spawn(move || log.for_each(drop));
    Ok((child, port))
}

#[expect(clippy::disallowed_methods, reason = "where programs are is no configuration")]
fn program() -> PathBuf {
    let paths = env::var("PATH").unwrap_or_default();
    let folders = env::split_paths(&paths).chain([PathBuf::from(DEBIAN)]);
    let mut programs = folders.map(|folder| folder.join(PROGRAM));
    programs.find(|program| program.exists()).unwrap_or_else(|| Path::new(PROGRAM).to_owned())
}
