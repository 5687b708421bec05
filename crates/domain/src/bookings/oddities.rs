//! Warnings about unusual but allowed values of a booking.
//!
//! Bookings in the past are allowed, for imports and for visits that are entered afterwards, and a service may get its
//! price later. Such values are more often typing errors, so creating, moving or confirming such a booking returns a
//! warning.

use std::time::Duration;

use nightshift_db::{Timestamp, Tx};

use super::Booking;
use crate::Result;
use crate::pricing;
use crate::warning::Warning;

/// A booking further ahead is taken for a typing error.
const FAR_AHEAD: Duration = Duration::from_secs(2 * 365 * 24 * 3600);

const NO_PRICE: Warning =
    Warning { field: "service", code: "no_price_rule", message: "no price rule is in force for this service" };

/// Returns warnings about the times of a booking.
pub(super) fn of_times(booking: &Booking, now: Timestamp) -> Vec<Warning> {
    let found = if booking.end_at <= now {
        Some(("starts_in_past", "startAt is in the past, and the booking is over"))
    } else if booking.start_at < now {
        Some(("starts_in_past", "startAt is in the past"))
    } else if booking.start_at > now + FAR_AHEAD {
        Some(("starts_far_ahead", "startAt is more than two years ahead"))
    } else {
        None
    };
    found.map(|(code, message)| Warning { field: "startAt", code, message }).into_iter().collect()
}

/// Returns warnings about a new booking. `priced` says whether its service has a price.
pub(super) fn of_new(booking: &Booking, priced: bool, now: Timestamp) -> Vec<Warning> {
    let mut warnings = of_times(booking, now);
    if !priced {
        warnings.push(NO_PRICE);
    }
    warnings
}

/// Returns a warning if the new service of a changed booking has no price.
pub(super) async fn of_service(tx: &mut Tx, booking: &Booking, now: Timestamp) -> Result<Option<Warning>> {
    let rule = pricing::in_force(tx, &booking.org_id, &booking.service, now).await?;
    Ok(rule.is_none().then_some(NO_PRICE))
}

/// Returns the codes of warnings, for the audit log.
pub(super) fn codes(warnings: &[Warning]) -> Vec<&'static str> {
    warnings.iter().map(|warning| warning.code).collect()
}
