//! The price of a booking.
//!
//! The price is the number of time units, rounded up, times the price of a unit and of each further pet or visit; plus
//! a surcharge if the local day of the start is a holiday, or else a weekend; plus each add-on once; minus the
//! discount, but not below zero; plus tax. Percentages are rounded half up to whole minor units.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{Datelike, NaiveDate, Weekday};
use chrono_tz::Tz;
use nightshift_db::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The terms of a rule, without its service and its period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    pub base_minor: i64,
    pub unit_minutes: i64,
    pub min_units: i64,
    pub extra_quantity_minor: i64,
    pub weekend_percent: i64,
    pub holiday_percent: i64,
    pub holidays: BTreeSet<String>,
    pub add_ons: BTreeMap<String, i64>,
    pub tax_percent_bp: i64,
}

/// The properties of a booking that decide its price.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = PriceInputs)]
#[serde(rename_all = "camelCase")]
pub struct Inputs {
    pub service: String,
    pub start_at: Timestamp,
    pub end_at: Timestamp,
    pub quantity: i64,
    pub add_ons: Vec<String>,
    pub discount_minor: i64,
    /// IANA name of the time zone whose calendar decides what a weekend or holiday is.
    pub timezone: String,
}

/// A line of a price.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = PriceLine)]
#[serde(rename_all = "camelCase")]
pub struct Line {
    /// `base`, `weekend`, `holiday`, `discount`, `tax`, or the code of an add-on.
    pub code: String,
    /// A description for people.
    pub label: String,
    /// The number of units.
    pub units: i64,
    /// The price of one unit, in minor units of the currency.
    pub unit_minor: i64,
    /// The price of all units, in minor units of the currency; negative for a discount.
    pub amount_minor: i64,
}

/// A price and its lines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Price {
    /// The lines, which add up to the total.
    pub lines: Vec<Line>,
    /// The total, in minor units of the currency.
    pub total_minor: i64,
}

/// Why a price can't be computed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotComputable {
    /// The organisation had no rule for the service at the time.
    #[error("no pricing rule for the service {0:?} was in force")]
    NoRule(String),
    #[error("the pricing rule has no add-on {0:?}")]
    UnknownAddOn(String),
    /// The duration, the quantity or the time zone is invalid.
    #[error("the {0} cannot be priced")]
    BadInput(&'static str),
    /// An amount has a magnitude of 2^53 or more.
    #[error("the price is too large")]
    TooLarge,
}

/// Computes the price of `inputs` under `terms`.
pub fn calculate(terms: &Terms, inputs: &Inputs) -> Result<Price, NotComputable> {
    let units = units(terms, inputs)?;
    let quantity = i128::from(inputs.quantity);
    if quantity < 1 {
        return Err(NotComputable::BadInput("quantity"));
    }
    let unit_price = i128::from(terms.base_minor) + (quantity - 1) * i128::from(terms.extra_quantity_minor);
    let base = i128::from(units) * unit_price;
    let mut lines = vec![line("base", &inputs.service, units, unit_price, base)?];
    let mut subtotal = base;
    let (code, label, percent) = surcharge(terms, inputs)?;
    if percent > 0 {
        let amount = half_up(base * i128::from(percent), 100);
        lines.push(line(code, &format!("{label} +{percent} %"), 1, amount, amount)?);
        subtotal += amount;
    }
    for add_on in inputs.add_ons.iter().collect::<BTreeSet<_>>() {
        let amount = *terms.add_ons.get(add_on).ok_or_else(|| NotComputable::UnknownAddOn(add_on.clone()))?;
        lines.push(line(add_on, add_on, 1, amount.into(), amount.into())?);
        subtotal += i128::from(amount);
    }
    let discount = i128::from(inputs.discount_minor.max(0)).min(subtotal);
    if discount > 0 {
        lines.push(line("discount", "Discount", 1, -discount, -discount)?);
        subtotal -= discount;
    }
    let tax = half_up(subtotal * i128::from(terms.tax_percent_bp), 10_000);
    if tax > 0 {
        let (whole, part) = (terms.tax_percent_bp / 100, terms.tax_percent_bp % 100);
        lines.push(line("tax", &format!("Tax {whole}.{part:02} %"), 1, tax, tax)?);
    }
    Ok(Price { lines, total_minor: minor(subtotal + tax)? })
}

