//! Two processes follow one log with all they have, policies, letters and tables, and their leases
//! are stolen again and again, also in the middle of a batch. Whoever holds a lease when, each
//! reaction happens once, every letter leaves, and the tables are what the log says.

mod journal;
mod judge;
mod people;
mod process;
pub(super) mod silence;

use std::{sync::Arc, time::Duration};

use commands::{
    notify,
    policy::{Deadlines, Policy, UserExit, Welcome},
};
use eventstore::{Leases, Outcome, ParkedEvents};
use fastrand::Rng;
use futures_util::future::try_join_all;
use projections::{MODULES, Replay, ReplayOptions};
use sqlx::{PgPool, postgres::PgConnectOptions};
use tokio::time::{Instant, sleep, timeout};

use super::{
    Scale,
    ground::Ground,
    lease::steal,
    report::{Report, Violation, require},
};
use crate::proxy::{Fault, Weather};
use journal::Journal;
use people::Host;
use process::{Pile, Process};

/// Organizations that people come to at the same time.
const HOSTS: u64 = 2;
/// What keeps letters.
const LETTERS: &[&str] = &[notify::CONSUMER];
/// The policies; timers have no lease.
const POLICIES: &[&str] = &[Welcome::NAME, UserExit::NAME, Deadlines::NAME];
/// How long the trial waits for leases to change hands once more, and for the last reaction.
const PATIENCE: Duration = Duration::from_mins(1);

/// Runs the trial.
pub(super) async fn run(seed: u64, scale: Scale) -> Result<Report, Violation> {
    let handovers = match scale {
        Scale::Short => 3,
        Scale::Long => 30,
    };
    let mut report = Report::default();
    let ground = Ground::new(seed).await?;
    let pool = ground.database.pool.clone();
    let options: PgConnectOptions = ground.database.url.parse()?;
    let journal = Journal::begin(&pool).await?;
    let pile = Arc::new(Pile::default());
    let mut processes = Vec::new();
    for (store, name) in ground.stores.iter().zip(["one", "two"]) {
        processes.push(Process::start(name, &options, store, &pile).await?);
    }
    let weather = slow_commits(scale);
    ground.weather(&weather);
    people::prepare(&ground.direct).await?;
    let hosts = (0..HOSTS).map(|number| {
        Host::new(ground.direct.clone(), Rng::with_seed(seed.wrapping_mul(10).wrapping_add(number)))
    });
    let hosts = try_join_all(hosts).await?;
    let hosts = tokio::select! {
        fault = rob(&pool, Rng::with_seed(seed)) => return Err(fault),
        hosts = try_join_all(hosts.into_iter().map(|host| welcome(host, &journal, handovers))) => {
            hosts?
        }
    };
    let promised = hosts.iter().map(|host| host.promised).sum();
    settle(&ground, promised).await?;
    for process in processes {
        process.stop().await;
    }
    at_head(&ground, &consumers()).await?;
    journal.judge(&mut report).await?;
    let log = ground.log().await?;
    judge::reactions(&log, promised, &mut report)?;
    judge::letters(&log, &pile.taken(), &mut report)?;
    asked_again(&ground, &mut report).await?;
    tables(&ground, options).await?;
    ground.report(&weather, &mut report);
    ground.close().await;
    Ok(report)
}

/// What policies ask takes its time, so that a lease may go between that and its note.
fn slow_commits(scale: Scale) -> Weather {
    let slow = match scale {
        Scale::Short => Duration::from_millis(40),
        Scale::Long => Duration::from_millis(200),
    };
    Weather { first: Vec::new(), faults: vec![(Fault::SlowCommit, 300)], slow, silent: slow }
}

/// Lets leases lapse, with times of peace in between: a policy that loses its lease whenever it
/// gets it rests ever longer, until it finds it held.
async fn rob(pool: &PgPool, mut rng: Rng) -> Violation {
    loop {
        let raid = Duration::from_millis(rng.u64(300..900));
        if let Ok(Err(fault)) = timeout(raid, steal(pool.clone(), rng.fork())).await {
            return fault;
        }
        sleep(Duration::from_millis(rng.u64(100..500))).await;
    }
}

/// Lets people come and go until every lease has changed hands often enough.
async fn welcome(mut host: Host, journal: &Journal<'_>, handovers: i64) -> Result<Host, Violation> {
    let (mut seen, mut since) = (0, Instant::now());
    while seen < handovers {
        host.receive().await?;
        let now = journal.handovers(&consumers()).await?;
        if now > seen {
            (seen, since) = (now, Instant::now());
        } else if since.elapsed() > PATIENCE {
            journal.judge(&mut Report::default()).await?;
            return Err(Violation("leases do not change hands".to_owned()));
        }
    }
    Ok(host)
}

/// Everybody who follows the log.
fn consumers() -> Vec<&'static str> {
    let modules = MODULES.iter().map(|module| module.name);
    modules.chain([POLICIES, LETTERS].concat()).collect()
}

/// Waits until nothing follows from anything any more.
async fn settle(ground: &Ground, promised: usize) -> Result<(), Violation> {
    let begun = Instant::now();
    loop {
        let met = judge::expired(&ground.log().await?);
        let seen = at_head(ground, &consumers()).await;
        if met == promised && seen.is_ok() {
            return Ok(());
        }
        require(begun.elapsed() < PATIENCE, || {
            format!("{met} of {promised} deadlines met, {seen:?}")
        })?;
        sleep(Duration::from_millis(200)).await;
    }
}

/// Whether these have seen the whole log. What follows from an event is in the log before the
/// checkpoint of who asked for it: checkpoints are looked at first, all at once.
async fn at_head(ground: &Ground, consumers: &[&str]) -> Result<(), Violation> {
    let known = Leases::new(ground.database.pool.clone()).list().await?;
    let head = ground.direct.head().await?;
    for consumer in consumers {
        let found = known.iter().find(|progress| progress.consumer == *consumer);
        require(found.is_some_and(|progress| progress.position == head), || {
            format!("{consumer} is not at {head}: {found:?}")
        })?;
    }
    Ok(())
}

/// What is asked again has the id it had, and leads to nothing, not even to a record of its own.
async fn asked_again(ground: &Ground, report: &mut Report) -> Result<(), Violation> {
    let sql = "SELECT count(*) FROM eventstore.commands WHERE events = 0";
    let idle: i64 = sqlx::query_scalar(sql).fetch_one(&ground.database.pool).await?;
    require(idle == 0, || format!("{idle} commands were recorded that changed nothing"))?;
    for store in &ground.stores {
        let appends = Outcome::ALL.into_iter().zip(store.activity().appends);
        let again = appends.filter(|(outcome, _)| *outcome == Outcome::Duplicate);
        report.add("reactions asked again", again.map(|(_, count)| count).sum());
    }
    Ok(())
}

/// Nothing waits, and a rebuild finds the same rows.
async fn tables(ground: &Ground, options: PgConnectOptions) -> Result<(), Violation> {
    let pool = ground.database.pool.clone();
    let parked = ParkedEvents::new(pool.clone()).list(None).await?;
    require(parked.is_empty(), || format!("events are parked: {parked:?}"))?;
    let replay = Replay::new(ground.direct.clone(), pool, options);
    for module in MODULES {
        let found = replay.verify(module, &ReplayOptions::default(), &mut |_| {}).await?;
        require(found.count == 0, || format!("a rebuild differs: {found:?}"))?;
    }
    Ok(())
}
