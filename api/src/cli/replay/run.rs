//! `platformctl replay rebuild`, `--verify` and `--as-of`.

use std::time::Duration;

use clap::Args;
use domain::kernel::{Position, Timestamp};
use projections::{
    Differences, MODULES, Module, Replay as Tool, ReplayError, ReplayOptions, Target,
};
use tokio::time::{Instant, sleep};

use super::{differences, failure, module, progress::Report};
use crate::cli::{Exit, Failure, Output};

/// A lease lapses ten seconds after its holder was killed.
const LAPSE: Duration = Duration::from_secs(12);

/// Which tables.
#[derive(Debug, Args)]
pub(super) struct Modules {
    /// The modules
    #[arg(value_name = "MODULE")]
    modules: Vec<String>,
    /// All modules
    #[arg(long, conflicts_with = "modules")]
    all: bool,
}

/// What to rebuild, and what for.
#[derive(Debug, Args)]
pub(super) struct Run {
    #[command(flatten)]
    which: Modules,
    /// Compare only, and change no live row: fold the log into tables aside, print the rows that
    /// differ, a thousand of each table, and throw those tables away; exits with 6 if any row differs
    #[arg(long, conflicts_with = "as_of")]
    verify: bool,
    /// Make the tables as they stood then: a position of the log, or a time such as
    /// 2026-01-31T12:00:00Z
    #[arg(long, value_name = "TIME|POSITION", requires = "into", value_parser = target)]
    as_of: Option<Target>,
    /// The schema to make them in
    #[arg(long, value_name = "SCHEMA", requires = "as_of")]
    into: Option<String>,
}

impl From<Modules> for Run {
    fn from(which: Modules) -> Self {
        Self { which, verify: false, as_of: None, into: None }
    }
}

impl Run {
    pub(super) async fn run(self, tool: &Tool, output: &Output) -> Result<(), Failure> {
        let modules = self.modules()?;
        match self {
            Self { as_of: Some(target), into: Some(schema), .. } => {
                as_of(tool, &modules, target, &schema, output).await
            }
            Self { verify: true, .. } => verify(tool, &modules, output).await,
            Self { .. } => rebuild(tool, &modules, output).await,
        }
    }

    /// Comparing and looking back harm nobody, so they take all modules unless told otherwise.
    pub(super) fn modules(&self) -> Result<Vec<&'static Module>, Failure> {
        let harmless = self.verify || self.as_of.is_some();
        if !self.which.modules.is_empty() {
            return self.which.modules.iter().map(|name| module(name)).collect();
        }
        if self.which.all || harmless {
            return Ok(MODULES.to_vec());
        }
        Err(Failure::new(Exit::Usage, "name the modules to rebuild, or say --all"))
    }
}

async fn rebuild(tool: &Tool, modules: &[&'static Module], output: &Output) -> Result<(), Failure> {
    let mut report = Report::new(output);
    for (done, module) in modules.iter().enumerate() {
        let options = ReplayOptions::default();
        let work = async |report: &mut Report| {
            tool.rebuild(module, &options, &mut |progress| report.progress(progress)).await
        };
        let found = patiently(tool, &mut report, module, output, work).await.map_err(|fault| {
            let failure = told(fault, KEPT);
            // Earlier modules are rebuilt and stay so.
            if done > 0 && failure.exit != Exit::Interrupted {
                Failure { exit: Exit::Partial, ..failure }
            } else {
                failure
            }
        })?;
        differences::print(output, module, &found);
        report.done(module.name, "rebuilt", Some(found.count));
    }
    Ok(())
}

async fn verify(tool: &Tool, modules: &[&'static Module], output: &Output) -> Result<(), Failure> {
    let mut report = Report::new(output);
    let mut differing: usize = 0;
    for module in modules {
        let options = ReplayOptions::default();
        let work = async |report: &mut Report| {
            tool.verify(module, &options, &mut |progress| report.progress(progress)).await
        };
        let found: Differences = patiently(tool, &mut report, module, output, work)
            .await
            .map_err(|fault| told(fault, KEPT))?;
        differences::print(output, module, &found);
        report.done(module.name, "verified", Some(found.count));
        if let Some(left) = &found.left {
            output.words(left);
        }
        differing = differing.saturating_add(found.count);
    }
    match differing {
        0 => Ok(()),
        count => Err(Failure::new(
            Exit::VerificationFailed,
            format!(
                "{count} rows differ from what the log says. If somebody changed the tables, or a \
                 fold was wrong, `platformctl replay rebuild` mends them. If not, the log itself \
                 may have been changed: look first, as in \"Rows that differ from the log\" of \
                 docs/operations.md"
            ),
        )),
    }
}

/// What is kept by a rebuild or a comparison that was told to stop.
const KEPT: &str = "interrupted, which left the live tables as they were; what is folded so far is \
                    kept, and the same command goes on from there";

fn told(error: ReplayError, when_stopped: &str) -> Failure {
    match matches!(error, ReplayError::Stopped) {
        true => Failure::new(Exit::Interrupted, when_stopped),
        false => failure(error),
    }
}

async fn as_of(
    tool: &Tool,
    modules: &[&'static Module],
    target: Target,
    schema: &str,
    output: &Output,
) -> Result<(), Failure> {
    let mut report = Report::new(output);
    let position = tool
        .as_of(modules, target, schema, &mut |progress| report.progress(progress))
        .await
        .map_err(|fault| told(fault, &format!("interrupted; no schema {schema} was made")))?;
    report.made(schema, position);
    Ok(())
}

/// Tries again while another run of the same seems to go on: if it was killed, its claim lapses.
async fn patiently<T>(
    tool: &Tool,
    report: &mut Report,
    module: &Module,
    output: &Output,
    mut work: impl AsyncFnMut(&mut Report) -> Result<T, ReplayError>,
) -> Result<T, ReplayError> {
    let begun = Instant::now();
    let mut told = false;
    loop {
        match work(report).await {
            Err(ReplayError::Busy(_)) if tool.is_stopping() => return Err(ReplayError::Stopped),
            Err(ReplayError::Busy(_)) if begun.elapsed() < LAPSE => {}
            other => return other,
        }
        if !told {
            told = true;
            let name = module.name;
            output
                .words(&format!("another run on {name} is going on or was killed; waiting for it"));
        }
        sleep(Duration::from_millis(500)).await;
    }
}

/// Reads a position or an instant.
fn target(text: &str) -> Result<Target, String> {
    if let Ok(position) = text.parse::<i64>() {
        return match position {
            0.. => Ok(Target::Position(Position(position))),
            _ => Err("positions count from 1".to_owned()),
        };
    }
    let at = chrono::DateTime::parse_from_rfc3339(text)
        .map_err(|_| "neither a position nor a time such as 2026-01-31T12:00:00Z".to_owned())?;
    Ok(Target::Time(Timestamp::from(at)))
}
