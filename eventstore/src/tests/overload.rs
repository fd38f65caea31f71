//! A log that does not move: what waits is bounded.

use std::sync::{Arc, Mutex};

use domain::kernel::{KeyId, Position, TenantId, Version};
use futures_util::FutureExt;
use tokio::sync::Semaphore;
use uuid::Uuid;

use super::{command, sealed};
use crate::{
    admission,
    append::{AppendError, Committed},
    backend::{Answer, Backend, CommandRecord, Filter, Sealed, Unavailable, Verdict},
    event::Stored,
    feed::Feed,
    scan::Span,
    writer::{Refused, Writer},
};

/// Writes when it is let, and counts.
struct Gate {
    entered: Semaphore,
    open: Semaphore,
    batches: Mutex<Vec<usize>>,
}

impl Backend for Gate {
    fn append<'a>(&'a self, batch: &'a [Arc<Sealed>]) -> Answer<'a, Vec<Verdict>> {
        async move {
            self.entered.add_permits(1);
            self.open.acquire().await.map_err(Unavailable::lost)?.forget();
            self.batches.lock().unwrap().push(batch.len());
            Ok(batch.iter().map(|_| Verdict::Reused).collect())
        }
        .boxed()
    }

    fn load<'a>(&'a self, _: &'a [(Uuid, Version)]) -> Answer<'a, Vec<Stored>> {
        async { Err(Unavailable::stopped()) }.boxed()
    }

    fn read(&self, _: Position, _: i64) -> Answer<'_, Vec<Stored>> {
        async { Err(Unavailable::stopped()) }.boxed()
    }

    fn span<'a>(&'a self, _: Position, _: i64, _: &'a [String]) -> Answer<'a, Span> {
        async { Err(Unavailable::stopped()) }.boxed()
    }

    fn search<'a>(&'a self, _: &'a Filter) -> Answer<'a, Vec<Stored>> {
        async { Err(Unavailable::stopped()) }.boxed()
    }

    fn log_id(&self) -> Answer<'_, String> {
        async { Err(Unavailable::stopped()) }.boxed()
    }

    fn head(&self) -> Answer<'_, Position> {
        async { Err(Unavailable::stopped()) }.boxed()
    }

    fn claim_owner<'a>(&'a self, _: &'a str, _: &'a str) -> Answer<'a, Option<Uuid>> {
        async { Err(Unavailable::stopped()) }.boxed()
    }

    fn claim_owners<'a>(
        &'a self,
        _: &'a str,
        _: &'a str,
        _: i64,
    ) -> Answer<'a, Vec<(String, Uuid)>> {
        async { Err(Unavailable::stopped()) }.boxed()
    }

    fn command(&self, _: TenantId, _: Uuid) -> Answer<'_, Option<CommandRecord>> {
        async { Err(Unavailable::stopped()) }.boxed()
    }

    fn keys<'a>(
        &'a self,
        _: &'a [KeyId],
        _: &'a [(KeyId, Vec<u8>)],
    ) -> Answer<'a, Vec<(KeyId, Option<Vec<u8>>)>> {
        async { Err(Unavailable::stopped()) }.boxed()
    }
}

/// Hands an append in and does not stay for the answer.
fn hand_in(writer: &Writer, id: u128) -> Option<Result<Committed, Refused>> {
    let command = command(TenantId::PLATFORM, id, 0);
    writer.append(Arc::new(sealed(command, Vec::new(), None))).now_or_never()
}

#[tokio::test]
async fn a_full_line_refuses_and_drains_again() {
    let closed = || Semaphore::new(0);
    let gate = Gate { entered: closed(), open: closed(), batches: Mutex::default() };
    let gate = Arc::new(gate);
    let writer = Writer::start(gate.clone(), Arc::new(Feed::new(Position(0))));
    assert_eq!(hand_in(&writer, 0), None);
    gate.entered.acquire().await.unwrap().forget();
    let mut waiting = 0;
    let refused = loop {
        match hand_in(&writer, waiting + 1) {
            None => waiting += 1,
            Some(outcome) => break outcome,
        }
    };
    assert_eq!(refused, Err(AppendError::Overloaded.into()));
    assert_eq!(waiting, 4_096);

    gate.open.add_permits(1_000);
    let command = command(TenantId::PLATFORM, 0xffff, 0);
    let last = loop {
        let append = Arc::new(sealed(command, Vec::new(), None));
        match writer.append(append).await {
            Err(Refused::Told(AppendError::Overloaded)) => tokio::task::yield_now().await,
            outcome => break outcome,
        }
    };
    assert_eq!(last, Err(AppendError::CommandReused.into()), "the gate's own word");
    let batches = gate.batches.lock().unwrap().clone();
    assert_eq!(batches.iter().sum::<usize>(), 1 + 4_096 + 1);
    assert!(batches.iter().all(|size| *size <= admission::MOST));
    assert!(batches.len() <= 18, "what waits together is written together");
}
