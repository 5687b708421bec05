//! The only source of the current time.
//!
//! All code that stores, compares or waits for a time asks a [`Clock`]. The production clock is the machine's; with a
//! database server it follows the server's clock ([`Db::agree_on_time`](crate::Db::agree_on_time)), so that all
//! processes of a database have the same time. Tests use a manual clock, which stands still until it is moved: a day of
//! retries passes in a millisecond and no test sleeps.

use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::watch;

use crate::Timestamp;
use crate::timeline::Timeline;

/// A cheap handle to a clock. Clones share the clock.
#[derive(Debug, Clone)]
pub struct Clock(Source);

#[derive(Debug, Clone)]
enum Source {
    System(Arc<System>),
    Manual(watch::Sender<Timestamp>),
}

#[derive(Debug)]
struct System {
    timeline: Mutex<Timeline>,
    /// Mirrors the timeline's number of steps, to wake tasks in [`Clock::stepped`].
    steps: watch::Sender<u64>,
}

impl System {
    fn timeline(&self) -> MutexGuard<'_, Timeline> {
        self.timeline.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `change` on the timeline, then wakes the waiting tasks if it has stepped.
    fn with<T>(&self, change: impl FnOnce(&mut Timeline) -> T) -> T {
        let mut timeline = self.timeline();
        let before = timeline.steps();
        let answer = change(&mut timeline);
        // Sent while the lock is held, so that the counts are sent in order.
        if timeline.steps() != before {
            self.steps.send_replace(timeline.steps());
        }
        answer
    }
}

impl Clock {
    /// Returns the machine's clock. If the machine's clock is set back by at most two seconds, the returned time does
    /// not change until that time is reached again. Larger changes are followed.
    #[must_use]
    pub fn system() -> Self {
        let timeline = Timeline::new(monotonic_ms(), wall_ms());
        Self(Source::System(Arc::new(System { timeline: Mutex::new(timeline), steps: watch::Sender::new(0) })))
    }

    /// Returns a clock that stands at `start` until [`Clock::advance`] or [`Clock::set`] moves it.
    #[must_use]
    pub fn manual(start: Timestamp) -> Self {
        Self(Source::Manual(watch::Sender::new(start)))
    }

    #[must_use]
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Source::System(system) => {
                Timestamp::from_unix_ms(system.with(|timeline| timeline.tell(monotonic_ms(), wall_ms())))
            }
            Source::Manual(now) => *now.borrow(),
        }
    }

    /// Synchronises this clock with a server's, which returned `server` in answer to a query that took `took`. The
    /// server is assumed to have read its clock in the middle of that time.
    pub(crate) fn agree(&self, server: Timestamp, took: Duration) {
        let half_ms = i64::try_from(took.as_millis() / 2).unwrap_or(i64::MAX);
        if let Source::System(system) = &self.0 {
            let now_ms = server.unix_ms().saturating_add(half_ms);
            system.with(|timeline| timeline.agree(monotonic_ms(), now_ms, half_ms.saturating_add(1)));
        }
    }

    /// Returns whether this clock can follow a server's: manual clocks can't.
    pub(crate) fn can_agree(&self) -> bool {
        matches!(self.0, Source::System(_))
    }

    /// Returns whether this clock follows a server's.
    pub(crate) fn has_agreed(&self) -> bool {
        matches!(&self.0, Source::System(system) if system.timeline().is_by_server())
    }

    /// Returns how far the machine's clock is ahead of this one, in milliseconds; negative if it is behind.
    #[must_use]
    pub fn machine_ahead_ms(&self) -> i64 {
        match &self.0 {
            Source::System(system) => system.timeline().wall_ahead_ms(),
            Source::Manual(_) => 0,
        }
    }

    /// Moves a manual clock forward and wakes the tasks whose time has come. Does nothing on the system clock.
    pub fn advance(&self, by: Duration) {
        if let Source::Manual(now) = &self.0 {
            now.send_modify(|now| *now = *now + by);
        }
    }

    /// Sets a manual clock, forward or back. Does nothing on the system clock.
    pub fn set(&self, to: Timestamp) {
        if let Source::Manual(now) = &self.0 {
            now.send_replace(to);
        }
    }

    /// Returns the number of steps so far: times that the machine's or the server's clock was set or the machine was
    /// asleep. A time stored by another process before a step can't be compared with this clock until that process has
    /// noticed the step too.
    #[must_use]
    pub fn steps(&self) -> u64 {
        match &self.0 {
            Source::System(system) => system.timeline().steps(),
            Source::Manual(_) => 0,
        }
    }

    /// Waits until the number of steps is greater than `seen`.
    pub async fn stepped(&self, seen: u64) {
        match &self.0 {
            Source::System(system) => {
                // The sender is in `self`, so the channel cannot close during the wait.
                let _ = system.steps.subscribe().wait_for(|steps| *steps > seen).await;
            }
            Source::Manual(_) => std::future::pending().await,
        }
    }

    /// Waits until this clock shows `at` or later, or until it steps. After a step the caller must calculate `at`
    /// again.
    pub async fn sleep_until(&self, at: Timestamp) {
        match &self.0 {
            Source::System(_) => {
                let steps = self.steps();
                let waited = async {
                    loop {
                        let left = at.since(self.now());
                        if left.is_zero() {
                            return;
                        }
                        // Wakes at least once a second, so that a step is noticed.
                        tokio::time::sleep(left.min(Duration::from_secs(1))).await;
                    }
                };
                tokio::select! {
                    () = waited => {}
                    () = self.stepped(steps) => {}
                }
            }
            Source::Manual(now) => {
                // The sender is in `self`, so the channel cannot close during the wait.
                let _ = now.subscribe().wait_for(|now| *now >= at).await;
            }
        }
    }

    /// Waits for `duration`, regardless of steps.
    pub async fn sleep(&self, duration: Duration) {
        match &self.0 {
            Source::System(_) => tokio::time::sleep(duration).await,
            Source::Manual(_) => self.sleep_until(self.now() + duration).await,
        }
    }
}

