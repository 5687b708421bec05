//! The calculation of the current time from two unreliable clocks.
//!
//! The machine's wall clock has a date but may be wrong or be set; its monotonic clock is never set but has no date. A
//! [`Timeline`] adds the monotonic clock to a known date, taken from the wall clock or from a server. If that date goes
//! back by at most [`STEP_MS`], the time does not change until the old value is reached again. A larger difference,
//! forward or back, means that a date was wrong. It is applied and counted as a step, because times that were stored
//! before it can't be compared with later ones.
//!
//! A server's date is trusted for [`OUTDATED_AFTER`], and only while both clocks of the machine agree on how much time
//! has passed. After that the server's clock may have been set, or the machine may have been asleep, and nobody here
//! has noticed.
//!
//! Pure calculation without I/O: callers pass the values of both clocks, in milliseconds.

use std::time::Duration;

use crate::machine::Hands;

/// The smallest difference between two clocks that is not drift: one of them was set, or the machine was asleep.
pub(crate) const STEP_MS: i64 = 2_000;
/// The time after which a server's answer no longer counts.
pub(crate) const OUTDATED_AFTER: Duration = Duration::from_secs(12);

/// The state of the calculation.
#[derive(Debug, Clone)]
pub(crate) struct Timeline {
    /// The monotonic clock minus the returned time; negative for Unix time.
    base_ms: i64,
    /// The monotonic clock minus the wall clock, when last read.
    wall_base_ms: i64,
    /// The last returned time.
    told_ms: i64,
    /// When the server was asked that gave the date. From then on the wall clock is used only to detect steps.
    asked: Option<Hands>,
    steps: u64,
}

impl Timeline {
    /// Starts with the wall clock's date.
    pub(crate) fn new(now: Hands) -> Self {
        let base_ms = now.base_ms();
        Self { base_ms, wall_base_ms: base_ms, told_ms: now.wall_ms, asked: None, steps: 0 }
    }

    /// Returns the current time. Counts a step if the wall clock was set or the machine was asleep.
    pub(crate) fn tell(&mut self, now: Hands) -> i64 {
        let stepped = (now.base_ms() - self.wall_base_ms).abs() > STEP_MS;
        self.wall_base_ms = now.base_ms();
        if self.asked.is_none() {
            self.base_ms = self.wall_base_ms;
        }
        if stepped {
            self.step(now.monotonic_ms);
        }
        self.told_ms = self.told_ms.max(now.monotonic_ms - self.base_ms);
        self.told_ms
    }

    /// Takes the date from a server, which was asked at `asked` and answered `server_ms` after `took_ms`. It is assumed
    /// to have read its clock in the middle of that time. An answer to an earlier question than the last one that was
    /// taken changes nothing.
    pub(crate) fn agree(&mut self, asked: Hands, took_ms: i64, server_ms: i64) {
        if self.asked.is_some_and(|last| last.monotonic_ms > asked.monotonic_ms) {
            return;
        }
        let base_ms = asked.monotonic_ms + took_ms / 2 - server_ms;
        let apart_ms = self.base_ms - base_ms;
        let was_by_server = self.asked.replace(asked).is_some();
        // A difference within the error of the measurement is no reason to adjust.
        if was_by_server && apart_ms.abs() <= took_ms / 2 + 1 {
            return;
        }
        self.base_ms = base_ms;
        if apart_ms.abs() > STEP_MS {
            self.step(asked.monotonic_ms + took_ms);
        }
    }

    fn step(&mut self, monotonic_ms: i64) {
        self.told_ms = monotonic_ms - self.base_ms;
        self.steps += 1;
    }

    /// Returns whether the server was asked so long ago that its clock may have been set meanwhile, or before the
    /// machine's clock was set or the machine was asleep.
    pub(crate) fn is_outdated(&self, now: Hands) -> bool {
        self.asked.is_none_or(|asked| {
            let passed_ms = now.monotonic_ms - asked.monotonic_ms;
            u128::try_from(passed_ms).is_ok_and(|ms| ms > OUTDATED_AFTER.as_millis())
                || (now.base_ms() - asked.base_ms()).abs() > STEP_MS
        })
    }

    /// Returns how far the wall clock is ahead of the returned time.
    pub(crate) fn wall_ahead_ms(&self) -> i64 {
        self.base_ms - self.wall_base_ms
    }

