//! A time in the past, as people type it.

use std::time::Duration;

use chrono::NaiveDate;
use nightshift_db::{Clock, Timestamp};

/// Parses `30m`, `2h` or `3d` before now, a date, or a time such as `2024-12-31T02:00:00Z`.
pub(super) fn parse(text: &str) -> Result<Timestamp, String> {
    if let Ok(date) = text.parse::<NaiveDate>() {
        return Ok(Timestamp::from_unix_ms(date.and_time(chrono::NaiveTime::MIN).and_utc().timestamp_millis()));
    }
    let ago = |seconds_each: u64| {
        let count = text.get(..text.len() - 1)?.parse::<u64>().ok()?;
        Some(Clock::system().now() - Duration::from_secs(count.checked_mul(seconds_each)?))
    };
    let found = match text.chars().last() {
        Some('m') => ago(60),
        Some('h') => ago(3_600),
        Some('d') => ago(86_400),
        _ => text.parse().ok(),
    };
    found.ok_or_else(|| "give 30m, 2h, 3d, a date, or a time such as 2024-12-31T02:00:00Z".to_owned())
}
