//! When an appointment takes place, and whether that is in the past, as far as its text can be parsed.
//!
//! Dates and times of appointments are free texts by people and language models. Only a date of the form `YYYY-MM-DD`
//! is evaluated, in the organisation's zone, and on the current day also a time that can be parsed. Anything else, such
//! as `Dec 1` or `in the morning`, counts as not past.

use chrono::{NaiveDate, NaiveTime, TimeZone};
use chrono_tz::Tz;
use nightshift_db::Timestamp;

/// Accepted forms of a time of day, without spaces and dots and in lower case.
const TIMES: [&str; 3] = ["%H:%M", "%H:%M:%S", "%I:%M%P"];

/// Returns whether the appointment at `date` and `time` in `zone` is in the past.
pub(super) fn is_past(date: &str, time: Option<&str>, zone: Tz, now: Timestamp) -> bool {
    let Some(date) = day(date) else { return false };
    let local = now.to_datetime().with_timezone(&zone).naive_local();
    match time.and_then(time_of_day) {
        Some(time) if date == local.date() => time < local.time(),
        _ => date < local.date(),
    }
}

/// Returns the instant of a date of the form `YYYY-MM-DD` and a time of day in `zone`. Returns `None` if one of them
/// can't be parsed, or if the zone's clocks skip that time.
#[must_use]
pub fn appointment_at(date: &str, time: &str, zone: Tz) -> Option<Timestamp> {
    let local = day(date)?.and_time(time_of_day(time)?);
    let at = zone.from_local_datetime(&local).earliest()?;
    Some(Timestamp::from_unix_ms(at.timestamp_millis()))
}

/// Parses exactly the form `2024-12-31`.
fn day(text: &str) -> Option<NaiveDate> {
    let text = text.trim();
    let shaped = text.len() == 10
        && text.bytes().enumerate().all(|(at, byte)| match at {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        });
    shaped.then(|| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()).flatten()
}

fn time_of_day(text: &str) -> Option<NaiveTime> {
    let plain: String = text.chars().filter(|c| !c.is_whitespace() && *c != '.').collect();
    let plain = plain.to_lowercase();
    if let Some(hour) = plain.strip_suffix("am").or_else(|| plain.strip_suffix("pm"))
        && !hour.contains(':')
    {
        // The parser does not accept an hour without minutes.
        let padded = format!("{hour}:00{}", &plain[hour.len()..]);
        return NaiveTime::parse_from_str(&padded, "%I:%M%P").ok();
    }
    TIMES.iter().find_map(|form| NaiveTime::parse_from_str(&plain, form).ok())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests may panic")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn past(date: &str, time: &str, now: &str) -> bool {
        is_past(date, Some(time), chrono_tz::America::New_York, now.parse().unwrap())
    }

    #[test]
    fn a_day_is_over_by_the_calendar_of_the_zone() {
        // 23:30 of the 30th in New York.
        let now = "2024-12-31T04:30:00Z";
        assert!(past("2024-12-29", "10:00", now));
        assert!(past("2024-12-29", "", now));
        assert!(!past("2024-12-31", "00:15", now));
        assert!(!is_past("2024-12-30", None, chrono_tz::America::New_York, now.parse().unwrap()));
        assert!(is_past("2024-12-30", None, chrono_tz::UTC, now.parse().unwrap()));
    }

    #[test]
    fn on_the_day_itself_a_time_that_can_be_read_counts() {
        // 14:00 in New York.
        let now = "2024-12-31T19:00:00Z";
        for over in ["13:59", "09:00:00", "1:30 PM", "1:30pm", "9 am", "11 a.m.", "1 p.m."] {
            assert!(past("2024-12-31", over, now), "{over}");
        }
        for ahead in ["14:00", "2:30 PM", "3pm", "23:59", "in the morning", "9-11", "TBD", ""] {
            assert!(!past("2024-12-31", ahead, now), "{ahead}");
        }
    }

    #[test]
    fn words_are_not_judged() {
        for date in ["Dec 1", "TBD", "", "12/31/2001", "2001-02-30", "2001-1-1", "2001-01-01T10:00:00Z", "tomorrow"] {
            assert!(!past(date, "10:00", "2024-12-31T19:00:00Z"), "{date}");
        }
    }

    #[test]
    fn an_appointment_whose_words_can_be_read_has_an_instant() {
        let at = |date, time| appointment_at(date, time, chrono_tz::America::New_York).map(|at| at.to_string());
        assert_eq!(at("2024-12-31", "2:30 PM").unwrap(), "2024-12-31T19:30:00.000Z");
        assert_eq!(at("2024-07-01", "09:00").unwrap(), "2024-07-01T13:00:00.000Z");
        // The first of the two hours if clocks are set back; `None` in the hour that is skipped.
        assert_eq!(at("2024-11-03", "01:30").unwrap(), "2024-11-03T05:30:00.000Z");
        for (date, time) in [("2024-03-10", "02:30"), ("Dec 31", "10:00"), ("2024-12-31", "in the morning")] {
            assert_eq!(at(date, time), None, "{date} {time}");
        }
    }

    proptest! {
        #[test]
        fn nothing_that_is_written_panics(date in ".{0,16}", time in ".{0,16}") {
            let now = Timestamp::from_unix_ms(1_735_000_000_000);
            prop_assert!(!is_past(&date, Some(&time), chrono_tz::UTC, now) || day(&date).is_some());
        }
    }
}
