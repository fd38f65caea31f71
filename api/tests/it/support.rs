//! The whole platform on a free port, with a database of its own, and clients that talk to it as
//! anybody would: over HTTP.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use api::{
    clock::Clock, config::Config, crypto::password::Password, database::Database, mail::Mail,
    platform::Platform, serve,
};
use domain::kernel::Aggregate;
use eventstore::Loaded;
use futures_util::FutureExt;
use http::{HeaderMap, Method, StatusCode};
use serde_json::{Value, json};
use tokio::{
    sync::oneshot,
    task::{JoinHandle, JoinSet},
};
use uuid::Uuid;

use crate::letterbox::{Letterbox, token_in};

/// A password that every test user has.
pub(crate) const PASSWORD: &str = "correct horse battery staple";

/// A running server.
pub(crate) struct Server {
    pub(crate) url: String,
    pub(crate) app: api::app::App,
    pub(crate) db: testkit::TestDb,
    pub(crate) outbox: PathBuf,
    pub(crate) letters: Arc<Letterbox>,
    pub(crate) admin_password: String,
    stop: Option<oneshot::Sender<()>>,
    running: Option<JoinHandle<()>>,
    folder: PathBuf,
}

static NEXT: AtomicU64 = AtomicU64::new(0);

impl Server {
    pub(crate) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    /// Starts with a changed configuration.
    pub(crate) async fn with(change: impl FnOnce(&mut Config)) -> Self {
        api::crypto::install();
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder =
            std::env::temp_dir().join(format!("commonhold-api-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let mut config = Config::default();
        config.http.bind = "127.0.0.1:0".into();
        config.keys.dir = folder.join("keys");
        config.mail.outbox_dir = folder.join("outbox");
        config.rate_limit.enabled = false;
        // Real argon2id, with little memory: the tests are many and the cores are few.
        config.auth.password_memory_kib = 1_024;
        config.auth.answer_floor_millis = 1;
        change(&mut config);
        let outbox = config.mail.outbox_dir.clone();
        let db = testkit::database().await;
        let database = Database::at(&db.url).unwrap();
        let server = serve::Server::bind(&config.http).await.unwrap();
        let url = format!("http://{}", server.address().unwrap());
        let letters = Arc::new(Letterbox::over(&outbox));
        let platform = Platform::over(database, config, Clock::system(), letters.clone());
        let platform = platform.await.unwrap();
        platform.health.started();
        let admin_password = platform.admin.as_ref().map(|admin| admin.password.clone());
        let admin_password = admin_password.unwrap_or_default();
        let (stop, stopped) = oneshot::channel();
        let app = platform.app.clone();
        let running = tokio::spawn(async move {
            let server = server.watched(&platform.metrics);
            server.run(platform.router.clone(), async { drop(stopped.await) }).await;
            platform.stop().await;
        });
        Self {
            url,
            app,
            db,
            outbox,
            letters,
            admin_password,
            stop: Some(stop),
            running: Some(running),
            folder,
        }
    }

    /// Stops in an orderly way.
    pub(crate) async fn stop(mut self) {
        drop(self.stop.take());
        if let Some(running) = self.running.take() {
            running.await.unwrap();
        }
    }

    /// Somebody not signed in.
    pub(crate) fn stranger(&self) -> Client {
        Client {
            http: reqwest::Client::builder().build().unwrap(),
            url: self.url.clone(),
            token: None,
        }
    }

    /// Waits until the tables of identity have what was written: who names no position is answered
    /// from what they have.
    async fn taken_in(&self) {
        let head = self.app.store.head().await.unwrap();
        self.app.positions.wait("identity", head).await.unwrap();
    }

    /// The seeded administrator, signed in. What a start writes reaches the tables while it goes on.
    pub(crate) async fn admin(&self) -> Client {
        self.taken_in().await;
        self.sign_in(api::seed::ADMIN_EMAIL, &self.admin_password).await
    }

    /// A client with an access token or API key.
    pub(crate) fn bearer(&self, token: &str) -> Client {
        Client { token: Some(token.to_owned()), ..self.stranger() }
    }

    pub(crate) async fn sign_in(&self, email: &str, password: &str) -> Client {
        let body = json!({"email": email, "password": password});
        let answer = self.stranger().post("/auth/login", &body).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        self.bearer(answer.body["access_token"].as_str().unwrap())
    }

    /// A new user with a verified address, signed in: `ada` is `ada@example.org`.
    pub(crate) async fn user(&self, name: &str) -> Client {
        let email = format!("{name}@example.org");
        let stranger = self.stranger();
        let body = json!({"email": email, "password": PASSWORD, "display_name": name});
        let answer = stranger.post("/users", &body).await;
        assert!(answer.status.is_success(), "{answer:?}");
        let token = self.mailed_token(&email, "verify").await;
        let answer = stranger.post("/users/verify-email", &json!({"token": token})).await;
        assert!(answer.status.is_success(), "{answer:?}");
        self.taken_in().await;
        self.sign_in(&email, PASSWORD).await
    }

    /// Puts an aggregate's state in memory back to an earlier one, as if another process had written
    /// what came after.
    pub(crate) fn missed<A: Aggregate>(&self, id: Uuid, before: Loaded<A>) {
        self.app.store.forget(id);
        self.app.store.remember(id, before.into());
    }

    /// Takes every place of the hashing pool, for at least as long as one hash takes; ends when what
    /// is returned is dropped.
    pub(crate) async fn no_more_hashing(&self) -> JoinSet<()> {
        let hashing = &self.app.hashing;
        let mut busy = JoinSet::new();
        while hashing.hash(Password::generated("x".into())).now_or_never().is_none() {
            let hashing = hashing.clone();
            busy.spawn(async move { drop(hashing.hash(Password::generated("x".into())).await) });
            tokio::task::yield_now().await;
        }
        busy
    }

    /// So many mails of a kind to an address, oldest first, once they are there.
    pub(crate) async fn mailed(&self, to: &str, kind: &str, count: usize) -> Vec<Mail> {
        let fits = |mail: &&Mail| mail.to == to && mail.kind == kind;
        let enough = |mails: &[Mail]| {
            let fitting: Vec<_> = mails.iter().filter(fits).cloned().collect();
            (fitting.len() >= count).then_some(fitting)
        };
        self.letters.wait(enough).await
    }

    /// The token of the newest mail to an address whose link has a word in it.
    pub(crate) async fn mailed_token(&self, to: &str, word: &str) -> String {
        let fits = |mail: &&Mail| mail.to == to && mail.text.contains(word);
        self.letters.wait(|mails| mails.iter().rev().filter(fits).find_map(token_in)).await
    }
}

/// Costs at which one hash takes longer than a few requests.
pub(crate) fn slow_hashes(config: &mut Config) {
    config.auth.password_memory_kib = 32_768;
    config.auth.password_iterations = 16;
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.folder));
    }
}

