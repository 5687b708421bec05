//! The one source of "now".
//!
//! Everything that stamps, compares or waits for a time asks a [`Clock`]. Production uses the system's; tests hold a
//! clock that stands still until it is moved, so that a day of retries passes in a millisecond and nothing sleeps.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::watch;

use crate::Timestamp;

/// A cheap handle; clones show the same time.
#[derive(Debug, Clone)]
pub struct Clock(Source);

#[derive(Debug, Clone)]
enum Source {
    System,
    Manual(watch::Sender<Timestamp>),
}

impl Clock {
    /// The machine's wall clock.
    #[must_use]
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that stands at `start` until [`Clock::advance`] or [`Clock::set`] moves it.
    #[must_use]
    pub fn manual(start: Timestamp) -> Self {
        Self(Source::Manual(watch::Sender::new(start)))
    }

    /// The present instant.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Source::System => {
                let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                Timestamp::from_unix_ms(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
            }
            Source::Manual(now) => *now.borrow(),
        }
    }

    /// Moves a manual clock forward and wakes whatever waits for a time that has now come. The system clock ignores it.
    pub fn advance(&self, by: Duration) {
        if let Source::Manual(now) = &self.0 {
            now.send_modify(|now| *now = *now + by);
        }
    }

    /// Sets a manual clock, also backwards. The system clock ignores it.
    pub fn set(&self, to: Timestamp) {
        if let Source::Manual(now) = &self.0 {
            now.send_replace(to);
        }
    }

    /// Waits until this clock shows `at` or later.
    ///
    /// On the system clock the wait is re-checked every minute, so that a step of the wall clock is noticed.
    pub async fn sleep_until(&self, at: Timestamp) {
        match &self.0 {
            Source::System => loop {
                let left = at.since(self.now());
                if left.is_zero() {
                    return;
                }
                tokio::time::sleep(left.min(Duration::from_secs(60))).await;
            },
            Source::Manual(now) => {
                // The sender lives in `self`, so the channel cannot close while we wait.
                let _ = now.subscribe().wait_for(|now| *now >= at).await;
            }
        }
    }

    /// Waits for `duration` of this clock's time.
    pub async fn sleep(&self, duration: Duration) {
        self.sleep_until(self.now() + duration).await;
    }
}
