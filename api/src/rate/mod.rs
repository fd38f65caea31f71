//! How much one client may ask for.
//!
//! Owns the limits per network and per account, and the guard in front of sign-in. Refuses to
//! grow: every map here is bounded, whoever sends from however many addresses.

mod limiter;
mod login_guard;

use axum::response::Response;
use domain::organization::OrganizationId;
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

/// Mails of one kind per hour that strangers can have sent to one address.
const MAILS_PER_HOUR: u32 = 10;
/// Invitations per hour to one address, from whatever organizations.
const INVITATIONS_PER_HOUR: u32 = 50;

/// A mail that strangers can have sent. Each kind is counted apart: whoever uses up one must not keep
/// the others from who needs them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mailing {
    /// To verify an address.
    Verification,
    /// To change to an address.
    AddressChange,
    /// To set another password.
    PasswordReset,
}

/// The limits of the process.
#[derive(Debug)]
pub struct Limits {
    enabled: bool,
    networks: Limiter<Network>,
    accounts: Limiter<Uuid>,
    sign_ups: Limiter<Network>,
    mails: Limiter<(Mailing, String)>,
    invitations_of: Limiter<(OrganizationId, String)>,
    invitations: Limiter<String>,
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
            invitations_of: Limiter::new(MAILS_PER_HOUR, Per::Hour, keys),
            invitations: Limiter::new(INVITATIONS_PER_HOUR, Per::Hour, keys),
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
    pub fn mail(&self, mailing: Mailing, email_digest: &str) -> Result<(), Problem> {
        self.count(&self.mails, &(mailing, email_digest.to_owned())).map(|_| ())
    }

    /// Counts an invitation to an address, by its digest. An organization's own limit comes first: at
    /// its end it takes nothing from what there is for all.
    ///
    /// # Errors
    /// `too-many-requests`.
    pub fn invitation(&self, from: OrganizationId, email_digest: &str) -> Result<(), Problem> {
        let address = email_digest.to_owned();
        self.count(&self.invitations_of, &(from, address.clone()))?;
        self.count(&self.invitations, &address).map(|_| ())
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
        config.rate_limit.enabled = false;
        let limits = Limits::new(&config);
        assert!((0..9).all(|_| limits.account(Uuid::nil()).is_ok()));
    }

    #[test]
    fn a_kind_of_mail_that_is_used_up_leaves_the_others() {
        let limits = Limits::new(&Config::default());
        let mail = |mailing, address| limits.mail(mailing, address).is_ok();
        assert!((0..MAILS_PER_HOUR).all(|_| mail(Mailing::Verification, "ada")));
        assert!(!mail(Mailing::Verification, "ada") && mail(Mailing::Verification, "bob"));
        assert!(mail(Mailing::PasswordReset, "ada") && mail(Mailing::AddressChange, "ada"));

        let organization = |number| OrganizationId::from_uuid(Uuid::from_u128(number));
        let invited = |number| limits.invitation(organization(number), "ada").is_ok();
        for number in 0..u128::from(INVITATIONS_PER_HOUR / MAILS_PER_HOUR) {
            assert!((0..MAILS_PER_HOUR).all(|_| invited(number)));
            assert!(!invited(number));
        }
        assert!(!invited(99), "all of them together are bounded as well");
        assert!(limits.invitation(organization(99), "bob").is_ok());
        assert!(mail(Mailing::PasswordReset, "ada"));
    }
}
