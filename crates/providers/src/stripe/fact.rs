//! What a Stripe event means to us: the six types that are acted on, with the fields the actions read.
//!
//! Amounts are in the currency's smallest unit. A link to another object is its id, or the object itself when the
//! endpoint expands it; both are read. Text that is absent, null or blank is `None`.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::event::EventError;
use super::fields::Fields;

/// One event, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StripeFact {
    /// `payment_intent.succeeded`
    PaymentSucceeded(PaymentSucceeded),
    /// `payment_intent.payment_failed`
    PaymentFailed(PaymentFailed),
    /// `charge.refunded`
    ChargeRefunded(ChargeRefunded),
    /// `checkout.session.completed`
    CheckoutCompleted(CheckoutCompleted),
    /// `invoice.payment_failed`
    InvoicePaymentFailed(InvoicePaymentFailed),
    /// `customer.subscription.deleted`
    SubscriptionDeleted(SubscriptionDeleted),
    /// A type that is stored and not acted on.
    Other {
        /// Stripe's `type`.
        event_type: String,
    },
}

/// Money has come in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentSucceeded {
    /// `pi_...`
    pub payment_intent_id: String,
    /// `metadata.bookingId`
    pub booking_id: Option<String>,
    /// What was received; the intent's amount where the event does not say.
    pub amount_minor: i64,
    /// Lower-case ISO code.
    pub currency: Option<String>,
    /// `cus_...`
    pub customer_id: Option<String>,
}

/// An attempt to pay failed. Not final: the same intent may still succeed, and the two may arrive in any order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentFailed {
    /// `pi_...`
    pub payment_intent_id: String,
    /// `metadata.bookingId`
    pub booking_id: Option<String>,
    /// What was to be paid.
    pub amount_minor: Option<i64>,
    /// Lower-case ISO code.
    pub currency: Option<String>,
    /// `last_payment_error.code`, such as `card_declined`
    pub code: Option<String>,
    /// `last_payment_error.decline_code`, such as `insufficient_funds`
    pub decline_code: Option<String>,
    /// `last_payment_error.message`, Stripe's sentence for the payer.
    pub message: Option<String>,
}

/// Money went back, in part or whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChargeRefunded {
    /// `ch_...`
    pub charge_id: String,
    /// `pi_...`
    pub payment_intent_id: Option<String>,
    /// `metadata.bookingId` of the charge.
    pub booking_id: Option<String>,
    /// What was charged.
    pub amount_minor: Option<i64>,
    /// The running total of all refunds so far: set it, never add it.
    pub amount_refunded_minor: i64,
    /// Lower-case ISO code.
    pub currency: Option<String>,
    /// Whether all of it went back.
    pub fully_refunded: bool,
}

/// A checkout was completed, which does not yet mean paid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckoutCompleted {
    /// `cs_...`
    pub session_id: String,
    /// `metadata.clientId`, else `client_reference_id`
    pub client_id: Option<String>,
    /// `metadata.bookingId`
    pub booking_id: Option<String>,
    /// `payment`, `setup` or `subscription`
    pub mode: Option<String>,
    /// Whether the money is there.
    pub payment_status: PaymentStatus,
    /// `cus_...`
    pub customer_id: Option<String>,
    /// `pi_...`; none in subscription mode.
    pub payment_intent_id: Option<String>,
    /// `sub_...`; only in subscription mode.
    pub subscription_id: Option<String>,
    /// The session's total.
    pub amount_total_minor: Option<i64>,
    /// Lower-case ISO code.
    pub currency: Option<String>,
}

/// `payment_status` of a checkout session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PaymentStatus {
    /// The money is there.
    Paid,
    /// A slow payment method: another event tells how it ends.
    Unpaid,
    /// Nothing was to be paid.
    NoPaymentRequired,
    /// The event does not say, or says what we do not know.
    Unknown,
}

/// A subscription's invoice could not be collected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvoicePaymentFailed {
    /// `in_...`
    pub invoice_id: String,
    /// `cus_...`
    pub customer_id: Option<String>,
    /// `sub_...`
    pub subscription_id: Option<String>,
    /// `clientId` in the subscription's metadata, else in the invoice's.
    pub client_id: Option<String>,
    /// What is due.
    pub amount_due_minor: Option<i64>,
    /// Lower-case ISO code.
    pub currency: Option<String>,
    /// How often it was tried.
    pub attempt_count: Option<i64>,
    /// When Stripe tries again; `None` when it does not.
    pub next_attempt_at: Option<DateTime<Utc>>,
}

/// A subscription ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubscriptionDeleted {
    /// `sub_...`
    pub subscription_id: String,
    /// `cus_...`
    pub customer_id: Option<String>,
    /// `metadata.clientId`
    pub client_id: Option<String>,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
}

