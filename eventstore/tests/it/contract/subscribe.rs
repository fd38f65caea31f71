//! Following the log.

use domain::kernel::Position;
use eventstore::{Store, Subscription, canonical};
use futures_util::FutureExt;

use crate::support::{NEVER, fresh, write};

async fn drained(reader: &mut Subscription, most: usize, until: i64) -> Vec<usize> {
    let mut sizes = Vec::new();
    while reader.position() < Position(until) {
        sizes.push(reader.next(most).await.unwrap().len());
    }
    sizes
}

pub(super) async fn news_come_from_memory_as_they_are_stored(store: Store) {
    let mut reader = store.subscribe(Position(0));
    let head = store.watch_head();
    let stream = fresh();
    for count in 1..=3 {
        let done = write(&store, stream, count).await;
        assert_eq!(*head.borrow(), done.position, "readers know before the caller does");
        let news = reader.next(100).await.unwrap();
        assert_eq!(reader.position(), done.position);
        let before = Position(done.position.0 - i64::try_from(count).unwrap());
        let stored = store.read(before, 100).await.unwrap();
        assert_eq!(news, stored);
        assert!(news.iter().map(canonical).eq(stored.iter().map(canonical)));
    }
    assert!(reader.next(100).await.unwrap().is_empty(), "nothing new within the interval");
}

pub(super) async fn a_late_reader_catches_up(store: Store) {
    for _ in 0..10 {
        write(&store, fresh(), 1).await;
    }
    let mut reader = store.subscribe(Position(4));
    assert_eq!(drained(&mut reader, 4, 10).await, [4, 2]);
    write(&store, fresh(), 1).await;
    assert_eq!(drained(&mut reader, 4, 11).await, [1]);
    assert!(store.subscribe(Position(11)).next(10).await.unwrap().is_empty());
}

pub(super) async fn an_append_is_never_split(store: Store) {
    for count in [3, 1, 5, 2] {
        write(&store, fresh(), count).await;
    }
    let mut reader = store.subscribe(Position(0));
    assert_eq!(drained(&mut reader, 1, 11).await, [3, 1, 5, 2]);
    let mut reader = store.subscribe(Position(0));
    assert_eq!(drained(&mut reader, 4, 11).await, [4, 5, 2]);
    let mut reader = store.subscribe(Position(0));
    assert_eq!(drained(&mut reader, 5, 11).await, [9, 2]);
}

pub(super) async fn a_paced_reader_lets_events_gather(store: Store) {
    write(&store, fresh(), 1).await;
    let mut reader = store.subscribe(Position(0)).paced(NEVER);
    assert_eq!(reader.next(10).await.unwrap().len(), 1, "the first is no news to wait for");
    write(&store, fresh(), 1).await;
    assert!(reader.next(10).now_or_never().is_none());
    let mut behind = store.subscribe(Position(0)).paced(NEVER);
    assert_eq!(drained(&mut behind, 1, 2).await, [1, 1], "who is behind is not held up");
}
