//! What was promised beside what was found, for all that was measured.
//!
//! Owns targets, floors, and what keeps a figure from its target. A median decides; the range of
//! the repetitions stands beside it.

use crate::{
    compare::{Comparison, OURS, OURS_FULL},
    measures::{
        http::{Beside, Http, Kind, Repetition},
        latency::{Across, Latency},
        project::Projection,
        rebuild::Rebuilds,
        scale::{Scale, Size},
    },
    report::{
        comparison,
        http::MANY,
        table::{Table, ms, range, rate},
    },
    results::Results,
    stats::median,
};

/// A figure, what it is to be, and how it is written.
struct Promise<'p> {
    /// Its number in the list of targets.
    number: u8,
    figure: &'p str,
    found: Vec<f64>,
    target: Option<f64>,
    floor: Option<f64>,
    better: Better,
    show: fn(f64) -> String,
    /// What keeps it from its target, where something does.
    bound: &'p str,
}

#[derive(Clone, Copy)]
enum Better {
    More,
    Less,
}

impl Better {
    fn holds(self, found: f64, bound: f64) -> bool {
        match self {
            Self::More => found >= bound,
            Self::Less => found <= bound,
        }
    }

    fn sign(self) -> &'static str {
        match self {
            Self::More => "≥",
            Self::Less => "≤",
        }
    }
}

impl Promise<'_> {
    fn row(&self) -> Option<[String; 7]> {
        let found = median(self.found.iter().copied())?;
        let bound = |bound: Option<f64>| {
            bound.map_or_else(
                || "–".to_owned(),
                |bound| format!("{} {}", self.better.sign(), (self.show)(bound)),
            )
        };
        let holds = |bound: Option<f64>| bound.map(|bound| self.better.holds(found, bound));
        let (verdict, why) = match (holds(self.target), holds(self.floor)) {
            (Some(true), _) | (None, Some(true)) => ("reached", ""),
            (None, None) => ("–", self.bound),
            (Some(false), Some(true)) => ("above its floor", self.bound),
            (Some(false), None) => ("**not reached**", self.bound),
            (_, Some(false)) => ("**below its floor**", self.bound),
        };
        let shown = (self.show)(found);
        let spread = if self.found.len() > 1 {
            format!(" ({})", range(&self.found, self.show))
        } else {
            " (one run)".to_owned()
        };
        Some([
            self.number.to_string(),
            self.figure.to_owned(),
            shown + &spread,
            bound(self.target),
            bound(self.floor),
            verdict.to_owned(),
            why.to_owned(),
        ])
    }
}

/// All promises that something was measured for.
pub fn targets(results: &Results) -> String {
    let mut promises = Vec::new();
    if let Some(comparison) = &results.peers {
        promises.extend(beside_peers(comparison));
    }
    promises.extend(results.project.iter().flat_map(live));
    promises.extend(results.rebuild.iter().flat_map(rebuilt));
    promises.extend(results.latency.iter().flat_map(visible));
    promises.extend(results.http.iter().flat_map(over_http));
    promises.extend(results.scale.iter().flat_map(grown));
    let mut table =
        Table::new(["", "figure", "found", "target", "floor", "", "what keeps it from its target"]);
    for row in promises.iter().filter_map(Promise::row) {
        table.row(row);
    }
    table.finish()
}

fn times(figure: f64) -> String {
    format!("{figure:.2}×")
}

const SHARED: &str = "processor: client, server and PostgreSQL share two cores, and no cell waits for \
                      the disk; more cores, or rows of fewer columns";