/// Returns the number of time units that were begun, at least the minimum of the terms.
fn units(terms: &Terms, inputs: &Inputs) -> Result<i64, NotComputable> {
    let unit_ms = terms.unit_minutes.checked_mul(60_000).filter(|ms| *ms > 0).ok_or(NotComputable::BadInput("unit"))?;
    let duration_ms = inputs.end_at.unix_ms() - inputs.start_at.unix_ms();
    if duration_ms <= 0 {
        return Err(NotComputable::BadInput("duration"));
    }
    Ok((duration_ms / unit_ms + i64::from(duration_ms % unit_ms > 0)).max(terms.min_units))
}

/// Returns the code, label and percentage of the only surcharge: the holiday's, or else the weekend's. A holiday on a
/// weekend counts as a holiday.
fn surcharge(terms: &Terms, inputs: &Inputs) -> Result<(&'static str, &'static str, i64), NotComputable> {
    let date = local_date(inputs)?;
    if terms.holidays.contains(&date.to_string()) {
        return Ok(("holiday", "Holiday", terms.holiday_percent));
    }
    if matches!(date.weekday(), Weekday::Sat | Weekday::Sun) {
        return Ok(("weekend", "Weekend", terms.weekend_percent));
    }
    Ok(("", "", 0))
}

fn local_date(inputs: &Inputs) -> Result<NaiveDate, NotComputable> {
    let zone: Tz = inputs.timezone.parse().map_err(|_| NotComputable::BadInput("time zone"))?;
    Ok(inputs.start_at.to_datetime().with_timezone(&zone).date_naive())
}

/// Divides and rounds halves up; neither argument may be negative.
fn half_up(numerator: i128, denominator: i128) -> i128 {
    (numerator + denominator / 2) / denominator
}

fn line(code: &str, label: &str, units: i64, unit: i128, amount: i128) -> Result<Line, NotComputable> {
    Ok(Line {
        code: code.to_owned(),
        label: label.to_owned(),
        units,
        unit_minor: minor(unit)?,
        amount_minor: minor(amount)?,
    })
}

