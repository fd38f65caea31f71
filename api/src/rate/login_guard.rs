//! The guard in front of sign-in: guessing is slow, and nobody can lock out somebody else.
//!
//! Refused are one account from one network, and a network that guesses at many accounts. The
//! account's owner, who comes from another network, is never in the way. An attempt counts when
//! it begins, so that many at once count as many; a success takes it back.
//!
//! An account has several names. Guesses by all of them count together as well, which must never
//! show: it would tell which names are of one account. Codes of an authenticator app are short, so
//! they are counted for an account wherever they come from; only who knows its password can use
//! that up.
//!
//! API keys that have to be hashed to be checked cost what a sign-in costs, and a network that shows
//! many wrong ones is slowed alike. They are counted apart: a program with a key of yesterday must
//! not keep the people beside it from signing in.

use std::{
    hash::{BuildHasher, Hash, RandomState},
    num::NonZeroUsize,
    sync::{Mutex, MutexGuard, PoisonError},
};

use chrono::TimeDelta;
use domain::kernel::Timestamp;
use lru::LruCache;
use tokio::sync;
use uuid::Uuid;

use crate::{
    config::{Auth, RateLimit},
    context::Network,
    door,
    problem::{Problem, TOO_MANY_REQUESTS},
};

/// Lines in which API keys stand to be checked, one at a time. Two networks may share one, and then
/// wait for one another.
const LINES: usize = 1_024;

/// What counts as guessing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoginRules {
    /// Failed attempts after which an account is refused to a network.
    pub attempts: u32,
    /// In which they count, and for which it is then refused.
    pub window: TimeDelta,
    /// Failed attempts per minute of a network, over all accounts; and wrong API keys.
    pub network_per_minute: u32,
    /// Most accounts and networks remembered; the least recently seen is forgotten.
    pub capacity: NonZeroUsize,
}

impl LoginRules {
    /// The configured rules.
    #[must_use]
    pub fn new(auth: &Auth, limits: &RateLimit) -> Self {
        let window = i64::try_from(auth.login_window_seconds).unwrap_or(i64::MAX);
        Self {
            attempts: auth.login_attempts,
            window: TimeDelta::try_seconds(window).unwrap_or(TimeDelta::MAX),
            network_per_minute: auth.login_failures_per_minute,
            capacity: NonZeroUsize::new(limits.max_keys).unwrap_or(NonZeroUsize::MIN),
        }
    }
}

/// An attempt is not even looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many failed sign-ins; try again in {retry_after_seconds} s")]
pub struct Refused {
    /// Until the next attempt is looked at.
    pub retry_after_seconds: u64,
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        Self::new(&TOO_MANY_REQUESTS).retry_after(refused.retry_after_seconds)
    }
}

/// Remembers failed sign-ins.
#[derive(Debug)]
pub struct LoginGuard {
    rules: LoginRules,
    memory: Mutex<Memory>,
    lines: Vec<sync::Mutex<()>>,
    hasher: RandomState,
}

#[derive(Debug)]
struct Memory {
    accounts: LruCache<(String, Network), Failures>,
    /// Wrong codes, by user.
    codes: LruCache<Uuid, Failures>,
    networks: LruCache<Network, Bucket>,
    /// Networks that show API keys.
    programs: LruCache<Network, Bucket>,
}

/// An API key about to be checked. It counts as wrong, unless forgiven.
#[derive(Debug)]
pub struct KeyAttempt<'a> {
    guard: &'a LoginGuard,
    network: Network,
    _turn: Option<sync::MutexGuard<'a, ()>>,
}

/// Failures of an account, from a network or altogether.
#[derive(Debug, Clone, Copy)]
struct Failures {
    count: u32,
    until: Timestamp,
}

/// Attempts of a network: empty when `full_at` lies a minute ahead (GCRA).
#[derive(Debug, Clone, Copy)]
struct Bucket {
    full_at: Timestamp,
}