/// Somebody who talks to the server.
#[derive(Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    url: String,
    pub(crate) token: Option<String>,
}

/// An answer, read to the end.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    pub(crate) fn etag(&self) -> String {
        self.header("etag").unwrap_or_else(|| panic!("no ETag: {self:?}")).to_owned()
    }

    pub(crate) fn position(&self) -> String {
        self.header("platform-position")
            .unwrap_or_else(|| panic!("no position: {self:?}"))
            .to_owned()
    }

    pub(crate) fn id(&self) -> String {
        self.body["id"].as_str().unwrap_or_else(|| panic!("no id: {self:?}")).to_owned()
    }

    pub(crate) fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }

    /// The body without what differs between any two answers.
    pub(crate) fn without_trace(&self) -> Value {
        let mut body = self.body.clone();
        body.as_object_mut().map(|map| map.remove("trace_id"));
        body
    }
}

impl Client {
    /// A request with given headers; a path below `/api/v1` unless it begins with `//`.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Answer {
        let url = match path.strip_prefix("//") {
            Some(root) => format!("{}/{root}", self.url),
            None => format!("{}/api/v1{path}", self.url),
        };
        let mut request = self.http.request(method, url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let text = response.text().await.unwrap();
        let body = serde_json::from_str(&text).unwrap_or(Value::Null);
        Answer { status, headers, body, text }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], None).await
    }

    /// Reads what a command just changed.
    pub(crate) async fn get_at(&self, path: &str, position: &str) -> Answer {
        self.send(Method::GET, path, &[("platform-position", position)], None).await
    }

    /// A command under a new idempotency key.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.keyed(Method::POST, path, &key(), None, Some(body)).await
    }

    /// A command without a body.
    pub(crate) async fn act(&self, path: &str) -> Answer {
        self.keyed(Method::POST, path, &key(), None, None).await
    }

    pub(crate) async fn put(&self, path: &str, etag: &str, body: &Value) -> Answer {
        self.keyed(Method::PUT, path, &key(), Some(etag), Some(body)).await
    }

    pub(crate) async fn patch(&self, path: &str, etag: &str, body: &Value) -> Answer {
        self.keyed(Method::PATCH, path, &key(), Some(etag), Some(body)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.keyed(Method::DELETE, path, &key(), None, None).await
    }

    /// A command under a given idempotency key.
    pub(crate) async fn keyed(
        &self,
        method: Method,
        path: &str,
        key: &str,
        etag: Option<&str>,
        body: Option<&Value>,
    ) -> Answer {
        let mut headers = vec![("idempotency-key", key)];
        headers.extend(etag.map(|etag| ("if-match", etag)));
        self.send(method, path, &headers, body).await
    }

    /// A new organization of this client's own.
    pub(crate) async fn organization(&self, slug: &str) -> String {
        let body = json!({"slug": slug, "name": slug.to_uppercase(), "type": "team"});
        let answer = self.post("/organizations", &body).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
        answer.id()
    }
}

/// A new idempotency key.
pub(crate) fn key() -> String {
    format!("test-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}
