//! Group commit: one task writes whatever has gathered while the last batch was written.
//!
//! There is no timer; a lone caller waits for nobody. Every caller gets its own verdict.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use domain::kernel::{Envelope, Position, Version};
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};

use crate::{
    activity::{Activity, Counters, Outcome},
    admission,
    ahead::{End, Owed},
    append::{AppendError, Committed},
    backend::{Backend, CommandRecord, Sealed, Unavailable, Verdict},
    event::Stored,
    feed::Feed,
};

/// Most appends that may wait; more are refused as overload.
const MOST_WAITING: usize = 4_096;
/// How far the writer looks into the line for appends that touch other things.
const LOOKAHEAD: usize = 4 * admission::MOST;
/// How often a batch is tried while the log cannot be reached.
const TRIES: u32 = 4;
/// How long a caller waits for its verdict. The append may still be written afterwards, as after
/// any answer that got lost: the command id tells.
const ANSWER: Duration = Duration::from_secs(10);

pub(crate) struct Request {
    pub(crate) append: Arc<Sealed>,
    pub(crate) answer: oneshot::Sender<Result<Committed, Refused>>,
    pub(crate) owed: Owed,
}

/// Why an append was not written.
#[derive(Debug, PartialEq, thiserror::Error)]
pub(crate) enum Refused {
    /// What the caller is told.
    #[error(transparent)]
    Told(#[from] AppendError),
    /// A key it makes is there already; sealed under that one, it may be written.
    #[error("a key it makes is there already")]
    KeyMade,
}

impl From<Unavailable> for Refused {
    fn from(fault: Unavailable) -> Self {
        Self::Told(fault.into())
    }
}

/// Where appends are handed in.
#[derive(Clone)]
pub(crate) struct Writer {
    queue: mpsc::Sender<Request>,
    counters: Arc<Counters>,
}

impl Writer {
    /// Starts the writing task; it ends when the last handle is gone and the queue is empty.
    pub(crate) fn start(backend: Arc<dyn Backend>, feed: Arc<Feed>) -> Self {
        let (queue, requests) = mpsc::channel(MOST_WAITING);
        let counters = Arc::<Counters>::default();
        tokio::spawn(run(requests, backend, feed, counters.clone()));
        Self { queue, counters }
    }

    /// What was done so far.
    pub(crate) fn activity(&self) -> Activity {
        self.counters.read()
    }

    /// Hands an append in, says so, and waits for its verdict.
    pub(crate) async fn append(
        &self,
        append: Arc<Sealed>,
        handed_in: impl FnOnce(),
    ) -> Result<Committed, Refused> {
        let begun = Instant::now();
        let waiting = self.counters.wait();
        let answer = self.hand_in(append, handed_in).await;
        drop(waiting);
        self.counters.answered(Outcome::of(&answer), begun.elapsed());
        answer
    }

