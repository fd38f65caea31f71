//! Figures as Markdown: what a command prints, and what `docs/benchmarks.md` is made of.

mod comparison;
mod http;
mod measures;
mod table;
mod targets;

use std::fmt::Write as _;

use crate::{conditions::Conditions, results::Results};

/// What stands above the figures of a whole document.
pub const PREAMBLE: &str = include_str!("preamble.md");

/// All that was measured, under headings.
pub fn markdown(results: &Results) -> String {
    let mut text = String::from("## What was promised\n\n");
    text.push_str(&targets::targets(results));
    if let Some(peers) = &results.peers {
        section(&mut text, "Beside peers", &peers.conditions);
        let loads: Vec<_> = peers.repetitions.iter().map(|r| r.load.as_str()).collect();
        text.push_str(&repetitions(&loads));
        text.push_str(&comparison::peers(peers));
    }
    if let Some(costs) = &results.costs {
        section(&mut text, "What each thing costs", &costs.conditions);
        let loads: Vec<_> = costs.repetitions.iter().map(|r| r.load.as_str()).collect();
        text.push_str(&repetitions(&loads));
        text.push_str(&comparison::costs(costs));
    }
    if let Some(scale) = &results.scale {
        section(&mut text, "With a growing log", &scale.conditions);
        text.push_str("Each figure is the median of three rounds on one log.\n\n");
        text.push_str(&measures::scale(scale));
    }
    if let Some(projection) = &results.project {
        section(&mut text, "Live projection", &projection.conditions);
        text.push_str("A row a run, each with a log of its own.\n\n");
        text.push_str(&measures::project(projection));
    }
    if let Some(rebuilds) = &results.rebuild {
        section(&mut text, "Rebuilding all tables", &rebuilds.conditions);
        text.push_str("One run, with a log that grows.\n\n");
        text.push_str(&measures::rebuild(rebuilds));
    }
    if let Some(http) = &results.http {
        section(&mut text, "Over HTTP", &http.conditions);
        text.push_str(&self::http::http(http));
    }
    if let Some(latency) = &results.latency {
        section(&mut text, "From a commit to its row", &latency.conditions);
        text.push_str("One run.\n\n");
        text.push_str(&measures::latency(latency));
    }
    if let Some(order) = &results.order {
        section(&mut text, "Two nodes and a reader", &order.conditions);
        text.push_str(&measures::order(order));
    }
    text
}

/// How often something was measured, and how busy the machine was each time.
fn repetitions(loads: &[&str]) -> String {
    match loads {
        [load] => format!("One run; load averages before: {load}.\n\n"),
        loads => format!(
            "{} repetitions; load averages before each: {}.\n\n",
            loads.len(),
            loads.join("; ")
        ),
    }
}

fn section(text: &mut String, title: &str, conditions: &Conditions) {
    let Conditions { cpu, cores, memory_gib, postgresql, settings, commit, measured_at, load } =
        conditions;
    let _ = writeln!(text, "## {title}\n");
    let _ = writeln!(
        text,
        "{measured_at}, commit {commit}; {cpu}, {cores} cores, {memory_gib} GiB; load average {load}; \
         PostgreSQL {postgresql} ({}).\n",
        settings.join(", ")
    );
}
