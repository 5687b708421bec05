//! Stripe: only its webhooks are read; nothing is ever sent to it.

pub mod event;
mod fact;
mod fields;
pub mod signature;

pub use event::{Event, EventError};
pub use fact::{
    ChargeRefunded, CheckoutCompleted, InvoicePaymentFailed, PaymentFailed, PaymentStatus, PaymentSucceeded,
    StripeFact, SubscriptionDeleted,
};
