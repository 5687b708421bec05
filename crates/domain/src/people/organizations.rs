//! Organisations: the tenants.

use std::collections::BTreeMap;

use chrono::{NaiveDate, NaiveTime, TimeDelta, TimeZone as _};
use chrono_tz::Tz;
use nightshift_db::{Db, Json, Timestamp, Tx};
use serde_json::Value;

use crate::Result;
use crate::country::Country;
use crate::ids::OrgId;
use crate::reconciliation::Thresholds;

/// Returns the organisation of requests that name none: the one marked as default, else the oldest.
///
/// # Errors
/// [`NotFound`](crate::Error::NotFound) if no organisation was seeded yet.
pub async fn default_org(db: &Db) -> Result<OrgId> {
    db.read(
        "SELECT id FROM organizations WHERE id <> 'platform'
         ORDER BY is_default DESC, created_at, id LIMIT 1",
    )
    .optional::<(OrgId,)>()
    .await?
    .map(|(id,)| id)
    .ok_or(crate::Error::NotFound)
}

pub async fn exists(db: &Db, org: &OrgId) -> Result<bool> {
    Ok(db.read("SELECT id FROM organizations WHERE id = $1").bind(org).optional::<(OrgId,)>().await?.is_some())
}

/// Returns the time zone of an organisation. Zone names are validated when they are stored.
///
/// # Errors
/// [`NotFound`](crate::Error::NotFound) if there is no such organisation.
pub async fn zone(db: &Db, org: &OrgId) -> Result<Tz> {
    let zone: Option<(String,)> =
        db.read("SELECT timezone FROM organizations WHERE id = $1").bind(org).optional().await?;
    let (zone,) = zone.ok_or(crate::Error::NotFound)?;
    Ok(zone.parse().unwrap_or(Tz::UTC))
}

/// Returns today's date in a zone.
#[must_use]
pub fn local_date(now: Timestamp, zone: Tz) -> NaiveDate {
    now.to_datetime().with_timezone(&zone).date_naive()
}

/// Returns the first moment of today in a zone, and that of tomorrow.
#[must_use]
pub fn local_day(now: Timestamp, zone: Tz) -> (Timestamp, Timestamp) {
    let today = local_date(now, zone);
    (start_of(today, zone), start_of(today.succ_opt().unwrap_or(today), zone))
}

/// Returns the first moment of a day in a zone. If the clock skips midnight, that is the end of the gap.
#[must_use]
pub fn start_of(date: NaiveDate, zone: Tz) -> Timestamp {
    let mut local = date.and_time(NaiveTime::MIN);
    // No zone skips more than a day; steps of a minute find the end of every gap.
    for _ in 0..=24 * 60 {
        if let Some(instant) = zone.from_local_datetime(&local).earliest() {
            return Timestamp::from_unix_ms(instant.timestamp_millis());
        }
        local += TimeDelta::minutes(1);
    }
    Timestamp::from_unix_ms(local.and_utc().timestamp_millis())
}

/// Returns an organisation's name and time zone.
///
/// # Errors
/// [`NotFound`](crate::Error::NotFound) if there is no such organisation.
pub async fn name_and_zone(db: &Db, org: &OrgId) -> Result<(String, Tz)> {
    let row: Option<(String, String)> =
        db.read("SELECT name, timezone FROM organizations WHERE id = $1").bind(org).optional().await?;
    let (name, zone) = row.ok_or(crate::Error::NotFound)?;
    Ok((name, zone.parse().unwrap_or(Tz::UTC)))
}

/// Returns the country whose conventions apply to an organisation's phone numbers: its own setting, else the country of
/// its time zone.
///
/// # Errors
/// [`NotFound`](crate::Error::NotFound) if there is no such organisation.
pub async fn country(db: &Db, org: &OrgId) -> Result<Option<Country>> {
    let row = db.read(COUNTRY).bind(org).optional::<(Option<String>, String)>().await?;
    row.map(country_of).ok_or(crate::Error::NotFound)
}

/// Does the same as [`country`] within a transaction.
pub(crate) async fn country_in(tx: &mut Tx, org: &OrgId) -> Result<Option<Country>> {
    let row = tx.query(COUNTRY).bind(org).optional::<(Option<String>, String)>().await?;
    row.map(country_of).ok_or(crate::Error::NotFound)
}

/// Returns the country of every organisation, as [`country`] does for one.
pub async fn countries(db: &Db) -> Result<BTreeMap<OrgId, Option<Country>>> {
    let rows: Vec<(OrgId, Option<String>, String)> =
        db.read("SELECT id, country, timezone FROM organizations").all().await?;
    Ok(rows.into_iter().map(|(org, country, zone)| (org, country_of((country, zone)))).collect())
}

