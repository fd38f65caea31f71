//! What becomes of a server whose process was killed.
//!
//! The process to be killed is this test binary, run again with the folder in its environment.

use std::{
    env,
    io::{self, BufRead, BufReader, Read},
    os::unix::net::UnixStream,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use cluster::{Cluster, ClusterError};

use crate::place::{Place, volatile};

const FOLDER: &str = "CLUSTER_TEST_FOLDER";
const THROW_AWAY: &str = "CLUSTER_TEST_THROW_AWAY";
const PATIENCE: Duration = Duration::from_secs(30);

/// The part of the killed process; without its environment it has nothing to do.
#[test]
fn holder() -> Result<(), ClusterError> {
    let Some(folder) = env::var_os(FOLDER) else { return Ok(()) };
    let mut cluster = Cluster::start(&volatile(Path::new(&folder)))?;
    if env::var_os(THROW_AWAY).is_some() {
        cluster.throw_away_at_exit()?;
    }
    eprintln_url(&cluster);
    loop {
        thread::park();
    }
}

#[expect(clippy::print_stderr, reason = "that is how the parent learns that it may go on")]
fn eprintln_url(cluster: &Cluster) {
    eprintln!("{}", cluster.url("postgres"));
}

/// Starts the other process and connects to its server.
fn start_holder(place: &Place, throw_away: bool) -> (Child, UnixStream) {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", "left_behind::holder", "--nocapture"]).env(FOLDER, place.path());
    if throw_away {
        command.env(THROW_AWAY, "1");
    }
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let url = BufReader::new(child.stderr.take().unwrap()).lines().next().unwrap().unwrap();
    let (_, folder) = url.split_once("host=").unwrap();
    let connection = UnixStream::connect(Path::new(folder).join(".s.PGSQL.5432")).unwrap();
    connection.set_read_timeout(Some(PATIENCE)).unwrap();
    (child, connection)
}

fn kill(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

fn hangs_up(mut connection: UnixStream) -> bool {
    match connection.read(&mut [0; 1]) {
        Ok(length) => length == 0,
        Err(error) => error.kind() == io::ErrorKind::ConnectionReset,
    }
}

#[test]
fn it_is_replaced_at_the_next_start() -> Result<(), ClusterError> {
    let place = Place::new();
    let (child, connection) = start_holder(&place, false);
    kill(child);

    assert!(Cluster::attach(&place.settings())?.is_none(), "nobody owns it any more");
    let cluster = Cluster::start(&place.settings())?;
    assert!(hangs_up(connection));
    cluster.create_database("ours")?;
    cluster.stop()
}

#[test]
fn a_throw_away_one_is_stopped_and_deleted() {
    let place = Place::new();
    let (child, connection) = start_holder(&place, true);
    kill(child);

    assert!(hangs_up(connection));
    let deadline = Instant::now() + PATIENCE;
    while place.path().exists() {
        assert!(Instant::now() < deadline, "the folder is still there");
        thread::yield_now();
    }
}
