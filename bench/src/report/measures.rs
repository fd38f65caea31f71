//! The tables of the measures of this store alone.

use crate::{
    measures::{
        latency::Latency, order::Order, project::Projection, rebuild::Rebuilds, scale::Scale,
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
    let mut table = Table::new(["writers beside", "their appends/s", "p50, ms", "p99, ms"]);
    for load in &latency.loads {
        table.row([load.writers.to_string(), rate(load.appends), ms(load.p50_ms), ms(load.p99_ms)]);
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
