//! What a payment provider reports about a booking.
//!
//! Reports come late, twice and in any order, so amounts are set and never added, a refund that overtook its payment
//! is kept, and a report that changes nothing writes nothing.

pub mod known;

use nightshift_db::{Engine, Timestamp, Tx};
use serde_json::json;

use super::change::{set_status, store};
use super::{Booking, PaymentStatus, Status, StatusChange, Transition, lock, transition};
use crate::actor::Actor;
use crate::audit;
use crate::ids::BookingId;
use crate::{Error, Result};

/// A payment that succeeded.
#[derive(Debug, Clone)]
pub struct Payment {
    /// The booking it names.
    pub booking_id: BookingId,
    /// The provider's id of the payment.
    pub payment_intent_id: Option<String>,
    /// What was received, in minor units.
    pub received_minor: i64,
    /// Its currency, in any case of letters.
    pub currency: Option<String>,
}

/// Money that was given back.
#[derive(Debug, Clone)]
pub struct Refund {
    /// The payment it belongs to; the booking is found by it.
    pub payment_intent_id: Option<String>,
    /// The booking it names, in case the payment was never reported.
    pub booking_id: Option<BookingId>,
    /// Given back so far, in minor units: the running total.
    pub refunded_minor: i64,
    /// Whether that is all of it.
    pub complete: bool,
}

/// The amount received is not the booking's price.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AmountMismatch {
    /// The price in minor units.
    pub expected_minor: i64,
    /// The price's currency.
    pub expected_currency: Option<String>,
    /// What was received in minor units.
    pub received_minor: i64,
    /// The payment's currency.
    pub received_currency: Option<String>,
}

/// What a payment did.
#[derive(Debug, Clone)]
pub struct Paid {
    /// The status change it caused; `needs_confirm` also for a booking that was confirmed already.
    pub change: StatusChange,
    /// Whether it paid something else than the price.
    pub amount_mismatch: Option<AmountMismatch>,
    /// Whether the payment was news.
    pub recorded: bool,
    /// Whether another payment had already paid the booking: the client may have paid twice.
    pub second_payment: bool,
    /// Whether the money came in after the booking had been cancelled.
    pub after_cancellation: bool,
}

/// What a refund did.
#[derive(Debug, Clone)]
pub struct Refunded {
    /// The booking as it now is.
    pub booking: Booking,
    /// Whether the refund was news.
    pub recorded: bool,
}

/// Records a payment and confirms the booking if it was pending. A booking that is final keeps its status.
///
/// # Errors
/// [`Error::NotFound`] when there is no such booking.
pub async fn mark_paid(tx: &mut Tx, payment: &Payment, by: &Actor, now: Timestamp) -> Result<Paid> {
    let mut booking = lock(tx, &payment.booking_id).await?;
    let same_payment = payment.payment_intent_id.is_none()
        || booking.stripe_payment_intent_id.is_none()
        || booking.stripe_payment_intent_id == payment.payment_intent_id;
    let recorded = match booking.payment_status {
        PaymentStatus::Unpaid => true,
        PaymentStatus::Paid => same_payment && booking.paid_minor != payment.received_minor,
        // A refund may overtake its payment; only another payment makes the booking paid again.
        PaymentStatus::Refunded => !same_payment || booking.paid_minor == 0,
    };
    let second_payment = booking.payment_status == PaymentStatus::Paid && !same_payment;
    if recorded {
        if !same_payment {
            booking.refunded_minor = 0;
            booking.stripe_payment_intent_id = None;
        }
        if !same_payment || booking.payment_status != PaymentStatus::Refunded {
            booking.payment_status = PaymentStatus::Paid;
        }
        booking.paid_minor = payment.received_minor;
        if booking.stripe_payment_intent_id.is_none() {
            booking.stripe_payment_intent_id = unclaimed_intent(tx, payment).await?;
        }
        booking = store(tx, &booking, now).await?;
        record_payment(tx, &booking, by, now).await?;
    }
    let amount_mismatch = mismatch(&booking, payment);
    let confirmable = booking.payment_status == PaymentStatus::Paid
        && transition(booking.status, Status::Confirmed) != Transition::Invalid;
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
    let kept = second_payment || (recorded && change.booking.payment_status == PaymentStatus::Paid);
    let after_cancellation = kept && change.booking.status == Status::Cancelled;
    Ok(Paid { change, amount_mismatch, recorded, second_payment, after_cancellation })
}

/// Records what was given back. The booking becomes refunded only when all of it was; its status stays.
///
/// # Errors
/// [`Error::NotFound`] when no booking belongs to the payment.
pub async fn mark_refunded(tx: &mut Tx, refund: &Refund, by: &Actor, now: Timestamp) -> Result<Refunded> {
    let by_payment: Option<(BookingId,)> = tx
        .query("SELECT id FROM bookings WHERE stripe_payment_intent_id = $1")
        .bind(&refund.payment_intent_id)
        .optional()
        .await?;
    let id = by_payment.map(|(id,)| id).or_else(|| refund.booking_id.clone()).ok_or(Error::NotFound)?;
    let mut booking = lock(tx, &id).await?;
    let other_payment = booking.stripe_payment_intent_id.is_some()
        && refund.payment_intent_id.is_some()
        && booking.stripe_payment_intent_id != refund.payment_intent_id;
    let completes = refund.complete && booking.payment_status != PaymentStatus::Refunded;
    if other_payment || !(completes || refund.refunded_minor > booking.refunded_minor) {
        return Ok(Refunded { booking, recorded: false });
    }
    booking.refunded_minor = booking.refunded_minor.max(refund.refunded_minor);
    if refund.complete {
        booking.payment_status = PaymentStatus::Refunded;
    }
    if booking.stripe_payment_intent_id.is_none() {
        booking.stripe_payment_intent_id.clone_from(&refund.payment_intent_id);
    }
    let booking = store(tx, &booking, now).await?;
    record_payment(tx, &booking, by, now).await?;
    Ok(Refunded { booking, recorded: true })
}

/// The payment's id, unless another booking already carries it: one payment may name several bookings in turn, and
/// each of them is paid, but only the first can be found by the payment.
async fn unclaimed_intent(tx: &mut Tx, payment: &Payment) -> Result<Option<String>> {
    if tx.engine() == Engine::Postgres {
        // Two bookings paid by one payment at the same moment look one after the other.
        tx.query("SELECT pg_advisory_xact_lock(hashtext($1))").bind(&payment.payment_intent_id).execute().await?;
    }
    let claimed: bool = tx
        .query("SELECT EXISTS (SELECT 1 FROM bookings WHERE stripe_payment_intent_id = $1 AND id <> $2)")
        .bind(&payment.payment_intent_id)
        .bind(&payment.booking_id)
        .scalar()
        .await?;
    Ok(payment.payment_intent_id.clone().filter(|_| !claimed))
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
    let entry = booking.entry("booking.payment.changed", by).metadata(json!({
        "paymentStatus": booking.payment_status,
        "paidMinor": booking.paid_minor,
        "refundedMinor": booking.refunded_minor,
        "version": booking.version,
    }));
    audit::record(tx, entry, now).await
}
