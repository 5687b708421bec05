//! The types of Stripe events that are acted on, with the fields that are needed.
//!
//! Amounts are in the currency's smallest unit. A linked object may be given as its id or, if the endpoint expands it,
//! as the object. A field that is absent, null, blank or of the wrong type is `None`: parsing never fails, and the code
//! that acts on a fact checks for the fields it requires.

use chrono::{DateTime, Utc};

use crate::json::Fields;

/// The meaning of one event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StripeFact {
    /// `payment_intent.succeeded`
    PaymentSucceeded(PaymentSucceeded),
    /// `payment_intent.payment_failed`, `checkout.session.async_payment_failed`
    PaymentFailed(PaymentFailed),
    /// `charge.refunded`
    ChargeRefunded(ChargeRefunded),
    /// `checkout.session.completed`, `checkout.session.async_payment_succeeded`
    Checkout(Checkout),
    /// `invoice.paid`
    InvoicePaid(InvoicePaid),
    /// `invoice.payment_failed`
    InvoicePaymentFailed(InvoicePaymentFailed),
    /// `customer.subscription.deleted`
    SubscriptionDeleted(SubscriptionDeleted),
    /// Any other type, which is stored and not acted on.
    Other,
}

/// A payment was received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentSucceeded {
    /// `pi_...`
    pub payment_intent_id: Option<String>,
    /// `metadata.bookingId`
    pub booking_id: Option<String>,
    /// The received amount, or the intent's amount if the event does not contain it.
    pub amount_minor: Option<i64>,
    /// Lower-case ISO 4217 code.
    pub currency: Option<String>,
    /// `cus_...`
    pub customer_id: Option<String>,
}

/// A payment attempt failed. This is not final: the same intent may still succeed, and the events may arrive in any
/// order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentFailed {
    /// `pi_...`
    pub payment_intent_id: Option<String>,
    /// `metadata.bookingId`
    pub booking_id: Option<String>,
    /// The amount that was to be paid.
    pub amount_minor: Option<i64>,
    /// Lower-case ISO 4217 code.
    pub currency: Option<String>,
    /// `last_payment_error.code`, such as `card_declined`
    pub code: Option<String>,
    /// `last_payment_error.decline_code`, such as `insufficient_funds`
    pub decline_code: Option<String>,
    /// `last_payment_error.message`, Stripe's message for the payer.
    pub message: Option<String>,
}

/// A charge was refunded, in part or in full.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChargeRefunded {
    /// `ch_...`
    pub charge_id: Option<String>,
    /// `pi_...`
    pub payment_intent_id: Option<String>,
    /// `metadata.bookingId` of the charge.
    pub booking_id: Option<String>,
    /// The amount that was charged.
    pub amount_minor: Option<i64>,
    /// The sum of all refunds of the charge so far: store it, don't add it.
    pub amount_refunded_minor: Option<i64>,
    /// Lower-case ISO 4217 code.
    pub currency: Option<String>,
    /// Whether the whole amount was refunded.
    pub fully_refunded: bool,
}

/// A checkout was completed, which does not imply that it is paid, or the delayed payment of a checkout has succeeded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkout {
    /// `cs_...`
    pub session_id: Option<String>,
    /// `metadata.clientId`
    pub client_id: Option<String>,
    /// `metadata.bookingId`
    pub booking_id: Option<String>,
    /// `client_reference_id`: a client's or a booking's id, depending on who created the session.
    pub reference: Option<String>,
    /// `payment`, `setup` or `subscription`
    pub mode: Option<String>,
    /// Whether the payment has been received.
    pub payment_status: PaymentStatus,
    /// `cus_...`
    pub customer_id: Option<String>,
    /// `pi_...`; `None` in subscription mode.
    pub payment_intent_id: Option<String>,
    /// `sub_...`; only in subscription mode.
    pub subscription_id: Option<String>,
    /// The total of the session.
    pub amount_total_minor: Option<i64>,
    /// Lower-case ISO 4217 code.
    pub currency: Option<String>,
}

