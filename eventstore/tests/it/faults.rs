//! Connections that break, answers that get lost, and a batch with something unwritable in it.

use std::{
    collections::BTreeSet,
    env, fs,
    path::PathBuf,
    process,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use domain::kernel::{Position, Version, testing::at};
use eventstore::{
    Append, AppendError, Claim, Expected, Fenced, Notes, Processes, StateKey, Timer, heard, lending,
};
use futures_util::future::join_all;
use sqlx::{
    PgPool,
    postgres::{PgConnectOptions, PgPoolOptions, PgSslMode},
};
use testkit::TestDb;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy, split},
    net::{TcpStream, UnixListener, UnixStream},
};

use crate::support::{append, fresh, note, on, with, write, written};

/// Ends the connections of our stores; answers how many there were.
async fn kill(pool: &PgPool, name: &str) -> usize {
    let sql = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
                WHERE datname = current_database() AND application_name = $1";
    sqlx::query(sql).bind(name).fetch_all(pool).await.unwrap().len()
}

const WRITER: &str = "commonhold log writer";
const READER: &str = "commonhold log reader";

#[tokio::test]
async fn a_connection_cut_before_is_replaced() {
    let database = testkit::database().await;
    let store = on(&database).await;
    let stream = fresh();
    for version in 1..=3 {
        let done = write(&store, stream, 1).await;
        assert_eq!(done.versions, [(stream, Version(version))]);
        assert_eq!(kill(&database.pool, WRITER).await, 1);
        assert!(kill(&database.pool, READER).await >= 1);
        assert_eq!(
            store.read(Position(0), 10).await.unwrap().len(),
            usize::try_from(version).unwrap()
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_cut_while_appending_lose_and_double_nothing() {
    let database = testkit::database().await;
    let store = on(&database).await;
    let killing = tokio::spawn({
        let pool = database.pool.clone();
        async move {
            let mut killed = 0;
            while killed < 15 {
                killed += kill(&pool, WRITER).await;
            }
        }
    });
    let stream = fresh();
    let mut count = 0;
    while !killing.is_finished() {
        let appends = (0..8).map(|n| {
            let text = (count + n).to_string();
            let parts = [stream, fresh()].map(|id| note(id, Expected::Any, vec![written(&text)]));
            store.append(append(parts.into()))
        });
        for outcome in join_all(appends).await {
            match outcome {
                Ok(done) => assert!(!done.duplicate, "each command was sent once"),
                // Cut at every single try; then nobody knows, and the caller has to ask again.
                Err(fault) => assert!(matches!(fault, AppendError::Unavailable(_)), "{fault}"),
            }
        }
        count += 8;
    }
    killing.await.unwrap();
    let events = store.read_stream(stream, Version(0)).await.unwrap();
    let mut texts: Vec<_> = events.iter().map(|event| event.payload.clone()).collect();
    texts.sort();
    texts.dedup();
    assert_eq!(texts.len(), events.len(), "nothing twice");
    let versions = events.iter().map(|event| event.envelope.version.0);
    assert!(versions.eq(1..=i32::try_from(events.len()).unwrap()));
    let head = store.head().await.unwrap();
    assert_eq!(head.0, 2 * i64::try_from(events.len()).unwrap(), "nothing by halves");
}

/// Stands between a store and its server, and can swallow an answer.
struct Between {
    options: PgConnectOptions,
    folder: PathBuf,
    cut: Arc<AtomicBool>,
    silence: Arc<AtomicBool>,
}

impl Between {
    fn start(database: &TestDb) -> Self {
        let server: PgConnectOptions = database.url.parse().unwrap();
        let folder =
            env::temp_dir().join(format!("commonhold-between-{}-{}", process::id(), fresh()));
        fs::create_dir(&folder).unwrap();
        let name = format!(".s.PGSQL.{}", server.get_port());
        let listener = UnixListener::bind(folder.join(&name)).unwrap();
        let options = server.clone().socket(&folder).ssl_mode(PgSslMode::Disable);
        let cut = Arc::new(AtomicBool::new(false));
        let silence = Arc::new(AtomicBool::new(false));
        let faults = (cut.clone(), silence.clone());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let faults = faults.clone();
                match server.get_socket() {
                    Some(folder) => {
                        let server = UnixStream::connect(folder.join(&name)).await.unwrap();
                        tokio::spawn(pass(client, server, faults));
                    }
                    None => {
                        let place = (server.get_host(), server.get_port());
                        let server = TcpStream::connect(place).await.unwrap();
                        tokio::spawn(pass(client, server, faults));
                    }
                }
            }
        });
        Self { options, folder, cut, silence }
    }
}

impl Drop for Between {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.folder).ok();
    }
}

