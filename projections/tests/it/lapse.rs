//! Rebuilds that take long or stand still, and others that take over from them.

use std::{
    future::Future,
    pin::{Pin, pin},
};

use domain::kernel::Timestamp;
use eventstore::Leases;
use projections::{Differences, EngineError, Module, Phase, Progress, ReplayError, ReplayOptions};
use sqlx::PgConnection;
use tokio::sync::Notify;

use crate::support::{World, eventually, mint};

const NEXT: &str = "organization_next";

type Outcome = Result<Differences, ReplayError>;

fn module() -> &'static Module {
    projections::module("organization").unwrap()
}

fn small() -> ReplayOptions {
    ReplayOptions { page: 2, rows: 1 }
}

/// A world whose tables are up to date and change no more.
async fn lived() -> World {
    let world = World::new().await;
    for number in 0..6 {
        world.organization(&format!("org-{number}")).await;
    }
    let runner = world.runner();
    world.caught_up("organization").await;
    runner.stop().await;
    world
}

/// Tells when a rebuild is somewhere.
fn tells(there: &Notify, is: impl Fn(Progress) -> bool + Send) -> impl FnMut(Progress) + Send {
    move |progress| {
        if is(progress) {
            there.notify_one();
        }
    }
}

/// Lets a rebuild go on until it is somewhere; from then on it stands still unless it is awaited.
async fn until(rebuild: Pin<&mut impl Future<Output = Outcome>>, there: &Notify) {
    tokio::select! {
        biased;
        () = there.notified() => {}
        outcome = rebuild => panic!("never came there: {outcome:?}"),
    }
}

fn is_lost(outcome: &Outcome) -> bool {
    matches!(outcome, Err(ReplayError::Engine(EngineError::Fenced(_))))
}

/// The rebuild that takes over has come to its second page.
fn halfway(progress: Progress) -> bool {
    progress.phase == Phase::Folding && progress.position.0 > 0
}

#[tokio::test]
async fn a_rebuild_that_stood_still_puts_no_half_made_tables_in_the_place_of_live_ones() {
    let world = lived().await;
    let (replay, there, options) = (world.replay(), Notify::new(), small());
    let mut watch = tells(&there, |progress| progress.phase == Phase::Verifying);
    let mut first = pin!(replay.rebuild(module(), &options, &mut watch));
    until(first.as_mut(), &there).await;
    world.lease_lapses(NEXT).await;
    // Another binary has other folds, and begins anew.
    let sql = "UPDATE eventstore.checkpoints SET fingerprint = 'other' WHERE target = $1";
    sqlx::query(sql).bind(NEXT).execute(world.pool()).await.unwrap();
    let halfway_there = Notify::new();
    let mut watch = tells(&halfway_there, halfway);
    let mut second = pin!(replay.rebuild(module(), &options, &mut watch));
    until(second.as_mut(), &halfway_there).await;

    let outcome = first.await;
    assert!(is_lost(&outcome), "{outcome:?}");
    let live = "SELECT count(*) FROM organization.organizations";
    let live: i64 = sqlx::query_scalar(live).fetch_one(world.pool()).await.unwrap();
    assert_eq!(live, 6);
    assert_eq!(second.await.unwrap().rows, []);
}

#[tokio::test]
async fn a_lease_on_tables_that_are_gone_is_none_on_those_made_later() {
    let world = lived().await;
    let (replay, there, options) = (world.replay(), Notify::new(), small());
    let mut watch = tells(&there, |progress| progress.phase == Phase::Verifying);
    let mut first = pin!(replay.rebuild(module(), &options, &mut watch));
    until(first.as_mut(), &there).await;
    world.lease_lapses(NEXT).await;
    // These tables, then made by another, are thrown away; the next ones are new throughout.
    assert_eq!(world.verified(module(), &options).await, []);
    let halfway_there = Notify::new();
    let mut watch = tells(&halfway_there, halfway);
    let mut third = pin!(replay.rebuild(module(), &options, &mut watch));
    until(third.as_mut(), &halfway_there).await;
    let outcome = first.await;
    assert!(is_lost(&outcome), "{outcome:?}");
    assert_eq!(third.await.unwrap().rows, []);
}

#[tokio::test]
async fn a_verification_that_stood_still_throws_nobody_elses_tables_away() {
    let world = lived().await;
    let (replay, there, options) = (world.replay(), Notify::new(), small());
    let mut watch = tells(&there, |progress| progress.phase == Phase::Verifying);
    let mut first = pin!(replay.verify(module(), &options, &mut watch));
    until(first.as_mut(), &there).await;
    world.lease_lapses(NEXT).await;
    let folding = Notify::new();
    let mut watch = tells(&folding, |progress| progress.phase == Phase::Folding);
    let mut second = pin!(replay.rebuild(module(), &options, &mut watch));
    until(second.as_mut(), &folding).await;
    let outcome = first.await;
    assert!(is_lost(&outcome), "{outcome:?}");
    assert_eq!(second.await.unwrap().rows, []);
}

/// A transaction that keeps everybody off a table.
async fn locked(world: &World, table: &str) -> sqlx::Transaction<'static, sqlx::Postgres> {
    let mut transaction = world.pool().begin().await.unwrap();
    let sql = format!("LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE");
    let connection: &mut PgConnection = &mut transaction;
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(connection).await.unwrap();
    transaction
}

