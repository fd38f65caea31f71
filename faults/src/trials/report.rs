//! What a trial found: numbers if all is well, else what is wrong.

use std::{collections::BTreeMap, fmt, time::Duration};

/// What happened in a trial that found nothing wrong.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    counts: BTreeMap<&'static str, u64>,
    notes: BTreeMap<&'static str, u64>,
    worst: BTreeMap<&'static str, Duration>,
    figures: BTreeMap<&'static str, u64>,
}

impl Report {
    /// Adds to a count.
    pub fn add(&mut self, what: &'static str, count: u64) {
        let sum = self.counts.entry(what).or_default();
        *sum = sum.saturating_add(count);
    }

    /// As [`Self::add`], of what need not happen.
    pub fn note(&mut self, what: &'static str, count: u64) {
        let sum = self.notes.entry(what).or_default();
        *sum = sum.saturating_add(count);
    }

    /// Notes how long something took, if it took longer than ever.
    pub fn took(&mut self, what: &'static str, time: Duration) {
        let worst = self.worst.entry(what).or_default();
        *worst = time.max(*worst);
    }

    /// Notes a figure that is measured rather than counted, if it is the largest so far.
    pub fn figure(&mut self, what: &'static str, value: u64) {
        let largest = self.figures.entry(what).or_default();
        *largest = value.max(*largest);
    }

    /// The longest something took.
    #[must_use]
    pub fn longest(&self, what: &'static str) -> Duration {
        self.worst.get(what).copied().unwrap_or_default()
    }

    /// How often something happened.
    #[must_use]
    pub fn counted(&self, what: &'static str) -> u64 {
        self.counts.get(what).or_else(|| self.notes.get(what)).copied().unwrap_or_default()
    }

    /// Takes in another report.
    pub fn merge(&mut self, other: &Self) {
        other.counts.iter().for_each(|(what, count)| self.add(what, *count));
        other.notes.iter().for_each(|(what, count)| self.note(what, *count));
        other.worst.iter().for_each(|(what, time)| self.took(what, *time));
        other.figures.iter().for_each(|(what, value)| self.figure(what, *value));
    }

    /// What was counted and never happened: a trial in which a fault never struck proves nothing
    /// about it.
    #[must_use]
    pub fn never(&self) -> Vec<&'static str> {
        self.counts.iter().filter(|(_, count)| **count == 0).map(|(what, _)| *what).collect()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = self.counts.iter().chain(&self.notes);
        let counts = counts.map(|(what, count)| format!("{count} {what}"));
        let worst =
            self.worst.iter().map(|(what, time)| format!("{what} ≤ {} ms", time.as_millis()));
        let figures = self.figures.iter().map(|(what, value)| format!("{what} {value}"));
        f.write_str(&counts.chain(worst).chain(figures).collect::<Vec<_>>().join(", "))
    }
}

/// A promise of the log that does not hold, or a trial that could not be made.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Violation(pub String);

impl From<sqlx::Error> for Violation {
    fn from(fault: sqlx::Error) -> Self {
        Self(format!("the trial could not ask the server: {fault:?}"))
    }
}

impl From<eventstore::Unavailable> for Violation {
    fn from(fault: eventstore::Unavailable) -> Self {
        Self(format!("the log was not available on an undisturbed way: {fault:?}"))
    }
}

impl From<commands::CommandError> for Violation {
    fn from(fault: commands::CommandError) -> Self {
        Self(format!("a command was not done on an undisturbed way: {fault:?}"))
    }
}

impl From<projections::ReplayError> for Violation {
    fn from(fault: projections::ReplayError) -> Self {
        Self(format!("the tables could not be rebuilt: {fault:?}"))
    }
}

impl From<std::io::Error> for Violation {
    fn from(fault: std::io::Error) -> Self {
        Self(format!("the trial could not be set up: {fault}"))
    }
}

impl From<tokio::task::JoinError> for Violation {
    fn from(fault: tokio::task::JoinError) -> Self {
        Self(format!("a task of the trial ended: {fault}"))
    }
}

/// Fails a trial unless something holds.
pub(crate) fn require(holds: bool, otherwise: impl FnOnce() -> String) -> Result<(), Violation> {
    if holds { Ok(()) } else { Err(Violation(otherwise())) }
}

/// A percentile of times in their order.
pub(super) fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    let rank = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(rank).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles() {
        let times: Vec<_> = (1..=200).map(Duration::from_secs).collect();
        assert_eq!(percentile(&times, 99), Duration::from_secs(198));
        assert_eq!(percentile(&times, 50), Duration::from_secs(100));
        assert_eq!(percentile(&[Duration::from_secs(7)], 99), Duration::from_secs(7));
        assert_eq!(percentile(&[], 99), Duration::ZERO);
    }
}
