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

use self::{
    progress::Report,
    run::{Modules, Run},
};
use super::{
    Common, Exit, Failure, Output,
    session::{self, Session, Wanted, session},
};

/// Whatever was going on: a swap is one transaction.
const CUT_OFF: &str = "interrupted at once. What was not swapped yet left the live tables as they \
                       were. The same command goes on from the rows written last, once the claim \
                       of this one has lapsed, which takes ten seconds";

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
    Rebuild(Modules),
    /// Put the tables from before the last rebuild back, brought up to date
    Rollback {
        /// The module
        module: String,
    },
    /// Drop tables that are not live: former ones, half-made ones, those as of a moment
    Drop {
        /// The schema, as `replay list` shows it
        schema: String,
    },
    /// Look after events that could not be folded
    #[command(subcommand)]
    Parked(parked::Parked),
}

impl Replay {
    pub(super) fn run(self, common: &Common, output: &Output) -> Result<(), Failure> {
        let (command, run) = match self.command {
            Some(Command::Rebuild(modules)) => (None, modules.into()),
            command => (command, self.run),
        };
        if command.is_none() {
            // A mistake is told before a server is started for it.
            run.modules()?;
        }
        let outcome = session(common, output, Wanted::Existing, async |session| {
            let tool = tool(session).await?;
            match command {
                None | Some(Command::Rebuild(_)) => {
                    run.run(&tool.stopping(session.stopping()), output).await
                }
                Some(Command::List) => list::list(&tool, output).await,
                Some(Command::Rollback { module }) => rollback(&tool, &module, output).await,
                Some(Command::Drop { schema }) => drop_aside(&tool, &schema, output).await,
                Some(Command::Parked(parked)) => parked.run(&tool, output).await,
            }
        });
        outcome.map_err(|failure| {
            let cut_off = failure.exit == Exit::Interrupted && failure.message == session::CUT_OFF;
            if cut_off { Failure::new(failure.exit, CUT_OFF) } else { failure }
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

async fn drop_aside(tool: &Tool, schema: &str, output: &Output) -> Result<(), Failure> {
    tool.drop_aside(schema).await.map_err(failure)?;
    output.words(&format!("schema {schema} is dropped"));
    Ok(())
}

fn module(name: &str) -> Result<&'static Module, Failure> {
    Tool::module(name).map_err(failure)
}

fn failure(error: ReplayError) -> Failure {
    let exit = match &error {
        ReplayError::UnknownModule(_)
        | ReplayError::NothingBefore(_)
        | ReplayError::NotAside(_)
        | ReplayError::Beyond { .. } => Exit::NotFound,
        ReplayError::BadSchema(_) | ReplayError::Reserved(_) => Exit::Usage,
        ReplayError::Stopped => Exit::Interrupted,
        ReplayError::Busy(_) | ReplayError::SchemaExists(_) | ReplayError::Locked(_) => {
            Exit::Conflict
        }
        ReplayError::OtherVersion(_) => Exit::Conflict,
        ReplayError::NoTable(_) | ReplayError::Engine(_) => Exit::Failure,
    };
    Failure { exit, ..Failure::from(error) }
}
