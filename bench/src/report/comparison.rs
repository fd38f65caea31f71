//! The tables of a comparison.

use crate::{
    compare::{Comparison, OURS, OURS_FULL, Repetition, raw},
    report::table::{Table, ms, or_dash, range, rate, times},
    stats::{Cell, median},
};

/// The cells in the order of the tables.
const CELLS: [&str; 9] = ["A1", "A16", "A64", "B1", "B16", "B64", "C16", "D", "E16"];

/// This store beside its peers.
pub fn peers(comparison: &Comparison) -> String {
    let mut text = String::new();
    text.push_str(&limits(comparison));
    text.push_str("Per second; medians. C and D are events.\n\n");
    text.push_str(&rates(comparison));
    text.push_str("Milliseconds, half of the operations / ninety-nine of a hundred; medians.\n\n");
    text.push_str(&latencies(comparison));
    text.push_str(
        "This store to the best peer of the same repetition: median of the ratios (lowest–highest).\n\n",
    );
    text.push_str(&ratios(comparison));
    text.push_str(&derived(comparison));
    text
}

/// This store with one thing more each time.
pub fn costs(comparison: &Comparison) -> String {
    let mut text = String::from("Per second; medians.\n\n");
    text.push_str(&rates(comparison));
    text.push_str("To the plain store of the same repetition: median of the ratios.\n\n");
    let cells = measured(comparison);
    let mut table = Table::new(std::iter::once("store").chain(cells.iter().copied()));
    for store in stores(comparison).into_iter().filter(|store| store != OURS) {
        let to_plain = |cell: &&str| {
            let ratio = |r: &Repetition| Some(found(r, &store, cell)? / found(r, OURS, cell)?);
            or_dash(median(comparison.repetitions.iter().filter_map(ratio)), |x| format!("{x:.2}"))
        };
        table.row(std::iter::once(store.clone()).chain(cells.iter().map(to_plain)));
    }
    text + &table.finish()
}

/// The stores in the order in which they came first.
fn stores(comparison: &Comparison) -> Vec<String> {
    let first = comparison.repetitions.first();
    let order = first.map_or(&[][..], |repetition| &repetition.order);
    let took_part = |name: &&String| first.is_some_and(|r| r.stores.contains_key(*name));
    order.iter().filter(took_part).cloned().collect()
}

fn measured(comparison: &Comparison) -> Vec<&'static str> {
    let has = |cell: &&str| {
        let mut stores = comparison.repetitions.iter().flat_map(|r| r.stores.values());
        stores.any(|cells| cells.contains_key(*cell))
    };
    CELLS.into_iter().filter(has).collect()
}

fn found(repetition: &Repetition, store: &str, cell: &str) -> Option<f64> {
    Some(repetition.stores.get(store)?.get(cell)?.rate)
}

fn cells<'c>(
    comparison: &'c Comparison,
    store: &'c str,
    cell: &'c str,
) -> impl Iterator<Item = &'c Cell> {
    comparison.repetitions.iter().filter_map(move |r| r.stores.get(store)?.get(cell))
}

fn rates(comparison: &Comparison) -> String {
    let measured = measured(comparison);
    let mut table = Table::new(std::iter::once("store").chain(measured.iter().copied()));
    for store in stores(comparison) {
        let middle = |cell: &&str| median(cells(comparison, &store, cell).map(|cell| cell.rate));
        let shown = measured.iter().map(|cell| or_dash(middle(cell), rate));
        table.row(std::iter::once(store.clone()).chain(shown));
    }
    table.finish()
}

fn latencies(comparison: &Comparison) -> String {
    let mut measured = measured(comparison);
    measured.retain(|cell| *cell != "D");
    let head = std::iter::once("store").chain(measured.iter().copied());
    let mut table = Table::new(head.chain(["retries of E16"]));
    for store in stores(comparison) {
        let shown = measured.iter().map(|cell| {
            let p50 = median(cells(comparison, &store, cell).map(|cell| cell.p50_ms));
            let p99 = median(cells(comparison, &store, cell).map(|cell| cell.p99_ms));
            format!("{} / {}", or_dash(p50, ms), or_dash(p99, ms))
        });
        let retries = median(cells(comparison, &store, "E16").map(|cell| cell.retries as f64));
        let row = std::iter::once(store.clone()).chain(shown);
        table.row(row.chain([or_dash(retries, rate)]));
    }
    table.finish()
}

fn limits(comparison: &Comparison) -> String {
    let Some(first) = comparison.repetitions.first() else { return String::new() };
    let mut table = Table::new(["limit of the server", "per second, median", "lowest–highest"]);
    for limit in &first.limits {
        let of = |r: &Repetition| raw::rate(&r.limits, &limit.name);
        let all: Vec<f64> = comparison.repetitions.iter().filter_map(of).collect();
        table.row([limit.name.clone(), or_dash(median(all.clone()), rate), range(&all, rate)]);
    }
    table.finish()
}

fn ratios(comparison: &Comparison) -> String {
    let measured = measured(comparison);
    let mut table = Table::new(std::iter::once("store").chain(measured.iter().copied()));
    for store in [OURS, OURS_FULL] {
        let shown = measured.iter().map(|cell| {
            let ratio = |r: &Repetition| Some(found(r, store, cell)? / best_peer(r, cell)?);
            let all: Vec<f64> = comparison.repetitions.iter().filter_map(ratio).collect();
            times(&all)
        });
        table.row(std::iter::once(store.to_owned()).chain(shown));
    }
    table.finish()
}

fn best_peer(repetition: &Repetition, cell: &str) -> Option<f64> {
    let peers = repetition.stores.keys().filter(|name| ![OURS, OURS_FULL].contains(&name.as_str()));
    peers.filter_map(|peer| found(repetition, peer, cell)).max_by(f64::total_cmp)
}

/// Ratios to the limits, and of the slowest operations.
fn derived(comparison: &Comparison) -> String {
    let mut table = Table::new(["ratio within a repetition", OURS, OURS_FULL]);
    let to_limit = |cell: &'static str, limit: &'static str| {
        move |r: &Repetition, store: &str| {
            Some(found(r, store, cell)? / raw::rate(&r.limits, limit)?)
        }
    };
    let slowest = |r: &Repetition, store: &str| {
        let p99 = |name: &str| Some(r.stores.get(name)?.get("A64")?.p99_ms);
        let peers = r.stores.keys().filter(|name| ![OURS, OURS_FULL].contains(&name.as_str()));
        let best = peers.filter_map(|peer| p99(peer)).min_by(f64::total_cmp);
        Some(p99(store)? / best?)
    };
    let one = "insert 1 row a transaction, clients: 64";
    let hundred = "insert 100 rows";
    type Ratio<'r> = Box<dyn Fn(&Repetition, &str) -> Option<f64> + 'r>;
    let rows: [(&str, Ratio<'_>); 4] = [
        ("B64 to one row a transaction, 64 clients", Box::new(to_limit("B64", one))),
        ("B64 to rows in transactions of 100, 1 client", Box::new(to_limit("B64", hundred))),
        ("C16 to rows in transactions of 100, 1 client", Box::new(to_limit("C16", hundred))),
        ("p99 of A64 to the lowest of a peer", Box::new(slowest)),
    ];
    for (name, ratio) in rows {
        let of = |store: &str| {
            let all: Vec<f64> =
                comparison.repetitions.iter().filter_map(|r| ratio(r, store)).collect();
            times(&all)
        };
        table.row([name.to_owned(), of(OURS), of(OURS_FULL)]);
    }
    table.finish()
}
