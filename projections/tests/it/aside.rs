//! Tables beside the live ones: what is forgotten is forgotten there too, and they can be seen
//! and dropped.

use std::{future::Future, pin::pin};

use domain::{
    identity::{PersonId, UserId, person::PersonEvent, user::UserEvent},
    kernel::{Personal, Position, TenantId},
};
use projections::{
    Module, Phase, Progress, Purpose, Replay, ReplayError, ReplayOptions, Status, Target,
};
use sqlx::AssertSqlSafe;
use tokio::sync::{Notify, watch};

use crate::support::{World, eventually, mint};

pub(crate) fn identity() -> &'static Module {
    projections::module("identity").unwrap()
}

fn both() -> [&'static Module; 2] {
    // The second one is made elsewhere and moved.
    [projections::module("organization").unwrap(), identity()]
}

fn personal(text: &str) -> Personal<String> {
    Personal::Open(text.to_owned())
}

pub(crate) async fn sign_up(world: &World, name: &str) -> PersonId {
    let (person_id, user_id) = (PersonId::from_uuid(mint()), UserId::from_uuid(mint()));
    let at = (0, Some(person_id.key()));
    let registered = PersonEvent::Registered {
        person_id,
        display_name: Some(personal(name)),
        legal_name: None,
        country: None,
        locale: "en".into(),
        timezone: "UTC".into(),
        user_id: Some(user_id),
    };
    world.append(person_id, TenantId::PLATFORM, at, &[registered]).await;
    let registered = UserEvent::Registered {
        user_id,
        person_id,
        email: personal(&format!("{name}@example.org")),
        email_digest: format!("digest of {name}"),
        username: None,
        via: "signup".into(),
    };
    world.append(user_id, TenantId::PLATFORM, at, &[registered]).await;
    person_id
}

/// The names and addresses that can be read in a schema.
pub(crate) async fn readable(world: &World, schema: &str) -> Vec<String> {
    let sql = format!(
        "SELECT display_name FROM {schema}.persons WHERE display_name IS NOT NULL
         UNION ALL SELECT email FROM {schema}.users WHERE email IS NOT NULL ORDER BY 1"
    );
    sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(world.pool()).await.unwrap()
}

pub(crate) async fn run(world: &World, sql: &str) {
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(world.pool()).await.unwrap();
}

pub(crate) async fn as_of_now(world: &World, schema: &str) {
    let head = Target::Position(world.store.head().await.unwrap());
    world.replay().as_of(&both(), head, schema, &mut |_| {}).await.unwrap();
}

async fn statuses(world: &World) -> Vec<(String, Purpose)> {
    let list = world.replay().status().await.unwrap().into_iter();
    list.map(|Status { target, purpose, .. }| (target, purpose)).collect()
}

/// Lets a replay go on until it is somewhere, where it then stands still.
pub(crate) async fn until<T>(replay: impl Future<Output = Result<T, ReplayError>>, there: &Notify) {
    tokio::select! {
        biased;
        () = there.notified() => {}
        outcome = replay => panic!("never came there: {:?}", outcome.err()),
    }
}

pub(crate) fn tells(there: &Notify, phase: Phase) -> impl FnMut(Progress) + Send {
    move |progress| {
        if progress.phase == phase {
            there.notify_one();
        }
    }
}

/// A rebuild that was killed while it made indexes, long ago.
pub(crate) async fn killed_while_indexing(world: &World) {
    let (replay, there, options) = (world.replay(), Notify::new(), ReplayOptions::default());
    let mut watch = tells(&there, Phase::Indexing);
    {
        let mut rebuild = Box::pin(replay.rebuild(identity(), &options, &mut watch));
        until(rebuild.as_mut(), &there).await;
    }
    world.lease_lapses("identity_next").await;
}

