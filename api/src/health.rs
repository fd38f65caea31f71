//! Probes: is the process alive, has it started, can it serve?
//!
//! Owns the three answers. What "can serve" means is plugged in by those who know: the database,
//! the migrations, the projections. Probes pass every limit and anybody may ask them, so this refuses
//! to ask the database once for each, and to tell strangers what it said.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{
    Json, Router,
    extract::State,
    response::{IntoResponse, Response},
    routing::get,
};
use futures_util::future::join_all;
use http::StatusCode;
use serde::Serialize;
use tokio::{
    sync::Mutex,
    time::{Instant, timeout},
};

/// A probe is asked often; a check that takes longer than this has failed.
const CHECK_TIMEOUT: Duration = Duration::from_secs(2);

/// For how long a finding is told: however many ask, the checks are made about twice a second.
const KEPT: Duration = Duration::from_millis(500);

/// Asked every few seconds by whoever watches the process, and needed most when it is busy.
const PROBES: [&str; 4] = ["/healthz", "/readyz", "/startupz", "/metrics"];

/// Whether a path is that of a probe, which no limit refuses.
#[must_use]
pub fn is_probe(path: &str) -> bool {
    PROBES.contains(&path)
}

/// The answer of a check: words for people either way, and fit for strangers.
pub type CheckFuture = Pin<Box<dyn Future<Output = Result<String, String>> + Send>>;

/// A named question, answered in words.
struct Check {
    name: &'static str,
    ask: Box<dyn Fn() -> CheckFuture + Send + Sync>,
}

/// The state of the process.
pub struct Health {
    started: AtomicBool,
    draining: AtomicBool,
    checks: Vec<Check>,
    timeout: Duration,
    kept: Duration,
    /// What was found last, and when. Held by whoever asks for all.
    found: Mutex<Option<(Instant, Arc<[Finding]>)>>,
}

impl Default for Health {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.checks.iter().map(|check| check.name)).finish()
    }
}

/// What a check said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The check.
    pub name: &'static str,
    /// Whether it holds.
    pub ok: bool,
    /// In words.
    pub detail: String,
}

#[derive(Serialize)]
struct Report<'a> {
    status: &'static str,
    checks: &'a [Finding],
}

/// What strangers are told of a fault that only the log may know.
pub(crate) fn withheld(check: &'static str, fault: &dyn std::error::Error) -> String {
    tracing::warn!(check, cause = ?fault, "the process is not ready");
    "does not answer; the log has the cause".to_owned()
}

impl Health {
    /// A process that has not started and has no checks.
    #[must_use]
    pub fn new() -> Self {
        Self {
            started: AtomicBool::new(false),
            draining: AtomicBool::new(false),
            checks: Vec::new(),
            timeout: CHECK_TIMEOUT,
            kept: KEPT,
            found: Mutex::new(None),
        }
    }

