//! The bell between processes that share a log, through a real NATS server.

use std::time::Duration;

use api::{
    bell::{Bell, State},
    config::Nats as Settings,
    metrics::Metrics,
};
use async_nats::{Client, Subscriber};
use domain::kernel::{Actor, Position, StreamId, TenantId, testing::at};
use eventstore::{
    Append, CommandKey, Expected, MasterKey, Meta, NewEvent, Postgres, Store, StreamAppend,
    Subscription,
};
use futures_util::StreamExt;
use http::StatusCode;
use testkit::{Nats, TestDb};
use tokio::sync::watch;
use uuid::Uuid;

use crate::{
    cli::Place,
    support::{Client as Browser, Server},
};

/// Longer than any test runs: a reader that polls this often and still comes was woken.
const NEVER: Duration = Duration::from_secs(86_400);

domain::events! {
    /// What happens to a note.
    pub enum NoteEvent in "test.note" {
        /// Something is written on it.
        Written { text: String },
    }
}

/// A process that shares a log: a store of its own, and a bell.
struct Process {
    store: Store,
    bell: Bell,
    state: watch::Receiver<State>,
    metrics: Metrics,
}

impl Process {
    /// One that does not poll, once its bell is connected.
    async fn deaf(database: &TestDb, nats: &Nats) -> Self {
        Self::on(database, nats, NEVER).await.up().await
    }

    async fn on(database: &TestDb, nats: &Nats, poll: Duration) -> Self {
        Self::with(database, &Settings { url: Some(nats.url()), ..Settings::default() }, poll).await
    }

    async fn with(database: &TestDb, settings: &Settings, poll: Duration) -> Self {
        let postgres = Postgres::connect(database.url.parse().unwrap()).await.unwrap();
        let store = Store::postgres(postgres, MasterKey::new(&[7; 32], &[])).await.unwrap();
        let store = store.polled_every(poll);
        let metrics = Metrics::new();
        let bell = Bell::start(store.clone(), settings, &metrics).await.unwrap().unwrap();
        Self { store, state: bell.state(), bell, metrics }
    }

    async fn up(mut self) -> Self {
        soon(self.state.wait_for(State::is_up)).await.unwrap();
        self
    }

    async fn away(&mut self) -> String {
        let away = |state: &State| matches!(state, State::Away { .. });
        soon(self.state.wait_for(away)).await.unwrap().to_string()
    }

    fn reader(&self) -> Subscription {
        self.store.subscribe(*self.store.watch_head().borrow())
    }

    async fn write(&self) -> Position {
        let event = NewEvent::of(&NoteEvent::Written { text: "x".to_owned() }, None);
        let stream = StreamId::of("test.note", api::clock::mint());
        let tenant = TenantId::PLATFORM;
        let streams =
            vec![StreamAppend { tenant, stream, expected: Expected::Any, events: vec![event] }];
        let meta = Meta {
            actor: Actor::SYSTEM,
            correlation_id: api::clock::mint(),
            causation_id: None,
            request: None,
            request_key: None,
            occurred_at: at(0),
        };
        let command = CommandKey { tenant, id: api::clock::mint(), digest: [1; 32] };
        let (claims, shred) = (Vec::new(), Vec::new());
        let append = Append { command, reply: None, streams, claims, shred, meta };
        self.store.append(append).await.unwrap().position
    }

    fn count(&self, what: &str) -> u64 {
        let text = self.metrics.text().unwrap();
        let name = format!("bell_{what}_messages_total ");
        let found = text.lines().find_map(|line| line.strip_prefix(&name)?.parse().ok());
        found.unwrap_or_else(|| panic!("no {name} in {text}"))
    }
}

/// Somebody else on the same server, who hears what the processes of a log tell each other.
struct Stranger {
    client: Client,
    subject: String,
    heard: Subscriber,
}

