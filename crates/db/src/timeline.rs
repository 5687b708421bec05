//! What time it is, told from two clocks that can't both be relied on.
//!
//! The machine's wall clock knows the date and may be wrong or be set; its monotonic clock is never set and knows no date.
//! A [`Timeline`] goes on with the monotonic clock from an instant of which it knows the date: by the wall clock, or by a
//! server's once it has been asked. Time never goes back by less than [`STEP_MS`]: it stands still until it is caught up
//! with. By more it does, for then a date was wrong; that is a step, as one forward is, and whoever compares times that
//! were written before it must be told.
//!
//! A pure account, without I/O: both clocks are handed in, in milliseconds.

/// Two clocks that differ by more do not drift: one of them was set, or the machine was asleep.
pub(crate) const STEP_MS: i64 = 2_000;

/// The account.
#[derive(Debug, Clone)]
pub(crate) struct Timeline {
    /// What the monotonic clock is ahead of the time that is told; negative for Unix time.
    base_ms: i64,
    /// The same for the wall clock, when it was last looked at.
    wall_base_ms: i64,
    /// The last time that was told.
    told_ms: i64,
    /// A server's clock is gone by, and the wall clock only shows whether something has happened to the machine.
    by_server: bool,
    /// Steps so far.
    steps: u64,
}

impl Timeline {
    /// Begins with the wall clock.
    pub(crate) fn new(monotonic_ms: i64, wall_ms: i64) -> Self {
        let base_ms = monotonic_ms - wall_ms;
        Self { base_ms, wall_base_ms: base_ms, told_ms: wall_ms, by_server: false, steps: 0 }
    }

    /// What time it is. Notices when the wall clock was set or the machine was asleep.
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

    /// Goes by a server, which tells `server_ms` give or take `uncertain_ms`.
    pub(crate) fn agree(&mut self, monotonic_ms: i64, server_ms: i64, uncertain_ms: i64) {
        let apart_ms = server_ms - (monotonic_ms - self.base_ms);
        // Not worth more than the answer's way over the network.
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

    /// Whether a server was asked.
    pub(crate) fn is_by_server(&self) -> bool {
        self.by_server
    }

    /// How far the machine's wall clock is ahead.
    pub(crate) fn wall_ahead_ms(&self) -> i64 {
        self.base_ms - self.wall_base_ms
    }

    /// Grows with each step.
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
        // Half a second back is waited for.
        assert_eq!((line.tell(4_000, -2_536_500), line.steps()), (-2_536_500, 2));
        assert_eq!(line.tell(4_100, -2_536_900), -2_536_500);
        assert_eq!(line.tell(5_000, -2_536_000), -2_536_000);
    }

    #[test]
    fn by_a_server_the_wall_clock_tells_no_time() {
        let mut line = Timeline::new(0, 60_000);
        line.agree(0, 0, 10);
        assert_eq!((line.tell(1_000, 61_000), line.steps(), line.wall_ahead_ms()), (1_000, 1, 60_000));
        // Set meanwhile: noticed, so that the server is asked again, and not followed.
        assert_eq!((line.tell(2_000, 0), line.steps(), line.wall_ahead_ms()), (2_000, 2, -2_000));
        // Asleep for an hour: the monotonic clock did not see it.
        assert_eq!((line.tell(3_000, 3_601_000), line.steps()), (3_000, 3));
        line.agree(3_000, 3_603_000, 10);
        assert_eq!((line.tell(3_000, 3_601_000), line.steps()), (3_603_000, 4));
        // A difference that the network explains changes nothing.
        line.agree(4_000, 3_604_008, 10);
        assert_eq!(line.tell(4_000, 3_602_000), 3_604_000);
    }

    proptest! {
        /// Whatever the wall clock and the server do, between two steps time never goes back, and it goes as fast as the
        /// monotonic clock but for what is less than a step.
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