impl StripeFact {
    pub(super) fn read(kind: &str, object: &Value) -> Result<Self, EventError> {
        let of = |kind: &'static str| Fields::of(kind, object);
        Ok(match kind {
            "payment_intent.succeeded" => Self::PaymentSucceeded(payment_succeeded(&of("payment_intent.succeeded"))?),
            "payment_intent.payment_failed" => {
                Self::PaymentFailed(payment_failed(&of("payment_intent.payment_failed"))?)
            }
            "charge.refunded" => Self::ChargeRefunded(charge_refunded(&of("charge.refunded"))?),
            "checkout.session.completed" => {
                Self::CheckoutCompleted(checkout_completed(&of("checkout.session.completed"))?)
            }
            "invoice.payment_failed" => {
                Self::InvoicePaymentFailed(invoice_payment_failed(&of("invoice.payment_failed"))?)
            }
            "customer.subscription.deleted" => {
                Self::SubscriptionDeleted(subscription_deleted(&of("customer.subscription.deleted"))?)
            }
            other => Self::Other { event_type: other.to_owned() },
        })
    }
}

fn payment_succeeded(fields: &Fields<'_>) -> Result<PaymentSucceeded, EventError> {
    Ok(PaymentSucceeded {
        payment_intent_id: fields.required_text("id")?,
        booking_id: fields.text("metadata.bookingId")?,
        amount_minor: match fields.amount("amount_received")? {
            Some(received) => received,
            None => fields.required_amount("amount")?,
        },
        currency: fields.text("currency")?,
        customer_id: fields.link("customer")?,
    })
}

fn payment_failed(fields: &Fields<'_>) -> Result<PaymentFailed, EventError> {
    Ok(PaymentFailed {
        payment_intent_id: fields.required_text("id")?,
        booking_id: fields.text("metadata.bookingId")?,
        amount_minor: fields.amount("amount")?,
        currency: fields.text("currency")?,
        code: fields.text("last_payment_error.code")?,
        decline_code: fields.text("last_payment_error.decline_code")?,
        message: fields.text("last_payment_error.message")?,
    })
}

fn charge_refunded(fields: &Fields<'_>) -> Result<ChargeRefunded, EventError> {
    Ok(ChargeRefunded {
        charge_id: fields.required_text("id")?,
        payment_intent_id: fields.link("payment_intent")?,
        booking_id: fields.text("metadata.bookingId")?,
        amount_minor: fields.amount("amount")?,
        amount_refunded_minor: fields.required_amount("amount_refunded")?,
        currency: fields.text("currency")?,
        fully_refunded: fields.flag("refunded")?,
    })
}

fn checkout_completed(fields: &Fields<'_>) -> Result<CheckoutCompleted, EventError> {
    Ok(CheckoutCompleted {
        session_id: fields.required_text("id")?,
        client_id: fields.text("metadata.clientId")?.or(fields.text("client_reference_id")?),
        booking_id: fields.text("metadata.bookingId")?,
        mode: fields.text("mode")?,
        payment_status: match fields.text("payment_status")?.as_deref() {
            Some("paid") => PaymentStatus::Paid,
            Some("unpaid") => PaymentStatus::Unpaid,
            Some("no_payment_required") => PaymentStatus::NoPaymentRequired,
            _ => PaymentStatus::Unknown,
        },
        customer_id: fields.link("customer")?,
        payment_intent_id: fields.link("payment_intent")?,
        subscription_id: fields.link("subscription")?,
        amount_total_minor: fields.amount("amount_total")?,
        currency: fields.text("currency")?,
    })
}

fn invoice_payment_failed(fields: &Fields<'_>) -> Result<InvoicePaymentFailed, EventError> {
    Ok(InvoicePaymentFailed {
        invoice_id: fields.required_text("id")?,
        customer_id: fields.link("customer")?,
        // Older endpoints still send it at the top.
        subscription_id: fields.link("parent.subscription_details.subscription")?.or(fields.link("subscription")?),
        client_id: match fields.text("parent.subscription_details.metadata.clientId")? {
            Some(id) => Some(id),
            None => fields.text("subscription_details.metadata.clientId")?.or(fields.text("metadata.clientId")?),
        },
        amount_due_minor: fields.amount("amount_due")?,
        currency: fields.text("currency")?,
        attempt_count: fields.amount("attempt_count")?,
        next_attempt_at: fields.time("next_payment_attempt")?,
    })
}

fn subscription_deleted(fields: &Fields<'_>) -> Result<SubscriptionDeleted, EventError> {
    Ok(SubscriptionDeleted {
        subscription_id: fields.required_text("id")?,
        customer_id: fields.link("customer")?,
        client_id: fields.text("metadata.clientId")?,
        ended_at: fields.time("ended_at")?,
    })
}
