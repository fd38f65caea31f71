//! The log and the read tables: whether the schema fits, the keys open, nothing waits.

use projections::{MODULES, Replay, Status};
use sqlx::{PgConnection, PgPool, postgres::PgPoolOptions};

use super::{Check, unanswered};
use crate::{
    config::Config,
    crypto::keys::KeyDirectory,
    database::Database,
    log_keys::{self, Fit, LogKeysError},
};

/// Tables further behind than this are more than a moment late.
const LATE: i64 = 1_000;

pub(super) async fn checks(
    connection: &mut PgConnection,
    database: &Database,
    config: &Config,
) -> Vec<Check> {
    let pool = PgPoolOptions::new().max_connections(2).connect_lazy_with(database.owner());
    let (migrated, is_current) = migrations(&pool).await;
    let mut checks = vec![migrated];
    if is_current {
        checks.push(immutable(connection).await);
        checks.push(master_key(connection, config).await);
        checks.extend(tables(&pool, database, config).await);
    }
    pool.close().await;
    checks
}

async fn migrations(pool: &PgPool) -> (Check, bool) {
    let name = "migrations";
    match migrations::check(pool).await {
        Ok(status) => match (status.problem, status.pending.len()) {
            (Some(problem), _) => (Check::failed(name, problem.to_string(), "as said"), false),
            (None, 0) => {
                let stands = status.current.unwrap_or_default();
                (Check::ok(name, format!("current, at {stands}")), true)
            }
            (None, pending) => {
                let fix = "run `platformctl migrate up`";
                (Check::failed(name, format!("{pending} are pending"), fix), false)
            }
        },
        Err(error) => (unanswered(name, &error), false),
    }
}

/// That the log still refuses to be changed, whoever asks.
async fn immutable(connection: &mut PgConnection) -> Check {
    let name = "immutable log";
    let sql = "SELECT EXISTS (SELECT FROM pg_trigger WHERE tgname = 'events_immutable'
        AND tgrelid = to_regclass('eventstore.events') AND tgenabled = 'A')";
    match sqlx::query_scalar(sql).fetch_one(connection).await {
        Ok(true) => Check::ok(name, "changes of recorded events are refused"),
        Ok(false) => Check::failed(
            name,
            "the trigger that refuses changes of events is gone or off",
            "find out who switched it off; then `ALTER TABLE eventstore.events ENABLE ALWAYS \
             TRIGGER events_immutable`",
        ),
        Err(error) => unanswered(name, &error),
    }
}

/// That the master key is the one the subjects' keys were wrapped with.
async fn master_key(connection: &mut PgConnection, config: &Config) -> Check {
    let name = "master key";
    let restore = "bring the right one back with `platformctl keys restore BACKUP`: without it \
                   personal data is lost";
    match log_keys::fit(connection, &config.keys.dir).await {
        Ok(Fit::Unsealed) => Check::ok(name, "no personal data yet that it would have to open"),
        Ok(Fit::Opens) => Check::ok(name, "opens the log's personal data"),
        Ok(Fit::Missing) => {
            Check::failed(name, "there is none, but the log holds personal data", restore)
        }
        Ok(Fit::Other) => Check::failed(name, "does not open the log's personal data", restore),
        Err(LogKeysError::Sql(error)) => unanswered(name, &error),
        Err(error) => Check::failed(name, error.to_string(), restore),
    }
}

async fn tables(pool: &PgPool, database: &Database, config: &Config) -> Vec<Check> {
    match status(pool, database, config).await {
        Ok(found) => {
            // Shadows of a rebuild that is going on are nobody's trouble.
            let live: Vec<_> = found.iter().filter(|one| one.module == one.target).collect();
            vec![lag(&live), parked(&found), outdated(&live)]
        }
        Err(detail) => vec![Check::failed("read tables", detail, "see the checks above")],
    }
}

async fn status(
    pool: &PgPool,
    database: &Database,
    config: &Config,
) -> Result<Vec<Status>, String> {
    let words = |error: &dyn std::error::Error| error.to_string();
    // How far tables are needs no key, and a doctor makes none.
    let master = match config.keys.dir.join("master.key").exists() {
        true => KeyDirectory::existing(&config.keys.dir)
            .and_then(|keys| keys.master())
            .map_err(|error| words(&error))?
            .wrapping(),
        false => eventstore::MasterKey::new(&[0; 32], &[]),
    };
    let log = eventstore::Postgres::connect(database.owner()).await;
    let log = log.map_err(|error| words(&error))?;
    let store = eventstore::Store::postgres(log, master).await.map_err(|error| words(&error))?;
    let replay = Replay::new(store, pool.clone(), database.owner());
    replay.status().await.map_err(|error| words(&error))
}

fn lag(live: &[&Status]) -> Check {
    let name = "read tables";
    let behind = |one: &Status| one.head.0.saturating_sub(one.position.0);
    let late: Vec<_> = live
        .iter()
        .filter(|one| behind(one) > 0)
        .map(|one| format!("{} is {} events behind", one.module, behind(one)))
        .collect();
    let fix = "they catch up while the platform serves; `platformctl replay list` shows how fast";
    if late.is_empty() {
        return Check::ok(name, format!("{} of {} modules at the head", live.len(), MODULES.len()));
    }
    if live.iter().any(|one| behind(one) > LATE) {
        return Check::warning(name, late.join("; "), fix);
    }
    Check::ok(name, late.join("; "))
}

fn parked(found: &[Status]) -> Check {
    let name = "parked events";
    let waiting: Vec<_> = found
        .iter()
        .filter(|one| one.parked > 0)
        .map(|one| format!("{} in {}", one.parked, one.target))
        .collect();
    if waiting.is_empty() {
        return Check::ok(name, "none");
    }
    let fix = "`platformctl replay parked list` tells why; then `platformctl replay parked retry`";
    Check::failed(name, waiting.join(", "), fix)
}

fn outdated(live: &[&Status]) -> Check {
    let name = "folds";
    let old: Vec<_> =
        live.iter().filter(|one| one.outdated).map(|one| one.module.as_str()).collect();
    if old.is_empty() {
        return Check::ok(name, "the tables were made by this version's folds");
    }
    let fix = format!("run `platformctl replay rebuild {}`", old.join(" "));
    Check::failed(name, format!("{} changed since the tables were made", old.join(", ")), fix)
}
