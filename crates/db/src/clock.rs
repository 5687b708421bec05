//! The only source of the current time.
//!
//! All code that stores, compares or waits for a time asks a [`Clock`]. The production clock is the machine's; with a
//! database server it follows the server's clock ([`Db::agree_on_time`](crate::Db::agree_on_time)), so that all
//! processes of a database have the same time. Tests use a manual clock, which stands still until it is moved: a day of
//! retries passes in a millisecond and no test sleeps.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use crate::Timestamp;
use crate::machine::{Hands, Machine};
use crate::timeline::{self, Timeline};

/// A cheap handle to a clock. Clones share the clock.
#[derive(Debug, Clone)]
pub struct Clock(Source);

#[derive(Debug, Clone)]
enum Source {
    System(Arc<System>),
    Manual(watch::Sender<Timestamp>),
}

/// A time, and the number of steps that its clock had made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    pub at: Timestamp,
    /// See [`Clock::steps`].
    pub steps: u64,
}

/// A moment that is kept apart from its date, which is not known for certain before the clock has agreed with a server's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// By the machine's monotonic clock, or by a manual clock.
    ms: i64,
}

#[derive(Debug)]
struct System {
    machine: Machine,
    timeline: Mutex<Timeline>,
    /// Mirrors the timeline's number of steps, to wake tasks in [`Clock::stepped`].
    steps: watch::Sender<u64>,
}

impl System {
    fn new(machine: Machine) -> Arc<Self> {
        let timeline = Mutex::new(Timeline::new(machine.read()));
        Arc::new(Self { machine, timeline, steps: watch::Sender::new(0) })
    }

    fn timeline(&self) -> MutexGuard<'_, Timeline> {
        self.timeline.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `change` with the timeline and the machine's clocks, then wakes the waiting tasks if the timeline has
    /// stepped.
    fn with<T>(&self, change: impl FnOnce(&mut Timeline, Hands) -> T) -> T {
        let mut timeline = self.timeline();
        let before = timeline.steps();
        // Read while the lock is held, so that the timeline sees them in order.
        let answer = change(&mut timeline, self.machine.read());
        // Sent while the lock is held, so that the counts are sent in order.
        if timeline.steps() != before {
            self.steps.send_replace(timeline.steps());
        }
        answer
    }
}

impl Clock {
    /// How long a server's answer counts as the present time. Whoever has not asked since must ask before giving or
    /// renewing a lease ([`Db::agreed_time`](crate::Db::agreed_time)).
    pub const OUTDATED_AFTER: Duration = timeline::OUTDATED_AFTER;

    /// Returns the machine's clock. If the machine's clock is set back by at most two seconds, the returned time does
    /// not change until that time is reached again. Larger changes are followed.
    #[must_use]
    pub fn system() -> Self {
        Self(Source::System(System::new(Machine::Real)))
    }

    /// Returns the clock of a machine whose clocks stand still until [`Clock::advance`] or [`Clock::advance_wall`]
    /// moves them. Unlike a manual clock, it follows a server's and notices steps.
    #[cfg(feature = "testing")]
    #[must_use]
    pub fn simulated(start: Timestamp) -> Self {
        let hands = Hands { monotonic_ms: 0, wall_ms: start.unix_ms() };
        Self(Source::System(System::new(Machine::Simulated(watch::Sender::new(hands)))))
    }

    /// Returns a clock that stands at `start` until [`Clock::advance`] or [`Clock::set`] moves it.
    #[must_use]
    pub fn manual(start: Timestamp) -> Self {
        Self(Source::Manual(watch::Sender::new(start)))
    }

