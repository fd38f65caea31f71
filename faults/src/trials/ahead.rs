//! Commands of two busy streams, some of both, decided ahead of the log in two processes, over a network that loses
//! answers. Some come to nothing after others were decided on them. Each event says behind which one
//! it was decided, so one that rests on what never happened stands out, also where something else
//! took its place; and a refusal must rest on what is in the log.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use commands::{Caller, CommandError, Context, Denied, Refusal, Unit, UseCase, execute};
use domain::kernel::{Aggregate, DomainError, KeyId, Kind, TenantId, Timestamp};
use eventstore::{Claim, CommandKey, Outcome, Store, Stored};
use fastrand::Rng;
use tokio::{task::JoinSet, time::Instant};
use uuid::Uuid;

use super::{
    Scale,
    ground::{Ground, now},
    report::{Report, Violation, require},
};
use crate::{
    log::{TENANT, id},
    proxy::{Fault, Weather},
};

/// Clients of each process.
const CLIENTS: u64 = 8;
/// Longest time a client goes on with one command.
const PATIENCE: Duration = Duration::from_secs(60);
/// The streams.
const STREAMS: [Uuid; 2] = [Uuid::from_u128(0xa_4ead), Uuid::from_u128(0xb_4ead)];
/// Of so many commands one at most may find others faster a dozen times.
const CONTENDED: u64 = 20;
/// A value that somebody holds for ever.
const HELD: (&str, &str) = ("test.ahead", "held");

domain::events! {
    /// What happens to a tally.
    pub enum Tallied in "test.tally" {
        /// One more was counted.
        Counted { command: Uuid, behind: Uuid },
    }
}

/// How many were counted, and by which command the last.
#[derive(Debug, Clone, Default)]
struct Tally {
    count: u32,
    last: Uuid,
}

/// Counts one more, unless what it finds is a multiple of a number.
#[derive(Debug)]
struct Count {
    command: Uuid,
    unless: u32,
}

#[derive(Debug, thiserror::Error)]
#[error("not now")]
struct NotNow;

impl DomainError for NotNow {
    fn code(&self) -> &'static str {
        "not-now"
    }

    fn kind(&self) -> Kind {
        Kind::Conflict
    }
}

impl Aggregate for Tally {
    type Id = Uuid;
    type Command = Count;
    type Event = Tallied;
    type Error = NotNow;

    fn decide(&self, count: &Count, _now: Timestamp) -> Result<Vec<Tallied>, NotNow> {
        if self.count > 0 && self.count.is_multiple_of(count.unless) {
            return Err(NotNow);
        }
        Ok(vec![Tallied::Counted { command: count.command, behind: self.last }])
    }

    fn evolve(self, Tallied::Counted { command, .. }: &Tallied) -> Self {
        Self { count: self.count.saturating_add(1), last: *command }
    }

    fn tenant(&self) -> TenantId {
        TENANT
    }

    fn subject(&self) -> Option<KeyId> {
        None
    }
}

/// One command of a client.
struct Ask {
    stream: Uuid,
    /// What becomes of the other stream, which is waited for in no line.
    other: Other,
    unless: u32,
    /// Whether it also wants what somebody holds: it is refused after it was handed in.
    greedy: bool,
    /// What it found when it was decided last.
    seen: AtomicU32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Other {
    Left,
    LookedAt,
    CountedToo,
}

impl UseCase for Ask {
    /// What each stream had that it counted in.
    type Answer = Vec<(Uuid, u32)>;

    fn authorise(&self, _: &Caller) -> Result<(), Denied> {
        Ok(())
    }

