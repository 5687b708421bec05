//! What a payment provider reports about a booking.
//!
//! Reports arrive late, twice and in any order. Each is therefore recorded at its payment, amounts are set and never
//! added, and a booking shows what follows from all of its payments (`standing`). A report without news writes nothing.
//!
//! [`PaymentReport`] has one function for each fact that a provider reports. [`mark_paid`] and [`mark_refunded`] make
//! the changes of bookings behind them.

mod doubts;
mod known;
mod received;
mod report;
mod returned;
mod standing;
mod unplaced;

use nightshift_db::{Timestamp, Tx};
use serde_json::json;

pub use self::received::{ReportedCheckout, ReportedInvoice, ReportedPayment};
pub use self::report::{Handled, PaymentReport};
pub use self::returned::{Refusal, ReportedRefund};
use self::standing::One;
use super::change::{set_status, store};
use super::{Booking, PaymentStatus, Status, StatusChange, Transition, lock, transition};
use crate::actor::Actor;
use crate::advisory;
use crate::audit::{self, Event};
use crate::ids::BookingId;
use crate::{Error, Result};

#[derive(Debug, Clone)]
pub struct Payment {
    /// The booking that the payment names.
    pub booking_id: BookingId,
    /// The provider's id of the payment.
    pub payment_intent_id: Option<String>,
    /// Amount received, in minor units.
    pub received_minor: i64,
    /// Currency code in upper or lower case.
    pub currency: Option<String>,
}

/// A refund of a payment, in part or in full.
#[derive(Debug, Clone)]
pub struct Refund {
    /// The refunded payment, by which the booking is found. `None` for a refund of the payment that the booking shows.
    pub payment_intent_id: Option<String>,
    /// The booking that the refund names, in case its payment was never reported.
    pub booking_id: Option<BookingId>,
    /// Refunded so far, in minor units. This is the running total.
    pub refunded_minor: i64,
    /// Whether the whole payment was refunded.
    pub complete: bool,
}

/// The amount received differs from the booking's price.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AmountMismatch {
    /// The price, in minor units.
    pub expected_minor: i64,
    pub expected_currency: Option<String>,
    /// Amount received, in minor units.
    pub received_minor: i64,
    pub received_currency: Option<String>,
}

/// What [`mark_paid`] did.
#[derive(Debug, Clone)]
#[must_use = "enqueue what follows from its status change"]
pub struct Paid {
    /// The status change. `needs_confirm` is also set for a booking that was already confirmed.
    pub change: StatusChange,
    /// Whether the booking is now paid by this payment.
    pub pays: bool,
    /// `None` if the payment matches the price or does not pay the booking.
    pub amount_mismatch: Option<AmountMismatch>,
    /// Whether the payment changed what the booking shows.
    pub recorded: bool,
    /// Whether another payment already pays the booking. The client may have paid twice.
    pub second_payment: bool,
    /// Whether the payment arrived after the booking was cancelled.
    pub after_cancellation: bool,
}

/// What [`mark_refunded`] did.
#[derive(Debug, Clone)]
pub struct Refunded {
    pub booking: Booking,
    /// Whether the refund changed what the booking shows.
    pub recorded: bool,
    /// Another payment that now pays the booking in place of the refunded one.
    pub instead: Option<Payment>,
    /// Whether the amount of `instead` differs from the price.
    pub amount_mismatch: Option<AmountMismatch>,
}

