//! What is left of somebody who is erased, however those end who make tables beside the live ones.

use std::pin::pin;

use projections::{Phase, ReplayError, ReplayOptions};
use sqlx::{AssertSqlSafe, Postgres, Transaction};
use tokio::sync::{Notify, watch};

use crate::{
    aside::{as_of_now, identity, killed_while_indexing, readable, run, sign_up, tells, until},
    support::{World, eventually},
};

/// A transaction in which a table is locked as whoever makes an index does.
async fn indexing(world: &World, table: &str) -> Transaction<'static, Postgres> {
    let mut transaction = world.pool().begin().await.unwrap();
    let sql = format!("LOCK TABLE {table} IN SHARE MODE");
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *transaction).await.unwrap();
    transaction
}

async fn forgets(world: &World, schema: &str) {
    let left = || readable(world, schema);
    eventually("forgetting", left, |left: &Vec<String>| left.is_empty()).await;
}

#[tokio::test]
async fn tables_in_the_making_are_passed_over_and_cleared_however_the_making_ends() {
    for fails in [true, false] {
        let world = World::of_plain_owner().await;
        let ada = sign_up(&world, "ada").await;
        let runner = world.runner();
        world.caught_up("identity").await;
        let (stop, told) = watch::channel(false);
        let (replay, there) = (world.replay().stopping(told), Notify::new());
        let (mut watch, options) = (tells(&there, Phase::Indexing), ReplayOptions::default());
        let mut rebuild = pin!(replay.rebuild(identity(), &options, &mut watch));
        until(rebuild.as_mut(), &there).await;
        // Whether indexes are being made at this moment or nobody is in the way, it is the same.
        let busy = match fails {
            true => Some(indexing(&world, "identity_next.persons, identity_next.users").await),
            false => None,
        };
        world.erase(ada, 1).await;
        world.caught_up("identity").await;
        drop(busy);
        assert_eq!(readable(&world, "identity_next").await, ["ada", "ada@example.org"]);
        if fails {
            // In the way of an index, as a full disk would be.
            run(&world, "CREATE TABLE identity_next.users_key_idx ()").await;
        } else {
            stop.send_replace(true);
        }
        let outcome = rebuild.await;
        assert_eq!(fails, !matches!(outcome, Err(ReplayError::Stopped)), "{outcome:?}");
        assert!(outcome.is_err(), "{fails}");
        assert_eq!(readable(&world, "identity_next").await, [""; 0], "{fails}");
        runner.stop().await;
    }
}

#[tokio::test]
async fn what_a_killed_rebuild_left_is_cleared_by_whoever_keeps_the_live_tables() {
    let world = World::of_plain_owner().await;
    let ada = sign_up(&world, "ada").await;
    let runner = world.runner();
    world.caught_up("identity").await;
    let (replay, there, options) = (world.replay(), Notify::new(), ReplayOptions::default());
    let mut watch = tells(&there, Phase::Indexing);
    {
        let mut rebuild = Box::pin(replay.rebuild(identity(), &options, &mut watch));
        until(rebuild.as_mut(), &there).await;
        let busy = indexing(&world, "identity_next.persons, identity_next.users").await;
        world.erase(ada, 1).await;
        world.caught_up("identity").await;
        busy.rollback().await.unwrap();
    }
    assert_eq!(readable(&world, "identity_next").await, ["ada", "ada@example.org"]);
    world.lease_lapses("identity_next").await;
    forgets(&world, "identity_next").await;
    // It goes on where it was.
    assert_eq!(world.rebuilt(identity(), &options).await, []);
    assert_eq!(readable(&world, "identity").await, [""; 0]);
    runner.stop().await;
}

#[tokio::test]
async fn tables_of_a_moment_whose_making_was_killed_at_its_very_end_are_cleared() {
    let world = World::new().await;
    let ada = sign_up(&world, "ada").await;
    let runner = world.runner();
    world.caught_up("identity").await;
    as_of_now(&world, "past").await;
    // They stand where they are wanted, and the claim on them was not yet given back.
    let held = "UPDATE eventstore.checkpoints
                   SET owner = gen_random_uuid(), lease_until = now() + interval '1 h'
                 WHERE target = 'past'";
    run(&world, held).await;
    let busy = indexing(&world, "past.persons, past.users").await;
    world.erase(ada, 1).await;
    world.caught_up("identity").await;
    busy.rollback().await.unwrap();
    assert_eq!(readable(&world, "past").await, ["ada", "ada@example.org"]);
    world.lease_lapses("past").await;
    forgets(&world, "past").await;
    runner.stop().await;
}

