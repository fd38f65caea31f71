//! T16: clients that are slow on purpose. They say nothing, dribble a header, dribble a body, or ask
//! for much and take nothing of it. Each is cut off in time, and nobody else notices.
//!
//! They live on the cores that they trouble, so there is a measure beside the calm: how honest
//! clients fare while the same crowd keeps a sink busy that has nothing to do with the server.

mod kind;
mod sink;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures_util::future::try_join_all;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep},
};

use self::{kind::Kind, sink::Sink};
use super::{
    Scale, Terms,
    report::{Report, Violation, percentile, require},
};
use crate::process::{
    client::Client,
    place::Place,
    raw::{Raw, get},
    server::Server,
    work::Worker,
};

/// For how long honest clients are watched without slow ones, and at least with them.
const WATCHED: Duration = Duration::from_secs(5);
/// How many slow clients come at once, and how long after them the next.
const CROWD: usize = 50;
const APART: Duration = Duration::from_millis(100);
/// Honest clients.
const HONEST: usize = 4;

/// How much is tried, and what must hold.
struct Measure {
    clients: usize,
    /// The limits that the server is given.
    limit: Duration,
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

impl Measure {
    const fn of(scale: Scale) -> Self {
        match scale {
            Scale::Short => Self {
                clients: 500,
                limit: Duration::from_secs(2),
                connections: 256,
                closed: Duration::from_secs(20),
                slower: 20,
                anyway: Duration::from_secs(5),
                grown_kib: 128 * 1_024,
                refused: 100,
            },
            Scale::Long => Self {
                clients: 10_000,
                limit: Duration::from_secs(10),
                connections: 1_024,
                closed: Duration::from_secs(11),
                slower: 2,
                anyway: Duration::from_millis(20),
                grown_kib: 128 * 1_024,
                refused: 0,
            },
        }
    }
}

/// Runs the trial.
pub(super) async fn run(terms: Terms) -> Result<Report, Violation> {
    let measure = Measure::of(terms.scale);
    let limit = measure.limit.as_secs().to_string();
    let place = Place::new(&terms.server)?
        .with("PLATFORM__HTTP__HEADER_TIMEOUT_SECONDS", &limit)
        .with("PLATFORM__HTTP__BODY_TIMEOUT_SECONDS", &limit)
        .with("PLATFORM__HTTP__MAX_CONNECTIONS", &measure.connections.to_string());
    let (server, _) = Server::start(&place).await?;
    // The server has its own from here on: as many as it takes for itself.
    raise_descriptors()?;
    let client = Worker::several(&place, 1, terms.seed).await?.first().map(Worker::client);
    let client = client.ok_or_else(|| Violation("nobody signed up".to_owned()))?;
    let mut report = Report::default();

    let honest = Honest::start(&place, &client);
    sleep(WATCHED).await;
    let alone = honest.end().await?;
    let sink = Sink::open(measure.limit, measure.connections).await?;
    let honest = Honest::start(&place, &client);
    crowd(measure.clients, sink.port()).await?;
    let beside = honest.end().await?;
    drop(sink);

    let before = server.memory_kib()?;
    let (honest, begun) = (Honest::start(&place, &client), server.processor()?);
    let gone = tokio::spawn(crowd(measure.clients, place.port()));
    let mut held = 0;
    while !gone.is_finished() {
        held = server.memory_kib()?.saturating_sub(before).max(held);
        sleep(APART).await;
    }
    for (kind, lived) in gone.await?? {
        report.add("slow clients cut off", 1);
        report.took(kind.name(), lived);
        require(lived <= measure.closed, || format!("{} stayed for {lived:?}", kind.name()))?;
    }
    let spent = server.processor()?.saturating_sub(begun);
    let troubled = honest.end().await?;

    report.note("honest requests", troubled.asked());
    report.note("honest requests refused", troubled.refused());
    let refused = troubled.refused;
    alone.tell("honest, alone: median", "honest, alone: p99", &mut report);
    beside.tell("beside a crowd elsewhere: median", "beside a crowd elsewhere: p99", &mut report);
    troubled.tell("in trouble: median", "in trouble: p99", &mut report);
    report.took("processor time for slow clients", spent);
    report.figure("KiB of memory for slow clients", held);
    require(refused <= measure.refused, || format!("honest requests were refused: {report}"))?;
    let (calm, troubled) = (alone.slowest().max(beside.slowest()), troubled.slowest());
    require(troubled <= (calm * measure.slower).max(measure.anyway), || {
        format!("slow clients slowed others down from {calm:?} to {troubled:?}: {report}")
    })?;
    require(held <= measure.grown_kib, || format!("slow clients took {held} KiB"))?;
    server.stop().await?;
    Ok(report)
}

/// As many files as the system allows: each client is one.
fn raise_descriptors() -> Result<(), Violation> {
    let maximum = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })
        .map_err(|fault| Violation(format!("no more files may be open: {fault}")))
}

/// So many slow clients, some at a time; for how long each was borne.
async fn crowd(clients: usize, port: u16) -> Result<Vec<(Kind, Duration)>, Violation> {
    let mut slow = Vec::new();
    for kind in Kind::ALL.into_iter().cycle().take(clients) {
        slow.push((kind, tokio::spawn(kind.trouble(port))));
        if slow.len() % CROWD == 0 {
            sleep(APART).await;
        }
    }
    let mut gone = Vec::new();
    for (kind, lived) in slow {
        gone.push((kind, lived.await??));
    }
    Ok(gone)
}

/// How long each request took, and how many of them were refused.
#[derive(Default)]
struct Told {
    times: Vec<Duration>,
    refused: usize,
}

impl Told {
    fn asked(&self) -> u64 {
        u64::try_from(self.times.len()).unwrap_or(u64::MAX)
    }

    fn refused(&self) -> u64 {
        u64::try_from(self.refused).unwrap_or(u64::MAX)
    }

    /// The 99th percentile.
    fn slowest(&self) -> Duration {
        percentile(&self.times, 99)
    }

    fn tell(&self, median: &'static str, slowest: &'static str, report: &mut Report) {
        report.took(median, percentile(&self.times, 50));
        report.took(slowest, self.slowest());
    }
}

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
                let mut told = Told::default();
                while !stop.load(Ordering::Relaxed) {
                    let begun = Instant::now();
                    // Hung up on before the request was read is refused as well.
                    match Raw::connect(&place).await?.ask(&request).await {
                        Ok(answer) if answer.status() == 200 => {}
                        Ok(answer) if answer.header("retry-after").is_some() => told.refused += 1,
                        Ok(answer) => return Err(Violation(format!("answered {answer:?}"))),
                        Err(_) => told.refused += 1,
                    }
                    told.times.push(begun.elapsed());
                    sleep(Duration::from_millis(5)).await;
                }
                Ok(told)
            })
        });
        Self { tasks: tasks.collect(), stop }
    }

    async fn end(self) -> Result<Told, Violation> {
        self.stop.store(true, Ordering::Relaxed);
        let mut all = Told::default();
        for ended in try_join_all(self.tasks).await? {
            let told = ended?;
            all.times.extend(told.times);
            all.refused += told.refused;
        }
        all.times.sort_unstable();
        Ok(all)
    }
}
