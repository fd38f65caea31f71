//! Payloads of other versions.

use eventstore::{Expected, LoadError, NewEvent, Store, Undecodable};
use uuid::Uuid;

use crate::support::{Note, append, fresh, note, written};

async fn stored(store: &Store, schema_version: i16, payload: &str) -> Uuid {
    let stream = fresh();
    let event = NewEvent { schema_version, payload: payload.to_owned(), ..written("") };
    store.append(append(vec![note(stream, Expected::Any, vec![event])])).await.unwrap();
    stream
}

async fn misread(store: &Store, stream: Uuid) -> Undecodable {
    match store.load::<Note>(stream).await {
        Err(LoadError::Undecodable(cause)) => cause,
        other => panic!("{other:?}"),
    }
}

pub(super) async fn an_old_version_is_lifted(store: Store) {
    let stream = stored(&store, 1, r#"{"body":"of old"}"#).await;
    assert_eq!(store.load::<Note>(stream).await.unwrap().state.text, "of old");
    let events = store.read_stream(stream, domain::kernel::Version(0)).await.unwrap();
    assert_eq!(&*events[0].payload, r#"{"body":"of old"}"#, "what is stored stays");
}

pub(super) async fn a_newer_version_is_refused(store: Store) {
    let stream = stored(&store, 3, r#"{"text":"of tomorrow"}"#).await;
    let expected = Undecodable::Future { name: "written".to_owned(), found: 3, known: 2 };
    assert_eq!(misread(&store, stream).await, expected);
}

pub(super) async fn a_damaged_payload_is_refused(store: Store) {
    for (version, payload) in [(2, r#"{"txet":"?"}"#), (1, "[]"), (2, "null")] {
        let stream = stored(&store, version, payload).await;
        let cause = misread(&store, stream).await;
        assert!(matches!(cause, Undecodable::Payload { .. }), "{cause}");
    }
}
