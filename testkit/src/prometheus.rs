//! A Prometheus of a test's own, and the tool that checks what it is given.

use std::{
    env, fs,
    io::{self, BufRead, BufReader},
    path::{Path, PathBuf},
    process::{self, Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    thread,
};

use crate::must;

/// Where `scripts/setup` unpacks it, below the folder of root's data and below that of others.
const FETCHED: &str = "commonhold/prometheus/usr/bin";

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A Prometheus server on this machine. It ends when it is dropped, and its data with it.
#[derive(Debug)]
pub struct Prometheus {
    folder: PathBuf,
    port: u16,
    child: Child,
}

impl Prometheus {
    /// A server on a free port with this configuration, that listens by the time this returns.
    ///
    /// # Panics
    /// If there is no Prometheus to be had, or it refuses the configuration.
    #[must_use]
    pub fn start(configuration: &str) -> Self {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("commonhold-prometheus-{}-{number}", process::id());
        let folder = env::temp_dir().join(name);
        must(fs::create_dir_all(&folder));
        must(fs::write(folder.join("prometheus.yml"), configuration));
        let (child, port) = must(run(&folder));
        Self { folder, port, child }
    }

    /// Where it answers.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The tool that checks rules and runs their tests.
    ///
    /// # Panics
    /// If there is none to be had.
    #[must_use]
    pub fn tool() -> Command {
        Command::new(must(program("promtool")))
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
        fs::remove_dir_all(&self.folder).ok();
    }
}

/// Starts the program and waits until its log says on which port it listens, which it takes free by
/// itself so that nobody else can take it before, and that it answers there.
fn run(folder: &Path) -> io::Result<(Child, u16)> {
    let mut child = Command::new(program("prometheus")?)
        .arg(format!("--config.file={}", folder.join("prometheus.yml").display()))
        .arg(format!("--storage.tsdb.path={}", folder.join("data").display()))
        .args(["--web.listen-address=127.0.0.1:0", "--log.format=logfmt"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()?;
    let mut log = BufReader::new(child.stderr.take().ok_or(io::ErrorKind::BrokenPipe)?).lines();
    let (mut told, mut port) = (Vec::new(), None);
    for line in log.by_ref() {
        let line = line?;
        let listening = line.to_lowercase().contains("listening on");
        let address = line.rsplit_once("address=").filter(|_| listening);
        port = port.or(address.and_then(|(_, at)| at.rsplit(':').next()?.trim().parse().ok()));
        if let Some(port) = port.filter(|_| line.contains("Server is ready")) {
            // A full pipe would stop it.
            thread::spawn(move || log.for_each(drop));
            return Ok((child, port));
        }
        told.push(line);
    }
    child.wait()?;
    Err(io::Error::other(format!("prometheus does not start:\n{}", told.join("\n"))))
}

#[expect(clippy::disallowed_methods, reason = "where programs are is no configuration")]
fn program(name: &str) -> io::Result<PathBuf> {
    let paths = env::var("PATH").unwrap_or_default();
    let home = env::var("HOME").map(|home| format!("{home}/.local/share"));
    let fetched = [env::var("XDG_DATA_HOME"), home, Ok("/var/lib".to_owned())];
    let fetched = fetched.into_iter().flatten().map(|data| Path::new(&data).join(FETCHED));
    let mut programs = env::split_paths(&paths).chain(fetched).map(|folder| folder.join(name));
    programs.find(|program| program.is_file()).ok_or_else(|| {
        let words = "is missing: run scripts/setup, or install prometheus (with promtool)";
        io::Error::new(io::ErrorKind::NotFound, format!("{name} {words}"))
    })
}
