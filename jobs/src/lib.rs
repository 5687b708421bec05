//! Every job of the business, one file each: payload, keys, policy and handler together.
//!
//! The folder is the first word of the kind, the file is the rest: `sms.send` is `sms/send.rs`.
//!
//! [`registry`] is the table of contents. A handler calls rules in the domain and services through the providers. Every
//! handler may run twice: each of its steps looks at what stands before it acts.
//!
//! A folder is an area of the business, and its `mod.rs` holds the area's operations: what changes something together
//! with the jobs that follow, in one transaction. Requests, commands and handlers call these. Apart from them, only the
//! receiver of webhooks enqueues, with the deliveries it stores, and the clock ([`schedules`]).
//!
//! **Invariant:** no rule is decided here and no SQL is written here.

mod app;
pub mod automation;
pub mod booking;
pub mod booking_call;
mod dead;
mod dialer;
mod enqueuer;
mod error;
pub mod exceptions;
mod job_error;
pub mod pricing;
pub mod promises;
mod provider_calls;
pub mod retention;
pub mod schedules;
mod seed;
pub mod sms;
mod subject;
pub mod thread;
pub mod webhook;

use nightshift_queue::Registry;

pub use app::{App, Calls, Reconciliation};
pub use dialer::{Dialer, ProductionLine, TestLine};
pub use enqueuer::Enqueuer;
pub use error::Error;
pub use seed::load_seed;

/// Everything a worker of this program can do.
#[must_use]
pub fn registry() -> Registry<App> {
    Registry::new()
        .on_any_dead(dead::any)
        .on_any_retry(dead::any_retried)
        // Webhooks: what a provider told, turned into changes of our own.
        .job::<webhook::stripe_process::WebhookStripeProcess>()
        .job::<webhook::twilio_status::WebhookTwilioStatus>()
        .job::<webhook::vapi_process::WebhookVapiProcess>()
        // Bookings: what follows from their changes.
        .job::<booking::confirm::BookingConfirm>()
        .job::<booking::status_changed::BookingStatusChanged>()
        .job::<booking::rescheduled::BookingRescheduled>()
        .job::<thread::assign_number::ThreadAssignNumber>()
        .job::<thread::close::ThreadClose>()
        // Appointments elsewhere: called for and waited for.
        .job::<booking_call::start::BookingCallStart>()
        .job::<booking_call::poll::BookingCallPoll>()
        // Texts: written, sent, asked after.
        .job::<automation::run::AutomationRun>()
        .job::<sms::send::SmsSend>()
        .job::<sms::confirm_delivery::SmsConfirmDelivery>()
        // Prices: checked every night, never changed.
        .job::<pricing::reconcile::PricingReconcile>()
        .job::<pricing::reconcile_chunk::PricingReconcileChunk>()
        // Housekeeping.
        .job::<exceptions::wake::ExceptionsWake>()
        .job::<retention::sweep::RetentionSweep>()
}
