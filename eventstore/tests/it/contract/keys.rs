//! Subject keys: sealing, opening, erasing.

use domain::kernel::{KeyId, Personal, Position, Version};
use eventstore::{Append, AppendError, Expected, Opened, Store, Stored, decode};

use crate::support::{
    FIRST, Note, NoteEvent, append, fresh, fresh_key, full_meta, note, signed, written,
};

async fn opened(store: &Store) -> (Vec<Stored>, Vec<Opened>) {
    let stored = store.read(Position(0), 100).await.unwrap();
    let opened = store.open(&stored).await.unwrap();
    (stored, opened)
}

fn name(opened: &Opened) -> Personal<String> {
    match decode::<NoteEvent>(opened).unwrap().event {
        NoteEvent::Signed { name } => name,
        NoteEvent::Written { .. } | NoteEvent::Viewed { .. } => panic!("nothing personal in it"),
    }
}

pub(super) async fn what_is_personal_is_sealed(store: Store) {
    let (stream, ada, bo) = (fresh(), fresh_key(), fresh_key());
    let events = vec![signed("Ada L.", ada), signed("Bo K.", bo), written("open")];
    store.append(append(vec![note(stream, Expected::Any, events)])).await.unwrap();
    let (stored, opened) = opened(&store).await;
    let shows = |name| stored.iter().any(|event| event.payload.contains(name));
    assert!(!shows("Ada L.") && !shows("Bo K."));
    assert_eq!(&*stored[2].payload, r#"{"text":"open"}"#);
    assert_eq!(name(&opened[0]), Personal::Open("Ada L.".to_owned()));
    assert_eq!(name(&opened[1]), Personal::Open("Bo K.".to_owned()));
    assert_eq!(opened[2].payload, stored[2].payload);
}

pub(super) async fn an_erased_subject_is_gone_for_good(store: Store) {
    let (stream, ada, bo) = (fresh(), fresh_key(), fresh_key());
    let on = |events| append(vec![note(stream, Expected::Any, events)]);
    store.append(on(vec![signed("Ada", ada), signed("Bo", bo)])).await.unwrap();
    assert_eq!(name(&opened(&store).await.1[0]), Personal::Open("Ada".to_owned()));

    // The append that erases may still seal its own events: they are erased with all others.
    let erase = Append { shred: vec![ada], ..on(vec![signed("last", ada)]) };
    store.append(erase).await.unwrap();
    let (_, events) = opened(&store).await;
    assert_eq!(name(&events[0]), Personal::Erased);
    assert_eq!(name(&events[1]), Personal::Open("Bo".to_owned()));
    assert_eq!(name(&events[2]), Personal::Erased);
    let refused = store.append(on(vec![signed("Ada", ada)])).await;
    assert_eq!(refused, Err(AppendError::SubjectErased));
    store.append(on(vec![signed("Bo again", bo)])).await.unwrap();
    store.append(Append { shred: vec![ada, ada], ..on(vec![]) }).await.unwrap();
    let loaded = store.load_fresh::<Note>(stream).await.unwrap();
    assert_eq!(loaded.version, Version(4));
    assert_eq!(loaded.state.name, Some(Personal::Open("Bo again".to_owned())));
    let refused = store.append(on(vec![signed("Ada", ada)])).await;
    assert_eq!(refused, Err(AppendError::SubjectErased));

    // A subject that never had a key never gets one.
    let unborn = fresh_key();
    store.append(Append { shred: vec![unborn], ..on(vec![]) }).await.unwrap();
    let refused = store.append(on(vec![signed("Cy", unborn)])).await;
    assert_eq!(refused, Err(AppendError::SubjectErased));
}

pub(super) async fn a_request_is_sealed_too(store: Store) {
    let key = fresh_key();
    let some = || append(vec![note(fresh(), Expected::Any, vec![written("x")])]);
    let with_key = Append { meta: full_meta(Some(key)), ..some() };
    store.append(with_key.clone()).await.unwrap();
    store.append(Append { meta: full_meta(None), ..some() }).await.unwrap();
    let stored = store.read(Position(0), 10).await.unwrap();
    assert!(stored.iter().all(|e| e.request.as_deref().is_some_and(|r| r.contains("req-1"))));
    assert!(stored.iter().all(|e| !e.request.as_deref().unwrap().contains("192.0.2.7")));
    assert_eq!(stored[0].envelope.request_key_id, Some(key));
    assert_eq!(stored[1].envelope.request_key_id, None);

    let opened = store.open_with_requests(&stored).await.unwrap();
    assert_eq!(opened[0].envelope.request, with_key.meta.request);
    let bare = opened[1].envelope.request.clone().unwrap();
    assert_eq!((bare.ip, bare.user_agent), (Some(Personal::Erased), Some(Personal::Erased)));
    assert_eq!(store.open(&stored).await.unwrap()[0].envelope.request, None);

    store.append(Append { shred: vec![key], ..some() }).await.unwrap();
    let opened = store.open_with_requests(&stored).await.unwrap();
    assert_eq!(opened[0].envelope.request.clone().unwrap().ip, Some(Personal::Erased));
    // What somebody erased asks for is still recorded, without who it was.
    store.append(Append { meta: full_meta(Some(key)), ..some() }).await.unwrap();
    let last = store.read(Position(3), 10).await.unwrap();
    assert_eq!(last[0].envelope.request_key_id, None);
}

pub(super) async fn a_key_is_made_once(store: Store) {
    let (stream, key) = (fresh(), fresh_key());
    let sign = |name: &str| append(vec![note(stream, Expected::Any, vec![signed(name, key)])]);
    let appends = ["a", "b", "c"].map(|name| store.append(sign(name)));
    for done in futures_util::future::join_all(appends).await {
        done.unwrap();
    }
    let mut names: Vec<_> = opened(&store).await.1.iter().map(name).collect();
    names.sort();
    assert_eq!(names, ["a", "b", "c"].map(|name| Personal::Open(name.to_owned())));
}

pub(super) async fn a_subject_that_begins_gets_its_key_with_it(store: Store) {
    let stream = fresh();
    let key = KeyId::from_uuid(stream);
    let begin = |name| append(vec![note(stream, FIRST, vec![signed(name, key)])]);
    store.append(begin("Ada")).await.unwrap();
    let refused = store.append(begin("Ada, again")).await;
    assert!(matches!(refused, Err(AppendError::Conflict(_))), "{refused:?}");
    // Nobody here remembers the key any more: what opens is what the log keeps.
    store.forget_keys(&[key]);
    let more = vec![signed("Ada L.", key)];
    store.append(append(vec![note(stream, Expected::Any, more)])).await.unwrap();
    store.forget_keys(&[key]);
    let names: Vec<_> = opened(&store).await.1.iter().map(name).collect();
    assert_eq!(names, ["Ada", "Ada L."].map(|name| Personal::Open(name.to_owned())));
}

pub(super) async fn a_key_that_is_there_is_not_made_anew(store: Store) {
    let stream = fresh();
    let key = KeyId::from_uuid(stream);
    // Something was sealed for the subject before its stream began.
    let events = vec![signed("Ada", key)];
    store.append(append(vec![note(fresh(), Expected::Any, events)])).await.unwrap();
    store.forget_keys(&[key]);
    let begin = append(vec![note(stream, FIRST, vec![signed("Ada L.", key)])]);
    let done = store.append(begin.clone()).await.unwrap();
    assert!(!done.duplicate);
    assert!(store.append(begin).await.unwrap().duplicate);
    store.forget_keys(&[key]);
    let names: Vec<_> = opened(&store).await.1.iter().map(name).collect();
    assert_eq!(names, ["Ada", "Ada L."].map(|name| Personal::Open(name.to_owned())));

    // Nor one that was destroyed.
    let erased = fresh_key();
    store.append(Append { shred: vec![erased], ..append(vec![]) }).await.unwrap();
    let begin = append(vec![note(erased.uuid(), FIRST, vec![signed("Bo", erased)])]);
    assert_eq!(store.append(begin).await, Err(AppendError::SubjectErased));
}
