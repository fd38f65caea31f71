//! Any batch equals its appends made one by one.
//!
//! The same queue goes through admission to PostgreSQL in batches, and one by one, in the order
//! admission chose, to a second PostgreSQL and to memory: verdicts and tables must be equal. One
//! by one in the order of the queue, the verdicts must be the same but for the positions. What an
//! append follows is settled before it is asked one by one, and is with it in a batch.

use std::{
    cell::Cell,
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use domain::kernel::{KeyId, Position, TenantId, Timestamp, Version, testing::at};
use proptest::{
    collection::{btree_map, vec},
    option,
    prelude::*,
    test_runner::{Config, TestRunner},
};
use sqlx::{AssertSqlSafe, PgPool};
use testkit::TestDb;
use uuid::Uuid;

use super::{command, sealed};
use crate::{
    Memory, Postgres, admission,
    ahead::{End, Fate, Line, Owed},
    append::{Claim, Expected},
    backend::{Backend, Condition, NewKey, Sealed, Verdict},
    event::Stored,
};

/// Subjects; the first two have a key before anything else happens.
const KEYS: u8 = 4;

/// What an append touches, by small numbers, so that appends meet often.
#[derive(Debug, Clone)]
struct Step {
    /// An earlier command's id, or one of its own.
    command: Option<u8>,
    digest: u8,
    streams: BTreeMap<u8, (Option<i32>, i32)>,
    claims: BTreeMap<u8, Change>,
    uses: Option<u8>,
    /// Whether it makes the key it uses.
    makes: bool,
    shred: Option<u8>,
    foreign: bool,
    /// How far back in the queue the append is that it follows.
    follows: Option<usize>,
}

/// From whom to whom, and whether it has lapsed where it lapses at all.
type Change = (Option<u8>, Option<u8>, Option<bool>);

fn step() -> impl Strategy<Value = Step> {
    let rarely = |odds| proptest::bool::weighted(odds);
    let part = (option::weighted(0.3, 0..3_i32), 0..3_i32);
    let claim = (option::of(0..2_u8), option::of(0..2_u8), option::of(any::<bool>()));
    (
        option::weighted(0.3, 0..8_u8),
        rarely(0.1).prop_map(u8::from),
        btree_map(0..3_u8, part, 0..3),
        btree_map(0..2_u8, claim, 0..2),
        option::weighted(0.3, 0..KEYS),
        rarely(0.3),
        option::weighted(0.1, 0..KEYS),
        rarely(0.1),
        option::weighted(0.5, 0..3_usize),
    )
        .prop_map(
            |(command, digest, streams, claims, uses, makes, shred, foreign, follows)| Step {
                command,
                digest,
                streams,
                claims,
                uses,
                makes,
                shred,
                foreign,
                follows,
            },
        )
}

/// Ids of one case: others share the database.
#[derive(Clone, Copy)]
struct Case(u128);

impl Case {
    fn id(self, kind: u8, number: impl Into<u128>) -> u128 {
        self.0 << 96 | u128::from(kind) << 64 | number.into()
    }

    fn uuid(self, kind: u8, number: u8) -> Uuid {
        Uuid::from_u128(self.id(kind, number))
    }

    fn tenant(self) -> TenantId {
        TenantId::from_uuid(self.uuid(0, 0))
    }

    fn key(self, number: u8) -> KeyId {
        KeyId::from_uuid(self.uuid(4, number))
    }

    fn claim(self, number: u8) -> String {
        format!("{}-{number}", self.0)
    }

    /// The appends of some steps, each with a fate of its own.
    fn queue(self, steps: &[Step]) -> Vec<(usize, Arc<Sealed>)> {
        let mut queue: Vec<(usize, Arc<Sealed>)> = Vec::new();
        let mut before: Vec<Step> = Vec::new();
        for (step, index) in steps.iter().zip(0..) {
            let mut step = step.clone();
            let mut line = Line { fate: Some(Fate::default()), follows: Vec::new() };
            if let Some(back) = step.follows
                && let (Some(other), Some((_, append))) =
                    (before.iter().nth_back(back), queue.iter().nth_back(back))
            {
                // It knows what the one before it leaves.
                let left = other.streams.iter().filter(|(_, (_, count))| *count > 0);
                let left = left.map(|(stream, (expected, count))| {
                    let own = step.streams.get(stream).map_or(1, |(_, own)| *own);
                    (*stream, (expected.map(|version| version + count), own))
                });
                let left: Vec<_> = left.collect();
                step.streams.extend(left);
                line.follows.extend(append.line.fate.clone());
            }
            let append = Sealed { line, ..self.append(&step, index) };
            queue.push((queue.len(), Arc::new(append)));
            before.push(step);
        }
        queue
    }

    fn append(self, step: &Step, index: u8) -> Sealed {
        let number = step.command.unwrap_or(100 + index);
        let condition = |(stream, (expected, count)): (&u8, &(Option<i32>, i32))| Condition {
            tenant: self.tenant(),
            category: if step.foreign { "test.other" } else { "test.note" },
            stream: self.uuid(2, *stream),
            expected: expected.map_or(Expected::Any, |version| Expected::Exact(Version(version))),
            count: *count,
        };
        let conditions = step.streams.iter().map(condition).collect();
        let command = command(self.tenant(), self.id(1, number), step.digest);
        let mut sealed = sealed(command, conditions, step.uses.map(|key| self.key(key)));
        let owner = |number: Option<u8>| number.map(|number| self.uuid(3, number));
        sealed.claims.extend(step.claims.iter().map(|(key, (prior, next, until))| Claim {
            scope: "test.name",
            key: self.claim(*key),
            prior: owner(*prior),
            owner: owner(*next),
            until: until.map(|lapsed| at(if lapsed { 0 } else { 4_000_000_000 })),
        }));
        let made = step
            .uses
            .filter(|_| step.makes)
            .map(|key| NewKey { id: self.key(key), wrapped: vec![key, index] });
        sealed.makes.extend(made);
        sealed.shred.extend(step.shred.map(|key| self.key(key)));
        sealed
    }
}

/// Without the times, and with positions counted from where the case began.
fn plain(mut verdict: Verdict, base: Position) -> Verdict {
    match &mut verdict {
        Verdict::Committed { first, last, recorded_at, .. } => {
            first.0 -= base.0;
            last.0 -= base.0;
            *recorded_at = Timestamp::default();
        }
        Verdict::Duplicate(record) => record.position.0 -= base.0,
        Verdict::Reused
        | Verdict::Conflict(_)
        | Verdict::ClaimTaken(_)
        | Verdict::SubjectErased
        | Verdict::KeyMade => {}
    }
    verdict
}

/// Also without the positions.
fn bare(mut verdict: Verdict) -> Verdict {
    match &mut verdict {
        Verdict::Committed { first, last, .. } => (*first, *last) = Default::default(),
        Verdict::Duplicate(record) => record.position = Position::default(),
        Verdict::Reused
        | Verdict::Conflict(_)
        | Verdict::ClaimTaken(_)
        | Verdict::SubjectErased
        | Verdict::KeyMade => {}
    }
    verdict
}

/// The events of a case, likewise.
async fn log(backend: &dyn Backend, base: Position) -> Vec<Stored> {
    let mut events = backend.read(base, 10_000).await.unwrap();
    for event in &mut events {
        let envelope = Arc::make_mut(&mut event.envelope);
        envelope.position.0 -= base.0;
        envelope.append_last.0 -= base.0;
        envelope.recorded_at = Timestamp::default();
    }
    events
}

/// What else both know of a case.
async fn rest(backend: &dyn Backend, case: Case, base: Position) -> Vec<String> {
    let mut rest = Vec::new();
    for key in 0..KEYS {
        let owner = backend.claim_owner("test.name", &case.claim(key)).await.unwrap();
        let subject = backend.keys(&[case.key(key)], &[]).await.unwrap();
        rest.push(format!("{owner:?} {subject:?}"));
    }
    for number in (0..8).chain(100..130) {
        let record = backend.command(case.tenant(), case.uuid(1, number)).await.unwrap();
        rest.push(format!("{:?}", record.map(|r| plain(Verdict::Duplicate(r), base))));
    }
    rest
}

/// The tables of a case as they are, without times.
async fn tables(pool: &PgPool, case: Case, base: Position) -> Vec<String> {
    let tenant = case.tenant();
    let queries = [
        format!(
            "SELECT concat_ws(' ', command, digest, last_position - {base}, events, reply)
               FROM eventstore.commands WHERE tenant = '{tenant}' ORDER BY 1"
        ),
        format!(
            "SELECT u::text FROM eventstore.unique_claims u WHERE key LIKE '{}-%' ORDER BY 1",
            case.0
        ),
        format!(
            "SELECT concat_ws(' ', key_id, wrapped) FROM eventstore.subject_keys
              WHERE key_id BETWEEN '{}' AND '{}' ORDER BY 1",
            case.key(0),
            case.key(KEYS)
        ),
    ];
    let mut rows = Vec::new();
    for sql in queries {
        let found: Vec<String> =
            sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(pool).await.unwrap();
        rows.extend(found);
    }
    rows
}

/// Writes a batch, and lets those that follow know.
async fn write(backend: &dyn Backend, batch: &[Arc<Sealed>]) -> Vec<Verdict> {
    let verdicts = backend.append(batch).await.unwrap();
    for (append, verdict) in batch.iter().zip(&verdicts) {
        let is_written = matches!(verdict, Verdict::Committed { .. });
        Owed::new(append.line.fate.clone()).settle(is_written);
    }
    verdicts
}

/// Writes the steps of a case one by one, in this order.
async fn one_by_one(
    backend: &dyn Backend,
    queue: &[(usize, Arc<Sealed>)],
    order: impl IntoIterator<Item = usize>,
) -> Vec<Verdict> {
    let mut verdicts = Vec::new();
    for number in order {
        verdicts.extend(write(backend, std::slice::from_ref(&queue[number].1)).await);
    }
    verdicts
}

/// Writes the steps of a case in batches; answers their order, and how many were written with one
/// they follow.
async fn in_batches(
    backend: &dyn Backend,
    queue: Vec<(usize, Arc<Sealed>)>,
) -> (Vec<usize>, Vec<Verdict>, usize) {
    let mut waiting = VecDeque::from(queue);
    let (mut order, mut verdicts, mut together) = (Vec::new(), Vec::new(), 0);
    while !waiting.is_empty() {
        let batch = admission::admit(&mut waiting, admission::MOST, |(_, append)| append);
        let appends: Vec<_> = batch.iter().map(|(_, append)| append.clone()).collect();
        let follow: Vec<_> = appends
            .iter()
            .map(|a| a.line.follows.iter().any(|fate| fate.end() == End::Open))
            .collect();
        let written = write(backend, &appends).await;
        let is_written = |verdict: &Verdict| matches!(verdict, Verdict::Committed { .. });
        together += follow.iter().zip(&written).filter(|(f, v)| **f && is_written(v)).count();
        verdicts.extend(written);
        order.extend(batch.iter().map(|(number, _)| *number));
    }
    (order, verdicts, together)
}

struct Bed {
    batched: (TestDb, Postgres),
    single: (TestDb, Postgres),
}

impl Bed {
    async fn new() -> Self {
        let place = async || {
            let database = testkit::database().await;
            let backend = Postgres::connect(database.url.parse().unwrap()).await.unwrap();
            (database, backend)
        };
        Self { batched: place().await, single: place().await }
    }

    /// Answers how many appends were written in one batch with one they follow.
    async fn try_case(&self, case: Case, steps: &[Step]) -> usize {
        let (batched, single) = (&self.batched.1, &self.single.1);
        let (in_order, in_queue, in_memory) = (Memory::new(), Memory::new(), Memory::new());
        let offered = [0, 1].map(|key| (case.key(key), vec![key]));
        let all: [&dyn Backend; 5] = [batched, single, &in_order, &in_queue, &in_memory];
        for backend in all {
            backend.keys(&[], &offered).await.unwrap();
        }
        let bases = (batched.head().await.unwrap(), single.head().await.unwrap());

        // Each has appends of its own: their fates differ while they are written.
        let (order, verdicts, together) = in_batches(batched, case.queue(steps)).await;
        let verdicts: Vec<_> = verdicts.into_iter().map(|v| plain(v, bases.0)).collect();
        let (same, memory, _) = in_batches(&in_memory, case.queue(steps)).await;
        let memory: Vec<_> = memory.into_iter().map(|v| plain(v, Position(0))).collect();
        assert_eq!((&order, &verdicts), (&same, &memory), "batches of PostgreSQL and of memory");
        let singly = one_by_one(single, &case.queue(steps), order.clone()).await;
        let singly: Vec<_> = singly.into_iter().map(|v| plain(v, bases.1)).collect();
        assert_eq!(verdicts, singly, "batches against one by one");
        let memory = one_by_one(&in_order, &case.queue(steps), order.clone()).await;
        let memory: Vec<_> = memory.into_iter().map(|v| plain(v, Position(0))).collect();
        assert_eq!(verdicts, memory, "PostgreSQL against memory");

        let events = log(batched, bases.0).await;
        assert_eq!(events, log(single, bases.1).await);
        assert_eq!(events, log(&in_order, Position(0)).await);
        let others = rest(batched, case, bases.0).await;
        assert_eq!(others, rest(single, case, bases.1).await);
        assert_eq!(others, rest(&in_order, case, Position(0)).await);
        let rows = tables(&self.batched.0.pool, case, bases.0).await;
        assert_eq!(rows, tables(&self.single.0.pool, case, bases.1).await);

        let mut admitted: Vec<_> = order.into_iter().zip(verdicts).collect();
        admitted.sort_by_key(|(n, _)| *n);
        let admitted: Vec<_> = admitted.into_iter().map(|(_, v)| bare(v)).collect();
        let queued = one_by_one(&in_queue, &case.queue(steps), 0..steps.len()).await;
        let queued: Vec<_> = queued.into_iter().map(|v| bare(plain(v, Position(0)))).collect();
        assert_eq!(admitted, queued, "nothing overtakes what it touches");
        together
    }
}

#[test]
fn a_batch_equals_its_appends_made_one_by_one() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let bed = runtime.block_on(Bed::new());
    let config = Config { cases: 96, failure_persistence: None, ..Config::default() };
    let (number, together) = (Cell::new(0), Cell::new(0));
    TestRunner::new(config)
        .run(&vec(step(), 1..24), |steps| {
            number.set(number.get() + 1);
            let case = bed.try_case(Case(number.get()), &steps);
            together.set(together.get() + runtime.block_on(case));
            Ok(())
        })
        .unwrap();
    assert!(together.get() > 30, "{} were written with what they follow", together.get());
}
