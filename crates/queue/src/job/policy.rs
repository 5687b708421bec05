//! The retry policy of a kind: number of attempts, backoff, and timeout of an attempt.

use std::time::Duration;

use nightshift_db::Timestamp;

/// How jobs of a kind are retried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Number of failed attempts after which a job is dead.
    pub max_attempts: i64,
    /// The delays between attempts.
    pub backoff: Backoff,
    /// Maximum duration of one attempt, in real time.
    pub timeout: Duration,
}

impl Policy {
    /// Retries after 5 s, 15 s, 60 s, 5 min and 15 min, then every hour. An attempt may take 30 s.
    #[must_use]
    pub const fn standard(max_attempts: i64) -> Self {
        Self { max_attempts, backoff: Backoff::Standard, timeout: Duration::from_secs(30) }
    }

    /// Retries after 1 s, 2 s, 5 s and 10 s, then every 30 s. An attempt may take 30 s.
    #[must_use]
    pub const fn fast(max_attempts: i64) -> Self {
        Self { max_attempts, backoff: Backoff::Fast, timeout: Duration::from_secs(30) }
    }

    /// Retries after the same delay every time. An attempt may take 30 s.
    #[must_use]
    pub const fn every(wait: Duration, max_attempts: i64) -> Self {
        Self { max_attempts, backoff: Backoff::Every(wait), timeout: Duration::from_secs(30) }
    }

    /// Makes one attempt of at most 30 s and no retry.
    #[must_use]
    pub const fn once() -> Self {
        Self { max_attempts: 1, backoff: Backoff::Fast, timeout: Duration::from_secs(30) }
    }

    /// Sets the maximum duration of one attempt.
    #[must_use]
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }
}

/// The delays between attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backoff {
    /// 5 s, 15 s, 60 s, 5 min, 15 min, then every hour.
    Standard,
    /// 1 s, 2 s, 5 s, 10 s, then every 30 s.
    Fast,
    /// The same delay every time.
    Every(Duration),
}

impl Backoff {
    /// Returns the delay after the `failures`-th failure (counted from 1), before jitter.
    #[must_use]
    pub fn base(self, failures: i64) -> Duration {
        const STANDARD: [u64; 6] = [5, 15, 60, 300, 900, 3600];
        const FAST: [u64; 5] = [1, 2, 5, 10, 30];
        let step = |table: &[u64]| {
            let index = usize::try_from(failures - 1).unwrap_or(0).min(table.len() - 1);
            Duration::from_secs(table[index])
        };
        match self {
            Self::Standard => step(&STANDARD),
            Self::Fast => step(&FAST),
            Self::Every(wait) => wait,
        }
    }

    /// Returns the delay after the `failures`-th failure, with jitter: `dice` from 0 to 1 changes it by -20 % to +20 %,
    /// so that jobs that failed together are not retried together.
    #[must_use]
    pub fn wait(self, failures: i64, dice: f64) -> Duration {
        self.base(failures).mul_f64(0.8 + 0.4 * dice.clamp(0.0, 1.0))
    }
}

/// Returns when the next attempt may start. `asked` is the delay that the handler requested.
pub(crate) fn retry_at(
    policy: &Policy,
    failures: i64,
    asked: Option<Duration>,
    now: Timestamp,
    dice: f64,
) -> Timestamp {
    // A requested delay, such as a provider's Retry-After, replaces the backoff: the provider knows better when it will
    // answer again.
    let wait = policy.backoff.wait(failures, dice);
    now + asked.map_or(wait, |asked| asked.max(Duration::from_millis(1)))
}