#[tokio::test]
async fn who_is_erased_is_cleared_in_former_tables_and_in_those_of_a_moment_and_half_made_ones() {
    let world = World::of_plain_owner().await;
    let ada = sign_up(&world, "ada").await;
    sign_up(&world, "bob").await;
    let runner = world.runner();
    world.caught_up("identity").await;
    world.rebuilt(identity(), &ReplayOptions::default()).await;
    as_of_now(&world, "past").await;
    killed_while_indexing(&world).await;
    // Somebody else's, and tables of folds of another shape.
    run(
        &world,
        "CREATE SCHEMA theirs; CREATE TABLE theirs.users AS TABLE identity.users;
         CREATE TABLE theirs.persons AS TABLE identity.persons;
         ALTER TABLE identity_prev.users RENAME email TO mail;
         ALTER TABLE identity_prev.users ADD email text",
    )
    .await;
    let everybody = ["ada", "ada@example.org", "bob", "bob@example.org"];
    for schema in ["identity", "identity_next", "past", "theirs"] {
        assert_eq!(readable(&world, schema).await, everybody, "{schema}");
    }
    run(&world, "ALTER TABLE identity_prev.users DROP pending_email").await;

    world.erase(ada, 1).await;
    world.caught_up("identity").await;
    let bob = ["bob", "bob@example.org"];
    for schema in ["identity", "past"] {
        assert_eq!(readable(&world, schema).await, bob, "{schema}");
    }
    // What nobody finished is looked through from end to end, for which the live tables do not wait.
    let half_made = || readable(&world, "identity_next");
    eventually("forgetting", half_made, |left: &Vec<String>| *left == bob).await;
    let mails: Vec<Option<String>> = sqlx::query_scalar("SELECT mail FROM identity_prev.users")
        .fetch_all(world.pool())
        .await
        .unwrap();
    assert_eq!(mails, [Some("bob@example.org".to_owned())]);
    assert_eq!(readable(&world, "identity_prev").await, ["bob"]);
    assert_eq!(readable(&world, "theirs").await, everybody);
    assert_eq!(world.parked().await, []);
    runner.stop().await;
}

#[tokio::test]
async fn who_is_erased_while_tables_of_a_moment_are_made_is_cleared_at_their_end() {
    let world = World::new().await;
    let ada = sign_up(&world, "ada").await;
    let runner = world.runner();
    world.caught_up("identity").await;
    let (replay, there) = (world.replay(), Notify::new());
    let mut watch = tells(&there, Phase::Indexing);
    let head = Target::Position(world.store.head().await.unwrap());
    let modules = [identity()];
    let mut making = pin!(replay.as_of(&modules, head, "past", &mut watch));
    until(making.as_mut(), &there).await;
    assert_eq!(readable(&world, "past").await.len(), 2);
    // As the making of indexes does: the live tables do not wait for it.
    let mut busy = world.pool().begin().await.unwrap();
    let sql = "LOCK TABLE past.users, past.persons IN SHARE MODE";
    sqlx::raw_sql(sql).execute(&mut *busy).await.unwrap();
    world.erase(ada, 1).await;
    world.caught_up("identity").await;
    busy.rollback().await.unwrap();
    assert_eq!(readable(&world, "past").await.len(), 2);
    making.await.unwrap();
    assert_eq!(readable(&world, "past").await, [""; 0]);
    runner.stop().await;
}

#[tokio::test]
async fn who_is_erased_during_a_comparison_makes_no_difference() {
    let world = World::new().await;
    let ada = sign_up(&world, "ada").await;
    let runner = world.runner();
    world.caught_up("identity").await;
    let (replay, there, options) = (world.replay(), Notify::new(), ReplayOptions::default());
    let mut watch = tells(&there, Phase::Verifying);
    let mut rebuild = pin!(replay.rebuild(identity(), &options, &mut watch));
    until(rebuild.as_mut(), &there).await;
    world.erase(ada, 1).await;
    world.caught_up("identity").await;
    assert_eq!(rebuild.await.unwrap().rows, []);
    for schema in ["identity", "identity_prev"] {
        assert_eq!(readable(&world, schema).await, [""; 0], "{schema}");
    }
    runner.stop().await;
}

