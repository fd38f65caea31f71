//! Batched loads: one query answers all aggregates that wait to be loaded.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use domain::kernel::Version;
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use crate::{
    backend::{Backend, Unavailable},
    event::Stored,
};

/// Most streams in one query.
const MOST: usize = 256;
/// Most loads that may wait.
const MOST_WAITING: usize = 8_192;

struct Request {
    stream: Uuid,
    after: Version,
    answer: oneshot::Sender<Result<Vec<Stored>, Unavailable>>,
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
        let requests = Arc::new(tokio::sync::Mutex::new(requests));
        for _ in 0..tasks {
            tokio::spawn(run(requests.clone(), backend.clone()));
        }
        Self { queue }
    }

    /// The events of a stream after a version.
    pub(crate) async fn load(
        &self,
        stream: Uuid,
        after: Version,
    ) -> Result<Vec<Stored>, Unavailable> {
        let (answer, events) = oneshot::channel();
        self.queue
            .send(Request { stream, after, answer })
            .await
            .map_err(|_| Unavailable::stopped())?;
        events.await.unwrap_or_else(|_| Err(Unavailable::stopped()))
    }
}

async fn run(
    requests: Arc<tokio::sync::Mutex<mpsc::Receiver<Request>>>,
    backend: Arc<dyn Backend>,
) {
    let mut batch = Vec::new();
    loop {
        if requests.lock().await.recv_many(&mut batch, MOST).await == 0 {
            return;
        }
        // Two callers may want one stream from different versions on: read from the lower.
        let mut wanted: BTreeMap<Uuid, Version> = BTreeMap::new();
        for request in &batch {
            let after = wanted.entry(request.stream).or_insert(request.after);
            *after = request.after.min(*after);
        }
        let wanted: Vec<_> = wanted.into_iter().collect();
        match backend.load(&wanted).await {
            Ok(events) => hand_out(&mut batch, events),
            Err(fault) => {
                for request in batch.drain(..) {
                    drop(request.answer.send(Err(fault.clone())));
                }
            }
        }
    }
}

fn hand_out(batch: &mut Vec<Request>, events: Vec<Stored>) {
    let mut streams: HashMap<Uuid, Vec<Stored>> = HashMap::new();
    for event in events {
        streams.entry(event.envelope.stream).or_default().push(event);
    }
    for request in batch.drain(..) {
        let events = streams.get(&request.stream).map_or_else(Vec::new, |events| {
            events.iter().filter(|e| e.envelope.version > request.after).cloned().collect()
        });
        drop(request.answer.send(Ok(events)));
    }
}
