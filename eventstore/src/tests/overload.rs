//! A log that does not move: what waits is bounded, and asked for together.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use domain::kernel::{KeyId, Position, TenantId, Version};
use futures_util::FutureExt;
use tokio::sync::Semaphore;
use uuid::Uuid;

use super::{command, sealed};
use crate::{
    admission,
    append::{AppendError, Committed},
    backend::{Answer, Backend, CommandRecord, Filter, Sealed, Unavailable, Verdict},
    event::{Fact, Stored},
    feed::Feed,
    loader::Loader,
    scan::Span,
    writer::{Refused, Writer},
};

/// The stream that cannot be loaded.
const UNREADABLE: Uuid = Uuid::max();

/// Writes and answers when it is let, and counts.
struct Gate {
    entered: Semaphore,
    open: Semaphore,
    batches: Mutex<Vec<usize>>,
}

impl Gate {
    fn closed() -> Arc<Self> {
        let closed = || Semaphore::new(0);
        Arc::new(Self { entered: closed(), open: closed(), batches: Mutex::default() })
    }

    async fn pass(&self, batch: usize) -> Result<(), Unavailable> {
        self.entered.add_permits(1);
        self.open.acquire().await.map_err(Unavailable::lost)?.forget();
        self.batches.lock().unwrap().push(batch);
        Ok(())
    }
}

impl Backend for Gate {
    fn append<'a>(&'a self, batch: &'a [Arc<Sealed>]) -> Answer<'a, Vec<Verdict>> {
        async move {
            self.pass(batch.len()).await?;
            Ok(batch.iter().map(|_| Verdict::Reused).collect())
        }
        .boxed()
    }

    fn load<'a>(&'a self, wanted: &'a [(Uuid, Version)]) -> Answer<'a, Vec<Fact>> {
        async {
            self.pass(wanted.len()).await?;
            match wanted.iter().any(|(stream, _)| *stream == UNREADABLE) {
                true => Err(Unavailable::refused(sqlx::Error::Decode("an unknown kind".into()))),
                false => Ok(Vec::new()),
            }
        }
        .boxed()
    }

    fn stream(&self, _: Uuid, _: Version) -> Answer<'_, Vec<Stored>> {
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
    writer.append(Arc::new(sealed(command, Vec::new(), None)), || {}).now_or_never()
}

#[tokio::test]
async fn a_full_line_refuses_and_drains_again() {
    let gate = Gate::closed();
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
        match writer.append(append, || {}).await {
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

#[tokio::test(start_paused = true)]
async fn loads_gather_while_a_question_is_out_but_not_for_long() {
    let gate = Gate::closed();
    let loader = Loader::start(gate.clone(), 2);
    let load = async |stream| loader.load(Uuid::from_u128(stream), Version(0)).await.unwrap();
    let others = async {
        gate.entered.acquire().await.unwrap().forget();
        let later = async {
            // As long as it takes everybody else to do what they can do at once.
            tokio::time::sleep(Duration::from_millis(1)).await;
            load(4).await
        };
        let answered = async {
            gate.entered.acquire().await.unwrap().forget();
            assert!(gate.batches.lock().unwrap().is_empty(), "the first is still out");
            gate.open.add_permits(2);
        };
        tokio::join!(load(2), load(3), later, answered)
    };
    let all = async { tokio::join!(load(1), others) };
    tokio::time::timeout(Duration::from_secs(1), all).await.expect("nobody waits without end");
    assert_eq!(*gate.batches.lock().unwrap(), [1, 3]);
}

#[tokio::test]
async fn a_stream_that_cannot_be_read_does_not_take_others_with_it() {
    let gate = Gate::closed();
    let loader = Loader::start(gate.clone(), 2);
    let load = async |stream| loader.load(stream, Version(0)).await;
    gate.open.add_permits(10);
    let (first, unreadable, second) =
        tokio::join!(load(Uuid::from_u128(1)), load(UNREADABLE), load(Uuid::from_u128(2)));
    assert!(first.is_ok() && second.is_ok());
    assert!(unreadable.unwrap_err().is_refusal());
    assert_eq!(*gate.batches.lock().unwrap(), [3, 1, 1, 1]);
}
