//! How many requests this process makes within a second.
//!
//! Other processes have a pace of their own, so a provider may still refuse a request; it then was not processed, and is
//! made again.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use nightshift_db::Timestamp;

const SECOND: Duration = Duration::from_secs(1);

/// Allows a number of requests within each second.
#[derive(Debug)]
pub(crate) struct Pace {
    most: usize,
    /// The times of the last requests, oldest first.
    taken: Mutex<VecDeque<Timestamp>>,
}

impl Pace {
    /// Allows `most` requests within each second, at least one.
    pub(crate) fn per_second(most: usize) -> Self {
        Self { most: most.max(1), taken: Mutex::default() }
    }

    /// Takes one request for `now`, or returns from when on there is one.
    pub(crate) fn take(&self, now: Timestamp) -> Result<(), Timestamp> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        // A time in the future was taken by a clock that has since been set back.
        taken.retain(|at| *at <= now && *at + SECOND > now);
        match taken.front() {
            Some(first) if taken.len() >= self.most => Err(*first + SECOND),
            _ => {
                taken.push_back(now);
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_second_has_more_than_are_allowed() {
        let start = Timestamp::from_unix_ms(1_795_168_800_000);
        let at = |ms| start + Duration::from_millis(ms);
        let pace = Pace::per_second(3);
        assert!([0, 400, 900].iter().all(|ms| pace.take(at(*ms)).is_ok()));
        assert_eq!(pace.take(at(999)), Err(at(1000)));
        assert_eq!(pace.take(at(1000)), Ok(()));
        assert_eq!(pace.take(at(1100)), Err(at(1400)));
    }

    #[test]
    fn a_clock_that_is_set_back_holds_nothing_up() {
        let start = Timestamp::from_unix_ms(1_795_168_800_000);
        let pace = Pace::per_second(1);
        assert_eq!(pace.take(start + Duration::from_secs(3600)), Ok(()));
        assert_eq!(pace.take(start), Ok(()));
    }
}
