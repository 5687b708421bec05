//! The calculation of the current time from two unreliable clocks.
//!
//! The machine's wall clock has a date but may be wrong or be set; its monotonic clock is never set but has no date. A
//! [`Timeline`] adds the monotonic clock to a known date, taken from the wall clock or from a server. If that date goes
//! back by at most [`STEP_MS`], the time does not change until the old value is reached again. A larger difference,
//! forward or back, means that a date was wrong. It is applied and counted as a step, because times that were stored
//! before it can't be compared with later ones.
//!
//! Pure calculation without I/O: callers pass the values of both clocks, in milliseconds.

/// The smallest difference between two clocks that is not drift: one of them was set, or the machine was asleep.
pub(crate) const STEP_MS: i64 = 2_000;

/// The state of the calculation.
#[derive(Debug, Clone)]
pub(crate) struct Timeline {
    /// The monotonic clock minus the returned time; negative for Unix time.
    base_ms: i64,
    /// The monotonic clock minus the wall clock, when last read.
    wall_base_ms: i64,
    /// The last returned time.
    told_ms: i64,
    /// Whether the date comes from a server. The wall clock is then used only to detect steps.
    by_server: bool,
    steps: u64,
}

impl Timeline {
    /// Starts with the wall clock's date.
    pub(crate) fn new(monotonic_ms: i64, wall_ms: i64) -> Self {
        let base_ms = monotonic_ms - wall_ms;
        Self { base_ms, wall_base_ms: base_ms, told_ms: wall_ms, by_server: false, steps: 0 }
    }

    /// Returns the current time. Counts a step if the wall clock was set or the machine was asleep.
    pub(crate) fn tell(&mut self, monotonic_ms: i64, wall_ms: i64) -> i64 {
        let wall_base_ms = monotonic_ms - wall_ms;
        let stepped = (wall_base_ms - self.wall_base_ms).abs() > STEP_MS;
        self.wall_base_ms = wall_base_ms;
        if !self.by_server {
            self.base_ms = wall_base_ms;
        }
        if stepped {
            self.step(monotonic_ms);
        }
        self.told_ms = self.told_ms.max(monotonic_ms - self.base_ms);
        self.told_ms
    }

    /// Takes the date from a server, whose time is `server_ms` with an error of at most `uncertain_ms`.
    pub(crate) fn agree(&mut self, monotonic_ms: i64, server_ms: i64, uncertain_ms: i64) {
        let apart_ms = server_ms - (monotonic_ms - self.base_ms);
        // A difference within the error of the measurement is no reason to adjust.
        if self.by_server && apart_ms.abs() <= uncertain_ms {
            return;
        }
        self.by_server = true;
        self.base_ms = monotonic_ms - server_ms;
        if apart_ms.abs() > STEP_MS {
            self.step(monotonic_ms);
        }
    }

    fn step(&mut self, monotonic_ms: i64) {
        self.told_ms = monotonic_ms - self.base_ms;
        self.steps += 1;
    }

    /// Returns whether the date comes from a server.
    pub(crate) fn is_by_server(&self) -> bool {
        self.by_server
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

    #[test]
    fn a_wall_clock_that_is_set_is_followed_and_counted() {
        let mut line = Timeline::new(0, 1_000_000);
        assert_eq!(line.tell(1_000, 1_001_000), 1_001_000);
        // A minute forward, then an hour back.
        assert_eq!((line.tell(2_000, 1_062_000), line.steps()), (1_062_000, 1));
        assert_eq!((line.tell(3_000, -2_537_000), line.steps()), (-2_537_000, 2));
        // Half a second back: the time stands still.
        assert_eq!((line.tell(4_000, -2_536_500), line.steps()), (-2_536_500, 2));
        assert_eq!(line.tell(4_100, -2_536_900), -2_536_500);
        assert_eq!(line.tell(5_000, -2_536_000), -2_536_000);
    }

    #[test]
    fn by_a_server_the_wall_clock_tells_no_time() {
        let mut line = Timeline::new(0, 60_000);
        line.agree(0, 0, 10);
        assert_eq!((line.tell(1_000, 61_000), line.steps(), line.wall_ahead_ms()), (1_000, 1, 60_000));
        // The wall clock was set: this counts as a step, so that the server is asked again, but the time does not
        // follow.
        assert_eq!((line.tell(2_000, 0), line.steps(), line.wall_ahead_ms()), (2_000, 2, -2_000));
        // The machine was asleep for an hour, during which the monotonic clock stopped.
        assert_eq!((line.tell(3_000, 3_601_000), line.steps()), (3_000, 3));
        line.agree(3_000, 3_603_000, 10);
        assert_eq!((line.tell(3_000, 3_601_000), line.steps()), (3_603_000, 4));
        // A difference within the uncertainty changes nothing.
        line.agree(4_000, 3_604_008, 10);
        assert_eq!(line.tell(4_000, 3_602_000), 3_604_000);
    }

    proptest! {
        /// Between two steps the time never goes back, and it advances no more than the monotonic clock plus one step,
        /// whatever the wall clock and the server do.
        #[test]
        fn time_goes_on_between_steps(
            moves in proptest::collection::vec((0_i64..5_000, -10_000_i64..10_000, proptest::option::of(-5_000_i64..5_000)), 1..60)
        ) {
            let mut line = Timeline::new(0, 0);
            let (mut monotonic, mut ahead) = (0, 0);
            let mut before = (line.tell(0, 0), line.steps());
            for (passed, set, server) in moves {
                monotonic += passed;
                ahead += if set.abs() > 6_000 { set } else { 0 };
                if let Some(apart) = server {
                    line.agree(monotonic, monotonic + apart, 5);
                }
                let now = (line.tell(monotonic, monotonic + ahead), line.steps());
                prop_assert!(now.1 >= before.1);
                if now.1 == before.1 {
                    prop_assert!(now.0 >= before.0, "back from {before:?} to {now:?}");
                    prop_assert!(now.0 - before.0 <= passed + STEP_MS);
                }
                before = now;
            }
        }
    }
}
