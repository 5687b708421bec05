//! Payments that were placed, but whose money a person should look at: another amount than the price, a second payment,
//! a payment after the cancellation. What is no longer odd is resolved.

use nightshift_db::{Timestamp, Tx};
use serde_json::{Value, json};

use super::report::Report;
use super::unplaced::unmatched;
use super::{AmountMismatch, Paid, Payment};
use crate::Result;
use crate::bookings::Booking;
use crate::exceptions::{self, ExceptionKind, Problem, Severity};
use crate::ids::BookingId;

impl Report<'_> {
    /// Raises what is odd about a payment that was placed.
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
            let problem = Problem::new(ExceptionKind::PaymentAmountMismatch, Severity::Medium, fingerprint)
                .title("A booking was paid twice")
                .detail(self.received(payment, both));
            self.raise_about(tx, booking, problem, now).await?;
        }
        if paid.after_cancellation {
            let fingerprint = after_cancellation(&booking.id, payment.payment_intent_id.as_deref());
            let problem = Problem::new(ExceptionKind::PaymentAfterCancellation, Severity::High, fingerprint)
                .title("A cancelled booking was paid")
                .detail(self.received(payment, json!({"cancelledAt": booking.cancelled_at})));
            self.raise_about(tx, booking, problem, now).await?;
        }
        Ok(())
    }

    /// This payment pays the booking now: it is no second one, and only its amount can be odd.
    pub(super) async fn pays(
        &self,
        tx: &mut Tx,
        booking: &Booking,
        payment: &Payment,
        differs: Option<&AmountMismatch>,
        now: Timestamp,
    ) -> Result<()> {
        let other = second(&booking.id, payment.payment_intent_id.as_deref());
        exceptions::resolve(tx, &other, "no other payment of the booking is kept", now).await?;
        let fingerprint = format!("payment_amount_mismatch:{}", booking.id);
        let (title, more) = if let Some(differs) = differs {
            let expected = json!({
                "expectedMinor": differs.expected_minor, "expectedCurrency": differs.expected_currency,
            });
            ("A payment differs from its booking's price", expected)
        } else if payment.received_minor == 0 && booking.total_minor != Some(0) {
            ("A payment of zero confirmed a booking without a price", json!({}))
        } else {
            return exceptions::resolve(tx, &fingerprint, "the payment matches the price", now).await;
        };
        let problem = Problem::new(ExceptionKind::PaymentAmountMismatch, Severity::Medium, fingerprint)
            .title(title)
            .detail(self.received(payment, more));
        self.raise_about(tx, booking, problem, now).await
    }

    async fn raise_about(&self, tx: &mut Tx, booking: &Booking, problem: Problem, now: Timestamp) -> Result<()> {
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

/// The whole payment went back to the payer: nobody has to find out what it was for, nor decide about it.
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
