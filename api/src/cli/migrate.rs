//! `platformctl migrate`.

use clap::Subcommand;
use migrations::{MigrateError, Reach, Status};
use serde_json::json;

use super::{
    Common, Exit, Failure, Output,
    session::{Session, Wanted, session},
};

/// Moves the schema of the database.
#[derive(Debug, Subcommand)]
pub(super) enum Migrate {
    /// Apply what is pending
    Up {
        /// The last migration to apply; all by default
        #[arg(long, value_name = "VERSION")]
        to: Option<u32>,
    },
    /// Take migrations back, the newest first
    Down {
        /// How many
        #[arg(value_name = "COUNT", default_value_t = 1, conflicts_with = "to")]
        count: usize,
        /// Take back everything above this version; 0 takes all back
        #[arg(long, value_name = "VERSION")]
        to: Option<u32>,
        /// The name of the database; needed once the log holds events
        #[arg(long, value_name = "DATABASE")]
        confirm: Option<String>,
    },
    /// Show where the database stands
    Version,
    /// Believe that the migrations up to a version are applied, and run none: the way out of a
    /// failed migration once its cause is mended
    Force {
        /// The version; 0 means that none is applied
        #[arg(value_name = "VERSION")]
        at: u32,
        /// The name of the database; needed once the log holds events
        #[arg(long, value_name = "DATABASE")]
        confirm: Option<String>,
    },
}

impl Migrate {
    pub(super) fn run(self, common: &Common, output: &Output) -> Result<(), Failure> {
        let wanted = if matches!(self, Self::Up { .. }) { Wanted::Any } else { Wanted::Existing };
        session(common, output, wanted, async |session| match self {
            Self::Up { to } => {
                let done = migrations::up(&session.pool, to).await.map_err(failure)?;
                moved(output, "applied", &done)
            }
            Self::Down { count, to, confirm } => {
                confirmed(session, confirm.as_deref()).await?;
                let reach = to.map_or(Reach::Steps(count), Reach::To);
                let done = migrations::down(&session.pool, reach).await.map_err(failure)?;
                moved(output, "taken back", &done)
            }
            Self::Version => version(&session.pool, output).await,
            Self::Force { at, confirm } => {
                confirmed(session, confirm.as_deref()).await?;
                migrations::force(&session.pool, at).await.map_err(failure)?;
                output.data(&json!({ "version": at }), || format!("believed to stand at {at}"))
            }
        })
    }
}

/// Rows of read tables can be made again, but not while readers wait for them: on a database in
/// use, whoever takes tables away has to name it.
async fn confirmed(session: &Session, confirm: Option<&str>) -> Result<(), Failure> {
    let (name, in_use) = session.database.name_and_use(&session.pool).await?;
    if !in_use || confirm == Some(&name) {
        return Ok(());
    }
    let words = format!("the log of this database holds events; to go on, add --confirm {name}");
    Err(Failure::new(Exit::Usage, words))
}

fn moved(output: &Output, verb: &str, versions: &[u32]) -> Result<(), Failure> {
    let labels: Vec<_> = versions.iter().filter_map(|version| label(*version)).collect();
    output.words(&match labels.len() {
        0 => format!("nothing {verb}"),
        1 => format!("1 migration {verb}"),
        count => format!("{count} migrations {verb}"),
    });
    if labels.is_empty() && !output.is_json() {
        return Ok(());
    }
    output.data(&labels, || labels.join("\n"))
}

fn label(version: u32) -> Option<String> {
    migrations::all().iter().find(|one| one.version == version).map(migrations::Migration::label)
}

/// Prints the state, and ends with a conflict if somebody has to look at it.
async fn version(pool: &sqlx::PgPool, output: &Output) -> Result<(), Failure> {
    let Status { current, pending, problem } = migrations::check(pool).await.map_err(failure)?;
    let pending: Vec<_> = pending.iter().map(|one| one.label()).collect();
    let latest = migrations::all().last().map(|one| one.version);
    let report = json!({
        "version": current,
        "latest": latest,
        "pending": pending,
        "problem": problem.as_ref().map(ToString::to_string),
    });
    output.data(&report, || {
        let stands = current.map_or_else(|| "none".to_owned(), |version| version.to_string());
        let missing: Vec<_> = pending.iter().map(|label| format!("\npending {label}")).collect();
        stands + &missing.concat()
    })?;
    problem.map_or(Ok(()), |problem| Err(failure(problem)))
}

fn failure(error: MigrateError) -> Failure {
    let exit = match &error {
        MigrateError::Unknown(_) => Exit::NotFound,
        MigrateError::Dirty { .. }
        | MigrateError::Ahead { .. }
        | MigrateError::Drift { .. }
        | MigrateError::Busy => Exit::Conflict,
        MigrateError::Failed { .. } | MigrateError::Database(_) | _ => Exit::Failure,
    };
    Failure { exit, ..Failure::from(error) }
}