    pub(crate) fn steps(&self) -> u64 {
        self.steps
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(monotonic_ms: i64, wall_ms: i64) -> Hands {
        Hands { monotonic_ms, wall_ms }
    }

    #[test]
    fn a_wall_clock_that_is_set_is_followed_and_counted() {
        let mut line = Timeline::new(at(0, 1_000_000));
        assert_eq!(line.tell(at(1_000, 1_001_000)), 1_001_000);
        // A minute forward, then an hour back.
        assert_eq!((line.tell(at(2_000, 1_062_000)), line.steps()), (1_062_000, 1));
        assert_eq!((line.tell(at(3_000, -2_537_000)), line.steps()), (-2_537_000, 2));
        // Half a second back: the time stands still.
        assert_eq!((line.tell(at(4_000, -2_536_500)), line.steps()), (-2_536_500, 2));
        assert_eq!(line.tell(at(4_100, -2_536_900)), -2_536_500);
        assert_eq!(line.tell(at(5_000, -2_536_000)), -2_536_000);
    }

    #[test]
    fn by_a_server_the_wall_clock_tells_no_time() {
        let mut line = Timeline::new(at(0, 60_000));
        line.agree(at(0, 60_000), 0, 0);
        assert_eq!((line.tell(at(1_000, 61_000)), line.steps(), line.wall_ahead_ms()), (1_000, 1, 60_000));
        // The wall clock was set: this counts as a step, so that the server is asked again, but the time does not
        // follow.
        assert_eq!((line.tell(at(2_000, 0)), line.steps(), line.wall_ahead_ms()), (2_000, 2, -2_000));
        // The machine was asleep for an hour, during which the monotonic clock stopped.
        assert_eq!((line.tell(at(3_000, 3_601_000)), line.steps()), (3_000, 3));
        line.agree(at(3_000, 3_601_000), 0, 3_603_000);
        assert_eq!((line.tell(at(3_000, 3_601_000)), line.steps()), (3_603_000, 4));
        // A difference within the uncertainty changes nothing.
        line.agree(at(4_000, 3_602_000), 20, 3_604_008);
        assert_eq!(line.tell(at(4_020, 3_602_020)), 3_604_020);
    }

    /// An answer tells the time of its question, however late it is looked at, and not over a later one.
    #[test]
    fn an_answer_counts_from_when_it_was_asked_for() {
        let mut line = Timeline::new(at(0, 0));
        line.agree(at(1_000, 1_000), 100, 51_050);
        assert_eq!(line.tell(at(61_000, 61_000)), 111_000);
        line.agree(at(500, 500), 100, 500);
        assert_eq!((line.tell(at(61_000, 61_000)), line.steps()), (111_000, 1));
    }

    #[test]
    fn a_time_is_outdated_without_a_recent_answer_of_the_server() {
        let mut line = Timeline::new(at(0, 0));
        assert!(line.is_outdated(at(0, 0)), "no server was asked");
        line.agree(at(0, 0), 20, 60_000);
        assert!(!line.is_outdated(at(12_000, 12_000)));
        assert!(line.is_outdated(at(12_001, 12_001)), "twelve seconds have passed");
        assert!(line.is_outdated(at(1_000, 61_000)), "the machine was asleep, or its clock was set");
        line.agree(at(12_001, 12_001), 20, 72_000);
        assert!(!line.is_outdated(at(13_000, 13_000)));
        // Asleep between the question and the answer: the server's clock may have been read before.
        line.agree(at(14_000, 14_000), 20, 74_000);
        assert!(line.is_outdated(at(14_020, 3_614_020)));
    }

    proptest! {
        /// Between two steps the time never goes back, and it advances no more than the monotonic clock plus one step,
        /// whatever the wall clock and the server do.
        #[test]
        fn time_goes_on_between_steps(
            moves in proptest::collection::vec((0_i64..5_000, -10_000_i64..10_000, proptest::option::of(-5_000_i64..5_000)), 1..60)
        ) {
            let mut line = Timeline::new(at(0, 0));
            let (mut monotonic, mut ahead) = (0, 0);
            let mut before = (line.tell(at(0, 0)), line.steps());
            for (passed, set, server) in moves {
                monotonic += passed;
                ahead += if set.abs() > 6_000 { set } else { 0 };
                let hands = at(monotonic, monotonic + ahead);
                if let Some(apart) = server {
                    line.agree(hands, 10, monotonic + apart);
                    prop_assert!(!line.is_outdated(hands));
                }
                let now = (line.tell(hands), line.steps());
                prop_assert!(now.1 >= before.1);
                if now.1 == before.1 {
                    prop_assert!(now.0 >= before.0, "back from {before:?} to {now:?}");
                    prop_assert!(now.0 - before.0 <= passed + STEP_MS);
                }
                before = now;
            }
        }

        /// A time that is not outdated differs from the server's by what has happened to the server's clock since it
        /// was last asked, and by no sleep of the machine that is longer than a step.
        #[test]
        fn what_the_server_has_just_said_is_the_time(
            moves in proptest::collection::vec((0_i64..8_000, proptest::option::of(2_001_i64..100_000), any::<bool>()), 1..60)
        ) {
            let mut line = Timeline::new(at(0, 0));
            let (mut monotonic, mut asleep) = (0, 0);
            for (passed, sleep, asks) in moves {
                monotonic += passed;
                asleep += sleep.unwrap_or(0);
                let hands = at(monotonic, monotonic + asleep);
                // The server is on another machine, which never sleeps.
                let server = 1_000_000 + monotonic + asleep;
                if asks {
                    line.agree(hands, 0, server);
                }
                let told = line.tell(hands);
                prop_assert!(line.is_outdated(hands) || (told - server).abs() <= 1, "{told} instead of {server}");
            }
        }
    }
}
