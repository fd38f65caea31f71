//! Command ids, kept for ever.

use domain::kernel::{Position, TenantId, Version};
use eventstore::{Append, AppendError, Claim, CommandKey, Committed, Expected, Store};
use serde_json::json;

use crate::support::{FIRST, append, exact, fresh, fresh_key, note, signed, write, written};

pub(super) async fn a_repetition_hears_the_first_answer(store: Store) {
    let (one, other, checked) = (fresh(), fresh(), fresh());
    write(&store, one, 3).await;
    let streams = vec![
        note(one, exact(3), vec![written("x"), written("y")]),
        note(checked, FIRST, vec![]),
        note(other, FIRST, vec![written("z")]),
    ];
    let reply = Some(json!({ "id": one, "list": [1, null] }));
    let asked = Append { reply: reply.clone(), ..append(streams) };
    let first = store.append(asked.clone()).await.unwrap();
    assert_eq!(first.versions, [(one, Version(5)), (other, Version(1))]);
    assert_eq!((first.position, &first.reply), (Position(6), &reply));
    write(&store, one, 1).await;
    for _ in 0..2 {
        let again = store.append(asked.clone()).await.unwrap();
        assert_eq!(again, Committed { duplicate: true, ..first.clone() });
    }
    assert_eq!(store.head().await.unwrap(), Position(7));
}

pub(super) async fn an_id_stands_for_one_request(store: Store) {
    let stream = fresh();
    let first = append(vec![note(stream, Expected::Any, vec![written("x")])]);
    store.append(first.clone()).await.unwrap();
    let other = CommandKey { digest: [2; 32], ..first.command };
    let reused = store.append(Append { command: other, ..first.clone() }).await;
    assert_eq!(reused, Err(AppendError::CommandReused));
    let elsewhere = CommandKey { tenant: TenantId::from_uuid(fresh()), ..other };
    let done = store.append(Append { command: elsewhere, ..first }).await.unwrap();
    assert!(!done.duplicate, "another tenant's ids are others");
}

pub(super) async fn a_refused_command_may_be_repeated(store: Store) {
    let stream = fresh();
    let asked = append(vec![note(stream, exact(1), vec![written("x")])]);
    assert!(store.append(asked.clone()).await.is_err());
    assert_eq!(store.command(asked.command.tenant, asked.command.id).await.unwrap(), None);
    write(&store, stream, 1).await;
    assert!(!store.append(asked).await.unwrap().duplicate);
}

pub(super) async fn no_events_still_record_the_command(store: Store) {
    write(&store, fresh(), 2).await;
    let asked = Append { reply: Some(json!("nothing to do")), ..append(vec![]) };
    let first = store.append(asked.clone()).await.unwrap();
    assert_eq!((first.position, first.versions.len()), (Position(2), 0));
    write(&store, fresh(), 1).await;
    let again = store.append(asked.clone()).await.unwrap();
    assert_eq!(again, Committed { duplicate: true, ..first });
    let record = store.command(asked.command.tenant, asked.command.id).await.unwrap().unwrap();
    assert_eq!((record.digest, record.position), ([1; 32], Position(2)));
    assert_eq!((record.reply, record.versions), (asked.reply, vec![]));
}

/// Command, versions, claims, keys: the first that fails is told.
pub(super) async fn checks_come_in_order(store: Store) {
    let (stream, key, owner) = (fresh(), fresh_key(), fresh());
    let opening = append(vec![note(stream, FIRST, vec![signed("Ada", key)])]);
    let opening = Append { claims: vec![Claim::take("test.name", "a", owner)], ..opening };
    store.append(opening.clone()).await.unwrap();
    store.append(Append { shred: vec![key], ..append(vec![]) }).await.unwrap();

    let claim = Claim::take("test.name", "a", fresh());
    let wrong = append(vec![note(stream, FIRST, vec![signed("Bo", key)])]);
    let mut asked = Append { claims: vec![claim], command: opening.command, ..wrong };
    assert!(store.append(asked.clone()).await.unwrap().duplicate);
    asked.command.digest = [2; 32];
    assert_eq!(store.append(asked.clone()).await, Err(AppendError::CommandReused));
    asked.command.id = fresh();
    let moved = AppendError::Conflict(vec![(stream, Version(1))]);
    assert_eq!(store.append(asked.clone()).await, Err(moved));
    asked.streams[0].expected = exact(1);
    let taken = AppendError::ClaimTaken { scope: "test.name".to_owned() };
    assert_eq!(store.append(asked.clone()).await, Err(taken));
    asked.claims.clear();
    assert_eq!(store.append(asked.clone()).await, Err(AppendError::SubjectErased));
    asked.streams[0].events = vec![written("x")];
    assert!(!store.append(asked).await.unwrap().duplicate);
}
