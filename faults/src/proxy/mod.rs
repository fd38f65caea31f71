//! A hostile network between a store and its server.
//!
//! Owns cutting, silencing and delaying connections at chosen moments of an append, under a seed.
//! Refuses to change a byte of what it passes on. It listens on a unix socket whatever the server
//! listens on, as then every option of the connection but its place stays the same.

mod session;
mod weather;
mod wire;

use std::{
    env, fs, io,
    path::PathBuf,
    process,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use sqlx::postgres::{PgConnectOptions, PgSslMode};
use tokio::{
    net::{TcpStream, UnixListener, UnixStream},
    task::{AbortHandle, JoinSet},
};

pub use weather::{Fault, Way, Weather};

use weather::Sky;

/// A way to a server on which things go wrong.
#[derive(Debug)]
pub struct Proxy {
    options: PgConnectOptions,
    folder: PathBuf,
    sky: Arc<Sky>,
    listening: AbortHandle,
}

impl Proxy {
    /// Opens a way to a server; the weather is calm. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// If there is no place for its socket.
    pub fn start(server: &PgConnectOptions, seed: u64) -> io::Result<Self> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = env::temp_dir().join(format!("commonhold-proxy-{}-{number}", process::id()));
        // A predecessor with our process id is dead.
        fs::remove_dir_all(&folder).ok();
        fs::create_dir(&folder)?;
        let listener = UnixListener::bind(folder.join(file(server)))?;
        let options = server.clone().socket(&folder).ssl_mode(PgSslMode::Disable);
        let sky = Arc::new(Sky::new(seed));
        let listening = tokio::spawn(listen(listener, server.clone(), sky.clone())).abort_handle();
        Ok(Self { options, folder, sky, listening })
    }

    /// How to connect through it.
    #[must_use]
    pub fn options(&self) -> PgConnectOptions {
        self.options.clone()
    }

    /// Changes the weather for statements to come.
    pub fn weather(&self, weather: Weather) {
        self.sky.change(weather);
    }

    /// Opens or bars the way. Connections that a silent way has swallowed never speak again.
    pub fn way(&self, way: Way) {
        self.sky.set_way(way);
    }

    /// How often each kind of fault has happened.
    #[must_use]
    pub fn counts(&self) -> Vec<(Fault, u64)> {
        self.sky.counts()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.listening.abort();
        fs::remove_dir_all(&self.folder).ok();
    }
}

fn file(server: &PgConnectOptions) -> String {
    format!(".s.PGSQL.{}", server.get_port())
}

async fn listen(listener: UnixListener, server: PgConnectOptions, sky: Arc<Sky>) {
    let mut sessions = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        while sessions.try_join_next().is_some() {}
        let (server, sky) = (server.clone(), sky.clone());
        let way = *sky.way().borrow();
        match way {
            Way::Open => drop(sessions.spawn(async move { connect(client, &server, &sky).await })),
            Way::Closed => drop(client),
            Way::Silent => drop(sessions.spawn(session::hold(client))),
        }
    }
}

/// A server that is not there ends the client's connection too.
async fn connect(client: UnixStream, server: &PgConnectOptions, sky: &Sky) {
    match server.get_socket() {
        Some(folder) => {
            if let Ok(socket) = UnixStream::connect(folder.join(file(server))).await {
                session::pass(client, socket, sky).await;
            }
        }
        None => {
            if let Ok(socket) = TcpStream::connect((server.get_host(), server.get_port())).await {
                session::pass(client, socket, sky).await;
            }
        }
    }
}