/// Returns the milliseconds since this function was first called. This clock is never set, and stops while the machine
/// is asleep.
fn monotonic_ms() -> i64 {
    static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);
    i64::try_from(BEGAN.elapsed().as_millis()).unwrap_or(i64::MAX)
}

/// Returns the machine's wall clock in milliseconds since 1970.
fn wall_ms() -> i64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX).saturating_add(skew_ms())
}

#[cfg(not(feature = "failpoints"))]
const fn skew_ms() -> i64 {
    0
}

/// Returns the error that a test has given to the wall clock: `NIGHTSHIFT_CLOCK_SKEW_MS`, plus the second number of
/// `NIGHTSHIFT_CLOCK_STEP` (`5000=60000`) once the process has run for the first number of milliseconds.
#[cfg(feature = "failpoints")]
fn skew_ms() -> i64 {
    static SKEW_MS: LazyLock<i64> =
        LazyLock::new(|| std::env::var("NIGHTSHIFT_CLOCK_SKEW_MS").ok().and_then(|ms| ms.parse().ok()).unwrap_or(0));
    static STEP: LazyLock<Option<(i64, i64)>> = LazyLock::new(|| {
        let step = std::env::var("NIGHTSHIFT_CLOCK_STEP").ok()?;
        let (after_ms, by_ms) = step.split_once('=')?;
        Some((after_ms.parse().ok()?, by_ms.parse().ok()?))
    });
    *SKEW_MS + STEP.filter(|(after_ms, _)| monotonic_ms() >= *after_ms).map_or(0, |(_, by_ms)| by_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A correction by the server ends a wait whose time has passed, and is reported as a step.
    #[tokio::test]
    async fn who_waits_is_told_when_the_clock_is_corrected() {
        let clock = Clock::system();
        let (seen, now) = (clock.steps(), clock.now());
        let far = now + Duration::from_secs(3_600);
        let waiting = tokio::spawn({
            let clock = clock.clone();
            async move {
                tokio::join!(clock.sleep_until(far), clock.stepped(seen));
                clock.now()
            }
        });
        tokio::task::yield_now().await;
        clock.agree(far, Duration::ZERO);
        assert!(waiting.await.is_ok_and(|shown| shown >= far));
        assert!(clock.machine_ahead_ms() <= -3_590_000, "{}", clock.machine_ahead_ms());
        // A manual clock ignores servers.
        let manual = Clock::manual(now);
        manual.agree(far, Duration::ZERO);
        assert_eq!((manual.now(), manual.steps()), (now, 0));
    }
}
