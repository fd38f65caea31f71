//! Holds the hot paths to their budgets.
//!
//! Counted by a processor that valgrind simulates, so that neither the machine's speed nor what
//! else runs on it matters. Two runs of one path differ only in how often it is walked; what one
//! walk takes is the difference by the number of additional walks.

use std::process::Command;

/// How far a figure may be above its budget before it counts as a change for the worse: compilers
/// and hash seeds differ a little.
const SLACK: f64 = 1.10;
/// Below this share of it, a budget is out of date.
const STALE: f64 = 0.75;

/// What one walk may take.
struct Budget {
    path: &'static str,
    /// Walks of the shorter run, enough to fill caches and to grow buffers; the longer one has
    /// three times as many.
    walks: u32,
    instructions: f64,
    allocations: f64,
}

/// Each figure is what its path took when it was set, on x86-64; a walk of `catch-up` is a page of a
/// thousand events, and one of `project` a batch of a hundred, each of another row.
///
/// Holds all paths, and says all figures before it fails.
#[tokio::test]
async fn every_hot_path_keeps_its_budget() {
    let database = testkit::database().await;
    let budgets = [
        Budget { path: "change", walks: 200, instructions: 44_500.0, allocations: 52.0 },
        Budget { path: "change-postgres", walks: 200, instructions: 108_500.0, allocations: 107.0 },
        Budget { path: "load", walks: 200, instructions: 48_200.0, allocations: 45.0 },
        Budget { path: "begin-personal", walks: 200, instructions: 84_500.0, allocations: 92.0 },
        Budget { path: "catch-up", walks: 3, instructions: 2_000_000.0, allocations: 1_006.0 },
        Budget { path: "project", walks: 10, instructions: 3_410_000.0, allocations: 3_886.0 },
    ];
    let (mut said, mut outside) = (Vec::new(), Vec::new());
    for Budget { path, walks, instructions, allocations } in budgets {
        let walk = |count: fn(&str, u32, &str) -> f64| {
            let (few, all) =
                (count(path, walks, &database.url), count(path, 3 * walks, &database.url));
            (all - few) / f64::from(2 * walks)
        };
        let costs = [
            ("instructions", instructions, walk(instructions_of)),
            ("allocations", allocations, walk(allocations_of)),
        ];
        for (what, budget, found) in costs {
            let line = format!("{path}: {found:.0} {what} of {budget:.0}");
            said.push(line.clone());
            if found > budget * SLACK {
                outside.push(format!("{line}; if it has to be, say why and raise the budget"));
            } else if found < budget * STALE {
                outside.push(format!("{line}; lower the budget, so that the gain stays"));
            }
        }
    }
    assert!(outside.is_empty(), "{}\n\nall of them:\n{}", outside.join("\n"), said.join("\n"));
}

fn instructions_of(path: &str, times: u32, url: &str) -> f64 {
    let tool = ["--tool=callgrind", "--callgrind-out-file=/dev/null"];
    figure(&run(&tool, path, times, url), "Collected :")
}

fn allocations_of(path: &str, times: u32, url: &str) -> f64 {
    let tool = ["--tool=memcheck", "--leak-check=no", "--undef-value-errors=no"];
    figure(&run(&tool, path, times, url), "total heap usage:")
}

/// What valgrind says of a run.
fn run(tool: &[&str], path: &str, times: u32, url: &str) -> String {
    let done = Command::new("valgrind")
        .args(tool)
        .arg(env!("CARGO_BIN_EXE_budgets"))
        .args([path, &times.to_string(), url])
        .output()
        .expect("valgrind is missing: `scripts/setup` installs it");
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(done.status.success(), "{path}: {said}");
    said
}

/// The number behind some words.
fn figure(said: &str, words: &str) -> f64 {
    let line = said.lines().find_map(|line| line.split_once(words));
    let number = line.and_then(|(_, after)| after.split_whitespace().next());
    let number = number.and_then(|number| number.replace(',', "").parse().ok());
    number.unwrap_or_else(|| panic!("no {words:?} in: {said}"))
}
