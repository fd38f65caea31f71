//! T15: half as much again as fits, from clients that do not wait for one another. Nearly as much
//! is done as without, the rest is refused at once, and soon after all is as before.

use std::{collections::BTreeMap, time::Duration};

use fastrand::Rng;
use futures_util::future::try_join_all;
use tokio::{
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval, sleep},
};

use super::{
    Scale, Terms,
    report::{Report, Violation, percentile, require},
};
use crate::process::{
    client::{Answer, Client, random, unexpected},
    place::Place,
    raw::{Raw, get},
    server::Server,
    work::{Worker, organization, workspace},
};

/// People who ask, in pairs.
const PAIRS: u64 = 8;
/// Clients that together ask as much as fits.
const CLIENTS: usize = 48;
/// Of ten requests, how many are commands.
const COMMANDS: u8 = 2;
/// How often the generator looks at the clock.
const TICK: Duration = Duration::from_millis(5);
/// How often the probes are asked under load.
const PROBED: Duration = Duration::from_millis(200);
/// In which time all is as before.
const RECOVERED: Duration = Duration::from_secs(10);
/// How long the trial waits for that, to be able to say how late it was.
const PATIENCE: Duration = Duration::from_secs(60);

/// How much is asked, and what must hold.
struct Measure {
    peak: Duration,
    overload: Duration,
    /// Of a hundred that fit, how many are still done.
    goodput: u64,
    refused: Duration,
    grown_kib: u64,
}

/// Runs the trial.
pub(super) async fn run(terms: Terms) -> Result<Report, Violation> {
    let measure = match terms.scale {
        // The server shares its cores with the generator, and with whatever else is tested.
        Scale::Short => Measure {
            peak: Duration::from_secs(3),
            overload: Duration::from_secs(8),
            goodput: 30,
            refused: Duration::from_secs(1),
            grown_kib: 128 * 1_024,
        },
        Scale::Long => Measure {
            peak: Duration::from_secs(30),
            overload: Duration::from_secs(600),
            goodput: 80,
            refused: Duration::from_secs(1),
            grown_kib: 64 * 1_024,
        },
    };
    // Clients that do not wait open connections without end. Which of these give way is another
    // trial's affair (t16): whoever is about to use one that does hears nothing at all.
    let place = Place::new(&terms.server)?.with("PLATFORM__HTTP__MAX_CONNECTIONS", "10000");
    let (server, _) = Server::start(&place).await?;
    let pairs = pairs(&place, terms.seed).await?;
    let mut rng = Rng::with_seed(terms.seed);
    let mut report = Report::default();

    let peak = fitting(&pairs, measure.peak, &mut rng).await?;
    report.figure("requests a second that fit", peak);
    let rate = peak * 3 / 2;
    let probes = tokio::spawn(probe(place.clone(), measure.overload));
    let mut load = Load::offer(&pairs, (rate, measure.overload), &server, &mut rng).await?;
    let ended = Instant::now();
    let (slowest, unanswered) = probes.await??;
    report.took("the slowest probe", slowest);
    report.note("probes refused", unanswered);
    recover(&pairs, ended, &mut rng, &mut report).await?;
    let afterwards = fitting(&pairs, measure.peak, &mut rng).await?;
    report.figure("requests a second that fit afterwards", afterwards);

    let seconds = measure.overload.as_secs().max(1);
    let goodput = count(&load.done) / seconds;
    report.figure("requests a second offered", rate);
    report.figure("requests a second done", goodput);
    report.note("refused as overloaded", load.overloaded);
    report.note("refused otherwise", count(&load.refused) - load.overloaded);
    report.figure("KiB grown under load", load.grown_kib);
    load.done.sort_unstable();
    load.refused.sort_unstable();
    report.took("median of what was done", percentile(&load.done, 50));
    report.took("p99 of what was done", percentile(&load.done, 99));
    report.took("median of what was refused", percentile(&load.refused, 50));
    let slowest = percentile(&load.refused, 99);
    report.took("p99 of what was refused", slowest);
    require(goodput * 100 >= peak * measure.goodput, || {
        format!("of {peak} requests a second, only {goodput} were done under {rate}: {report}")
    })?;
    require(unanswered == 0, || format!("probes were refused: {report}"))?;
    require(slowest <= measure.refused, || format!("a refusal took {slowest:?}: {report}"))?;
    let grown = load.grown_kib;
    require(grown <= measure.grown_kib, || format!("the server grew by {grown} KiB"))?;
    server.stop().await?;
    Ok(report)
}

fn count<T>(list: &[T]) -> u64 {
    u64::try_from(list.len()).unwrap_or(u64::MAX)
}

/// Two people, one who reads and one who works, in a place of their own. What they ask costs the
/// same at the end as at the beginning, or the load would grow and not the overload.
#[derive(Clone)]
struct Pair {
    reader: Client,
    worker: Client,
    organization: String,
}

impl Pair {
    /// A query or a command.
    async fn ask(&self, rng: &mut Rng) -> Result<Answer, Violation> {
        let answer = if rng.u8(0..10) < COMMANDS {
            self.worker.send(&workspace(&self.organization), random()).await
        } else {
            self.reader.get("/me").await
        };
        answer.map_err(|fault| Violation(format!("no answer: {fault:?}")))
    }
}

