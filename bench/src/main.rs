//! Measures the event store and the read model as shipped, beside published peers on one server.
//!
//! Owns the loads, the peers and the figures. Refuses any way into the store but its public
//! interface, and any figure whose rows cannot be counted afterwards.

mod compare;
mod conditions;
mod cpu;
mod history;
mod load;
mod measures;
mod ours;
mod payload;
mod peers;
mod platform;
mod report;
mod results;
mod server;
mod stats;
mod store;

use std::{path::PathBuf, process::ExitCode, time::Duration};

use anyhow::Result;
use clap::{Args, Parser, Subcommand};
use mimalloc::MiMalloc;

use crate::{
    compare::{Plan, Workload},
    measures::{http, latency, order, project, rebuild, scale},
    results::Results,
    server::Server,
};

/// The product's own, for this program is the product too, and for whoever is measured beside it.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// Measures the event store and the read model.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// This store beside its peers and the limits of the server: workloads A to E
    Peers(Repeated),
    /// What a claim, sealing and group commit each cost: workloads B and C
    Costs(Repeated),
    /// Commands, appends and catching up in a log that has grown
    Scale(Sized),
    /// Live projection of all tables
    Project(Again),
    /// Rebuilding all tables
    Rebuild(Sized),
    /// Commands, queries and sign-ins over HTTP, beside the same command in this process
    Http(Asked),
    /// How soon a commit is visible to a query, in this process and in another one
    Latency(Once),
    /// Whether a reader misses anything while two nodes write
    Order(Once),
    /// Print a file of figures as Markdown
    Report {
        /// What earlier commands wrote with `--json`
        file: PathBuf,
    },
}

#[derive(Args)]
struct Once {
    /// Do little, to see that everything runs
    #[arg(long)]
    quick: bool,
    /// Keep the figures in this file, beside those of other commands
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

#[derive(Args)]
struct Repeated {
    #[command(flatten)]
    once: Once,
    /// Which workloads; all of them if none is named
    #[arg(long, value_delimiter = ',', ignore_case = true)]
    workload: Vec<Workload>,
    /// How often everything is measured
    #[arg(long, default_value_t = 3)]
    repetitions: usize,
}

#[derive(Args)]
struct Counted {
    #[command(flatten)]
    once: Once,
    /// How often everything is measured
    #[arg(long, default_value_t = 3)]
    repetitions: usize,
}

#[derive(Args)]
struct Asked {
    #[command(flatten)]
    counted: Counted,
    /// Measure nothing: have 64 clients send commands for so many seconds, for a profiler to watch
    #[arg(long, value_name = "SECONDS")]
    hold: Option<u64>,
}

#[derive(Args)]
struct Sized {
    #[command(flatten)]
    once: Once,
    /// Events in the log; several for several measurements
    #[arg(long, value_delimiter = ',')]
    events: Vec<u64>,
}

#[derive(Args)]
struct Again {
    #[command(flatten)]
    sized: Sized,
    /// How often each is measured
    #[arg(long, default_value_t = 3)]
    repetitions: usize,
}

fn main() -> Result<ExitCode> {
    if let Some(ended) = platform::process::platformctl() {
        return Ok(ended);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(measure(Arguments::parse().command))?;
    Ok(ExitCode::SUCCESS)
}

async fn measure(command: Command) -> Result<()> {
    let (once, results) = match command {
        Command::Report { file } => {
            print!("{}{}", report::PREAMBLE, report::markdown(&Results::read(&file)?));
            return Ok(());
        }
        Command::Peers(args) => {
            use Workload as W;
            let plan = args.plan(&[W::A, W::B, W::C, W::D, W::E]);
            let quick = args.once.quick;
            let peers = compare::peers(&Server::start()?, &plan, args.repetitions, quick).await?;
            (args.once, Results { peers: Some(peers), ..Results::default() })
        }
        Command::Costs(args) => {
            let plan = args.plan(&[Workload::B, Workload::C]);
            let costs = compare::costs(&Server::start()?, &plan, args.repetitions).await?;
            (args.once, Results { costs: Some(costs), ..Results::default() })
        }
        Command::Scale(args) => {
            let sizes = args.sizes(&[100_000, 5_000_000], &[2_000, 6_000]);
            let scale = scale::measure(&Server::start()?, &sizes, args.once.quick).await?;
            (args.once, Results { scale: Some(scale), ..Results::default() })
        }
        Command::Project(Again { sized: args, repetitions }) => {
            let sizes = args.sizes(&[200_000], &[2_000]).repeat(repetitions);
            let project = project::measure(&Server::start()?, &sizes).await?;
            (args.once, Results { project: Some(project), ..Results::default() })
        }
        Command::Rebuild(args) => {
            let sizes = args.sizes(&[1_000_000, 5_000_000], &[2_000, 6_000]);
            let rebuild = rebuild::measure(&Server::start()?, &sizes).await?;
            (args.once, Results { rebuild: Some(rebuild), ..Results::default() })
        }
        Command::Http(Asked { hold: Some(seconds), .. }) => {
            return http::hold(&Server::start()?, Duration::from_secs(seconds)).await;
        }
        Command::Http(Asked { counted: args, .. }) => {
            let quick = args.once.quick;
            let http = http::measure(&Server::start()?, args.repetitions, quick).await?;
            (args.once, Results { http: Some(http), ..Results::default() })
        }
        Command::Latency(once) => {
            let latency = latency::measure(&Server::start()?, once.quick).await?;
            (once, Results { latency: Some(latency), ..Results::default() })
        }
        Command::Order(once) => {
            let order = order::measure(&Server::start()?, once.quick).await?;
            (once, Results { order: Some(order), ..Results::default() })
        }
    };
    print!("{}", report::markdown(&results));
    once.json.map_or(Ok(()), |file| results.merge_into(&file))
}

impl Repeated {
    fn plan(&self, all: &[Workload]) -> Plan {
        let chosen = if self.workload.is_empty() { all.to_vec() } else { self.workload.clone() };
        if self.once.quick { Plan::quick(chosen) } else { Plan::thorough(chosen) }
    }
}

impl Sized {
    fn sizes(&self, thorough: &[u64], quick: &[u64]) -> Vec<u64> {
        match (&*self.events, self.once.quick) {
            ([], true) => quick.to_vec(),
            ([], false) => thorough.to_vec(),
            (given, _) => given.to_vec(),
        }
    }
}
