//! Trials for as long as one likes: `just soak --trial t8 --minutes 10`.
//!
//! Prints what it found for every seed. At the first violation it stops, says what is wrong and
//! how to see it again, and fails. It fails, too, if a fault never struck: that proves nothing.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for the terminal")]

use std::{
    collections::BTreeMap,
    env,
    path::PathBuf,
    process::ExitCode,
    time::{Duration, Instant},
};

use faults::trials::{PLATFORM, Report, Scale, TRIALS, Terms, Trial};

const USAGE: &str = "usage: soak [--trial NAME|all] [--seed N] [--minutes M] [--short]
            [--server PATH]

With a seed and no minutes, that seed alone is run; with minutes, seeds from there on, and no trial
is begun after the time is up; with neither, ten minutes from seed 0. Trials of the whole platform run the
`platformctl` beside this program unless another is named; the killing at chosen places needs one
that was built with `--features failpoints`.
";

struct Asked {
    trials: Vec<&'static Trial>,
    seed: u64,
    time: Duration,
    scale: Scale,
    server: PathBuf,
}

fn trials() -> impl Iterator<Item = &'static Trial> {
    TRIALS.iter().chain(PLATFORM)
}

fn usage() -> String {
    let trials = trials().map(|trial| format!("  {:<10} {}\n", trial.name, trial.shows));
    format!("{USAGE}\n{}", trials.collect::<String>())
}

fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Asked, String> {
    let (mut name, mut seed, mut minutes) = ("all".to_owned(), None, None);
    let mut scale = Scale::Long;
    let mut server = env::current_exe().unwrap_or_default().with_file_name("platformctl");
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("{argument} needs a value"));
        match argument.as_str() {
            "--trial" => name = value()?,
            "--seed" => seed = Some(value()?.parse().map_err(|_| "--seed takes a number")?),
            "--minutes" => {
                minutes = Some(value()?.parse::<u64>().map_err(|_| "--minutes takes a number")?);
            }
            "--short" => scale = Scale::Short,
            "--server" => server = value()?.into(),
            other => return Err(format!("{other} is not known")),
        }
    }
    let trials: Vec<_> = trials().filter(|trial| name == "all" || trial.name == name).collect();
    if trials.is_empty() {
        return Err(format!("there is no trial {name}"));
    }
    let minutes = minutes.unwrap_or(if seed.is_some() { 0 } else { 10 });
    let time = Duration::from_secs(minutes.saturating_mul(60));
    Ok(Asked { trials, seed: seed.unwrap_or_default(), time, scale, server })
}

/// What a trial found in all.
#[derive(Default)]
struct Sum {
    seeds: u64,
    report: Report,
}