/// Passes bytes on until one side ends, or an answer comes that is to be swallowed: then the
/// connection ends, or stays and is dead.
async fn pass(
    client: UnixStream,
    server: impl AsyncRead + AsyncWrite,
    (cut, silence): (Arc<AtomicBool>, Arc<AtomicBool>),
) {
    let (mut from_client, mut to_client) = split(client);
    let (mut from_server, mut to_server) = split(server);
    let answers = async {
        let mut bytes = [0; 8_192];
        loop {
            let length = from_server.read(&mut bytes).await.unwrap_or(0);
            if length == 0 || cut.swap(false, Ordering::SeqCst) {
                return;
            }
            if silence.load(Ordering::SeqCst) {
                std::future::pending().await
            }
            to_client.write_all(&bytes[..length]).await.unwrap();
        }
    };
    tokio::select! {
        () = answers => {}
        _ = copy(&mut from_client, &mut to_server) => {}
    }
}

#[tokio::test]
async fn an_answer_lost_on_its_way_is_found_in_the_log() {
    let database = testkit::database().await;
    let between = Between::start(&database);
    let store = with(between.options.clone()).await;
    let mut reader = store.subscribe(Position(0));
    let (stream, checked) = (fresh(), fresh());
    write(&store, stream, 1).await;
    assert_eq!(reader.next(10).await.unwrap().len(), 1);

    let parts = vec![
        note(checked, Expected::Any, vec![]),
        note(stream, Expected::Any, vec![written("x"), written("y")]),
    ];
    let asked = append(parts);
    between.cut.store(true, Ordering::SeqCst);
    let done = store.append(asked.clone()).await.unwrap();
    assert!(!between.cut.load(Ordering::SeqCst), "an answer was swallowed");
    assert_eq!((done.position, done.duplicate), (Position(3), false), "its own, not another's");
    assert_eq!(done.versions, [(stream, Version(3))]);
    assert_eq!(reader.next(10).await.unwrap(), store.read(Position(1), 10).await.unwrap());
    assert!(store.append(asked).await.unwrap().duplicate);
    assert_eq!(store.head().await.unwrap(), Position(3));
}

/// Nobody is told that these connections are dead, more of them than there are readers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_network_that_swallows_holds_nobody_up_for_long() {
    let database = testkit::database().await;
    let between = Between::start(&database);
    let store = with(between.options.clone()).await;
    let stream = fresh();
    write(&store, stream, 1).await;

    between.silence.store(true, Ordering::SeqCst);
    let begun = Instant::now();
    let asked = append(vec![note(stream, Expected::Any, vec![written("x")])]);
    let reads = join_all((0..20).map(|_| store.read(Position(0), 10)));
    let (outcome, reads) = tokio::join!(store.append(asked.clone()), reads);
    assert!(matches!(outcome, Err(AppendError::Unavailable(_))), "unknown, not failed");
    assert!(reads.iter().all(Result::is_err));
    assert!(begun.elapsed() < Duration::from_secs(12), "{:?}", begun.elapsed());

    between.silence.store(false, Ordering::SeqCst);
    let begun = Instant::now();
    assert!(store.append(asked).await.unwrap().duplicate, "only its answers were lost");
    assert_eq!(store.read(Position(0), 10).await.unwrap().len(), 2);
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

/// What a process manager asks while nothing comes back. Time is wound on as soon as all wait.
#[tokio::test]
async fn a_process_manager_takes_silence_for_a_lost_connection() {
    let database = testkit::database().await;
    let between = Between::start(&database);
    // Each question has an open connection that is not looked at before.
    let pool = PgPoolOptions::new().min_connections(8).test_before_acquire(false);
    let pool = pool.connect_with(between.options.clone()).await.unwrap();
    let processes = Processes::new(pool);
    let leases = processes.leases();
    let lease = leases.acquire("test", "policy", fresh()).await.unwrap().unwrap();
    let notes = Notes::default();

    between.silence.store(true, Ordering::SeqCst);
    tokio::time::pause();
    let timers = processes.timers();
    let (recalled, noted, due, renewed) = tokio::join!(
        processes.recall("test", StateKey::of(fresh())),
        processes.note(&lease, &notes, Position(1)),
        timers.due(at(0), 1),
        heard(leases.renew(&lease)),
    );
    assert!(recalled.is_err_and(|fault| !fault.is_refusal()));
    assert!(matches!(noted, Err(Fenced::Unavailable(fault)) if !fault.is_refusal()));
    assert!(due.is_err_and(|fault| !fault.is_refusal()));
    assert!(renewed.is_err_and(|fault| !fault.is_refusal()));

    tokio::time::resume();
    between.silence.store(false, Ordering::SeqCst);
    processes.note(&lease, &notes, Position(2)).await.unwrap();
}

