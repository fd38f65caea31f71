//! From single measurements to figures: quantiles, medians, paired ratios.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// One cell of a table: how fast, and how long each operation took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Cell {
    /// Per second: commands, appends or events, as the workload says.
    pub rate: f64,
    /// Half of the operations took at most so many milliseconds.
    pub p50_ms: f64,
    /// Ninety-nine of a hundred took at most so many.
    pub p99_ms: f64,
    /// How often an operation had to be tried again.
    pub retries: u64,
    /// How many operations were done.
    pub operations: u64,
    /// How long that took.
    pub seconds: f64,
}

impl Cell {
    /// The middle of several, figure by figure.
    pub fn median(cells: &[Self]) -> Self {
        let middle = |figure: fn(&Self) -> f64| median(cells.iter().map(figure)).unwrap_or(0.0);
        Self {
            rate: middle(|cell| cell.rate),
            p50_ms: middle(|cell| cell.p50_ms),
            p99_ms: middle(|cell| cell.p99_ms),
            retries: cells.iter().map(|cell| cell.retries).sum(),
            operations: cells.iter().map(|cell| cell.operations).sum(),
            seconds: cells.iter().map(|cell| cell.seconds).sum(),
        }
    }
}

/// What was done, and how long each operation took.
#[derive(Debug, Default)]
pub struct Load {
    /// Of each operation.
    pub durations: Durations,
    /// How often one had to be tried again.
    pub retries: u64,
    /// From the first to the last.
    pub elapsed: Duration,
}

impl Load {
    /// Adds what was done afterwards.
    pub fn extend(&mut self, later: Self) {
        self.durations.extend(later.durations);
        self.retries += later.retries;
        self.elapsed += later.elapsed;
    }

    /// The figures.
    pub fn cell(mut self) -> Cell {
        let (operations, seconds) = (self.durations.count(), self.elapsed.as_secs_f64());
        Cell {
            rate: operations as f64 / seconds,
            p50_ms: self.durations.quantile_ms(0.5),
            p99_ms: self.durations.quantile_ms(0.99),
            retries: self.retries,
            operations: operations as u64,
            seconds,
        }
    }
}

/// The durations of the operations of one cell.
#[derive(Debug, Default)]
pub struct Durations(Vec<Duration>);

impl Durations {
    /// Adds one.
    pub fn push(&mut self, duration: Duration) {
        self.0.push(duration);
    }

    /// Adds those of another task.
    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Milliseconds within which a share of the operations were done; 0 without any.
    pub fn quantile_ms(&mut self, share: f64) -> f64 {
        self.0.sort_unstable();
        let last = self.0.len().saturating_sub(1);
        let index = (last as f64 * share).round() as usize;
        self.0.get(index).map_or(0.0, |duration| duration.as_secs_f64() * 1e3)
    }
}

/// The middle of some figures; the mean of the two middle ones if their number is even.
pub fn median(figures: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut figures: Vec<f64> = figures.into_iter().collect();
    figures.sort_unstable_by(f64::total_cmp);
    let half = figures.len() / 2;
    let upper = *figures.get(half)?;
    if figures.len() % 2 == 1 {
        return Some(upper);
    }
    Some((figures.get(half - 1)? + upper) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median([]), None);
        assert_eq!(median([3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median([4.0, 1.0, 2.0, 3.0]), Some(2.5));
    }

    #[test]
    fn quantiles_are_of_the_sorted_durations() {
        let mut durations = Durations::default();
        (1..=101).rev().for_each(|ms| durations.push(Duration::from_millis(ms)));
        assert_eq!(durations.quantile_ms(0.5), 51.0);
        assert_eq!(durations.quantile_ms(0.99), 100.0);
        assert_eq!(Durations::default().quantile_ms(0.5), 0.0);
    }
}