/// Whether the lease on some tables holds.
async fn held(world: &World, target: &str) -> bool {
    let sql = "SELECT lease_until > now() FROM eventstore.checkpoints WHERE target = $1";
    sqlx::query_scalar(sql).bind(target).fetch_one(world.pool()).await.unwrap()
}

/// Until somebody waits for a lock; answers which transaction, by when it began.
async fn waited_for(world: &World) -> Option<Timestamp> {
    let waits = "SELECT max(xact_start) FROM pg_stat_activity
                  WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let pool = world.pool();
    let ask = || async { sqlx::query_scalar(waits).fetch_one(pool).await.unwrap() };
    eventually("a wait for a lock", ask, Option::is_some).await
}

#[tokio::test]
async fn a_rebuild_keeps_its_lease_however_long_it_indexes_or_compares() {
    let world = lived().await;
    for phase in [Phase::Indexing, Phase::Verifying] {
        let (replay, there, options) = (world.replay(), Notify::new(), small());
        let mut watch = tells(&there, |progress| progress.phase == phase);
        let mut rebuild = pin!(replay.rebuild(module(), &options, &mut watch));
        until(rebuild.as_mut(), &there).await;
        let lock = locked(&world, "organization_next.identity_providers").await;
        // As if it had waited for the table for longer than a lease holds.
        world.lease_lapses(NEXT).await;
        tokio::select! {
            outcome = rebuild.as_mut() => panic!("{phase:?} does not wait: {outcome:?}"),
            held = eventually("renewal", || held(&world, NEXT), |held| *held) => assert!(held),
        }
        lock.rollback().await.unwrap();
        assert_eq!(rebuild.await.unwrap().rows, [], "{phase:?}");
    }
}

#[tokio::test]
async fn a_comparison_that_waits_for_the_live_tables_keeps_one_connection() {
    let world = World::new().await;
    world.organization("acme").await;
    // Somebody holds the lease, and gets on with nothing.
    let leases = Leases::new(world.pool().clone());
    let lease = leases.acquire("organization", "organization", mint()).await.unwrap().unwrap();
    let snapshots = || async {
        let sql = "SELECT count(*), max(query_start)::text FROM pg_stat_activity
                    WHERE datname = current_database() AND state = 'idle' AND query = 'ROLLBACK'";
        let seen: (i64, Option<String>) =
            sqlx::query_as(sql).fetch_one(world.pool()).await.unwrap();
        seen
    };
    let behind = async {
        let (mut before, mut rounds) = (None, 0);
        while rounds < 3 {
            let again = |seen: &(i64, Option<String>)| seen.1.is_some() && seen.1 != before;
            let (count, last) = eventually("another look", snapshots, again).await;
            assert_eq!(count, 1, "{rounds}");
            (before, rounds) = (last, rounds + 1);
        }
        leases.release(&lease).await.unwrap();
    };
    let options = small();
    let (found, ()) = tokio::join!(world.verified(module(), &options), behind);
    assert_eq!(found, []);
}

#[tokio::test]
async fn what_a_comparison_found_is_told_even_if_its_tables_cannot_be_dropped() {
    let world = lived().await;
    let sql = "UPDATE organization.organizations SET name = 'forged' WHERE slug = 'org-3'";
    sqlx::raw_sql(sql).execute(world.pool()).await.unwrap();
    let (replay, there, options) = (world.replay(), Notify::new(), small());
    let mut watch = tells(&there, |progress| progress.phase == Phase::Verifying);
    let mut verify = pin!(replay.verify(module(), &options, &mut watch));
    until(verify.as_mut(), &there).await;
    let mut reader = world.pool().begin().await.unwrap();
    let sql = "SELECT FROM organization_next.organizations";
    sqlx::raw_sql(sql).execute(&mut *reader).await.unwrap();
    let found = verify.await.unwrap();
    assert_eq!(found.count, 1);
    let told = found.left.unwrap();
    assert!(told.contains("platformctl replay drop organization_next"), "{told}");
    reader.rollback().await.unwrap();
    replay.drop_aside(NEXT).await.unwrap();
}

#[tokio::test]
async fn tables_swapped_in_while_a_comparison_begins_are_compared_as_they_are() {
    let world = lived().await;
    let mut swap = locked(&world, "organization.organizations").await;
    let sql = "CREATE SCHEMA aside;
               CREATE TABLE aside.organizations (LIKE organization.organizations);
               INSERT INTO aside.organizations SELECT * FROM organization.organizations;
               ALTER TABLE organization.organizations RENAME TO former;
               ALTER TABLE aside.organizations SET SCHEMA organization";
    sqlx::raw_sql(sql).execute(&mut *swap).await.unwrap();
    let swapped = async {
        waited_for(&world).await;
        swap.commit().await.unwrap();
    };
    let options = small();
    let (found, ()) = tokio::join!(world.verified(module(), &options), swapped);
    assert_eq!(found, []);
}

#[tokio::test]
async fn live_tables_keep_their_lease_however_long_a_batch_takes() {
    let world = World::new().await;
    let runner = world.runner();
    world.organization("early").await;
    world.caught_up("organization").await;
    let lock = locked(&world, "organization.organizations").await;
    world.organization("late").await;
    let batch = waited_for(&world).await;
    world.lease_lapses("organization").await;
    eventually("renewal", || held(&world, "organization"), |held| *held).await;
    assert_eq!(waited_for(&world).await, batch, "not by another try");
    lock.rollback().await.unwrap();
    world.caught_up("organization").await;
    runner.stop().await;
}