/// `payment_status` of a checkout session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PaymentStatus {
    /// The payment was received.
    Paid,
    /// The payment method is delayed. A later event reports the result.
    Unpaid,
    /// There was nothing to pay.
    NoPaymentRequired,
    /// The event contains no status or an unknown one.
    Unknown,
}

/// An invoice was paid: of a subscription, of a checkout, or one that was created by hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvoicePaid {
    /// `in_...`
    pub invoice_id: Option<String>,
    /// `metadata.bookingId`
    pub booking_id: Option<String>,
    /// Whether the invoice belongs to a subscription.
    pub of_subscription: bool,
    /// The sum of its payments.
    pub amount_paid_minor: Option<i64>,
    /// Lower-case ISO 4217 code.
    pub currency: Option<String>,
    /// `pi_...` of each payment that the event contains.
    pub payment_intent_ids: Vec<String>,
}

/// The payment of a subscription's invoice failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvoicePaymentFailed {
    /// `in_...`
    pub invoice_id: Option<String>,
    /// `cus_...`
    pub customer_id: Option<String>,
    /// `sub_...`
    pub subscription_id: Option<String>,
    /// `clientId` in the metadata of the subscription, or else of the invoice.
    pub client_id: Option<String>,
    /// The amount due.
    pub amount_due_minor: Option<i64>,
    /// Lower-case ISO 4217 code.
    pub currency: Option<String>,
    /// Number of payment attempts so far.
    pub attempt_count: Option<i64>,
    /// When Stripe retries the payment; `None` if it does not.
    pub next_attempt_at: Option<DateTime<Utc>>,
}

/// A subscription ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubscriptionDeleted {
    /// `sub_...`
    pub subscription_id: Option<String>,
    /// `cus_...`
    pub customer_id: Option<String>,
    /// `metadata.clientId`
    pub client_id: Option<String>,
    pub ended_at: Option<DateTime<Utc>>,
}

impl StripeFact {
    pub(super) fn read(kind: &str, fields: Fields<'_>) -> Self {
        match kind {
            "payment_intent.succeeded" => Self::PaymentSucceeded(payment_succeeded(fields)),
            "payment_intent.payment_failed" => Self::PaymentFailed(payment_failed(fields)),
            "charge.refunded" => Self::ChargeRefunded(charge_refunded(fields)),
            "checkout.session.completed" => Self::Checkout(checkout(fields, PaymentStatus::Unknown)),
            // The type of these events determines the status.
            "checkout.session.async_payment_succeeded" => Self::Checkout(checkout(fields, PaymentStatus::Paid)),
            "checkout.session.async_payment_failed" => Self::PaymentFailed(checkout_failed(fields)),
            "invoice.paid" => Self::InvoicePaid(invoice_paid(fields)),
            "invoice.payment_failed" => Self::InvoicePaymentFailed(invoice_payment_failed(fields)),
            "customer.subscription.deleted" => Self::SubscriptionDeleted(subscription_deleted(fields)),
            _ => Self::Other,
        }
    }
}

fn payment_succeeded(fields: Fields<'_>) -> PaymentSucceeded {
    PaymentSucceeded {
        payment_intent_id: fields.id("id"),
        booking_id: fields.id("metadata.bookingId"),
        amount_minor: fields.amount("amount_received").or_else(|| fields.amount("amount")),
        currency: fields.id("currency"),
        customer_id: fields.link("customer"),
    }
}

fn payment_failed(fields: Fields<'_>) -> PaymentFailed {
    PaymentFailed {
        payment_intent_id: fields.id("id"),
        booking_id: fields.id("metadata.bookingId"),
        amount_minor: fields.amount("amount"),
        currency: fields.id("currency"),
        code: fields.id("last_payment_error.code"),
        decline_code: fields.id("last_payment_error.decline_code"),
        message: fields.text("last_payment_error.message"),
    }
}

