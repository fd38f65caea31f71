//! Leases: one process at a time moves a checkpoint.

use domain::kernel::Position;
use eventstore::{Fenced, Lease, Leases, Progress};
use sqlx::PgPool;

use crate::support::fresh;

const TARGET: &str = "test";

async fn advance(pool: &PgPool, lease: &Lease, to: i64) -> Result<(), Fenced> {
    let mut transaction = pool.begin().await.unwrap();
    Leases::advance(&mut transaction, lease, Position(to)).await?;
    transaction.commit().await.unwrap();
    Ok(())
}

async fn remove(pool: &PgPool, lease: &Lease) -> Result<(), Fenced> {
    Leases::remove(&mut pool.acquire().await.unwrap(), lease).await
}

/// As if nobody had used any lease for a long time.
async fn lapse(pool: &PgPool) {
    let sql = "UPDATE eventstore.checkpoints SET lease_until = clock_timestamp() - interval '1 s'";
    sqlx::raw_sql(sql).execute(pool).await.unwrap();
}

fn is_lost(outcome: Result<(), Fenced>) -> bool {
    matches!(outcome, Err(Fenced::Lost(consumer)) if consumer == "test")
}

#[tokio::test]
async fn one_owner_at_a_time() {
    let database = testkit::database().await;
    let leases = Leases::new(database.pool.clone());
    let (ada, bo) = (fresh(), fresh());
    let first = leases.acquire("test", TARGET, ada).await.unwrap().unwrap();
    assert_eq!(first.position, Position(0));
    assert_eq!(leases.acquire("test", TARGET, bo).await.unwrap(), None);
    assert_eq!(leases.acquire("test", TARGET, ada).await.unwrap(), Some(first.clone()));
    assert!(leases.acquire("test", "elsewhere", bo).await.unwrap().is_some());

    advance(&database.pool, &first, 5).await.unwrap();
    advance(&database.pool, &first, 5).await.unwrap();
    assert!(is_lost(advance(&database.pool, &first, 4).await), "never back");
    leases.renew(&first).await.unwrap();
    leases.release(&first).await.unwrap();
    let second = leases.acquire("test", TARGET, bo).await.unwrap().unwrap();
    assert!(second.epoch > first.epoch);
    assert_eq!(second.position, Position(5));
    assert!(is_lost(leases.renew(&first).await));
    assert!(is_lost(advance(&database.pool, &first, 6).await));
    assert_eq!(leases.position("test", TARGET).await.unwrap(), Position(5));
    assert_eq!(leases.position("never", TARGET).await.unwrap(), Position(0));
}

#[tokio::test]
async fn leases_of_the_dead_lapse_at_once_and_fence_whoever_lives_after_all() {
    let database = testkit::database().await;
    let leases = Leases::new(database.pool.clone());
    let (ada, bo) = (fresh(), fresh());
    let first = leases.acquire("test", TARGET, ada).await.unwrap().unwrap();
    leases.lapse_all().await.unwrap();
    let second = leases.acquire("test", TARGET, bo).await.unwrap().unwrap();
    assert!(second.epoch > first.epoch);
    assert!(is_lost(advance(&database.pool, &first, 1).await));
    advance(&database.pool, &second, 1).await.unwrap();
}

#[tokio::test]
async fn a_lapsed_lease_goes_to_the_next_and_fences_the_first() {
    let database = testkit::database().await;
    let leases = Leases::new(database.pool.clone());
    let (ada, bo) = (fresh(), fresh());
    let first = leases.acquire("test", TARGET, ada).await.unwrap().unwrap();
    lapse(&database.pool).await;
    // Nobody was faster: it is still hers.
    advance(&database.pool, &first, 1).await.unwrap();
    assert_eq!(leases.acquire("test", TARGET, bo).await.unwrap(), None, "renewed by its use");
    lapse(&database.pool).await;
    let second = leases.acquire("test", TARGET, bo).await.unwrap().unwrap();
    assert!(is_lost(advance(&database.pool, &first, 2).await));
    advance(&database.pool, &second, 2).await.unwrap();

    let mut transaction = database.pool.begin().await.unwrap();
    Leases::fence(&mut transaction, "test", TARGET).await.unwrap();
    transaction.commit().await.unwrap();
    assert!(is_lost(advance(&database.pool, &second, 3).await));
    assert!(is_lost(leases.renew(&second).await));
    let third = leases.acquire("test", TARGET, bo).await.unwrap().unwrap();
    assert!(third.epoch > second.epoch);
    advance(&database.pool, &third, 3).await.unwrap();
}

#[tokio::test]
async fn a_renewal_that_fails_ends_nothing_while_the_lease_holds() {
    let database = testkit::database().await;
    let leases = Leases::new(database.pool.clone());
    let lease = leases.acquire("test", TARGET, fresh()).await.unwrap().unwrap();
    // Counted whatever becomes of the transaction; only the first fails.
    let sql = "CREATE SEQUENCE tries;
               CREATE FUNCTION fail_first() RETURNS trigger LANGUAGE plpgsql AS $$
               BEGIN
                 IF nextval('public.tries') = 1 THEN RAISE 'not now'; END IF;
                 RETURN NEW;
               END $$;
               CREATE TRIGGER fail_first BEFORE UPDATE ON eventstore.checkpoints
                 FOR EACH ROW EXECUTE FUNCTION fail_first()";
    sqlx::raw_sql(sql).execute(&database.pool).await.unwrap();
    let renewed = async {
        let tries = "SELECT last_value FROM tries";
        while sqlx::query_scalar::<_, i64>(tries).fetch_one(&database.pool).await.unwrap() < 2 {}
        Ok::<_, Fenced>(())
    };
    leases.keeping(&lease, renewed).await.unwrap();

    let taken = async {
        let mut transaction = database.pool.begin().await.unwrap();
        Leases::fence(&mut transaction, "test", TARGET).await.unwrap();
        transaction.commit().await.unwrap();
        std::future::pending().await
    };
    assert!(is_lost(leases.keeping(&lease, taken).await));
}