#[tokio::test]
async fn live_tables_do_not_wait_for_whoever_is_in_the_way_beside_them() {
    let world = World::new().await;
    let ada = sign_up(&world, "ada").await;
    let runner = world.runner();
    world.caught_up("identity").await;
    world.rebuilt(identity(), &ReplayOptions::default()).await;
    killed_while_indexing(&world).await;
    // The server still makes an index, and somebody else changes the former tables.
    let next = indexing(&world, "identity_next.users").await;
    let former = indexing(&world, "identity_prev.users").await;
    world.erase(ada, 1).await;
    world.caught_up("identity").await;
    sign_up(&world, "bob").await;
    world.caught_up("identity").await;
    next.rollback().await.unwrap();
    former.rollback().await.unwrap();
    for schema in ["identity_next", "identity_prev"] {
        forgets(&world, schema).await;
    }
    runner.stop().await;
}

#[tokio::test]
async fn former_tables_that_stood_before_an_erasure_when_they_were_replaced_are_cleared() {
    let world = World::new().await;
    let ada = sign_up(&world, "ada").await;
    let runner = world.runner();
    world.caught_up("identity").await;
    runner.stop().await;
    let (replay, there, options) = (world.replay(), Notify::new(), ReplayOptions::default());
    let mut watch = tells(&there, Phase::Verifying);
    let mut rebuild = pin!(replay.rebuild(identity(), &options, &mut watch));
    until(rebuild.as_mut(), &there).await;
    world.erase(ada, 1).await;
    assert_eq!(rebuild.await.unwrap().rows, []);
    for schema in ["identity", "identity_prev"] {
        assert_eq!(readable(&world, schema).await, [""; 0], "{schema}");
    }
}

#[tokio::test]
async fn tables_of_another_shape_and_those_of_no_module_lose_the_rows_of_who_is_erased() {
    let world = World::of_plain_owner().await;
    let ada = sign_up(&world, "ada").await;
    sign_up(&world, "bob").await;
    let runner = world.runner();
    world.caught_up("identity").await;
    world.rebuilt(identity(), &ReplayOptions::default()).await;
    run(
        &world,
        "ALTER TABLE identity_prev.users ADD nickname text;
         UPDATE identity_prev.users SET nickname = email;
         CREATE TABLE identity_prev.contacts AS
             SELECT key_id, display_name FROM identity_prev.persons;
         GRANT SELECT, DELETE ON identity_prev.contacts TO commonhold_projector;
         CREATE TABLE identity_prev.not_ours AS TABLE identity_prev.contacts;
         GRANT DELETE ON identity_prev.not_ours TO commonhold_projector;
         CREATE TABLE identity_prev.invitations AS TABLE identity_prev.contacts;
         GRANT SELECT, DELETE ON identity_prev.invitations TO commonhold_projector",
    )
    .await;
    world.erase(ada, 1).await;
    world.caught_up("identity").await;
    let column = async |column: &str, table: &str| -> Vec<String> {
        let sql = format!("SELECT {column} FROM identity_prev.{table} ORDER BY 1");
        sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(world.pool()).await.unwrap()
    };
    assert_eq!(column("nickname", "users").await, ["bob@example.org"]);
    assert_eq!(column("display_name", "contacts").await, ["bob"]);
    // Nobody let the platform see the one, and another module looks after the other.
    for table in ["not_ours", "invitations"] {
        assert_eq!(column("display_name", table).await, ["ada", "bob"], "{table}");
    }
    assert_eq!(readable(&world, "identity_prev").await, ["bob", "bob@example.org"]);
    runner.stop().await;
}

#[tokio::test]
async fn whoever_keeps_tables_and_their_checkpoint_locked_does_not_make_the_platform_forget_to_clear()
 {
    cleared_after_a_checkpoint_was_locked(false).await;
}

