//! T16: clients that are slow on purpose. They dribble a header, dribble a body, or ask for much
//! and take nothing of it. Each is cut off in time, and nobody else notices.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures_util::future::try_join_all;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};

use super::{
    Scale, Terms,
    report::{Report, Violation, require},
};
use crate::process::{
    client::Client,
    place::Place,
    raw::{Raw, get},
    server::Server,
    work::Worker,
};

/// Pages asked for at once by who takes none: more than the buffers of two systems hold.
const PAGES: usize = 24;
/// How long the trial waits for the last of them to be cut off.
const PATIENCE: Duration = Duration::from_secs(60);
/// For how long honest clients are watched without slow ones, and at least with them.
const WATCHED: Duration = Duration::from_secs(2);
/// How many slow clients come at once, and how long after them the next: a crowd that the system's
/// queue cannot hold is the system's affair.
const CROWD: usize = 50;
const APART: Duration = Duration::from_millis(100);
/// How long a slow client does nothing.
const PAUSE: Duration = Duration::from_millis(500);
/// Honest clients.
const HONEST: usize = 4;

/// How much is tried, and what must hold.
struct Measure {
    clients: usize,
    /// The limits that the server is given, in seconds.
    limit: u64,
    connections: usize,
    /// Longest life of a slow connection.
    closed: Duration,
    /// How much slower an honest client's 99th percentile may become, and what it may be anyway.
    slower: u32,
    anyway: Duration,
    grown_kib: u64,
    /// Requests of honest clients that may be refused: on a machine that does much else.
    refused: usize,
}

/// Runs the trial.
pub(super) async fn run(terms: Terms) -> Result<Report, Violation> {
    let measure = match terms.scale {
        Scale::Short => Measure {
            clients: 500,
            limit: 2,
            connections: 256,
            closed: Duration::from_secs(20),
            slower: 20,
            anyway: Duration::from_secs(5),
            grown_kib: 128 * 1_024,
            refused: 100,
        },
        Scale::Long => Measure {
            clients: 10_000,
            limit: 10,
            connections: 1_024,
            closed: Duration::from_secs(11),
            slower: 2,
            anyway: Duration::from_millis(20),
            grown_kib: 128 * 1_024,
            refused: 0,
        },
    };
    let place = Place::new(&terms.server)?
        .with("PLATFORM__HTTP__HEADER_TIMEOUT_SECONDS", &measure.limit.to_string())
        .with("PLATFORM__HTTP__BODY_TIMEOUT_SECONDS", &measure.limit.to_string())
        .with("PLATFORM__HTTP__MAX_CONNECTIONS", &measure.connections.to_string());
    let (server, _) = Server::start(&place).await?;
    let client = Worker::several(&place, 1, terms.seed).await?.first().map(Worker::client);
    let client = client.ok_or_else(|| Violation("nobody signed up".to_owned()))?;
    let mut report = Report::default();

    let calm = Honest::start(&place, &client);
    sleep(WATCHED).await;
    let (calm, _) = calm.end().await?;
    let before = server.memory_kib()?;
    let honest = Honest::start(&place, &client);
    let mut slow = Vec::new();
    for kind in Kind::ALL.into_iter().cycle().take(measure.clients) {
        let place = place.clone();
        slow.push((kind, tokio::spawn(async move { kind.trouble(&place).await })));
        if slow.len() % CROWD == 0 {
            sleep(APART).await;
        }
    }
    sleep(WATCHED).await;
    let held = server.memory_kib()?.saturating_sub(before);
    for (kind, lived) in slow {
        let lived = lived.await??;
        report.add("slow clients cut off", 1);
        report.took(kind.name(), lived);
        require(lived <= measure.closed, || format!("{} stayed for {lived:?}", kind.name()))?;
    }
    let (troubled, refused) = honest.end().await?;
    report.note("honest requests refused", u64::try_from(refused).unwrap_or(u64::MAX));
    require(refused <= measure.refused, || format!("{refused} honest requests were refused"))?;
    report.took("p99 of honest clients alone", calm);
    report.took("p99 of honest clients in trouble", troubled);
    report.figure("KiB of memory for slow clients", held);
    require(troubled <= (calm * measure.slower).max(measure.anyway), || {
        format!("slow clients slowed others down from {calm:?} to {troubled:?}")
    })?;
    require(held <= measure.grown_kib, || format!("slow clients took {held} KiB"))?;
    server.stop().await?;
    Ok(report)
}

/// How a client is slow.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Header,
    Body,
    Answer,
}

impl Kind {
    const ALL: [Self; 3] = [Self::Header, Self::Body, Self::Answer];