fn beside_peers(comparison: &Comparison) -> Vec<Promise<'_>> {
    let ratio = |store, cell| comparison::to_best_peer(comparison, store, cell);
    let row = |number, figure, found, target, floor, bound| Promise {
        number,
        figure,
        found,
        target,
        floor,
        better: Better::More,
        show: times,
        bound,
    };
    let raw = comparison::to_one_row(comparison, OURS, "B64");
    let p99 = comparison::slowest(comparison, OURS);
    let second = comparison::to_peer(comparison, OURS, "D", comparison::WITH_METADATA);
    vec![
        row(
            1,
            "append 1, 64 callers, to the best peer",
            ratio(OURS, "B64"),
            Some(3.0),
            Some(2.0),
            SHARED,
        ),
        row(
            1,
            "the same with a claim and a sealed field",
            ratio(OURS_FULL, "B64"),
            None,
            Some(1.5),
            SHARED,
        ),
        row(1, "append 1, 64 callers, to raw one-row inserts", raw, Some(2.0), None, SHARED),
        row(
            2,
            "append 1, 1 caller, to the best peer",
            ratio(OURS, "B1"),
            Some(1.0),
            Some(0.8),
            ONE_CALLER,
        ),
        row(
            3,
            "command, 64 callers, to the best peer",
            ratio(OURS, "A64"),
            Some(3.0),
            Some(2.0),
            LOADING,
        ),
        row(3, "command, 16 callers", ratio(OURS, "A16"), Some(1.8), Some(1.5), LOADING),
        row(3, "command, 1 caller", ratio(OURS, "A1"), Some(1.0), Some(0.8), ONE_CALLER),
        Promise {
            better: Better::Less,
            ..row(3, "its p99 at 64, to the lowest of a peer", p99, Some(0.5), None, LOADING)
        },
        row(
            4,
            "append 10 at once, 16 callers, to the best peer",
            ratio(OURS, "C16"),
            Some(2.0),
            Some(1.5),
            SHARED,
        ),
        row(
            5,
            "hot stream, 16 writers, to the best peer",
            ratio(OURS, "E16"),
            Some(8.0),
            None,
            SHARED,
        ),
        Promise {
            better: Better::Less,
            show: rate,
            ..row(
                5,
                "retries of it in this process",
                comparison::retries(comparison, OURS, "E16"),
                Some(0.0),
                None,
                "",
            )
        },
        row(
            6,
            "catching up, decoded, to the best peer",
            ratio(OURS, "D"),
            Some(1.0),
            Some(0.8),
            METADATA,
        ),
        row(6, "to the best that stores metadata", second, Some(2.0), Some(1.5), METADATA),
    ]
}

const ONE_CALLER: &str = "one caller waits for the disk, the writer and its answer in turn";
const LOADING: &str = "processor: ten rows are read, decoded and folded for one that is written";
const METADATA: &str = "the client decodes twenty columns an event for two thirds of the time; the \
                        quickest peer keeps four, and no metadata";

fn live(projection: &Projection) -> Vec<Promise<'_>> {
    let runs = &projection.runs;
    let row = |figure, found, target, floor, show| Promise {
        number: 7,
        figure,
        found,
        target: Some(target),
        floor: Some(floor),
        better: Better::More,
        show,
        bound: SHARED,
    };
    let ratios = runs.iter().map(|run| run.runner / run.single).collect();
    vec![
        row(
            "live projection, events/s",
            runs.iter().map(|run| run.runner).collect(),
            40_000.0,
            20_000.0,
            rate,
        ),
        row("to one transaction an event", ratios, 15.0, 10.0, times),
    ]
}

fn rebuilt(rebuilds: &Rebuilds) -> Vec<Promise<'_>> {
    let row = |figure, found, target, floor, better| Promise {
        number: 8,
        figure,
        found,
        target: Some(target),
        floor,
        better,
        show: rate,
        bound: SHARED,
    };
    let [smallest, .., largest] = &*rebuilds.sizes else { return Vec::new() };
    let memory = |size: &crate::measures::rebuild::Rebuild| vec![size.peak_mib as f64];
    vec![
        row(
            "rebuilding, shorter log, events/s",
            vec![smallest.rate()],
            100_000.0,
            Some(50_000.0),
            Better::More,
        ),
        row(
            "rebuilding, longer log, events/s",
            vec![largest.rate()],
            100_000.0,
            Some(50_000.0),
            Better::More,
        ),
        row("its memory, MiB", memory(smallest), 300.0, None, Better::Less),
        Promise {
            bound: "keys and indexes of tables in the making, and what the allocator keeps; it does \
                    not grow with the log",
            ..row(
                "with the longer log, MiB",
                memory(largest),
                smallest.peak_mib as f64,
                Some(300.0),
                Better::Less,
            )
        },
    ]
}

fn visible(latency: &Latency) -> Vec<Promise<'_>> {
    let row = |figure, found, target| Promise {
        number: 9,
        figure,
        found: vec![found],
        target: Some(target),
        floor: None,
        better: Better::Less,
        show: ms,
        bound: SHARED,
    };
    let Some(here) = latency.loads.last() else { return Vec::new() };
    let mut rows = vec![
        row("commit to row in this process under load, p50, ms", here.p50_ms, 5.0),
        row("the same, p99, ms", here.p99_ms, 50.0),
    ];
    let highest = |with: bool| {
        let all = latency.across.iter().filter(move |one: &&Across| one.nats == with);
        all.flat_map(|one| &one.loads).map(|load| load.p99_ms).max_by(f64::total_cmp)
    };
    rows.extend(
        highest(true).map(|p99| row("in another process through NATS, p99, ms", p99, 100.0)),
    );
    rows.extend(
        highest(false).map(|p99| row("in another process, NATS dead, p99, ms", p99, 500.0)),
    );
    rows
}

