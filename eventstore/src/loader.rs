//! Batched loads: one query answers all aggregates that wait to be loaded.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use domain::kernel::Version;
use tokio::{
    sync::{Mutex, Semaphore, SemaphorePermit, mpsc, oneshot},
    time::timeout,
};
use uuid::Uuid;

use crate::{
    backend::{Backend, Unavailable},
    event::Fact,
};

/// Most streams in one query.
const MOST: usize = 256;
/// Most loads that may wait.
const MOST_WAITING: usize = 8_192;
/// How long loads gather while a question is out: few large questions cost the server less than
/// many small ones, and a long answer holds nobody up for longer than this.
const GATHER: Duration = Duration::from_millis(2);

struct Request {
    stream: Uuid,
    after: Version,
    answer: oneshot::Sender<Result<Vec<Fact>, Unavailable>>,
}

/// Where loads are handed in.
#[derive(Clone)]
pub(crate) struct Loader {
    queue: mpsc::Sender<Request>,
}

impl Loader {
    /// Starts the loading tasks; they end when the last handle is gone.
    pub(crate) fn start(backend: Arc<dyn Backend>, tasks: usize) -> Self {
        let (queue, requests) = mpsc::channel(MOST_WAITING);
        let line = Arc::new(Line { requests: Mutex::new(requests), alone: Semaphore::new(1) });
        for _ in 0..tasks {
            tokio::spawn(run(line.clone(), backend.clone()));
        }
        Self { queue }
    }

    /// The facts of a stream after a version, in order.
    pub(crate) async fn load(
        &self,
        stream: Uuid,
        after: Version,
    ) -> Result<Vec<Fact>, Unavailable> {
        let (answer, facts) = oneshot::channel();
        self.queue
            .send(Request { stream, after, answer })
            .await
            .map_err(|_| Unavailable::stopped())?;
        facts.await.unwrap_or_else(|_| Err(Unavailable::stopped()))
    }
}

/// The loads that wait, before all tasks.
struct Line {
    requests: Mutex<mpsc::Receiver<Request>>,
    /// Taken by whoever asks while nobody else does.
    alone: Semaphore,
}

impl Line {
    /// The loads to answer with one question; none when the last handle is gone. What comes with
    /// them is held until that is answered.
    async fn next(&self, batch: &mut Vec<Request>) -> Option<Option<SemaphorePermit<'_>>> {
        let mut requests = self.requests.lock().await;
        batch.push(requests.recv().await?);
        let alone = timeout(GATHER, self.alone.acquire()).await.ok().and_then(Result::ok);
        while batch.len() < MOST
            && let Ok(request) = requests.try_recv()
        {
            batch.push(request);
        }
        Some(alone)
    }
}

async fn run(line: Arc<Line>, backend: Arc<dyn Backend>) {
    let mut batch = Vec::new();
    while let Some(_alone) = line.next(&mut batch).await {
        // Two callers may want one stream from different versions on: read from the lower.
        let mut wanted: BTreeMap<Uuid, Version> = BTreeMap::new();
        for request in &batch {
            let after = wanted.entry(request.stream).or_insert(request.after);
            *after = request.after.min(*after);
        }
        let wanted: Vec<_> = wanted.into_iter().collect();
        match backend.load(&wanted).await {
            // One stream that cannot be read must not take the others with it.
            Err(fault) if fault.is_refusal() && wanted.len() > 1 => {
                for alone in wanted {
                    let of_it = batch.extract_if(.., |request| request.stream == alone.0);
                    hand_out(of_it.collect(), backend.load(&[alone]).await);
                }
            }
            facts => hand_out(std::mem::take(&mut batch), facts),
        }
    }
}

fn hand_out(batch: Vec<Request>, facts: Result<Vec<Fact>, Unavailable>) {
    let streams = facts.map(|facts| {
        let mut streams: HashMap<Uuid, Vec<Fact>> = HashMap::with_capacity(batch.len());
        for fact in facts {
            streams.entry(fact.stream).or_default().push(fact);
        }
        streams
    });
    for request in batch {
        let answer = streams.as_ref().map_err(Clone::clone).map(|streams| {
            let facts = streams.get(&request.stream).into_iter().flatten();
            facts.filter(|fact| fact.version > request.after).cloned().collect()
        });
        drop(request.answer.send(answer));
    }
}