/// PostgreSQL and JSON parsers in browsers both hold integers up to 2^53 exactly.
fn minor(amount: i128) -> Result<i64, NotComputable> {
    i64::try_from(amount).ok().filter(|amount| amount.abs() < 1 << 53).ok_or(NotComputable::TooLarge)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests may panic")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn terms() -> Terms {
        Terms {
            base_minor: 2000,
            unit_minutes: 30,
            min_units: 1,
            extra_quantity_minor: 500,
            weekend_percent: 25,
            holiday_percent: 50,
            holidays: BTreeSet::from(["2025-01-01".to_owned(), "2025-01-04".to_owned()]),
            add_ons: BTreeMap::from([("key_pickup".to_owned(), 700), ("photos".to_owned(), 0)]),
            tax_percent_bp: 0,
        }
    }

    fn inputs(start_at: &str, end_at: &str) -> Inputs {
        Inputs {
            service: "dog_walking".to_owned(),
            start_at: start_at.parse().unwrap(),
            end_at: end_at.parse().unwrap(),
            quantity: 1,
            add_ons: Vec::new(),
            discount_minor: 0,
            timezone: "America/New_York".to_owned(),
        }
    }

    fn total(terms: &Terms, inputs: &Inputs) -> i64 {
        calculate(terms, inputs).unwrap().total_minor
    }

    #[test]
    fn begun_units_count_whole_and_never_less_than_the_minimum() {
        let hour = inputs("2025-01-06T15:00:00Z", "2025-01-06T16:00:00Z");
        assert_eq!(total(&terms(), &hour), 4000);
        assert_eq!(total(&terms(), &inputs("2025-01-06T15:00:00Z", "2025-01-06T16:00:00.001Z")), 6000);
        assert_eq!(total(&Terms { min_units: 4, ..terms() }, &hour), 8000);
        assert_eq!(total(&terms(), &Inputs { quantity: 3, ..hour }), 2 * (2000 + 2 * 500));
    }

    #[test]
    fn the_local_day_of_the_start_decides_and_a_holiday_outweighs_a_weekend() {
        // Friday 20:00 in New York is Saturday in London.
        let mut late = inputs("2025-01-11T01:00:00Z", "2025-01-11T01:30:00Z");
        assert_eq!(total(&terms(), &late), 2000);
        late.timezone = "Europe/London".to_owned();
        assert_eq!(total(&terms(), &late), 2500);
        assert_eq!(total(&terms(), &inputs("2025-01-01T15:00:00Z", "2025-01-01T15:30:00Z")), 3000);
        assert_eq!(total(&terms(), &inputs("2025-01-04T15:00:00Z", "2025-01-04T15:30:00Z")), 3000, "one of the two");
    }

    #[test]
    fn add_ons_discount_and_tax_come_in_this_order_and_halves_go_up() {
        let mut booking = inputs("2025-01-06T15:00:00Z", "2025-01-06T15:30:00Z");
        booking.add_ons = vec!["key_pickup".to_owned(), "photos".to_owned(), "key_pickup".to_owned()];
        assert_eq!(total(&terms(), &booking), 2700, "once each");
        booking.discount_minor = 200;
        let taxed = Terms { tax_percent_bp: 825, ..terms() };
        // 2500 * 8.25 % = 206.25
        assert_eq!(total(&taxed, &booking), 2706);
        // 2000 * 0.25 % = 5; 2002 * 0.25 % = 5.005; 2600 * 0.25 % = 6.5, which is rounded up.
        booking.discount_minor = 100;
        assert_eq!(total(&Terms { tax_percent_bp: 25, ..terms() }, &booking), 2607);
        booking.discount_minor = 9_999_999;
        assert_eq!(total(&taxed, &booking), 0, "never below nothing");
    }

    #[test]
    fn what_cannot_be_priced_says_why() {
        let good = inputs("2025-01-06T15:00:00Z", "2025-01-06T15:30:00Z");
        let why = |inputs: Inputs| calculate(&terms(), &inputs).unwrap_err().to_string();
        assert_eq!(
            why(Inputs { add_ons: vec!["spa".to_owned()], ..good.clone() }),
            "the pricing rule has no add-on \"spa\""
        );
        assert_eq!(why(Inputs { timezone: "Mars/Base".to_owned(), ..good.clone() }), "the time zone cannot be priced");
        assert_eq!(why(Inputs { end_at: good.start_at, ..good.clone() }), "the duration cannot be priced");
        assert_eq!(why(Inputs { quantity: i64::MAX, ..good }), "the price is too large");
    }

    proptest! {
        #[test]
        fn lines_add_up_and_no_input_panics(
            base in 0i64..1_000_000, unit in 1i64..2_000, extra in 0i64..100_000, percent in 0i64..500,
            tax in 0i64..10_000, minutes in 1i64..100_000, quantity in 1i64..1_000, discount in 0i64..10_000_000,
            start in 1_600_000_000_000i64..2_500_000_000_000,
        ) {
            let terms = Terms {
                base_minor: base, unit_minutes: unit, extra_quantity_minor: extra, weekend_percent: percent,
                holiday_percent: percent, tax_percent_bp: tax, ..terms()
            };
            let inputs = Inputs {
                start_at: Timestamp::from_unix_ms(start), end_at: Timestamp::from_unix_ms(start + minutes * 60_000),
                quantity, discount_minor: discount, ..inputs("2025-01-06T15:00:00Z", "2025-01-06T15:30:00Z")
            };
            let price = calculate(&terms, &inputs).unwrap();
            prop_assert_eq!(price.lines.iter().map(|line| line.amount_minor).sum::<i64>(), price.total_minor);
            prop_assert!(price.total_minor >= 0);
            prop_assert_eq!(calculate(&terms, &inputs).unwrap(), price);
        }
    }
}
