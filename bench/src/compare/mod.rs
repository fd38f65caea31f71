//! The comparison: limits, this store and its peers, one after another, several times.

pub mod raw;
mod workload;

use std::collections::BTreeMap;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::{
    conditions::{self, Conditions},
    ours::{Extras, Ours, Personal},
    peers::{cqrs_es::CqrsEs, esrs::Esrs, eventcore::Eventcore},
    server::Server,
    stats::Cell,
};

pub use raw::Limit;
pub use workload::{Plan, Workload};

/// The database each store gets for itself.
const DATABASE: &str = "bench";

/// Somebody who takes part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Contender {
    Limits,
    Ours(&'static str, Extras),
    CqrsEs,
    Esrs,
    Eventcore,
}

/// This store as the tables call it.
pub const OURS: &str = "commonhold, plain";
/// This store with a claim and a sealed field.
pub const OURS_FULL: &str = "commonhold, full";

/// All who are compared.
const CONTENDERS: [Contender; 6] = [
    Contender::Limits,
    Contender::Ours(OURS, PLAIN),
    Contender::CqrsEs,
    Contender::Ours(OURS_FULL, Extras::FULL),
    Contender::Esrs,
    Contender::Eventcore,
];

const PLAIN: Extras =
    Extras { claim: false, personal: Personal::None, request: false, alone: false };

/// This store, with one thing more each time.
const VARIANTS: [Contender; 7] = [
    Contender::Ours(OURS, PLAIN),
    Contender::Ours("and a unique claim", Extras { claim: true, ..PLAIN }),
    Contender::Ours("and a sealed field", Extras { personal: Personal::Known, ..PLAIN }),
    Contender::Ours(
        "and a sealed field of a new subject",
        Extras { personal: Personal::New, ..PLAIN },
    ),
    Contender::Ours("and a sealed request", Extras { request: true, ..PLAIN }),
    Contender::Ours(OURS_FULL, Extras::FULL),
    Contender::Ours("without group commit", Extras { alone: true, ..PLAIN }),
];

/// What was measured.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Comparison {
    /// Where.
    pub conditions: Conditions,
    /// One a repetition.
    pub repetitions: Vec<Repetition>,
}

/// One time round.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Repetition {
    /// The load average before it.
    pub load: String,
    /// In which order they came.
    pub order: Vec<String>,
    /// The limits.
    pub limits: Vec<Limit>,
    /// The cells of each store, by workload and number of tasks.
    pub stores: BTreeMap<String, BTreeMap<String, Cell>>,
}

/// Compares this store with its peers.
pub async fn peers(server: &Server, plan: &Plan, times: usize, quick: bool) -> Result<Comparison> {
    compare(server, &CONTENDERS, plan, times, if quick { 1 } else { 5 }).await
}

/// Compares this store with itself, each time with one thing more.
pub async fn costs(server: &Server, plan: &Plan, times: usize) -> Result<Comparison> {
    compare(server, &VARIANTS, plan, times, 0).await
}

async fn compare(
    server: &Server,
    contenders: &[Contender],
    plan: &Plan,
    times: usize,
    seconds: u32,
) -> Result<Comparison> {
    let conditions = Conditions::read(server).await?;
    let mut repetitions = Vec::with_capacity(times);
    for time in 0..times {
        let mut order = contenders.to_vec();
        // Nobody always comes first, or always after the same one.
        order.rotate_left(2 * time % contenders.len());
        if time % 2 == 1 {
            order.reverse();
        }
        let mut repetition = Repetition { load: conditions::load(), ..Repetition::default() };
        for contender in order {
            eprintln!("repetition {} of {times}: {}", time + 1, contender.name());
            repetition.order.push(contender.name().to_owned());
            contender.measure(server, plan, seconds, &mut repetition).await?;
        }
        repetitions.push(repetition);
    }
    Ok(Comparison { conditions, repetitions })
}

impl Contender {
    const fn name(self) -> &'static str {
        match self {
            Self::Limits => "limits",
            Self::Ours(name, _) => name,
            Self::CqrsEs => "postgres-es 0.5",
            Self::Esrs => "esrs 0.18",
            Self::Eventcore => "eventcore-postgres 2.1",
        }
    }

    async fn measure(
        self,
        server: &Server,
        plan: &Plan,
        seconds: u32,
        repetition: &mut Repetition,
    ) -> Result<()> {
        let database = match self {
            Self::Limits => {
                repetition.limits = raw::measure(server, seconds).await?;
                return Ok(());
            }
            Self::Ours(..) => server.migrated(DATABASE).await?,
            Self::CqrsEs | Self::Esrs | Self::Eventcore => server.database(DATABASE).await?,
        };
        let url = &database.url;
        let cells = match self {
            Self::Limits => BTreeMap::new(),
            Self::Ours(_, extras) => {
                let store = Ours::open(&database.options, extras).await?;
                workload::run(&store, &database, plan).await?
            }
            Self::CqrsEs => workload::run(&CqrsEs::open(url).await?, &database, plan).await?,
            Self::Esrs => workload::run(&Esrs::open(url).await?, &database, plan).await?,
            Self::Eventcore => workload::run(&Eventcore::open(url).await?, &database, plan).await?,
        };
        repetition.stores.insert(self.name().to_owned(), cells);
        server.drop(database).await
    }
}