impl LoginGuard {
    /// A guard that has seen nothing.
    #[must_use]
    pub fn new(rules: LoginRules) -> Self {
        let memory = Memory {
            accounts: LruCache::new(rules.capacity),
            codes: LruCache::new(rules.capacity),
            networks: LruCache::new(rules.capacity),
            programs: LruCache::new(rules.capacity),
        };
        Self {
            rules,
            memory: Mutex::new(memory),
            lines: (0..LINES).map(|_| sync::Mutex::new(())).collect(),
            hasher: RandomState::new(),
        }
    }

    /// An attempt begins. `account` is the digest of what was typed, known or not.
    ///
    /// # Errors
    /// [`Refused`]; then the attempt does not count either.
    pub fn begin(&self, account: &str, network: Network, now: Timestamp) -> Result<(), Refused> {
        let mut memory = self.lock();
        let key = (account.to_owned(), network);
        let failures = one_more(&mut memory.accounts, &key, &self.rules, now)?;
        take(&mut memory.networks, network, &self.rules, now)?;
        memory.accounts.put(key, failures);
        Ok(())
    }

    /// Whose account was named by an attempt that has begun, by whatever name. Who is refused here
    /// must look as if the password had been wrong.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn named(&self, user: Uuid, network: Network, now: Timestamp) -> Result<(), Refused> {
        let mut memory = self.lock();
        let key = (user.to_string(), network);
        let failures = one_more(&mut memory.accounts, &key, &self.rules, now)?;
        memory.accounts.put(key, failures);
        Ok(())
    }

    /// The attempt was right: it does not count, and neither do those before it, by any of these
    /// names of the account.
    pub fn succeeded(&self, names: &[&str], network: Network) {
        let mut memory = self.lock();
        for name in names {
            memory.accounts.pop(&((*name).to_owned(), network));
        }
        give_back(&mut memory.networks, network, &self.rules);
    }

    /// A token from a mail is shown, to set a password. Until it is found right it counts as a failed
    /// sign-in of its network.
    ///
    /// # Errors
    /// [`Refused`]; then the token does not count either.
    pub fn begin_token(&self, network: Network, now: Timestamp) -> Result<(), Refused> {
        take(&mut self.lock().networks, network, &self.rules, now)
    }

    /// Somebody who knows a user's password shows a code.
    ///
    /// # Errors
    /// [`Refused`]; then the code does not count either.
    pub fn begin_code(&self, user: Uuid, now: Timestamp) -> Result<(), Refused> {
        let mut memory = self.lock();
        let failures = one_more(&mut memory.codes, &user, &self.rules, now)?;
        memory.codes.put(user, failures);
        Ok(())
    }

    /// The code was right and does not count. Those before it do: whoever guesses must gain nothing
    /// by the user's own sign-ins.
    pub fn code_succeeded(&self, user: Uuid) {
        if let Some(failures) = self.lock().codes.get_mut(&user) {
            failures.count = failures.count.saturating_sub(1);
        }
    }

    /// An API key is to be checked that has to be hashed for it. A network has one checked at a
    /// time: so a key that many show at once is hashed once and counted once, and nobody fills the
    /// line of the hashes by himself.
    ///
    /// # Errors
    /// [`Refused`]; then the key does not count either.
    pub async fn begin_key(
        &self,
        network: Network,
        now: Timestamp,
    ) -> Result<KeyAttempt<'_>, Refused> {
        let turn = self.turn(network).await;
        take(&mut self.lock().programs, network, &self.rules, now)?;
        Ok(KeyAttempt { guard: self, network, _turn: turn })
    }

    async fn turn(&self, network: Network) -> Option<sync::MutexGuard<'_, ()>> {
        let hash = usize::try_from(self.hasher.hash_one(network)).unwrap_or_default();
        let line = self.lines.get(hash % LINES)?;
        // Whoever is next may have to wait for a place at the door: that keeps nobody but its own
        // network waiting, and not for long.
        Some(door::aside(line.lock()).await)
    }

    fn lock(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl KeyAttempt<'_> {
    /// The key was right, or could not be checked.
    pub fn forgive(self) {
        give_back(&mut self.guard.lock().programs, self.network, &self.guard.rules);
    }
}

