//! Calculates instants from a cron expression and a time zone.
//!
//! The expression is evaluated on the local calendar as if every day had 24 hours. Each local time then becomes one
//! instant: a time that is skipped when clocks go forward becomes the first instant after the gap, and a time that
//! occurs twice when clocks go back becomes the first of the two. So each local time is due exactly once, and a later
//! local time is never due earlier.

use std::fmt;
use std::str::FromStr;

use chrono::{DurationRound, LocalResult, NaiveDateTime, Offset, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;
use nightshift_db::Timestamp;

/// The error of parsing a text that is not a cron expression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a cron expression such as \"0 0 2 * * *\" (second minute hour day month weekday): {0}")]
pub struct BadCron(String);

/// A cron expression: second, minute, hour, day of month, month, day of week, and optionally year.
#[derive(Debug, Clone)]
pub struct Timetable(cron::Schedule);

impl FromStr for Timetable {
    type Err = BadCron;

    fn from_str(text: &str) -> Result<Self, BadCron> {
        text.parse().map(Self).map_err(|error: cron::error::Error| BadCron(error.to_string()))
    }
}

impl fmt::Display for Timetable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.source())
    }
}

/// One time at which a timetable is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Occurrence {
    /// The local time, which identifies the occurrence.
    pub local: NaiveDateTime,
    /// The instant of the local time.
    pub at: Timestamp,
}

/// No zone changes its clocks by more than this, or twice within it.
const A_DAY: TimeDelta = TimeDelta::days(1);

impl Timetable {
    /// Returns the last occurrence at or before `now`, or `None` if there is none.
    #[must_use]
    pub fn latest(&self, zone: Tz, now: Timestamp) -> Option<Occurrence> {
        let utc = now.to_datetime().naive_utc();
        // After clocks went back, local times ahead of the clock may already have occurred.
        let ahead = offset(zone, utc).max(offset(zone, utc - A_DAY));
        let until = Utc.from_utc_datetime(&(utc + ahead + TimeDelta::seconds(1)));
        self.0
            .after(&until)
            .rev()
            .map(|local| occurrence(zone, local.naive_utc()))
            .find(|occurrence| occurrence.at <= now)
    }

    /// Returns the occurrences after `after`, in order.
    pub fn upcoming(&self, zone: Tz, after: Timestamp) -> impl Iterator<Item = Occurrence> + '_ {
        let utc = after.to_datetime().naive_utc();
        // If clocks go forward within a day, the skipped local times are behind the clock by then.
        let behind = offset(zone, utc).min(offset(zone, utc + A_DAY));
        let from = Utc.from_utc_datetime(&(utc + behind - TimeDelta::seconds(1)));
        self.0
            .after_owned(from)
            .map(move |local| occurrence(zone, local.naive_utc()))
            .skip_while(move |occurrence| occurrence.at <= after)
    }
}

fn offset(zone: Tz, utc: NaiveDateTime) -> TimeDelta {
    TimeDelta::seconds(zone.offset_from_utc_datetime(&utc).fix().local_minus_utc().into())
}

fn occurrence(zone: Tz, local: NaiveDateTime) -> Occurrence {
    Occurrence { local, at: instant(zone, local) }
}

