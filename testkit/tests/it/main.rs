//! The kit itself.

use sqlx::PgPool;

async fn tables(pool: &PgPool) -> i64 {
    let sql = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'";
    sqlx::query_scalar(sql).fetch_one(pool).await.unwrap_or(-1)
}

#[tokio::test]
async fn a_database_is_migrated_and_belongs_to_one_test() {
    let (first, second) = (testkit::database().await, testkit::database().await);
    assert_ne!(first.url, second.url);
    sqlx::raw_sql("CREATE TABLE public.mine ()").execute(&first.pool).await.unwrap();
    assert_eq!((tables(&first.pool).await, tables(&second.pool).await), (2, 1));
    assert!(migrations::check(&second.pool).await.unwrap().is_current());
}

#[tokio::test]
async fn a_database_can_be_had_empty() {
    let database = testkit::empty_database().await;
    assert_eq!(tables(&database.pool).await, 0);
}

#[tokio::test]
async fn a_closed_database_is_gone() {
    let database = testkit::database().await;
    let url = database.url.clone();
    PgPool::connect(&url).await.unwrap().close().await;
    database.close().await;
    assert!(PgPool::connect(&url).await.is_err());
}
