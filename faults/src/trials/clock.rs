//! T5: clocks that jump. The processes' clocks are an input and say anything within an hour; the
//! server's clock is put behind a function of ours and steps back and forth. The order stays, and
//! the time at which the log took events in never falls.

use domain::kernel::testing::at;
use eventstore::{Expected, Store};
use fastrand::Rng;
use futures_util::future::try_join_all;
use sqlx::PgPool;

use super::{
    Scale,
    ground::Ground,
    report::{Report, Violation, require},
};
use crate::log::{append, command_of, id, meta};

const HOUR_SECONDS: i64 = 3_600;

/// The appending function finds this clock before the server's own; nothing else of it changes.
const CLOCK: &str = "
    CREATE SCHEMA shifted;
    CREATE TABLE shifted.by (shift interval NOT NULL);
    INSERT INTO shifted.by VALUES ('0');
    CREATE FUNCTION shifted.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE AS
      'SELECT pg_catalog.clock_timestamp() + shift FROM shifted.by';
    DO $$ BEGIN
      EXECUTE format('ALTER FUNCTION %s SET search_path = shifted, pg_catalog',
                     'eventstore.append_batch'::regproc::oid::regprocedure);
    END $$;";

/// Runs the trial.
pub(super) async fn run(seed: u64, scale: Scale) -> Result<Report, Violation> {
    let rounds = match scale {
        Scale::Short => 12,
        Scale::Long => 500,
    };
    let ground = Ground::new(seed).await?;
    let pool = &ground.database.pool;
    sqlx::raw_sql(CLOCK).execute(pool).await?;
    let mut rng = Rng::with_seed(seed);
    let mut report = Report::default();
    let mut last = 0;
    for round in 0..rounds {
        let shift = rng.i64(-HOUR_SECONDS..=HOUR_SECONDS);
        sqlx::query("UPDATE shifted.by SET shift = make_interval(secs => $1)")
            .bind(f64::from(i32::try_from(shift).unwrap_or_default()))
            .execute(pool)
            .await?;
        report.add("steps back", u64::from(shift < last));
        report.add("steps forward", u64::from(shift > last));
        last = shift;
        let writes = ground.stores.iter().zip(0..).map(|(store, process)| {
            let jump = rng.i64(-HOUR_SECONDS..=HOUR_SECONDS);
            write(store, round << 1 | process, jump)
        });
        report.add("appends", u64::try_from(try_join_all(writes).await?.len()).unwrap_or_default());
    }
    shows(&ground, pool, rounds.saturating_mul(2)).await?;
    ground.close().await;
    Ok(report)
}

async fn write(store: &Store, command: u64, jump: i64) -> Result<(), Violation> {
    let mut asked = append(id(command % 3), Expected::Any, command, 2);
    asked.meta = meta(command, at(jump));
    let done = store.append(asked).await;
    done.map(drop).map_err(|refused| Violation(format!("command {command}: {refused}")))
}

/// The log is sound, and each round's events are behind those of the round before. That the
/// server's clock did go back is seen from a time that stood still.
async fn shows(ground: &Ground, pool: &PgPool, appends: u64) -> Result<(), Violation> {
    let log = ground.log().await?;
    let events = u64::try_from(log.len()).unwrap_or_default();
    require(events == appends.saturating_mul(2), || format!("{events} events"))?;
    let rounds = log.iter().filter_map(command_of).map(|command| command >> 1);
    require(rounds.is_sorted(), || "a later append stands before an earlier one".to_owned())?;
    let occurred = log.iter().map(|event| event.envelope.occurred_at);
    require(!occurred.is_sorted(), || "the processes' clocks did not jump".to_owned())?;
    let sql = "SELECT count(*) - count(DISTINCT recorded_at) FROM
               (SELECT DISTINCT append_last, recorded_at FROM eventstore.events) a";
    let stood_still: i64 = sqlx::query_scalar(sql).fetch_one(pool).await?;
    require(stood_still > 0, || "the server's clock did not step back".to_owned())
}
