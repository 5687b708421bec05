//! Times as pages show them: relative while young, else day and clock in the reader's zone with its abbreviation.

use std::fmt;
use std::time::Duration;

use chrono_tz::Tz;
use nightshift_db::Timestamp;

/// A time is told relative to now until it is this old.
const YOUNG: Duration = Duration::from_secs(24 * 60 * 60);

/// An instant as a reader sees it. It displays as text; the macro `time` of `parts.html` makes the element of it.
#[derive(Debug, Clone, Copy)]
pub(in crate::web::pages) struct Moment {
    at: Timestamp,
    now: Timestamp,
    zone: Tz,
}

impl Moment {
    pub(in crate::web::pages) fn new(at: Timestamp, now: Timestamp, zone: Tz) -> Self {
        Self { at, now, zone }
    }

    /// For the attribute `datetime`.
    pub(in crate::web::pages) fn machine(&self) -> String {
        self.at.to_string()
    }

    /// For the attribute `title`.
    pub(in crate::web::pages) fn utc(&self) -> String {
        self.at.to_datetime().format("%Y-%m-%d %H:%M:%S UTC").to_string()
    }

    /// Day and clock, also while it is young.
    pub(in crate::web::pages) fn clock(&self) -> String {
        local(self.at, self.zone)
    }

    /// How long ago, in its largest unit: `31 min`, `8 h`, `3 d`.
    pub(in crate::web::pages) fn age(&self) -> String {
        let minutes = self.now.since(self.at).as_secs() / 60;
        match minutes {
            0..60 => format!("{minutes} min"),
            60..1440 => format!("{} h", minutes / 60),
            _ => format!("{} d", minutes / 1440),
        }
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let age = self.now.since(self.at);
        if self.at > self.now || age >= YOUNG {
            return f.write_str(&self.clock());
        }
        match age.as_secs() {
            0..60 => f.write_str("just now"),
            _ => write!(f, "{} ago", self.age()),
        }
    }
}

/// Day and clock of a zone: `Mon 30 Dec 2024, 10:00 EST`.
fn local(at: Timestamp, zone: Tz) -> String {
    at.to_datetime().with_timezone(&zone).format("%a %-d %b %Y, %H:%M %Z").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_relative_while_it_is_young_and_then_has_day_clock_and_zone() {
        let now = Timestamp::from_unix_ms(1_735_570_800_000);
        let minutes = |minutes: u64| Duration::from_secs(minutes * 60);
        let told = |at: Timestamp| Moment::new(at, now, Tz::America__New_York).to_string();
        assert_eq!(told(now), "just now");
        assert_eq!(told(now - minutes(4)), "4 min ago");
        assert_eq!(told(now - minutes(23 * 60 + 59)), "23 h ago");
        assert_eq!(told(now - minutes(24 * 60)), "Sun 29 Dec 2024, 10:00 EST");
        assert_eq!(told(now + minutes(1)), "Mon 30 Dec 2024, 10:01 EST");
        let moment = Moment::new(now - minutes(3 * 24 * 60), now, Tz::UTC);
        let shown = (moment.age(), moment.utc(), moment.machine());
        let expected = ("3 d", "2024-12-27 15:00:00 UTC", "2024-12-27T15:00:00.000Z");
        assert_eq!((shown.0.as_str(), shown.1.as_str(), shown.2.as_str()), expected);
    }
}
