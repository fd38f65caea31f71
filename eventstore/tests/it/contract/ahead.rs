//! Appends that are decided on what others lead to before those are written.

use domain::kernel::Version;
use eventstore::{Append, AppendError, Claim, Committed, Expected, Fate, Line, Store};
use uuid::Uuid;

use crate::support::{FIRST, Note, append, exact, fresh, note, write, written};

/// An event that is written behind others.
async fn behind(
    store: &Store,
    (stream, expected): (Uuid, Expected),
    line: Line,
) -> Result<Committed, AppendError> {
    let asked = append(vec![note(stream, expected, vec![written("x")])]);
    store.append_in_line(asked, line, || {}).await
}

fn fate() -> (Fate, Line) {
    let fate = Fate::default();
    let line = Line { fate: Some(fate.clone()), follows: Vec::new() };
    (fate, line)
}

pub(super) async fn a_row_of_appends_is_written_together(store: Store) {
    let (stream, other) = (fresh(), fresh());
    write(&store, stream, 1).await;
    let batches = |store: &Store| store.activity().batch.buckets.iter().sum::<u64>();
    let before = batches(&store);
    let ((one, first), (two, second)) = (fate(), fate());
    let second = Line { follows: vec![one], ..second };
    let third = Line { fate: None, follows: vec![two] };
    let (alone, a, b, c) = tokio::join!(
        // Is written while the others gather.
        write(&store, other, 1),
        behind(&store, (stream, exact(1)), first),
        behind(&store, (stream, exact(2)), second),
        behind(&store, (stream, exact(3)), third),
    );
    drop(alone);
    let versions = [a, b, c].map(|done| done.unwrap().versions[0].1.0);
    assert_eq!(versions, [2, 3, 4]);
    assert!(batches(&store) - before < 4, "each had a batch of its own");
    let log = store.read_stream(stream, Version(0)).await.unwrap();
    let versions: Vec<_> = log.iter().map(|event| event.envelope.version.0).collect();
    assert_eq!(versions, [1, 2, 3, 4]);
}

/// What stands in the place of an append that was refused has its version, and nothing else of it.
pub(super) async fn who_follows_what_is_refused_is_refused(store: Store) {
    let (stream, held) = (fresh(), fresh().to_string());
    let mut holder = append(Vec::new());
    holder.claims.push(Claim::take("test.name", &held, fresh()));
    store.append(holder).await.unwrap();
    let greedy = |expected| {
        let asked = append(vec![note(stream, expected, vec![written("greedy")])]);
        Append { claims: vec![Claim::take("test.name", &held, stream)], ..asked }
    };

    // In one batch, and the one that follows the follower.
    let ((one, first), (two, second)) = (fate(), fate());
    let second = Line { follows: vec![one.clone()], ..second };
    let third = Line { fate: None, follows: vec![two] };
    let (a, b, c) = tokio::join!(
        store.append_in_line(greedy(FIRST), first, || {}),
        behind(&store, (stream, exact(1)), second),
        behind(&store, (stream, exact(2)), third),
    );
    assert!(matches!(a, Err(AppendError::ClaimTaken { .. })), "{a:?}");
    assert_eq!([b, c], [Err(AppendError::Conflict(vec![])), Err(AppendError::Conflict(vec![]))]);

    // Later, when another event has the version.
    write(&store, stream, 1).await;
    let late = Line { fate: None, follows: vec![one] };
    let refused = behind(&store, (stream, exact(1)), late).await;
    assert_eq!(refused, Err(AppendError::Conflict(vec![])));
    assert_eq!(store.read_stream(stream, Version(0)).await.unwrap().len(), 1);
}

/// A repetition hears its first answer, whatever became of what it was decided on.
pub(super) async fn a_repetition_that_follows_hears_the_first_answer(store: Store) {
    let stream = fresh();
    let asked = append(vec![note(stream, FIRST, vec![written("x")])]);
    let done = store.append(asked.clone()).await.unwrap();
    let (void, line) = fate();
    assert!(behind(&store, (stream, FIRST), line).await.is_err());
    let follows = Line { fate: None, follows: vec![void] };
    let again = store.append_in_line(asked, follows, || {}).await.unwrap();
    assert_eq!((again.duplicate, again.position), (true, done.position));
}

pub(super) async fn only_deciders_see_what_is_foreseen(store: Store) {
    let stream = fresh();
    write(&store, stream, 1).await;
    let now = store.load::<Note>(stream).await.unwrap();
    let (own, line) = fate();
    let mut next = now.clone();
    (next.version, next.state.text) = (Version(2), "next".to_owned());
    let asked = append(vec![note(stream, exact(1), vec![written("next")])]);
    let foresee = || store.foresee(stream, next.into(), &own);
    let (done, ahead) = tokio::join!(
        store.append_in_line(asked, line, foresee),
        // Asked once the other is handed in.
        async { store.foreseen::<Note>(stream).await.unwrap().unwrap() }
    );
    assert_eq!((ahead.version, &*ahead.state.text, ahead.cached), (Version(2), "next", true));
    assert!(ahead.follows.is_some_and(|follows| follows.same(&own)));
    assert_eq!(store.load::<Note>(stream).await.unwrap().version, now.version);
    done.unwrap();
    store.settled(stream).await.unwrap();
    let ahead = store.foreseen::<Note>(stream).await.unwrap().unwrap();
    assert!(ahead.version == Version(2) && ahead.follows.is_none(), "it is written by now");
    store.unsee(stream, &Fate::default());
    assert!(store.foreseen::<Note>(stream).await.unwrap().is_some(), "not its own");
    store.unsee(stream, &own);
    assert!(store.foreseen::<Note>(stream).await.unwrap().is_none());
    assert_eq!(store.load::<Note>(stream).await.unwrap().version, now.version);
    assert_eq!(store.load_fresh::<Note>(stream).await.unwrap().version, Version(2));

    // What comes to nothing is seen by nobody.
    let (own, line) = fate();
    let asked = append(vec![note(stream, exact(1), vec![written("late")])]);
    let mut lost = now;
    lost.version = Version(9);
    store
        .append_in_line(asked, line, || store.foresee(stream, lost.into(), &own))
        .await
        .unwrap_err();
    assert!(store.foreseen::<Note>(stream).await.unwrap().is_none());
}
