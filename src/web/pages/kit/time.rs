//! Times on pages: relative for one day, then date and time in the reader's zone with its abbreviation.
//!
//! The browser keeps relative times up to date: each element carries its age and the rule for its words, which
//! `times.js` applies. The server renders the first text by the same rule.

use std::fmt;

use chrono_tz::Tz;
use nightshift_db::Timestamp;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// A step of a rule that turns an age into words: the age in seconds below which the step applies (0 for every age),
/// the unit in seconds, and the words, in which `{}` stands for the age in that unit.
type Step<'a> = (u64, u64, &'a str);

/// The rule for an age in its largest unit.
const AGE: [Step<'static>; 3] = [(HOUR, MINUTE, "{} min"), (DAY, HOUR, "{} h"), (0, DAY, "{} d")];
/// The steps of a recent time. The step after them shows date and time.
const AGO: [Step<'static>; 3] = [(MINUTE, MINUTE, "just now"), (HOUR, MINUTE, "{} min ago"), (DAY, HOUR, "{} h ago")];

/// An instant as a reader sees it. It displays as text. The macro `time` of `parts.html` renders its element.
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

    /// Returns the value of the attribute `datetime`.
    pub(in crate::web::pages) fn machine(&self) -> String {
        self.at.to_string()
    }

    /// Returns the value of the attribute `title`.
    pub(in crate::web::pages) fn utc(&self) -> String {
        self.at.to_datetime().format("%Y-%m-%d %H:%M:%S UTC").to_string()
    }

    /// Returns date and time in the reader's zone, also for a recent instant.
    pub(in crate::web::pages) fn clock(&self) -> String {
        local(self.at, self.zone)
    }

    /// Returns the age in its largest unit: `31 min`, `8 h`, `3 d`.
    pub(in crate::web::pages) fn age(&self) -> String {
        words(&AGE, self.now.since(self.at).as_secs())
    }

    /// Returns the value of the attribute `data-age`, in seconds. `None` for an instant in the future.
    pub(in crate::web::pages) fn seconds(&self) -> Option<u64> {
        (self.at <= self.now).then(|| self.now.since(self.at).as_secs())
    }

    /// Returns the value of the attribute `data-words` for an age.
    #[expect(clippy::unused_self, reason = "templates call it on what they show")]
    pub(in crate::web::pages) fn age_rule(self) -> String {
        rule(&AGE)
    }

    /// Returns the value of the attribute `data-words` for a time.
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

/// Returns the rule for an instant whose date and time are `clock`.
fn time_steps(clock: &str) -> [Step<'_>; 4] {
    let [now, minutes, hours] = AGO;
    [now, minutes, hours, (0, DAY, clock)]
}

/// Returns the words of a rule for an age.
fn words(steps: &[Step<'_>], seconds: u64) -> String {
    let step = steps.iter().find(|(below, ..)| *below == 0 || seconds < *below);
    step.map(|(_, unit, words)| words.replace("{}", &(seconds / unit).to_string())).unwrap_or_default()
}

/// Writes a rule in the format that `times.js` reads: steps separated by `|`.
fn rule(steps: &[Step<'_>]) -> String {
    let steps: Vec<String> = steps.iter().map(|(below, unit, words)| format!("{below} {unit} {words}")).collect();
    steps.join("|")
}

/// Formats an instant in a zone: `Mon 30 Dec 2024, 10:00 EST`.
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
