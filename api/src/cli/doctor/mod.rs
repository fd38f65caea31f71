//! `platformctl doctor`: is everything as it should be?
//!
//! Owns the checks of an installation, each with what to do when it fails. Refuses to change
//! anything: it makes no keys, no folders and no database.

mod installation;
mod log;
mod server;

use std::time::Duration;

use clap::Args;
use serde::Serialize;
use sqlx::{Connection, PgConnection};
use tokio::time::timeout;

use super::{Common, Exit, Failure, Output};
use crate::{
    config::Config,
    database::{Database, words},
};

/// A server that takes longer to answer is as good as none.
const PATIENCE: Duration = Duration::from_secs(10);

/// Checks this installation and says how to mend it.
#[derive(Debug, Args)]
pub(super) struct Doctor {}

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    Ok,
    /// Worth knowing; nothing is wrong yet.
    Warning,
    Failed,
}

/// What a check found.
#[derive(Debug, Serialize)]
struct Check {
    check: &'static str,
    outcome: Outcome,
    detail: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    fix: Option<String>,
}

impl Check {
    fn ok(check: &'static str, detail: impl Into<String>) -> Self {
        Self { check, outcome: Outcome::Ok, detail: detail.into(), fix: None }
    }

    fn warning(check: &'static str, detail: impl Into<String>, fix: impl Into<String>) -> Self {
        let (detail, fix) = (detail.into(), Some(fix.into()));
        Self { check, outcome: Outcome::Warning, detail, fix }
    }

    fn failed(check: &'static str, detail: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { outcome: Outcome::Failed, ..Self::warning(check, detail, fix) }
    }
}

impl Doctor {
    pub(super) fn run(self, common: &Common, output: &Output) -> Result<(), Failure> {
        let checks = match common.load() {
            Ok(loaded) => {
                let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
                runtime.block_on(examine(&loaded.config))
            }
            Err(failure) => {
                let fix = "see docs/configuration.md, and `platformctl config check`";
                vec![Check::failed("configuration", failure.to_string(), fix)]
            }
        };
        output.data(&checks, || text(&checks))?;
        match checks.iter().filter(|check| check.outcome == Outcome::Failed).count() {
            0 => Ok(()),
            1 => Err(Failure::new(Exit::Failure, "1 check failed")),
            count => Err(Failure::new(Exit::Failure, format!("{count} checks failed"))),
        }
    }
}

async fn examine(config: &Config) -> Vec<Check> {
    let mut checks = installation::checks(config).await;
    if config.database.url.is_none() && !config.database.data_dir.join("pgdata").exists() {
        let detail = "none yet; the first `platformctl serve` makes it";
        checks.push(Check::ok("database", detail));
        return checks;
    }
    match Database::visit(config).await {
        Ok(database) => {
            match timeout(PATIENCE, PgConnection::connect_with(&database.owner())).await {
                Ok(Ok(mut connection)) => {
                    checks.push(Check::ok("connection", "the database answers"));
                    checks.extend(server::checks(&mut connection).await);
                    checks.extend(log::checks(&mut connection, &database, config).await);
                    // Nothing was written: an unclean end loses nothing.
                    drop(connection.close().await);
                }
                Ok(Err(error)) => checks.push(unreachable(words(&error))),
                Err(_) => checks.push(unreachable("no answer in ten seconds".to_owned())),
            }
            database.close().await;
        }
        Err(error) => checks.push(unreachable(Failure::from(error).to_string())),
    }
    checks
}

fn unreachable(detail: String) -> Check {
    let fix = "start the server, or correct DATABASE_URL; without DATABASE_URL the platform runs \
               a server of its own";
    Check::failed("connection", detail, fix)
}

/// A check whose question the database refused to answer.
fn unanswered(check: &'static str, error: &dyn std::error::Error) -> Check {
    Check::failed(check, error.to_string(), "see the server's log")
}

fn text(checks: &[Check]) -> String {
    let mut text = String::new();
    for Check { check, outcome, detail, fix } in checks {
        let mark = match outcome {
            Outcome::Ok => "ok     ",
            Outcome::Warning => "warning",
            Outcome::Failed => "FAILED ",
        };
        text.push_str(&format!("{mark}  {check:18}  {detail}\n"));
        if let Some(fix) = fix {
            text.push_str(&format!("{:29}-> {fix}\n", ""));
        }
    }
    text
}