    const fn name(self) -> &'static str {
        match self {
            Self::Header => "a slow header",
            Self::Body => "a slow body",
            Self::Answer => "a slow reader",
        }
    }

    /// Is slow until it is cut off; answers after how long.
    async fn trouble(self, place: &Place) -> Result<Duration, Violation> {
        let connected = timeout(PATIENCE, self.connect(place)).await;
        let stream = connected.map_err(|_| Violation("no connection came about".to_owned()))?;
        let mut stream = stream?;
        let begun = Instant::now();
        let lived = timeout(PATIENCE, async {
            let first = match self {
                Self::Header => "GET /api/v1/me HTTP/1.1\r\nHost: localhost\r\nX-Slow: ".to_owned(),
                Self::Body => "POST /api/v1/auth/login HTTP/1.1\r\nHost: localhost\r\n\
                     Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"
                    .to_owned(),
                Self::Answer => {
                    "GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(PAGES)
                }
            };
            // A write that fails is an end like any other.
            let mut open = stream.write_all(first.as_bytes()).await.is_ok();
            while open {
                open = match self {
                    Self::Header | Self::Body => dribble(&mut stream).await,
                    Self::Answer => sip(&mut stream).await,
                };
            }
        });
        lived.await.map_err(|_| Violation(format!("{} is never cut off", self.name())))?;
        Ok(begun.elapsed())
    }

    async fn connect(self, place: &Place) -> std::io::Result<TcpStream> {
        let socket = TcpSocket::new_v4()?;
        socket.set_recv_buffer_size(4_096)?;
        socket.connect(([127, 0, 0, 1], place.port()).into()).await
    }
}

/// Sends one byte more, and looks whether there is anybody to send it to.
async fn dribble(stream: &mut TcpStream) -> bool {
    let mut answer = [0; 4_096];
    match timeout(PAUSE, stream.read(&mut answer)).await {
        Ok(read) => read.is_ok_and(|bytes| bytes > 0),
        Err(_) => stream.write_all(b" ").await.is_ok(),
    }
}

/// Takes one byte of much. Whoever closes a connection does not take back what is on its way, so
/// it is asked instead whether a word to the server still arrives.
async fn sip(stream: &mut TcpStream) -> bool {
    sleep(PAUSE).await;
    let mut byte = [0; 1];
    let took = matches!(stream.read(&mut byte).await, Ok(1));
    took && stream.write_all(b"\r\n").await.is_ok()
}

/// How long each request took, and how many of them were refused.
type Told = (Vec<Duration>, usize);

/// Clients that ask one thing after the other, each on a connection of its own.
struct Honest {
    stop: Arc<AtomicBool>,
    tasks: Vec<JoinHandle<Result<Told, Violation>>>,
}

impl Honest {
    fn start(place: &Place, client: &Client) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let request = get("/api/v1/me", client.token());
        let tasks = (0..HONEST).map(|_| {
            let (place, request, stop) = (place.clone(), request.clone(), Arc::clone(&stop));
            tokio::spawn(async move {
                let (mut times, mut refused) = (Vec::new(), 0);
                while !stop.load(Ordering::Relaxed) {
                    let begun = Instant::now();
                    // Hung up on before the request was read is refused as well.
                    match Raw::connect(&place).await?.ask(&request).await {
                        Ok(answer) if answer.status() == 200 => {}
                        Ok(answer) if answer.header("retry-after").is_some() => refused += 1,
                        Ok(answer) => return Err(Violation(format!("answered {answer:?}"))),
                        Err(_) => refused += 1,
                    }
                    times.push(begun.elapsed());
                    sleep(Duration::from_millis(5)).await;
                }
                Ok((times, refused))
            })
        });
        Self { tasks: tasks.collect(), stop }
    }

    /// The 99th percentile, and how many were refused.
    async fn end(self) -> Result<(Duration, usize), Violation> {
        self.stop.store(true, Ordering::Relaxed);
        let (mut times, mut refused) = (Vec::new(), 0);
        for ended in try_join_all(self.tasks).await? {
            let (more, told) = ended?;
            times.extend(more);
            refused += told;
        }
        Ok((percentile(times), refused))
    }
}

/// The 99th percentile.
pub(super) fn percentile(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    let rank = (times.len() * 99).div_ceil(100).saturating_sub(1);
    times.get(rank).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_99th_percentile() {
        let times = (1..=200).map(Duration::from_secs).collect();
        assert_eq!(percentile(times), Duration::from_secs(198));
        assert_eq!(percentile(vec![Duration::from_secs(7)]), Duration::from_secs(7));
        assert_eq!(percentile(Vec::new()), Duration::ZERO);
    }
}
