//! The tables of the measures of this store alone.

use crate::{
    measures::{
        latency::{Across, Latency, UnderLoad},
        order::Order,
        project::Projection,
        rebuild::Rebuilds,
        scale::{Scale, Size},
    },
    report::table::{Table, ms, rate},
};

/// With a growing log.
pub fn scale(scale: &Scale) -> String {
    let mut table = Table::new([
        "events in the log",
        "database, MiB",
        "commands/s at 64 tasks (A64)",
        "p99, ms",
        "blocks a command",
        "appends/s at 64 tasks (B64)",
        "p99, ms",
        "blocks an append",
        "catching up, events/s (D)",
    ]);
    for size in &scale.sizes {
        table.row([
            rate(size.events as f64),
            rate(size.bytes as f64 / f64::from(1 << 20)),
            rate(size.a64.rate),
            ms(size.a64.p99_ms),
            format!("{:.1}", size.blocks_a64),
            rate(size.b64.rate),
            ms(size.b64.p99_ms),
            format!("{:.1}", size.blocks_b64),
            rate(size.catch_up),
        ]);
    }
    table.finish() + &growth(scale)
}

/// What the largest log costs beside the smallest.
fn growth(scale: &Scale) -> String {
    let [smallest, .., largest] = &*scale.sizes else { return String::new() };
    let title = format!(
        "{} events to {}, where every rate must keep 0.70×",
        rate(largest.events as f64),
        rate(smallest.events as f64)
    );
    let mut table = Table::new([title.as_str(), "ratio"]);
    let figures: [(&str, fn(&Size) -> f64); 5] = [
        ("commands/s at 64 tasks (A64)", |size| size.a64.rate),
        ("appends/s at 64 tasks (B64)", |size| size.b64.rate),
        ("catching up, events/s (D)", |size| size.catch_up),
        ("blocks a command", |size| size.blocks_a64),
        ("blocks an append", |size| size.blocks_b64),
    ];
    for (name, figure) in figures {
        table.row([name.to_owned(), format!("{:.2}×", figure(largest) / figure(smallest))]);
    }
    table.finish()
}

/// Live projection.
pub fn project(projection: &Projection) -> String {
    let mut table = Table::new([
        "events in the log",
        "events an append",
        "runner, events/s",
        "one transaction an append, events/s",
        "ratio",
    ]);
    for run in &projection.runs {
        table.row([
            rate(run.events as f64),
            format!("{:.2}", run.per_append),
            rate(run.runner),
            rate(run.single),
            format!("{:.1}×", run.runner / run.single),
        ]);
    }
    table.finish()
}

/// Rebuilds: one row a log, then one a module.
pub fn rebuild(rebuilds: &Rebuilds) -> String {
    let mut all = Table::new([
        "events in the log",
        "rebuilt with indexes, events/s",
        "live tables before, events/s",
        "peak memory, MiB",
    ]);
    let mut phases = Table::new([
        "module",
        "tables",
        "events",
        "folding, s",
        "indexing, s",
        "verifying, s",
        "swapping, s",
    ]);
    for size in &rebuilds.sizes {
        all.row([
            rate(size.events as f64),
            rate(size.rate()),
            rate(size.live),
            rate(size.peak_mib as f64),
        ]);
        for module in &size.modules {
            phases.row([
                module.module.clone(),
                module.tables.to_string(),
                rate(size.events as f64),
                format!("{:.1}", module.folding),
                format!("{:.1}", module.indexing),
                format!("{:.1}", module.verifying),
                format!("{:.2}", module.swapping),
            ]);
        }
    }
    all.finish() + &phases.finish()
}

/// From a commit to its row.
pub fn latency(latency: &Latency) -> String {
    let mut text = String::from("In the process that writes; all tables are kept by it.\n\n");
    let mut table = Table::new(["writers beside", "their appends/s", "p50, ms", "p99, ms"]);
    for load in &latency.loads {
        table.row([load.writers.to_string(), rate(load.appends), ms(load.p50_ms), ms(load.p99_ms)]);
    }
    text.push_str(&table.finish());
    if !latency.across.is_empty() {
        text.push_str(ACROSS);
        text.push_str(&across(&latency.across));
    }
    text
}

/// What stands above the figures of two processes.
const ACROSS: &str = "From one `platformctl serve` to another, which share PostgreSQL, the keys and \
a NATS server: from the answer to a command at the one to the answer of the other to a query that \
names the command's position and shows its row. Both over HTTP. To be met: p99 of 100 ms with NATS, \
500 ms without.\n\n";

fn across(all: &[Across]) -> String {
    let mut table = Table::new([
        "woken by",
        "tables kept by",
        "writers beside",
        "their commands/s",
        "p50, ms",
        "p99, ms",
    ]);
    for one in all {
        let by = if one.nats { "NATS" } else { "polling; NATS killed" };
        let keeper = if one.reader_keeps { "the process asked" } else { "the process that writes" };
        for UnderLoad { writers, appends, p50_ms, p99_ms } in &one.loads {
            let figures = [writers.to_string(), rate(*appends), ms(*p50_ms), ms(*p99_ms)];
            table.row([by.to_owned(), keeper.to_owned()].into_iter().chain(figures));
        }
    }
    table.finish()
}

/// Two nodes and a reader.
pub fn order(order: &Order) -> String {
    format!(
        "{} events written by 32 tasks on two nodes, half of them to 4 streams that both want: a \
         reader that only goes forward saw each once, no position and no version was missing. {} \
         commands were tried again.\n\n",
        rate(order.events as f64),
        rate(order.retries as f64)
    )
}