#[tokio::test]
async fn an_event_read_with_its_key_on_one_side_and_without_on_the_other_makes_no_difference() {
    let world = World::new().await;
    sign_up(&world, "ada").await;
    let runner = world.runner();
    world.caught_up("identity").await;
    let (replay, there, options) = (world.replay(), Notify::new(), ReplayOptions::default());
    let mut indexed = false;
    let mut watch = |progress: Progress| {
        indexed |= progress.phase == Phase::Indexing;
        if indexed && progress.phase == Phase::Folding {
            there.notify_one();
        }
    };
    let mut verify = pin!(replay.verify(identity(), &options, &mut watch));
    until(verify.as_mut(), &there).await;
    // It knows how far the log reaches, and will find the live tables further on.
    let bob = sign_up(&world, "bob").await;
    world.caught_up("identity").await;
    until(verify.as_mut(), &there).await;
    // It has seen those with what it is about to read without.
    world.erase(bob, 1).await;
    world.caught_up("identity").await;
    assert_eq!(verify.await.unwrap().rows, []);
    runner.stop().await;
}

#[tokio::test]
async fn all_tables_beside_the_live_ones_are_listed_and_can_be_dropped_by_name() {
    let world = World::new().await;
    sign_up(&world, "ada").await;
    let runner = world.runner();
    world.caught_up("identity").await;
    world.rebuilt(identity(), &ReplayOptions::default()).await;
    as_of_now(&world, "past").await;
    run(&world, "CREATE SCHEMA theirs").await;
    let replay = world.replay();
    let listed = statuses(&world).await;
    for (schema, purpose) in [
        ("identity", Purpose::Live),
        ("identity_prev", Purpose::Former),
        ("past", Purpose::AsOf),
        ("organization", Purpose::Live),
    ] {
        assert!(listed.contains(&(schema.to_owned(), purpose)), "{schema}: {listed:?}");
    }
    assert_eq!(listed.len(), 5, "two modules in the one as of a moment: {listed:?}");
    for refused in ["identity", "organization", "theirs", "eventstore", "nowhere"] {
        let outcome = replay.drop_aside(refused).await;
        assert!(matches!(outcome, Err(ReplayError::NotAside(_))), "{refused}: {outcome:?}");
    }
    for schema in ["past", "identity_prev"] {
        replay.drop_aside(schema).await.unwrap();
        let again = replay.drop_aside(schema).await;
        assert!(matches!(again, Err(ReplayError::NotAside(_))), "{again:?}");
    }
    let left = "SELECT nspname::text FROM pg_namespace
                 WHERE nspname IN ('past', 'identity_prev', 'theirs', 'identity')";
    let mut left: Vec<String> = sqlx::query_scalar(left).fetch_all(world.pool()).await.unwrap();
    left.sort();
    assert_eq!(left, ["identity", "theirs"]);
    let live = statuses(&world).await;
    assert!(live.iter().all(|(_, purpose)| *purpose == Purpose::Live), "{live:?}");
    runner.stop().await;
}

#[tokio::test]
async fn nobody_drops_tables_that_are_being_made() {
    let world = World::new().await;
    sign_up(&world, "ada").await;
    let runner = world.runner();
    world.caught_up("identity").await;
    let (replay, there, options) = (world.replay(), Notify::new(), ReplayOptions::default());
    let mut watch = tells(&there, Phase::Indexing);
    let mut rebuild = pin!(replay.rebuild(identity(), &options, &mut watch));
    until(rebuild.as_mut(), &there).await;
    let refused = world.replay().drop_aside("identity_next").await;
    assert!(matches!(refused, Err(ReplayError::Busy(_))), "{refused:?}");
    assert_eq!(rebuild.await.unwrap().rows, []);
    runner.stop().await;
}

