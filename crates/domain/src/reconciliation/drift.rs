//! The comparison of a stored price with the price it should be.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::exceptions::Severity;
use crate::text_enum::text_enum;

text_enum! {
    /// Why a price differs: the first cause that applies.
    pub enum Cause as DriftCause {
        /// The booking changed since it was priced.
        InputsChanged = "inputs_changed",
        /// The booking's total differs from its snapshot's.
        TotalMismatch = "total_mismatch",
        /// The same inputs have another price under the same rule.
        CalculationMismatch = "calculation_mismatch",
    }
}

/// The differences from which on a severity applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Thresholds {
    /// High from this amount on, in minor units.
    pub high_minor: i64,
    /// High from this percentage of the stored amount on.
    pub high_percent: i64,
    /// Medium from this amount on, in minor units.
    pub medium_minor: i64,
    /// Medium from this percentage of the stored amount on.
    pub medium_percent: i64,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self { high_minor: 5_000, high_percent: 10, medium_minor: 1_000, medium_percent: 2 }
    }
}

impl Thresholds {
    /// Replaces values by those in an organisation's settings. Missing and invalid settings are ignored.
    #[must_use]
    pub fn overridden_by(self, settings: &Value) -> Self {
        let or = |name: &str, default: i64| settings[name].as_i64().filter(|value| *value >= 0).unwrap_or(default);
        Self {
            high_minor: or("highMinor", self.high_minor),
            high_percent: or("highPercent", self.high_percent),
            medium_minor: or("mediumMinor", self.medium_minor),
            medium_percent: or("mediumPercent", self.medium_percent),
        }
    }

    fn severity(self, drift_minor: i64, base_minor: i64) -> Severity {
        let (size, base) = (i128::from(drift_minor.unsigned_abs()), i128::from(base_minor.unsigned_abs()));
        let reaches = |minor: i64, percent: i64| size >= i128::from(minor) || size * 100 >= i128::from(percent) * base;
        if reaches(self.high_minor, self.high_percent) {
            Severity::High
        } else if reaches(self.medium_minor, self.medium_percent) {
            Severity::Medium
        } else {
            Severity::Low
        }
    }
}

/// The three amounts that should be equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Amounts {
    /// The booking's total, if it has one.
    pub booking_minor: Option<i64>,
    /// The total of the booking's snapshot.
    pub snapshot_minor: i64,
    /// The price computed now.
    pub recomputed_minor: i64,
}

/// A difference between a stored price and the price it should be.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ToSchema)]
#[schema(as = PriceDifference)]
#[serde(rename_all = "camelCase")]
pub struct Drift {
    /// The stored price, in minor units of the currency.
    pub stored_minor: i64,
    /// The price it should be, in minor units of the currency.
    pub recomputed_minor: i64,
    /// The stored price minus the recomputed price: above zero the client is charged too much.
    pub drift_minor: i64,
    /// The difference in percent of the stored price, or of the recomputed price if the stored price is zero.
    pub drift_percent: f64,
    /// How much the difference matters.
    pub severity: Severity,
    /// Why the prices differ.
    pub cause: Cause,
}

/// Returns the difference between the stored price and the recomputed price, or `None` if all amounts agree. The stored
/// price is the booking's total, or the snapshot's total if the booking has none or its total is right.
#[must_use]
pub fn compare(amounts: Amounts, inputs_changed: bool, thresholds: Thresholds) -> Option<Drift> {
    let Amounts { booking_minor, snapshot_minor, recomputed_minor } = amounts;
    let stored_minor = booking_minor.filter(|total| *total != recomputed_minor).unwrap_or(snapshot_minor);
    let drift_minor = stored_minor.checked_sub(recomputed_minor).filter(|drift| *drift != 0)?;
    let base_minor = if stored_minor == 0 { recomputed_minor } else { stored_minor };
    let cause = if inputs_changed {
        Cause::InputsChanged
    } else if booking_minor.is_some_and(|total| total != snapshot_minor) {
        Cause::TotalMismatch
    } else {
        Cause::CalculationMismatch
    };
    Some(Drift {
        stored_minor,
        recomputed_minor,
        drift_minor,
        drift_percent: percent(drift_minor, base_minor),
        severity: thresholds.severity(drift_minor, base_minor),
        cause,
    })
}

#[expect(clippy::cast_precision_loss, reason = "amounts are below 2^53, and the percentage is for people")]
fn percent(drift_minor: i64, base_minor: i64) -> f64 {
    drift_minor as f64 * 100.0 / base_minor as f64
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests may panic")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn drift(booking: Option<i64>, snapshot: i64, recomputed: i64) -> Option<Drift> {
        let amounts = Amounts { booking_minor: booking, snapshot_minor: snapshot, recomputed_minor: recomputed };
        compare(amounts, false, Thresholds::default())
    }

    #[test]
    fn severity_grows_with_the_difference() {
        for (stored, off, severity) in [
            (10_000, 1_000, Severity::High),
            (100_000, 5_000, Severity::High),
            (100_000, 4_999, Severity::Medium),
            (100_000, 2_000, Severity::Medium),
            (100_000, 1_000, Severity::Medium),
            (100_000, 999, Severity::Low),
            (100_000, 1, Severity::Low),
            (0, 1, Severity::High),
        ] {
            for off in [off, -off] {
                let found = drift(Some(stored), stored, stored - off).unwrap();
                assert_eq!((found.severity, found.drift_minor), (severity, off), "{stored} off by {off}");
            }
        }
        assert_eq!(drift(Some(100_000), 100_000, 100_000), None);
        let thresholds = Thresholds::default().overridden_by(&serde_json::json!({"highMinor": 10, "highPercent": -1}));
        assert_eq!(thresholds, Thresholds { high_minor: 10, ..Thresholds::default() });
    }

    #[test]
    fn the_first_cause_that_applies_is_named() {
        assert_eq!(drift(Some(900), 1_000, 1_000).unwrap().cause, Cause::TotalMismatch);
        assert_eq!(drift(Some(1_000), 1_000, 1_200).unwrap().cause, Cause::CalculationMismatch);
        assert_eq!(drift(None, 1_000, 1_200).unwrap().cause, Cause::CalculationMismatch);
        let amounts = Amounts { booking_minor: Some(900), snapshot_minor: 1_000, recomputed_minor: 1_200 };
        assert_eq!(compare(amounts, true, Thresholds::default()).unwrap().cause, Cause::InputsChanged);
        // A booking that was edited without a change of its price costs what it should.
        let same = Amounts { booking_minor: Some(1_000), snapshot_minor: 1_000, recomputed_minor: 1_000 };
        assert_eq!(compare(same, true, Thresholds::default()), None);
    }

    #[test]
    fn a_snapshot_that_is_off_is_found_also_beside_a_total_that_is_right() {
        let found = drift(Some(1_000), 1_500, 1_000).unwrap();
        assert_eq!((found.stored_minor, found.drift_minor, found.cause), (1_500, 500, Cause::TotalMismatch));
    }

    proptest! {
        #[test]
        fn a_difference_is_found_exactly_when_there_is_one(
            booking in proptest::option::of(0i64..2_000), snapshot in 0i64..2_000, recomputed in 0i64..2_000,
        ) {
            let found = drift(booking, snapshot, recomputed);
            prop_assert_eq!(found.is_none(), snapshot == recomputed && booking.is_none_or(|total| total == recomputed));
            if let Some(found) = found {
                prop_assert_eq!(found.drift_minor, found.stored_minor - found.recomputed_minor);
                prop_assert!(found.drift_percent.is_finite());
            }
        }
    }
}
