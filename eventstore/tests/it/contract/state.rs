//! States of aggregates, and the line before each.

use domain::kernel::{StreamId, Version};
use eventstore::{Append, AppendError, Expected, NewEvent, Store};
use futures_util::FutureExt;
use uuid::Uuid;

use crate::support::{FIRST, Note, NoteEvent, append, exact, fresh, note, write, written};

async fn put(store: &Store, stream: Uuid, event: NewEvent) {
    let asked = append(vec![note(stream, Expected::Any, vec![event])]);
    store.append(Append { ..asked }).await.unwrap();
}

pub(super) async fn a_state_is_loaded_and_kept(store: Store) {
    let stream = fresh();
    let unborn = store.load::<Note>(stream).await.unwrap();
    assert_eq!((unborn.version, unborn.state), (Version(0), Note::default()));
    put(&store, stream, written("a")).await;
    let first = store.load::<Note>(stream).await.unwrap();
    assert_eq!((first.version, &*first.state.text, first.cached), (Version(1), "a", false));

    put(&store, stream, written("b")).await;
    let kept = store.load::<Note>(stream).await.unwrap();
    assert_eq!((kept.version, &*kept.state.text, kept.cached), (Version(1), "a", true));
    let new = store.load_fresh::<Note>(stream).await.unwrap();
    assert_eq!((new.version, &*new.state.text, new.cached), (Version(2), "b", false));
    assert!(store.load::<Note>(stream).await.unwrap().cached);

    let text = "c".to_owned();
    let mut next = new.clone();
    (next.version, next.state.text) = (Version(3), text);
    put(&store, stream, written("c")).await;
    store.remember(stream, next.into());
    store.remember(stream, first.into());
    let kept = store.load::<Note>(stream).await.unwrap();
    assert_eq!((kept.version, &*kept.state.text), (Version(3), "c"), "the newer one stays");
    store.forget(stream);
    assert!(!store.load::<Note>(stream).await.unwrap().cached);

    // Another process moved on: a conflict shows it, and the state is looked up anew.
    put(&store, stream, written("d")).await;
    let stale = append(vec![note(stream, exact(3), vec![written("e")])]);
    let refused = store.append(stale).await;
    assert_eq!(refused, Err(AppendError::Conflict(vec![(stream, Version(4))])));
    assert_eq!(store.load::<Note>(stream).await.unwrap().state.text, "d");
}

pub(super) async fn quiet_events_do_not_count_as_edits(store: Store) {
    let stream = fresh();
    write(&store, stream, 2).await;
    put(&store, stream, NewEvent::of(&NoteEvent::Viewed { times: 1 }, None)).await;
    let loaded = store.load::<Note>(stream).await.unwrap();
    assert_eq!((loaded.version, loaded.edited), (Version(3), Version(2)));
    put(&store, stream, NewEvent::of(&NoteEvent::Viewed { times: 2 }, None)).await;
    let loaded = store.load_fresh::<Note>(stream).await.unwrap();
    assert_eq!((loaded.version, loaded.edited, loaded.state.views), (Version(4), Version(2), 2));
}

pub(super) async fn an_id_of_another_kind_is_the_id_of_none(store: Store) {
    let stream = fresh();
    let mut other = note(stream, Expected::Any, vec![written("a")]);
    other.stream = StreamId::of("test.other", stream);
    store.append(append(vec![other])).await.unwrap();
    let none = store.load::<Note>(stream).await.unwrap();
    assert_eq!((none.version, none.state), (Version(0), Note::default()));
    // Nor can anything be written under it.
    let refused = store.append(append(vec![note(stream, FIRST, vec![written("b")])])).await;
    assert!(matches!(refused, Err(AppendError::Conflict(_))), "{refused:?}");
}

pub(super) async fn one_ticket_at_a_time(store: Store) {
    let stream = StreamId::of("test.note", fresh());
    let first = store.ticket(stream).await.unwrap();
    let other = StreamId::of("test.note", fresh());
    assert!(store.ticket(other).now_or_never().is_some(), "a line of its own");
    let mut impatient = Box::pin(store.ticket(stream));
    let mut patient = Box::pin(store.ticket(stream));
    assert!(impatient.as_mut().now_or_never().is_none());
    assert!(patient.as_mut().now_or_never().is_none());
    drop(impatient);
    drop(first);
    let second = patient.await.unwrap();
    drop(second);
    assert!(store.ticket(stream).now_or_never().is_some(), "nobody is left in line");
}
