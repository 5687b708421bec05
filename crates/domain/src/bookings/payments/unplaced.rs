//! Raises exceptions about money that matches nothing known here, until a later report explains it.
//!
//! Each exception's fingerprint names its payment, so the report that explains the money resolves it. Operators see the
//! exception, and so does the organisation if there is only one. Details are ids and amounts. The booking that a report
//! names is stored only if it has the form of an id, because people enter names and phone numbers into such fields.

use nightshift_db::{Timestamp, Tx};
use serde_json::{Value, json};

use super::report::{Handled, PaymentReport};
use crate::Result;
use crate::audit::{self, Entry, Event};
use crate::exceptions::{self, ExceptionKind, NewException, Severity};
use crate::people::organizations;

/// Money whose purpose is unknown.
#[derive(Debug, Clone, Copy)]
pub(super) struct Unplaced<'a> {
    /// Why the money can't be assigned to a booking.
    pub reason: &'static str,
    pub payment_intent_id: Option<&'a str>,
    /// The checkout session of the payment.
    pub session_id: Option<&'a str>,
    /// What the report names as its booking, if anything.
    pub names: Option<&'a str>,
    pub amount_minor: Option<i64>,
    pub currency: Option<&'a str>,
}

impl PaymentReport<'_> {
    /// Raises an exception about a payment that matches nothing known here.
    pub(super) async fn unplaced(&self, tx: &mut Tx, money: Unplaced<'_>, now: Timestamp) -> Result<Handled> {
        // The reports of a payment and of its checkout are about the same money.
        let subject = money.payment_intent_id.or(money.session_id).unwrap_or(self.inbox_id.as_str());
        let problem = NewException::new(ExceptionKind::PaymentUnmatched, Severity::Medium, unmatched(subject))
            .title("A payment belongs to no booking");
        self.raise(tx, problem, &money, now).await?;
        Ok(Handled::of_nobody(if money.names.is_none() { "names no booking" } else { "unmatched" }))
    }

    /// Raises an exception about a failed payment or a refund that matches nothing known here.
    pub(super) async fn unknown(&self, tx: &mut Tx, money: Unplaced<'_>, now: Timestamp) -> Result<Handled> {
        let subject = money.payment_intent_id.unwrap_or(self.inbox_id.as_str());
        let problem = NewException::new(ExceptionKind::WebhookUnmatched, Severity::Medium, unknown(subject))
            .title("A payment was refunded or failed for a booking that does not exist here");
        self.raise(tx, problem, &money, now).await?;
        Ok(Handled::of_nobody("unmatched"))
    }

    async fn raise(&self, tx: &mut Tx, problem: NewException, money: &Unplaced<'_>, now: Timestamp) -> Result<()> {
        let entry = Entry::new(Event::WebhookUnmatched, "warning", self.by).metadata(self.facts(money));
        audit::record(tx, entry, now).await?;
        let problem = problem.detail(self.facts(money)).inbox(self.inbox_id);
        let problem = match organizations::only(tx).await? {
            Some(org) => problem.org(&org),
            None => problem,
        };
        exceptions::raise(tx, &problem, now).await.map(|_| ())
    }

    fn facts(&self, money: &Unplaced<'_>) -> Value {
        let names = money.names.filter(|text| can_be_id(text));
        json!({
            "reason": money.reason, "eventType": self.event_type, "eventId": self.event_id,
            "livemode": self.livemode, "bookingId": names, "namesNoId": money.names.is_some() && names.is_none(),
            "paymentIntentId": money.payment_intent_id, "sessionId": money.session_id,
            "amountMinor": money.amount_minor, "currency": money.currency,
        })
    }
}

/// Resolves the exceptions about a payment and about its refund, because the purpose of the payment is now known.
pub(super) async fn explained(tx: &mut Tx, payment: &str, note: &str, now: Timestamp) -> Result<()> {
    for fingerprint in [unmatched(payment), unknown(payment)] {
        exceptions::resolve(tx, &fingerprint, note, now).await?;
    }
    Ok(())
}

/// Returns the fingerprint of the exception about a payment that matches nothing.
pub(super) fn unmatched(subject: &str) -> String {
    format!("payment_unmatched:{subject}")
}

fn unknown(subject: &str) -> String {
    format!("webhook_unmatched:{subject}")
}

/// Returns whether a text can be an id: short, with plain characters only, and not a phone number.
fn can_be_id(text: &str) -> bool {
    let plain = text.len() <= 64 && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    plain && (is_uuid(text) || !has_phone(text))
}

/// Our own ids have this form, and may contain any number of digits in a row.
fn is_uuid(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12])
        && groups.iter().all(|group| group.chars().all(|c| c.is_ascii_hexdigit()))
}

/// Returns whether a text contains seven digits in a row, ignoring separators.
fn has_phone(text: &str) -> bool {
    let dense: String = text.chars().filter(char::is_ascii_alphanumeric).collect();
    dense.split(|c: char| !c.is_ascii_digit()).any(|digits| digits.len() >= 7)
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
