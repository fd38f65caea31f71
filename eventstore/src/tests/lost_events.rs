//! A head that the log does not have, or has no more: readers must not spin on it.

use std::{sync::Arc, time::Duration};

use domain::kernel::Position;
use futures_util::FutureExt;

use crate::{feed::Feed, memory::Memory, subscribe::Subscription};

#[tokio::test]
async fn a_head_that_leads_nowhere_is_looked_at_once() {
    let feed = Arc::new(Feed::new(Position(0)));
    let never = Duration::from_secs(86_400);
    let mut reader = Subscription::new(Arc::new(Memory::new()), feed.clone(), never, Position(0));
    for lost in [Position(7), Position(9), Position(i64::MAX)] {
        feed.raise(lost);
        let looked = reader.next(10).now_or_never().expect("a new head is worth a look");
        assert!(looked.unwrap().is_empty());
        assert!(reader.next(10).now_or_never().is_none(), "an old one is not");
    }
}
