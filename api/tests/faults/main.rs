//! The platform as a process: killed, without its database, without room, in company. The short
//! form of every trial; the long ones are `just soak`.
#![cfg(test)]
#![expect(clippy::print_stdout, reason = "a trial says what it found")]

use std::time::Instant;

use faults::trials::{PLATFORM, Report, Scale, Terms};
use tokio::sync::Mutex;

/// One trial at a time: each keeps the machine busy, and times what it sees.
static ALONE: Mutex<()> = Mutex::const_new(());

async fn short(name: &str) {
    let _alone = ALONE.lock().await;
    let begun = Instant::now();
    let trial = PLATFORM.iter().find(|trial| trial.name == name).unwrap();
    let mut sum = Report::default();
    for seed in 0..trial.seeds {
        let server = env!("CARGO_BIN_EXE_platformctl").into();
        let report = (trial.run)(Terms { seed, scale: Scale::Short, server }).await;
        sum.merge(&report.unwrap_or_else(|violation| {
            panic!("{violation}\nreproduce: just soak --trial {name} --seed {seed} --short")
        }));
    }
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
            let names: Vec<_> = PLATFORM.iter().map(|trial| trial.name).collect();
            assert_eq!(names, [$($name),*]);
        }
    };
}

short! {
    kill = "t1",
    points = "t1-points",
    postgres = "t2",
    disk = "t4",
    processes = "processes",
    disconnect = "disconnect",
    overload = "t15",
    slow_clients = "t16",
    enumeration = "t20",
}
