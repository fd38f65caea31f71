//! Tables that were rebuilt, swapped or made as of a moment are as closed as those of a migration,
//! and whoever owns them can do all that, without any power over the server.

use domain::organization::OrganizationId;
use migrations::Role;
use projections::{Module, ReplayOptions, Target, organization::organizations};
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use crate::support::World;

fn module() -> &'static Module {
    projections::module("organization").unwrap()
}

/// Who may do what with each table of a schema, and with which of its rows.
async fn rules(world: &World, schema: &str) -> Vec<String> {
    let sql = "SELECT format('%s %s %s %s %s', relname, relrowsecurity, relforcerowsecurity,
                relacl, (SELECT string_agg(format('%s %s %s %s %s', policyname, roles, cmd, qual,
                                                  with_check), ', ' ORDER BY policyname)
                           FROM pg_policies WHERE schemaname = $1 AND tablename = relname))
          FROM pg_class WHERE relkind = 'r' AND relnamespace = to_regnamespace($1) ORDER BY 1";
    let rules: Vec<String> =
        sqlx::query_scalar(sql).bind(schema).fetch_all(world.pool()).await.unwrap();
    assert_eq!(rules.len(), 8);
    // Types stay where they are.
    let own = format!("{schema}.");
    rules.into_iter().map(|rule| rule.replace(&own, "").replace("organization.", "")).collect()
}

/// How many organizations the platform's role sees without saying in whose name it asks.
async fn seen(world: &World, schema: &str) -> i64 {
    let mut app = PgConnection::connect_with(&world.role(Role::App)).await.unwrap();
    let sql = AssertSqlSafe(format!("SELECT count(*) FROM {schema}.organizations"));
    sqlx::query_scalar(sql).fetch_one(&mut app).await.unwrap()
}

async fn shows(world: &World, organization: OrganizationId) {
    world.caught_up("organization").await;
    let row = organizations::by_id(&world.reader(), organization).await.unwrap();
    assert_eq!(row.unwrap().id, organization);
    assert_eq!(seen(world, "organization").await, 0);
}

async fn stays_closed(world: World) {
    let runner = world.runner();
    let first = world.organization("first").await;
    shows(&world, first).await;
    let migrated = rules(&world, "organization").await;
    let replay = world.replay();
    let options = ReplayOptions::default();

    assert_eq!(world.verified(module(), &options).await, []);
    assert_eq!(world.rebuilt(module(), &options).await, []);
    assert_eq!(rules(&world, "organization").await, migrated, "rebuilt");
    shows(&world, world.organization("second").await).await;

    replay.rollback(module(), &mut |_| {}).await.unwrap();
    assert_eq!(rules(&world, "organization").await, migrated, "rolled back");
    shows(&world, first).await;

    let head = Target::Position(world.store.head().await.unwrap());
    replay.as_of(&[module()], head, "past", &mut |_| {}).await.unwrap();
    assert_eq!(rules(&world, "past").await, migrated, "as of a moment");
    assert_eq!(seen(&world, "past").await, 0);
    runner.stop().await;
}

#[tokio::test]
async fn new_tables_are_as_closed_as_the_old_ones() {
    stays_closed(World::new().await).await;
}

#[tokio::test]
async fn a_plain_owner_can_do_it_all() {
    stays_closed(World::of_plain_owner().await).await;
}