/// Every trial once a seed, until the time is up. Answers what all found.
async fn soak(asked: &Asked) -> Result<String, String> {
    let since = Instant::now();
    let mut sums: BTreeMap<&str, Sum> = BTreeMap::new();
    let seeds = asked.seed..=u64::MAX;
    let runs = seeds.flat_map(|seed| asked.trials.iter().map(move |trial| (seed, trial)));
    for (number, (seed, trial)) in runs.enumerate() {
        let time_is_up = if asked.time.is_zero() {
            number == asked.trials.len()
        } else {
            since.elapsed() >= asked.time
        };
        if time_is_up {
            break;
        }
        let begun = Instant::now();
        let short = if asked.scale == Scale::Short { " --short" } else { "" };
        let terms = Terms { seed, scale: asked.scale, server: asked.server.clone() };
        let report = (trial.run)(terms).await.map_err(|violation| {
            format!(
                "VIOLATION in {} with seed {seed}: {violation}\n\
                 reproduce: just soak --trial {} --seed {seed}{short}",
                trial.name, trial.name
            )
        })?;
        println!("{} seed {seed}, {} ms: {report}", trial.name, begun.elapsed().as_millis());
        let sum = sums.entry(trial.name).or_default();
        sum.seeds = sum.seeds.saturating_add(1);
        sum.report.merge(&report);
    }
    let first = asked.seed;
    let mut told = format!("no violation in {} s, from seed {first}", since.elapsed().as_secs());
    let mut never = Vec::new();
    for trial in &asked.trials {
        let Some(Sum { seeds, report }) = sums.get(trial.name) else {
            told += &format!("\n{}: not run, the time was up", trial.name);
            continue;
        };
        told += &format!("\n{}: {seeds} seeds: {report}", trial.name);
        // A fault need not strike with one seed where the short form takes several.
        let missed = if *seeds < trial.seeds { Vec::new() } else { report.never() };
        never.extend(missed.iter().map(|what| format!("{}: {what}", trial.name)));
    }
    if never.is_empty() {
        Ok(told)
    } else {
        Err(format!("{told}\nNEVER HAPPENED, so nothing is shown: {}", never.join("; ")))
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let asked = match parse(env::args().skip(1)) {
        Ok(asked) => asked,
        Err(mistake) => {
            eprint!("{mistake}\n\n{}", usage());
            return ExitCode::from(2);
        }
    };
    match soak(&asked).await {
        Ok(told) => {
            println!("\n{told}");
            ExitCode::SUCCESS
        }
        Err(violation) => {
            eprintln!("{violation}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use faults::trials::Violation;

    use super::*;

    static BROKEN: Trial = Trial {
        name: "broken",
        shows: "how a violation is told",
        seeds: 1,
        run: |terms| {
            Box::pin(async move {
                if terms.seed == 8 {
                    Err(Violation("lost".to_owned()))
                } else {
                    Ok(Report::default())
                }
            })
        },
    };

    /// One of its two faults strikes.
    static IDLE: Trial = Trial {
        name: "idle",
        shows: "how a fault that never struck is told",
        seeds: 2,
        run: |_| {
            Box::pin(async move {
                let mut report = Report::default();
                report.add("cuts", 1);
                report.add("kills", 0);
                Ok(report)
            })
        },
    };

    fn asked(arguments: &str) -> Result<Asked, String> {
        parse(arguments.split_whitespace().map(str::to_owned))
    }

    #[tokio::test]
    async fn a_violation_ends_the_run_and_says_how_to_see_it_again() {
        let all = asked("--seed 7 --minutes 1").unwrap();
        let told = soak(&Asked { trials: vec![&BROKEN], ..all }).await.unwrap_err();
        assert!(told.starts_with("VIOLATION in broken with seed 8: lost\n"), "{told}");
        assert!(told.ends_with("reproduce: just soak --trial broken --seed 8"), "{told}");
    }

    #[tokio::test]
    async fn what_never_struck_is_shown_by_nothing() {
        let one = asked("--seed 1").unwrap();
        let told = soak(&Asked { trials: vec![&IDLE], ..one }).await.unwrap();
        assert!(told.ends_with("\nidle: 1 seeds: 1 cuts, 0 kills"), "{told}");
        // Twice in one pass, as many as its short form takes.
        let two = asked("--seed 1").unwrap();
        let told = soak(&Asked { trials: vec![&IDLE, &IDLE], ..two }).await.unwrap_err();
        assert!(told.contains("NEVER HAPPENED"), "{told}");
        assert!(told.contains(": idle: kills"), "{told}");
    }

    #[tokio::test]
    async fn no_trial_is_begun_after_the_time_is_up() {
        let hasty = Asked { time: Duration::from_nanos(1), ..asked("--seed 8").unwrap() };
        let told = soak(&Asked { trials: vec![&BROKEN], ..hasty }).await.unwrap();
        assert!(told.ends_with("\nbroken: not run, the time was up"), "{told}");
    }

    #[test]
    fn arguments() {
        let short = asked("--trial t8 --seed 123 --short").unwrap();
        assert_eq!((short.trials[0].name, short.trials.len(), short.seed), ("t8", 1, 123));
        assert_eq!((short.time, short.scale), (Duration::ZERO, Scale::Short));
        let plain = asked("").unwrap();
        assert_eq!((plain.trials.len(), plain.time.as_secs()), (trials().count(), 600));
        for wrong in ["--trial t99", "--seed", "--seed x", "--minutes x", "t8"] {
            assert!(asked(wrong).is_err(), "{wrong}");
        }
    }
}
