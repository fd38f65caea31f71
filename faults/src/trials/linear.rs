//! T8: many clients on a handful of streams, over a network with every fault there is. What they
//! heard must be explained, stream by stream, by one order.

use std::{collections::BTreeMap, sync::Arc};

use domain::kernel::Position;
use eventstore::Store;
use fastrand::Rng;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::{
    Scale,
    ground::{Ground, rough},
    report::{Report, Violation, require},
};
use crate::{
    history::{Operation, Recorder},
    linearizability::{Input, Output, Stream, verify},
    log::{Log, command_of, id},
};

/// How often a client asks again for what it does not know the outcome of.
const TRIES: usize = 20;

/// How many ask how much of how many.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// Clients at the same time.
    pub clients: usize,
    /// What each of them asks, not counting repetitions.
    pub operations: u64,
    /// Streams they share.
    pub streams: u64,
}

/// The histories of all streams.
pub type Histories = BTreeMap<Uuid, Vec<Operation<Input, Output>>>;

/// What was judged, if it was found right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Judged {
    /// Operations.
    pub operations: u64,
    /// Those without an answer.
    pub unknown: u64,
}

/// Runs the trial.
pub(super) async fn run(seed: u64, scale: Scale) -> Result<Report, Violation> {
    let shape = match scale {
        Scale::Short => Shape { clients: 16, operations: 12, streams: 4 },
        Scale::Long => Shape { clients: 64, operations: 40, streams: 6 },
    };
    let ground = Ground::new(seed).await?;
    let weather = rough(seed, scale);
    ground.weather(&weather);
    let mut logs: Vec<Arc<dyn Log>> = Vec::new();
    for store in &ground.stores {
        logs.push(Arc::new(store.clone()));
    }
    let histories = drive(&logs, &ground.direct, shape, seed).await;
    in_the_log_once(&ground, &histories).await?;
    let judged = judge(histories).map_err(Violation)?;
    let mut report = Report::default();
    report.add("operations", judged.operations);
    report.note("unknown outcomes", judged.unknown);
    ground.report(&weather, &mut report);
    ground.close().await;
    Ok(report)
}

/// Lets clients ask, and reads every stream once more over a good way when they are done.
pub async fn drive(logs: &[Arc<dyn Log>], direct: &Store, shape: Shape, seed: u64) -> Histories {
    let recorder = Arc::new(Recorder::default());
    let mut clients = JoinSet::new();
    for (client, log) in (0..shape.clients).zip(logs.iter().cycle()) {
        let client = Client {
            number: client,
            log: log.clone(),
            recorder: recorder.clone(),
            rng: Rng::with_seed(seed ^ id_of(client).wrapping_mul(0x9e37_79b9_7f4a_7c15)),
        };
        clients.spawn(client.work(shape));
    }
    while clients.join_next().await.is_some() {}
    for stream in (0..shape.streams).map(id) {
        let asked = recorder.asks(shape.clients, stream, Input::Read);
        recorder.hears(asked, Log::read(direct, stream).await);
    }
    recorder.take()
}

/// Looks for an order in every stream.
///
/// # Errors
/// What cannot be explained, in words.
pub fn judge(histories: Histories) -> Result<Judged, String> {
    let mut judged = Judged { operations: 0, unknown: 0 };
    for (stream, history) in histories {
        verify::<Stream>(&history).map_err(|told| format!("stream {stream}: {told}"))?;
        let unknown = history.iter().filter(|operation| operation.answered.is_none());
        judged.unknown = judged.unknown.saturating_add(count(unknown));
        judged.operations = judged.operations.saturating_add(count(history.iter()));
    }
    Ok(judged)
}

struct Client {
    number: usize,
    log: Arc<dyn Log>,
    recorder: Arc<Recorder<Input, Output>>,
    rng: Rng,
}

impl Client {
    async fn work(mut self, shape: Shape) {
        let mut versions: BTreeMap<Uuid, i32> = BTreeMap::new();
        for operation in 0..shape.operations {
            let stream = id(self.rng.u64(..shape.streams));
            let known = versions.get(&stream).copied().unwrap_or_default();
            let command = id_of(self.number) << 20 | operation | 1 << 31;
            let expected = match self.rng.u8(..10) {
                0..3 => {
                    if let Some(Output::Events(commands)) = self.read(stream).await {
                        let version = i32::try_from(commands.0.len()).unwrap_or_default();
                        versions.insert(stream, version);
                    }
                    continue;
                }
                3..5 => None,
                5 => Some(known.saturating_sub(1).max(0)),
                _ => Some(known),
            };
            let heard = self.append(stream, expected, command).await;
            if let Some(version) = heard.as_ref().and_then(version_of) {
                versions.insert(stream, version);
            }
        }
    }

    async fn read(&self, stream: Uuid) -> Option<Output> {
        let asked = self.recorder.asks(self.number, stream, Input::Read);
        let heard = self.log.read(stream).await;
        self.recorder.hears(asked, heard.clone());
        heard
    }

    /// Asks until the outcome is known. Each try is an operation of its own.
    async fn append(&self, stream: Uuid, expected: Option<i32>, command: u64) -> Option<Output> {
        for _ in 0..TRIES {
            let input = Input::Append { expected, command };
            let asked = self.recorder.asks(self.number, stream, input);
            let heard = self.log.append(stream, expected, command).await;
            self.recorder.hears(asked, heard.clone());
            if heard.is_some() {
                return heard;
            }
        }
        None
    }
}

fn version_of(output: &Output) -> Option<i32> {
    match output {
        Output::Committed { version, .. }
        | Output::Duplicate { version, .. }
        | Output::Conflict { version } => Some(*version),
        Output::Events(_) | Output::Nonsense(_) => None,
    }
}

fn id_of(client: usize) -> u64 {
    u64::try_from(client).unwrap_or_default()
}

fn count<T>(items: impl Iterator<Item = T>) -> u64 {
    u64::try_from(items.count()).unwrap_or(u64::MAX)
}

/// What was acknowledged is in the log exactly once, where it was said to be; nothing is twice.
async fn in_the_log_once(ground: &Ground, histories: &Histories) -> Result<(), Violation> {
    let log = ground.log().await?;
    let mut places: BTreeMap<u64, Position> = BTreeMap::new();
    for event in &log {
        let command = command_of(event).unwrap_or_default();
        let twice = places.insert(command, event.envelope.position);
        require(twice.is_none(), || format!("command {command:x} is in the log twice"))?;
    }
    for operation in histories.values().flatten() {
        let Input::Append { command, .. } = operation.input else { continue };
        let Some((_, Output::Committed { position, .. } | Output::Duplicate { position, .. })) =
            operation.answered
        else {
            continue;
        };
        require(places.get(&command) == Some(&Position(position)), || {
            format!("command {command:x} was acknowledged at {position} and is not there")
        })?;
    }
    Ok(())
}
