//! Timers, and noting all that an event led to.

use chrono::TimeDelta;
use domain::kernel::{Position, Timestamp, testing::at};
use eventstore::{Fenced, Notes, Processes, StateChanges, StateKey, Timer};
use serde_json::json;
use uuid::Uuid;

use crate::support::fresh;

const PROCESS: &str = "test.expiry";

fn timer(key: Uuid, due_at: Timestamp) -> Timer {
    Timer { process: PROCESS.to_owned(), key, due_at, command: json!({ "ask": "end" }) }
}

async fn due(processes: &Processes, now: Timestamp) -> Vec<Uuid> {
    let due = processes.timers().due(now, 10).await.unwrap();
    let keys = due.timers().iter().map(|timer| timer.key).collect();
    due.finish().await.unwrap();
    keys
}

#[tokio::test]
async fn everything_is_noted_with_the_checkpoint_or_not_at_all() {
    let database = testkit::database().await;
    let processes = Processes::new(database.pool.clone());
    let (ada, bo, key) = (fresh(), fresh(), fresh());
    let lease = processes.leases().acquire("test", "policy", ada).await.unwrap().unwrap();
    let notes = |state| Notes {
        states: StateChanges::from([(StateKey::of(key), Some(json!(state)))]),
        set: vec![timer(key, at(0))],
        ..Notes::default()
    };
    processes.note(&lease, &notes("first"), Position(3)).await.unwrap();
    assert_eq!(processes.recall("test", StateKey::of(key)).await.unwrap(), Some(json!("first")));
    assert_eq!(due(&processes, at(0)).await, [key]);
    assert_eq!(processes.leases().position("test", "policy").await.unwrap(), Position(3));

    processes.leases().release(&lease).await.unwrap();
    let other = processes.leases().acquire("test", "policy", bo).await.unwrap().unwrap();
    let late = processes.note(&lease, &notes("late"), Position(4)).await;
    assert!(matches!(late, Err(Fenced::Lost(_))));
    assert_eq!(processes.recall("test", StateKey::of(key)).await.unwrap(), Some(json!("first")));

    let gone = Notes {
        states: StateChanges::from([(StateKey::of(key), None)]),
        cancelled: vec![(PROCESS.to_owned(), key)],
        ..Notes::default()
    };
    processes.note(&other, &gone, Position(4)).await.unwrap();
    assert_eq!(processes.recall("test", StateKey::of(key)).await.unwrap(), None);
    assert!(due(&processes, at(0)).await.is_empty());
}

#[tokio::test]
async fn a_timer_is_due_at_its_time_and_fires_in_one_place() {
    let database = testkit::database().await;
    let processes = Processes::new(database.pool.clone());
    let (early, late) = (fresh(), fresh());
    let lease = processes.leases().acquire("test", "policy", fresh()).await.unwrap().unwrap();
    let set = vec![timer(late, at(9)), timer(early, at(1))];
    processes.note(&lease, &Notes { set, ..Notes::default() }, Position(1)).await.unwrap();
    assert!(due(&processes, at(0)).await.is_empty());
    assert_eq!(due(&processes, at(1)).await, [early]);

    let timers = processes.timers();
    let mut first = timers.due(at(9), 1).await.unwrap();
    assert_eq!(first.timers(), [timer(early, at(1))]);
    assert_eq!(due(&processes, at(9)).await, [late], "the other one is locked");
    let fired = first.timers().to_vec();
    for timer in &fired {
        first.fired(timer).await.unwrap();
    }
    first.finish().await.unwrap();
    assert_eq!(due(&processes, at(9)).await, [late]);

    let mut second = timers.due(at(9), 1).await.unwrap();
    let until = at(9) + TimeDelta::minutes(1);
    second.put_off(&timer(late, at(9)), until).await.unwrap();
    second.finish().await.unwrap();
    assert!(due(&processes, at(9)).await.is_empty());
    assert_eq!(due(&processes, until).await, [late]);
}
