//! The trials, by name. A new one is a module with a function `run` and a line in [`TRIALS`].
//!
//! A seed fixes what is asked and which faults are drawn. Ids, and addresses made of them, are new
//! each time, and how the machine interleaves the tasks stays its own affair, so a failure may need
//! some repetitions of its seed.

mod ahead;
mod clock;
mod disconnect;
mod disk;
mod duplicates;
mod enumeration;
mod followers;
mod ground;
mod kill;
mod lease;
pub mod linear;
mod network;
mod order;
mod outage;
mod overload;
mod points;
mod postgres;
mod processes;
mod report;
mod short;
mod slow;

use std::path::PathBuf;

use futures_util::{FutureExt, future::BoxFuture};

pub use report::{Report, Violation};
pub use short::short;

pub(crate) use report::require;

/// How much a trial does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// Seconds: for every change.
    Short,
    /// What the programme asks for: for long runs.
    Long,
}

/// How a trial is run.
#[derive(Debug, Clone)]
pub struct Terms {
    /// What is asked and which faults are drawn.
    pub seed: u64,
    /// How much is done.
    pub scale: Scale,
    /// The `platformctl` that serves, for trials of the whole platform.
    pub server: PathBuf,
}

/// What a running trial comes to.
pub type Run = BoxFuture<'static, Result<Report, Violation>>;

/// One trial.
#[derive(Debug, Clone, Copy)]
pub struct Trial {
    /// What it is called on the command line.
    pub name: &'static str,
    /// What it shows.
    pub shows: &'static str,
    /// How many seeds its short form takes.
    pub seeds: u64,
    /// Runs it.
    pub run: fn(Terms) -> Run,
}

/// The trials of the log and of what follows it, within one process.
pub const TRIALS: &[Trial] = &[
    Trial {
        name: "t3",
        shows: "connections cut, silent and slow: one true answer for every command",
        seeds: 20,
        run: |terms| network::run(terms.seed, terms.scale).boxed(),
    },
    Trial {
        name: "t3-outage",
        shows: "no way to the server: calls come back, and work goes on when it is there again",
        seeds: 3,
        run: |terms| outage::run(terms.seed, terms.scale).boxed(),
    },
    Trial {
        name: "t5",
        shows: "clocks that jump: the order stays, and the log's own time never falls",
        seeds: 2,
        run: |terms| clock::run(terms.seed, terms.scale).boxed(),
    },
    Trial {
        name: "t6",
        shows: "every append delivered up to ten times, shuffled: once in the log, one reply",
        seeds: 3,
        run: |terms| duplicates::run(terms.seed, terms.scale).boxed(),
    },
    Trial {
        name: "t8",
        shows: "many clients over a bad network: every stream linearizable",
        seeds: 3,
        run: |terms| linear::run(terms.seed, terms.scale).boxed(),
    },
    Trial {
        name: "ahead",
        shows: "commands of one stream decided ahead of the log: none rests on what never happened",
        seeds: 3,
        run: |terms| ahead::run(terms.seed, terms.scale).boxed(),
    },
    Trial {
        name: "t10",
        shows: "slow commits, rollbacks, an idle transaction: readers see one order without gap",
        seeds: 2,
        run: |terms| order::run(terms.seed, terms.scale).boxed(),
    },
    Trial {
        name: "lease",
        shows: "leases stolen in the middle of a batch: what the former holder wrote is not kept",
        seeds: 2,
        run: |terms| lease::run(terms.seed, terms.scale).boxed(),
    },
    Trial {
        name: "followers",
        shows: "leases stolen from policies, letters and tables: each reaction once, no letter lost",
        seeds: 2,
        run: |terms| followers::run(terms.seed, terms.scale).boxed(),
    },
    Trial {
        name: "followers-silent",
        shows: "answers to policies, letters and tables swallowed: they go on by themselves",
        seeds: 1,
        run: |terms| followers::silence::run(terms.seed, terms.scale).boxed(),
    },
];

/// The trials of the whole platform, as processes.
pub const PLATFORM: &[Trial] = &[
    Trial {
        name: "t1",
        shows: "the server killed under load: nothing acknowledged lost or doubled, soon ready",
        seeds: 1,
        run: |terms| kill::run(terms).boxed(),
    },
    Trial {
        name: "t1-points",
        shows: "the server and the rebuild ended between any two effects: the same promises",
        seeds: 1,
        run: |terms| points::run(terms).boxed(),
    },
    Trial {
        name: "t2",
        shows: "the database killed under load: clear refusals, and work goes on by itself",
        seeds: 1,
        run: |terms| postgres::run(terms).boxed(),
    },
    Trial {
        name: "t4",
        shows: "a full disk: writing is refused, reading goes on, and so does writing with room",
        seeds: 1,
        run: |terms| disk::run(terms).boxed(),
    },
    Trial {
        name: "processes",
        shows: "two servers, one killed: the other takes over, and rights are gone in both at once",
        seeds: 1,
        run: |terms| processes::run(terms).boxed(),
    },
    Trial {
        name: "disconnect",
        shows: "clients that leave in the middle: nothing stays open, the outcome is told later",
        seeds: 1,
        run: |terms| disconnect::run(terms).boxed(),
    },
    Trial {
        name: "t15",
        shows: "half as much again as fits: most of it done, the rest refused at once, soon over",
        seeds: 1,
        run: |terms| overload::run(terms).boxed(),
    },
    Trial {
        name: "t16",
        shows: "clients slow on purpose: cut off in time, and nobody else notices",
        seeds: 1,
        run: |terms| slow::run(terms).boxed(),
    },
    Trial {
        name: "t20",
        shows: "known and unknown users: no telling them apart by what is answered, or when",
        seeds: 1,
        run: |terms| enumeration::run(terms).boxed(),
    },
];
