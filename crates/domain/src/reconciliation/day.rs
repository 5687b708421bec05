//! The day of a price check: the requested day, or today in the organisation's time zone.

use chrono::NaiveDate;
use chrono_tz::Tz;
use nightshift_db::{Db, Timestamp};

use crate::ids::OrgId;
use crate::people::organizations::{self, local_date};
use crate::{Error, Result};

/// Parses a date in the form `2024-12-31`, with leading zeros.
///
/// # Errors
/// [`Error::Invalid`] for everything else.
pub fn parse_day(text: &str) -> Result<NaiveDate> {
    let day = text.parse::<NaiveDate>().ok().filter(|day| day.to_string() == text);
    day.ok_or_else(|| Error::invalid("date", "must be a date such as 2024-12-31"))
}

/// Returns the day of a check: `asked`, or today. `zone` replaces the organisation's own time zone if it is set.
///
/// # Errors
/// [`Error::Invalid`] for a day that has not begun in that zone; [`Error::NotFound`] for an unknown organisation.
pub async fn day(
    db: &Db,
    org: &OrgId,
    zone: Option<Tz>,
    asked: Option<NaiveDate>,
    now: Timestamp,
) -> Result<NaiveDate> {
    let zone = match zone {
        Some(zone) => zone,
        None => organizations::zone(db, org).await?,
    };
    not_in_future(asked, local_date(now, zone))
}

fn not_in_future(asked: Option<NaiveDate>, today: NaiveDate) -> Result<NaiveDate> {
    let day = asked.unwrap_or(today);
    if day > today {
        return Err(Error::invalid("date", format!("must not be in the future: it is {today} there")));
    }
    Ok(day)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests may panic")]
mod tests {
    use super::*;

    #[test]
    fn only_a_full_date_is_a_day() {
        assert_eq!(parse_day("2024-02-29").unwrap().to_string(), "2024-02-29");
        for text in ["2023-02-29", "2024-2-9", "2024-02-29T00:00:00Z", " 2024-02-29", "yesterday", ""] {
            assert!(parse_day(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_day_is_in_the_future_by_the_clock_of_the_organisation() {
        let late_evening: Timestamp = "2024-12-31T23:30:00Z".parse().unwrap();
        let next = Some(parse_day("2025-01-01").unwrap());
        let in_berlin = local_date(late_evening, Tz::Europe__Berlin);
        assert_eq!(not_in_future(next, in_berlin).unwrap(), in_berlin);
        assert_eq!(not_in_future(None, in_berlin).unwrap(), in_berlin);
        let refused = not_in_future(next, local_date(late_evening, Tz::America__Denver)).unwrap_err();
        assert_eq!(refused.to_string(), "date: must not be in the future: it is 2024-12-31 there");
    }
}