fn charge_refunded(fields: Fields<'_>) -> ChargeRefunded {
    ChargeRefunded {
        charge_id: fields.id("id"),
        payment_intent_id: fields.link("payment_intent"),
        booking_id: fields.id("metadata.bookingId"),
        amount_minor: fields.amount("amount"),
        amount_refunded_minor: fields.amount("amount_refunded"),
        currency: fields.id("currency"),
        fully_refunded: fields.flag("refunded").unwrap_or(false),
    }
}

fn checkout(fields: Fields<'_>, otherwise: PaymentStatus) -> Checkout {
    Checkout {
        session_id: fields.id("id"),
        client_id: fields.id("metadata.clientId"),
        booking_id: fields.id("metadata.bookingId"),
        reference: fields.id("client_reference_id"),
        mode: fields.id("mode"),
        payment_status: match fields.id("payment_status").as_deref() {
            Some("paid") => PaymentStatus::Paid,
            Some("unpaid") => PaymentStatus::Unpaid,
            Some("no_payment_required") => PaymentStatus::NoPaymentRequired,
            _ => otherwise,
        },
        customer_id: fields.link("customer"),
        payment_intent_id: fields.link("payment_intent"),
        subscription_id: fields.link("subscription"),
        amount_total_minor: fields.amount("amount_total"),
        currency: fields.id("currency"),
    }
}

fn checkout_failed(fields: Fields<'_>) -> PaymentFailed {
    PaymentFailed {
        payment_intent_id: fields.link("payment_intent"),
        booking_id: fields.id("metadata.bookingId"),
        amount_minor: fields.amount("amount_total"),
        currency: fields.id("currency"),
        code: None,
        decline_code: None,
        message: None,
    }
}

fn invoice_paid(fields: Fields<'_>) -> InvoicePaid {
    let listed = fields.list("payments.data").unwrap_or_default();
    // Older API versions have the subscription at the top level.
    let subscription =
        ["parent.subscription_details", "subscription"].into_iter().any(|path| fields.at(path).is_some());
    let reason = fields.id("billing_reason").unwrap_or_default();
    InvoicePaid {
        invoice_id: fields.id("id"),
        booking_id: fields.id("metadata.bookingId"),
        of_subscription: subscription || reason.starts_with("subscription"),
        amount_paid_minor: fields.amount("amount_paid"),
        currency: fields.id("currency"),
        // Older API versions have a single payment at the top level; newer ones list payments if they are expanded.
        payment_intent_ids: fields
            .link("payment_intent")
            .into_iter()
            .chain(listed.iter().filter_map(|payment| Fields::of(payment).link("payment.payment_intent")))
            .collect(),
    }
}

fn invoice_payment_failed(fields: Fields<'_>) -> InvoicePaymentFailed {
    InvoicePaymentFailed {
        invoice_id: fields.id("id"),
        customer_id: fields.link("customer"),
        // Older API versions have it at the top level.
        subscription_id: fields
            .link("parent.subscription_details.subscription")
            .or_else(|| fields.link("subscription")),
        client_id: fields
            .id("parent.subscription_details.metadata.clientId")
            .or_else(|| fields.id("subscription_details.metadata.clientId"))
            .or_else(|| fields.id("metadata.clientId")),
        amount_due_minor: fields.amount("amount_due"),
        currency: fields.id("currency"),
        attempt_count: fields.amount("attempt_count"),
        next_attempt_at: fields.time("next_payment_attempt"),
    }
}

fn subscription_deleted(fields: Fields<'_>) -> SubscriptionDeleted {
    SubscriptionDeleted {
        subscription_id: fields.id("id"),
        customer_id: fields.link("customer"),
        client_id: fields.id("metadata.clientId"),
        ended_at: fields.time("ended_at"),
    }
}
