//! `platformctl replay`: read tables from the log.
//!
//! Works beside a running platform. Refuses nothing but what [`projections::Replay`] refuses;
//! live tables change in one transaction, at the very end, or not at all.

mod differences;
mod list;
mod parked;
mod progress;
mod run;

use clap::{Args, Subcommand};
use projections::{Module, Replay as Tool, ReplayError};

use self::{progress::Report, run::Run};
use super::{
    Common, Exit, Failure, Output,
    session::{Session, Wanted, session},
};

/// Whatever was going on: a swap is one transaction.
const INTERRUPTED: &str = "interrupted. What was not swapped yet left the live tables as they \
                           were; the same command goes on where this one stopped";

/// Rebuilds read tables from the log, beside live traffic.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Replay {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    run: Run,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the tables of each module: how far they are, what waits, what is due
    List,
    /// Rebuild modules into a shadow schema, compare, and swap it in
    Rebuild(Run),
    /// Put the tables from before the last rebuild back, brought up to date
    Rollback {
        /// The module
        module: String,
    },
    /// Look after events that could not be folded
    #[command(subcommand)]
    Parked(parked::Parked),
}

impl Replay {
    pub(super) fn run(self, common: &Common, output: &Output) -> Result<(), Failure> {
        let command = self.command.unwrap_or(Command::Rebuild(self.run));
        if let Command::Rebuild(run) = &command {
            // A mistake is told before a server is started for it.
            run.modules()?;
        }
        let outcome = session(common, output, Wanted::Existing, async |session| {
            let tool = tool(session).await?;
            match command {
                Command::Rebuild(run) => run.run(&tool, output).await,
                Command::List => list::list(&tool, output).await,
                Command::Rollback { module } => rollback(&tool, &module, output).await,
                Command::Parked(parked) => parked.run(&tool, output).await,
            }
        });
        outcome.map_err(|failure| {
            let interrupted = failure.exit == Exit::Interrupted;
            if interrupted { Failure::new(failure.exit, INTERRUPTED) } else { failure }
        })
    }
}

async fn tool(session: &Session) -> Result<Tool, Failure> {
    let store = session.store().await?;
    Ok(Tool::new(store, session.pool.clone(), session.database.owner()))
}

async fn rollback(tool: &Tool, name: &str, output: &Output) -> Result<(), Failure> {
    let module = module(name)?;
    let mut report = Report::new(output);
    tool.rollback(module, &mut |progress| report.progress(progress)).await.map_err(failure)?;
    report.done(module.name, "rolled back", None);
    Ok(())
}

fn module(name: &str) -> Result<&'static Module, Failure> {
    Tool::module(name).map_err(failure)
}

fn failure(error: ReplayError) -> Failure {
    let exit = match &error {
        ReplayError::UnknownModule(_) | ReplayError::NothingBefore(_) => Exit::NotFound,
        ReplayError::BadSchema(_) => Exit::Usage,
        ReplayError::Busy(_) | ReplayError::SchemaExists(_) | ReplayError::Locked(_) => {
            Exit::Conflict
        }
        ReplayError::OtherVersion(_) => Exit::Conflict,
        ReplayError::NoTable(_) | ReplayError::Engine(_) => Exit::Failure,
    };
    Failure { exit, ..Failure::from(error) }
}
