//! A bucket for each key, in bounded memory.

use std::{
    fmt,
    hash::{BuildHasher, Hash, RandomState},
    marker::PhantomData,
    num::NonZeroU32,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use governor::{
    Quota, RateLimiter,
    clock::{Clock, DefaultClock},
    middleware::StateInformationMiddleware,
    state::keyed::DefaultKeyedStateStore,
};

/// After so many checks, buckets that are full again are forgotten.
const SWEEP_EVERY: u64 = 65_536;

type Buckets =
    RateLimiter<u64, DefaultKeyedStateStore<u64>, DefaultClock, StateInformationMiddleware>;

/// The time a rate counts in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Per {
    /// 60 seconds.
    Minute,
    /// 3600 seconds.
    Hour,
}

/// How a key stands after a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// How many requests fit at once.
    pub limit: u32,
    /// How many more fit now.
    pub remaining: u32,
    /// Until all fit again.
    pub reset_seconds: u64,
    /// Until one more fits; 0 if one does now.
    pub retry_after_seconds: u64,
}

/// Limits requests by key (GCRA: an even rate, with a burst as large as the rate).
///
/// Keys share a fixed number of slots by a hash nobody can predict. Two keys in one slot share
/// its bucket, which is rare below the bound and is the price of a bound above it.
pub struct Limiter<K> {
    buckets: Buckets,
    slots: u64,
    hasher: RandomState,
    period: Duration,
    checks: AtomicU64,
    key: PhantomData<fn(K)>,
}

impl<K> fmt::Debug for Limiter<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Limiter(one per {:?})", self.period)
    }
}

impl<K: Hash> Limiter<K> {
    /// A limiter for at most so many keys.
    #[must_use]
    pub fn new(rate: u32, per: Per, max_keys: usize) -> Self {
        let rate = NonZeroU32::new(rate).unwrap_or(NonZeroU32::MIN);
        let quota = match per {
            Per::Minute => Quota::per_minute(rate),
            Per::Hour => Quota::per_hour(rate),
        };
        Self {
            period: quota.replenish_interval(),
            buckets: RateLimiter::dashmap(quota).with_middleware(),
            slots: u64::try_from(max_keys).unwrap_or(u64::MAX).max(1),
            hasher: RandomState::new(),
            checks: AtomicU64::new(0),
            key: PhantomData,
        }
    }

    /// Counts a request.
    ///
    /// # Errors
    /// How the key stands, if the request does not fit.
    pub fn check(&self, key: &K) -> Result<Allowance, Allowance> {
        if self.checks.fetch_add(1, Ordering::Relaxed) % SWEEP_EVERY == SWEEP_EVERY - 1 {
            self.buckets.retain_recent();
        }
        match self.buckets.check_key(&(self.hasher.hash_one(key) % self.slots)) {
            Ok(state) => {
                let limit = state.quota().burst_size().get();
                Ok(self.allowance(limit, state.remaining_burst_capacity(), 0))
            }
            Err(refused) => {
                let wait = refused.wait_time_from(DefaultClock::default().now());
                let limit = refused.quota().burst_size().get();
                Err(self.allowance(limit, 0, ceil_seconds(wait).max(1)))
            }
        }
    }

    fn allowance(&self, limit: u32, remaining: u32, retry_after_seconds: u64) -> Allowance {
        let reset = self.period.saturating_mul(limit.saturating_sub(remaining));
        Allowance { limit, remaining, reset_seconds: ceil_seconds(reset), retry_after_seconds }
    }
}

fn ceil_seconds(duration: Duration) -> u64 {
    duration.as_secs().saturating_add(u64::from(duration.subsec_nanos() > 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_refused_when_its_rate_is_used_up() {
        let limiter = Limiter::new(3, Per::Minute, 1_000);
        let left: Vec<_> = (0..3).map(|_| limiter.check(&"a").unwrap().remaining).collect();
        assert_eq!(left, [2, 1, 0]);
        let refused = limiter.check(&"a").unwrap_err();
        assert_eq!((refused.limit, refused.remaining), (3, 0));
        assert!((1..=20).contains(&refused.retry_after_seconds));
        assert_eq!(refused.reset_seconds, 60);
        assert!(limiter.check(&"b").is_ok());
    }

    #[test]
    fn a_million_keys_take_no_more_room_than_the_bound() {
        let limiter = Limiter::new(1, Per::Hour, 100);
        for key in 0..200_000_u32 {
            let _ = limiter.check(&key);
        }
        assert!(limiter.buckets.len() <= 100);
    }
}
