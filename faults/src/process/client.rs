//! Somebody's HTTP client: what was asked, and what is known of the outcome.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::trials::Violation;

/// No answer takes longer, whatever happens to the server.
pub const ANSWERED: Duration = Duration::from_secs(20);
/// How long a connection may take on one machine.
const CONNECTED: Duration = Duration::from_secs(5);
/// How long a connection is kept without a request: less than the server keeps it (60 s), or one
/// would be used in the very moment in which the server gives it up.
const KEPT: Duration = Duration::from_secs(30);

/// Talks to a server as one person or program.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    url: String,
    token: Option<String>,
}

/// One command, complete, so that it can be sent again unchanged.
#[derive(Debug, Clone)]
pub struct Ask {
    /// Below `/api/v1`.
    pub path: String,
    /// The body.
    pub body: Value,
    /// The idempotency key.
    pub key: Uuid,
}

/// What a server said, read to its end.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// Where the log stands.
    pub position: Option<i64>,
    /// When to come back, in seconds.
    pub retry_after: Option<u64>,
    /// The body.
    pub body: Value,
}

impl Answer {
    /// A text of the body.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.body.get(name)?.as_str()
    }

    /// Whether it was done.
    #[must_use]
    pub const fn is_success(&self) -> bool {
        matches!(self.status, 200..=299)
    }
}

impl Client {
    /// Somebody not signed in.
    ///
    /// # Errors
    /// If there is no way to make requests.
    pub fn new(url: &str) -> Result<Self, Violation> {
        // Another part of the program may have chosen one already; nothing here uses it.
        drop(rustls::crypto::ring::default_provider().install_default());
        let http = reqwest::Client::builder().timeout(ANSWERED).connect_timeout(CONNECTED);
        let http = http
            .pool_idle_timeout(KEPT)
            .build()
            .map_err(|fault| Violation(format!("no client: {fault}")))?;
        Ok(Self { http, url: url.to_owned(), token: None })
    }

    /// The same person at another server.
    #[must_use]
    pub fn at(&self, url: &str) -> Self {
        Self { url: url.to_owned(), ..self.clone() }
    }

    /// The same way with another proof of identity.
    #[must_use]
    pub fn bearer(&self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self.clone() }
    }

    /// The proof of identity.
    #[must_use]
    pub fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// Whether the server takes requests.
    pub async fn is_ready(&self) -> bool {
        let answer = self.http.get(format!("{}/readyz", self.url)).send().await;
        answer.is_ok_and(|answer| answer.status() == 200)
    }

    /// A page outside the API, such as `/metrics`.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn page(&self, path: &str) -> reqwest::Result<String> {
        self.http.get(format!("{}{path}", self.url)).send().await?.text().await
    }

    /// Asks a query.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn get(&self, path: &str) -> reqwest::Result<Answer> {
        read(self.request(Method::GET, path)).await
    }

    /// Sends a command; every event it leads to carries the correlation.
    ///
    /// # Errors
    /// If there is no answer, so that the outcome is not known.
    pub async fn send(&self, ask: &Ask, correlation: Uuid) -> reqwest::Result<Answer> {
        let parent = correlation.as_u64_pair().1;
        let request = self
            .request(Method::POST, &ask.path)
            .header("idempotency-key", ask.key.to_string())
            .header("traceparent", format!("00-{}-{parent:016x}-01", correlation.simple()))
            .json(&ask.body);
        read(request).await
    }

    /// Sends a command that must be done.
    ///
    /// # Errors
    /// If it was not.
    pub async fn done(&self, path: &str, body: Value) -> Result<Answer, Violation> {
        let ask = Ask { path: path.to_owned(), body, key: random() };
        let answer = self.send(&ask, random()).await;
        let answer = answer.map_err(|fault| Violation(format!("{path}: {fault}")))?;
        if answer.is_success() { Ok(answer) } else { Err(unexpected(path, &answer)) }
    }

    /// Takes something away, which must be done.
    ///
    /// # Errors
    /// If it was not.
    pub async fn delete(&self, path: &str) -> Result<Answer, Violation> {
        let request = self.request(Method::DELETE, path);
        let answer = read(request.header("idempotency-key", random().to_string())).await;
        let answer = answer.map_err(|fault| Violation(format!("{path}: {fault}")))?;
        if answer.is_success() { Ok(answer) } else { Err(unexpected(path, &answer)) }
    }

    /// Signs in.
    ///
    /// # Errors
    /// If that is refused.
    pub async fn sign_in(&self, email: &str, password: &str) -> Result<Self, Violation> {
        let body = json!({ "email": email, "password": password });
        let answer = self.done("/auth/login", body).await?;
        let token = answer.text("access_token");
        Ok(self.bearer(token.ok_or_else(|| unexpected("/auth/login", &answer))?))
    }

    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.http.request(method, format!("{}/api/v1{path}", self.url));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }
}

async fn read(request: reqwest::RequestBuilder) -> reqwest::Result<Answer> {
    let response = request.send().await?;
    let header = |name| response.headers().get(name)?.to_str().ok()?.parse::<i64>().ok();
    let position = header("platform-position");
    let retry_after = header("retry-after").and_then(|seconds| seconds.try_into().ok());
    let status = response.status().as_u16();
    let body = serde_json::from_str(&response.text().await?).unwrap_or_default();
    Ok(Answer { status, position, retry_after, body })
}

/// An answer that must not be.
#[must_use]
pub fn unexpected(path: &str, answer: &Answer) -> Violation {
    Violation(format!("{path} was answered with {}: {}", answer.status, answer.body))
}

/// A new id. Its bits are drawn, not minted: what a trial asks is no part of a log's order.
#[must_use]
pub fn random() -> Uuid {
    Uuid::from_u128(fastrand::u128(..))
}