/// The server's processes behind so many connections of a pool.
async fn backends(pool: &PgPool, count: usize) -> BTreeSet<i32> {
    let mut lent = Vec::new();
    let mut backends = BTreeSet::new();
    while lent.len() < count {
        let mut connection = pool.acquire().await.unwrap();
        let asked = sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&mut *connection);
        backends.insert(asked.await.unwrap());
        lent.push(connection);
    }
    drop(lent);
    // Each is looked at before it is lent again.
    while pool.num_idle() < count {
        tokio::task::yield_now().await;
    }
    backends
}

#[tokio::test]
async fn a_pool_takes_the_silence_of_one_connection_for_that_of_all() {
    let database = testkit::database().await;
    let between = Between::start(&database);
    let pool = lending(4).connect_with(between.options.clone()).await.unwrap();
    let before = backends(&pool, 4).await;
    assert_eq!(backends(&pool, 4).await, before, "what is alive is lent again");

    between.silence.store(true, Ordering::SeqCst);
    tokio::time::pause();
    assert!(matches!(pool.acquire().await, Err(sqlx::Error::PoolTimedOut)));
    tokio::time::resume();
    between.silence.store(false, Ordering::SeqCst);

    let after = backends(&pool, 4).await;
    assert!(after.is_disjoint(&before), "{after:?} and {before:?}");
    assert_eq!(backends(&pool, 4).await, after);
}

#[tokio::test]
async fn a_connection_that_falls_silent_in_somebodys_hands_leaves_the_pool() {
    let database = testkit::database().await;
    let between = Between::start(&database);
    let pool = lending(2).connect_with(between.options.clone()).await.unwrap();
    let before = backends(&pool, 2).await;
    let mut connection = pool.acquire().await.unwrap();

    between.silence.store(true, Ordering::SeqCst);
    tokio::time::pause();
    let asked = sqlx::query("SELECT 1").execute(&mut *connection);
    assert!(heard(asked).await.is_err());
    drop(connection);
    while pool.size() > 1 {
        // Its sign of life is waited for, in vain: no time passes but what is wound on here.
        tokio::time::advance(Duration::from_millis(100)).await;
    }
    tokio::time::resume();
    between.silence.store(false, Ordering::SeqCst);
    let after = backends(&pool, 2).await;
    assert_eq!(after.intersection(&before).count(), 1, "{after:?} and {before:?}");
}

#[tokio::test]
async fn a_pool_lends_a_connection_again_unless_it_is_inside_a_transaction() {
    let database = testkit::database().await;
    let pool = lending(1).connect_with(database.url.parse().unwrap()).await.unwrap();
    let first = backends(&pool, 1).await;
    for _ in 0..5 {
        assert_eq!(backends(&pool, 1).await, first);
    }
    let mut inside = pool.acquire().await.unwrap();
    sqlx::raw_sql("BEGIN").execute(&mut *inside).await.unwrap();
    drop(inside);
    assert_ne!(backends(&pool, 1).await, first);
    pool.close().await;
}

#[tokio::test]
async fn timers_of_a_process_that_fell_silent_are_free_again() {
    let database = testkit::database().await;
    let processes = Processes::new(database.pool.clone());
    let lease = processes.leases().acquire("test", "policy", fresh()).await.unwrap().unwrap();
    let timer = Timer {
        process: "test.expiry".to_owned(),
        key: fresh(),
        due_at: at(0),
        command: serde_json::Value::Null,
    };
    let notes = Notes { set: vec![timer], ..Notes::default() };
    processes.note(&lease, &notes, Position(1)).await.unwrap();
    // The server hears nothing of it any more, not even its end.
    std::mem::forget(processes.timers().due(at(0), 1).await.unwrap());
    let locks = sqlx::query("SELECT FROM eventstore.timers FOR UPDATE");
    let locked = tokio::time::timeout(Duration::from_secs(20), locks.execute(&database.pool)).await;
    assert_eq!(locked.unwrap().unwrap().rows_affected(), 1);
}

#[tokio::test]
async fn what_the_server_refuses_takes_no_other_with_it() {
    let database = testkit::database().await;
    let store = on(&database).await;
    let some = || append(vec![note(fresh(), Expected::Any, vec![written("x")])]);
    // No text of the server can hold this.
    let claims = vec![Claim::take("test.name", "\0", fresh())];
    let mut asked: Vec<_> = (0..6).map(|_| some()).collect();
    asked.insert(3, Append { claims, ..some() });
    let outcomes = join_all(asked.into_iter().map(|append| store.append(append))).await;
    for (outcome, n) in outcomes.into_iter().zip(0..) {
        match outcome {
            Ok(done) => assert!(n != 3 && !done.duplicate),
            Err(AppendError::Unavailable(fault)) => assert!(n == 3 && fault.is_refusal()),
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!(store.head().await.unwrap(), Position(6));
}
