//! From the answer of one process to the answer of another.
//!
//! Both are `platformctl serve`, and share a database, a folder of keys and a NATS server. A client
//! renames a workspace at the one, and asks the other for it as soon as that is answered, with the
//! position it was told. Whichever process was started first keeps the tables. Then the NATS server
//! is killed.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use anyhow::{Result, ensure};
use testkit::Nats;

use super::{Across, UnderLoad};
use crate::{
    load::{Extent, run},
    platform::{
        Estate, Place, Process,
        calls::{Renames, path, rename},
        caught_up,
    },
    server::Server,
    stats::Durations,
};

const DATABASE: &str = "bench_across";
/// Tasks that write beside.
const WRITERS: [usize; 3] = [0, 16, 64];

/// How much is done.
struct Plan {
    workspaces: usize,
    /// Commits that are waited for, woken and polling.
    woken: usize,
    polling: usize,
}

/// Two processes over one log.
struct Pair {
    writer: Process,
    reader: Process,
    estate: Estate,
    tokens: Arc<[String]>,
}

pub(super) async fn measure(server: &Server, quick: bool) -> Result<Vec<Across>> {
    api::crypto::install();
    let plan = if quick {
        Plan { workspaces: 640, woken: 20, polling: 5 }
    } else {
        Plan { workspaces: 30_000, woken: 2_000, polling: 200 }
    };
    let database = server.database(DATABASE).await?;
    let place = Place::new("across", &database.url)?;
    eprintln!("filling");
    let platform = place.start().await?;
    let estate = Estate::fill(&platform, plan.workspaces).await?;
    caught_up(&platform).await?;
    platform.stop().await;
    let mut found = Vec::new();
    for reader_keeps in [true, false] {
        let mut nats = Nats::start();
        let pair = Pair::start(&place.clone().ringing(nats.url()), &estate, reader_keeps).await?;
        found.push(pair.measure(reader_keeps, true, plan.woken).await?);
        nats.kill();
        let pair = pair.deaf().await?;
        found.push(pair.measure(reader_keeps, false, plan.polling).await?);
        pair.writer.stop().await?;
        pair.reader.stop().await?;
    }
    server.drop(database).await?;
    Ok(found)
}

impl Pair {
    async fn start(place: &Place, estate: &Estate, reader_keeps: bool) -> Result<Self> {
        let mut first = Process::start(place).await?;
        let mut second = Process::start(&place.beside()?).await?;
        for process in [&mut first, &mut second] {
            process.says("\"connected\"").await?;
        }
        let tokens = estate.tokens(&mut first.client().await?).await?;
        let (reader, writer) = if reader_keeps { (first, second) } else { (second, first) };
        Ok(Self { writer, reader, estate: estate.clone(), tokens })
    }

    /// The same once both know that nobody wakes them.
    async fn deaf(mut self) -> Result<Self> {
        for process in [&mut self.writer, &mut self.reader] {
            process.says("found by polling").await?;
        }
        Ok(self)
    }

    async fn measure(&self, reader_keeps: bool, nats: bool, samples: usize) -> Result<Across> {
        let mut loads = Vec::new();
        for writers in WRITERS {
            let keeps = if reader_keeps { "reader" } else { "writer" };
            let by = if nats { "NATS" } else { "polling" };
            eprintln!("another process, {by}, the {keeps} keeps the tables, {writers} writers");
            loads.push(self.beside(writers, samples).await?);
        }
        Ok(Across { reader_keeps, nats, loads })
    }

    async fn beside(&self, writers: usize, samples: usize) -> Result<UnderLoad> {
        let over = Arc::new(AtomicBool::new(false));
        let mut callers = Vec::with_capacity(writers);
        for _ in 0..writers {
            let (estate, bearers) = (self.estate.clone(), self.tokens.clone());
            callers.push(Renames { client: self.writer.client().await?, estate, bearers });
        }
        let writing = tokio::spawn(run(callers, Extent::Until(over.clone())));
        let durations = self.sample(samples).await;
        over.store(true, Ordering::Relaxed);
        let appends = writing.await??.rate;
        let mut durations = durations?;
        let (p50_ms, p99_ms) = (durations.quantile_ms(0.5), durations.quantile_ms(0.99));
        Ok(UnderLoad { writers, appends, p50_ms, p99_ms })
    }

    async fn sample(&self, samples: usize) -> Result<Durations> {
        let (mut writer, mut reader) = (self.writer.client().await?, self.reader.client().await?);
        let mut durations = Durations::default();
        for _ in 0..samples {
            let turn = self.estate.turn();
            let (bearer, name, path) = (&self.tokens[turn.of], turn.name(), path(&turn));
            let (position, _) = rename(&mut writer, turn, bearer).await?;
            let committed = Instant::now();
            let answer = reader.get_at(&path, bearer, position).await?.done()?;
            durations.push(committed.elapsed());
            let seen = answer.field("name")?;
            ensure!(seen == name, "the query saw {seen} after {name} was committed");
        }
        Ok(durations)
    }
}