    async fn run(&self, unit: &mut Unit<'_>) -> Result<Self::Answer, Refusal> {
        let tally = unit.load::<Tally>(self.stream).await?;
        let seen = unit.state(tally).count;
        self.seen.store(seen, Ordering::Relaxed);
        let mut counted = vec![(self.stream, seen)];
        let command = unit.ctx().command.id;
        unit.decide(tally, &Count { command, unless: self.unless })?;
        let other = STREAMS.into_iter().find(|stream| *stream != self.stream);
        if let Some(other) = other.filter(|_| self.other != Other::Left) {
            let tally = unit.look::<Tally>(other).await?;
            if self.other == Other::CountedToo {
                counted.push((other, unit.state(tally).count));
                unit.decide(tally, &Count { command, unless: u32::MAX })?;
            }
        }
        if self.greedy {
            unit.claim(Claim::take(HELD.0, HELD.1, command));
        }
        Ok(counted)
    }
}

/// Runs the trial.
pub(super) async fn run(seed: u64, scale: Scale) -> Result<Report, Violation> {
    let commands = match scale {
        Scale::Short => 25,
        Scale::Long => 400,
    };
    let ground = Ground::new(seed).await?;
    hold(&ground.direct).await?;
    let weather = Weather {
        first: vec![Fault::LostAnswer, Fault::CutBeforeCommit],
        faults: vec![(Fault::LostAnswer, 20), (Fault::CutBeforeCommit, 20)],
        slow: Duration::ZERO,
        silent: Duration::ZERO,
    };
    ground.weather(&weather);
    let direct = Arc::new(ground.direct.clone());
    let mut clients = JoinSet::new();
    for (number, store) in (0..2 * CLIENTS).zip(ground.stores.iter().cycle()) {
        let client = Client {
            store: store.clone(),
            direct: direct.clone(),
            rng: Rng::with_seed(seed.wrapping_mul(100).wrapping_add(number)),
            number,
        };
        clients.spawn(client.work(commands));
    }
    let (mut report, mut counted) = (Report::default(), HashMap::new());
    while let Some(client) = clients.join_next().await {
        let (found, own) = client??;
        report.merge(&found);
        counted.extend(own);
    }
    let log = ground.log().await?;
    for stream in STREAMS {
        judge(&log, stream, &counted)?;
    }
    let contended = report.counted("contended");
    let most = 2 * CLIENTS * commands / CONTENDED;
    require(contended <= most, || format!("{contended} found others faster too often"))?;
    for store in &ground.stores {
        let activity = store.activity();
        let batches = activity.batch.buckets.iter().sum();
        let outcomes = Outcome::ALL.into_iter().zip(&activity.appends);
        let conflicts = outcomes.filter(|(outcome, _)| *outcome == Outcome::Conflict);
        report.add("tries that met a conflict", conflicts.map(|(_, count)| count).sum());
        report.add("beyond the first of a batch", activity.batched.saturating_sub(batches));
    }
    ground.report(&weather, &mut report);
    ground.close().await;
    Ok(report)
}

/// Takes the value that nobody else will have.
async fn hold(store: &Store) -> Result<(), Violation> {
    let mut first = crate::log::append(id(0), eventstore::Expected::Any, 0, 1);
    first.claims.push(Claim::take(HELD.0, HELD.1, id(0)));
    let held = store.append(first).await;
    held.map(drop).map_err(|fault| Violation(format!("nothing can be held: {fault}")))
}

/// What each command that counted in a stream says that it had seen there.
type Counted = HashMap<(Uuid, Uuid), u32>;

struct Client {
    store: Store,
    direct: Arc<Store>,
    rng: Rng,
    number: u64,
}

impl Client {
    async fn work(mut self, commands: u64) -> Result<(Report, Counted), Violation> {
        let (mut report, mut counted) = (Report::default(), Counted::new());
        for command in 0..commands {
            let command = id(self.number.wrapping_add(1) << 32 | command);
            let ask = Ask {
                stream: if self.rng.bool() { STREAMS[0] } else { STREAMS[1] },
                other: match self.rng.u32(..6) {
                    0 => Other::LookedAt,
                    1 => Other::CountedToo,
                    _ => Other::Left,
                },
                unless: self.rng.u32(5..50),
                greedy: self.rng.u32(..6) == 0,
                seen: AtomicU32::new(0),
            };
            let before = self.counted(ask.stream).await?;
            match self.insist(command, &ask).await? {
                Ok(seen) => {
                    report.add("counted", 1);
                    require(
                        seen.iter().all(|(s, seen)| *s != ask.stream || *seen >= before),
                        || format!("{before} were there, and {seen:?} seen"),
                    )?;
                    counted.extend(seen.into_iter().map(|(s, seen)| ((s, command), seen)));
                }
                Err(CommandError::Taken { .. }) if ask.greedy => report.add("came to nothing", 1),
                Err(CommandError::Refused(Refusal::Rule(_))) => {
                    report.add("refused", 1);
                    let after = self.counted(ask.stream).await?;
                    let seen = ask.seen.into_inner();
                    require(before <= seen && seen <= after, || {
                        format!("refused for {seen}, between {before} and {after}")
                    })?;
                }
                Err(CommandError::Contended) => report.note("contended", 1),
                Err(other) => return Err(Violation(format!("a command was answered {other:?}"))),
            }
        }
        Ok((report, counted))
    }

    /// How many the log holds.
    async fn counted(&self, stream: Uuid) -> Result<u32, Violation> {
        let loaded = self.direct.load_fresh::<Tally>(stream).await;
        loaded.map(|loaded| loaded.state.count).map_err(|fault| Violation(fault.to_string()))
    }

    /// Asks under the same command id until there is an answer.
    async fn insist(
        &self,
        command: Uuid,
        ask: &Ask,
    ) -> Result<Result<Vec<(Uuid, u32)>, CommandError>, Violation> {
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            let ctx = Context {
                store: self.store.clone(),
                caller: Caller::system(),
                now: now(),
                command: CommandKey { tenant: TENANT, id: command, digest: [1; 32] },
                correlation_id: command,
                causation_id: None,
                request: None,
            };
            match execute(&ctx, ask).await {
                Ok(done) => return Ok(Ok(done.answer)),
                Err(CommandError::Unavailable(_) | CommandError::Refused(Refusal::Load(_))) => {}
                Err(refused) => return Ok(Err(refused)),
            }
        }
        Err(Violation(format!("{command} is not answered for {PATIENCE:?}")))
    }
}

/// Each event was decided on exactly those before it, and is of a command that was told so.
fn judge(log: &[Stored], stream: Uuid, counted: &Counted) -> Result<(), Violation> {
    let (mut written, mut last) = (0_u32, Uuid::nil());
    for (event, due) in log.iter().filter(|event| event.envelope.stream == stream).zip(0_u32..) {
        let (payload, command) = (&*event.payload, event.envelope.correlation_id);
        require(payload == format!(r#"{{"command":"{command}","behind":"{last}"}}"#), || {
            format!("behind {last} stands an event that was decided behind another: {payload}")
        })?;
        let told = counted.get(&(stream, command));
        require(told == Some(&due), || format!("event {due} was answered as {told:?}"))?;
        (written, last) = (due.saturating_add(1), command);
    }
    let told = counted.keys().filter(|(of, _)| *of == stream).count();
    require(usize::try_from(written).ok() == Some(told), || {
        format!("{told} were told that they counted, and {written} did")
    })
}
