//! Pricing a booking: when it is created, when it is repriced, and to show what it would cost now.

use nightshift_db::{Db, Timestamp, Tx};
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use super::calculate::{Inputs, NotComputable, Price};
use super::rules::{Rule, RuleBook, in_force};
use super::snapshots::{self, Snapshot};
use crate::actor::Actor;
use crate::audit::{self, Event};
use crate::bookings::{self, Booking, Status};
use crate::ids::{BookingId, OrgId};
use crate::people::organizations;
use crate::reconciliation::{Amounts, Drift, Thresholds, compare};
use crate::viewer::Viewer;
use crate::{Error, Result};

/// Returns the fields of a booking that decide its price, with the calendar of `timezone`.
pub(crate) fn inputs_of(booking: &Booking, timezone: &str) -> Inputs {
    Inputs {
        service: booking.service.clone(),
        start_at: booking.start_at,
        end_at: booking.end_at,
        quantity: booking.quantity,
        add_ons: booking.add_ons.0.clone(),
        discount_minor: booking.discount_minor,
        timezone: timezone.to_owned(),
    }
}

/// Prices a new booking: stores the snapshot and sets the total of `booking`. Returns false, and leaves the booking
/// without a price, if the organisation has no rule for the service.
pub(crate) async fn price_new(tx: &mut Tx, booking: &mut Booking, now: Timestamp) -> Result<bool> {
    match price(tx, booking, now).await {
        Ok(_) => Ok(true),
        Err(Unpriced::No(NotComputable::NoRule(_))) => Ok(false),
        Err(unpriced) => Err(unpriced.into_error()),
    }
}

/// Prices a booking that was changed. The caller stores the booking.
pub(crate) async fn price_changed(tx: &mut Tx, booking: &mut Booking, now: Timestamp) -> Result<Snapshot> {
    price(tx, booking, now).await.map_err(Unpriced::into_error)
}

enum Unpriced {
    No(NotComputable),
    Failed(Error),
}

impl Unpriced {
    fn into_error(self) -> Error {
        match self {
            Self::Failed(error) => error,
            Self::No(why @ NotComputable::NoRule(_)) => Error::conflict("no_pricing_rule", why.to_string()),
            Self::No(why @ NotComputable::UnknownAddOn(_)) => Error::invalid("addOns", why.to_string()),
            Self::No(why @ (NotComputable::BadInput(_) | NotComputable::TooLarge)) => {
                Error::invalid("quantity", why.to_string())
            }
        }
    }
}

async fn price(tx: &mut Tx, booking: &mut Booking, now: Timestamp) -> Result<Snapshot, Unpriced> {
    let rule: Option<Rule> = in_force(tx, &booking.org_id, &booking.service, now).await.map_err(Unpriced::Failed)?;
    let rule = rule.ok_or_else(|| Unpriced::No(NotComputable::NoRule(booking.service.clone())))?;
    let zone = organizations::zone_in(tx, &booking.org_id).await.map_err(Unpriced::Failed)?;
    let inputs = inputs_of(booking, zone.name());
    let price = rule.price(&inputs).map_err(Unpriced::No)?;
    let snapshot = snapshots::insert(tx, &booking.org_id, &booking.id, &rule, inputs, price, now)
        .await
        .map_err(Unpriced::Failed)?;
    booking.total_minor = Some(snapshot.total_minor);
    booking.currency = Some(snapshot.currency.clone());
    booking.pricing_snapshot_id = Some(snapshot.id.clone());
    Ok(snapshot)
}

/// A booking that was priced again.
#[derive(Debug, Clone)]
pub struct Repriced {
    pub booking: Booking,
    pub snapshot: Snapshot,
}

/// Prices a booking again by the rules in force now.
///
/// # Errors
/// [`Error::NotFound`] if the organisation has no such booking; [`Error::Conflict`] for a cancelled booking or one
/// whose service has no price; [`Error::Invalid`] for an add-on without a price.
pub async fn reprice(
    tx: &mut Tx,
    org: &OrgId,
    id: &BookingId,
    reason: &str,
    by: &Actor,
    now: Timestamp,
) -> Result<Repriced> {
    let mut booking = bookings::lock_of(tx, org, id).await?;
    if booking.status == Status::Cancelled {
        return Err(Error::conflict("invalid_transition", "a booking that is cancelled can no longer be priced"));
    }
    let before = booking.total_minor;
    let snapshot = price_changed(tx, &mut booking, now).await?;
    let booking = bookings::store(tx, &booking, now).await?;
    record_repriced(tx, &booking, before, Some(reason), by, now).await?;
    Ok(Repriced { booking, snapshot })
}

/// Writes the audit entry of a new price.
pub(crate) async fn record_repriced(
    tx: &mut Tx,
    booking: &Booking,
    before_minor: Option<i64>,
    reason: Option<&str>,
    by: &Actor,
    now: Timestamp,
) -> Result<()> {
    let facts = json!({
        "snapshotId": booking.pricing_snapshot_id, "fromMinor": before_minor, "toMinor": booking.total_minor,
        "reason": reason,
    });
    audit::record(tx, booking.entry(Event::BookingRepriced, by).metadata(facts), now).await
}

/// The price that a booking was given, the price it would have now, and the difference.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = BookingPricing)]
pub struct Pricing {
    snapshot: Snapshot,
    /// Null if the price cannot be computed; `error` says why.
    recomputed: Option<Price>,
    drift: Option<Drift>,
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// Returns the pricing of a booking. `thresholds` apply to organisations that have none of their own.
///
/// # Errors
/// [`Error::NotFound`] if there is no such booking or it has no price; [`Error::Forbidden`] for sitters and for viewers
/// without an organisation.
pub async fn pricing(db: &Db, viewer: &Viewer, id: &BookingId, thresholds: Thresholds) -> Result<Pricing> {
    let org = viewer.own_organization()?;
    let booking = bookings::get(db, viewer, id).await?;
    let snapshot = snapshots::get(db, booking.pricing_snapshot_id.as_ref().ok_or(Error::NotFound)?).await?;
    let book = RuleBook::load(db, org).await?;
    let thresholds = organizations::thresholds(db, org, thresholds).await?;
    let inputs = inputs_of(&booking, &snapshot.inputs.0.timezone);
    Ok(match book.price(&inputs, snapshot.priced_at) {
        Ok(price) => {
            let amounts = Amounts {
                booking_minor: booking.total_minor,
                snapshot_minor: snapshot.total_minor,
                recomputed_minor: price.total_minor,
            };
            let drift = compare(amounts, inputs != snapshot.inputs.0, thresholds);
            Pricing { snapshot, recomputed: Some(price), drift, error: None }
        }
        Err(why) => Pricing { snapshot, recomputed: None, drift: None, error: Some(why.to_string()) },
    })
}
