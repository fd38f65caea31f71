//! Waiting for positions: which are worth it, and what many who wait cost.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use domain::{kernel::Position, organization::organization::OrganizationEvent};
use eventstore::Leases;
use futures_util::future::join_all;
use projections::{Lagging, PATIENCE, Positions};
use sqlx::{PgPool, postgres::PgPoolOptions};

use crate::support::World;

const MODULE: &str = "organization";

/// The tables as a process sees them that does not keep them.
fn elsewhere(pool: &PgPool) -> Positions {
    Positions::new(Leases::new(pool.clone()))
}

#[tokio::test]
async fn a_position_beyond_the_log_is_not_waited_for() {
    let world = World::new().await;
    world.organization("acme").await;
    let begun = Instant::now();
    let answer = world.positions.wait(MODULE, Position(2)).await;
    assert!(matches!(answer, Err(Lagging::Beyond { head: Position(1), .. })), "{answer:?}");
    assert!(begun.elapsed() < PATIENCE);
}

#[tokio::test]
async fn what_another_process_wrote_a_moment_ago_is_waited_for() {
    let world = World::new().await;
    let runner = world.runner();
    let id = world.organization("acme").await;
    let elsewhere = elsewhere(world.pool());
    for version in 1..=20 {
        // The log is found to end here, and then does not.
        let next = Position(i64::from(version) + 1);
        let answer = elsewhere.wait(MODULE, next).await;
        assert!(matches!(answer, Err(Lagging::Beyond { .. })), "{answer:?}");
        let renamed = OrganizationEvent::Renamed { name: format!("Acme {version}") };
        let written = world.append(id, id.tenant(), (version, None), &[renamed]).await;
        assert_eq!(written.position, next);
        assert_eq!(elsewhere.wait(MODULE, next).await.unwrap(), next);
    }
    runner.stop().await;
}

#[tokio::test]
async fn one_asks_for_all_who_wait() {
    let world = World::new().await;
    world.organization("acme").await;
    let asked = Arc::new(AtomicI64::new(0));
    let count = asked.clone();
    let pool = PgPoolOptions::new().before_acquire(move |_, _| {
        count.fetch_add(1, Ordering::Relaxed);
        Box::pin(async { Ok(true) })
    });
    let pool = pool.connect(&world.db.url).await.unwrap();
    let positions = elsewhere(&pool);
    // Nobody keeps the tables.
    let answers = join_all((0..500).map(|_| positions.wait(MODULE, Position(1)))).await;
    assert!(answers.iter().all(|answer| matches!(answer, Err(Lagging::Behind { .. }))));
    let most = i64::try_from(PATIENCE.as_millis() / 20).unwrap();
    let asked = asked.load(Ordering::Relaxed);
    assert!((2..=most).contains(&asked), "{asked}");
}

#[tokio::test]
async fn a_database_that_is_away_is_told_to_all_who_wait() {
    let world = World::new().await;
    let pool = PgPool::connect(&world.db.url).await.unwrap();
    pool.close().await;
    let positions = elsewhere(&pool);
    let begun = Instant::now();
    let answers = join_all((0..500).map(|_| positions.wait(MODULE, Position(1)))).await;
    assert!(answers.iter().all(|answer| matches!(answer, Err(Lagging::Unavailable(_)))));
    assert!(begun.elapsed() < PATIENCE - Duration::from_millis(500));
}
