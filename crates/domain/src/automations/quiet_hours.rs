//! The hours in which an organisation sends no automatic texts.
//!
//! They are read from the organisation's settings, `{"quietHours": {"start": "21:00", "end": "08:00"}}`; without that
//! entry there are none. They are local times in the organisation's zone, so daylight saving time is respected.

use chrono::{Days, NaiveDateTime, NaiveTime, TimeDelta, TimeZone as _};
use chrono_tz::Tz;
use nightshift_db::Timestamp;
use serde_json::Value;

/// The time from `start` to just before `end`, past midnight if `end` is earlier than `start`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuietHours {
    start: NaiveTime,
    end: NaiveTime,
    zone: Tz,
}

impl QuietHours {
    /// Creates quiet hours in a zone. Returns `None` if `start` and `end` are the same.
    #[must_use]
    pub fn new(start: NaiveTime, end: NaiveTime, zone: Tz) -> Option<Self> {
        (start != end).then_some(Self { start, end, zone })
    }

    /// Reads quiet hours from an organisation's settings. Returns `None` if the entry is missing or can't be parsed.
    #[must_use]
    pub fn from_settings(settings: &Value, zone: Tz) -> Option<Self> {
        let time = |name: &str| {
            let text = settings.get("quietHours")?.get(name)?.as_str()?;
            NaiveTime::parse_from_str(text, "%H:%M").ok()
        };
        Self::new(time("start")?, time("end")?, zone)
    }

    /// Returns when the quiet hours that hold at `now` end, or `None` if `now` is outside quiet hours.
    ///
    /// If the clock skips the end, the result is the first moment after the gap. If the clock shows the end twice, the
    /// result is the next of the two.
    #[must_use]
    pub fn end_after(&self, now: Timestamp) -> Option<Timestamp> {
        let local = now.to_datetime().with_timezone(&self.zone).naive_local();
        let (date, time) = (local.date(), local.time());
        let ends_today = if self.start < self.end { (self.start..self.end).contains(&time) } else { time < self.end };
        if ends_today {
            return Some(self.instant_of(date.and_time(self.end), now));
        }
        let ends_tomorrow = self.start > self.end && time >= self.start;
        let tomorrow = date.checked_add_days(Days::new(1)).filter(|_| ends_tomorrow)?;
        Some(self.instant_of(tomorrow.and_time(self.end), now))
    }

    /// Returns the first moment after `now` at which the local time is `local`, or has just skipped it.
    fn instant_of(&self, mut local: NaiveDateTime, now: Timestamp) -> Timestamp {
        // No zone skips more than a day; steps of a minute find the end of every gap.
        for _ in 0..=24 * 60 {
            let found = self.zone.from_local_datetime(&local);
            let instants = [found.earliest(), found.latest()];
            for instant in instants.into_iter().flatten() {
                let instant = Timestamp::from_unix_ms(instant.timestamp_millis());
                if instant > now {
                    return instant;
                }
            }
            local += TimeDelta::minutes(1);
        }
        now
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests may panic")]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn quiet(start: &str, end: &str, zone: Tz) -> QuietHours {
        QuietHours::from_settings(&json!({"quietHours": {"start": start, "end": end}}), zone).unwrap()
    }

    fn end(quiet: QuietHours, now: &str) -> Option<String> {
        quiet.end_after(now.parse().unwrap()).map(|end| end.to_string())
    }

    #[test]
    fn the_night_ends_in_the_morning() {
        let night = quiet("21:00", "08:00", chrono_tz::Europe::London);
        assert_eq!(end(night, "2024-12-30T20:59:59Z"), None);
        assert_eq!(end(night, "2024-12-30T21:00:00Z").unwrap(), "2024-12-31T08:00:00.000Z");
        assert_eq!(end(night, "2024-12-31T07:59:59Z").unwrap(), "2024-12-31T08:00:00.000Z");
        assert_eq!(end(night, "2024-12-31T08:00:00Z"), None);
        // Daylight saving time: 08:00 in London is 07:00 in UTC.
        assert_eq!(end(night, "2025-07-01T02:00:00Z").unwrap(), "2025-07-01T07:00:00.000Z");
    }

    #[test]
    fn an_end_that_the_clock_skips_or_shows_twice() {
        let skipped = quiet("22:00", "02:30", chrono_tz::America::New_York);
        assert_eq!(end(skipped, "2025-03-09T06:59:00Z").unwrap(), "2025-03-09T07:00:00.000Z");
        let twice = quiet("22:00", "01:30", chrono_tz::America::New_York);
        assert_eq!(end(twice, "2025-11-02T05:00:00Z").unwrap(), "2025-11-02T05:30:00.000Z");
        // The second 01:10 of that night: the first 01:30 has passed.
        assert_eq!(end(twice, "2025-11-02T06:10:00Z").unwrap(), "2025-11-02T06:30:00.000Z");
    }

    #[test]
    fn settings_that_say_nothing_mean_none() {
        for settings in [
            json!({}),
            json!({"quietHours": null}),
            json!({"quietHours": {"start": "21:00"}}),
            json!({"quietHours": {"start": "9pm", "end": "8am"}}),
            json!({"quietHours": {"start": "08:00", "end": "08:00"}}),
        ] {
            assert_eq!(QuietHours::from_settings(&settings, chrono_tz::UTC), None, "{settings}");
        }
    }

    proptest! {
        #[test]
        fn an_end_lies_ahead_and_is_not_quiet(
            start in 0u32..1440, end in 0u32..1440, now in 1_700_000_000_000i64..1_900_000_000_000,
            zone in prop::sample::select(&[
                chrono_tz::America::New_York, chrono_tz::Europe::London, chrono_tz::Asia::Kolkata,
                chrono_tz::Australia::Lord_Howe, chrono_tz::America::St_Johns,
            ][..]),
        ) {
            prop_assume!(start != end);
            let time = |minutes: u32| NaiveTime::from_hms_opt(minutes / 60, minutes % 60, 0).unwrap();
            let quiet = QuietHours::new(time(start), time(end), zone).unwrap();
            let now = Timestamp::from_unix_ms(now);
            if let Some(end) = quiet.end_after(now) {
                prop_assert!(end > now);
                prop_assert!(end.since(now).as_secs() <= 26 * 3600);
                prop_assert_eq!(quiet.end_after(end), None);
            }
        }
    }
}
