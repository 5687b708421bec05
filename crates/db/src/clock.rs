//! The one source of "now".
//!
//! Everything that stamps, compares or waits for a time asks a [`Clock`]. Production uses the machine's, which on a
//! database server goes by the server's ([`Db::agree_on_time`](crate::Db::agree_on_time)), so that all processes of a
//! database tell the same time; tests hold a clock that stands still until it is moved, so that a day of retries passes in
//! a millisecond and nothing sleeps.

use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::watch;

use crate::Timestamp;
use crate::timeline::Timeline;

/// A cheap handle; clones show the same time.
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
    /// The timeline's count of steps, for those who wait.
    steps: watch::Sender<u64>,
}

impl System {
    fn timeline(&self) -> MutexGuard<'_, Timeline> {
        self.timeline.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets `change` have the timeline, and tells those who wait when it has stepped.
    fn with<T>(&self, change: impl FnOnce(&mut Timeline) -> T) -> T {
        let mut timeline = self.timeline();
        let before = timeline.steps();
        let answer = change(&mut timeline);
        // Under the lock, so that the counts are sent in their order.
        if timeline.steps() != before {
            self.steps.send_replace(timeline.steps());
        }
        answer
    }
}

impl Clock {
    /// The machine's clock. It is followed when it is set, and never goes back by less than two seconds.
    #[must_use]
    pub fn system() -> Self {
        let timeline = Timeline::new(monotonic_ms(), wall_ms());
        Self(Source::System(Arc::new(System { timeline: Mutex::new(timeline), steps: watch::Sender::new(0) })))
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
            Source::System(system) => {
                Timestamp::from_unix_ms(system.with(|timeline| timeline.tell(monotonic_ms(), wall_ms())))
            }
            Source::Manual(now) => *now.borrow(),
        }
    }

    /// From now on this clock goes by a server's, which showed `server` in the middle of a question that took `took`.
    pub(crate) fn agree(&self, server: Timestamp, took: Duration) {
        let half_ms = i64::try_from(took.as_millis() / 2).unwrap_or(i64::MAX);
        if let Source::System(system) = &self.0 {
            let now_ms = server.unix_ms().saturating_add(half_ms);
            system.with(|timeline| timeline.agree(monotonic_ms(), now_ms, half_ms.saturating_add(1)));
        }
    }

    /// Whether a server should be asked before this clock is relied on.
    pub(crate) fn can_agree(&self) -> bool {
        matches!(self.0, Source::System(_))
    }

    /// Whether it goes by a server's clock.
    pub(crate) fn has_agreed(&self) -> bool {
        matches!(&self.0, Source::System(system) if system.timeline().is_by_server())
    }

    /// By how many milliseconds the machine's own clock is ahead of this one; negative when it is behind.
    #[must_use]
    pub fn machine_ahead_ms(&self) -> i64 {
        match &self.0 {
            Source::System(system) => system.timeline().wall_ahead_ms(),
            Source::Manual(_) => 0,
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

    /// Grows whenever the machine's or the server's clock was set or the machine has slept: times that were written
    /// before that can't be compared with this clock until whoever wrote them has noticed too.
    #[must_use]
    pub fn steps(&self) -> u64 {
        match &self.0 {
            Source::System(system) => system.timeline().steps(),
            Source::Manual(_) => 0,
        }
    }

    /// Waits until there are more steps than `seen`.
    pub async fn stepped(&self, seen: u64) {
        match &self.0 {
            Source::System(system) => {
                // The sender lives in `self`, so the channel cannot close while we wait.
                let _ = system.steps.subscribe().wait_for(|steps| *steps > seen).await;
            }
            Source::Manual(_) => std::future::pending().await,
        }
    }

    /// Waits until this clock shows `at` or later, or has stepped: whoever waits in a loop works out anew what for.
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
                        // Looked at now and then, so that a step is noticed.
                        tokio::time::sleep(left.min(Duration::from_secs(1))).await;
                    }
                };
                tokio::select! {
                    () = waited => {}
                    () = self.stepped(steps) => {}
                }
            }
            Source::Manual(now) => {
                // The sender lives in `self`, so the channel cannot close while we wait.
                let _ = now.subscribe().wait_for(|now| *now >= at).await;
            }
        }
    }

    /// Waits for `duration`, however the clock is set meanwhile.
    pub async fn sleep(&self, duration: Duration) {
        match &self.0 {
            Source::System(_) => tokio::time::sleep(duration).await,
            Source::Manual(_) => self.sleep_until(self.now() + duration).await,
        }
    }
}

/// Milliseconds since this process first asked; not set by anybody, and standing while the machine sleeps.
fn monotonic_ms() -> i64 {
    static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);
    i64::try_from(BEGAN.elapsed().as_millis()).unwrap_or(i64::MAX)
}

/// The machine's date in milliseconds since 1970.
fn wall_ms() -> i64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX).saturating_add(skew_ms())
}

#[cfg(not(feature = "failpoints"))]
const fn skew_ms() -> i64 {
    0
}

/// How wrong a test wants this process's wall clock to be: `NIGHTSHIFT_CLOCK_SKEW_MS`, and after so many milliseconds of
/// the process's life `NIGHTSHIFT_CLOCK_STEP`, as in `5000=60000`, which adds to it.
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

    /// Waits end when the time has come by the corrected clock, and those who watch are told of the correction.
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
        // A manual clock is nobody's but the test's.
        let manual = Clock::manual(now);
        manual.agree(far, Duration::ZERO);
        assert_eq!((manual.now(), manual.steps()), (now, 0));
    }
}