#[tokio::test]
async fn nor_does_the_end_of_whoever_could_not_note_what_is_left() {
    cleared_after_a_checkpoint_was_locked(true).await;
}

/// `ends`: whether whoever keeps the live tables does so before the checkpoint is free.
async fn cleared_after_a_checkpoint_was_locked(ends: bool) {
    let world = World::new().await;
    let ada = sign_up(&world, "ada").await;
    let runner = world.runner();
    world.caught_up("identity").await;
    as_of_now(&world, "past").await;
    let mut busy = indexing(&world, "past.persons, past.users").await;
    let checkpoint = "SELECT FROM eventstore.checkpoints WHERE target = 'past' FOR UPDATE";
    sqlx::raw_sql(checkpoint).execute(&mut *busy).await.unwrap();
    world.erase(ada, 1).await;
    world.caught_up("identity").await;
    let runner = if ends {
        // With all that it could not note.
        runner.stop().await;
        busy.rollback().await.unwrap();
        assert_eq!(readable(&world, "past").await, ["ada", "ada@example.org"]);
        world.runner()
    } else {
        busy.rollback().await.unwrap();
        runner
    };
    forgets(&world, "past").await;
    runner.stop().await;
}

#[tokio::test]
async fn what_the_server_refuses_beside_the_live_tables_is_nothing_to_them() {
    let world = World::of_plain_owner().await;
    let ada = sign_up(&world, "ada").await;
    sign_up(&world, "bob").await;
    let runner = world.runner();
    world.caught_up("identity").await;
    as_of_now(&world, "past").await;
    // An operator wants every user to have an address there, and no person to be changed.
    let changed = "ALTER TABLE past.users ALTER email SET NOT NULL;
                   REVOKE UPDATE ON past.persons FROM commonhold_projector";
    run(&world, changed).await;
    world.erase(ada, 1).await;
    world.caught_up("identity").await;
    assert_eq!(world.parked().await, []);
    assert_eq!(readable(&world, "identity").await, ["bob", "bob@example.org"]);
    // Of her person nothing is left: one table is not in the way of another.
    assert_eq!(readable(&world, "past").await, ["ada@example.org", "bob", "bob@example.org"]);
    run(&world, "ALTER TABLE past.users ALTER email DROP NOT NULL").await;
    let left = || readable(&world, "past");
    eventually("forgetting", left, |left: &Vec<String>| *left == ["bob", "bob@example.org"]).await;
    runner.stop().await;
}

#[tokio::test]
async fn live_tables_and_their_end_wait_for_nothing_that_takes_long_beside_them() {
    let world = World::new().await;
    sign_up(&world, "ada").await;
    let runner = world.runner();
    world.caught_up("identity").await;
    as_of_now(&world, "past").await;
    runner.stop().await;
    // As a table of many million rows would be, for ever.
    let slow = "CREATE SCHEMA slow;
        CREATE FUNCTION slow.wait() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            LOOP PERFORM pg_sleep(0.01); END LOOP;
        END $$;
        CREATE TRIGGER slow BEFORE UPDATE ON past.users
            FOR EACH STATEMENT EXECUTE FUNCTION slow.wait();
        UPDATE eventstore.checkpoints SET owner = gen_random_uuid(), lease_until = now()
         WHERE target = 'past'";
    run(&world, slow).await;
    let clearing = || async {
        let sql = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database()
                    AND state = 'active' AND query LIKE 'UPDATE \"past\".\"users\"%')";
        sqlx::query_scalar::<_, bool>(sql).fetch_one(world.pool()).await.unwrap()
    };
    let runner = world.runner();
    eventually("clearing", clearing, |clears| *clears).await;
    let bob = sign_up(&world, "bob").await;
    world.caught_up("identity").await;
    world.erase(bob, 1).await;
    world.caught_up("identity").await;
    assert_eq!(readable(&world, "identity").await, ["ada", "ada@example.org"]);
    assert!(clearing().await, "it was still at it");
    runner.stop().await;
    // Nobody is left to want it.
    eventually("the end", clearing, |clears| !*clears).await;
    assert_eq!(readable(&world, "past").await, ["ada", "ada@example.org"]);
}
