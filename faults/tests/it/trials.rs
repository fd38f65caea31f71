//! Each trial with its first seeds. What never happened in any of them was not tried.

#![expect(clippy::print_stdout, reason = "a trial says what it found")]

use std::{path::PathBuf, time::Instant};

use faults::trials::{Report, Scale, TRIALS, Terms};
use futures_util::{StreamExt, stream};

/// Seeds of one trial at the same time: most of a trial is waiting.
const ABREAST: usize = 10;

fn terms(seed: u64) -> Terms {
    Terms { seed, scale: Scale::Short, server: PathBuf::new() }
}

async fn short(name: &str) {
    let begun = Instant::now();
    let trial = TRIALS.iter().find(|trial| trial.name == name).unwrap();
    let runs = stream::iter(0..trial.seeds).map(|seed| async move {
        (trial.run)(terms(seed)).await.unwrap_or_else(|violation| {
            panic!("{violation}\nreproduce: just soak --trial {name} --seed {seed} --short")
        })
    });
    let reports: Vec<Report> = runs.buffer_unordered(ABREAST).collect().await;
    let mut sum = Report::default();
    reports.iter().for_each(|report| sum.merge(report));
    println!("{name}: {} seeds in {} ms: {sum}", trial.seeds, begun.elapsed().as_millis());
    assert_eq!(sum.never(), [""; 0], "these never happened");
}

macro_rules! short {
    ($($test:ident = $name:literal),* $(,)?) => {
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $test() {
            short($name).await;
        })*

        #[test]
        fn every_trial_has_its_short_form() {
            let names: Vec<_> = TRIALS.iter().map(|trial| trial.name).collect();
            assert_eq!(names, [$($name),*]);
        }
    };
}

short! {
    network = "t3",
    outage = "t3-outage",
    clock = "t5",
    duplicates = "t6",
    linear = "t8",
    order = "t10",
    lease = "lease",
}
