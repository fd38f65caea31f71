//! What the writer has done since the process started, for whoever watches it.
//!
//! Owns the counts, kept with atomics beside the work. Refuses to know how they are shown.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use crate::{
    append::{AppendError, Committed},
    writer::Refused,
};

/// Upper bounds of the buckets of [`Durations`].
pub const BOUNDS: [Duration; 12] = [
    Duration::from_millis(1),
    Duration::from_micros(2_500),
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(25),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_millis(2_500),
    Duration::from_secs(10),
];

/// What became of an append.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was recorded.
    Committed,
    /// It had been recorded before.
    Duplicate,
    /// It was based on other events than are there.
    Conflict,
    /// The log refused it for another reason that is the caller's.
    Refused,
    /// Too many were waiting.
    Overloaded,
    /// The log could not be reached.
    Unavailable,
}

impl Outcome {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Committed,
        Self::Duplicate,
        Self::Conflict,
        Self::Refused,
        Self::Overloaded,
        Self::Unavailable,
    ];

    /// For people and machines.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Committed => "committed",
            Self::Duplicate => "duplicate",
            Self::Conflict => "conflict",
            Self::Refused => "refused",
            Self::Overloaded => "overloaded",
            Self::Unavailable => "unavailable",
        }
    }

    pub(crate) const fn of(answer: &Result<Committed, Refused>) -> Self {
        match answer {
            Ok(Committed { duplicate: false, .. }) => Self::Committed,
            Ok(Committed { duplicate: true, .. }) => Self::Duplicate,
            Err(Refused::Told(AppendError::Conflict(_))) => Self::Conflict,
            Err(Refused::Told(AppendError::Overloaded)) => Self::Overloaded,
            Err(Refused::Told(AppendError::Unavailable(_))) => Self::Unavailable,
            Err(
                Refused::KeyMade
                | Refused::Told(
                    AppendError::ClaimTaken { .. }
                    | AppendError::CommandReused
                    | AppendError::SubjectErased
                    | AppendError::Malformed(_),
                ),
            ) => Self::Refused,
        }
    }
}

/// How long something took, many times over.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Durations {
    /// How many fell into each bucket of [`BOUNDS`], and beyond the last.
    pub buckets: Vec<u64>,
    /// All of them together.
    pub sum: Duration,
}

/// The writer at a moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Activity {
    /// Appends handed in and not answered yet.
    pub waiting: u64,
    /// Appends answered, in the order of [`Outcome::ALL`].
    pub appends: Vec<u64>,
    /// Appends that were written in a batch; divided by the number of batches, its size.
    pub batched: u64,
    /// From handing in to the answer.
    pub append: Durations,
    /// From the beginning of a batch to its commit or fault.
    pub batch: Durations,
}

#[derive(Default)]
struct Times {
    buckets: [AtomicU64; BOUNDS.len() + 1],
    micros: AtomicU64,
}

impl Times {
    fn note(&self, took: Duration) {
        let bucket = BOUNDS.iter().position(|bound| took <= *bound).unwrap_or(BOUNDS.len());
        if let Some(count) = self.buckets.get(bucket) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.micros.fetch_add(micros, Ordering::Relaxed);
    }

    fn read(&self) -> Durations {
        Durations {
            buckets: self.buckets.iter().map(|count| count.load(Ordering::Relaxed)).collect(),
            sum: Duration::from_micros(self.micros.load(Ordering::Relaxed)),
        }
    }
}

/// Where the writer counts.
#[derive(Default)]
pub(crate) struct Counters {
    waiting: AtomicU64,
    appends: [AtomicU64; Outcome::ALL.len()],
    batched: AtomicU64,
    append: Times,
    batch: Times,
}

/// An append that waits, until this is dropped: also when its caller goes away.
pub(crate) struct Waiting<'c>(&'c Counters);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Counters {
    pub(crate) fn wait(&self) -> Waiting<'_> {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        Waiting(self)
    }

    pub(crate) fn answered(&self, outcome: Outcome, took: Duration) {
        let at = Outcome::ALL.iter().position(|known| *known == outcome);
        if let Some(count) = at.and_then(|at| self.appends.get(at)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        self.append.note(took);
    }

    pub(crate) fn batch(&self, appends: usize, took: Duration) {
        let appends = u64::try_from(appends).unwrap_or(u64::MAX);
        self.batched.fetch_add(appends, Ordering::Relaxed);
        self.batch.note(took);
    }

    pub(crate) fn read(&self) -> Activity {
        Activity {
            waiting: self.waiting.load(Ordering::Relaxed),
            appends: self.appends.iter().map(|count| count.load(Ordering::Relaxed)).collect(),
            batched: self.batched.load(Ordering::Relaxed),
            append: self.append.read(),
            batch: self.batch.read(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_that_goes_away_no_longer_waits() {
        let counters = Counters::default();
        let waiting = (counters.wait(), counters.wait());
        assert_eq!(counters.read().waiting, 2);
        drop(waiting);
        assert_eq!(counters.read().waiting, 0);
    }

    #[test]
    fn a_duration_falls_into_the_first_bucket_that_holds_it() {
        let counters = Counters::default();
        counters.answered(Outcome::Conflict, Duration::from_millis(1));
        counters.answered(Outcome::Committed, Duration::from_secs(11));
        counters.batch(3, Duration::from_millis(2));
        let activity = counters.read();
        assert_eq!(activity.appends, [1, 0, 1, 0, 0, 0]);
        assert_eq!((activity.append.buckets[0], activity.append.buckets[12]), (1, 1));
        assert_eq!((activity.batched, activity.batch.buckets[1]), (3, 1));
        assert_eq!(activity.batch.sum, Duration::from_millis(2));
    }
}
