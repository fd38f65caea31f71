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
    text.push_str("Operations / seconds in all repetitions together.\n\n");
    text.push_str(&extents(comparison));
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
        let shown = measured.iter().map(|cell| times(&to_best_peer(comparison, store, cell)));
        table.row(std::iter::once(store.to_owned()).chain(shown));
    }
    table.finish()
}

/// The peer that stores metadata.
pub const WITH_METADATA: &str = "postgres-es 0.5";

fn each(comparison: &Comparison, figure: impl Fn(&Repetition) -> Option<f64>) -> Vec<f64> {
    comparison.repetitions.iter().filter_map(figure).collect()
}

/// A store to the best peer, one ratio a repetition.
pub fn to_best_peer(comparison: &Comparison, store: &str, cell: &str) -> Vec<f64> {
    each(comparison, |r| Some(found(r, store, cell)? / best_peer(r, cell)?))
}

/// The same to one peer.
pub fn to_peer(comparison: &Comparison, store: &str, cell: &str, peer: &str) -> Vec<f64> {
    each(comparison, |r| Some(found(r, store, cell)? / found(r, peer, cell)?))
}

/// The same to what the server can do with one row a transaction and 64 clients.
pub fn to_one_row(comparison: &Comparison, store: &str, cell: &str) -> Vec<f64> {
    each(comparison, |r| Some(found(r, store, cell)? / raw::rate(&r.limits, ONE_ROW)?))
}

/// p99 of A64 to the lowest of a peer.
pub fn slowest(comparison: &Comparison, store: &str) -> Vec<f64> {
    each(comparison, |r| {
        let p99 = |name: &str| Some(r.stores.get(name)?.get("A64")?.p99_ms);
        let best = peers_of(r).filter_map(p99).min_by(f64::total_cmp);
        Some(p99(store)? / best?)
    })
}

/// How often operations were tried again.
pub fn retries(comparison: &Comparison, store: &str, cell: &str) -> Vec<f64> {
    each(comparison, |r| Some(r.stores.get(store)?.get(cell)?.retries as f64))
}

fn peers_of(repetition: &Repetition) -> impl Iterator<Item = &str> {
    let names = repetition.stores.keys().map(String::as_str);
    names.filter(|name| ![OURS, OURS_FULL].contains(name))
}

fn best_peer(repetition: &Repetition, cell: &str) -> Option<f64> {
    peers_of(repetition).filter_map(|peer| found(repetition, peer, cell)).max_by(f64::total_cmp)
}

const ONE_ROW: &str = "insert 1 row a transaction, clients: 64";

/// Ratios to the limits and to one peer, and of the slowest operations.
fn derived(comparison: &Comparison) -> String {
    let mut table = Table::new(["ratio within a repetition", OURS, OURS_FULL]);
    let hundred = |store: &str, cell: &str| {
        each(comparison, |r| {
            Some(found(r, store, cell)? / raw::rate(&r.limits, "insert 100 rows")?)
        })
    };
    type Ratio<'r> = Box<dyn Fn(&str) -> Vec<f64> + 'r>;
    let rows: [(&str, Ratio<'_>); 5] = [
        (
            "B64 to one row a transaction, 64 clients",
            Box::new(|store| to_one_row(comparison, store, "B64")),
        ),
        ("B64 to rows in transactions of 100, 1 client", Box::new(|store| hundred(store, "B64"))),
        ("C16 to rows in transactions of 100, 1 client", Box::new(|store| hundred(store, "C16"))),
        ("p99 of A64 to the lowest of a peer", Box::new(|store| slowest(comparison, store))),
        (
            "D to the peer that stores metadata",
            Box::new(|store| to_peer(comparison, store, "D", WITH_METADATA)),
        ),
    ];
    for (name, ratio) in rows {
        table.row([name.to_owned(), times(&ratio(OURS)), times(&ratio(OURS_FULL))]);
    }
    table.finish()
}

/// How much each store did for a cell, in all repetitions together.
fn extents(comparison: &Comparison) -> String {
    let measured = measured(comparison);
    let mut table = Table::new(std::iter::once("store").chain(measured.iter().copied()));
    for store in stores(comparison) {
        let done = |cell: &&str| {
            let all: Vec<_> = cells(comparison, &store, cell).copied().collect();
            let Cell { operations, seconds, .. } = Cell::median(&all);
            format!("{} / {seconds:.1}", rate(operations as f64))
        };
        table.row(std::iter::once(store.clone()).chain(measured.iter().map(done)));
    }
    table.finish()
}
