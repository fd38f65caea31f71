//! Driving operations through callers: so many, for so long, or so many a second.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::Result;
use tokio::task::JoinSet;

use crate::stats::{Cell, Durations, Load};

/// Somebody who does one operation after another, such as a client with its connection.
pub trait Caller: Send + 'static {
    /// Does the n-th operation of all callers. Answers how often it had to be tried again.
    fn call(&mut self, n: usize) -> impl Future<Output = Result<u32>> + Send;
}

/// How much is done.
#[derive(Debug, Clone)]
pub enum Extent {
    /// So many operations, each as soon as a caller is free.
    Operations(usize),
    /// The same, but none begins when the time is over.
    Within(usize, Duration),
    /// As many as callers can until then.
    Time(Duration),
    /// As many as callers can until this is set.
    Until(Arc<AtomicBool>),
    /// So many a second for so long, whether or not the answers keep up. Each is timed from the
    /// moment it was due, so that one slow answer counts for all that had to wait behind it.
    Rate(f64, Duration),
}

/// Runs operations 0 to `operations`, each once, by `tasks` tasks at a time. An operation answers
/// how often it had to be tried again.
pub async fn drive<F, Fut>(tasks: usize, operations: usize, operation: F) -> Result<Cell>
where
    F: Fn(usize) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<u32>> + Send,
{
    Ok(tasks_at(tasks, Extent::Operations(operations), operation).await?.cell())
}

/// The same to another extent, and not yet made into figures.
pub async fn tasks_at<F, Fut>(tasks: usize, extent: Extent, operation: F) -> Result<Load>
where
    F: Fn(usize) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<u32>> + Send,
{
    let operation = Arc::new(operation);
    let callers = (0..tasks).map(|_| Shared(operation.clone())).collect();
    load(callers, extent).await
}

/// Lets all callers work at once.
pub async fn run<C: Caller>(callers: Vec<C>, extent: Extent) -> Result<Cell> {
    Ok(load(callers, extent).await?.cell())
}

async fn load<C: Caller>(callers: Vec<C>, extent: Extent) -> Result<Load> {
    let next = Arc::new(AtomicUsize::new(0));
    let mut running = JoinSet::new();
    let start = Instant::now();
    for caller in callers {
        running.spawn(work(caller, extent.clone(), next.clone(), start));
    }
    let (mut durations, mut retries) = (Durations::default(), 0);
    while let Some(done) = running.join_next().await {
        let (of_task, again) = done??;
        durations.extend(of_task);
        retries += again;
    }
    Ok(Load { durations, retries, elapsed: start.elapsed() })
}

async fn work<C: Caller>(
    mut caller: C,
    extent: Extent,
    next: Arc<AtomicUsize>,
    start: Instant,
) -> Result<(Durations, u64)> {
    let (mut durations, mut retries) = (Durations::default(), 0_u64);
    loop {
        let n = next.fetch_add(1, Ordering::Relaxed);
        let Some(due) = extent.due(n, start) else { return Ok((durations, retries)) };
        if due > Instant::now() {
            tokio::time::sleep_until(due.into()).await;
        }
        retries += u64::from(caller.call(n).await?);
        durations.push(due.elapsed());
    }
}

impl Extent {
    /// From when on the n-th operation counts; none if it is not to be done.
    fn due(&self, n: usize, start: Instant) -> Option<Instant> {
        let now = Instant::now();
        let (due, goes_on) = match self {
            Self::Operations(count) => (now, n < *count),
            Self::Within(count, time) => (now, n < *count && now < start + *time),
            Self::Time(time) => (now, now < start + *time),
            Self::Until(over) => (now, !over.load(Ordering::Relaxed)),
            Self::Rate(rate, time) => {
                let due = start + Duration::from_secs_f64(n as f64 / rate);
                (due, due < start + *time)
            }
        };
        goes_on.then_some(due)
    }
}

/// A caller that has nothing of its own.
struct Shared<F>(Arc<F>);

impl<F, Fut> Caller for Shared<F>
where
    F: Fn(usize) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<u32>> + Send,
{
    fn call(&mut self, n: usize) -> impl Future<Output = Result<u32>> + Send {
        (self.0)(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(sum: &Arc<AtomicUsize>, callers: usize) -> Vec<impl Caller> {
        let sum = sum.clone();
        let operation = Arc::new(move |n| {
            let sum = sum.clone();
            async move {
                sum.fetch_add(n, Ordering::Relaxed);
                anyhow::Ok(1)
            }
        });
        (0..callers).map(|_| Shared(operation.clone())).collect()
    }

    #[tokio::test]
    async fn every_operation_runs_once_and_retries_add_up() {
        let sum = Arc::new(AtomicUsize::new(0));
        let cell = run(counted(&sum, 7), Extent::Operations(100)).await.unwrap();
        assert_eq!((sum.load(Ordering::Relaxed), cell.retries), (4_950, 100));
    }

    #[tokio::test]
    async fn a_rate_is_kept_by_few_callers() {
        let sum = Arc::new(AtomicUsize::new(0));
        let extent = Extent::Rate(1_000.0, Duration::from_millis(100));
        let cell = run(counted(&sum, 2), extent).await.unwrap();
        assert_eq!((sum.load(Ordering::Relaxed), cell.retries), (4_950, 100));
        assert!(cell.rate <= 1_010.0, "{}", cell.rate);
    }

    #[tokio::test]
    async fn whoever_is_told_to_stop_ends() {
        let sum = Arc::new(AtomicUsize::new(0));
        let over = Arc::new(AtomicBool::new(true));
        let cell = run(counted(&sum, 2), Extent::Until(over)).await.unwrap();
        assert_eq!(cell.retries, 0);
    }
}
