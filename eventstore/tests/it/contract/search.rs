//! What investigators ask.

use domain::kernel::{Actor, ActorKind, Position, StreamId, TenantId};
use eventstore::{Append, Expected, Filter, Meta, Store, StreamAppend};

use crate::support::{TENANT, append, fresh, fresh_key, meta, note, signed, write, written};

async fn found(store: &Store, filter: Filter) -> Vec<i64> {
    let limit = if filter.limit == 0 { 100 } else { filter.limit };
    let events = store.search(&Filter { limit, ..filter }).await.unwrap();
    events.iter().map(|event| event.envelope.position.0).collect()
}

pub(super) async fn every_filter_filters(store: Store) {
    let (stream, tenant) = (fresh(), TenantId::from_uuid(fresh()));
    let actor = Actor { kind: ActorKind::User, id: fresh(), ..Actor::SYSTEM };
    let mine = Meta { actor, ..meta() };
    let correlation = mine.correlation_id;
    let events = vec![written("x"), signed("Ada", fresh_key())];
    write(&store, fresh(), 1).await;
    store
        .append(Append { meta: mine, ..append(vec![note(stream, Expected::Any, events)]) })
        .await
        .unwrap();
    let other = StreamId::of("test.notebook", fresh());
    let events = vec![written("x")];
    let part = StreamAppend { tenant, stream: other, expected: Expected::Any, events };
    store.append(append(vec![part])).await.unwrap();

    let all = Filter::default;
    let of_type = |text: &str| Filter { event_type: Some(text.to_owned()), ..all() };
    assert_eq!(found(&store, all()).await, [1, 2, 3, 4]);
    assert_eq!(found(&store, Filter { tenant: Some(tenant), ..all() }).await, [4]);
    assert_eq!(found(&store, Filter { tenant: Some(TENANT), ..all() }).await, [1, 2, 3]);
    assert_eq!(found(&store, Filter { stream: Some(stream), ..all() }).await, [2, 3]);
    assert_eq!(found(&store, of_type("test.note.written")).await, [1, 2]);
    assert_eq!(found(&store, of_type("test.note.")).await, [1, 2, 3]);
    assert_eq!(found(&store, of_type("test.")).await, [1, 2, 3, 4]);
    assert_eq!(found(&store, of_type("test.note")).await, [0; 0]);
    assert_eq!(found(&store, Filter { actor: Some(actor.id), ..all() }).await, [2, 3]);
    assert_eq!(found(&store, Filter { correlation: Some(correlation), ..all() }).await, [2, 3]);
    let both = Filter { stream: Some(stream), ..of_type("test.note.signed") };
    assert_eq!(found(&store, both).await, [3]);

    let recorded = store.read(Position(3), 1).await.unwrap()[0].envelope.recorded_at;
    let instant = chrono::Duration::microseconds(1);
    let before = found(&store, Filter { to: Some(recorded), ..all() }).await;
    let after = found(&store, Filter { from: Some(recorded), ..all() }).await;
    assert_eq!([before, after.clone()].concat(), [1, 2, 3, 4]);
    assert!(after.ends_with(&[4]));
    assert_eq!(found(&store, Filter { to: Some(recorded + instant), ..all() }).await.len(), 4);
    assert_eq!(found(&store, Filter { from: Some(recorded + instant), ..all() }).await, [0; 0]);
}

pub(super) async fn pages_go_both_ways(store: Store) {
    write(&store, fresh(), 5).await;
    let page = |after: Option<i64>, descending| Filter {
        after: after.map(Position),
        descending,
        limit: 2,
        ..Filter::default()
    };
    assert_eq!(found(&store, page(None, false)).await, [1, 2]);
    assert_eq!(found(&store, page(Some(0), false)).await, [1, 2]);
    assert_eq!(found(&store, page(Some(2), false)).await, [3, 4]);
    assert_eq!(found(&store, page(Some(4), false)).await, [5]);
    assert_eq!(found(&store, page(None, true)).await, [5, 4]);
    assert_eq!(found(&store, page(Some(4), true)).await, [3, 2]);
    assert_eq!(found(&store, page(Some(2), true)).await, [1]);
    assert_eq!(found(&store, page(Some(0), true)).await, [0; 0]);
    let until = Filter { until: Some(Position(3)), ..page(Some(1), false) };
    assert_eq!(found(&store, until).await, [2, 3]);
    let until = Filter { until: Some(Position(3)), ..page(None, true) };
    assert_eq!(found(&store, until).await, [3, 2]);
}
