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
    report::{Report, Violation, require},
    slow::percentile,
};
use crate::process::{
    client::{Answer, Client, random, unexpected},
    place::Place,
    server::Server,
    work::{Worker, organization},
};

/// Clients that together ask as much as fits.
const CLIENTS: usize = 48;
/// Of ten requests, how many are commands.
const COMMANDS: u8 = 2;
/// How often the generator looks at the clock.
const TICK: Duration = Duration::from_millis(5);
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
            goodput: 10,
            refused: Duration::from_secs(15),
            grown_kib: 512 * 1_024,
        },
        Scale::Long => Measure {
            peak: Duration::from_secs(30),
            overload: Duration::from_secs(600),
            goodput: 80,
            refused: Duration::from_secs(1),
            grown_kib: 64 * 1_024,
        },
    };
    let place = Place::new(&terms.server)?;
    let (server, _) = Server::start(&place).await?;
    let workers = Worker::several(&place, 8, terms.seed).await?;
    let clients: Vec<_> = workers.iter().map(Worker::client).collect();
    let mut report = Report::default();

    let peak = fitting(&clients, measure.peak).await?;
    report.figure("requests a second that fit", peak);
    let rate = peak * 3 / 2;
    let load = Load::offer(&clients, rate, measure.overload, &server).await?;
    let ended = Instant::now();
    recover(&clients, ended, &mut report).await?;

    let seconds = measure.overload.as_secs().max(1);
    let goodput = count(&load.done) / seconds;
    report.figure("requests a second offered", rate);
    report.figure("requests a second done", goodput);
    report.note("refused as overloaded", load.overloaded);
    report.note("refused otherwise", count(&load.refused) - load.overloaded);
    report.figure("KiB grown under load", load.grown_kib);
    report.took("p99 of what was done", percentile(load.done));
    let slowest = percentile(load.refused);
    report.took("p99 of what was refused", slowest);
    require(goodput * 100 >= peak * measure.goodput, || {
        format!("of {peak} requests a second, only {goodput} were done under {rate}")
    })?;
    require(slowest <= measure.refused, || format!("a refusal took {slowest:?}"))?;
    let grown = load.grown_kib;
    require(grown <= measure.grown_kib, || format!("the server grew by {grown} KiB"))?;
    server.stop().await?;
    Ok(report)
}

fn count<T>(list: &[T]) -> u64 {
    u64::try_from(list.len()).unwrap_or(u64::MAX)
}

/// A query or a command.
async fn ask(client: &Client, rng: &mut Rng) -> Result<Answer, Violation> {
    let answer = if rng.u8(0..10) < COMMANDS {
        client.send(&organization(), random()).await
    } else {
        client.get("/me").await
    };
    answer.map_err(|fault| Violation(format!("no answer: {fault}")))
}

/// How many requests a second are done for clients that wait for each answer.
async fn fitting(clients: &[Client], time: Duration) -> Result<u64, Violation> {
    let begun = Instant::now();
    let counts = clients.iter().cycle().take(CLIENTS).map(|client| async move {
        let (mut rng, mut done) = (Rng::new(), 0_u64);
        while begun.elapsed() < time {
            let answer = ask(client, &mut rng).await?;
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
        clients: &[Client],
        rate: u64,
        time: Duration,
        server: &Server,
    ) -> Result<Self, Violation> {
        let (mut load, begun) = (Self::default(), Instant::now());
        let (mut asked, mut tasks) = (0_u64, JoinSet::new());
        let mut clients = clients.iter().cycle();
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        // Grown is what it takes beyond what the first load makes it take.
        let mut settled = None;
        while begun.elapsed() < time {
            ticks.tick().await;
            let due = rate * u64::try_from(begun.elapsed().as_millis()).unwrap_or_default() / 1_000;
            for client in clients.by_ref().take(usize::try_from(due - asked).unwrap_or_default()) {
                let client = client.clone();
                tasks.spawn(async move {
                    let sent = Instant::now();
                    let answer = ask(&client, &mut Rng::new()).await?;
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
async fn recover(clients: &[Client], ended: Instant, report: &mut Report) -> Result<(), Violation> {
    let mut rng = Rng::new();
    let (mut on_end, mut seen) = (0_u32, BTreeMap::<u16, u32>::new());
    for client in clients.iter().cycle() {
        let answer = ask(client, &mut rng).await?;
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
