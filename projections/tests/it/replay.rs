//! Rebuilding beside live traffic.

use domain::{
    kernel::Position,
    organization::organization::{OrganizationEvent, OrganizationStatus},
};
use projections::{
    Module, Phase, ReplayError, ReplayOptions, RunnerHandle, Target, organization::organizations,
};

use crate::support::World;

fn module() -> &'static Module {
    projections::module("organization").unwrap()
}

fn small() -> ReplayOptions {
    ReplayOptions { page: 3, rows: 2 }
}

/// A world with a past, whose tables are up to date and kept so.
async fn lived() -> (World, RunnerHandle) {
    let world = World::new().await;
    let runner = world.runner();
    history(&world).await;
    world.caught_up("organization").await;
    (world, runner)
}

async fn history(world: &World) {
    for number in 0..5 {
        let id = world.organization(&format!("org-{number}")).await;
        let events = [
            OrganizationEvent::Frozen { reason: "unpaid".into(), by_policy: None },
            OrganizationEvent::Unfrozen {},
            OrganizationEvent::Renamed { name: format!("Organization {number}") },
        ];
        world.append(id, id.tenant(), (1, None), &events).await;
    }
}

#[tokio::test]
async fn a_rebuild_equals_what_is_live_and_serves_in_its_place() {
    let (world, runner) = lived().await;
    let mut phases = Vec::new();
    let differences = world
        .replay()
        .rebuild(module(), &small(), &mut |progress| phases.push(progress.phase))
        .await
        .unwrap();
    assert_eq!(differences.rows, []);
    phases.dedup();
    assert_eq!(phases.last(), Some(&Phase::Done));
    // Live goes on in the new tables.
    let id = world.organization("later").await;
    world.caught_up("organization").await;
    let reader = world.reader();
    assert!(organizations::by_id(&reader, id).await.unwrap().is_some());
    let indexes: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM pg_indexes WHERE schemaname = 'organization'
            AND tablename = 'organizations'",
    )
    .fetch_one(world.pool())
    .await
    .unwrap();
    assert!(indexes >= 6, "{indexes}");
    runner.stop().await;
}

#[tokio::test]
async fn a_damaged_row_is_found_and_mended_by_a_rebuild() {
    let (world, runner) = lived().await;
    let sql = "UPDATE organization.organizations SET name = 'forged' WHERE slug = 'org-3'";
    sqlx::raw_sql(sql).execute(world.pool()).await.unwrap();
    let options = ReplayOptions::default();
    let found = world.verified(module(), &options).await;
    assert_eq!(found.len(), 1);
    assert!(found[0].live.as_ref().unwrap().contains("forged"));
    assert!(found[0].rebuilt.as_ref().unwrap().contains("Organization 3"));
    assert_eq!(world.rebuilt(module(), &options).await, found);
    assert_eq!(world.verified(module(), &options).await, []);
    runner.stop().await;
}

#[tokio::test]
async fn of_very_many_differing_rows_some_are_shown_and_all_are_counted() {
    let (world, runner) = lived().await;
    let sql = "INSERT INTO organization.organizations
               SELECT (jsonb_populate_record(NULL::organization.organizations, to_jsonb(o)
                       || jsonb_build_object('id', gen_random_uuid(), 'slug', 'forged-' || n))).*
                 FROM organization.organizations o, generate_series(1, 1200) n
                WHERE o.slug = 'org-3'";
    sqlx::raw_sql(sql).execute(world.pool()).await.unwrap();
    let options = ReplayOptions::default();
    let found = world.replay().verify(module(), &options, &mut |_| {}).await.unwrap();
    assert_eq!((found.count, found.rows.len()), (1200, 1000));
    assert!(found.rows.iter().all(|row| row.live.is_some()));
    assert_eq!(found.left, None);
    runner.stop().await;
}

/// So many events wait, and do so after any rebuild.
async fn rebuilds_park(world: &World, count: usize) {
    let parked = world.parked().await;
    assert_eq!(parked.len(), count, "{parked:?}");
    for options in [small(), ReplayOptions::default()] {
        assert_eq!(world.rebuilt(module(), &options).await, []);
        assert_eq!(world.parked().await, parked);
    }
}

