//! The live runner: rows follow the log, faults park, leases fence.

use domain::organization::organization::OrganizationEvent;
use projections::organization::organizations;

use crate::support::{World, created, eventually, mint};

#[tokio::test]
async fn rows_follow_the_log() {
    let world = World::new().await;
    let runner = world.runner();
    let id = world.organization("acme").await;
    let renamed = OrganizationEvent::Renamed { name: "Acme & Co".into() };
    world.append(id, id.tenant(), (1, None), &[renamed]).await;
    world.caught_up("organization").await;
    let reader = world.reader();
    let row = organizations::by_id(&reader, id).await.unwrap().unwrap();
    assert_eq!((row.slug.as_str(), row.name.as_str()), ("acme", "Acme & Co"));
    assert_eq!((row.std.stream_version, row.std.last_position), (2, 2));
    runner.stop().await;
}

#[tokio::test]
async fn a_row_that_somebody_took_away_is_whole_again_when_it_is_next_written() {
    let world = World::new().await;
    let runner = world.runner();
    let id = world.organization("acme").await;
    world.caught_up("organization").await;
    sqlx::query("DELETE FROM organization.organizations").execute(world.pool()).await.unwrap();
    let renamed = OrganizationEvent::Renamed { name: "Acme & Co".into() };
    world.append(id, id.tenant(), (1, None), &[renamed]).await;
    world.caught_up("organization").await;
    let row = organizations::by_id(&world.reader(), id).await.unwrap().unwrap();
    assert_eq!((row.slug.as_str(), row.name.as_str()), ("acme", "Acme & Co"));
    runner.stop().await;
}

#[tokio::test]
async fn a_server_that_takes_longer_than_patience_lasts_is_given_more_of_it() {
    let world = World::new().await;
    let slow = "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS
                    $$ BEGIN PERFORM pg_sleep(3.5); RETURN NEW; END $$;
                CREATE TRIGGER slow BEFORE INSERT ON organization.organizations
                    FOR EACH ROW EXECUTE FUNCTION slow()";
    sqlx::raw_sql(slow).execute(world.pool()).await.unwrap();
    let runner = world.runner();
    let id = world.organization("acme").await;
    world.caught_up("organization").await;
    assert!(organizations::by_id(&world.reader(), id).await.unwrap().is_some());
    runner.stop().await;
}

#[tokio::test]
async fn two_rows_may_exchange_a_unique_value_in_one_batch() {
    let world = World::new().await;
    let (a, b) = (world.organization("aaa").await, world.organization("bbb").await);
    let change =
        |from: &str, to: &str| OrganizationEvent::SlugChanged { from: from.into(), to: to.into() };
    world.append(a, a.tenant(), (1, None), &[change("aaa", "tmp")]).await;
    world.append(b, b.tenant(), (1, None), &[change("bbb", "aaa")]).await;
    world.append(a, a.tenant(), (2, None), &[change("tmp", "bbb")]).await;
    let runner = world.runner();
    world.caught_up("organization").await;
    let reader = world.reader();
    for (id, slug) in [(a, "bbb"), (b, "aaa")] {
        assert_eq!(organizations::by_id(&reader, id).await.unwrap().unwrap().slug, slug);
    }
    runner.stop().await;
}

#[tokio::test]
async fn what_the_database_refuses_is_parked_alone_and_others_go_on() {
    let world = World::new().await;
    let good = world.organization("good").await;
    // Two organizations with one slug: the claim would have refused; here the table must.
    let bad = world.organization("good").await;
    let after = world.organization("after").await;
    let renamed = OrganizationEvent::Renamed { name: "waits".into() };
    world.append(bad, bad.tenant(), (1, None), &[renamed]).await;
    let runner = world.runner();
    world.caught_up("organization").await;
    let reader = world.reader();
    assert!(organizations::by_id(&reader, good).await.unwrap().is_some());
    assert!(organizations::by_id(&reader, after).await.unwrap().is_some());
    assert!(organizations::by_id(&reader, bad).await.unwrap().is_none());
    let parked = world.replay().parked().await.unwrap();
    let positions: Vec<_> = parked.iter().map(|event| event.position.0).collect();
    assert_eq!(positions, [2, 4], "{parked:?}");
    assert!(parked[0].cause.contains("constraint organizations_slug_uq"), "{parked:?}");
    assert!(parked[1].cause.contains("waits behind"), "{parked:?}");
    runner.stop().await;

    // The cause is mended: the good one goes, and what waited is taken in, in order.
    let slug = OrganizationEvent::SlugChanged { from: "good".into(), to: "better".into() };
    world.append(good, good.tenant(), (1, None), &[slug]).await;
    let runner = world.runner();
    world.caught_up("organization").await;
    let module = projections::module("organization").unwrap();
    assert_eq!(world.replay().retry(module).await.unwrap(), 2);
    let row = organizations::by_id(&reader, bad).await.unwrap().unwrap();
    assert_eq!(row.name, "waits");
    assert!(world.replay().parked().await.unwrap().is_empty());
    // The runner, which was fenced by the retry, goes on with the row it now finds.
    let again = OrganizationEvent::Renamed { name: "goes on".into() };
    world.append(bad, bad.tenant(), (2, None), &[again]).await;
    world.caught_up("organization").await;
    let row = organizations::by_id(&reader, bad).await.unwrap().unwrap();
    assert_eq!(row.name, "goes on");
    runner.stop().await;
}

