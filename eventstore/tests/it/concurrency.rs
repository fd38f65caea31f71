//! Many writers, several processes, and readers who look all the while.

use std::collections::HashMap;

use domain::kernel::{Position, Version};
use eventstore::{Append, AppendError, Committed, Expected, Store, Stored};
use futures_util::{FutureExt, future::join_all};
use testkit::TestDb;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::support::{append, fresh, note, on, write, written};

const PROCESSES: usize = 3;
const TASKS: usize = 6;
const APPENDS: usize = 25;

/// One append that went through: its mark, how many events it has, and what was answered.
type Done = (String, usize, Committed);

/// Adds to a hot stream as often as it takes.
async fn heat(store: &Store, stream: Uuid, mark: String) -> Done {
    let mut seen = Version(0);
    loop {
        let streams = vec![
            note(stream, Expected::Exact(seen), vec![written(&mark)]),
            note(fresh(), Expected::Exact(Version(0)), vec![written(&mark), written(&mark)]),
        ];
        match store.append(append(streams)).await {
            Ok(done) => return (mark, 3, done),
            Err(AppendError::Conflict(now)) => seen = now[0].1,
            Err(other) => panic!("{other}"),
        }
    }
}

async fn work(store: Store, hot: [Uuid; 3], name: String) -> Vec<Done> {
    let own = fresh();
    let mut done = Vec::new();
    for n in 0..APPENDS {
        let mark = format!("{name}-{n}");
        done.push(match n % 3 {
            0 => heat(&store, hot[n % hot.len()], mark).await,
            1 => {
                let asked = append(vec![note(own, Expected::Any, vec![written(&mark)])]);
                (mark, 1, store.append(asked).await.unwrap())
            }
            _ => {
                let events = vec![written(&mark); 4];
                let asked = append(vec![note(hot[0], Expected::Any, events)]);
                (mark, 4, store.append(asked).await.unwrap())
            }
        });
    }
    done
}

/// Reads page after page until `until`; what it saw must be the log, every time it looked.
async fn tail(store: Store, until: usize) -> Vec<Stored> {
    let mut seen: Vec<Stored> = Vec::new();
    while seen.len() < until {
        let after = seen.last().map_or(Position(0), |event| event.envelope.position);
        let page = store.read(after, 50).await.unwrap();
        for (event, expected) in page.iter().zip(after.0 + 1..) {
            assert_eq!(event.envelope.position, Position(expected), "no gap, now or later");
        }
        seen.extend(page);
    }
    seen
}

/// The same through subscriptions, which hand over whole appends.
async fn follow(store: Store, until: usize) -> Vec<Stored> {
    let mut reader = store.subscribe(Position(0));
    let mut seen: Vec<Stored> = Vec::new();
    while seen.len() < until {
        seen.extend(reader.next(50).await.unwrap());
        let last = seen.last().map(|event| &event.envelope);
        assert!(last.is_none_or(|e| e.position == e.append_last));
    }
    seen
}

