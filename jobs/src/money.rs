//! Money that people must look at: what is put before them, and what takes it back.
//!
//! Every item's fingerprint names its payment, so that the report which explains the money later resolves it. Details are
//! ids and amounts, nothing personal. Money of nobody known is shown to operators, and to the organisation where there is
//! only one.

use nightshift_db::{Timestamp, Tx};
use nightshift_domain::actor::Actor;
use nightshift_domain::audit::{self, Entry};
use nightshift_domain::bookings::{Booking, Paid, Payment};
use nightshift_domain::exceptions::{self, Problem, Severity};
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
        let problem = Problem::new("payment_unmatched", Severity::Medium, unmatched(subject))
            .title("A payment belongs to no booking")
            .detail(self.facts(money))
            .inbox(self.inbox_id);
        self.raise(tx, problem, money, now).await
    }

    /// Puts a failed payment or a refund before people that belongs to nothing known here.
    pub(crate) async fn unknown(&self, tx: &mut Tx, money: &Unplaced<'_>, now: Timestamp) -> Result<(), JobError> {
        let problem =
            Problem::new("webhook_unmatched", Severity::Medium, format!("webhook_unmatched:{}", self.inbox_id))
                .title("A payment was refunded or failed for a booking that does not exist here")
                .detail(self.facts(money))
                .inbox(self.inbox_id);
        self.raise(tx, problem, money, now).await
    }

    async fn raise(&self, tx: &mut Tx, problem: Problem, money: &Unplaced<'_>, now: Timestamp) -> Result<(), JobError> {
        let entry = Entry::new("webhook.unmatched", "warning", self.by).metadata(self.facts(money));
        audit::record(tx, entry, now).await.or_decide()?;
        let problem = match organizations::only(tx).await.or_decide()? {
            Some(org) => problem.org(&org),
            None => problem,
        };
        exceptions::raise(tx, &problem, now).await.or_decide().map(|_| ())
    }

    fn facts(&self, money: &Unplaced<'_>) -> Value {
        json!({
            "reason": money.reason, "eventType": self.event_type, "eventId": self.event_id, "livemode": self.livemode,
            "bookingId": money.names, "paymentIntentId": money.payment_intent_id, "sessionId": money.session_id,
            "amountMinor": money.amount_minor, "currency": money.currency,
        })
    }

    /// The payment was placed; a person should look at the money all the same when something about it is odd.
    pub(crate) async fn doubts(
        &self,
        tx: &mut Tx,
        paid: &Paid,
        payment: &Payment,
        now: Timestamp,
    ) -> Result<(), JobError> {
        let booking = &paid.change.booking;
        let mismatch = format!("payment_amount_mismatch:{}", booking.id);
        let received = json!({
            "receivedMinor": payment.received_minor, "receivedCurrency": payment.currency,
            "paymentIntentId": payment.payment_intent_id, "livemode": self.livemode,
        });
        let with = |more: Value| merged(&received, more);
        let mut problems = Vec::new();
        if let Some(differs) = &paid.amount_mismatch {
            let expected = json!({
                "expectedMinor": differs.expected_minor, "expectedCurrency": differs.expected_currency,
            });
            let title = "A payment differs from its booking's price";
            problems.push(self.about(booking, &mismatch).title(title).detail(with(expected)));
        } else if payment.received_minor == 0 && booking.total_minor != Some(0) {
            let title = "A payment of nothing confirmed a booking without a price";
            problems.push(self.about(booking, &mismatch).title(title).detail(with(json!({}))));
        }
        if paid.second_payment {
            let first = json!({
                "firstPaymentIntentId": booking.stripe_payment_intent_id,
                "secondPaymentIntentId": payment.payment_intent_id,
            });
            let fingerprint = second(&booking.id, payment.payment_intent_id.as_deref());
            problems.push(self.about(booking, &fingerprint).title("A booking was paid twice").detail(with(first)));
        }
        if paid.after_cancellation {
            let fingerprint = after_cancellation(&booking.id, payment.payment_intent_id.as_deref());
            problems.push(
                Problem::new("payment_after_cancellation", Severity::High, fingerprint)
                    .title("A cancelled booking was paid")
                    .detail(with(json!({"cancelledAt": booking.cancelled_at})))
                    .org(&booking.org_id)
                    .booking(&booking.id)
                    .client(&booking.client_id)
                    .inbox(self.inbox_id),
            );
        }
        for problem in problems {
            exceptions::raise(tx, &problem, now).await.or_decide()?;
        }
        Ok(())
    }

    fn about(&self, booking: &Booking, fingerprint: &str) -> Problem {
        Problem::new("payment_amount_mismatch", Severity::Medium, fingerprint)
            .org(&booking.org_id)
            .booking(&booking.id)
            .client(&booking.client_id)
            .inbox(self.inbox_id)
    }
}

/// It turned out what the payment is for.
pub(crate) async fn explained(tx: &mut Tx, payment: &str, note: &str, now: Timestamp) -> Result<(), JobError> {
    exceptions::resolve(tx, &unmatched(payment), note, now).await.or_decide()
}

/// The whole payment went back to the payer: nobody has to look for what it was for.
pub(crate) async fn given_back(
    tx: &mut Tx,
    payment: &str,
    booking: Option<&BookingId>,
    now: Timestamp,
) -> Result<(), JobError> {
    const NOTE: &str = "the payment was refunded";
    explained(tx, payment, NOTE, now).await?;
    let Some(booking) = booking else { return Ok(()) };
    for fingerprint in [second(booking, Some(payment)), after_cancellation(booking, Some(payment))] {
        exceptions::resolve(tx, &fingerprint, NOTE, now).await.or_decide()?;
    }
    Ok(())
}

fn unmatched(subject: &str) -> String {
    format!("payment_unmatched:{subject}")
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
