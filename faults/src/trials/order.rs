//! T10: many writers in two processes, commits that take their time, appends that are rolled back,
//! and a forgotten transaction with an old snapshot. Readers see one order: nothing at or below
//! what they saw, no gap, no double, and soon.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use domain::kernel::{Position, Version};
use eventstore::{AppendError, Expected, Store, Stored, Subscription};
use fastrand::Rng;
use sqlx::PgPool;
use tokio::{sync::watch, task::JoinSet, time::Instant};
use uuid::Uuid;

use super::{
    Scale,
    ground::{Ground, store},
    report::{Report, Violation, require},
};
use crate::{
    log::{append, id},
    proxy::{Fault, Weather},
};

const WRITERS: u64 = 32;
/// Longest time from the moment a writer is told to the moment a reader has it.
const STALL: Duration = Duration::from_secs(1);

/// What writers were told and when.
type Told = Arc<Mutex<Vec<(Position, Instant)>>>;

/// Event ids in the order a reader saw them, and when.
type Seen = Vec<(Uuid, Instant)>;

/// Runs the trial.
pub(super) async fn run(seed: u64, scale: Scale) -> Result<Report, Violation> {
    let (appends, slow) = match scale {
        Scale::Short => (12, Duration::from_millis(80)),
        Scale::Long => (60, Duration::from_millis(500)),
    };
    let ground = Ground::new(seed).await?;
    let weather = Weather {
        first: vec![Fault::SlowCommit, Fault::CutBeforeCommit],
        faults: vec![(Fault::SlowCommit, 400), (Fault::CutBeforeCommit, 60)],
        slow,
        silent: Duration::ZERO,
    };
    let idle = forgotten(&ground.database.pool).await?;
    ground.weather(&weather);
    let told = Told::default();
    let (done, until) = watch::channel(None);
    let third = store(ground.database.url.parse()?).await?;
    let mut readers = JoinSet::new();
    readers.spawn(page(third.clone(), until.clone()));
    readers.spawn(follow(third.subscribe(Position(0)), until.clone()));
    for store in &ground.stores {
        readers.spawn(follow(store.subscribe(Position(0)), until.clone()));
    }
    let mut writers = JoinSet::new();
    for (writer, store) in (0..WRITERS).zip(ground.stores.iter().cycle()) {
        let rng = Rng::with_seed(seed.wrapping_mul(1_000).wrapping_add(writer));
        writers.spawn(write(store.clone(), rng, (writer, appends), told.clone()));
    }
    let mut refused = 0_u64;
    while let Some(part) = writers.join_next().await {
        refused = refused.saturating_add(part??);
    }
    done.send_replace(Some(ground.direct.head().await?));
    let log = ground.log().await?;
    let told = std::mem::take(&mut *told.lock().unwrap_or_else(PoisonError::into_inner));
    let mut report = Report::default();
    report.add("appends", u64::try_from(told.len()).unwrap_or_default());
    report.add("events", u64::try_from(log.len()).unwrap_or_default());
    report.add("refused for their version", refused);
    while let Some(seen) = readers.join_next().await {
        let stall = compare(&log, &seen??, &told)?;
        report.took("stall", stall);
        require(stall <= STALL, || format!("a reader was {stall:?} behind what was acknowledged"))?;
    }
    idle.rollback().await?;
    ground.report(&weather, &mut report);
    ground.close().await;
    Ok(report)
}

/// A transaction that somebody forgot, with a snapshot and an id as old as the log.
async fn forgotten(pool: &PgPool) -> sqlx::Result<sqlx::Transaction<'static, sqlx::Postgres>> {
    let mut transaction = pool.begin().await?;
    sqlx::raw_sql(
        "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ;
         SELECT count(*) FROM eventstore.events;
         INSERT INTO eventstore.process_state
         VALUES ('idle', gen_random_uuid(), gen_random_uuid(), '{}');",
    )
    .execute(&mut *transaction)
    .await?;
    Ok(transaction)
}

/// Appends one to four events at a time; every fourth append expects a version nobody has. Counts
/// the refused.
async fn write(
    store: Store,
    mut rng: Rng,
    (writer, appends): (u64, u64),
    told: Told,
) -> Result<u64, Violation> {
    let mut refused = 0_u64;
    for n in 0..appends {
        let command = writer << 20 | n;
        let (stream, expected) = match rng.u8(..4) {
            0 => (id(writer), Expected::Exact(Version(1_000_000))),
            1 => (id(writer), Expected::Any),
            _ => (id(1 << 40), Expected::Any),
        };
        let asked = append(stream, expected, command, rng.usize(1..=4));
        loop {
            match store.append(asked.clone()).await {
                Ok(done) => {
                    let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
                    told.push((done.position, Instant::now()));
                    break;
                }
                Err(AppendError::Conflict(_)) => {
                    refused = refused.saturating_add(1);
                    break;
                }
                Err(AppendError::Unavailable(fault)) if !fault.is_refusal() => {}
                Err(other) => return Err(Violation(format!("command {command}: {other}"))),
            }
        }
    }
    Ok(refused)
}

/// Reads page after page, looking all the while.
async fn page(store: Store, until: watch::Receiver<Option<Position>>) -> Result<Seen, Violation> {
    let mut seen = Seen::new();
    let mut at = Position(0);
    while until.borrow().is_none_or(|until| at < until) {
        let events = store.read(at, 50).await?;
        at = take_in(&mut seen, at, &events)?;
        if events.is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    Ok(seen)
}

/// The same through a subscription, which hands over whole appends; a bad network may interrupt
/// it, but never move its place.
async fn follow(
    mut subscription: Subscription,
    until: watch::Receiver<Option<Position>>,
) -> Result<Seen, Violation> {
    let mut seen = Seen::new();
    let mut at = Position(0);
    while until.borrow().is_none_or(|until| at < until) {
        let Ok(events) = subscription.next(50).await else { continue };
        at = take_in(&mut seen, at, &events)?;
        let whole = events.last().is_none_or(|e| e.envelope.append_last == e.envelope.position);
        require(whole, || format!("half an append was handed over at {at}"))?;
    }
    Ok(seen)
}

/// What comes next is what comes next in the log: no gap, no double, nothing from below.
fn take_in(seen: &mut Seen, at: Position, events: &[Stored]) -> Result<Position, Violation> {
    let now = Instant::now();
    let mut last = at;
    for event in events {
        let position = event.envelope.position;
        let due = last.0.saturating_add(1);
        require(position.0 == due, || format!("position {position} came after {last}"))?;
        last = position;
        seen.push((event.envelope.event_id, now));
    }
    Ok(last)
}

/// What was seen is the log; how long it took at worst.
fn compare(
    log: &[Stored],
    seen: &Seen,
    told: &[(Position, Instant)],
) -> Result<Duration, Violation> {
    let ids = log.iter().map(|event| event.envelope.event_id);
    require(ids.eq(seen.iter().map(|(id, _)| *id)), || "a reader saw another log".to_owned())?;
    let mut worst = Duration::ZERO;
    for (position, at) in told {
        let index = usize::try_from(position.0.saturating_sub(1)).unwrap_or(usize::MAX);
        let seen_at = seen.get(index).map(|(_, seen_at)| *seen_at);
        let Some(seen_at) = seen_at else {
            return Err(Violation(format!("{position} was acknowledged and is not there")));
        };
        worst = worst.max(seen_at.saturating_duration_since(*at));
    }
    Ok(worst)
}
