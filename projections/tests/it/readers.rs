//! Whoever reads tables that are to go, or is cut off while making some, holds nobody up.

use std::{future::Future, pin::pin};

use projections::{Phase, ReplayError, ReplayOptions};
use sqlx::AssertSqlSafe;
use tokio::sync::{Notify, watch};

use crate::{
    aside::{as_of_now, identity, killed_while_indexing, run, sign_up, tells, until},
    support::{World, eventually},
};

/// Whether a statement that says so waits for a lock.
async fn waits(world: &World, says: &str) -> bool {
    let sql = "SELECT EXISTS (SELECT FROM pg_stat_activity
                WHERE datname = current_database() AND wait_event_type = 'Lock'
                  AND strpos(query, $1) > 0)";
    sqlx::query_scalar(sql).bind(says).fetch_one(world.pool()).await.unwrap()
}

/// That the live tables go on while something waits for whoever reads a table.
async fn holds_nobody_up<T>(
    world: &World,
    table: &str,
    waiting: (&str, impl Future<Output = Result<T, ReplayError>>),
) -> T {
    let (statement, waiting) = waiting;
    let mut reader = world.pool().begin().await.unwrap();
    let sql = format!("SELECT FROM {table}");
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *reader).await.unwrap();
    let others = async {
        eventually("waiting", || waits(world, statement), |waits| *waits).await;
        sign_up(world, &format!("during-{}", crate::support::mint())).await;
        world.caught_up("identity").await;
        assert!(eventually("another try", || waits(world, statement), |waits| *waits).await);
        reader.rollback().await.unwrap();
    };
    tokio::join!(waiting, others).0.unwrap()
}

#[tokio::test]
async fn tables_are_dropped_and_made_anew_between_readers() {
    let world = World::new().await;
    sign_up(&world, "ada").await;
    let runner = world.runner();
    world.caught_up("identity").await;
    let (replay, options) = (world.replay(), ReplayOptions::default());
    world.rebuilt(identity(), &options).await;
    as_of_now(&world, "past").await;
    holds_nobody_up(&world, "past.users", ("DROP SCHEMA", replay.drop_aside("past"))).await;

    killed_while_indexing(&world).await;
    let mut ignore = |_| {};
    let rollback = replay.rollback(identity(), &mut ignore);
    holds_nobody_up(&world, "identity_next.users", ("DROP SCHEMA", rollback)).await;

    killed_while_indexing(&world).await;
    let other = "UPDATE eventstore.checkpoints SET fingerprint = 'another binary'
                  WHERE target = 'identity_next'";
    run(&world, other).await;
    let mut ignore = |_| {};
    let rebuild = replay.rebuild(identity(), &options, &mut ignore);
    holds_nobody_up(&world, "identity_next.users", ("DROP SCHEMA", rebuild)).await;

    let there = Notify::new();
    let mut watch = tells(&there, Phase::Verifying);
    let mut verify = pin!(replay.verify(identity(), &options, &mut watch));
    until(verify.as_mut(), &there).await;
    holds_nobody_up(&world, "identity_next.users", ("DROP SCHEMA", verify)).await;
    runner.stop().await;
}

#[tokio::test]
async fn tables_of_a_moment_are_moved_between_readers() {
    let world = World::new().await;
    sign_up(&world, "ada").await;
    let runner = world.runner();
    world.caught_up("identity").await;
    let head = projections::Target::Position(world.store.head().await.unwrap());
    let modules = [projections::module("organization").unwrap(), identity()];
    let (replay, there) = (world.replay(), Notify::new());
    let mut watch = |progress: projections::Progress| {
        if progress.module == "identity" && progress.phase == Phase::Indexing {
            there.notify_one();
        }
    };
    let mut making = pin!(replay.as_of(&modules, head, "past", &mut watch));
    until(making.as_mut(), &there).await;
    holds_nobody_up(&world, "past_identity.users", ("ALTER TABLE", making)).await;
    runner.stop().await;
}

#[tokio::test]
async fn tables_are_dropped_behind_upkeep_that_gives_way_only_to_who_waits_for_long() {
    let world = World::new().await;
    sign_up(&world, "ada").await;
    let runner = world.runner();
    world.caught_up("identity").await;
    as_of_now(&world, "past").await;
    let mut upkeep = world.pool().begin().await.unwrap();
    let sql = "LOCK TABLE past.users IN SHARE UPDATE EXCLUSIVE MODE";
    sqlx::raw_sql(sql).execute(&mut *upkeep).await.unwrap();
    let waits_long = || async {
        let sql = "SELECT EXISTS (SELECT FROM pg_stat_activity
                    WHERE datname = current_database() AND wait_event_type = 'Lock'
                      AND query_start < clock_timestamp() - interval '1 s')";
        sqlx::query_scalar::<_, bool>(sql).fetch_one(world.pool()).await.unwrap()
    };
    let gives_way = async {
        eventually("a long wait", waits_long, |waits| *waits).await;
        // Nobody waits behind.
        sign_up(&world, "bob").await;
        world.caught_up("identity").await;
        upkeep.rollback().await.unwrap();
    };
    let replay = world.replay();
    let (dropped, ()) = tokio::join!(replay.drop_aside("past"), gives_way);
    dropped.unwrap();
    runner.stop().await;
}

#[tokio::test]
async fn nothing_of_a_rebuild_that_is_told_to_stop_stays_at_work_on_the_server() {
    let world = World::new().await;
    sign_up(&world, "ada").await;
    let runner = world.runner();
    world.caught_up("identity").await;
    let (stop, told) = watch::channel(false);
    let (replay, there) = (world.replay().stopping(told), Notify::new());
    let (mut watch, options) = (tells(&there, Phase::Indexing), ReplayOptions::default());
    let mut rebuild = pin!(replay.rebuild(identity(), &options, &mut watch));
    until(rebuild.as_mut(), &there).await;
    let mut busy = world.pool().begin().await.unwrap();
    let sql = "LOCK TABLE identity_next.users IN ROW EXCLUSIVE MODE";
    sqlx::raw_sql(sql).execute(&mut *busy).await.unwrap();
    let stopped = async {
        let indexes = || waits(&world, "users_key_idx");
        eventually("waiting", indexes, |waits| *waits).await;
        stop.send_replace(true);
        eventually("the end", indexes, |waits| !*waits).await;
    };
    let (outcome, ()) = tokio::join!(rebuild, stopped);
    assert!(matches!(outcome, Err(ReplayError::Stopped)), "{outcome:?}");
    busy.rollback().await.unwrap();
    runner.stop().await;
}