    /// Adds a check to `/readyz`.
    #[must_use]
    pub fn check<F>(
        mut self,
        name: &'static str,
        ask: impl Fn() -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<String, String>> + Send + 'static,
    {
        self.checks.push(Check { name, ask: Box::new(move || Box::pin(ask())) });
        self
    }

    /// The start is complete: migrated, seeded, listening.
    pub fn started(&self) {
        self.started.store(true, Ordering::Release);
    }

    /// The process stops: it answers, but wants no more work.
    pub fn draining(&self) {
        self.draining.store(true, Ordering::Release);
    }

    /// What the checks say. They are asked once for all who want to know at a time, and who comes
    /// a moment later is told the same.
    pub async fn findings(&self) -> Arc<[Finding]> {
        let mut found = self.found.lock().await;
        if let Some((at, findings)) = &*found
            && at.elapsed() < self.kept
        {
            return findings.clone();
        }
        let findings: Arc<[Finding]> = self.ask().await.into();
        *found = Some((Instant::now(), findings.clone()));
        findings
    }

    async fn ask(&self) -> Vec<Finding> {
        join_all(self.checks.iter().map(|check| async {
            let answer = timeout(self.timeout, (check.ask)()).await;
            let answer = answer.unwrap_or_else(|_| Err("no answer in time".to_owned()));
            let ok = answer.is_ok();
            Finding { name: check.name, ok, detail: answer.unwrap_or_else(|why| why) }
        }))
        .await
    }

    /// `/healthz`, `/startupz` and `/readyz`.
    pub fn router(self: &Arc<Self>) -> Router {
        Router::new()
            .route("/healthz", get(async || report(true, &[])))
            .route("/startupz", get(startup))
            .route("/readyz", get(ready))
            .with_state(Arc::clone(self))
    }
}

async fn startup(State(health): State<Arc<Health>>) -> Response {
    report(health.started.load(Ordering::Acquire), &[])
}

async fn ready(State(health): State<Arc<Health>>) -> Response {
    let mut findings = health.findings().await.to_vec();
    if health.draining.load(Ordering::Acquire) {
        let detail = "the process is stopping".to_owned();
        findings.push(Finding { name: "draining", ok: false, detail });
    }
    if !health.started.load(Ordering::Acquire) {
        let detail = "the process has not started".to_owned();
        findings.push(Finding { name: "started", ok: false, detail });
    }
    report(findings.iter().all(|finding| finding.ok), &findings)
}

fn report(ok: bool, checks: &[Finding]) -> Response {
    let (code, status) = match ok {
        true => (StatusCode::OK, "ok"),
        false => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
    };
    (code, Json(Report { status, checks })).into_response()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use axum::body::Body;
    use http_body_util::BodyExt;
    use tokio::task::yield_now;
    use tower::ServiceExt;

    use super::*;

    async fn probe(health: &Arc<Health>, path: &str) -> (u16, String) {
        let request = http::Request::get(path).body(Body::empty()).unwrap();
        let response = health.router().oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8_lossy(&bytes).into_owned())
    }

    #[tokio::test]
    async fn a_process_is_ready_once_started_and_until_it_drains() {
        let health = Arc::new(Health::new().check("database", async || Ok("answers".to_owned())));
        assert_eq!(probe(&health, "/healthz").await.0, 200);
        assert_eq!(probe(&health, "/startupz").await.0, 503);
        assert_eq!(probe(&health, "/readyz").await.0, 503);
        health.started();
        assert_eq!(probe(&health, "/startupz").await.0, 200);
        let (status, body) = probe(&health, "/readyz").await;
        assert_eq!(status, 200);
        assert!(body.contains("\"database\""), "{body}");
        health.draining();
        assert_eq!(probe(&health, "/readyz").await.0, 503);
        assert_eq!(probe(&health, "/healthz").await.0, 200);
    }

    #[tokio::test]
    async fn a_failing_or_hanging_check_is_named() {
        let health = Health::new()
            .check("disk", async || Err("full".to_owned()))
            .check("database", std::future::pending);
        let health = Arc::new(Health { timeout: Duration::ZERO, ..health });
        health.started();
        let (status, body) = probe(&health, "/readyz").await;
        assert_eq!(status, 503);
        assert!(body.contains(r#"{"name":"disk","ok":false,"detail":"full"}"#), "{body}");
        assert!(body.contains("no answer in time"), "{body}");
    }

    /// A process with one check, and how often that was asked.
    fn counted() -> (Health, Arc<AtomicUsize>) {
        let asked = Arc::new(AtomicUsize::new(0));
        let count = asked.clone();
        let health = Health::new().check("database", move || {
            count.fetch_add(1, Ordering::Relaxed);
            async {
                yield_now().await;
                Ok("answers".to_owned())
            }
        });
        (health, asked)
    }

    #[tokio::test]
    async fn the_checks_are_asked_again_only_a_moment_later() {
        for (kept, often) in [(Duration::MAX, 1), (Duration::ZERO, 2)] {
            let (health, asked) = counted();
            let health = Arc::new(Health { kept, ..health });
            assert_eq!(probe(&health, "/readyz").await.0, 503);
            // What the process itself knows is never old.
            health.started();
            assert_eq!(probe(&health, "/readyz").await.0, 200);
            assert_eq!(asked.load(Ordering::Relaxed), often);
        }
    }

    #[tokio::test]
    async fn probes_at_once_wait_for_one_answer() {
        let (health, asked) = counted();
        let health = Arc::new(health);
        join_all((0..100).map(|_| probe(&health, "/readyz"))).await;
        assert_eq!(asked.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn strangers_are_not_told_what_the_database_said() {
        let fault = std::io::Error::other("password authentication failed for user ada");
        assert!(!withheld("database", &fault).contains("ada"));
    }
}