fn check(log: &[Stored], done: &[Done]) {
    let mut versions: HashMap<Uuid, i32> = HashMap::new();
    let mut appends: HashMap<&str, Vec<&Stored>> = HashMap::new();
    for (event, position) in log.iter().zip(1..) {
        let e = &event.envelope;
        assert_eq!(e.position, Position(position));
        let version = versions.entry(e.stream).or_default();
        *version += 1;
        assert_eq!(e.version, Version(*version), "versions are contiguous");
        let mark = event.payload.split('"').nth(3).unwrap();
        appends.entry(mark).or_default().push(event);
    }
    let recorded = log.iter().map(|event| event.envelope.recorded_at);
    assert!(recorded.is_sorted(), "the clock of the log never goes back");
    assert_eq!(appends.len(), done.len());
    for (mark, count, committed) in done {
        let events = &appends[mark.as_str()];
        assert_eq!(events.len(), *count, "once and whole");
        let positions = events.iter().map(|event| event.envelope.position.0);
        let last = committed.position.0;
        assert!(positions.eq(last + 1 - i64::try_from(*count).unwrap()..=last), "in one piece");
        assert!(events.iter().all(|event| event.envelope.append_last == committed.position));
        let highest = |stream| events.iter().rfind(|e| e.envelope.stream == stream);
        for (stream, version) in &committed.versions {
            assert_eq!(highest(*stream).unwrap().envelope.version, *version);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_gap_no_skip_no_double() {
    let database = testkit::database().await;
    // What somebody set for all who connect is nothing to the log.
    sqlx::raw_sql(
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_isolation = %L',
           current_database(), 'repeatable read'); END $$",
    )
    .execute(&database.pool)
    .await
    .unwrap();
    let stores = join_all((0..PROCESSES).map(|_| on(&database))).await;
    let hot = [fresh(), fresh(), fresh()];
    let each: usize = (0..APPENDS).map(|n| [3, 1, 4][n % 3]).sum();
    let total = each * PROCESSES * TASKS;
    let mut readers = JoinSet::new();
    readers.spawn(tail(on(&database).await, total));
    readers.spawn(follow(on(&database).await, total));
    for store in &stores {
        readers.spawn(follow(store.clone(), total));
    }
    let mut writers = JoinSet::new();
    for (store, process) in stores.iter().zip(0..) {
        for task in 0..TASKS {
            writers.spawn(work(store.clone(), hot, format!("{process}-{task}")));
        }
    }
    let done = writers.join_all().await.concat();
    let logs = readers.join_all().await;
    check(&logs[0], &done);
    for log in &logs[1..] {
        assert!(*log == logs[0]);
    }
    assert_eq!(stores[0].head().await.unwrap(), Position(i64::try_from(total).unwrap()));
}

/// Somebody's forgotten transaction, that has read and written all over the log.
async fn idle_transaction(database: &TestDb) -> sqlx::Transaction<'static, sqlx::Postgres> {
    let mut transaction = database.pool.begin().await.unwrap();
    sqlx::raw_sql(
        "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ;
         SELECT count(*) FROM eventstore.events;
         INSERT INTO eventstore.process_state
         VALUES ('idle', gen_random_uuid(), gen_random_uuid(), '{}');
         CREATE TABLE idle ();",
    )
    .execute(&mut *transaction)
    .await
    .unwrap();
    transaction
}

#[tokio::test]
async fn an_idle_transaction_elsewhere_stalls_nobody() {
    let database = testkit::database().await;
    let (writer, reader) = (on(&database).await, on(&database).await);
    write(&writer, fresh(), 1).await;
    let idle = idle_transaction(&database).await;
    let mut following = writer.subscribe(Position(1));
    for position in 2..20 {
        assert_eq!(write(&writer, fresh(), 1).await.position, Position(position));
        assert_eq!(following.next(10).await.unwrap().len(), 1);
        let events = reader.read(Position(position - 1), 10).await.unwrap();
        assert_eq!(events.len(), 1, "what was answered can be read at once");
    }
    drop(idle);
}

#[tokio::test]
async fn what_a_lost_caller_asked_for_is_done_once() {
    let database = testkit::database().await;
    let store = on(&database).await;
    let stream = fresh();
    let asked: Vec<Append> = (0..40)
        .map(|n| append(vec![note(stream, Expected::Any, vec![written(&n.to_string())])]))
        .collect();
    for (append, n) in asked.iter().zip(0..) {
        let mut call = Box::pin(store.append(append.clone()));
        assert!(call.as_mut().now_or_never().is_none());
        // Some callers stay for a moment, so that the batch is on its way when they go.
        for _ in 0..n {
            tokio::task::yield_now().await;
            drop(call.as_mut().now_or_never());
        }
    }
    for append in asked {
        assert!(store.append(append).await.unwrap().duplicate);
    }
    let events = store.read_stream(stream, Version(0)).await.unwrap();
    let mut texts: Vec<_> = events.iter().map(|event| event.payload.clone()).collect();
    texts.sort();
    texts.dedup();
    assert_eq!((events.len(), texts.len()), (40, 40));
}