impl Stranger {
    async fn at(nats: &Nats, store: &Store) -> Self {
        let client = async_nats::connect(nats.url()).await.unwrap();
        let subject = format!("commonhold.{}.head", store.log_id().await.unwrap());
        let heard = client.subscribe(subject.clone()).await.unwrap();
        let mut stranger = Self { client, subject, heard };
        // The server has taken in the subscription once a message comes back.
        stranger.say("hello").await;
        stranger.hears("hello").await;
        stranger
    }

    async fn say(&self, text: &str) {
        self.client.publish(self.subject.clone(), text.to_owned().into()).await.unwrap();
    }

    /// Waits for a message that begins with a text.
    async fn hears(&mut self, begin: &str) -> String {
        loop {
            let message = soon(self.heard.next()).await.unwrap();
            let text = String::from_utf8_lossy(&message.payload).into_owned();
            if text.starts_with(begin) {
                return text;
            }
        }
    }
}

/// A test that waits in vain fails, and does not hang.
async fn soon<T>(wanted: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), wanted).await.expect("within a minute")
}

/// The next event, however many empty looks it takes.
async fn next(reader: &mut Subscription) -> Position {
    soon(async {
        loop {
            if let Some(event) = reader.next(1).await.unwrap().last() {
                return event.envelope.position;
            }
        }
    })
    .await
}

#[tokio::test]
async fn a_commit_here_wakes_a_reader_there() {
    let (nats, database) = (Nats::start(), testkit::database().await);
    let (here, there) =
        tokio::join!(Process::deaf(&database, &nats), Process::deaf(&database, &nats));
    let (mut reads_here, mut reads_there) = (here.reader(), there.reader());
    for _ in 0..3 {
        let position = here.write().await;
        assert_eq!(next(&mut reads_there).await, position);
        let position = there.write().await;
        assert_eq!(next(&mut reads_there).await, position);
        assert_eq!((next(&mut reads_here).await, next(&mut reads_here).await).1, position);
    }
    here.bell.stop().await;
    there.bell.stop().await;
}

#[tokio::test]
async fn polling_takes_over_while_the_server_is_away() {
    let (mut nats, database) = (Nats::start(), testkit::database().await);
    let poll = Duration::from_millis(200);
    let here = Process::deaf(&database, &nats).await;
    let mut there = Process::on(&database, &nats, poll).await.up().await;
    let mut reader = there.reader();
    nats.kill();
    there.away().await;
    let position = here.write().await;
    assert_eq!(next(&mut reader).await, position);
    // Stopping waits for no server.
    here.bell.stop().await;
    there.bell.stop().await;
}

#[tokio::test]
async fn the_bell_works_again_once_the_server_is_back() {
    let (mut nats, database) = (Nats::start(), testkit::database().await);
    let (mut here, mut there) =
        tokio::join!(Process::deaf(&database, &nats), Process::deaf(&database, &nats));
    let mut reader = there.reader();
    for _ in 0..2 {
        nats.kill();
        tokio::join!(here.away(), there.away());
        let missed = here.write().await;
        nats.restart();
        (here, there) = tokio::join!(here.up(), there.up());
        assert_eq!(next(&mut reader).await, missed, "what was missed is looked for");
        let position = here.write().await;
        assert_eq!(next(&mut reader).await, position);
    }
}

#[tokio::test]
async fn a_server_may_come_later() {
    let (mut nats, database) = (Nats::start(), testkit::database().await);
    nats.kill();
    let mut here = Process::on(&database, &nats, NEVER).await;
    let mut there = Process::on(&database, &nats, NEVER).await;
    let (cause, _) = tokio::join!(here.away(), there.away());
    assert!(cause.contains("refused"), "{cause}");
    let mut reader = there.reader();
    let position = here.write().await;
    nats.restart();
    let (_here, _there) = tokio::join!(here.up(), there.up());
    assert_eq!(next(&mut reader).await, position);
}

