//! Driving a number of operations through a number of tasks.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

use anyhow::Result;
use tokio::task::JoinSet;

use crate::stats::{Cell, Durations};

/// Runs operations 0 to `operations`, each once, by `tasks` tasks at a time. An operation answers
/// how often it had to be tried again.
pub async fn drive<F, Fut>(tasks: usize, operations: usize, operation: F) -> Result<Cell>
where
    F: Fn(usize) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<u32>> + Send,
{
    let operation = Arc::new(operation);
    let next = Arc::new(AtomicUsize::new(0));
    let mut running = JoinSet::new();
    let start = Instant::now();
    for _ in 0..tasks {
        let (operation, next) = (operation.clone(), next.clone());
        running.spawn(async move {
            let (mut durations, mut retries) = (Durations::default(), 0_u64);
            loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                if n >= operations {
                    return anyhow::Ok((durations, retries));
                }
                let begun = Instant::now();
                retries += u64::from(operation(n).await?);
                durations.push(begun.elapsed());
            }
        });
    }
    let (mut durations, mut retries) = (Durations::default(), 0);
    while let Some(done) = running.join_next().await {
        let (of_task, again) = done??;
        durations.extend(of_task);
        retries += again;
    }
    Ok(Cell {
        rate: operations as f64 / start.elapsed().as_secs_f64(),
        p50_ms: durations.quantile_ms(0.5),
        p99_ms: durations.quantile_ms(0.99),
        retries,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_operation_runs_once_and_retries_add_up() {
        let sum = Arc::new(AtomicUsize::new(0));
        let seen = sum.clone();
        let operation = move |n| {
            let sum = sum.clone();
            async move {
                sum.fetch_add(n, Ordering::Relaxed);
                Ok(1)
            }
        };
        let cell = drive(7, 100, operation).await.unwrap();
        assert_eq!((seen.load(Ordering::Relaxed), cell.retries), (4_950, 100));
    }
}
