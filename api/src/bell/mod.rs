//! The doorbell: processes that share a log wake one another through NATS.
//!
//! Owns one connection to a NATS server and what goes over it: how far this process has written,
//! told to the others, and what they tell, given to the log as a hint. Refuses to carry events and
//! to be relied on: a lost message costs one polling interval, a false one a question to the log
//! (ADR 0011).

mod backoff;
mod line;
mod message;
mod state;

use std::time::Duration;

use domain::kernel::Position;
use eventstore::{Store, Unavailable};
use futures_util::StreamExt;
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};
use uuid::Uuid;

use crate::{clock::mint, config::Nats, metrics::Metrics};
use backoff::Backoff;
use line::{Line, QUEUE};
use message::{Ring, subject};
use state::Status;

pub use line::LineError;
pub use state::State;

/// How long nobody is listened to after a message that was not true: as long as readers would
/// wait anyway, so that whoever floods the subject with lies gains nothing but that.
const DEAF: Duration = Duration::from_millis(200);
/// How long the last message may take when stopping.
const FAREWELL: Duration = Duration::from_secs(1);
/// A connection that lasted so long was a good one: the next is tried for soon.
const STEADY: Duration = Duration::from_secs(10);

/// The bell of this process, kept until it is told to stop.
#[derive(Debug)]
pub struct Bell {
    stop: watch::Sender<bool>,
    state: watch::Receiver<State>,
    task: JoinHandle<()>,
}

impl Bell {
    /// Starts to ring, and to listen, for the log of a store; none if no server is configured.
    /// The server may be away: it is tried for ever.
    ///
    /// # Errors
    /// If the log cannot be asked for its name.
    pub async fn start(
        store: Store,
        settings: &Nats,
        metrics: &Metrics,
    ) -> Result<Option<Self>, Unavailable> {
        let Some(url) = settings.url.as_deref() else { return Ok(None) };
        let log_id = store.log_id().await?;
        let status = Status::new(url, metrics);
        let state = status.watch();
        // From here on, so that no commit is missed before the task runs.
        let written = store.watch_written();
        let ringer = Ringer {
            store,
            subject: subject(&log_id),
            process: mint(),
            settings: settings.clone(),
            status,
        };
        let (stop, stopping) = watch::channel(false);
        Ok(Some(Self { stop, state, task: tokio::spawn(ringer.keep(written, stopping)) }))
    }

    /// How the connection is, and word of changes.
    #[must_use]
    pub fn state(&self) -> watch::Receiver<State> {
        self.state.clone()
    }

    /// Tells the others of the last commit, hangs up, and waits for that, but not for long.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        drop(self.task.await);
    }
}

/// Whether a message can be sent and comes back, with the given settings.
///
/// # Errors
/// Why not.
pub async fn try_out(settings: &Nats) -> Result<(), LineError> {
    let greeting = Ring { position: Position(0), process: mint() };
    line::open(settings, &subject("doctor"), greeting).await.map(drop)
}

/// Everything that one bell needs.
struct Ringer {
    store: Store,
    subject: String,
    process: Uuid,
    settings: Nats,
    status: Status,
}

impl Ringer {
    async fn keep(
        self,
        mut written: watch::Receiver<Position>,
        mut stopping: watch::Receiver<bool>,
    ) {
        let mut backoff = Backoff::default();
        loop {
            let opened = tokio::select! {
                opened = line::open(&self.settings, &self.subject, self.greeting()) => opened,
                _ = stopping.wait_for(|stop| *stop) => return,
            };
            let fault = match opened {
                Ok(line) => {
                    self.status.up();
                    let since = Instant::now();
                    let ended = self.serve(line, &mut written, &mut stopping).await;
                    let Some(fault) = ended else { return };
                    if since.elapsed() > STEADY {
                        backoff = Backoff::default();
                    }
                    fault
                }
                Err(fault) => fault,
            };
            self.status.away(&fault);
            drop(timeout(backoff.next(), stopping.wait_for(|stop| *stop)).await);
        }
    }

    /// What is known is worth telling to those who were away.
    fn greeting(&self) -> Ring {
        Ring { position: *self.store.watch_head().borrow(), process: self.process }
    }

    /// Rings and listens until the connection ends, or until it is time to stop: then there is no
    /// fault.
    async fn serve(
        &self,
        Line { client, messages }: Line,
        written: &mut watch::Receiver<Position>,
        stopping: &mut watch::Receiver<bool>,
    ) -> Option<LineError> {
        tokio::select! {
            fault = self.listen(messages) => return Some(fault),
            fault = self.ring(&client, written) => return Some(fault),
            _ = stopping.wait_for(|stop| *stop) => {}
        }
        let farewell = async {
            if written.has_changed().unwrap_or_default() {
                let position = *written.borrow_and_update();
                drop(self.publish(&client, position).await);
            }
            client.flush().await
        };
        drop(timeout(FAREWELL, farewell).await);
        None
    }

    /// One message for each batch this process commits, and for the latest of those that were
    /// committed while one was handed over: nothing can queue up.
    async fn ring(
        &self,
        client: &async_nats::Client,
        written: &mut watch::Receiver<Position>,
    ) -> LineError {
        while written.changed().await.is_ok() {
            let position = *written.borrow_and_update();
            if let Err(fault) = self.publish(client, position).await {
                return fault;
            }
        }
        LineError::Ended
    }

    async fn publish(
        &self,
        client: &async_nats::Client,
        position: Position,
    ) -> Result<(), LineError> {
        let ring = Ring { position, process: self.process };
        let payload = ring.to_string().into();
        client.publish(self.subject.clone(), payload).await.map_err(|_| LineError::Ended)?;
        self.status.published.inc();
        Ok(())
    }

    async fn listen(&self, messages: async_nats::Subscriber) -> LineError {
        // Whoever rang before the connection stood was not heard.
        drop(self.store.head().await);
        // What came in together is one question to the log.
        let mut waiting = messages.ready_chunks(QUEUE);
        while let Some(chunk) = waiting.next().await {
            let rung = chunk.iter().filter_map(|message| self.read(&message.payload)).max();
            let Some(position) = rung else { continue };
            match self.store.hint(position).await {
                Ok(head) if head >= position => {}
                Ok(_) => {
                    self.status.refused.inc();
                    sleep(DEAF).await;
                }
                // The log is away, which its readers find out and tell.
                Err(_) => sleep(DEAF).await,
            }
        }
        LineError::Ended
    }

    /// The position that another process tells.
    fn read(&self, payload: &[u8]) -> Option<Position> {
        match Ring::read(payload) {
            Some(ring) if ring.process == self.process => None,
            Some(ring) => {
                self.status.received.inc();
                Some(ring.position)
            }
            None => {
                self.status.refused.inc();
                None
            }
        }
    }
}
