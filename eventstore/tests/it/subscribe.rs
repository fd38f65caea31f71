//! Following a log that other processes write to.

use std::time::Duration;

use domain::kernel::Position;
use eventstore::{Stored, Subscription};
use sqlx::postgres::PgConnectOptions;

use crate::support::{NEVER, fresh, on, with, write};

async fn until(reader: &mut Subscription, position: Position) -> Vec<Stored> {
    let mut events = Vec::new();
    while reader.position() < position {
        events.extend(reader.next(3).await.unwrap());
    }
    events
}

#[tokio::test]
async fn what_another_process_wrote_is_found_by_looking() {
    let database = testkit::database().await;
    let (ours, theirs) = (on(&database).await, on(&database).await);
    let mut reader = ours.subscribe(Position(0));
    let last = write(&theirs, fresh(), 2).await.position;
    assert_eq!(until(&mut reader, last).await.len(), 2);
    assert_eq!(*ours.watch_head().borrow(), last, "and others here are told");
    assert!(reader.next(3).await.unwrap().is_empty());
}

#[tokio::test]
async fn who_comes_back_before_long_does_not_look() {
    let database = testkit::database().await;
    let (ours, theirs) = (on(&database).await, on(&database).await);
    let mut reader = ours.subscribe(Position(0));
    write(&theirs, fresh(), 2).await;
    let soon = Duration::from_millis(1);
    assert!(reader.next_within(3, soon).await.unwrap().is_empty());
    let last = write(&ours, fresh(), 1).await.position;
    assert_eq!(reader.next_within(3, soon).await.unwrap().len(), 3, "word is worth a look");
    assert_eq!(reader.position(), last);
}

#[tokio::test]
async fn a_hint_wakes_who_does_not_look() {
    let database = testkit::database().await;
    let (ours, theirs) = (on(&database).await.polled_every(NEVER), on(&database).await);
    let (mut here, mut also_here) = (ours.subscribe(Position(0)), ours.subscribe(Position(0)));
    let last = write(&theirs, fresh(), 2).await.position;
    let written = ours.watch_written();
    let (first, second, head) =
        tokio::join!(here.next(3), also_here.next(3), ours.hint(Position(1)));
    assert_eq!((first.unwrap().len(), second.unwrap().len()), (2, 2));
    assert_eq!(head.unwrap(), last, "as far as the log goes, whatever the hint said");
    assert!(!written.has_changed().unwrap(), "it was not written here");
}

#[tokio::test]
async fn a_log_is_known_by_its_database() {
    let (one, other) = (testkit::database().await, testkit::database().await);
    let options: PgConnectOptions = one.url.parse().unwrap();
    let app = with(options.options([("role", "commonhold_app")])).await;
    let name = app.log_id().await.unwrap();
    assert_eq!(name, on(&one).await.log_id().await.unwrap(), "whoever asks");
    assert_ne!(name, on(&other).await.log_id().await.unwrap());
    assert!(name.chars().all(|c| c.is_ascii_digit() || c == '-'), "{name}");
}

#[tokio::test]
async fn two_writers_make_one_order() {
    let database = testkit::database().await;
    let (ours, theirs) = (on(&database).await, on(&database).await);
    let mut early = ours.subscribe(Position(0));
    let mut last = Position(0);
    for round in 0..10 {
        let store = if round % 3 == 0 { &theirs } else { &ours };
        last = write(store, fresh(), 2).await.position;
        let batch = early.next(1).await.unwrap();
        assert_eq!(batch.len(), 2, "one whole append");
    }
    assert_eq!(early.position(), last);
    for store in [&ours, &theirs, &on(&database).await] {
        let events = until(&mut store.subscribe(Position(0)), last).await;
        assert!(events.iter().map(|event| event.envelope.position.0).eq(1..=20));
    }
}

#[tokio::test]
async fn a_reader_without_memory_splits_no_append_either() {
    let database = testkit::database().await;
    let store = on(&database).await;
    for count in [3, 1, 5, 2] {
        write(&store, fresh(), count).await;
    }
    let fresh_start = on(&database).await;
    let mut reader = fresh_start.subscribe(Position(0));
    let mut sizes = Vec::new();
    while reader.position() < Position(11) {
        sizes.push(reader.next(4).await.unwrap().len());
    }
    assert_eq!(sizes, [4, 5, 2]);
}
