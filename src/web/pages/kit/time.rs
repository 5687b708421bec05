//! Times as pages show them: relative while young, else day and clock in the reader's zone with its abbreviation.
//!
//! Relative times go on in the browser: each carries its age and the rule for its words, which `times.js` follows. The
//! words of the page come from the same rule.

use std::fmt;

use chrono_tz::Tz;
use nightshift_db::Timestamp;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// A step of a rule for the words of an age: it takes ages below so many seconds, or all if 0, and tells them with these
/// words, in which `{}` stands for the age in units of so many seconds.
type Step<'a> = (u64, u64, &'a str);

/// An age in its largest unit.
const AGE: [Step<'static>; 3] = [(HOUR, MINUTE, "{} min"), (DAY, HOUR, "{} h"), (0, DAY, "{} d")];
/// A young time. After the last step comes the clock.
const AGO: [Step<'static>; 3] = [(MINUTE, MINUTE, "just now"), (HOUR, MINUTE, "{} min ago"), (DAY, HOUR, "{} h ago")];

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
        words(&AGE, self.now.since(self.at).as_secs())
    }

    /// For the attribute `data-age`; none for a time to come.
    pub(in crate::web::pages) fn seconds(&self) -> Option<u64> {
        (self.at <= self.now).then(|| self.now.since(self.at).as_secs())
    }

    /// For the attribute `data-words` of an age.
    #[expect(clippy::unused_self, reason = "templates call it on what they show")]
    pub(in crate::web::pages) fn age_rule(self) -> String {
        rule(&AGE)
    }

    /// For the attribute `data-words` of a time.
    pub(in crate::web::pages) fn time_rule(&self) -> String {
        rule(&time_steps(&self.clock()))
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let clock = self.clock();
        match self.seconds() {
            Some(seconds) => f.write_str(&words(&time_steps(&clock), seconds)),
            None => f.write_str(&clock),
        }
    }
}

/// The rule for a time whose day and clock are these.
fn time_steps(clock: &str) -> [Step<'_>; 4] {
    let [now, minutes, hours] = AGO;
    [now, minutes, hours, (0, DAY, clock)]
}

/// What a rule says of an age.
fn words(steps: &[Step<'_>], seconds: u64) -> String {
    let step = steps.iter().find(|(below, ..)| *below == 0 || seconds < *below);
    step.map(|(_, unit, words)| words.replace("{}", &(seconds / unit).to_string())).unwrap_or_default()
}

/// A rule as `times.js` reads it.
fn rule(steps: &[Step<'_>]) -> String {
    let steps: Vec<String> = steps.iter().map(|(below, unit, words)| format!("{below} {unit} {words}")).collect();
    steps.join("|")
}

/// Day and clock of a zone: `Mon 30 Dec 2024, 10:00 EST`.
fn local(at: Timestamp, zone: Tz) -> String {
    at.to_datetime().with_timezone(&zone).format("%a %-d %b %Y, %H:%M %Z").to_string()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

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
