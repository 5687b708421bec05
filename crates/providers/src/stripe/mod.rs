//! Stripe. Only its webhooks are read; no requests are sent to it.

pub mod event;
mod fact;
pub mod signature;

pub use event::{Event, EventError};
pub use fact::{
    ChargeRefunded, Checkout, InvoicePaid, InvoicePaymentFailed, PaymentFailed, PaymentStatus, PaymentSucceeded,
    StripeFact, SubscriptionDeleted,
};
