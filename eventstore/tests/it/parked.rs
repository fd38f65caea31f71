//! Events that wait, and what processes remember.

use domain::kernel::Position;
use eventstore::{Leases, Parked, ParkedEvents, ProcessStates, StateKey};
use serde_json::json;

use crate::support::fresh;

fn parked(target: &str, position: i64, cause: &str) -> Parked {
    Parked {
        consumer: "test".to_owned(),
        target: target.to_owned(),
        position: Position(position),
        keys: vec!["notes/1".to_owned(), "stream/2".to_owned()],
        cause: cause.to_owned(),
    }
}

#[tokio::test]
async fn events_wait_in_order_until_they_are_taken_out() {
    let database = testkit::database().await;
    let events = ParkedEvents::new(database.pool.clone());
    let mut transaction = database.pool.begin().await.unwrap();
    let (late, early) = (parked("live", 9, "late"), parked("live", 2, "early"));
    let other = parked("next", 5, "other");
    let all = [late.clone(), early.clone(), other.clone()];
    ParkedEvents::park(&mut transaction, &all).await.unwrap();
    let again = Parked { cause: "still".to_owned(), ..early };
    ParkedEvents::park(&mut transaction, std::slice::from_ref(&again)).await.unwrap();
    assert_eq!(events.list(None).await.unwrap(), [], "with the checkpoint, or not at all");
    transaction.commit().await.unwrap();
    let everything = [again.clone(), late.clone(), other.clone()];
    assert_eq!(events.list(None).await.unwrap(), everything);
    assert_eq!(events.list(Some(("test", "live"))).await.unwrap(), [again, late.clone()]);
    assert_eq!(events.list(Some(("other", "live"))).await.unwrap(), []);

    let mut connection = database.pool.acquire().await.unwrap();
    let out = [Position(2), Position(5)];
    ParkedEvents::release(&mut connection, "test", "live", &out).await.unwrap();
    assert_eq!(events.list(None).await.unwrap(), [late.clone(), other.clone()]);

    let mut transaction = database.pool.begin().await.unwrap();
    let moves = ("next", "live", "aside");
    Leases::exchange(&mut transaction, "test", moves).await.unwrap();
    transaction.commit().await.unwrap();
    let late = Parked { target: "aside".to_owned(), ..late };
    let other = Parked { target: "live".to_owned(), ..other };
    assert_eq!(events.list(None).await.unwrap(), [late.clone(), other]);
    let leases = Leases::new(database.pool.clone());
    let lease = leases.acquire("test", "live", fresh()).await.unwrap().unwrap();
    Leases::remove(&mut connection, &lease).await.unwrap();
    assert_eq!(events.list(None).await.unwrap(), [late]);
}

#[tokio::test]
async fn a_process_remembers_until_it_forgets() {
    let database = testkit::database().await;
    let (one, part, other) = (StateKey::of(fresh()), fresh(), StateKey::of(fresh()));
    let part = StateKey::of_part(one.key(), part);
    let mut transaction = database.pool.begin().await.unwrap();
    let connection = &mut *transaction;
    assert_eq!(ProcessStates::get(connection, "test", one).await.unwrap(), None);
    for state in [json!({ "step": 1 }), json!({ "step": 2, "since": null })] {
        let changes = [(one, Some(state.clone())), (part, Some(json!(state.to_string())))];
        ProcessStates::put(connection, "test", &changes.into()).await.unwrap();
        assert_eq!(ProcessStates::get(connection, "test", one).await.unwrap(), Some(state.clone()));
        let all = ProcessStates::all(connection, "test", one.key()).await.unwrap();
        assert_eq!(all, [(one, state.clone()), (part, json!(state.to_string()))].into());
    }
    assert_eq!(ProcessStates::get(connection, "test", other).await.unwrap(), None);
    assert_eq!(ProcessStates::get(connection, "other", one).await.unwrap(), None);
    ProcessStates::put(connection, "other", &[(one, None)].into()).await.unwrap();
    ProcessStates::put(connection, "test", &[(one, None), (other, None)].into()).await.unwrap();
    assert_eq!(ProcessStates::get(connection, "test", one).await.unwrap(), None);
    let all = ProcessStates::all(connection, "test", one.key()).await.unwrap();
    assert_eq!(all, [(part, json!(json!({ "step": 2, "since": null }).to_string()))].into());
}
