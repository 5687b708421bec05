//! Every job of the business, one file each: payload, keys, policy and handler together.
//!
//! [`registry`] is the table of contents. A handler calls rules in the domain, services through the providers, and
//! turns what the rules say into further jobs, in the same transaction ([`follow`]). Every handler may run twice: each
//! of its steps looks at what stands before it acts.
//!
//! **Invariant:** no rule is decided here and no SQL is written here.

mod app;
mod caller;
mod dead;
mod decide;
pub mod follow;

pub mod automation_run;
pub mod booking_call_poll;
pub mod booking_call_start;
pub mod booking_confirm;
pub mod booking_rescheduled;
pub mod booking_status_changed;
pub mod exceptions_wake;
pub mod pricing_reconcile;
pub mod pricing_reconcile_chunk;
pub mod promises;
pub mod retention_sweep;
pub mod schedules;
pub mod sms_confirm_delivery;
pub mod sms_send;
pub mod thread_assign_number;
pub mod thread_close;
pub mod webhook_stripe_process;
pub mod webhook_twilio_status;
pub mod webhook_vapi_process;

use nightshift_queue::{Kind, Registry};

pub use app::{App, Calls, Reconciliation};
pub use caller::{Caller, ProductionLine, TestLine};

use automation_run::AutomationRun;
use booking_call_poll::BookingCallPoll;
use booking_call_start::BookingCallStart;
use booking_confirm::BookingConfirm;
use booking_rescheduled::BookingRescheduled;
use booking_status_changed::BookingStatusChanged;
use exceptions_wake::ExceptionsWake;
use pricing_reconcile::PricingReconcile;
use pricing_reconcile_chunk::PricingReconcileChunk;
use retention_sweep::RetentionSweep;
use sms_confirm_delivery::SmsConfirmDelivery;
use sms_send::SmsSend;
use thread_assign_number::ThreadAssignNumber;
use thread_close::ThreadClose;
use webhook_stripe_process::WebhookStripeProcess;
use webhook_twilio_status::WebhookTwilioStatus;
use webhook_vapi_process::WebhookVapiProcess;

/// Everything a worker of this program can do.
#[must_use]
pub fn registry() -> Registry<App> {
    Registry::new()
        .on_any_dead(dead::any)
        .on_any_retry(dead::any_retried)
        // Webhooks: what a provider told, turned into changes of our own.
        .kind(
            Kind::of::<WebhookStripeProcess, _, _>(webhook_stripe_process::run)
                .subject(dead::webhook, dead::webhook_retried),
        )
        .kind(
            Kind::of::<WebhookTwilioStatus, _, _>(webhook_twilio_status::run)
                .subject(dead::webhook, dead::webhook_retried),
        )
        .kind(
            Kind::of::<WebhookVapiProcess, _, _>(webhook_vapi_process::run)
                .subject(dead::webhook, dead::webhook_retried),
        )
        // Bookings: what follows from their changes.
        .kind(
            Kind::of::<BookingConfirm, _, _>(booking_confirm::run)
                .subject(booking_confirm::dead, booking_confirm::retried),
        )
        .job::<BookingStatusChanged, _, _>(booking_status_changed::run)
        .job::<BookingRescheduled, _, _>(booking_rescheduled::run)
        .job::<ThreadAssignNumber, _, _>(thread_assign_number::run)
        .job::<ThreadClose, _, _>(thread_close::run)
        // Appointments elsewhere: called for and waited for.
        .kind(
            Kind::of::<BookingCallStart, _, _>(booking_call_start::run)
                .subject(booking_call_start::dead, booking_call_start::retried),
        )
        .kind(
            Kind::of::<BookingCallPoll, _, _>(booking_call_poll::run)
                .subject(booking_call_poll::dead, booking_call_poll::retried),
        )
        // Texts: written, sent, asked after.
        .kind(
            Kind::of::<AutomationRun, _, _>(automation_run::run).subject(automation_run::dead, automation_run::retried),
        )
        .kind(Kind::of::<SmsSend, _, _>(sms_send::run).subject(sms_send::dead, sms_send::retried))
        .kind(
            Kind::of::<SmsConfirmDelivery, _, _>(sms_confirm_delivery::run)
                .subject(sms_confirm_delivery::dead, sms_confirm_delivery::retried),
        )
        // Prices: checked every night, never changed.
        .kind(
            Kind::of::<PricingReconcile, _, _>(pricing_reconcile::run)
                .subject(pricing_reconcile::dead, pricing_reconcile::retried),
        )
        .kind(
            Kind::of::<PricingReconcileChunk, _, _>(pricing_reconcile_chunk::run)
                .subject(pricing_reconcile_chunk::dead, pricing_reconcile_chunk::retried),
        )
        // Housekeeping.
        .job::<ExceptionsWake, _, _>(exceptions_wake::run)
        .job::<RetentionSweep, _, _>(retention_sweep::run)
}
