//! Unique values: compare-and-set from one holder to the next.

use domain::kernel::testing::at;
use eventstore::{Append, AppendError, Claim, Expected, Store};
use uuid::Uuid;

use crate::support::{FIRST, append, exact, fresh, note, write, written};

const SCOPE: &str = "test.name";

async fn claim(store: &Store, claims: Vec<Claim>) -> Result<(), AppendError> {
    store.append(Append { claims, ..append(vec![]) }).await.map(drop)
}

async fn holder(store: &Store, key: &str) -> Option<Uuid> {
    store.claim_owner(SCOPE, key).await.unwrap()
}

fn taken() -> Result<(), AppendError> {
    Err(AppendError::ClaimTaken { scope: SCOPE.to_owned() })
}

pub(super) async fn a_value_has_one_holder(store: Store) {
    let (ada, bo) = (fresh(), fresh());
    assert_eq!(holder(&store, "a").await, None);
    assert_eq!(claim(&store, vec![Claim::take(SCOPE, "a", ada)]).await, Ok(()));
    assert_eq!(holder(&store, "a").await, Some(ada));
    assert_eq!(claim(&store, vec![Claim::take(SCOPE, "a", bo)]).await, taken());
    assert_eq!(claim(&store, vec![Claim::take(SCOPE, "a", ada)]).await, Ok(()), "already hers");
    assert_eq!(claim(&store, vec![Claim::take("test.other", "a", bo)]).await, Ok(()));
    assert_eq!(claim(&store, vec![Claim::take(SCOPE, "b", bo)]).await, Ok(()));
    assert_eq!(holder(&store, "a").await, Some(ada));
}

pub(super) async fn a_value_is_given_back_and_handed_over(store: Store) {
    let (ada, bo) = (fresh(), fresh());
    claim(&store, vec![Claim::take(SCOPE, "a", ada)]).await.unwrap();
    assert_eq!(claim(&store, vec![Claim::release(SCOPE, "a", bo)]).await, taken());
    assert_eq!(claim(&store, vec![Claim::release(SCOPE, "a", ada)]).await, Ok(()));
    assert_eq!(holder(&store, "a").await, None);
    assert_eq!(claim(&store, vec![Claim::release(SCOPE, "a", ada)]).await, Ok(()), "already free");

    claim(&store, vec![Claim::take(SCOPE, "a", bo)]).await.unwrap();
    let over = Claim { prior: Some(bo), ..Claim::take(SCOPE, "a", ada) };
    let stranger = Claim { prior: Some(fresh()), ..Claim::take(SCOPE, "a", fresh()) };
    assert_eq!(claim(&store, vec![stranger]).await, taken());
    assert_eq!(claim(&store, vec![over]).await, Ok(()));
    assert_eq!(holder(&store, "a").await, Some(ada));
}

pub(super) async fn a_hold_lapses(store: Store) {
    let (ada, bo, cy) = (fresh(), fresh(), fresh());
    claim(&store, vec![Claim::take(SCOPE, "a", ada)]).await.unwrap();
    let long = at(4_000_000_000);
    assert_eq!(claim(&store, vec![Claim::hold(SCOPE, "a", ada, long)]).await, Ok(()));
    assert_eq!(holder(&store, "a").await, Some(ada));
    assert_eq!(claim(&store, vec![Claim::take(SCOPE, "a", bo)]).await, taken());

    assert_eq!(claim(&store, vec![Claim::hold(SCOPE, "a", ada, at(0))]).await, Ok(()));
    assert_eq!(holder(&store, "a").await, None);
    assert_eq!(claim(&store, vec![Claim::take(SCOPE, "a", bo)]).await, Ok(()));
    assert_eq!(holder(&store, "a").await, Some(bo), "for ever again");
    assert_eq!(claim(&store, vec![Claim::take(SCOPE, "a", cy)]).await, taken());
}

pub(super) async fn a_refused_append_claims_nothing(store: Store) {
    let (stream, ada, bo) = (fresh(), fresh(), fresh());
    write(&store, stream, 1).await;
    claim(&store, vec![Claim::take(SCOPE, "a", ada)]).await.unwrap();
    let claims = vec![Claim::take(SCOPE, "b", bo), Claim::release(SCOPE, "a", ada)];
    let stale = append(vec![note(stream, FIRST, vec![written("x")])]);
    assert!(store.append(Append { claims: claims.clone(), ..stale }).await.is_err());
    assert_eq!((holder(&store, "a").await, holder(&store, "b").await), (Some(ada), None));

    let mixed = vec![claims[0].clone(), Claim::take(SCOPE, "a", bo)];
    let some = append(vec![note(stream, Expected::Any, vec![written("x")])]);
    assert_eq!(store.append(Append { claims: mixed, ..some }).await.map(drop), taken());
    assert_eq!(holder(&store, "b").await, None);
    let good = append(vec![note(stream, exact(1), vec![written("x")])]);
    store.append(Append { claims, ..good }).await.unwrap();
    assert_eq!((holder(&store, "a").await, holder(&store, "b").await), (None, Some(bo)));
}

pub(super) async fn values_that_begin_alike_are_listed(store: Store) {
    let (ada, bo) = (fresh(), fresh());
    let list = async |prefix, limit| store.claim_owners(SCOPE, prefix, limit).await.unwrap();
    let claims = vec![
        Claim::take(SCOPE, "a/2", bo),
        Claim::take(SCOPE, "a/1", ada),
        Claim::take(SCOPE, "ab", ada),
        Claim::take(SCOPE, "a/%", ada),
        Claim::take(SCOPE, "a/0", ada),
        Claim::take("test.other", "a/3", ada),
    ];
    claim(&store, claims).await.unwrap();
    claim(&store, vec![Claim::hold(SCOPE, "a/0", ada, at(0))]).await.unwrap();
    let all = [("a/%", ada), ("a/1", ada), ("a/2", bo)].map(|(key, by)| (key.to_owned(), by));
    assert_eq!(list("a/", 9).await, all);
    assert_eq!(list("a/", 2).await, all[..2]);
    assert_eq!(list("a/%", 9).await, all[..1], "nothing in it is a pattern");
    claim(&store, vec![Claim::release(SCOPE, "a/1", ada)]).await.unwrap();
    assert_eq!(list("a/", 9).await, [all[0].clone(), all[2].clone()]);
    assert_eq!(list("c", 9).await, []);
}