/// The failures with one more, unless there are too many.
fn one_more<K: Hash + Eq>(
    counted: &mut LruCache<K, Failures>,
    key: &K,
    rules: &LoginRules,
    now: Timestamp,
) -> Result<Failures, Refused> {
    let seen = counted.get(key).copied().filter(|seen| seen.until > now);
    if let Some(seen) = seen.filter(|seen| seen.count >= rules.attempts) {
        return Err(until(seen.until, now));
    }
    let count = seen.map_or(0, |seen| seen.count).saturating_add(1);
    // The window runs from the first failure until the last one that counts begins the
    // refusal, which lasts a whole window.
    let fresh = now + rules.window;
    let ends = seen.filter(|_| count < rules.attempts).map_or(fresh, |seen| seen.until);
    Ok(Failures { count, until: ends })
}

fn take(
    buckets: &mut LruCache<Network, Bucket>,
    network: Network,
    rules: &LoginRules,
    now: Timestamp,
) -> Result<(), Refused> {
    let bucket = buckets.get(&network).copied().unwrap_or(Bucket { full_at: now });
    buckets.put(network, bucket.take(rules, now)?);
    Ok(())
}

fn give_back(buckets: &mut LruCache<Network, Bucket>, network: Network, rules: &LoginRules) {
    if let Some(bucket) = buckets.get_mut(&network) {
        bucket.full_at -= rules.interval();
    }
}

impl LoginRules {
    /// How long an attempt takes to be forgiven.
    fn interval(&self) -> TimeDelta {
        TimeDelta::minutes(1) / i32::try_from(self.network_per_minute.max(1)).unwrap_or(i32::MAX)
    }
}

impl Bucket {
    fn take(self, rules: &LoginRules, now: Timestamp) -> Result<Self, Refused> {
        let full_at = self.full_at.max(now) + rules.interval();
        let room = now + TimeDelta::minutes(1);
        if full_at > room {
            Err(until(full_at - TimeDelta::minutes(1), now))
        } else {
            Ok(Self { full_at })
        }
    }
}

fn until(end: Timestamp, now: Timestamp) -> Refused {
    let left = (end - now).max(TimeDelta::zero()).num_milliseconds();
    let seconds = u64::try_from(left).unwrap_or_default().div_ceil(1_000);
    Refused { retry_after_seconds: seconds.max(1) }
}

#[cfg(test)]
mod tests {
    use domain::kernel::testing::at;
    use futures_util::FutureExt;

    use super::*;

    fn guard() -> LoginGuard {
        LoginGuard::new(LoginRules {
            attempts: 10,
            window: TimeDelta::seconds(900),
            network_per_minute: 30,
            capacity: NonZeroUsize::new(1_000).unwrap(),
        })
    }

    fn network(last: u8) -> Network {
        Network::of([203, 0, 113, last].into())
    }

    #[test]
    fn after_ten_failures_an_account_is_refused_to_a_network_for_fifteen_minutes() {
        let guard = guard();
        for second in 0..10 {
            assert_eq!(guard.begin("ada", network(1), at(second)), Ok(()));
        }
        let refused = Err(Refused { retry_after_seconds: 900 });
        assert_eq!(guard.begin("ada", network(1), at(9)), refused);
        assert!(guard.begin("ada", network(1), at(9 + 899)).is_err());
        assert_eq!(guard.begin("ada", network(1), at(9 + 900)), Ok(()));
    }

    #[test]
    fn nobody_locks_out_somebody_else() {
        let guard = guard();
        for _ in 0..10 {
            guard.begin("ada", network(1), at(0)).unwrap();
        }
        assert_eq!(guard.begin("ada", network(2), at(1)), Ok(()));
        assert_eq!(guard.begin("bob", network(1), at(1)), Ok(()));
    }

    #[test]
    fn a_success_forgives() {
        let guard = guard();
        for _ in 0..5 {
            for _ in 0..9 {
                guard.begin("ada", network(1), at(0)).unwrap();
            }
            guard.succeeded(&["ada"], network(1));
            // The other eight attempts still count for the network.
            guard.memory.lock().unwrap().networks.clear();
        }
    }

