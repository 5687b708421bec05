//! The words of times in routing decisions.

use chrono_tz::Tz;
use nightshift_db::Timestamp;

/// Returns a time of day in the organisation's zone, with the date if it is not the day of `seen_at`.
pub(super) fn time(at: Timestamp, seen_at: Timestamp, zone: Tz) -> String {
    let (local, seen) = (at.to_datetime().with_timezone(&zone), seen_at.to_datetime().with_timezone(&zone));
    let format = if local.date_naive() == seen.date_naive() { "%H:%M" } else { "%H:%M on %a %-d %b %Y" };
    local.format(format).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_day_is_named() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let (noon, zone) = (at("2024-12-31T17:00:00Z"), chrono_tz::America::New_York);
        assert_eq!(time(noon, at("2024-12-31T05:00:00Z"), zone), "12:00");
        assert_eq!(time(noon, at("2024-12-31T04:59:59Z"), zone), "12:00 on Tue 31 Dec 2024");
    }
}
