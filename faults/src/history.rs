//! What clients asked and what they heard, with the order in which it happened.
//!
//! Owns the logical clock: two operations overlap if neither was answered before the other was
//! asked. An operation without an answer may take effect at any later time, or never.

use std::{
    collections::BTreeMap,
    fmt::Debug,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use uuid::Uuid;

/// One thing a client asked for.
#[derive(Debug, Clone)]
pub struct Operation<I, O> {
    /// Who asked.
    pub client: usize,
    /// What was asked.
    pub input: I,
    /// When, on the logical clock.
    pub asked: u64,
    /// What was answered and when; none if the outcome is unknown.
    pub answered: Option<(u64, O)>,
}

/// Gathers the operations of all clients, by stream.
#[derive(Debug)]
pub struct Recorder<I, O> {
    clock: AtomicU64,
    streams: Mutex<BTreeMap<Uuid, Vec<Operation<I, O>>>>,
}

impl<I, O> Default for Recorder<I, O> {
    fn default() -> Self {
        Self { clock: AtomicU64::new(1), streams: Mutex::default() }
    }
}

/// An operation under way.
#[derive(Debug)]
#[must_use = "an operation that is not answered is missing from the history"]
pub struct Asked<I> {
    client: usize,
    stream: Uuid,
    input: I,
    at: u64,
}

impl<I: Clone + Debug, O: Clone + Debug> Recorder<I, O> {
    /// Notes that a client is about to ask.
    pub fn asks(&self, client: usize, stream: Uuid, input: I) -> Asked<I> {
        Asked { client, stream, input, at: self.clock.fetch_add(1, Ordering::SeqCst) }
    }

    /// Notes what was answered, or that the outcome is unknown.
    pub fn hears(&self, asked: Asked<I>, output: Option<O>) {
        let at = self.clock.fetch_add(1, Ordering::SeqCst);
        let Asked { client, stream, input, at: from } = asked;
        let answered = output.map(|output| (at, output));
        let operation = Operation { client, input, asked: from, answered };
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        streams.entry(stream).or_default().push(operation);
    }

    /// The histories of all streams; nothing is left behind.
    pub fn take(&self) -> BTreeMap<Uuid, Vec<Operation<I, O>>> {
        std::mem::take(&mut *self.streams.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
