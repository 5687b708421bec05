//! How often a job is tried, when the next attempt may start, and how long one may take.

use std::time::Duration;

use nightshift_db::Timestamp;

/// How a kind is retried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Failures after which a job is dead.
    pub max_attempts: i64,
    /// Waits between attempts.
    pub backoff: Backoff,
    /// How long one attempt may take, in real time.
    pub timeout: Duration,
}

impl Policy {
    /// 5 s, 15 s, 60 s, 5 min, 15 min, then every hour.
    #[must_use]
    pub const fn standard(max_attempts: i64) -> Self {
        Self { max_attempts, backoff: Backoff::Standard, timeout: Duration::from_secs(30) }
    }

    /// 1 s, 2 s, 5 s, 10 s, then every 30 s.
    #[must_use]
    pub const fn fast(max_attempts: i64) -> Self {
        Self { max_attempts, backoff: Backoff::Fast, timeout: Duration::from_secs(30) }
    }

    /// Always the same wait.
    #[must_use]
    pub const fn every(wait: Duration, max_attempts: i64) -> Self {
        Self { max_attempts, backoff: Backoff::Every(wait), timeout: Duration::from_secs(30) }
    }

    /// One attempt.
    #[must_use]
    pub const fn once() -> Self {
        Self { max_attempts: 1, backoff: Backoff::Fast, timeout: Duration::from_secs(30) }
    }

    /// Sets how long one attempt may take.
    #[must_use]
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }
}

/// The waits between attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backoff {
    /// 5 s, 15 s, 60 s, 5 min, 15 min, then every hour.
    Standard,
    /// 1 s, 2 s, 5 s, 10 s, then every 30 s.
    Fast,
    /// The same wait every time.
    Every(Duration),
}

impl Backoff {
    /// The wait after the `failures`-th failure (from 1), before jitter.
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

    /// The wait after the `failures`-th failure; `dice` in 0..1 spreads it by 20 % to either side, so that jobs that
    /// failed together do not come back together.
    #[must_use]
    pub fn wait(self, failures: i64, dice: f64) -> Duration {
        self.base(failures).mul_f64(0.8 + 0.4 * dice.clamp(0.0, 1.0))
    }
}

/// When the next attempt may start.
pub(crate) fn retry_at(
    policy: &Policy,
    failures: i64,
    asked: Option<Duration>,
    now: Timestamp,
    dice: f64,
) -> Timestamp {
    // A provider's Retry-After is a floor: it knows better than our table when it will answer again.
    let wait = policy.backoff.wait(failures, dice);
    now + asked.map_or(wait, |asked| asked.max(Duration::from_millis(1)))
}
