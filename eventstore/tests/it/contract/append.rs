//! Appending and reading back.

use domain::kernel::{Position, StreamId, TenantId, Version, testing::at};
use eventstore::{Append, AppendError, Claim, Expected, Meta, NewEvent, Store, StreamAppend};

use crate::support::{
    FIRST, TENANT, append, exact, fresh, fresh_key, full_meta, meta, note, signed, write, written,
};

pub(super) async fn without_room_nothing_is_taken_in_and_reading_goes_on(store: Store) {
    let asked = append(vec![note(fresh(), FIRST, vec![written("a")])]);
    store.set_full(true);
    let refused = store.append(asked.clone()).await.unwrap_err();
    assert!(matches!(refused, AppendError::Unavailable(fault) if fault.is_full()));
    assert_eq!(store.head().await.unwrap(), Position(0));
    store.set_full(false);
    assert_eq!(store.append(asked).await.unwrap().position, Position(1));
}

pub(super) async fn what_is_appended_reads_back_exactly(store: Store) {
    let (one, other, key) = (fresh(), fresh(), fresh_key());
    let streams = vec![
        note(one, FIRST, vec![written("a \"quoted\" \u{1F980}\n"), signed("Ada", key)]),
        note(other, FIRST, vec![written("b")]),
    ];
    let meta =
        Meta { occurred_at: at(5) + chrono::Duration::nanoseconds(1_500), ..full_meta(None) };
    let asked = Append { meta: meta.clone(), ..append(streams) };
    let done = store.append(asked).await.unwrap();
    assert_eq!(done.position, Position(3));
    assert_eq!(done.versions, [(one, Version(2)), (other, Version(1))]);
    assert!(!done.duplicate);
    assert_eq!(store.head().await.unwrap(), Position(3));

    let events = store.read(Position(0), 10).await.unwrap();
    let places: Vec<_> = events.iter().map(|e| (e.envelope.stream, e.envelope.version.0)).collect();
    assert_eq!(places, [(one, 1), (one, 2), (other, 1)]);
    for (event, position) in events.iter().zip(1..) {
        let e = &event.envelope;
        assert_eq!((e.position, e.append_last), (Position(position), Position(3)));
        assert_eq!((e.tenant, e.actor), (TENANT, meta.actor));
        assert_eq!((e.correlation_id, e.causation_id), (meta.correlation_id, meta.causation_id));
        assert_eq!(e.occurred_at, at(5) + chrono::Duration::microseconds(1));
        assert_eq!(e.recorded_at, events[0].envelope.recorded_at);
        assert_eq!((e.request_key_id, &*e.category), (None, "test.note"));
    }
    assert_eq!(events[0].envelope.event_type(), "test.note.written");
    assert_eq!(&*events[0].payload, "{\"text\":\"a \\\"quoted\\\" \u{1F980}\\n\"}");
    assert_eq!(events[0].envelope.schema_version, 2);
    assert_eq!((events[0].envelope.key_id, events[1].envelope.key_id), (None, Some(key)));
    assert_eq!(store.read_stream(one, Version(0)).await.unwrap(), events[..2]);
    assert_eq!(store.read_stream(one, Version(1)).await.unwrap(), events[1..2]);
    assert_eq!(store.read(Position(1), 1).await.unwrap(), events[1..2]);
    assert!(store.read(Position(3), 10).await.unwrap().is_empty());
    assert!(store.read_stream(fresh(), Version(0)).await.unwrap().is_empty());
}

pub(super) async fn versions_are_checked_and_told(store: Store) {
    let stream = fresh();
    let at = |expected| append(vec![note(stream, expected, vec![written("x")])]);
    let moved = |version| AppendError::Conflict(vec![(stream, Version(version))]);
    assert_eq!(store.append(at(exact(1))).await, Err(moved(0)));
    assert_eq!(store.append(at(FIRST)).await.unwrap().versions, [(stream, Version(1))]);
    assert_eq!(store.append(at(FIRST)).await, Err(moved(1)));
    assert_eq!(store.append(at(exact(2))).await, Err(moved(1)));
    assert_eq!(store.append(at(exact(1))).await.unwrap().versions, [(stream, Version(2))]);
    assert_eq!(store.head().await.unwrap(), Position(2), "what was refused takes no position");
}