fn over_http(http: &Http) -> Vec<Promise<'_>> {
    let each = |figure: &dyn Fn(&Repetition) -> Option<f64>| -> Vec<f64> {
        http.repetitions.iter().filter_map(figure).collect()
    };
    let to = |of: Kind, to: Kind| {
        each(&|one| Some(one.cell(of, MANY)?.cell.rate / one.cell(to, MANY)?.cell.rate))
    };
    let p99 = |kind| each(&|one| Some(one.cell(kind, MANY)?.cell.p99_ms));
    let row = |number, figure, found, target, floor, bound| Promise {
        number,
        figure,
        found,
        target,
        floor,
        better: Better::More,
        show: times,
        bound,
    };
    let at_most = |number, figure, found, target, show, bound| Promise {
        number,
        figure,
        found,
        target: Some(target),
        floor: None,
        better: Better::Less,
        show,
        bound,
    };
    let beside = |of: fn(&Repetition) -> &Beside| {
        each(&|one| Some(of(one).busy.p99_ms / of(one).quiet.p99_ms))
    };
    let hashes = |one: &Repetition| Some(one.sign_in.alone.rate / one.sign_in.hashing.rate);
    let (alone, whole) = (Kind::StoreAlone, Kind::InProcess);
    let queries = each(&|one| Some(one.cell(Kind::Query, MANY)?.cell.rate));
    vec![
        row(
            10,
            "commands over HTTP by token, to the same on a store that keeps no tables",
            to(Kind::Token, alone),
            Some(0.6),
            Some(0.4),
            TABLES,
        ),
        row(10, "by API key", to(Kind::ApiKey, alone), Some(0.6), Some(0.4), TABLES),
        row(
            10,
            "by token, to the whole platform in this process",
            to(Kind::Token, whole),
            None,
            None,
            "for comparison: both sides keep tables here",
        ),
        at_most(10, "p99 by token, ms", p99(Kind::Token), 40.0, ms, SHARED),
        at_most(10, "p99 by API key, ms", p99(Kind::ApiKey), 40.0, ms, SHARED),
        Promise {
            show: rate,
            ..row(
                11,
                "rows by id over HTTP a second",
                queries,
                Some(10_000.0),
                Some(4_000.0),
                QUERY,
            )
        },
        at_most(11, "p99, ms", p99(Kind::Query), 20.0, ms, SHARED),
        row(
            12,
            "sign-ins to passwords checked",
            each(&hashes),
            None,
            None,
            "for comparison: argon2id alone bounds it",
        ),
        at_most(
            12,
            "p99 of rows by id beside sign-ins, to without",
            beside(|one| &one.sign_in.queries),
            3.0,
            times,
            ONE_CORE,
        ),
        at_most(
            12,
            "p99 of commands beside sign-ins, to without",
            beside(|one| &one.sign_in.commands),
            3.0,
            times,
            ONE_CORE,
        ),
    ]
}

const TABLES: &str = "processor: of each command the server takes half, with its HTTP, and \
                      tables take a third of PostgreSQL's part; both on the cores that the client and \
                      the log need too";
const QUERY: &str = "processor: parsing, rights, counters and the log line of a request; the query is \
                     one round trip";
const ONE_CORE: &str = "a hash takes one of two cores for some 20 ms; whoever is on it waits for a \
                        slice of the scheduler";

fn grown(scale: &Scale) -> Vec<Promise<'_>> {
    let [smallest, .., largest] = &*scale.sizes else { return Vec::new() };
    let row = |figure, of: fn(&Size) -> f64| Promise {
        number: 13,
        figure,
        found: vec![of(largest) / of(smallest)],
        target: Some(0.7),
        floor: None,
        better: Better::More,
        show: times,
        bound: "",
    };
    vec![
        row("commands/s in a large log to a small one", |size| size.a64.rate),
        row("appends/s", |size| size.b64.rate),
        row("catching up, events/s", |size| size.catch_up),
        Promise {
            better: Better::Less,
            target: Some(1.3),
            ..row("blocks touched an append", |size| size.blocks_b64)
        },
    ]
}
