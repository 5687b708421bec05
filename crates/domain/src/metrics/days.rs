//! The spans of days over which figures are computed.

use chrono::{Days as CalendarDays, NaiveDate};
use chrono_tz::Tz;
use nightshift_db::Timestamp;

use crate::people::organizations::{local_date, start_of};

/// How many days a span has, its last day included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Days {
    Seven,
    /// The span that tiers are computed from.
    TwentyEight,
}

impl Days {
    pub const ALL: [Self; 2] = [Self::Seven, Self::TwentyEight];

    /// Returns the number of days, as it is stored.
    #[must_use]
    pub const fn count(self) -> i64 {
        match self {
            Self::Seven => 7,
            Self::TwentyEight => 28,
        }
    }
}

/// Whole days of an organisation's calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    pub days: Days,
    /// The last day.
    pub end_date: NaiveDate,
    /// The first moment of the first day.
    pub from: Timestamp,
    /// The first moment after the last day.
    pub to: Timestamp,
}

impl Period {
    /// Returns the days up to and including the day of `now` in a zone.
    #[must_use]
    pub fn ending_today(days: Days, now: Timestamp, zone: Tz) -> Self {
        let today = local_date(now, zone);
        let back = CalendarDays::new(days.count().unsigned_abs() - 1);
        let first = today.checked_sub_days(back).unwrap_or(today);
        let after = today.succ_opt().unwrap_or(today);
        Self { days, end_date: today, from: start_of(first, zone), to: start_of(after, zone) }
    }

    #[must_use]
    pub fn contains(&self, at: Timestamp) -> bool {
        self.from <= at && at < self.to
    }
}

/// Returns the first moment of the day of `now` in a zone.
#[must_use]
pub fn start_of_today(now: Timestamp, zone: Tz) -> Timestamp {
    start_of(local_date(now, zone), zone)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests may panic")]
mod tests {
    use super::*;
    use chrono::TimeDelta;
    use proptest::prelude::*;

    fn bounds(days: Days, now: &str, zone: Tz) -> (String, String, String) {
        let period = Period::ending_today(days, now.parse().unwrap(), zone);
        (period.end_date.to_string(), period.from.to_string(), period.to.to_string())
    }

    fn expected(end_date: &str, from: &str, to: &str) -> (String, String, String) {
        (end_date.to_owned(), from.to_owned(), to.to_owned())
    }

    #[test]
    fn today_is_the_last_day_by_the_clock_of_the_zone() {
        assert_eq!(
            bounds(Days::Seven, "2024-12-30T23:30:00Z", Tz::Europe__Berlin),
            expected("2024-12-31", "2024-12-24T23:00:00.000Z", "2024-12-31T23:00:00.000Z"),
        );
        assert_eq!(
            bounds(Days::TwentyEight, "2024-12-30T23:30:00Z", Tz::America__Denver),
            expected("2024-12-30", "2024-12-03T07:00:00.000Z", "2024-12-31T07:00:00.000Z"),
        );
    }

    #[test]
    fn a_span_over_a_change_of_the_clock_has_whole_local_days() {
        // An hour shorter and an hour longer than a week.
        assert_eq!(
            bounds(Days::Seven, "2025-03-31T12:00:00Z", Tz::Europe__London),
            expected("2025-03-31", "2025-03-25T00:00:00.000Z", "2025-03-31T23:00:00.000Z"),
        );
        assert_eq!(
            bounds(Days::Seven, "2025-10-27T12:00:00Z", Tz::Europe__London),
            expected("2025-10-27", "2025-10-20T23:00:00.000Z", "2025-10-28T00:00:00.000Z"),
        );
        // Cairo's clock skips midnight, Havana's shows it twice, Samoa skipped a day.
        assert_eq!(
            bounds(Days::Seven, "2024-04-26T12:00:00Z", Tz::Africa__Cairo).2,
            "2024-04-26T21:00:00.000Z".to_owned()
        );
        assert_eq!(bounds(Days::Seven, "2024-05-02T12:00:00Z", Tz::Africa__Cairo).1, "2024-04-25T22:00:00.000Z");
        assert_eq!(bounds(Days::Seven, "2024-11-09T12:00:00Z", Tz::America__Havana).1, "2024-11-03T04:00:00.000Z");
        assert_eq!(bounds(Days::Seven, "2011-12-29T20:00:00Z", Tz::Pacific__Apia).2, "2011-12-30T10:00:00.000Z");
    }

    proptest! {
        /// The bounds are where the local date changes, in every zone and at every time.
        #[test]
        fn a_span_begins_and_ends_where_the_date_changes(
            zone in proptest::sample::select(&chrono_tz::TZ_VARIANTS[..]),
            seconds in 0_i64..2_000_000_000,
        ) {
            let now = Timestamp::from_unix_ms(seconds * 1000);
            for days in Days::ALL {
                let period = Period::ending_today(days, now, zone);
                prop_assert!(period.contains(now));
                let count = days.count();
                for (at, date) in [(period.from, period.end_date - TimeDelta::days(count - 1)),
                                   (period.to, period.end_date + TimeDelta::days(1))] {
                    let before = Timestamp::from_unix_ms(at.unix_ms() - 1);
                    prop_assert!(local_date(at, zone) >= date);
                    prop_assert!(local_date(before, zone) < date);
                }
            }
        }
    }
}