    #[must_use]
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Source::System(system) => Timestamp::from_unix_ms(system.with(|timeline, machine| timeline.tell(machine))),
            Source::Manual(now) => *now.borrow(),
        }
    }

    /// Returns the current time together with the number of steps, which no step separates.
    pub fn read(&self) -> Reading {
        match &self.0 {
            Source::System(system) => system.with(|timeline, machine| {
                let at = Timestamp::from_unix_ms(timeline.tell(machine));
                Reading { at, steps: timeline.steps() }
            }),
            Source::Manual(now) => Reading { at: *now.borrow(), steps: 0 },
        }
    }

    /// Returns the present moment, for [`Clock::date_of`].
    #[must_use]
    pub fn moment(&self) -> Moment {
        match &self.0 {
            Source::System(system) => Moment { ms: system.machine.read().monotonic_ms },
            Source::Manual(now) => Moment { ms: now.borrow().unix_ms() },
        }
    }

    /// Returns when a moment of this clock was, by the date that it shows now: the present less the time that has passed
    /// since, however the date was corrected meanwhile. Never later than the present.
    #[must_use]
    pub fn date_of(&self, moment: Moment) -> Timestamp {
        match &self.0 {
            Source::System(system) => Timestamp::from_unix_ms(system.with(|timeline, machine| {
                let passed_ms = machine.monotonic_ms.saturating_sub(moment.ms).max(0);
                timeline.tell(machine).saturating_sub(passed_ms)
            })),
            Source::Manual(now) => (*now.borrow()).min(Timestamp::from_unix_ms(moment.ms)),
        }
    }

    /// As [`Clock::read`], or `None` if no server has been asked for the time within [`Clock::OUTDATED_AFTER`], or not
    /// since the machine's clock was set or the machine was asleep.
    pub(crate) fn read_agreed(&self) -> Option<Reading> {
        match &self.0 {
            Source::System(system) => system.with(|timeline, machine| {
                let at = Timestamp::from_unix_ms(timeline.tell(machine));
                (!timeline.is_outdated(machine)).then(|| Reading { at, steps: timeline.steps() })
            }),
            Source::Manual(_) => Some(self.read()),
        }
    }

    /// Returns what the machine's clocks show now, for [`Clock::agree`]. Returns `None` for a manual clock, which
    /// follows no server.
    pub(crate) fn before_asking(&self) -> Option<Hands> {
        match &self.0 {
            Source::System(system) => Some(system.machine.read()),
            Source::Manual(_) => None,
        }
    }

    /// Synchronises this clock with a server's, which was asked at `asked` and returned `server` after `took`.
    pub(crate) fn agree(&self, asked: Hands, took: Duration, server: Timestamp) {
        let took_ms = i64::try_from(took.as_millis()).unwrap_or(i64::MAX);
        if let Source::System(system) = &self.0 {
            system.with(|timeline, _| timeline.agree(asked, took_ms, server.unix_ms()));
        }
    }

    /// Returns how far the machine's clock is ahead of this one, in milliseconds; negative if it is behind.
    #[must_use]
    pub fn machine_ahead_ms(&self) -> i64 {
        match &self.0 {
            Source::System(system) => system.timeline().wall_ahead_ms(),
            Source::Manual(_) => 0,
        }
    }

    /// Moves a manual clock forward, or both clocks of a simulated machine, and wakes the tasks whose time has come.
    /// Does nothing on the system clock.
    pub fn advance(&self, by: Duration) {
        match &self.0 {
            Source::Manual(now) => now.send_modify(|now| *now = *now + by),
            #[cfg(feature = "testing")]
            Source::System(system) => system.machine.advance(by),
            #[cfg(not(feature = "testing"))]
            Source::System(_) => {}
        }
    }

    /// Moves the wall clock of a simulated machine, but not its monotonic clock, as a sleep of the machine does. Does
    /// nothing on other clocks.
    #[cfg(feature = "testing")]
    pub fn advance_wall(&self, by: Duration) {
        if let Source::System(system) = &self.0 {
            system.machine.advance_wall(by);
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
            Source::System(system) => {
                let steps = self.steps();
                let waited = async {
                    loop {
                        let left = at.since(self.now());
                        if left.is_zero() {
                            return;
                        }
                        // Wakes at least once a second, so that a step is noticed.
                        system.machine.sleep(left.min(Duration::from_secs(1))).await;
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
            Source::System(system) => system.machine.sleep(duration).await,
            Source::Manual(_) => self.sleep_until(self.now() + duration).await,
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests may panic")]
mod tests {
    use super::*;

    /// What was late to be dated gets the date at which it happened, also if the date was wrong then.
    #[test]
    fn a_moment_is_dated_by_the_time_that_has_passed_since() {
        let began = Timestamp::from_unix_ms(1_700_000_000_000);
        let clock = Clock::simulated(began);
        let moment = clock.moment();
        assert_eq!(clock.date_of(moment), began);
        clock.advance(Duration::from_secs(5));
        assert_eq!(clock.date_of(moment), began);
        // The server's clock is an hour ahead: so it was then.
        let asked = clock.before_asking().unwrap();
        clock.agree(asked, Duration::ZERO, began + Duration::from_secs(3_605));
        assert_eq!(clock.date_of(moment), began + Duration::from_secs(3_600));
        let manual = Clock::manual(began);
        let moment = manual.moment();
        manual.advance(Duration::from_secs(5));
        assert_eq!(manual.date_of(moment), began);
        manual.set(began - Duration::from_secs(5));
        assert_eq!(manual.date_of(moment), manual.now(), "not in the future");
    }

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
        clock.agree(clock.before_asking().unwrap(), Duration::ZERO, far);
        assert!(waiting.await.is_ok_and(|shown| shown >= far));
        assert!(clock.machine_ahead_ms() <= -3_590_000, "{}", clock.machine_ahead_ms());
        // A manual clock ignores servers.
        let manual = Clock::manual(now);
        assert!(manual.before_asking().is_none());
        assert_eq!((manual.now(), manual.steps()), (now, 0));
    }
}
