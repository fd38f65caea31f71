//! Folds without a database: events in, rows out.

use std::{collections::BTreeMap, fmt::Debug};

use domain::kernel::{
    Actor, DomainEvent, Envelope, KeyId, MARKER, Position, Recorded, TenantId, Version, snake_case,
    testing::at,
};
use uuid::Uuid;

use crate::{At, EventSet, Fold, Key, Row, Touch};

/// A small id: `id(7)` is the same everywhere in a test.
pub(crate) const fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

/// The whole history of one stream, an event a minute, as the log would give it back: personal
/// events carry the key that sealed them.
pub(crate) fn stream<E: DomainEvent>(
    stream: impl Into<Uuid>,
    key: Option<KeyId>,
    events: impl IntoIterator<Item = E>,
) -> Vec<Recorded<E>> {
    let stream = stream.into();
    let recorded = |(event, number): (E, i32)| {
        let json = serde_json::to_string(&event).unwrap();
        let when = at(i64::from(number) * 60);
        let envelope = Envelope {
            position: Position(i64::from(number)),
            append_last: Position(i64::from(number)),
            event_id: Uuid::from_u128(stream.as_u128().wrapping_add(1 << 64)),
            tenant: TenantId::PLATFORM,
            category: E::CATEGORY.into(),
            stream,
            version: Version(number),
            name: snake_case(event.variant()).into(),
            schema_version: 1,
            occurred_at: when,
            recorded_at: when,
            actor: Actor::SYSTEM,
            correlation_id: Uuid::nil(),
            causation_id: None,
            request: None,
            key_id: key.filter(|_| json.contains(&format!("\"{MARKER}\":"))),
            request_key_id: None,
        };
        Recorded { envelope: envelope.into(), event }
    };
    events.into_iter().zip(1..).map(recorded).collect()
}

/// The rows a fold makes of events, stamped as the runner stamps them.
#[track_caller]
pub(crate) fn rows<F>(events: &[Recorded<F::Event>]) -> BTreeMap<Key<F>, F::Row>
where
    F: Fold,
    Key<F>: Debug,
{
    let mut rows: BTreeMap<Key<F>, F::Row> = BTreeMap::new();
    for recorded in events {
        for touch in F::touches(recorded) {
            let is_new = matches!(touch, Touch::New(..));
            let (key, part) = touch.into_parts();
            let before = rows.remove(&key);
            assert!(!(is_new && before.is_some()), "{key:?} was there before");
            let first = before.is_none();
            let envelope = &*recorded.envelope;
            let Some(mut row) = F::fold(before, part, &At { envelope }).unwrap() else { continue };
            assert_eq!(row.key(), key);
            let home = F::HOME == Some(&*envelope.category);
            row.std_mut().stamp(first, envelope, home, recorded.event.edits());
            rows.insert(key, row);
        }
    }
    rows
}

/// The one row of [`rows`].
#[track_caller]
pub(crate) fn row<F: Fold>(events: &[Recorded<F::Event>]) -> F::Row {
    let rows = rows::<F>(events);
    assert_eq!(rows.len(), 1);
    rows.into_values().next().unwrap()
}
