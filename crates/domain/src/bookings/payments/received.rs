//! Reports of received money: a payment, its checkout, or the invoice that it paid.
//!
//! They arrive in any order, and only one of them may name the booking. Each function locks the payment first and then
//! the booking, so that of two reports at the same moment the second sees the effects of the first.

use std::collections::BTreeSet;

use nightshift_db::{Timestamp, Tx};

use super::known::{self, Known};
use super::report::{Handled, PaymentReport, hold};
use super::unplaced::{Unplaced, explained};
use super::{Payment, mark_paid};
use crate::bookings::lock;
use crate::ids::BookingId;
use crate::{Error, Result};

/// A payment as its own report states it.
#[derive(Debug, Clone)]
pub struct ReportedPayment<'a> {
    pub payment_intent_id: Option<&'a str>,
    /// The booking that the report names.
    pub booking_id: Option<&'a str>,
    /// Amount received, in minor units; `None` if it can't be read.
    pub amount_minor: Option<i64>,
    pub currency: Option<&'a str>,
}

/// A paid checkout, which states the purpose of its payment.
#[derive(Debug, Clone)]
pub struct ReportedCheckout<'a> {
    /// The provider's id of the checkout.
    pub session_id: Option<&'a str>,
    pub payment_intent_id: Option<&'a str>,
    /// The booking that the report names.
    pub booking_id: Option<&'a str>,
    /// The checkout's reference: the id of a client or of a booking, or any other text.
    pub reference: Option<&'a str>,
    /// Whether the checkout names a client or pays for a subscription.
    pub of_client: bool,
    /// Total of the checkout, in minor units.
    pub amount_minor: Option<i64>,
    pub currency: Option<&'a str>,
}

/// A paid invoice, which may state the purpose of its payments.
#[derive(Debug, Clone)]
pub struct ReportedInvoice<'a> {
    pub payment_intent_ids: &'a [String],
    /// The booking that the report names.
    pub booking_id: Option<&'a str>,
    /// Whether a subscription created the invoice.
    pub of_subscription: bool,
    /// Sum of all payments of the invoice, in minor units.
    pub amount_minor: Option<i64>,
    pub currency: Option<&'a str>,
}

