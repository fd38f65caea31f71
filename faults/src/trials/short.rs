//! The short form of a trial, and the tests that are made of it.

#![expect(clippy::print_stdout, reason = "a trial says what it found")]

use std::{path::Path, time::Instant};

use futures_util::{StreamExt, TryStreamExt, stream};

use super::{Report, Scale, Terms, Trial, Violation, require};

/// Runs a trial with its first seeds, some of them at the same time, and says what they found.
///
/// # Errors
/// What is wrong, and how to see it again. What never happened with any seed was not tried.
pub async fn short(
    trials: &[Trial],
    name: &str,
    server: &Path,
    abreast: usize,
) -> Result<(), Violation> {
    let begun = Instant::now();
    let trial = trials.iter().find(|trial| trial.name == name);
    let trial = trial.ok_or_else(|| Violation(format!("there is no trial {name}")))?;
    let runs = stream::iter(0..trial.seeds).map(|seed| async move {
        let terms = Terms { seed, scale: Scale::Short, server: server.to_owned() };
        (trial.run)(terms).await.map_err(|Violation(what)| {
            Violation(format!("{what}\nreproduce: just soak --trial {name} --seed {seed} --short"))
        })
    });
    let reports: Vec<Report> = runs.buffer_unordered(abreast).try_collect().await?;
    let mut sum = Report::default();
    reports.iter().for_each(|report| sum.merge(report));
    println!("{name}: {} seeds in {} ms: {sum}", trial.seeds, begun.elapsed().as_millis());
    let never = sum.never();
    require(never.is_empty(), || format!("these never happened: {never:?}"))
}

/// A test for the short form of every trial of a list, run by a function that takes its name, and
/// one that sees to it that none is left out.
#[macro_export]
macro_rules! short {
    ($trials:ident, $run:ident: $($test:ident = $name:literal),* $(,)?) => {
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $test() {
            if let Err(violation) = $run($name).await {
                panic!("{violation}");
            }
        })*

        #[test]
        fn every_trial_has_its_short_form() {
            let names: Vec<_> = $trials.iter().map(|trial| trial.name).collect();
            assert_eq!(names, [$($name),*]);
        }
    };
}