    async fn hand_in(
        &self,
        append: Arc<Sealed>,
        handed_in: impl FnOnce(),
    ) -> Result<Committed, Refused> {
        let (answer, verdict) = oneshot::channel();
        let owed = Owed::new(append.line.fate.clone());
        self.queue.try_send(Request { append, answer, owed }).map_err(|e| match e {
            mpsc::error::TrySendError::Full(_) => Refused::from(AppendError::Overloaded),
            mpsc::error::TrySendError::Closed(_) => Unavailable::stopped().into(),
        })?;
        handed_in();
        let verdict = timeout(ANSWER, verdict).await.map_err(Unavailable::lost)?;
        verdict.unwrap_or_else(|_| Err(Unavailable::stopped().into()))
    }
}

async fn run(
    mut requests: mpsc::Receiver<Request>,
    backend: Arc<dyn Backend>,
    feed: Arc<Feed>,
    counters: Arc<Counters>,
) {
    let mut waiting: VecDeque<Request> = VecDeque::new();
    let mut last = 0;
    loop {
        if waiting.is_empty() {
            let Some(request) = requests.recv().await else { return };
            waiting.push_back(request);
        }
        gather(&mut requests, &mut waiting);
        let most = share(last, waiting.len());
        let batch = admission::admit(&mut waiting, most, |request| &request.append);
        last = batch.len();
        let begun = Instant::now();
        let answers = write(batch, &*backend, &feed).await;
        counters.batch(last, begun.elapsed());
        // Before the answers: whoever hears one may go on with what is foreseen, and should not join
        // what can be written no more.
        gather(&mut requests, &mut waiting);
        for (request, outcome) in answers {
            // The caller may have gone; what was recorded stays recorded.
            drop(request.answer.send(outcome));
        }
    }
}

/// Takes in what was handed in meanwhile. Whatever follows what came to nothing will come to nothing,
/// and so will what follows that, which stands behind it.
fn gather(requests: &mut mpsc::Receiver<Request>, waiting: &mut VecDeque<Request>) {
    while waiting.len() < LOOKAHEAD {
        let Ok(request) = requests.try_recv() else { break };
        waiting.push_back(request);
    }
    for Request { append, owed, .. } in waiting {
        if append.line.follows.iter().any(|fate| fate.end() == End::Void) {
            owed.settle(false);
        }
    }
}

/// An append and what its caller is told.
type Told = (Request, Result<Committed, Refused>);

/// How many of those around go into the next batch: about half. With all of them in one, callers
/// and server would take turns at idling; so one half prepares while the other is written.
fn share(last: usize, waiting: usize) -> usize {
    last.saturating_add(waiting).div_ceil(2)
}

/// Writes a batch; fates are settled by then.
async fn write(batch: Vec<Request>, backend: &dyn Backend, feed: &Feed) -> Vec<Told> {
    let appends: Vec<_> = batch.iter().map(|request| request.append.clone()).collect();
    match attempt(backend, &appends).await {
        Ok(verdicts) => settle(batch, verdicts, feed),
        Err(fault) if fault.is_refusal() && !fault.is_full() && batch.len() > 1 => {
            // One append the database itself refuses must not take the others with it.
            let mut told = Vec::with_capacity(batch.len());
            for request in batch {
                match attempt(backend, std::slice::from_ref(&request.append)).await {
                    Ok(verdicts) => told.extend(settle(vec![request], verdicts, feed)),
                    Err(fault) => told.push(settled(request, Err(fault.into()))),
                }
            }
            told
        }
        Err(fault) => {
            let told = batch.into_iter().map(|request| settled(request, Err(fault.clone().into())));
            told.collect()
        }
    }
}

/// Writes a batch, again after a lost connection: the command ids tell what came through.
async fn attempt(
    backend: &dyn Backend,
    appends: &[Arc<Sealed>],
) -> Result<Vec<Verdict>, Unavailable> {
    let mut pause = Duration::from_millis(20);
    let mut tries = 1;
    let mut verdicts = loop {
        match backend.append(appends).await {
            Err(fault) if !fault.is_refusal() && tries < TRIES => {
                tracing::warn!(cause = ?fault, "the log cannot be reached; trying again");
                tokio::time::sleep(pause).await;
                pause = pause.saturating_mul(4);
                tries = tries.saturating_add(1);
            }
            outcome => break outcome?,
        }
    };
    if tries > 1 {
        for (append, verdict) in appends.iter().zip(&mut verdicts) {
            if let Verdict::Duplicate(record) = verdict
                && let Some(written) = reclaim(backend, append, record).await?
            {
                *verdict = written;
            }
        }
    }
    Ok(verdicts)
}

/// What a lost try wrote, if it did: the events of that command carry the ids we gave them.
async fn reclaim(
    backend: &dyn Backend,
    append: &Sealed,
    record: &CommandRecord,
) -> Result<Option<Verdict>, Unavailable> {
    let count = i64::try_from(append.events.len()).unwrap_or(i64::MAX);
    let before = Position(record.position.0.saturating_sub(count));
    let written = backend.read(before, count).await?;
    let found = written.iter().map(|event| event.envelope.event_id);
    let Some(first) = written.first().filter(|_| found.eq(append.events.iter().map(|e| e.id)))
    else {
        return Ok(None);
    };
    let after = |stream| record.versions.iter().find(|(id, _)| *id == stream);
    let versions = append.conditions.iter();
    let versions = versions.map(|c| after(c.stream).map_or(Version(0), |(_, version)| *version));
    Ok(Some(Verdict::Committed {
        first: first.envelope.position,
        last: record.position,
        recorded_at: first.envelope.recorded_at,
        versions: versions.collect(),
    }))
}

fn settle(batch: Vec<Request>, verdicts: Vec<Verdict>, feed: &Feed) -> Vec<Told> {
    let mut news: Vec<Stored> = Vec::new();
    for (request, verdict) in batch.iter().zip(&verdicts) {
        if let Verdict::Committed { first, recorded_at, versions, last } = verdict {
            news.extend(stored(&request.append, (*first, *last), *recorded_at, versions));
        }
    }
    news.sort_by_key(|event| event.envelope.position);
    // Readers first: whoever hears of the commit may ask for what it led to.
    feed.push(news);
    let mut verdicts = verdicts.into_iter();
    let told = batch.into_iter().map(|request| {
        let outcome = verdicts
            .next()
            .map_or_else(|| Err(Unavailable::stopped().into()), |v| judged(&request.append, v));
        settled(request, outcome)
    });
    told.collect()
}

fn settled(mut request: Request, outcome: Result<Committed, Refused>) -> Told {
    request.owed.settle(outcome.as_ref().is_ok_and(|committed| !committed.duplicate));
    (request, outcome)
}

fn judged(append: &Sealed, verdict: Verdict) -> Result<Committed, Refused> {
    let refusal = match verdict {
        Verdict::Committed { last, versions, .. } => {
            return Ok(Committed {
                position: last,
                versions: append
                    .conditions
                    .iter()
                    .zip(versions)
                    .filter(|(condition, _)| condition.count > 0)
                    .map(|(condition, version)| (condition.stream, version))
                    .collect(),
                reply: append.reply.as_deref().and_then(|json| serde_json::from_str(json).ok()),
                duplicate: false,
            });
        }
        Verdict::Duplicate(record) => {
            return Ok(Committed {
                position: record.position,
                versions: record.versions,
                reply: record.reply,
                duplicate: true,
            });
        }
        Verdict::Reused => AppendError::CommandReused,
        Verdict::Conflict(versions) => AppendError::Conflict(versions),
        Verdict::ClaimTaken(scope) => AppendError::ClaimTaken { scope },
        Verdict::SubjectErased => AppendError::SubjectErased,
        Verdict::KeyMade => return Err(Refused::KeyMade),
    };
    Err(refusal.into())
}

/// The rows just written, without reading them back. `versions` are those after the append.
pub(crate) fn stored(
    append: &Sealed,
    (first, last): (Position, Position),
    recorded_at: domain::kernel::Timestamp,
    versions: &[Version],
) -> Vec<Stored> {
    let meta = &append.meta;
    let positions = first.0..;
    positions
        .zip(&append.events)
        .filter_map(|(position, event)| {
            let condition = append.conditions.get(event.condition)?;
            let after = versions.get(event.condition)?.0;
            let envelope = Envelope {
                position: Position(position),
                append_last: last,
                event_id: event.id,
                tenant: condition.tenant,
                category: condition.category.into(),
                stream: condition.stream,
                version: Version(after.saturating_sub(condition.count).saturating_add(event.rank)),
                name: event.name.as_str().into(),
                schema_version: event.schema_version,
                occurred_at: meta.occurred_at,
                recorded_at,
                actor: meta.actor,
                correlation_id: meta.correlation_id,
                causation_id: meta.causation_id,
                request: None,
                key_id: event.key,
                request_key_id: meta.request_key,
            };
            Some(Stored {
                envelope: Arc::new(envelope),
                payload: event.payload.clone(),
                request: meta.request.clone(),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use domain::kernel::TenantId;

    use super::*;
    use crate::{
        ahead::{Fate, Line},
        tests::{command, sealed},
    };

    fn handed_in(number: u128, line: Line) -> Request {
        let append = sealed(command(TenantId::PLATFORM, number, 0), Vec::new(), None);
        let owed = Owed::new(line.fate.clone());
        Request { append: Arc::new(Sealed { line, ..append }), answer: oneshot::channel().0, owed }
    }

    #[test]
    fn what_follows_the_void_is_void_at_any_distance_and_stays_in_line() {
        let fates: Vec<Fate> = (0..4).map(|_| Fate::default()).collect();
        let (queue, mut requests) = mpsc::channel(8);
        let mut waiting = VecDeque::new();
        for number in 1..4_u8 {
            let number = usize::from(number);
            let follows = vec![fates[number - 1].clone()];
            let line = Line { fate: Some(fates[number].clone()), follows };
            let request = handed_in(u128::try_from(number).unwrap(), line);
            match number {
                1 => waiting.push_back(request),
                _ => queue.try_send(request).ok().unwrap(),
            }
        }
        gather(&mut requests, &mut waiting);
        assert!(fates.iter().all(|fate| fate.end() == End::Open));
        Owed::new(Some(fates[0].clone())).settle(false);
        gather(&mut requests, &mut waiting);
        assert!(fates.iter().all(|fate| fate.end() == End::Void));
        assert_eq!(waiting.len(), 3, "the log answers a repetition");
    }
}
