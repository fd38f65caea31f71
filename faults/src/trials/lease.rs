//! Leases that are stolen while a batch is in flight: rows and checkpoint stand or fall together,
//! so whatever several holders write, every position is written once and in order.

use std::time::Duration;

use domain::kernel::Position;
use eventstore::{Fenced, Lease, Leases};
use fastrand::Rng;
use sqlx::{PgPool, postgres::PgPoolOptions};
use tokio::{task::JoinSet, time::sleep};
use uuid::Uuid;

use super::{
    Scale,
    ground::Ground,
    report::{Report, Violation, require},
};
use crate::log::id;

const CONSUMER: &str = "trial";
const HOLDERS: u64 = 4;

/// Runs the trial.
pub(super) async fn run(seed: u64, scale: Scale) -> Result<Report, Violation> {
    let until = match scale {
        Scale::Short => Position(400),
        Scale::Long => Position(4_000),
    };
    let ground = Ground::new(seed).await?;
    let pool = PgPoolOptions::new().connect_with(ground.database.url.parse()?).await?;
    let table = "CREATE TABLE written (position bigint NOT NULL, owner uuid NOT NULL,
                                       entry bigint GENERATED ALWAYS AS IDENTITY)";
    sqlx::raw_sql(table).execute(&pool).await?;
    let mut holders = JoinSet::new();
    for holder in 1..=HOLDERS {
        let rng = Rng::with_seed(seed.wrapping_mul(100).wrapping_add(holder));
        holders.spawn(hold(pool.clone(), id(holder), rng, until));
    }
    let thief = tokio::spawn(steal(pool.clone(), Rng::with_seed(seed)));
    let mut report = Report::default();
    while let Some(part) = holders.join_next().await {
        report.merge(&part??);
    }
    thief.abort();
    let sql = "SELECT count(*), count(DISTINCT position), max(position),
                      (SELECT bool_and(position = place) FROM
                         (SELECT position, row_number() OVER (ORDER BY entry) AS place
                            FROM written) w)
                 FROM written";
    let (rows, positions, last, in_order): (i64, i64, i64, bool) =
        sqlx::query_as(sql).fetch_one(&pool).await?;
    require((rows, positions, last) == (until.0, until.0, until.0) && in_order, || {
        format!("{rows} rows of {positions} positions up to {last}, in order: {in_order}")
    })?;
    report.add("rows", rows.unsigned_abs());
    pool.close().await;
    ground.close().await;
    Ok(report)
}

/// Lets every lease lapse, again and again, as if its holder had slept for too long.
pub(super) async fn steal(pool: PgPool, mut rng: Rng) -> Result<(), Violation> {
    loop {
        sleep(Duration::from_micros(rng.u64(200..6_000))).await;
        sqlx::query("UPDATE eventstore.checkpoints SET lease_until = '-infinity'")
            .execute(&pool)
            .await?;
    }
}

/// Writes whenever it gets the lease, until everything is written.
async fn hold(
    pool: PgPool,
    owner: Uuid,
    mut rng: Rng,
    until: Position,
) -> Result<Report, Violation> {
    let leases = Leases::new(pool.clone());
    let mut report = Report::default();
    while leases.position(CONSUMER, CONSUMER).await? < until {
        let Some(mut lease) = leases.acquire(CONSUMER, CONSUMER, owner).await? else {
            sleep(Duration::from_millis(1)).await;
            continue;
        };
        report.add("leases", 1);
        report.add("fenced batches", 0);
        while lease.position < until {
            let to = Position(until.0.min(lease.position.0.saturating_add(rng.i64(1..5))));
            let pause = Duration::from_micros(rng.u64(..5_000));
            match batch(&pool, &lease, (to, owner), pause).await {
                Ok(()) => lease.position = to,
                Err(Fenced::Lost(_)) => {
                    report.add("fenced batches", 1);
                    break;
                }
                Err(Fenced::Unavailable(fault)) => return Err(fault.into()),
            }
            report.add("batches", 1);
        }
    }
    Ok(report)
}

/// Rows first, then the checkpoint, as a projector does; in between the lease may go.
async fn batch(
    pool: &PgPool,
    lease: &Lease,
    (to, owner): (Position, Uuid),
    pause: Duration,
) -> Result<(), Fenced> {
    let lost = |fault: sqlx::Error| eventstore::Unavailable::lost(fault);
    let mut transaction = pool.begin().await.map_err(lost)?;
    sqlx::query(
        "INSERT INTO written (position, owner)
         SELECT position, $3 FROM generate_series($1 + 1, $2) position ORDER BY position",
    )
    .bind(lease.position.0)
    .bind(to.0)
    .bind(owner)
    .execute(&mut *transaction)
    .await
    .map_err(lost)?;
    sleep(pause).await;
    Leases::advance(&mut transaction, lease, to).await?;
    transaction.commit().await.map_err(lost)?;
    Ok(())
}