#[tokio::test]
async fn garbage_and_lies_change_nothing() {
    let (nats, database) = (Nats::start(), testkit::database().await);
    let (here, there) =
        tokio::join!(Process::deaf(&database, &nats), Process::deaf(&database, &nats));
    let mut stranger = Stranger::at(&nats, &here.store).await;
    let process = Uuid::from_u128(7);
    let mut reader = there.reader();
    for garbage in ["", "1", "one two", "1 2 3", "\u{0}", &"9".repeat(100_000)] {
        stranger.say(garbage).await;
    }
    stranger.say(&format!("{} {process}", u64::MAX)).await;
    for lie in [i64::MAX, i64::MAX - 1, 1_000, -1, i64::MIN] {
        stranger.say(&format!("{lie} {process}")).await;
    }
    stranger.say("done").await;
    stranger.hears("done").await;
    let position = here.write().await;
    assert_eq!(next(&mut reader).await, position, "who tells the truth is heard");
    for one in [&here, &there] {
        assert_eq!(*one.store.watch_head().borrow(), position, "the head is the log's");
    }
    // Nine cannot be read, and some are not true, of which the log is asked meanwhile.
    soon(async {
        while there.count("refused") <= 9 {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn what_a_process_says_itself_is_no_news_to_it() {
    let (nats, database) = (Nats::start(), testkit::database().await);
    let here = Process::deaf(&database, &nats).await;
    let mut stranger = Stranger::at(&nats, &here.store).await;
    let position = here.write().await;
    // The server has passed it on to all; whatever is said next comes behind it.
    stranger.hears(&format!("{position} ")).await;
    let there = Process::on(&database, &nats, NEVER).await.up().await;
    let later = there.write().await;
    assert_eq!(next(&mut here.store.subscribe(position)).await, later);
    assert_eq!(here.count("received"), 2, "the other's greeting, and its position");
    assert_eq!(here.count("refused"), 1, "the stranger's hello");
    assert_eq!(here.count("published"), 1, "one message for one batch");
}

#[tokio::test]
async fn a_last_commit_is_told_before_the_bell_stops() {
    let (nats, database) = (Nats::start(), testkit::database().await);
    let (here, there) =
        tokio::join!(Process::deaf(&database, &nats), Process::deaf(&database, &nats));
    let mut reader = there.reader();
    let position = here.write().await;
    here.bell.stop().await;
    assert_eq!(next(&mut reader).await, position);
}

#[tokio::test]
async fn installations_on_one_server_do_not_hear_each_other() {
    let nats = Nats::start();
    let (ours, theirs) = (testkit::database().await, testkit::database().await);
    let here = Process::deaf(&ours, &nats).await;
    let apart = Process::deaf(&theirs, &nats).await;
    let there = Process::deaf(&ours, &nats).await;
    let mut reader = there.reader();
    let position = here.write().await;
    assert_eq!(next(&mut reader).await, position);
    assert_eq!((apart.count("received"), apart.count("refused")), (0, 0));
}

#[tokio::test]
async fn only_who_may_sign_in_is_let_in() {
    let nats = Nats::with(&["--auth", "sesame"]);
    let database = testkit::database().await;
    let with = |token: Option<&str>| Settings {
        url: Some(nats.url()),
        token: token.map(|token| token.to_owned().into()),
        ..Settings::default()
    };
    Process::with(&database, &with(Some("sesame")), NEVER).await.up().await;
    for token in [None, Some("open")] {
        let cause = Process::with(&database, &with(token), NEVER).await.away().await;
        assert!(cause.contains("authorization violation"), "{cause}");
        assert!(!cause.contains("open"), "{cause}");
    }
    let missing = Settings { credentials_file: Some("/nonexistent.creds".into()), ..with(None) };
    let cause = Process::with(&database, &missing, NEVER).await.away().await;
    assert!(cause.contains("nats.credentials_file") && cause.contains("/nonexistent"), "{cause}");
}

#[tokio::test]
async fn a_credentials_file_opens_the_door() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/nats");
    let nats = Nats::with(&["--config", &format!("{folder}/server.conf")]);
    let database = testkit::database().await;
    let with = |file: Option<&str>| Settings {
        url: Some(nats.url()),
        credentials_file: file.map(|file| format!("{folder}/{file}").into()),
        ..Settings::default()
    };
    Process::with(&database, &with(Some("user.creds")), NEVER).await.up().await;
    let cause = Process::with(&database, &with(None), NEVER).await.away().await;
    assert!(cause.contains("authorization violation"), "{cause}");
    let cause = Process::with(&database, &with(Some("server.conf")), NEVER).await.away().await;
    assert!(cause.contains("nats.credentials_file"), "{cause}");
}

/// The server confirms neither a subscription nor a message: that both work is tried.
#[tokio::test]
async fn a_server_that_passes_nothing_on_is_no_bell() {
    let folder = std::env::temp_dir().join(format!("nats-{}", api::clock::mint()));
    let rules = "authorization { users = [ { user: a, password: b,
        permissions: { publish: \"commonhold.>\", subscribe: \"other.>\" } } ] }";
    std::fs::write(&folder, rules).unwrap();
    let nats = Nats::with(&["--config", folder.to_str().unwrap()]);
    std::fs::remove_file(&folder).unwrap();
    let settings = Settings {
        url: Some(nats.url()),
        user: Some("a".to_owned()),
        password: Some("b".to_owned().into()),
        ..Settings::default()
    };
    let database = testkit::database().await;
    let cause = Process::with(&database, &settings, NEVER).await.away().await;
    assert!(cause.contains("no message comes back on commonhold."), "{cause}");
}

async fn readiness(browser: &Browser) -> String {
    let ready = browser.get("//readyz").await;
    assert_eq!(ready.status, StatusCode::OK, "{ready:?}");
    let checks = ready.body["checks"].as_array().unwrap();
    let bell = checks.iter().find(|check| check["name"] == "bell").unwrap();
    assert_eq!(bell["ok"], true);
    bell["detail"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_platform_tells_how_its_bell_is_and_is_ready_without() {
    let mut nats = Nats::start();
    let url = nats.url();
    let server = Server::with(|config| config.nats.url = Some(url.clone())).await;
    let browser = server.stranger();
    // The state has no other way out of a platform than its pages.
    let until = async |wanted: &str| {
        soon(async { while !readiness(&browser).await.starts_with(wanted) {} }).await;
    };
    until("connected").await;
    let address = url.rsplit('/').next().unwrap();
    let told = browser.get("//readyz").await.text;
    assert!(!told.contains(address), "strangers learn where the server is: {told}");
    let metrics = browser.get("//metrics").await.text;
    assert!(metrics.contains("\nbell_connected 1\n"), "{metrics}");
    nats.kill();
    until("away, other processes' events are found by polling: ").await;
    assert!(browser.get("//metrics").await.text.contains("\nbell_connected 0\n"));
    let told = browser.get("//readyz").await.text;
    assert!(!told.contains(address), "{told}");
    server.stop().await;

    let server = Server::start().await;
    assert_eq!(readiness(&server.stranger()).await, "none (nats.url)");
    server.stop().await;
}

#[test]
fn the_doctor_tries_the_bell() {
    let mut nats = Nats::with(&["--auth", "sesame"]);
    let place = Place::new()
        .with("PLATFORM__NATS__URL", &nats.url())
        .with("PLATFORM__NATS__TOKEN", "sesame");
    let check = || {
        let checks = place.run(&["doctor", "--json"]).with(0).json();
        checks.as_array().unwrap().iter().find(|one| one["check"] == "bell").unwrap().clone()
    };
    assert_eq!(check()["outcome"], "ok", "{}", check());
    nats.kill();
    let away = check();
    assert_eq!(away["outcome"], "warning", "nothing is wrong without it");
    assert!(away["fix"].is_string() && !away.to_string().contains("sesame"), "{away}");
    let settings = place.run(&["config", "check"]).with(0).text();
    assert!(settings.contains("nats.token") && !settings.contains("sesame"), "{settings}");
}