/// What is about to be committed under a lease keeps the next owner waiting, or fails.
#[tokio::test]
async fn a_batch_in_flight_and_a_new_owner_exclude_each_other() {
    let database = testkit::database().await;
    let leases = Leases::new(database.pool.clone());
    let first = leases.acquire("test", TARGET, fresh()).await.unwrap().unwrap();
    lapse(&database.pool).await;
    let mut transaction = database.pool.begin().await.unwrap();
    Leases::advance(&mut transaction, &first, Position(7)).await.unwrap();
    let next = tokio::spawn({
        let leases = leases.clone();
        async move { leases.acquire("test", TARGET, fresh()).await.unwrap() }
    });
    let waiting = "SELECT count(*) FROM pg_stat_activity
                    WHERE datname = current_database() AND wait_event_type = 'Lock'";
    while sqlx::query_scalar::<_, i64>(waiting).fetch_one(&database.pool).await.unwrap() == 0 {}
    transaction.commit().await.unwrap();
    assert_eq!(next.await.unwrap(), None, "the lease was used meanwhile");
    assert_eq!(leases.position("test", TARGET).await.unwrap(), Position(7));
}

#[tokio::test]
async fn exchanged_checkpoints_go_with_their_tables() {
    let database = testkit::database().await;
    let leases = Leases::new(database.pool.clone());
    let owner = fresh();
    let live = leases.acquire("test", "live", owner).await.unwrap().unwrap();
    let next = leases.acquire("test", "next", owner).await.unwrap().unwrap();
    let stale = leases.acquire("test", "aside", owner).await.unwrap().unwrap();
    for (lease, to) in [(&live, 10), (&next, 12), (&stale, 3)] {
        advance(&database.pool, lease, to).await.unwrap();
    }
    leases.stamp(&live, "v1").await.unwrap();
    leases.stamp(&next, "v2").await.unwrap();

    let mut transaction = database.pool.begin().await.unwrap();
    Leases::exchange(&mut transaction, "test", ("next", "live", "aside")).await.unwrap();
    transaction.commit().await.unwrap();
    let progress = |target: &str, position, fingerprint: &str| Progress {
        consumer: "test".to_owned(),
        target: target.to_owned(),
        position: Position(position),
        fingerprint: fingerprint.to_owned(),
    };
    let expected = [progress("aside", 10, "v1"), progress("live", 12, "v2")];
    assert_eq!(leases.list().await.unwrap(), expected);
    for lease in [&live, &next, &stale] {
        assert!(is_lost(advance(&database.pool, lease, 20).await), "{lease:?}");
    }
    let taken = leases.acquire("test", "live", fresh()).await.unwrap().unwrap();
    advance(&database.pool, &taken, 20).await.unwrap();
    let aside = leases.acquire("test", "aside", fresh()).await.unwrap().unwrap();
    remove(&database.pool, &aside).await.unwrap();
    assert_eq!(leases.list().await.unwrap(), [progress("live", 20, "v2")]);
}

#[tokio::test]
async fn only_its_holder_begins_a_target_anew_or_gives_it_up() {
    let database = testkit::database().await;
    let leases = Leases::new(database.pool.clone());
    let first = leases.acquire("test", TARGET, fresh()).await.unwrap().unwrap();
    lapse(&database.pool).await;
    let second = leases.acquire("test", TARGET, fresh()).await.unwrap().unwrap();
    advance(&database.pool, &second, 5).await.unwrap();
    let mut connection = database.pool.acquire().await.unwrap();
    let stale = Leases::restart(&mut connection, &first, "v1").await;
    assert!(is_lost(stale.map(|_| ())));
    assert!(is_lost(remove(&database.pool, &first).await));
    assert_eq!(leases.position("test", TARGET).await.unwrap(), Position(5));

    let again = Leases::restart(&mut connection, &second, "v2").await.unwrap();
    assert_eq!(again, Lease { position: Position(0), ..second });
    let found = leases.list().await.unwrap();
    assert_eq!((found[0].position, found[0].fingerprint.as_str()), (Position(0), "v2"));
    advance(&database.pool, &again, 1).await.unwrap();
    remove(&database.pool, &again).await.unwrap();
    assert_eq!(leases.list().await.unwrap(), []);
}

#[tokio::test]
async fn no_epoch_comes_again() {
    let database = testkit::database().await;
    let leases = Leases::new(database.pool.clone());
    let first = leases.acquire("test", TARGET, fresh()).await.unwrap().unwrap();
    lapse(&database.pool).await;
    let second = leases.acquire("test", TARGET, fresh()).await.unwrap().unwrap();
    remove(&database.pool, &second).await.unwrap();
    leases.acquire("test", TARGET, fresh()).await.unwrap().unwrap();
    for gone in [first, second] {
        assert!(is_lost(leases.renew(&gone).await), "{gone:?}");
    }
}