async fn pairs(place: &Place, seed: u64) -> Result<Vec<Pair>, Violation> {
    let readers = Worker::several(place, PAIRS, seed).await?;
    let workers = Worker::several(place, PAIRS, seed.wrapping_add(1)).await?;
    let pairs = readers.iter().zip(&workers).map(|(reader, worker)| async {
        let worker = worker.client();
        let founded = worker.send(&organization(), random()).await;
        let founded = founded.map_err(|fault| Violation(format!("no answer: {fault:?}")))?;
        let Some(organization) = founded.text("id").map(str::to_owned) else {
            return Err(unexpected("a new organization", &founded));
        };
        Ok(Pair { reader: reader.client(), worker, organization })
    });
    try_join_all(pairs).await
}

/// Asks the probes under load, each time on a connection of its own. Answers how long the slowest
/// took, and how many were refused.
async fn probe(place: Place, time: Duration) -> Result<(Duration, u64), Violation> {
    let (begun, mut slowest, mut refused) = (Instant::now(), Duration::ZERO, 0);
    while begun.elapsed() < time {
        for path in ["/healthz", "/metrics"] {
            let asked = Instant::now();
            let answer = Raw::connect(&place).await?.ask(&get(path, None)).await?;
            refused += u64::from(answer.status() != 200);
            slowest = asked.elapsed().max(slowest);
        }
        sleep(PROBED).await;
    }
    Ok((slowest, refused))
}

/// How many requests a second are done for clients that wait for each answer.
async fn fitting(pairs: &[Pair], time: Duration, rng: &mut Rng) -> Result<u64, Violation> {
    let begun = Instant::now();
    let clients = pairs.iter().cycle().take(CLIENTS).map(|pair| (pair, rng.fork()));
    let counts = clients.map(|(pair, mut rng)| async move {
        let mut done = 0_u64;
        while begun.elapsed() < time {
            let answer = pair.ask(&mut rng).await?;
            require(answer.is_success(), || unexpected("a request that fits", &answer).0)?;
            done += 1;
        }
        Ok::<_, Violation>(done)
    });
    let done: u64 = try_join_all(counts).await?.into_iter().sum();
    Ok(done / time.as_secs().max(1))
}

/// What came of a load.
#[derive(Default)]
struct Load {
    done: Vec<Duration>,
    refused: Vec<Duration>,
    /// How many of them before anything was done for them.
    overloaded: u64,
    grown_kib: u64,
}

impl Load {
    /// So many requests a second, whether or not they are answered.
    async fn offer(
        pairs: &[Pair],
        (rate, time): (u64, Duration),
        server: &Server,
        rng: &mut Rng,
    ) -> Result<Self, Violation> {
        let (mut load, begun) = (Self::default(), Instant::now());
        let (mut asked, mut tasks) = (0_u64, JoinSet::new());
        let mut pairs = pairs.iter().cycle();
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        // Grown is what it takes beyond what the first load makes it take.
        let mut settled = None;
        while begun.elapsed() < time {
            ticks.tick().await;
            let due = rate * u64::try_from(begun.elapsed().as_millis()).unwrap_or_default() / 1_000;
            for pair in pairs.by_ref().take(usize::try_from(due - asked).unwrap_or_default()) {
                let (pair, mut rng) = (pair.clone(), rng.fork());
                tasks.spawn(async move {
                    let sent = Instant::now();
                    let answer = pair.ask(&mut rng).await?;
                    Ok::<_, Violation>((answer, sent.elapsed()))
                });
            }
            asked = due;
            while let Some(answer) = tasks.try_join_next() {
                load.enter(answer??)?;
            }
            if settled.is_none() && begun.elapsed() > time / 4 {
                settled = Some(server.memory_kib()?);
            }
        }
        load.grown_kib = server.memory_kib()?.saturating_sub(settled.unwrap_or_default());
        // What is done after the load is over is no part of what it came to.
        let in_time = load.done.len();
        while let Some(answer) = tasks.join_next().await {
            load.enter(answer??)?;
        }
        load.done.truncate(in_time);
        Ok(load)
    }

    /// Everything is done, or refused with a word about when to come back.
    fn enter(&mut self, (answer, took): (Answer, Duration)) -> Result<(), Violation> {
        match (answer.status, answer.retry_after) {
            (200..=299, _) => self.done.push(took),
            (429 | 503, Some(_)) => {
                self.refused.push(took);
                self.overloaded += u64::from(answer.text("code") == Some("overloaded"));
            }
            _ => return Err(unexpected("a request too many", &answer)),
        }
        Ok(())
    }
}

/// Waits until requests are answered as before: a hundred on end, none of them refused.
async fn recover(
    pairs: &[Pair],
    ended: Instant,
    rng: &mut Rng,
    report: &mut Report,
) -> Result<(), Violation> {
    let (mut on_end, mut seen) = (0_u32, BTreeMap::<u16, u32>::new());
    for pair in pairs.iter().cycle() {
        let answer = pair.ask(rng).await?;
        *seen.entry(answer.status).or_default() += 1;
        on_end = if answer.is_success() { on_end + 1 } else { 0 };
        if on_end == 100 {
            break;
        }
        require(ended.elapsed() < PATIENCE, || format!("no recovery: {seen:?}"))?;
        if on_end == 0 {
            sleep(Duration::from_millis(50)).await;
        }
    }
    report.took("a hundred requests after the load", ended.elapsed());
    report.add("recoveries", 1);
    require(ended.elapsed() <= RECOVERED, || format!("recovered after {:?}", ended.elapsed()))
}