#[tokio::test]
async fn no_tables_are_made_of_a_moment_to_come_or_under_a_name_that_rebuilds_use() {
    let world = World::new().await;
    sign_up(&world, "ada").await;
    let (replay, modules) = (world.replay(), [identity()]);
    let made = async |at: i64, schema: &str| {
        replay.as_of(&modules, Target::Position(Position(at)), schema, &mut |_| {}).await
    };
    let beyond = made(3, "past").await;
    let told = beyond.unwrap_err().to_string();
    assert_eq!(told, "there is no position 3 yet: the log ends at 2");
    for name in ["identity_prev", "organization_next"] {
        assert!(matches!(made(2, name).await, Err(ReplayError::Reserved(_))));
    }
    assert_eq!(made(2, "past").await.unwrap(), Position(2));
}

/// How far the next tables are, and whether somebody has the claim on them.
async fn next(world: &World) -> (i64, bool) {
    let sql = "SELECT position, owner IS NOT NULL AND lease_until > now()
                 FROM eventstore.checkpoints WHERE target = 'identity_next'";
    sqlx::query_as(sql).fetch_one(world.pool()).await.unwrap()
}

#[tokio::test]
async fn a_rebuild_that_is_told_to_stop_keeps_what_it_has_and_the_next_goes_on_at_once() {
    let world = World::new().await;
    for number in 0..6 {
        sign_up(&world, &format!("p{number}")).await;
    }
    let runner = world.runner();
    world.caught_up("identity").await;
    // Far more rows would be held in memory than there are.
    let options = ReplayOptions { page: 2, ..ReplayOptions::default() };
    let begins_at = async |replay: Replay, stop: Option<(Phase, watch::Sender<bool>)>| {
        let (mut first, mut seen) = (None, 0);
        let outcome = replay
            .rebuild(identity(), &options, &mut |progress| {
                first.get_or_insert(progress.position.0);
                let (phase, stop) = match &stop {
                    Some((phase, stop)) => (*phase, stop),
                    None => return,
                };
                seen += usize::from(progress.phase == phase);
                if progress.phase == phase && (seen == 2 || phase != Phase::Folding) {
                    stop.send_replace(true);
                }
            })
            .await;
        (first.unwrap(), outcome)
    };
    let mut stood = 0;
    for phase in [Phase::Folding, Phase::Verifying] {
        let (stop, told) = watch::channel(false);
        let replay = world.replay().stopping(told);
        let (first, outcome) = begins_at(replay, Some((phase, stop))).await;
        assert_eq!(first, stood);
        assert!(matches!(outcome, Err(ReplayError::Stopped)), "{phase:?}: {outcome:?}");
        let (position, held) = next(&world).await;
        assert!(position > stood && !held, "{phase:?}: {position}, {held}");
        stood = position;
    }
    let (first, outcome) = begins_at(world.replay(), None).await;
    assert_eq!((first, outcome.unwrap().rows), (stood, Vec::new()));
    runner.stop().await;
}

#[tokio::test]
async fn tables_of_a_moment_that_are_not_finished_are_thrown_away() {
    let world = World::new().await;
    sign_up(&world, "ada").await;
    let (stop, told) = watch::channel(false);
    let replay = world.replay().stopping(told);
    let head = Target::Position(world.store.head().await.unwrap());
    let mut stop_at_the_second = |progress: Progress| {
        if progress.module == "identity" {
            stop.send_replace(true);
        }
    };
    let made = replay.as_of(&both(), head, "past", &mut stop_at_the_second).await;
    assert!(matches!(made, Err(ReplayError::Stopped)), "{made:?}");
    let list = statuses(&world).await;
    assert!(list.iter().all(|(_, purpose)| *purpose == Purpose::Live), "{list:?}");
    as_of_now(&world, "past").await;
    assert_eq!(readable(&world, "past").await, ["ada", "ada@example.org"]);
}
