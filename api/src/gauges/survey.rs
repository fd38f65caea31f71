//! What only the database knows, asked every few seconds.
//!
//! Asked of the checkpoints rather than of this process: another one may keep the tables.

use std::{
    fmt,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use eventstore::Consumer;
use projections::module;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeGaugeValue, GaugeValueEncoder},
    metrics::{MetricType, gauge::ConstGauge},
};
use sqlx::PgPool;
use tokio::{task::JoinHandle, time};

use super::Page;
use crate::{clock::Clock, disk};

/// How often the database is asked.
const EVERY: time::Duration = time::Duration::from_secs(5);
/// How long it may take to answer.
const PATIENCE: time::Duration = time::Duration::from_secs(5);
/// What policies have in place of a schema.
const POLICY: &str = "policy";

/// The last answer.
#[derive(Debug, Clone, Default)]
pub(super) struct Survey(Arc<Mutex<Option<Answer>>>);

#[derive(Debug, Clone)]
struct Answer {
    found: eventstore::Survey,
    /// When it came, in seconds since 1970.
    at: u64,
    /// How far our clock is ahead of the server's, in seconds.
    skew: f64,
    /// How long the question took, with the wait for a connection.
    took: time::Duration,
    /// Bytes free where the data lies.
    free: Option<u64>,
}

impl Survey {
    /// Begins to ask.
    pub(super) fn start(pool: PgPool, data_dir: Option<PathBuf>) -> (Self, JoinHandle<()>) {
        let survey = Self::default();
        let asking = survey.clone();
        let task = tokio::spawn(async move {
            let mut tick = time::interval(EVERY);
            loop {
                tick.tick().await;
                if let Some(answer) = ask(&pool, data_dir.as_deref()).await {
                    *asking.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer);
                }
            }
        });
        (survey, task)
    }
}

/// Without an answer the last one stays, and its age tells.
async fn ask(pool: &PgPool, data_dir: Option<&std::path::Path>) -> Option<Answer> {
    let begun = Instant::now();
    let found = time::timeout(PATIENCE, eventstore::survey(pool)).await.ok()?;
    let found = found
        .inspect_err(|fault| tracing::debug!(cause = ?fault, "the database gave no account"))
        .ok()?;
    let took = begun.elapsed();
    let now = Clock::system().now();
    let skew = now.signed_duration_since(found.clock).as_seconds_f64();
    let free = data_dir.and_then(disk::free_bytes);
    Some(Answer { found, at: Clock::system().seconds(), skew, took, free })
}

impl Collector for Survey {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let answer = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(Answer { found, at, skew, took, free }) = answer else { return Ok(()) };
        let mut page = Page(encoder);
        page.gauge("database_answered_timestamp_seconds", "Last account, since 1970", at)?;
        page.gauge(
            "database_answer_duration_seconds",
            "How long the account took, with the wait for a connection",
            took.as_secs_f64(),
        )?;
        page.gauge("database_clock_skew_seconds", "Our clock less the server's", skew)?;
        page.gauge("database_size_bytes", "Size of the database on disk", found.size)?;
        if let Some(free) = free {
            page.gauge("database_free_bytes", "Free where the data lies", free)?;
        }
        page.gauge(
            "database_wal_archive_failing",
            "1 while the server's last try to archive its write-ahead log failed",
            u32::from(found.archive_failing),
        )?;
        page.gauge("timers_due", "Timers whose time has come", found.timers_due)?;
        page.gauge(
            "timer_lateness_seconds",
            "For how long the oldest due timer has been due",
            found.timer_lateness,
        )?;
        projections(&mut page, &found)?;
        policies(&mut page, &found)
    }
}

fn projections(page: &mut Page<'_>, found: &eventstore::Survey) -> fmt::Result {
    let live: Vec<_> = found.consumers.iter().filter(|one| one.name == one.target).collect();
    each(page, "projection", ("module", "the tables of a module"), found.head.0, &live)?;
    let current = |one: &&&Consumer| {
        module(&one.name).is_some_and(|module| module.fingerprint() == one.fingerprint)
    };
    page.family(
        ("projection_outdated", "1 while tables were made by folds of another version"),
        MetricType::Gauge,
        live.iter().map(|one| {
            ([("module", one.name.as_str())], ConstGauge::new(u32::from(!current(&one))))
        }),
    )
}

fn policies(page: &mut Page<'_>, found: &eventstore::Survey) -> fmt::Result {
    let all: Vec<_> = found.consumers.iter().filter(|one| one.target == POLICY).collect();
    each(page, "policy", ("policy", "a policy"), found.head.0, &all)
}

/// The metrics of everybody of a kind who follows the log.
fn each(
    page: &mut Page<'_>,
    prefix: &str,
    (label, whose): (&str, &str),
    head: i64,
    all: &[&Consumer],
) -> fmt::Result {
    let behind = |one: &Consumer| head.saturating_sub(one.position.0).max(0);
    let mut family = |name: &str, help: String, value: &dyn Fn(&Consumer) -> Value| {
        let members =
            all.iter().map(|one| ([(label, one.name.as_str())], ConstGauge::new(value(one))));
        page.family((&format!("{prefix}_{name}"), &help), MetricType::Gauge, members)
    };
    family("position", format!("Up to where {whose} is"), &|one| Value::Count(one.position.0))?;
    family("lag_events", format!("Events {whose} is behind the log"), &|one| {
        Value::Count(behind(one))
    })?;
    family("lag_seconds", format!("Age of the first event that {whose} lacks"), &|one| {
        Value::Real(one.lag)
    })?;
    family("parked_events", format!("Events of {whose} that wait behind a fault"), &|one| {
        Value::Count(one.parked)
    })?;
    family("lease_held", format!("1 while a process keeps {whose} up"), &|one| {
        Value::Count(i64::from(one.held))
    })
}

/// Positions and counts are exact; times are not.
#[derive(Debug, Clone, Copy)]
enum Value {
    Count(i64),
    Real(f64),
}

impl EncodeGaugeValue for Value {
    fn encode(&self, encoder: &mut GaugeValueEncoder<'_>) -> fmt::Result {
        match self {
            Self::Count(value) => value.encode(encoder),
            Self::Real(value) => value.encode(encoder),
        }
    }
}