    #[test]
    fn names_of_one_account_count_together_and_alone() {
        let (guard, user) = (guard(), Uuid::from_u128(1));
        let attempt = |name: &str, from: u8| {
            guard.begin(name, network(from), at(0)).unwrap();
            guard.named(user, network(from), at(0))
        };
        for name in ["ada", "ada@example.org"].repeat(5) {
            assert_eq!(attempt(name, 1), Ok(()));
        }
        assert!(attempt("ada", 1).is_err());
        assert_eq!(attempt("ada", 2), Ok(()));
        guard.succeeded(&["ada", &user.to_string()], network(1));
        assert_eq!(attempt("ada", 1), Ok(()));
    }

    #[test]
    fn after_ten_wrong_codes_an_account_takes_no_more_from_anywhere() {
        let (guard, user) = (guard(), Uuid::from_u128(1));
        for _ in 0..9 {
            guard.begin_code(user, at(0)).unwrap();
        }
        for _ in 0..20 {
            guard.begin_code(user, at(0)).unwrap();
            guard.code_succeeded(user);
        }
        assert_eq!(guard.begin_code(user, at(0)), Ok(()));
        let refused = Err(Refused { retry_after_seconds: 900 });
        assert_eq!(guard.begin_code(user, at(0)), refused);
        assert_eq!(guard.begin_code(Uuid::from_u128(2), at(0)), Ok(()));
        assert_eq!(guard.begin_code(user, at(900)), Ok(()));
    }

    #[test]
    fn old_failures_are_forgotten() {
        let guard = guard();
        for _ in 0..9 {
            guard.begin("ada", network(1), at(0)).unwrap();
        }
        assert_eq!(guard.begin("ada", network(1), at(901)), Ok(()));
        assert_eq!(guard.begin("ada", network(1), at(902)), Ok(()));
    }

    #[test]
    fn a_network_that_guesses_at_many_accounts_is_slowed() {
        let guard = guard();
        for account in 0..30 {
            guard.begin(&account.to_string(), network(1), at(0)).unwrap();
        }
        let refused = Err(Refused { retry_after_seconds: 2 });
        assert_eq!(guard.begin("another", network(1), at(0)), refused);
        assert_eq!(guard.begin("another", network(1), at(2)), Ok(()));
        assert!(guard.begin("yet another", network(1), at(2)).is_err());
        assert_eq!(guard.begin("another", network(2), at(2)), Ok(()));
    }

    #[test]
    fn a_network_that_invents_tokens_is_slowed() {
        let guard = guard();
        for _ in 0..30 {
            guard.begin_token(network(1), at(0)).unwrap();
            guard.succeeded(&[], network(1));
        }
        for _ in 0..30 {
            guard.begin_token(network(1), at(0)).unwrap();
        }
        let refused = Err(Refused { retry_after_seconds: 2 });
        assert_eq!(guard.begin_token(network(1), at(0)), refused);
        assert_eq!(guard.begin_token(network(2), at(0)), Ok(()));
    }

    #[tokio::test]
    async fn a_network_that_shows_wrong_keys_is_slowed_and_its_people_sign_in() {
        let guard = guard();
        for _ in 0..30 {
            guard.begin_key(network(1), at(0)).await.unwrap();
        }
        let refused = guard.begin_key(network(1), at(0)).await;
        assert_eq!(refused.unwrap_err(), Refused { retry_after_seconds: 2 });
        assert_eq!(guard.begin("ada", network(1), at(0)), Ok(()));
        for _ in 0..100 {
            guard.begin_key(network(1), at(2)).await.unwrap().forgive();
        }
        assert!(guard.begin_key(network(2), at(0)).await.is_ok());
    }

    #[tokio::test]
    async fn a_network_has_one_key_checked_at_a_time() {
        let guard = guard();
        let first = guard.begin_key(network(1), at(0)).await.unwrap();
        assert!(guard.begin_key(network(1), at(0)).now_or_never().is_none());
        drop(first);
        assert!(guard.begin_key(network(1), at(0)).now_or_never().is_some());
    }

    #[test]
    fn the_memory_is_bounded() {
        let guard = guard();
        for last in 0..=255 {
            for account in 0..10 {
                let _ = guard.begin(&account.to_string(), network(last), at(0));
            }
        }
        assert_eq!(guard.memory.lock().unwrap().accounts.len(), 1_000);
    }
}
