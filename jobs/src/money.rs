//! Money that people must look at: what is put before them, and what takes it back.
//!
//! Every item's fingerprint names its payment, so that the report which explains the money later resolves it. Details are
//! ids and amounts, nothing personal: what a report calls a booking is told only when it can be an id. Money of nobody known is shown to operators, and to the organisation where there is
//! only one.

use nightshift_db::{Timestamp, Tx};
use nightshift_domain::actor::Actor;
use nightshift_domain::audit::{self, Entry, Event};
use nightshift_domain::bookings::{AmountMismatch, Booking, Paid, Payment};
use nightshift_domain::exceptions::{self, ExceptionKind, Problem, Severity};
use nightshift_domain::ids::{BookingId, InboxId};
use nightshift_domain::people::organizations;
use nightshift_queue::JobError;
use serde_json::{Value, json};

use crate::decide::OrDecide;

/// The report that is being acted on.
pub(crate) struct Told<'a> {
    /// Its row in the inbox.
    pub inbox_id: &'a InboxId,
    /// Who acts.
    pub by: &'a Actor,
    /// The event's type.
    pub event_type: &'a str,
    /// The event's id, when it has one.
    pub event_id: Option<&'a str>,
    /// Whether real money moved, as far as the event says.
    pub livemode: bool,
}

/// Money of which nobody here knows what it is for.
#[derive(Clone, Copy)]
pub(crate) struct Unplaced<'a> {
    /// Why it can't be placed.
    pub reason: &'static str,
    /// The payment.
    pub payment_intent_id: Option<&'a str>,
    /// The checkout that it came through.
    pub session_id: Option<&'a str>,
    /// What the report calls the booking, if anything.
    pub names: Option<&'a str>,
    /// How much, in minor units.
    pub amount_minor: Option<i64>,
    /// Its currency.
    pub currency: Option<&'a str>,
}

impl Told<'_> {
    /// Puts a payment before people that belongs to nothing known here.
    pub(crate) async fn unplaced(&self, tx: &mut Tx, money: &Unplaced<'_>, now: Timestamp) -> Result<(), JobError> {
        // The payment and its checkout tell of the same money.
        let subject = money.payment_intent_id.or(money.session_id).unwrap_or(self.inbox_id.as_str());
        let problem = Problem::new(ExceptionKind::PaymentUnmatched, Severity::Medium, unmatched(subject))
            .title("A payment belongs to no booking")
            .detail(self.facts(money))
            .inbox(self.inbox_id);
        self.raise(tx, problem, money, now).await
    }

    /// Puts a failed payment or a refund before people that belongs to nothing known here.
    pub(crate) async fn unknown(&self, tx: &mut Tx, money: &Unplaced<'_>, now: Timestamp) -> Result<(), JobError> {
        let subject = money.payment_intent_id.unwrap_or(self.inbox_id.as_str());
        let problem = Problem::new(ExceptionKind::WebhookUnmatched, Severity::Medium, unknown(subject))
            .title("A payment was refunded or failed for a booking that does not exist here")
            .detail(self.facts(money))
            .inbox(self.inbox_id);
        self.raise(tx, problem, money, now).await
    }

    async fn raise(&self, tx: &mut Tx, problem: Problem, money: &Unplaced<'_>, now: Timestamp) -> Result<(), JobError> {
        let entry = Entry::new(Event::WebhookUnmatched, "warning", self.by).metadata(self.facts(money));
        audit::record(tx, entry, now).await.or_decide()?;
        let problem = match organizations::only(tx).await.or_decide()? {
            Some(org) => problem.org(&org),
            None => problem,
        };
        exceptions::raise(tx, &problem, now).await.or_decide().map(|_| ())
    }

    fn facts(&self, money: &Unplaced<'_>) -> Value {
        let names = money.names.filter(|text| can_be_id(text));
        json!({
            "reason": money.reason, "eventType": self.event_type, "eventId": self.event_id, "livemode": self.livemode,
            "bookingId": names, "namesNoId": money.names.is_some() && names.is_none(), "paymentIntentId": money.payment_intent_id, "sessionId": money.session_id,
            "amountMinor": money.amount_minor, "currency": money.currency,
        })
    }

    /// The payment was placed; a person should look at the money all the same when something about it is odd. What is no
    /// longer odd is taken back.
    pub(crate) async fn doubts(
        &self,
        tx: &mut Tx,
        paid: &Paid,
        payment: &Payment,
        now: Timestamp,
    ) -> Result<(), JobError> {
        let booking = &paid.change.booking;
        if paid.pays {
            self.pays(tx, booking, payment, paid.amount_mismatch.as_ref(), now).await?;
        }
        if paid.second_payment {
            let both = json!({
                "firstPaymentIntentId": booking.stripe_payment_intent_id,
                "secondPaymentIntentId": payment.payment_intent_id,
            });
            let problem = self
                .about(booking, &second(&booking.id, payment.payment_intent_id.as_deref()))
                .title("A booking was paid twice")
                .detail(self.received(payment, both));
            exceptions::raise(tx, &problem, now).await.or_decide()?;
        }
        if paid.after_cancellation {
            let fingerprint = after_cancellation(&booking.id, payment.payment_intent_id.as_deref());
            let problem = Problem::new(ExceptionKind::PaymentAfterCancellation, Severity::High, fingerprint)
                .title("A cancelled booking was paid")
                .detail(self.received(payment, json!({"cancelledAt": booking.cancelled_at})))
                .org(&booking.org_id)
                .booking(&booking.id)
                .client(&booking.client_id)
                .inbox(self.inbox_id);
            exceptions::raise(tx, &problem, now).await.or_decide()?;
        }
        Ok(())
    }

    /// This payment pays the booking now: it is no second one, and only its amount is of interest.
    pub(crate) async fn pays(
        &self,
        tx: &mut Tx,
        booking: &Booking,
        payment: &Payment,
        differs: Option<&AmountMismatch>,
        now: Timestamp,
    ) -> Result<(), JobError> {
        let other = second(&booking.id, payment.payment_intent_id.as_deref());
        exceptions::resolve(tx, &other, "it is the one payment that is kept", now).await.or_decide()?;
        let mismatch = format!("payment_amount_mismatch:{}", booking.id);
        let problem = if let Some(differs) = differs {
            let expected = json!({
                "expectedMinor": differs.expected_minor, "expectedCurrency": differs.expected_currency,
            });
            self.about(booking, &mismatch)
                .title("A payment differs from its booking's price")
                .detail(self.received(payment, expected))
        } else if payment.received_minor == 0 && booking.total_minor != Some(0) {
            self.about(booking, &mismatch)
                .title("A payment of nothing confirmed a booking without a price")
                .detail(self.received(payment, json!({})))
        } else {
            return exceptions::resolve(tx, &mismatch, "the payment is the price", now).await.or_decide();
        };
        exceptions::raise(tx, &problem, now).await.or_decide().map(|_| ())
    }

    fn received(&self, payment: &Payment, more: Value) -> Value {
        let received = json!({
            "receivedMinor": payment.received_minor, "receivedCurrency": payment.currency,
            "paymentIntentId": payment.payment_intent_id, "livemode": self.livemode,
        });
        merged(&received, more)
    }

    fn about(&self, booking: &Booking, fingerprint: &str) -> Problem {
        Problem::new(ExceptionKind::PaymentAmountMismatch, Severity::Medium, fingerprint)
            .org(&booking.org_id)
            .booking(&booking.id)
            .client(&booking.client_id)
            .inbox(self.inbox_id)
    }
}

