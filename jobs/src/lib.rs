//! Every job of the business, one file each: payload, keys, policy and handler together.
//!
//! The folder is the first word of the kind, the file is the rest: `sms.send` is `sms/send.rs`.
//!
//! [`registry`] is the table of contents. A handler calls rules in the domain, services through the providers, and
//! turns what the rules say into further jobs, in the same transaction ([`follow`]). Every handler may run twice: each
//! of its steps looks at what stands before it acts.
//!
//! **Invariant:** no rule is decided here and no SQL is written here.

mod app;
pub mod automation;
pub mod booking;
pub mod booking_call;
mod caller;
mod dead;
mod decide;
pub mod exceptions;
pub mod follow;
mod money;
pub mod pricing;
pub mod promises;
pub mod retention;
pub mod schedules;
pub mod sms;
pub mod thread;
pub mod webhook;

use nightshift_queue::{Kind, Registry};

pub use app::{App, Calls, Reconciliation};
pub use caller::{Caller, ProductionLine, TestLine};

use automation::run::AutomationRun;
use booking::confirm::BookingConfirm;
use booking::rescheduled::BookingRescheduled;
use booking::status_changed::BookingStatusChanged;
use booking_call::poll::BookingCallPoll;
use booking_call::start::BookingCallStart;
use exceptions::wake::ExceptionsWake;
use pricing::reconcile::PricingReconcile;
use pricing::reconcile_chunk::PricingReconcileChunk;
use retention::sweep::RetentionSweep;
use sms::confirm_delivery::SmsConfirmDelivery;
use sms::send::SmsSend;
use thread::assign_number::ThreadAssignNumber;
use thread::close::ThreadClose;
use webhook::stripe_process::WebhookStripeProcess;
use webhook::twilio_status::WebhookTwilioStatus;
use webhook::vapi_process::WebhookVapiProcess;

/// Everything a worker of this program can do.
#[must_use]
pub fn registry() -> Registry<App> {
    Registry::new()
        .on_any_dead(dead::any)
        .on_any_retry(dead::any_retried)
        // Webhooks: what a provider told, turned into changes of our own.
        .kind(
            Kind::of::<WebhookStripeProcess, _, _>(webhook::stripe_process::run)
                .subject(dead::webhook, dead::webhook_retried),
        )
        .kind(
            Kind::of::<WebhookTwilioStatus, _, _>(webhook::twilio_status::run)
                .subject(dead::webhook, dead::webhook_retried),
        )
        .kind(
            Kind::of::<WebhookVapiProcess, _, _>(webhook::vapi_process::run)
                .subject(dead::webhook, dead::webhook_retried),
        )
        // Bookings: what follows from their changes.
        .kind(
            Kind::of::<BookingConfirm, _, _>(booking::confirm::run)
                .subject(booking::confirm::dead, booking::confirm::retried),
        )
        .job::<BookingStatusChanged, _, _>(booking::status_changed::run)
        .job::<BookingRescheduled, _, _>(booking::rescheduled::run)
        .job::<ThreadAssignNumber, _, _>(thread::assign_number::run)
        .job::<ThreadClose, _, _>(thread::close::run)
        // Appointments elsewhere: called for and waited for.
        .kind(
            Kind::of::<BookingCallStart, _, _>(booking_call::start::run)
                .subject(booking_call::start::dead, booking_call::start::retried),
        )
        .kind(
            Kind::of::<BookingCallPoll, _, _>(booking_call::poll::run)
                .subject(booking_call::poll::dead, booking_call::poll::retried),
        )
        // Texts: written, sent, asked after.
        .kind(
            Kind::of::<AutomationRun, _, _>(automation::run::run)
                .subject(automation::run::dead, automation::run::retried),
        )
        .kind(Kind::of::<SmsSend, _, _>(sms::send::run).subject(sms::send::dead, sms::send::retried))
        .kind(
            Kind::of::<SmsConfirmDelivery, _, _>(sms::confirm_delivery::run)
                .subject(sms::confirm_delivery::dead, sms::confirm_delivery::retried),
        )
        // Prices: checked every night, never changed.
        .kind(
            Kind::of::<PricingReconcile, _, _>(pricing::reconcile::run)
                .subject(pricing::reconcile::dead, pricing::reconcile::retried),
        )
        .kind(
            Kind::of::<PricingReconcileChunk, _, _>(pricing::reconcile_chunk::run)
                .subject(pricing::reconcile_chunk::dead, pricing::reconcile_chunk::retried),
        )
        // Housekeeping.
        .job::<ExceptionsWake, _, _>(exceptions::wake::run)
        .job::<RetentionSweep, _, _>(retention::sweep::run)
}
