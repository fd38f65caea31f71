//! Word from outside of how far the log reaches.

use domain::kernel::Position;
use eventstore::Store;
use futures_util::FutureExt;

use crate::support::{NEVER, fresh, write};

pub(super) async fn only_what_the_log_says_is_believed(store: Store) {
    let last = write(&store, fresh(), 2).await.position;
    let head = store.watch_head();
    let mut reader = store.clone().polled_every(NEVER).subscribe(last);
    for lie in [Position(i64::MAX), Position(last.0 + 1)] {
        assert_eq!(store.hint(lie).await.unwrap(), last);
    }
    for stale in [last, Position(0), Position(i64::MIN)] {
        assert_eq!(store.hint(stale).await.unwrap(), last);
    }
    assert!(!head.has_changed().unwrap(), "nobody was woken");
    assert!(reader.next(1).now_or_never().is_none(), "and nobody looks");
}

pub(super) async fn what_was_written_here_is_told(store: Store) {
    let mut written = store.watch_written();
    assert_eq!(*written.borrow_and_update(), Position(0));
    let last = write(&store, fresh(), 3).await.position;
    assert_eq!(*written.borrow_and_update(), last);
    store.hint(Position(i64::MAX)).await.unwrap();
    assert!(!written.has_changed().unwrap());
}
