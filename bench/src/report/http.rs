//! The tables of the platform over HTTP.

use std::fmt::Write as _;

use crate::{
    measures::http::{Beside, CLIENTS, Http, KINDS, Kind, Measured, Transactions},
    report::{
        repetitions,
        table::{Table, ms, or_dash, rate, times},
    },
    stats::{Cell, median},
};

/// The number of clients that ratios are taken at.
pub const MANY: usize = 64;

/// Everything.
pub fn http(http: &Http) -> String {
    let loads: Vec<_> = http.repetitions.iter().map(|r| r.load.as_str()).collect();
    let mut text = format!(
        "`platformctl serve` in a process of its own, asked over loopback TCP on connections that \
         are kept; client, server and PostgreSQL share the machine. Set beside the defaults: {}. \
         {}",
        http.settings.join(", "),
        repetitions(&loads)
    );
    text.push_str(
        "The command renames a workspace: load its 10 events, and as many more as earlier \
         repetitions left, look at its organization, append 1.\n\n",
    );
    text.push_str("Per second; medians.\n\n");
    text.push_str(&rates(http));
    text.push_str("With 64 clients; processor time is an operation's.\n\n");
    text.push_str(&costs(http));
    let Transactions { query, command, lone_command } = http.transactions;
    let _ = writeln!(
        text,
        "Transactions of PostgreSQL, each one round trip: {query:.2} a row by id; {command:.2} a \
         command of 64 clients and {lone_command:.2} a command of one, with all that keeps tables \
         and follows the log.\n"
    );
    text + &sign_ins(http)
}

fn all(http: &Http, kind: Kind, clients: usize) -> impl Iterator<Item = &Measured> {
    http.repetitions.iter().filter_map(move |repetition| repetition.cell(kind, clients))
}

fn middle(
    http: &Http,
    kind: Kind,
    clients: usize,
    figure: impl Fn(&Measured) -> f64,
) -> Option<f64> {
    median(all(http, kind, clients).map(figure))
}

fn rates(http: &Http) -> String {
    let columns = CLIENTS.map(|clients| format!("{clients} clients"));
    let mut table = Table::new(["what".to_owned()].into_iter().chain(columns));
    for kind in KINDS {
        let figures = CLIENTS
            .map(|clients| or_dash(middle(http, kind, clients, |found| found.cell.rate), rate));
        table.row([kind.name().to_owned()].into_iter().chain(figures));
    }
    table.finish()
}

fn costs(http: &Http) -> String {
    let mut table = Table::new([
        "what",
        "p50, ms",
        "p99, ms",
        "server, µs",
        "PostgreSQL, µs",
        "client (or this process), µs",
        "told to come back",
    ]);
    for kind in KINDS {
        let figures: [(fn(&Measured) -> f64, fn(f64) -> String); 6] = [
            (|found| found.cell.p50_ms, ms),
            (|found| found.cell.p99_ms, ms),
            (|found| found.cpu.server, rate),
            (|found| found.cpu.postgresql, rate),
            (|found| found.cpu.client, rate),
            (|found| found.cell.retries as f64, rate),
        ];
        let shown = figures.map(|(figure, show)| or_dash(middle(http, kind, MANY, figure), show));
        table.row([kind.name().to_owned()].into_iter().chain(shown));
    }
    table.finish()
}

fn sign_ins(http: &Http) -> String {
    let signed: Vec<_> = http.repetitions.iter().map(|repetition| &repetition.sign_in).collect();
    let mut text = String::from(
        "Signing in: 64 clients as fast as they can, beside the passwords that a pool of the \
         platform's size checks with nothing around.\n\n",
    );
    let middle = |figures: Vec<f64>, show: fn(f64) -> String| or_dash(median(figures), show);
    let one = |figure: f64| format!("{figure:.1}");
    let mut table = Table::new(["", "per second", "p50, ms", "p99, ms", "to passwords checked"]);
    let hashing: Vec<Cell> = signed.iter().map(|figures| figures.hashing).collect();
    let alone: Vec<Cell> = signed.iter().map(|figures| figures.alone).collect();
    let ratios: Vec<_> = alone.iter().zip(&hashing).map(|(a, h)| a.rate / h.rate).collect();
    for (name, cells, ratio) in
        [("passwords checked", &hashing, "–".to_owned()), ("sign-ins", &alone, times(&ratios))]
    {
        let figures = |figure: fn(&Cell) -> f64| cells.iter().map(figure).collect::<Vec<_>>();
        table.row([
            name.to_owned(),
            middle(figures(|cell| cell.rate), one),
            middle(figures(|cell| cell.p50_ms), ms),
            middle(figures(|cell| cell.p99_ms), ms),
            ratio,
        ]);
    }
    text.push_str(&table.finish());
    text.push_str(
        "What others notice, who keep up half of their highest rate: each request is timed from \
         when it was due. To be met: 3×.\n\n",
    );
    let mut table = Table::new([
        "at half its highest rate",
        "per second",
        "p99 without, ms",
        "p99 beside, ms",
        "ratio",
        "told to come back",
        "sign-ins meanwhile",
    ]);
    let queries: Vec<_> = signed.iter().map(|figures| &figures.queries).collect();
    let commands: Vec<_> = signed.iter().map(|figures| &figures.commands).collect();
    for (name, besides) in [("rows by id", queries), ("commands", commands)] {
        let figures = |figure: fn(&Beside) -> f64| besides.iter().map(|one| figure(one)).collect();
        let ratios: Vec<_> = besides.iter().map(|one| one.busy.p99_ms / one.quiet.p99_ms).collect();
        table.row([
            name.to_owned(),
            middle(figures(|one| one.busy.rate), rate),
            middle(figures(|one| one.quiet.p99_ms), ms),
            middle(figures(|one| one.busy.p99_ms), ms),
            times(&ratios),
            middle(figures(|one| one.busy.retries as f64), rate),
            middle(figures(|one| one.sign_ins.rate), one),
        ]);
    }
    text + &table.finish()
}
