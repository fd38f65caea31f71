//! Up, down, and up again.

use migrations::{MigrateError, Reach, all, check, down, up};

use crate::catalogue::describe;

const EVERYTHING: &str = ".";
const NOT_PUBLIC: &str = "^(?!public$)";

fn versions() -> Vec<u32> {
    all().iter().map(|one| one.version).collect()
}

#[tokio::test]
async fn up_down_up_ends_where_up_did() -> Result<(), MigrateError> {
    let database = testkit::empty_database().await;
    let pool = &database.pool;
    assert_eq!(check(pool).await?.current, None);

    assert_eq!(up(pool, None).await?, versions());
    let first = describe(pool, EVERYTHING).await;
    assert!(up(pool, None).await?.is_empty(), "a second time there is nothing to do");

    let mut back = versions();
    back.reverse();
    assert_eq!(down(pool, Reach::To(0)).await?, back);
    let remains = describe(pool, EVERYTHING).await;
    let foreign = |line: &&String| *line != "schema public" && !line.contains("schema_migrations");
    assert_eq!(remains.iter().find(foreign), None, "a way back leaves nothing behind");

    assert_eq!(up(pool, None).await?, versions());
    assert_eq!(describe(pool, EVERYTHING).await, first);
    Ok(())
}

#[tokio::test]
async fn each_way_back_undoes_its_way_there() -> Result<(), MigrateError> {
    let database = testkit::empty_database().await;
    let pool = &database.pool;
    for migration in all() {
        let before = describe(pool, NOT_PUBLIC).await;
        up(pool, Some(migration.version)).await?;
        down(pool, Reach::Steps(1)).await?;
        assert_eq!(describe(pool, NOT_PUBLIC).await, before, "{}", migration.label());
        up(pool, Some(migration.version)).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_target_is_where_it_ends() -> Result<(), MigrateError> {
    let database = testkit::empty_database().await;
    let pool = &database.pool;
    assert_eq!(up(pool, Some(2)).await?, [1, 2]);
    let status = check(pool).await?;
    assert_eq!((status.current, status.is_current()), (Some(2), false));
    assert_eq!(status.pending.len(), all().len() - 2);

    assert_eq!(down(pool, Reach::To(1)).await?, [2]);
    assert_eq!(check(pool).await?.current, Some(1));
    let refusal = up(pool, Some(9_999)).await.unwrap_err();
    assert!(matches!(refusal, MigrateError::Unknown(9_999)), "{refusal}");
    Ok(())
}

#[tokio::test]
async fn of_two_at_once_one_migrates_and_the_other_finds_it_done() -> Result<(), MigrateError> {
    let database = testkit::empty_database().await;
    let (one, other) = tokio::join!(up(&database.pool, None), up(&database.pool, None));
    let (one, other) = (one?, other?);
    assert_eq!(one.len() + other.len(), all().len());
    assert!(one.is_empty() || other.is_empty());
    Ok(())
}
