//! What a Stripe event means to us: the types that are acted on, with the fields the actions read.
//!
//! Amounts are in the currency's smallest unit. A link to another object is its id, or the object itself when the
//! endpoint expands it; both are read. What is absent, null, blank or of a type that makes no sense is `None`: reading
//! never fails, and whoever acts on a fact says what it can't do without.

use chrono::{DateTime, Utc};

use crate::json::Fields;

/// One event, read.
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
    /// A type that is stored and not acted on.
    Other,
}

/// Money has come in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentSucceeded {
    /// `pi_...`
    pub payment_intent_id: Option<String>,
    /// `metadata.bookingId`
    pub booking_id: Option<String>,
    /// What was received; the intent's amount where the event does not say.
    pub amount_minor: Option<i64>,
    /// Lower-case ISO code.
    pub currency: Option<String>,
    /// `cus_...`
    pub customer_id: Option<String>,
}

/// An attempt to pay failed. Not final: the same intent may still succeed, and the two may arrive in any order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentFailed {
    /// `pi_...`
    pub payment_intent_id: Option<String>,
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
    pub charge_id: Option<String>,
    /// `pi_...`
    pub payment_intent_id: Option<String>,
    /// `metadata.bookingId` of the charge.
    pub booking_id: Option<String>,
    /// What was charged.
    pub amount_minor: Option<i64>,
    /// The running total of all refunds so far: set it, never add it.
    pub amount_refunded_minor: Option<i64>,
    /// Lower-case ISO code.
    pub currency: Option<String>,
    /// Whether all of it went back.
    pub fully_refunded: bool,
}

/// A checkout was completed, which does not yet mean paid, or the slow payment of one has arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkout {
    /// `cs_...`
    pub session_id: Option<String>,
    /// `metadata.clientId`
    pub client_id: Option<String>,
    /// `metadata.bookingId`
    pub booking_id: Option<String>,
    /// `client_reference_id`: whatever the maker of the session put there, a client's or a booking's id.
    pub reference: Option<String>,
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

/// An invoice was paid: a subscription's, or one that was made by hand or by a checkout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvoicePaid {
    /// `in_...`
    pub invoice_id: Option<String>,
    /// `metadata.bookingId`
    pub booking_id: Option<String>,
    /// Whether a subscription made it.
    pub of_subscription: bool,
    /// What was paid in all.
    pub amount_paid_minor: Option<i64>,
    /// Lower-case ISO code.
    pub currency: Option<String>,
    /// `pi_...` of each payment, as far as the event names them.
    pub payment_intent_ids: Vec<String>,
}

/// A subscription's invoice could not be collected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvoicePaymentFailed {
    /// `in_...`
    pub invoice_id: Option<String>,
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
    pub subscription_id: Option<String>,
    /// `cus_...`
    pub customer_id: Option<String>,
    /// `metadata.clientId`
    pub client_id: Option<String>,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
}

impl StripeFact {
    pub(super) fn read(kind: &str, fields: Fields<'_>) -> Self {
        match kind {
            "payment_intent.succeeded" => Self::PaymentSucceeded(payment_succeeded(fields)),
            "payment_intent.payment_failed" => Self::PaymentFailed(payment_failed(fields)),
            "charge.refunded" => Self::ChargeRefunded(charge_refunded(fields)),
            "checkout.session.completed" => Self::Checkout(checkout(fields, PaymentStatus::Unknown)),
            // Its name says what became of the payment.
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
    // Older endpoints name the subscription at the top.
    let subscription =
        ["parent.subscription_details", "subscription"].into_iter().any(|path| fields.at(path).is_some());
    let reason = fields.id("billing_reason").unwrap_or_default();
    InvoicePaid {
        invoice_id: fields.id("id"),
        booking_id: fields.id("metadata.bookingId"),
        of_subscription: subscription || reason.starts_with("subscription"),
        amount_paid_minor: fields.amount("amount_paid"),
        currency: fields.id("currency"),
        // Older endpoints name the payment at the top; newer ones list payments when they are asked to.
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
        // Older endpoints still send it at the top.
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