#[tokio::test]
async fn what_the_database_refuses_is_parked_by_a_rebuild_as_it_is_live() {
    let (world, runner) = lived().await;
    // No aggregate would give such a slug; here the table must refuse it.
    let bad = world.organization("Not A Slug").await;
    let renamed = OrganizationEvent::Renamed { name: "waits".into() };
    world.append(bad, bad.tenant(), (1, None), &[renamed]).await;
    world.organization("after").await;
    world.caught_up("organization").await;
    rebuilds_park(&world, 2).await;
    runner.stop().await;
}

#[tokio::test]
async fn two_rows_with_one_unique_value_park_in_a_rebuild_as_they_do_live() {
    let (world, runner) = lived().await;
    // The claim would have refused; here the index must, which a rebuild makes last.
    let twin = world.organization("org-3").await;
    world.caught_up("organization").await;
    rebuilds_park(&world, 1).await;
    let head = Target::Position(world.store.head().await.unwrap());
    world.replay().as_of(&[module()], head, "now", &mut |_| {}).await.unwrap();
    let there = "SELECT EXISTS (SELECT FROM now.organizations WHERE id = $1)";
    let there: bool =
        sqlx::query_scalar(there).bind(twin.uuid()).fetch_one(world.pool()).await.unwrap();
    assert!(!there);
    runner.stop().await;
}

#[tokio::test]
async fn a_retry_takes_in_what_was_mended_and_parks_the_rest_again() {
    let world = World::new().await;
    let runner = world.runner();
    let acme = world.organization("acme").await;
    let bad = world.organization("Not A Slug").await;
    let twin = world.organization("acme").await;
    world.caught_up("organization").await;
    let parked = world.parked().await;
    assert_eq!(parked.len(), 2, "{parked:?}");
    assert_eq!(world.replay().retry(module()).await.unwrap(), 0);
    assert_eq!(world.parked().await, parked);
    let slug = OrganizationEvent::SlugChanged { from: "acme".into(), to: "acme-1".into() };
    world.append(acme, acme.tenant(), (1, None), &[slug]).await;
    world.caught_up("organization").await;
    assert_eq!(world.replay().retry(module()).await.unwrap(), 1);
    assert_eq!(world.parked().await, parked[..1]);
    let reader = world.reader();
    assert_eq!(organizations::by_id(&reader, twin).await.unwrap().unwrap().slug, "acme");
    assert!(organizations::by_id(&reader, bad).await.unwrap().is_none());
    // The checkpoint did not move back, and the runner goes on.
    world.organization("later").await;
    world.caught_up("organization").await;
    assert_eq!(world.verified(module(), &ReplayOptions::default()).await, []);
    runner.stop().await;
}

#[tokio::test]
async fn a_swap_can_be_undone() {
    let (world, runner) = lived().await;
    let nothing = world.replay().rollback(module(), &mut |_| {}).await;
    assert!(matches!(nothing, Err(ReplayError::NothingBefore(_))));
    let sql = "UPDATE organization.organizations SET name = 'marked' WHERE slug = 'org-3'";
    sqlx::raw_sql(sql).execute(world.pool()).await.unwrap();
    world.rebuilt(module(), &small()).await;
    let late = world.organization("late").await;
    world.replay().rollback(module(), &mut |_| {}).await.unwrap();
    let sql = "SELECT name FROM organization.organizations WHERE slug = 'org-3'";
    let name: String = sqlx::query_scalar(sql).fetch_one(world.pool()).await.unwrap();
    assert_eq!(name, "marked", "the former tables are back");
    let reader = world.reader();
    assert!(organizations::by_id(&reader, late).await.unwrap().is_some(), "and up to date");
    runner.stop().await;
}

#[tokio::test]
async fn an_empty_log_is_rebuilt_without_ado() {
    let world = World::new().await;
    let runner = world.runner();
    for module in projections::MODULES {
        assert_eq!(world.rebuilt(module, &ReplayOptions::default()).await, []);
    }
    runner.stop().await;
}

#[tokio::test]
async fn a_rebuild_that_was_cut_off_goes_on_where_it_stopped() {
    let world = World::new().await;
    history(&world).await;
    let replay = world.replay();
    let options = small();
    let mut ignore = |_| {};
    let cut = replay.rebuild(module(), &options, &mut ignore);
    // Nobody keeps the live tables: give it time for some pages, then drop it.
    let cut = tokio::time::timeout(std::time::Duration::from_millis(60), cut).await;
    drop(cut);
    world.lease_lapses("organization_next").await;
    let runner = world.runner();
    world.caught_up("organization").await;
    assert_eq!(world.rebuilt(module(), &options).await, []);
    runner.stop().await;
}

