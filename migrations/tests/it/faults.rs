//! What the tool refuses, and how one gets out of it.

use migrations::{MigrateError, Reach, all, check, down, force, up};
use sqlx::PgPool;

async fn run(pool: &PgPool, sql: &'static str) {
    sqlx::raw_sql(sql).execute(pool).await.unwrap();
}

#[tokio::test]
async fn a_failed_migration_is_dirty_until_forced() -> Result<(), MigrateError> {
    let database = testkit::empty_database().await;
    let pool = &database.pool;
    run(pool, "CREATE SCHEMA ref").await; // in the way of migration 2

    let failure = up(pool, None).await.unwrap_err();
    assert!(matches!(failure, MigrateError::Failed { stands_at: 1, .. }), "{failure}");
    let status = check(pool).await?;
    assert_eq!(status.current, Some(1));
    assert!(matches!(status.problem, Some(MigrateError::Dirty { stands_at: 1, .. })));
    let refusal = up(pool, None).await.unwrap_err();
    assert!(refusal.to_string().contains("0002_ref_templates"), "{refusal}");
    assert!(refusal.to_string().contains("migrate force 1"), "{refusal}");
    assert!(down(pool, Reach::Steps(1)).await.is_err());

    run(pool, "DROP SCHEMA ref").await;
    force(pool, 1).await?;
    up(pool, None).await?;
    assert!(check(pool).await?.is_current());
    Ok(())
}

#[tokio::test]
async fn a_failed_way_back_leaves_the_migration_applied() -> Result<(), MigrateError> {
    let database = testkit::database().await;
    let pool = &database.pool;
    run(pool, "CREATE TABLE public.as_of (status identity.user_status)").await;

    let failure = down(pool, Reach::To(2)).await.unwrap_err();
    assert!(matches!(failure, MigrateError::Failed { stands_at: 3, .. }), "{failure}");
    let refusal = down(pool, Reach::To(2)).await.unwrap_err();
    assert!(matches!(refusal, MigrateError::Dirty { stands_at: 3, .. }), "{refusal}");

    run(pool, "DROP TABLE public.as_of").await;
    force(pool, 3).await?;
    assert_eq!(down(pool, Reach::To(2)).await?, [3]);
    Ok(())
}

#[tokio::test]
async fn an_edited_migration_is_noticed() -> Result<(), MigrateError> {
    let database = testkit::database().await;
    let pool = &database.pool;
    run(pool, "UPDATE schema_migrations SET checksum = 'of another text' WHERE version = 5").await;

    let problem = check(pool).await?.problem.unwrap();
    assert!(problem.to_string().contains("0005_identity_users was edited"), "{problem}");
    assert!(matches!(up(pool, None).await, Err(MigrateError::Drift { .. })));

    force(pool, all().last().unwrap().version).await?;
    assert!(check(pool).await?.is_current());
    Ok(())
}

#[tokio::test]
async fn a_newer_database_is_left_alone() -> Result<(), MigrateError> {
    let database = testkit::database().await;
    let pool = &database.pool;
    run(
        pool,
        "INSERT INTO schema_migrations VALUES (9999, 'billing', 'invoices', '', now(), false)",
    )
    .await;
    assert!(!check(pool).await?.is_current());
    for refusal in [up(pool, None).await, down(pool, Reach::Steps(1)).await] {
        let refusal = refusal.unwrap_err();
        assert!(refusal.to_string().contains("9999_billing_invoices"), "{refusal}");
    }
    Ok(())
}

#[tokio::test]
async fn forcing_needs_a_known_version() {
    let database = testkit::empty_database().await;
    let refusal = force(&database.pool, 9_999).await.unwrap_err();
    assert!(matches!(refusal, MigrateError::Unknown(9_999)), "{refusal}");
}