#[tokio::test]
async fn an_event_for_a_row_that_does_not_exist_is_parked() {
    let world = World::new().await;
    let id = domain::organization::OrganizationId::from_uuid(mint());
    let renamed = OrganizationEvent::Renamed { name: "nobody".into() };
    world.append(id, id.tenant(), (0, None), &[renamed]).await;
    let runner = world.runner();
    world.caught_up("organization").await;
    let parked = world.replay().parked().await.unwrap();
    assert_eq!(parked.len(), 1);
    assert!(parked[0].cause.contains("no row"), "{parked:?}");
    runner.stop().await;
}

#[tokio::test]
async fn an_event_of_a_newer_binary_parks_its_stream_only() {
    let world = World::new().await;
    let id = world.organization("acme").await;
    let other = world.organization("other").await;
    let renamed = |name: &str| OrganizationEvent::Renamed { name: name.into() };
    world.append(id, id.tenant(), (1, None), &[renamed("future")]).await;
    sqlx::raw_sql(
        "ALTER TABLE eventstore.events DISABLE TRIGGER events_immutable;
         UPDATE eventstore.events SET schema_version = 99 WHERE position = 3;
         ALTER TABLE eventstore.events ENABLE ALWAYS TRIGGER events_immutable",
    )
    .execute(world.pool())
    .await
    .unwrap();
    world.append(id, id.tenant(), (2, None), &[renamed("later")]).await;
    world.append(other, other.tenant(), (1, None), &[renamed("fine")]).await;
    // A fresh process: this one still has the events in memory as they were written.
    let fresh = world.reopened().await;
    let runner = fresh.runner();
    fresh.caught_up("organization").await;
    let reader = fresh.reader();
    assert_eq!(organizations::by_id(&reader, id).await.unwrap().unwrap().name, "ACME");
    assert_eq!(organizations::by_id(&reader, other).await.unwrap().unwrap().name, "fine");
    let parked = fresh.replay().parked().await.unwrap();
    let positions: Vec<_> = parked.iter().map(|event| event.position.0).collect();
    assert_eq!(positions, [3, 4], "{parked:?}");
    runner.stop().await;
}

#[tokio::test]
async fn only_one_of_two_runners_works_and_the_other_takes_over() {
    let world = World::new().await;
    let first = world.runner();
    world.organization("one").await;
    world.caught_up("organization").await;
    let second = world.runner();
    world.organization("two").await;
    world.caught_up("organization").await;
    first.stop().await;
    world.organization("three").await;
    world.caught_up("organization").await;
    let count = || async {
        sqlx::query_scalar::<_, i64>("SELECT count(*) FROM organization.organizations")
            .fetch_one(world.pool())
            .await
            .unwrap()
    };
    eventually("all rows", count, |rows| *rows == 3).await;
    second.stop().await;
}

#[tokio::test]
async fn a_waiting_reader_is_told_when_tables_lag() {
    let world = World::new().await;
    let id = world.organization("acme").await;
    let head = world.store.head().await.unwrap();
    let lagging = world.positions.wait("organization", head).await;
    assert!(lagging.is_err(), "nobody keeps the tables");
    let runner = world.runner();
    world.caught_up("organization").await;
    world.append(id, id.tenant(), (1, None), &[OrganizationEvent::Unfrozen {}]).await;
    let head = world.store.head().await.unwrap();
    assert!(world.positions.wait("organization", head).await.is_ok());
    runner.stop().await;
    drop(created(id, "unused"));
}
