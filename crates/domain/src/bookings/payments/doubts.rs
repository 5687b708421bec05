//! Exceptions about payments that have a booking but need a person's decision: the amount differs from the price, a
//! second payment, a payment after the cancellation. An exception whose cause is gone is resolved.

use nightshift_db::{Timestamp, Tx};
use serde_json::{Value, json};

use super::report::PaymentReport;
use super::unplaced::unmatched;
use super::{AmountMismatch, Paid, Payment};
use crate::Result;
use crate::bookings::Booking;
use crate::exceptions::{self, ExceptionKind, NewException, Severity};
use crate::ids::BookingId;

impl PaymentReport<'_> {
    /// Raises exceptions about what is unusual about a payment of a booking.
    pub(super) async fn doubts(&self, tx: &mut Tx, paid: &Paid, payment: &Payment, now: Timestamp) -> Result<()> {
        let booking = &paid.change.booking;
        if paid.pays {
            self.pays(tx, booking, payment, paid.amount_mismatch.as_ref(), now).await?;
        }
        if paid.second_payment {
            let both = json!({
                "firstPaymentIntentId": booking.stripe_payment_intent_id,
                "secondPaymentIntentId": payment.payment_intent_id,
            });
            let fingerprint = second(&booking.id, payment.payment_intent_id.as_deref());
            let problem = NewException::new(ExceptionKind::PaymentAmountMismatch, Severity::Medium, fingerprint)
                .title("A booking was paid twice")
                .detail(self.received(payment, both));
            self.raise_about(tx, booking, problem, now).await?;
        }
        if paid.after_cancellation {
            let fingerprint = after_cancellation(&booking.id, payment.payment_intent_id.as_deref());
            let problem = NewException::new(ExceptionKind::PaymentAfterCancellation, Severity::High, fingerprint)
                .title("A cancelled booking was paid")
                .detail(self.received(payment, json!({"cancelledAt": booking.cancelled_at})));
            self.raise_about(tx, booking, problem, now).await?;
        }
        Ok(())
    }

    /// Handles the payment that now pays the booking: resolves the exception about a second payment, and raises or
    /// resolves the one about the amount.
    pub(super) async fn pays(
        &self,
        tx: &mut Tx,
        booking: &Booking,
        payment: &Payment,
        differs: Option<&AmountMismatch>,
        now: Timestamp,
    ) -> Result<()> {
        let other = second(&booking.id, payment.payment_intent_id.as_deref());
        exceptions::resolve(tx, &other, "it is the one payment that is kept", now).await?;
        let fingerprint = format!("payment_amount_mismatch:{}", booking.id);
        let (title, more) = if let Some(differs) = differs {
            let expected = json!({
                "expectedMinor": differs.expected_minor, "expectedCurrency": differs.expected_currency,
            });
            ("A payment differs from its booking's price", expected)
        } else if payment.received_minor == 0 && booking.total_minor != Some(0) {
            ("A payment of nothing confirmed a booking without a price", json!({}))
        } else {
            return exceptions::resolve(tx, &fingerprint, "the payment is the price", now).await;
        };
        let problem = NewException::new(ExceptionKind::PaymentAmountMismatch, Severity::Medium, fingerprint)
            .title(title)
            .detail(self.received(payment, more));
        self.raise_about(tx, booking, problem, now).await
    }

    async fn raise_about(&self, tx: &mut Tx, booking: &Booking, problem: NewException, now: Timestamp) -> Result<()> {
        let problem = problem.org(&booking.org_id).booking(&booking.id).client(&booking.client_id).inbox(self.inbox_id);
        exceptions::raise(tx, &problem, now).await.map(|_| ())
    }

    fn received(&self, payment: &Payment, more: Value) -> Value {
        let mut facts = json!({
            "receivedMinor": payment.received_minor, "receivedCurrency": payment.currency,
            "paymentIntentId": payment.payment_intent_id, "livemode": self.livemode,
        });
        if let (Value::Object(facts), Value::Object(more)) = (&mut facts, more) {
            facts.extend(more);
        }
        facts
    }
}

/// Resolves the exceptions about a payment that was fully refunded.
pub(super) async fn given_back(tx: &mut Tx, payment: &str, booking: Option<&BookingId>, now: Timestamp) -> Result<()> {
    let mut settled = vec![unmatched(payment)];
    if let Some(booking) = booking {
        settled.extend([second(booking, Some(payment)), after_cancellation(booking, Some(payment))]);
    }
    for fingerprint in settled {
        exceptions::resolve(tx, &fingerprint, "the payment was refunded", now).await?;
    }
    Ok(())
}

fn second(booking: &BookingId, payment: Option<&str>) -> String {
    format!("payment_amount_mismatch:{booking}:second:{}", payment.unwrap_or_default())
}

fn after_cancellation(booking: &BookingId, payment: Option<&str>) -> String {
    format!("payment_after_cancellation:{booking}:{}", payment.unwrap_or_default())
}
