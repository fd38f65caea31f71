//! How much one client may ask for.
//!
//! Owns the limits per network and per account, and the guard in front of sign-in. Refuses to
//! grow: every map here is bounded, whoever sends from however many addresses.

mod limiter;
mod login_guard;

use axum::response::Response;
use http::{HeaderName, HeaderValue};
use uuid::Uuid;

pub use limiter::{Allowance, Limiter, Per};
pub use login_guard::{KeyAttempt, LoginGuard, LoginRules, Refused};

use crate::{
    config::Config,
    context::{Network, RequestContext},
    health,
    problem::{Problem, TOO_MANY_REQUESTS},
};

/// Mails per hour that strangers can have sent to one address.
const MAILS_PER_HOUR: u32 = 10;

/// The limits of the process.
#[derive(Debug)]
pub struct Limits {
    enabled: bool,
    networks: Limiter<Network>,
    accounts: Limiter<Uuid>,
    sign_ups: Limiter<Network>,
    mails: Limiter<String>,
}

impl Limits {
    /// The configured limits.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        let limits = &config.rate_limit;
        let keys = limits.max_keys;
        Self {
            enabled: limits.enabled,
            networks: Limiter::new(limits.per_address_per_minute, Per::Minute, keys),
            accounts: Limiter::new(limits.per_account_per_minute, Per::Minute, keys),
            sign_ups: Limiter::new(config.auth.sign_ups_per_hour, Per::Hour, keys),
            mails: Limiter::new(MAILS_PER_HOUR, Per::Hour, keys),
        }
    }

    /// Counts a request of a network. Probes are not counted: whoever watches the process must
    /// reach it also when it is busy.
    ///
    /// # Errors
    /// `too-many-requests`.
    pub(crate) fn network(
        &self,
        context: &RequestContext,
        path: &str,
    ) -> Result<Option<Allowance>, Problem> {
        if health::is_probe(path) {
            return Ok(None);
        }
        self.count(&self.networks, &Network::of(context.client()))
    }

    /// Counts a request of a user or an API key.
    ///
    /// # Errors
    /// `too-many-requests`.
    pub fn account(&self, account: Uuid) -> Result<(), Problem> {
        self.count(&self.accounts, &account).map(|_| ())
    }

    /// Counts a sign-up from a network.
    ///
    /// # Errors
    /// `too-many-requests`.
    pub fn sign_up(&self, network: Network) -> Result<(), Problem> {
        self.count(&self.sign_ups, &network).map(|_| ())
    }

    /// Counts a mail that a stranger asks for, by the digest of its address, known or not.
    ///
    /// # Errors
    /// `too-many-requests`.
    pub fn mail(&self, email_digest: &str) -> Result<(), Problem> {
        self.count(&self.mails, &email_digest.to_owned()).map(|_| ())
    }

    fn count<K: std::hash::Hash>(
        &self,
        limiter: &Limiter<K>,
        key: &K,
    ) -> Result<Option<Allowance>, Problem> {
        if !self.enabled {
            return Ok(None);
        }
        limiter.check(key).map(Some).map_err(|allowance| {
            let mut problem =
                Problem::new(&TOO_MANY_REQUESTS).retry_after(allowance.retry_after_seconds);
            for (name, value) in headers(&allowance) {
                problem = problem.header(name, value);
            }
            problem
        })
    }
}

impl Allowance {
    /// Tells what is left. A refusal by a narrower limit has said so already.
    pub(crate) fn tell(&self, response: &mut Response) {
        for (name, value) in headers(self) {
            response.headers_mut().entry(name).or_insert(value);
        }
    }
}

fn headers(allowance: &Allowance) -> [(HeaderName, HeaderValue); 3] {
    [
        (HeaderName::from_static("ratelimit-limit"), allowance.limit.into()),
        (HeaderName::from_static("ratelimit-remaining"), allowance.remaining.into()),
        (HeaderName::from_static("ratelimit-reset"), allowance.reset_seconds.into()),
    ]
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use axum::{Router, body::Body, routing::get};
    use tower::ServiceExt;

    use super::*;
    use crate::{edge, metrics::Metrics};

    #[tokio::test]
    async fn a_client_learns_what_is_left_and_when_to_come_back() {
        let mut config = Config::default();
        config.rate_limit.per_address_per_minute = 2;
        let limits = Arc::new(Limits::new(&config));
        let inner =
            Router::new().route("/", get(async || "ok")).route("/healthz", get(async || "ok"));
        let router = edge::around(inner, &config, &Arc::new(Metrics::new()), &limits);
        let ask = async |path: &str| {
            let request = http::Request::get(path).body(Body::empty()).unwrap();
            router.clone().oneshot(request).await.unwrap()
        };
        assert_eq!(ask("/").await.headers()["ratelimit-remaining"], "1");
        assert_eq!(ask("/").await.headers()["ratelimit-remaining"], "0");
        let refused = ask("/").await;
        assert_eq!(refused.status(), 429);
        assert_eq!(refused.headers()["ratelimit-limit"], "2");
        let wait: u64 = refused.headers()["retry-after"].to_str().unwrap().parse().unwrap();
        assert!((1..=30).contains(&wait), "{wait}");
        assert_eq!(ask("/healthz").await.status(), 200);
    }

    #[test]
    fn accounts_and_sign_ups_are_counted_apart() {
        let mut config = Config::default();
        config.rate_limit.per_account_per_minute = 1;
        config.auth.sign_ups_per_hour = 1;
        let limits = Limits::new(&config);
        let network = Network::of("203.0.113.9".parse().unwrap());
        assert!(limits.account(Uuid::nil()).is_ok());
        assert_eq!(limits.account(Uuid::nil()).unwrap_err().code(), "too-many-requests");
        assert!(limits.account(Uuid::max()).is_ok());
        assert!(limits.sign_up(network).is_ok());
        assert!(limits.sign_up(network).is_err());
        assert!((0..MAILS_PER_HOUR).all(|_| limits.mail("ada").is_ok()));
        assert!(limits.mail("ada").is_err() && limits.mail("bob").is_ok());
        config.rate_limit.enabled = false;
        let limits = Limits::new(&config);
        assert!((0..9).all(|_| limits.account(Uuid::nil()).is_ok()));
    }
}
