//! However this process hears of events, what it hands on is what the log holds.

use std::sync::Arc;

use domain::kernel::{Position, TenantId};
use proptest::prelude::*;
use uuid::Uuid;

use super::{command, sealed};
use crate::{
    append::Expected,
    backend::{Backend, Condition},
    event::Stored,
    feed::Feed,
    memory::Memory,
};

const EVENTS: usize = 12;

async fn log() -> Vec<Stored> {
    let memory = Memory::new();
    let appends = (1..=u128::try_from(EVENTS).unwrap()).map(|number| {
        let condition = Condition {
            tenant: TenantId::PLATFORM,
            category: "test.note",
            stream: Uuid::from_u128(number),
            expected: Expected::Any,
            count: 1,
        };
        Arc::new(sealed(command(TenantId::PLATFORM, number, 0), vec![condition], None))
    });
    memory.append(&appends.collect::<Vec<_>>()).await.unwrap();
    memory.read(Position(0), 100).await.unwrap()
}

/// Whether what comes after each place is a run of the log that begins there.
fn check(feed: &Feed, log: &[Stored]) {
    for place in 0..=EVENTS {
        let after = feed.after(Position(i64::try_from(place).unwrap()), EVENTS);
        let after = after.unwrap_or_default();
        assert_eq!(after, log[place..place + after.len()], "after {place}");
    }
}

proptest! {
    #[test]
    fn runs_are_the_logs(runs in proptest::collection::vec((0..EVENTS, 1..6_usize), 1..8)) {
        let log = futures_util::FutureExt::now_or_never(log()).unwrap();
        let feed = Feed::new(Position(0));
        let mut head = Position(0);
        for (first, count) in runs {
            let run = &log[first..(first + count).min(EVENTS)];
            let last = run.last().unwrap().envelope.position;
            prop_assert_eq!(feed.learn(run.to_vec()), Some(last));
            head = head.max(last);
            prop_assert_eq!(*feed.head().borrow(), head);
            check(&feed, &log);
        }
        prop_assert_eq!(*feed.written().borrow(), Position(0));
    }
}

#[tokio::test]
async fn news_of_others_close_the_gap() {
    let log = log().await;
    let feed = Feed::new(Position(0));
    feed.push(log[..3].to_vec());
    // Another process wrote in between, and this one heard of it late.
    feed.push(log[5..8].to_vec());
    assert!(feed.after(Position(3), 9).is_none());
    feed.learn(log[3..9].to_vec());
    assert_eq!(feed.after(Position(3), 99).unwrap(), log[3..9]);
    feed.push(log[9..].to_vec());
    assert_eq!(feed.after(Position(3), 99).unwrap(), log[3..]);
    // What is older and does not join on is for nobody.
    feed.learn(log[..2].to_vec());
    assert_eq!(feed.after(Position(3), 99).unwrap(), log[3..]);
    assert_eq!(*feed.written().borrow(), Position(12));
}
