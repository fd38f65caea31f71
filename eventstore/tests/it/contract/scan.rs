//! Running through the past of the log.

use std::sync::Arc;

use domain::kernel::Position;
use eventstore::{Expected, NewEvent, Store};

use crate::support::{NoteEvent, append, fresh, note, write, written};

fn viewed() -> NewEvent {
    NewEvent::of(&NoteEvent::Viewed { times: 1 }, None)
}

/// Where each span ends, and the positions it hands out.
async fn spans(store: &Store, after: i64, most: usize, types: &[&str]) -> Vec<(i64, Vec<i64>)> {
    let types: Arc<[String]> = types.iter().map(|&text| text.to_owned()).collect();
    let end = store.head().await.unwrap();
    let mut scan = store.scan((Position(after), end), most, types);
    let mut found = Vec::new();
    while let Some(span) = scan.next().await.unwrap() {
        let events = span.events.iter().map(|event| event.envelope.position.0).collect();
        found.push((span.until.0, events));
    }
    found
}

pub(super) async fn a_scan_hands_out_what_is_wanted_of_whole_appends(store: Store) {
    write(&store, fresh(), 3).await;
    for events in [vec![viewed()], vec![written("a"), viewed()], vec![written("b")]] {
        store.append(append(vec![note(fresh(), Expected::Any, events)])).await.unwrap();
    }
    let views = ["test.note.viewed"];
    assert_eq!(spans(&store, 0, 2, &views).await, [(3, vec![]), (6, vec![4, 6]), (7, vec![])]);
    assert_eq!(spans(&store, 3, 100, &views).await, [(7, vec![4, 6])]);
    let all = (1..=7).collect::<Vec<_>>();
    assert_eq!(spans(&store, 0, 100, &["other.", "test.note."]).await, [(7, all)]);
    assert_eq!(spans(&store, 7, 100, &views).await, []);
}