const COUNTRY: &str = "SELECT country, timezone FROM organizations WHERE id = $1";

fn country_of((country, zone): (Option<String>, String)) -> Option<Country> {
    match country {
        Some(code) => Country::parse(&code),
        None => Country::of_zone(zone.parse().ok()?),
    }
}

/// Does the same as [`zone`] within a transaction.
pub(crate) async fn zone_in(tx: &mut Tx, org: &OrgId) -> Result<Tz> {
    let zone: Option<(String,)> =
        tx.query("SELECT timezone FROM organizations WHERE id = $1").bind(org).optional().await?;
    let (zone,) = zone.ok_or(crate::Error::NotFound)?;
    Ok(zone.parse().unwrap_or(Tz::UTC))
}

/// Returns an organisation's name, within a transaction.
pub(crate) async fn name_in(tx: &mut Tx, org: &OrgId) -> Result<String> {
    let row: Option<(String,)> = tx.query("SELECT name FROM organizations WHERE id = $1").bind(org).optional().await?;
    row.map(|(name,)| name).ok_or(crate::Error::NotFound)
}

/// The organisation that owns what belongs to the platform itself, such as the number for new businesses. It has no
/// owners.
pub(crate) const PLATFORM: &str = "platform";

/// Whether this is the organisation that owns what belongs to the platform itself.
#[must_use]
pub fn is_platform(org: &OrgId) -> bool {
    org.as_str() == PLATFORM
}

/// Returns the thresholds above which a price difference matters to an organisation: its setting `driftThresholds`,
/// else `defaults`.
///
/// # Errors
/// [`NotFound`](crate::Error::NotFound) if there is no such organisation.
pub async fn thresholds(db: &Db, org: &OrgId, defaults: Thresholds) -> Result<Thresholds> {
    let settings: Option<(Json<Value>,)> =
        db.read("SELECT settings FROM organizations WHERE id = $1").bind(org).optional().await?;
    let (settings,) = settings.ok_or(crate::Error::NotFound)?;
    Ok(defaults.overridden_by(&settings.0["driftThresholds"]))
}

/// What schedules need to know about an organisation.
#[derive(Debug, Clone)]
pub struct Locale {
    pub org: OrgId,
    pub zone: Tz,
    /// When the organisation was created.
    pub since: Timestamp,
}

/// Lists every organisation but the platform with its time zone.
pub async fn locales(db: &Db) -> Result<Vec<Locale>> {
    let rows: Vec<(OrgId, String, Timestamp)> =
        db.read("SELECT id, timezone, created_at FROM organizations WHERE id <> 'platform' ORDER BY id").all().await?;
    Ok(rows
        .into_iter()
        .map(|(org, zone, since)| Locale { org, zone: zone.parse().unwrap_or(Tz::UTC), since })
        .collect())
}

/// Returns the organisation if there is exactly one. Data that names no organisation then belongs to it.
pub async fn only(tx: &mut Tx) -> Result<Option<OrgId>> {
    let some: Vec<(OrgId,)> = tx.query("SELECT id FROM organizations WHERE id <> 'platform' LIMIT 2").all().await?;
    Ok(match <[(OrgId,); 1]>::try_from(some) {
        Ok([(id,)]) => Some(id),
        Err(_) => None,
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests may panic")]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_the_organisations_day_whatever_its_clock_does() {
        let day = |now: &str, zone: Tz| {
            let (from, to) = local_day(now.parse().unwrap(), zone);
            (from.to_string(), to.to_string())
        };
        let pair = |from: &str, to: &str| (from.to_owned(), to.to_owned());
        assert_eq!(
            day("2024-12-31T03:00:00Z", Tz::America__New_York),
            pair("2024-12-30T05:00:00.000Z", "2024-12-31T05:00:00.000Z")
        );
        // 23 and 25 hours.
        assert_eq!(
            day("2025-03-30T12:00:00Z", Tz::Europe__London),
            pair("2025-03-30T00:00:00.000Z", "2025-03-30T23:00:00.000Z")
        );
        assert_eq!(
            day("2025-10-26T12:00:00Z", Tz::Europe__London),
            pair("2025-10-25T23:00:00.000Z", "2025-10-27T00:00:00.000Z")
        );
        // Cairo's clock skips midnight.
        assert_eq!(
            day("2024-04-26T12:00:00Z", Tz::Africa__Cairo),
            pair("2024-04-25T22:00:00.000Z", "2024-04-26T21:00:00.000Z")
        );
    }
}
