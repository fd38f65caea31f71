//! How the bell is: told to whoever asks, counted, and logged once a change.

use std::fmt;

use prometheus_client::metrics::{counter::Counter, gauge::Gauge};
use tokio::sync::watch;

use super::LineError;
use crate::metrics::Metrics;

/// Whether other processes can be rung.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// The first try is under way.
    Connecting,
    /// A message went round.
    Up,
    /// There is no connection; readers look for themselves.
    Away {
        /// Why the last try failed.
        cause: String,
    },
}

impl State {
    /// Whether other processes can be rung now.
    #[must_use]
    pub const fn is_up(&self) -> bool {
        matches!(self, Self::Up)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connecting => f.write_str("connecting"),
            // Strangers are told as well, and it is not for them where the server is.
            Self::Up => f.write_str("connected"),
            Self::Away { cause } => {
                write!(f, "away, other processes' events are found by polling: {cause}")
            }
        }
    }
}

/// The state, and what is counted.
pub(super) struct Status {
    server: String,
    state: watch::Sender<State>,
    connected: Gauge,
    /// Messages handed to the server, one for each batch of commits.
    pub(super) published: Counter,
    /// Messages of other processes.
    pub(super) received: Counter,
    /// Messages that could not be read, or were not true.
    pub(super) refused: Counter,
}

impl Status {
    pub(super) fn new(server: &str, metrics: &Metrics) -> Self {
        let status = Self {
            server: server.to_owned(),
            state: watch::Sender::new(State::Connecting),
            connected: Gauge::default(),
            published: Counter::default(),
            received: Counter::default(),
            refused: Counter::default(),
        };
        metrics.register(|registry| {
            let connected = "Whether processes that share the log can be rung";
            registry.register("bell_connected", connected, status.connected.clone());
            for (name, help, counter) in [
                ("bell_published_messages", "Told to other processes", &status.published),
                ("bell_received_messages", "Told by other processes", &status.received),
                ("bell_refused_messages", "Neither readable nor true", &status.refused),
            ] {
                registry.register(name, help, counter.clone());
            }
        });
        status
    }

    pub(super) fn watch(&self) -> watch::Receiver<State> {
        self.state.subscribe()
    }

    pub(super) fn up(&self) {
        tracing::info!(server = self.server, "the bell is connected");
        self.connected.set(1);
        self.state.send_replace(State::Up);
    }

    /// However many tries fail, the first is told; `/readyz` has the cause of the last.
    pub(super) fn away(&self, fault: &LineError) {
        let cause = fault.to_string();
        self.connected.set(0);
        let before = self.state.send_replace(State::Away { cause: cause.clone() });
        match before {
            State::Away { .. } => tracing::debug!(cause, "the bell is still away"),
            State::Connecting | State::Up => {
                tracing::warn!(
                    cause,
                    server = self.server,
                    "the bell is away: other processes' events are found by polling"
                );
            }
        }
    }
}