/// It turned out what the payment is for: neither it nor a refund of it has to be looked for any longer.
pub(crate) async fn explained(tx: &mut Tx, payment: &str, note: &str, now: Timestamp) -> Result<(), JobError> {
    for fingerprint in [unmatched(payment), unknown(payment)] {
        exceptions::resolve(tx, &fingerprint, note, now).await.or_decide()?;
    }
    Ok(())
}

/// The whole payment went back to the payer: nobody has to look for what it was for, nor decide about it.
pub(crate) async fn given_back(
    tx: &mut Tx,
    payment: &str,
    booking: Option<&BookingId>,
    now: Timestamp,
) -> Result<(), JobError> {
    let mut settled = vec![unmatched(payment)];
    if let Some(booking) = booking {
        settled.extend([second(booking, Some(payment)), after_cancellation(booking, Some(payment))]);
    }
    for fingerprint in settled {
        exceptions::resolve(tx, &fingerprint, "the payment was refunded", now).await.or_decide()?;
    }
    Ok(())
}

/// Whether a text can be an id. What people typed into a field of their own may be a name, an address or a number to
/// call, and stands neither in a log nor before people.
fn can_be_id(text: &str) -> bool {
    let plain = text.len() <= 64 && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    plain && (is_uuid(text) || !has_phone(text))
}

/// Our own ids are of this form, and may have any digits in a row.
fn is_uuid(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12])
        && groups.iter().all(|group| group.chars().all(|c| c.is_ascii_hexdigit()))
}

/// Seven digits or more, apart from what may divide them.
fn has_phone(text: &str) -> bool {
    let dense: String = text.chars().filter(char::is_ascii_alphanumeric).collect();
    dense.split(|c: char| !c.is_ascii_digit()).any(|digits| digits.len() >= 7)
}

fn unmatched(subject: &str) -> String {
    format!("payment_unmatched:{subject}")
}

fn unknown(subject: &str) -> String {
    format!("webhook_unmatched:{subject}")
}

fn second(booking: &BookingId, payment: Option<&str>) -> String {
    format!("payment_amount_mismatch:{booking}:second:{}", payment.unwrap_or_default())
}

fn after_cancellation(booking: &BookingId, payment: Option<&str>) -> String {
    format!("payment_after_cancellation:{booking}:{}", payment.unwrap_or_default())
}

fn merged(facts: &Value, more: Value) -> Value {
    let mut all = facts.as_object().cloned().unwrap_or_default();
    if let Value::Object(more) = more {
        all.extend(more);
    }
    all.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_has_the_form_of_an_id_is_told() {
        for id in ["booking-1", "no-such-booking", "b_1", "01234567-1234-7123-8123-123456789012", "in_1Sample0005"] {
            assert!(can_be_id(id), "{id}");
        }
        let long = "x".repeat(65);
        for other in
            ["anna@example.com", "Anna Smith", "+15551234567", "5551234567", "555-123-4567", "a_5551234", &long]
        {
            assert!(!can_be_id(other), "{other}");
        }
    }
}