/// Returns the instant of a local time.
fn instant(zone: Tz, local: NaiveDateTime) -> Timestamp {
    let resolve = |local: NaiveDateTime| match zone.from_local_datetime(&local) {
        LocalResult::Single(at) | LocalResult::Ambiguous(at, _) => Some(Timestamp::from(at.with_timezone(&Utc))),
        LocalResult::None => None,
    };
    let minute = local.duration_trunc(TimeDelta::minutes(1)).unwrap_or(local);
    // Gaps end on whole minutes, and the longest are those of zones that changed sides of the date line.
    let after_gap = || (1..=26 * 60).find_map(|minutes| resolve(minute + TimeDelta::minutes(minutes)));
    resolve(local).or_else(after_gap).unwrap_or_else(|| Timestamp::from(local.and_utc()))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests may panic")]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use chrono::{Datelike, NaiveDate, NaiveTime, Weekday};

    const TWO: &str = "0 0 2 * * *";

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn two_am(zone: &str, date: &str) -> Timestamp {
        let zone: Tz = zone.parse().unwrap();
        let day = date.parse::<NaiveDate>().unwrap();
        let before = instant(zone, (day - TimeDelta::days(1)).and_hms_opt(12, 0, 0).unwrap());
        let next = TWO.parse::<Timetable>().unwrap().upcoming(zone, before).next().unwrap();
        assert_eq!(next.local.date(), day);
        next.at
    }

    #[test]
    fn two_in_the_morning_where_clocks_are_changed() {
        assert_eq!(two_am("America/New_York", "2025-03-09"), at("2025-03-09T07:00:00Z"), "03:00 EDT");
        assert_eq!(two_am("America/New_York", "2025-11-02"), at("2025-11-02T07:00:00Z"), "02:00 EST");
        assert_eq!(two_am("Europe/London", "2025-03-30"), at("2025-03-30T01:00:00Z"), "02:00 BST");
        assert_eq!(two_am("Europe/Berlin", "2025-10-26"), at("2025-10-26T00:00:00Z"), "the first 02:00");
        assert_eq!(two_am("Asia/Kolkata", "2025-06-02"), at("2025-06-01T20:30:00Z"));
    }

    #[test]
    fn the_latest_is_the_last_that_has_come() {
        let (two, berlin) = (TWO.parse::<Timetable>().unwrap(), chrono_tz::Europe::Berlin);
        let latest = |now: &str| two.latest(berlin, at(now)).unwrap().at;
        // In the night in which clocks go back: just before, at, and after 02:00, and when the clock shows 02:00 again.
        assert_eq!(latest("2025-10-25T23:59:59.999Z"), at("2025-10-25T00:00:00Z"));
        for now in ["2025-10-26T00:00:00Z", "2025-10-26T00:30:00Z", "2025-10-26T01:00:00Z", "2025-10-26T23:00:00Z"] {
            assert_eq!(latest(now), at("2025-10-26T00:00:00Z"), "{now}");
        }
        // A quarter of an hour before New York's clocks show 01:45 for the second time; the first time has long passed.
        let quarters = "0 45 * * * *".parse::<Timetable>().unwrap();
        let latest = quarters.latest(chrono_tz::America::New_York, at("2025-11-02T06:30:00Z")).unwrap();
        assert_eq!(
            (latest.local.time(), latest.at),
            (NaiveTime::from_hms_opt(1, 45, 0).unwrap(), at("2025-11-02T05:45:00Z"))
        );
        // Expressions that never occur, or no longer do.
        assert_eq!(
            "0 0 0 1 1 * 2001".parse::<Timetable>().unwrap().upcoming(Tz::UTC, at("2025-01-01T00:00:00Z")).next(),
            None
        );
    }

    #[test]
    fn what_is_no_expression_is_refused_with_an_example() {
        for text in ["", "2 AM", "0 2 * * *x", "0 0 25 * * *"] {
            let refusal = text.parse::<Timetable>().unwrap_err().to_string();
            assert!(refusal.contains("0 0 2 * * *"), "{refusal}");
        }
    }

    /// Returns the first instant at which the clock of a zone shows `local` or later, by trying instants.
    fn first_showing(zone: Tz, local: NaiveDateTime) -> Timestamp {
        let shows = |utc: NaiveDateTime| utc + offset(zone, utc);
        let (earlier, later) = (offset(zone, local - A_DAY), offset(zone, local + A_DAY));
        if earlier == later {
            return Timestamp::from((local - earlier).and_utc());
        }
        // In steps of a minute, because Casey's clocks went forward at one minute past midnight.
        let mut utc = local - earlier.max(later);
        while shows(utc) < local {
            utc += TimeDelta::minutes(1);
        }
        Timestamp::from(utc.and_utc())
    }

    /// Returns the offset of a zone at the first instant, and each change of it until the second one. Zones with the
    /// same result are equivalent.
    fn changes(zone: Tz, from: NaiveDateTime, until: NaiveDateTime) -> Vec<(NaiveDateTime, TimeDelta)> {
        let mut now = offset(zone, from);
        let mut changes = vec![(from, now)];
        let mut day = from;
        while day < until {
            if offset(zone, day + A_DAY) != now {
                let (mut before, mut after) = (day, day + A_DAY);
                while after - before > TimeDelta::seconds(1) {
                    let middle = before + TimeDelta::seconds((after - before).num_seconds() / 2);
                    if offset(zone, middle) == now { before = middle } else { after = middle }
                }
                now = offset(zone, after);
                changes.push((after, now));
            }
            day += A_DAY;
        }
        changes
    }

    #[test]
    fn every_zone_has_one_run_per_local_date_at_the_stated_instant() {
        let two = TWO.parse::<Timetable>().unwrap();
        let (first, last): (NaiveDate, NaiveDate) = ("2020-01-01".parse().unwrap(), "2070-12-31".parse().unwrap());
        let check = |zone: Tz| {
            let mut day = first;
            let mut now = instant(zone, (first - TimeDelta::days(1)).and_hms_opt(12, 0, 0).unwrap());
            while day <= last {
                let next = two.upcoming(zone, now).next().unwrap();
                assert_eq!(next.local, day.and_hms_opt(2, 0, 0).unwrap(), "{zone}: a date was left out or came twice");
                assert_eq!(next.at, first_showing(zone, next.local), "{zone} {day}");
                assert!(next.at > now, "{zone} {day}");
                // At `next.at`, `latest` must return this occurrence. Checked once a week and whenever clocks change.
                let changed = offset(zone, next.local - A_DAY) != offset(zone, next.local + A_DAY);
                if changed || day.weekday() == Weekday::Mon {
                    assert_eq!(two.latest(zone, next.at), Some(next), "{zone} {day}");
                }
                now = next.at;
                day = day.succ_opt().unwrap();
            }
        };
        // Many zone names are aliases; one of each group of equivalent zones is enough.
        let around = |date: NaiveDate, days| date.and_time(NaiveTime::MIN) + TimeDelta::days(days);
        let mut known = HashSet::new();
        let is_new = |zone: &Tz| known.insert(changes(*zone, around(first, -4), around(last, 4)));
        let zones: Vec<Tz> = chrono_tz::TZ_VARIANTS.iter().copied().filter(is_new).collect();
        assert!(zones.len() > 50, "{} zones", zones.len());
        let (some, others) = zones.split_at(zones.len() / 2);
        std::thread::scope(|scope| {
            scope.spawn(|| some.iter().copied().for_each(check));
            others.iter().copied().for_each(check);
        });
    }
}
