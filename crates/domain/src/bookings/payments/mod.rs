//! What a payment provider reports about a booking.
//!
//! Reports come late, twice and in any order, so each is noted at its payment, amounts are set and never added, and what
//! the booking shows follows from all of its payments (`standing`). A report that changes nothing writes nothing.
//!
//! [`PaymentReport`] has a function for each fact that a provider reports; [`mark_paid`] and [`mark_refunded`] are the changes of
//! bookings behind them.

mod doubts;
mod known;
mod received;
mod report;
mod returned;
mod standing;
mod unplaced;

use nightshift_db::{Engine, Timestamp, Tx};
use serde_json::json;

pub use self::received::{ReportedCheckout, ReportedInvoice, ReportedPayment};
pub use self::report::{Handled, PaymentReport};
pub use self::returned::{Refusal, ReportedRefund};
use self::standing::One;
use super::change::{set_status, store};
use super::{Booking, PaymentStatus, Status, StatusChange, Transition, lock, transition};
use crate::actor::Actor;
use crate::audit::{self, Event};
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
    /// The payment it belongs to; the booking is found by it. Without one it is of the payment that the booking shows.
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
#[must_use = "enqueue what follows from its status change"]
pub struct Paid {
    /// The status change it caused; `needs_confirm` also for a booking that was confirmed already.
    pub change: StatusChange,
    /// Whether this payment is the one that pays the booking now.
    pub pays: bool,
    /// Whether it pays something else than the price.
    pub amount_mismatch: Option<AmountMismatch>,
    /// Whether the payment was news.
    pub recorded: bool,
    /// Whether another payment pays the booking already: the client may have paid twice.
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
    /// The other payment that pays the booking now, because the one that did so went back.
    pub instead: Option<Payment>,
    /// Whether that one pays something else than the price.
    pub amount_mismatch: Option<AmountMismatch>,
}

/// Records a payment and confirms the booking if it was pending. A booking that is final keeps its status, and a payment
/// that is known to have gone back pays nothing.
///
/// # Errors
/// [`Error::NotFound`] when there is no such booking.
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
            // It may be the payment that is known by its id, told once more, or a checkout that cost nothing.
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

/// Records what was given back. The booking becomes refunded only when nothing that was paid for it is kept; its status
/// stays.
///
/// # Errors
/// [`Error::NotFound`] when no booking belongs to the payment.
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
    // A refund that finds the payment's id at last changes nothing about who pays.
    let instead = instead.filter(|one| one.payment_intent_id != payment);
    let amount_mismatch = instead.as_ref().and_then(|payment| mismatch(&booking, payment));
    Ok(Refunded { booking, recorded, instead, amount_mismatch })
}

/// What a booking shows after a report.
struct Settled {
    booking: Booking,
    recorded: bool,
    shown: Option<One>,
}

/// Lets a booking that is held show what follows from all of its payments, `told` among them.
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

/// The payment that the booking itself tells of.
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

/// The booking that shows the payment.
async fn showing(tx: &mut Tx, payment: &str) -> Result<Option<BookingId>> {
    let found: Option<(BookingId,)> =
        tx.query("SELECT id FROM bookings WHERE stripe_payment_intent_id = $1").bind(payment).optional().await?;
    Ok(found.map(|(id,)| id))
}

/// The payment that the booking shows.
async fn shown_by(tx: &mut Tx, booking: &BookingId) -> Result<Option<String>> {
    let found: Option<(Option<String>,)> =
        tx.query("SELECT stripe_payment_intent_id FROM bookings WHERE id = $1").bind(booking).optional().await?;
    Ok(found.and_then(|(payment,)| payment))
}

/// The payment's id, unless another booking already carries it: one payment may name several bookings in turn, and
/// each of them is paid, but only the first can be found by the payment.
async fn unclaimed_intent(tx: &mut Tx, payment: &str, booking: &BookingId) -> Result<Option<String>> {
    if tx.engine() == Engine::Postgres {
        // Two bookings paid by one payment at the same moment look one after the other.
        tx.query("SELECT pg_advisory_xact_lock(hashtext($1))").bind(payment).execute().await?;
    }
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