#[tokio::test]
async fn traffic_goes_on_during_rebuilds() {
    let (world, runner) = lived().await;
    let traffic = async {
        for number in 0..60 {
            world.organization(&format!("busy-{number}")).await;
        }
    };
    let rebuilds = async {
        for _ in 0..3 {
            assert_eq!(world.rebuilt(module(), &small()).await, []);
        }
    };
    tokio::join!(traffic, rebuilds);
    world.caught_up("organization").await;
    assert_eq!(world.verified(module(), &ReplayOptions::default()).await, []);
    runner.stop().await;
}

#[tokio::test]
async fn tables_can_be_made_as_of_a_position_or_a_time() {
    let world = World::new().await;
    let id = world.organization("acme").await;
    let freeze = OrganizationEvent::Frozen { reason: "unpaid".into(), by_policy: None };
    let event = OrganizationEvent::Renamed { name: "A".into() };
    world.append(id, id.tenant(), (1, None), &[event, freeze]).await;
    let moment: chrono::DateTime<chrono::Utc> =
        sqlx::query_scalar("SELECT recorded_at FROM eventstore.events WHERE position = 3")
            .fetch_one(world.pool())
            .await
            .unwrap();
    world.append(id, id.tenant(), (3, None), &[OrganizationEvent::Unfrozen {}]).await;
    let replay = world.replay();
    let modules = [module()];
    let pool = world.pool();
    let at = |schema: &'static str| async move {
        let sql = format!("SELECT status::text, name FROM \"{schema}\".organizations");
        let sql = sqlx::AssertSqlSafe(sql);
        sqlx::query_as::<_, (String, String)>(sql).fetch_one(pool).await.unwrap()
    };
    // Position 2 lies inside an append: the tables stand as before it.
    let target = Target::Position(Position(2));
    let position = replay.as_of(&modules, target, "before", &mut |_| {}).await.unwrap();
    assert_eq!(position, Position(1));
    assert_eq!(at("before").await, ("active".into(), "ACME".into()));
    let position = replay.as_of(&modules, Target::Time(moment), "then", &mut |_| {}).await.unwrap();
    assert_eq!(position, Position(3));
    assert_eq!(at("then").await, (OrganizationStatus::Frozen.to_string(), "A".into()));
    let again = replay.as_of(&modules, Target::Time(moment), "then", &mut |_| {}).await;
    assert!(matches!(again, Err(ReplayError::SchemaExists(_))));
    let bad = replay.as_of(&modules, Target::Time(moment), "Robert'; --", &mut |_| {}).await;
    assert!(matches!(bad, Err(ReplayError::BadSchema(_))));
}

#[tokio::test]
async fn tables_of_a_moment_are_made_over_nobody_elses() {
    let world = World::new().await;
    world.organization("acme").await;
    let modules = [module(), projections::module("identity").unwrap()];
    let head = Target::Position(world.store.head().await.unwrap());
    // Where the second module is made before it joins the first.
    let sql = "CREATE SCHEMA past_identity; CREATE TABLE past_identity.kept ()";
    sqlx::raw_sql(sql).execute(world.pool()).await.unwrap();
    let replay = world.replay();
    let refused = replay.as_of(&modules, head, "past", &mut |_| {}).await;
    assert!(
        matches!(&refused, Err(ReplayError::SchemaExists(name)) if name == "past_identity"),
        "{refused:?}"
    );
    let left =
        "SELECT to_regclass('past_identity.kept') IS NOT NULL, to_regnamespace('past') IS NULL";
    let left: (bool, bool) = sqlx::query_as(left).fetch_one(world.pool()).await.unwrap();
    assert_eq!(left, (true, true));
    sqlx::raw_sql("DROP SCHEMA past_identity CASCADE").execute(world.pool()).await.unwrap();
    replay.as_of(&modules, head, "past", &mut |_| {}).await.unwrap();
    let both =
        "SELECT to_regclass('past.users') IS NOT NULL, to_regnamespace('past_identity') IS NULL";
    let both: (bool, bool) = sqlx::query_as(both).fetch_one(world.pool()).await.unwrap();
    assert_eq!(both, (true, true));
}
