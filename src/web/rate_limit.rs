//! Rate limits per caller: token buckets in memory, per process.
//!
//! A bucket holds the requests of one minute, so a caller may send a burst after a quiet minute. The number of buckets
//! is bounded: a new caller replaces the one that was quiet for the longest. A caller that keeps sending keeps its
//! bucket, from however many addresses others send.

use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hashlink::LruCache;
use nightshift_db::Timestamp;

use crate::config::Http;

/// The maximum number of buckets in memory. Each takes a few hundred bytes.
const CALLERS_MAX: usize = 50_000;
const MINUTE: Duration = Duration::from_secs(60);

/// The rate limits of the program, one for each kind of caller.
pub struct RateLimits {
    /// Sessions and API keys, by their ids.
    pub callers: RateLimiter<String>,
    /// Callers with neither a session nor a key.
    pub addresses: RateLimiter<IpAddr>,
    /// Senders of webhooks that are not verified.
    pub webhooks: RateLimiter<IpAddr>,
    /// Senders of refused API keys. Looking up a key costs a statement.
    pub refused: RateLimiter<IpAddr>,
}

impl RateLimits {
    /// Creates the limits from the settings.
    #[must_use]
    pub fn new(http: &Http) -> Self {
        Self {
            callers: RateLimiter::new(http.rate_limit_per_minute),
            addresses: RateLimiter::new(http.rate_limit_per_minute),
            webhooks: RateLimiter::new(http.webhook_rate_limit_per_minute),
            refused: RateLimiter::new(http.rate_limit_per_minute),
        }
    }
}

/// A rate limit for callers that are identified by `K`.
pub struct RateLimiter<K> {
    per_minute: f64,
    buckets: Mutex<LruCache<K, Bucket>>,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    tokens: f64,
    at: Timestamp,
}

impl<K: Eq + Hash> RateLimiter<K> {
    /// Allows each caller `per_minute` requests per minute. Zero counts as one.
    #[must_use]
    pub fn new(per_minute: u32) -> Self {
        Self { per_minute: f64::from(per_minute.max(1)), buckets: Mutex::new(LruCache::new(CALLERS_MAX)) }
    }

    /// Counts a request of `caller`.
    ///
    /// # Errors
    /// Returns how long the caller must wait if the request is over the limit. Such a request is not counted.
    pub fn take(&self, caller: K, now: Timestamp) -> Result<(), Duration> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        // `entry` would evict the oldest bucket before it looks up the caller's, which may be that one.
        let Some(bucket) = buckets.get_mut(&caller) else {
            buckets.insert(caller, Bucket { tokens: self.per_minute - 1.0, at: now });
            return Ok(());
        };
        let tokens = self.filled(*bucket, now);
        if tokens < 1.0 {
            return Err(MINUTE.mul_f64((1.0 - tokens) / self.per_minute));
        }
        *bucket = Bucket { tokens: tokens - 1.0, at: now };
        Ok(())
    }

    /// Checks whether a request of `caller` would be allowed, without counting one. The check protects the bucket from
    /// eviction, as a request does.
    ///
    /// # Errors
    /// Returns how long the caller must wait.
    pub fn look(&self, caller: &K, now: Timestamp) -> Result<(), Duration> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let tokens = buckets.get(caller).map_or(self.per_minute, |bucket| self.filled(*bucket, now));
        if tokens < 1.0 { Err(MINUTE.mul_f64((1.0 - tokens) / self.per_minute)) } else { Ok(()) }
    }

    fn filled(&self, bucket: Bucket, now: Timestamp) -> f64 {
        (bucket.tokens + now.since(bucket.at).as_secs_f64() * self.per_minute / MINUTE.as_secs_f64())
            .min(self.per_minute)
    }
}

/// Returns the network that stands for an address. An IPv6 /64 belongs to one household, so it counts as one caller.
#[must_use]
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            std::net::Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_unix_ms(ms)
    }

    #[test]
    fn a_burst_of_a_minutes_worth_then_the_steady_rate() {
        let limiter = RateLimiter::new(60);
        assert!((0..60).all(|_| limiter.take("a", at(0)).is_ok()));
        assert_eq!(limiter.take("a", at(0)), Err(Duration::from_secs(1)));
        assert_eq!(limiter.look(&"a", at(500)), Err(Duration::from_millis(500)));
        assert_eq!(limiter.take("b", at(0)), Ok(()));
        assert_eq!(limiter.take("a", at(1_000)), Ok(()));
        assert_eq!(limiter.take("a", at(1_000)), Err(Duration::from_secs(1)));
    }

    #[test]
    fn a_million_addresses_take_bounded_memory_and_no_callers_limit_is_lifted() {
        let limiter = RateLimiter::new(60);
        assert!((0..60).all(|_| limiter.take(0, at(0)).is_ok()));
        for other in 1..=1_000_000 {
            assert_eq!(limiter.take(other, at(0)), Ok(()));
            if other % 10_000 == 0 {
                assert!(limiter.take(0, at(0)).is_err(), "a caller over its limit stays there");
            }
        }
        assert_eq!(limiter.buckets.lock().map(|buckets| buckets.len()).unwrap_or_default(), CALLERS_MAX);
    }

    #[test]
    fn a_caller_that_is_only_looked_at_keeps_its_limit() {
        let limiter = RateLimiter::new(1);
        assert_eq!(limiter.take(0, at(0)), Ok(()));
        for other in 1..=2 * CALLERS_MAX {
            assert_eq!(limiter.take(other, at(0)), Ok(()));
            if other % 10_000 == 0 {
                assert!(limiter.look(&0, at(0)).is_err(), "the bucket is evicted after {other} others");
            }
        }
    }

    #[test]
    fn the_request_of_the_oldest_caller_does_not_evict_its_own_bucket() {
        let limiter = RateLimiter::new(1);
        for caller in 0..2 * CALLERS_MAX {
            assert_eq!(limiter.take(caller, at(0)), Ok(()));
        }
        let oldest = limiter.buckets.lock().ok().and_then(|buckets| buckets.iter().next().map(|(caller, _)| *caller));
        assert!(oldest.is_some_and(|oldest| limiter.take(oldest, at(0)).is_err()), "{oldest:?}");
    }

    #[test]
    fn an_ipv6_network_is_one_caller() {
        let of = |text: &str| text.parse().map(network);
        assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:2:ffff::9"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_eq!(of("::ffff:10.0.0.1"), of("10.0.0.1"));
    }
}