pub(super) async fn any_version_will_do(store: Store) {
    let stream = fresh();
    assert_eq!(write(&store, stream, 2).await.versions, [(stream, Version(2))]);
    assert_eq!(write(&store, stream, 1).await.versions, [(stream, Version(3))]);
}

pub(super) async fn several_streams_all_or_nothing(store: Store) {
    let (old, new) = (fresh(), fresh());
    write(&store, old, 1).await;
    let both = |expected| {
        let streams = [(new, FIRST), (old, expected)];
        append(streams.map(|(id, expected)| note(id, expected, vec![written("x")])).into())
    };
    let refused = store.append(both(FIRST)).await;
    assert_eq!(refused, Err(AppendError::Conflict(vec![(old, Version(1))])));
    assert!(store.read_stream(new, Version(0)).await.unwrap().is_empty());
    let done = store.append(both(exact(1))).await.unwrap();
    assert_eq!(done.versions, [(new, Version(1)), (old, Version(2))]);
    assert_eq!(done.position, Position(3));
}

pub(super) async fn streams_that_are_only_checked(store: Store) {
    let (seen, new, unborn) = (fresh(), fresh(), fresh());
    write(&store, seen, 2).await;
    let on = |expected| {
        let conditions = [(seen, expected), (unborn, FIRST)];
        let mut streams = conditions.map(|(id, expected)| note(id, expected, vec![])).to_vec();
        streams.insert(1, note(new, Expected::Any, vec![written("x")]));
        append(streams)
    };
    let refused = store.append(on(exact(1))).await;
    assert_eq!(refused, Err(AppendError::Conflict(vec![(seen, Version(2))])));
    let done = store.append(on(exact(2))).await.unwrap();
    assert_eq!((done.position, done.versions), (Position(3), vec![(new, Version(1))]));
    assert_eq!(write(&store, seen, 1).await.versions, [(seen, Version(3))]);
    assert_eq!(write(&store, unborn, 1).await.versions, [(unborn, Version(1))]);
}

pub(super) async fn a_stream_has_one_tenant_and_one_category(store: Store) {
    let stream = fresh();
    write(&store, stream, 1).await;
    let foreign = TenantId::from_uuid(fresh());
    let strangers = [(foreign, "test.note"), (TENANT, "test.other"), (TENANT, "test.not")];
    for (tenant, category) in strangers {
        for (expected, events) in [(Expected::Any, vec![written("x")]), (exact(1), vec![])] {
            let stream_id = StreamId::of(category, stream);
            let part = StreamAppend { tenant, stream: stream_id, expected, events };
            let refused = store.append(append(vec![part])).await;
            assert_eq!(refused, Err(AppendError::Conflict(vec![(stream, Version(1))])));
        }
    }
}

pub(super) async fn what_breaks_a_rule_is_refused(store: Store) {
    let stream = fresh();
    let on = |events| append(vec![note(stream, Expected::Any, events)]);
    let nameless = NewEvent { name: String::new(), ..written("x") };
    let personal = NewEvent { key: None, ..signed("Ada", fresh_key()) };
    let claim = Claim::take("test.name", "a", stream);
    let twice = || note(stream, Expected::Any, vec![]);
    let wrong = [
        append(vec![twice(), twice()]),
        Append { claims: vec![claim.clone(), claim], ..on(vec![]) },
        on(vec![written("x"); 1_001]),
        on(vec![written(&"x".repeat(1 << 20))]),
        on(vec![nameless]),
        on(vec![personal]),
    ];
    for append in wrong {
        let refused = store.append(append).await;
        assert!(matches!(refused, Err(AppendError::Malformed(_))), "{refused:?}");
    }
    let erased =
        NewEvent { payload: r#"{"name":{"~":null}}"#.to_owned(), ..signed("", fresh_key()) };
    let erased = NewEvent { key: None, ..erased };
    let largest = on(vec![written("x"), erased]);
    assert!(store.append(Append { meta: meta(), ..largest }).await.is_ok());
    assert!(store.append(on(vec![written("x"); 1_000])).await.is_ok());
}