impl PaymentReport<'_> {
    /// Records a payment that succeeded. The checkout that names its booking may have been reported before, or may be
    /// reported later.
    pub async fn payment_succeeded(&self, tx: &mut Tx, paid: ReportedPayment<'_>, now: Timestamp) -> Result<Handled> {
        let known = hold(tx, paid.payment_intent_id, now).await?;
        if let (Some(id), Some(minor)) = (paid.payment_intent_id, paid.amount_minor) {
            known::received(tx, id, minor, paid.currency).await?;
        }
        let unplaced = Unplaced {
            reason: "names no booking",
            payment_intent_id: paid.payment_intent_id,
            session_id: None,
            names: paid.booking_id,
            amount_minor: paid.amount_minor,
            currency: paid.currency,
        };
        let Some(booking_id) = paid.booking_id.map(BookingId::from).or_else(|| known.booking_id.clone()) else {
            if known.of_client || known.fully_refunded {
                if let Some(id) = paid.payment_intent_id {
                    explained(tx, id, "the payment is explained", now).await?;
                }
                return Ok(Handled::ignored("names no booking and its purpose is known"));
            }
            return self.unplaced(tx, unplaced, now).await;
        };
        let Some(received_minor) = paid.amount_minor else {
            return self.unplaced(tx, Unplaced { reason: "its amount can't be read", ..unplaced }, now).await;
        };
        let payment = Payment {
            booking_id,
            payment_intent_id: paid.payment_intent_id.map(str::to_owned),
            received_minor,
            currency: paid.currency.map(str::to_owned),
        };
        self.place(tx, payment, &known, unplaced, now).await
    }

    /// Records a paid checkout.
    pub async fn checkout_paid(&self, tx: &mut Tx, checkout: ReportedCheckout<'_>, now: Timestamp) -> Result<Handled> {
        let known = hold(tx, checkout.payment_intent_id, now).await?;
        let booking_id = named(tx, &checkout).await?.or_else(|| known.booking_id.clone());
        if booking_id.is_none() && (known.of_client || checkout.of_client) {
            if let Some(id) = checkout.payment_intent_id {
                known::is_of_client(tx, id).await?;
                explained(tx, id, "a client's checkout, not for a booking", now).await?;
            }
            return Ok(Handled::ignored("names a client and no booking"));
        }
        // The amount in the payment's own report is more reliable than the checkout's total.
        let received_minor = known.received_minor.or(checkout.amount_minor);
        let currency = known.currency.as_deref().or(checkout.currency);
        if let (Some(id), None, Some(minor)) = (checkout.payment_intent_id, known.received_minor, received_minor) {
            known::received(tx, id, minor, currency).await?;
        }
        let unplaced = Unplaced {
            reason: "names no booking",
            payment_intent_id: checkout.payment_intent_id,
            session_id: checkout.session_id,
            names: checkout.booking_id.or(checkout.reference),
            amount_minor: received_minor,
            currency,
        };
        let (Some(booking_id), Some(received_minor)) = (booking_id.clone(), received_minor) else {
            let nothing = received_minor == Some(0) || known.fully_refunded;
            if let (Some(id), true) = (checkout.payment_intent_id, known.fully_refunded) {
                explained(tx, id, "the payment was refunded", now).await?;
            }
            return match booking_id {
                None if nothing => Ok(Handled::ignored("names no booking and has no amount")),
                None => self.unplaced(tx, unplaced, now).await,
                Some(_) => self.unplaced(tx, Unplaced { reason: "its amount can't be read", ..unplaced }, now).await,
            };
        };
        let payment = Payment {
            booking_id,
            payment_intent_id: checkout.payment_intent_id.map(str::to_owned),
            received_minor,
            currency: currency.map(str::to_owned),
        };
        self.place(tx, payment, &known, unplaced, now).await
    }

    /// Records a paid invoice. It may name the booking that its payments are for. Payments for a subscription's invoice
    /// belong to no booking.
    pub async fn invoice_paid(&self, tx: &mut Tx, invoice: ReportedInvoice<'_>, now: Timestamp) -> Result<Handled> {
        let mut handled = Handled::ignored("not acted on");
        // To prevent deadlocks, all payments are locked before any booking, and always in the same order.
        let payments: BTreeSet<&str> = invoice.payment_intent_ids.iter().map(String::as_str).collect();
        for id in &payments {
            known::hold(tx, id, now).await?;
        }
        for id in payments {
            if let Some(booking) = invoice.booking_id {
                let mut changes = std::mem::take(&mut handled.changes);
                handled = self.invoiced(tx, &invoice, id, booking, now).await?;
                changes.append(&mut handled.changes);
                handled.changes = changes;
            } else if invoice.of_subscription {
                known::is_of_client(tx, id).await?;
                explained(tx, id, "it paid a subscription", now).await?;
            }
        }
        Ok(handled)
    }

    /// Records one payment of an invoice that names a booking.
    async fn invoiced(
        &self,
        tx: &mut Tx,
        invoice: &ReportedInvoice<'_>,
        payment: &str,
        booking: &str,
        now: Timestamp,
    ) -> Result<Handled> {
        let known = known::hold(tx, payment, now).await?;
        // The amount in the payment's own report is more reliable; an invoice states only the sum of its payments.
        let only = invoice.amount_minor.filter(|_| invoice.payment_intent_ids.iter().all(|id| id == payment));
        let received_minor = known.received_minor.or(only);
        let currency = known.currency.as_deref().or(invoice.currency);
        let unplaced = Unplaced {
            reason: "names no booking",
            payment_intent_id: Some(payment),
            session_id: None,
            names: Some(booking),
            amount_minor: received_minor,
            currency,
        };
        let booking_id = BookingId::from(booking);
        let Some(received_minor) = received_minor else {
            // The payment's own report, which is still to come, finds the booking in the payment's row.
            return match lock(tx, &booking_id).await {
                Ok(booking) => {
                    known::place(tx, payment, &booking.id).await?;
                    Ok(Handled::of(&booking.org_id, "its payment's report is still to come"))
                }
                Err(Error::NotFound) => self.unplaced(tx, Unplaced { reason: NO_SUCH, ..unplaced }, now).await,
                Err(error) => Err(error),
            };
        };
        let payment = Payment {
            booking_id,
            payment_intent_id: Some(payment.to_owned()),
            received_minor,
            currency: currency.map(str::to_owned),
        };
        self.place(tx, payment, &known, unplaced, now).await
    }

    /// Assigns the payment to its booking and marks the booking as paid.
    async fn place(
        &self,
        tx: &mut Tx,
        mut payment: Payment,
        known: &Known,
        unplaced: Unplaced<'_>,
        now: Timestamp,
    ) -> Result<Handled> {
        let mut paid = mark_paid(tx, &payment, self.by, now).await;
        if let (Err(Error::NotFound), Some(placed)) = (&paid, &known.booking_id) {
            payment.booking_id = placed.clone();
            paid = mark_paid(tx, &payment, self.by, now).await;
        }
        if let Err(Error::NotFound) = paid {
            return self.unplaced(tx, Unplaced { reason: NO_SUCH, ..unplaced }, now).await;
        }
        let paid = paid?;
        if let Some(id) = &payment.payment_intent_id {
            explained(tx, id, "its booking was found", now).await?;
        }
        self.doubts(tx, &paid, &payment, now).await?;
        Ok(Handled { changes: vec![paid.change.clone()], ..Handled::of(&paid.change.booking.org_id, "paid") })
    }
}

/// The reason for money that names an unknown booking.
pub(super) const NO_SUCH: &str = "names a booking that does not exist here";

/// Returns the booking that a checkout names. The checkout's reference counts only if it is the id of a booking,
/// because it may also be the id of a client.
async fn named(tx: &mut Tx, checkout: &ReportedCheckout<'_>) -> Result<Option<BookingId>> {
    for id in [checkout.booking_id, checkout.reference].into_iter().flatten() {
        match lock(tx, &BookingId::from(id)).await {
            Ok(booking) => return Ok(Some(booking.id)),
            Err(Error::NotFound) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(checkout.booking_id.map(BookingId::from))
}