/// Records a payment and confirms the booking if it was pending. A booking with a final status keeps it. A payment that
/// is known to be fully refunded does not pay the booking.
///
/// # Errors
/// [`Error::NotFound`] if there is no such booking.
pub async fn mark_paid(tx: &mut Tx, payment: &Payment, by: &Actor, now: Timestamp) -> Result<Paid> {
    let mut told = One {
        id: payment.payment_intent_id.clone(),
        received_minor: Some(payment.received_minor),
        currency: payment.currency.clone(),
        refunded_minor: 0,
        fully_refunded: false,
    };
    if let Some(id) = &payment.payment_intent_id {
        let known = known::hold(tx, id, now).await?;
        known::received(tx, id, payment.received_minor, payment.currency.as_deref()).await?;
        told.refunded_minor = known.refunded_minor;
        told.fully_refunded = known.fully_refunded;
    }
    let booking = lock(tx, &payment.booking_id).await?;
    if let Some(id) = &payment.payment_intent_id {
        known::place(tx, id, &booking.id).await?;
    }
    let kept = told.kept();
    let Settled { booking, recorded, shown } = settle(tx, booking, told, by, now).await?;
    let shows = shown.as_ref().is_some_and(|one| one.id == payment.payment_intent_id);
    let paid = booking.payment_status == PaymentStatus::Paid;
    let pays = kept && paid && shows;
    let second_payment = kept
        && !shows
        && match payment.payment_intent_id {
            Some(_) => true,
            // It may be a duplicate of the payment that is known by its id, or a checkout without a charge.
            None => payment.received_minor > 0 && payment.received_minor != booking.paid_minor,
        };
    let amount_mismatch = if pays { mismatch(&booking, payment) } else { None };
    let confirmable = kept && paid && transition(booking.status, Status::Confirmed) != Transition::Invalid;
    let change = if confirmable {
        set_status(tx, booking, Status::Confirmed, Some("payment received"), by, now).await?
    } else {
        StatusChange {
            from: booking.status,
            to: booking.status,
            history_id: None,
            needs_confirm: false,
            rescheduled_to_version: None,
            warnings: Vec::new(),
            booking,
        }
    };
    let after_cancellation = (second_payment || (recorded && pays)) && change.booking.status == Status::Cancelled;
    Ok(Paid { change, pays, amount_mismatch, recorded, second_payment, after_cancellation })
}

/// Records a refund. The booking becomes refunded only if none of its payments is kept. Its status stays the same.
///
/// # Errors
/// [`Error::NotFound`] if no booking belongs to the payment.
pub async fn mark_refunded(tx: &mut Tx, refund: &Refund, by: &Actor, now: Timestamp) -> Result<Refunded> {
    let payment = match (&refund.payment_intent_id, &refund.booking_id) {
        (None, Some(booking)) => shown_by(tx, booking).await?,
        (payment, _) => payment.clone(),
    };
    let mut told = One {
        id: payment.clone(),
        received_minor: None,
        currency: None,
        refunded_minor: refund.refunded_minor,
        fully_refunded: refund.complete,
    };
    let mut placed = None;
    if let Some(id) = &payment {
        let known = known::hold(tx, id, now).await?;
        known::given_back(tx, id, refund.refunded_minor, refund.complete).await?;
        told.received_minor = known.received_minor;
        told.currency = known.currency;
        told.refunded_minor = told.refunded_minor.max(known.refunded_minor);
        told.fully_refunded |= known.fully_refunded;
        placed = showing(tx, id).await?.or(known.booking_id);
    }
    let id = placed.or_else(|| refund.booking_id.clone()).ok_or(Error::NotFound)?;
    let booking = lock(tx, &id).await?;
    if let Some(id) = &payment {
        known::place(tx, id, &booking.id).await?;
    }
    let before = (booking.payment_status, booking.stripe_payment_intent_id.clone());
    let Settled { booking, recorded, shown } = settle(tx, booking, told, by, now).await?;
    let instead = shown.filter(|one| one.kept() && before.0 == PaymentStatus::Paid && one.id != before.1);
    let instead = instead.map(|one| Payment {
        booking_id: booking.id.clone(),
        payment_intent_id: one.id,
        received_minor: booking.paid_minor,
        currency: one.currency,
    });
    // A refund that supplies the payment's id does not change which payment pays.
    let instead = instead.filter(|one| one.payment_intent_id != payment);
    let amount_mismatch = instead.as_ref().and_then(|payment| mismatch(&booking, payment));
    Ok(Refunded { booking, recorded, instead, amount_mismatch })
}

/// What a booking shows after a report, and whether that changed.
struct Settled {
    booking: Booking,
    recorded: bool,
    shown: Option<One>,
}

