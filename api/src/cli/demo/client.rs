//! Somebody's HTTP client: a token, a correlation for each request, and plain words for refusals.

use std::time::Duration;

use http::{HeaderMap, Method, StatusCode};
use serde_json::Value;
use uuid::Uuid;

use crate::{
    cli::{Exit, Failure},
    clock::mint,
};

/// No answer takes longer.
const PATIENCE: Duration = Duration::from_secs(15);

/// Talks to the platform as one person or program.
#[derive(Debug, Clone)]
pub(super) struct Client {
    http: reqwest::Client,
    url: String,
    token: Option<String>,
    /// What was seen last: queries wait for tables that hold it.
    seen: Option<i64>,
}

/// A request and what came back.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) status: StatusCode,
    pub(super) body: Value,
    pub(super) etag: Option<String>,
    pub(super) position: Option<i64>,
    /// Shared by all events the request led to.
    pub(super) correlation: Uuid,
}

impl Client {
    pub(super) fn new(url: &str) -> Result<Self, Failure> {
        let http = reqwest::Client::builder().timeout(PATIENCE).build()?;
        Ok(Self { http, url: url.trim_end_matches('/').to_owned(), token: None, seen: None })
    }

    /// The same way to the platform, with another proof of identity.
    pub(super) fn bearer(&self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), seen: None, ..self.clone() }
    }

    /// Makes sure that a platform serves here.
    pub(super) async fn require_ready(&self) -> Result<(), Failure> {
        let url = &self.url;
        let words = format!("no platform is ready at {url}; start one with `platformctl serve`");
        match self.http.get(format!("{url}/readyz")).send().await {
            Ok(answer) if answer.status() == StatusCode::OK => Ok(()),
            Ok(_) | Err(_) => Err(Failure::new(Exit::Failure, words)),
        }
    }

    pub(super) async fn get(&mut self, path: &str) -> Result<Answer, Failure> {
        self.send(Method::GET, path, None, None).await
    }

    pub(super) async fn post(&mut self, path: &str, body: &Value) -> Result<Answer, Failure> {
        self.send(Method::POST, path, None, Some(body)).await
    }

    pub(super) async fn put(
        &mut self,
        path: &str,
        etag: &str,
        body: &Value,
    ) -> Result<Answer, Failure> {
        self.send(Method::PUT, path, Some(etag), Some(body)).await
    }

    pub(super) async fn delete(&mut self, path: &str) -> Result<Answer, Failure> {
        self.send(Method::DELETE, path, None, None).await
    }

    async fn send(
        &mut self,
        method: Method,
        path: &str,
        etag: Option<&str>,
        body: Option<&Value>,
    ) -> Result<Answer, Failure> {
        let correlation = mint();
        let mut request = self
            .http
            .request(method.clone(), format!("{}/api/v1{path}", self.url))
            .header("traceparent", traceparent(correlation))
            .header("user-agent", concat!("platformctl-demo/", env!("CARGO_PKG_VERSION")));
        if method != Method::GET {
            request = request.header("idempotency-key", mint().to_string());
        }
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        if let Some(etag) = etag {
            request = request.header("if-match", etag);
        }
        if let Some(seen) = self.seen.filter(|_| method == Method::GET) {
            request = request.header("platform-position", seen);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await?;
        let (status, headers) = (response.status(), response.headers().clone());
        let text = response.text().await?;
        let position = header(&headers, "platform-position").and_then(|text| text.parse().ok());
        self.seen = self.seen.max(position);
        Ok(Answer {
            method,
            path: path.to_owned(),
            status,
            body: serde_json::from_str(&text).unwrap_or_default(),
            etag: header(&headers, "etag").map(str::to_owned),
            position,
            correlation,
        })
    }
}

/// Goes on with a trace of our own making, so that its events can be asked for.
fn traceparent(correlation: Uuid) -> String {
    let parent = correlation.as_u64_pair().1;
    format!("00-{}-{parent:016x}-01", correlation.simple())
}

fn header<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

impl Answer {
    /// Demands success.
    pub(super) fn ok(self) -> Result<Self, Failure> {
        if self.status.is_success() { Ok(self) } else { Err(self.unexpected()) }
    }

    /// Demands a refusal.
    pub(super) fn refused(self, status: StatusCode) -> Result<Self, Failure> {
        if self.status == status { Ok(self) } else { Err(self.unexpected()) }
    }

    /// A text of the answer, by its name.
    pub(super) fn text(&self, name: &str) -> Result<String, Failure> {
        let text = self.body.get(name).and_then(Value::as_str).map(str::to_owned);
        text.ok_or_else(|| Failure::new(Exit::Failure, format!("{self}: no `{name}`")))
    }

    /// The version to change.
    pub(super) fn etag(&self) -> Result<String, Failure> {
        let missing = || Failure::new(Exit::Failure, format!("{self}: no ETag"));
        self.etag.clone().ok_or_else(missing)
    }

    fn unexpected(&self) -> Failure {
        let body = &self.body;
        Failure::new(Exit::Failure, format!("the story got stuck at {self}: {body}"))
    }
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} -> {}", self.method, self.path, self.status.as_u16())
    }
}
