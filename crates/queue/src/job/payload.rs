//! What a job is to those who write one: a payload with a kind, keys and a policy.

use std::time::Duration;

use nightshift_db::Timestamp;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

/// A typed job. The payload is stored as JSON of at most 64 KiB.
pub trait Job: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// Stored name; never change it once jobs of the kind exist.
    const KIND: &'static str;
    /// The pool that runs it.
    const QUEUE: &'static str;
    /// Version of the payload's shape.
    const VERSION: i64 = 1;
    /// 0 is run first, 9 last.
    const PRIORITY: i64 = 5;

    /// Keys that keep twins out and jobs in order.
    fn keys(&self) -> Keys {
        Keys::default()
    }

    /// What the job is about, told to whoever hears of its end. Two dead jobs of a kind with the same subject are one
    /// matter.
    fn subject(&self) -> Option<Subject> {
        None
    }

    /// How it is retried and how long an attempt may take.
    fn policy() -> Policy;

    /// Turns the payload of an older version into this one's.
    ///
    /// # Errors
    /// When that version can't be read any more; the job is parked.
    fn upcast(version: i64, payload: Value) -> Result<Value, PayloadError> {
        let _ = payload;
        Err(PayloadError(format!("version {version} is not known, this program reads {}", Self::VERSION)))
    }
}

/// The thing a job is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// What it is, in the program's own words: `booking`.
    pub thing: &'static str,
    /// Which one.
    pub id: String,
}

/// A payload that can't be read. The text says where, never what (a payload may hold personal data).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PayloadError(pub String);

/// Keys of one job.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Keys {
    /// Unique while the job is unfinished.
    pub dedup: Option<String>,
    /// Unique for ever.
    pub once: Option<String>,
    /// At most one job of a group runs at a time, oldest first.
    pub group: Option<String>,
    /// An unfinished older job of the group holds back younger ones even while it waits.
    pub strict: bool,
}

impl Keys {
    /// A second job with this key is not made while the first is unfinished.
    #[must_use]
    pub fn dedup(key: impl Into<String>) -> Self {
        Self { dedup: Some(key.into()), ..Self::default() }
    }

    /// A second job with this key is never made.
    #[must_use]
    pub fn once(key: impl Into<String>) -> Self {
        Self { once: Some(key.into()), ..Self::default() }
    }

    /// Runs the jobs of a group one at a time; one that waits for a retry lets younger ones pass.
    #[must_use]
    pub fn group(mut self, key: impl Into<String>) -> Self {
        self.group = Some(key.into());
        self
    }

    /// Runs the jobs of a group one at a time, strictly in order.
    #[must_use]
    pub fn strict_group(mut self, key: impl Into<String>) -> Self {
        self.group = Some(key.into());
        self.strict = true;
        self
    }
}

/// How a kind is retried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Failures after which a job is dead.
    pub max_attempts: i64,
    /// Waits between attempts.
    pub backoff: Backoff,
    /// How long one attempt may take.
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

/// Whether a job's outside effects are real.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Nothing leaves.
    Simulated,
    /// It leaves, but to a test address.
    Test,
    /// It leaves.
    Live,
}

impl Mode {
    /// The text stored in the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Simulated => "simulated",
            Self::Test => "test",
            Self::Live => "live",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        [Self::Simulated, Self::Test, Self::Live].into_iter().find(|mode| mode.as_str() == text)
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