/// Updates a locked booking to show what follows from all of its payments, including the reported one (`told`).
async fn settle(tx: &mut Tx, mut booking: Booking, told: One, by: &Actor, now: Timestamp) -> Result<Settled> {
    let rows = known::of_booking(tx, &booking.id).await?;
    let all = standing::gathered(rows, shows(&booking), Some(told));
    let Some(shown) = standing::shown(&all, booking.stripe_payment_intent_id.as_deref()).cloned() else {
        return Ok(Settled { booking, recorded: false, shown: None });
    };
    let intent = match &shown.id {
        Some(id) if shown.id != booking.stripe_payment_intent_id => unclaimed_intent(tx, id, &booking.id).await?,
        id => id.clone(),
    };
    let stands =
        (booking.payment_status, booking.paid_minor, booking.refunded_minor, booking.stripe_payment_intent_id.clone());
    let follows = (shown.status(), shown.received_minor.unwrap_or(0), shown.refunded_minor, intent);
    let recorded = stands != follows;
    if recorded {
        (booking.payment_status, booking.paid_minor, booking.refunded_minor, booking.stripe_payment_intent_id) =
            follows;
        booking = store(tx, &booking, now).await?;
        record_payment(tx, &booking, by, now).await?;
    }
    Ok(Settled { booking, recorded, shown: Some(shown) })
}

/// Returns the payment that the booking's own columns describe, or `None` if they describe none.
fn shows(booking: &Booking) -> Option<One> {
    let paid = booking.payment_status == PaymentStatus::Paid || booking.paid_minor > 0;
    let told = paid || booking.payment_status != PaymentStatus::Unpaid || booking.refunded_minor > 0;
    told.then(|| One {
        id: booking.stripe_payment_intent_id.clone(),
        received_minor: paid.then_some(booking.paid_minor),
        currency: None,
        refunded_minor: booking.refunded_minor,
        fully_refunded: booking.payment_status == PaymentStatus::Refunded,
    })
}

/// Returns the booking that shows the payment.
async fn showing(tx: &mut Tx, payment: &str) -> Result<Option<BookingId>> {
    let found: Option<(BookingId,)> =
        tx.query("SELECT id FROM bookings WHERE stripe_payment_intent_id = $1").bind(payment).optional().await?;
    Ok(found.map(|(id,)| id))
}

/// Returns the payment that the booking shows.
async fn shown_by(tx: &mut Tx, booking: &BookingId) -> Result<Option<String>> {
    let found: Option<(Option<String>,)> =
        tx.query("SELECT stripe_payment_intent_id FROM bookings WHERE id = $1").bind(booking).optional().await?;
    Ok(found.and_then(|(payment,)| payment))
}

/// Returns the payment's id, or `None` if another booking has it already. One payment may name several bookings in
/// turn. Each of them is paid, but only the first can be found by the payment.
async fn unclaimed_intent(tx: &mut Tx, payment: &str, booking: &BookingId) -> Result<Option<String>> {
    // Serialises two bookings that are paid by one payment at the same moment.
    advisory::payment(tx, payment).await?;
    let claimed: bool = tx
        .query("SELECT EXISTS (SELECT 1 FROM bookings WHERE stripe_payment_intent_id = $1 AND id <> $2)")
        .bind(payment)
        .bind(booking)
        .scalar()
        .await?;
    Ok((!claimed).then(|| payment.to_owned()))
}

fn mismatch(booking: &Booking, payment: &Payment) -> Option<AmountMismatch> {
    let expected_minor = booking.total_minor?;
    let same_currency = match (&booking.currency, &payment.currency) {
        (Some(expected), Some(received)) => expected.eq_ignore_ascii_case(received),
        _ => true,
    };
    (expected_minor != payment.received_minor || !same_currency).then(|| AmountMismatch {
        expected_minor,
        expected_currency: booking.currency.clone(),
        received_minor: payment.received_minor,
        received_currency: payment.currency.clone(),
    })
}

async fn record_payment(tx: &mut Tx, booking: &Booking, by: &Actor, now: Timestamp) -> Result<()> {
    let entry = booking.entry(Event::BookingPaymentChanged, by).metadata(json!({
        "paymentStatus": booking.payment_status,
        "paidMinor": booking.paid_minor,
        "refundedMinor": booking.refunded_minor,
        "version": booking.version,
    }));
    audit::record(tx, entry, now).await
}
