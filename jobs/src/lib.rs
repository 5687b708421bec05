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
mod money;

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
        // Webhooks: what a provider told, turned into changes of our own.
        .kind(Kind::of::<WebhookStripeProcess, _, _>(webhook_stripe_process::run).on_dead(dead::webhook))
        .kind(Kind::of::<WebhookTwilioStatus, _, _>(webhook_twilio_status::run).on_dead(dead::webhook))
        .kind(Kind::of::<WebhookVapiProcess, _, _>(webhook_vapi_process::run).on_dead(dead::webhook))
        // Bookings: what follows from their changes.
        .kind(Kind::of::<BookingConfirm, _, _>(booking_confirm::run).on_dead(booking_confirm::dead))
        .job::<BookingStatusChanged, _, _>(booking_status_changed::run)
        .job::<BookingRescheduled, _, _>(booking_rescheduled::run)
        .job::<ThreadAssignNumber, _, _>(thread_assign_number::run)
        .job::<ThreadClose, _, _>(thread_close::run)
        // Appointments elsewhere: called for and waited for.
        .kind(Kind::of::<BookingCallStart, _, _>(booking_call_start::run).on_dead(booking_call_start::dead))
        .kind(Kind::of::<BookingCallPoll, _, _>(booking_call_poll::run).on_dead(booking_call_poll::dead))
        // Texts: written, sent, asked after.
        .kind(Kind::of::<AutomationRun, _, _>(automation_run::run).on_dead(automation_run::dead))
        .kind(Kind::of::<SmsSend, _, _>(sms_send::run).on_dead(sms_send::dead))
        .kind(Kind::of::<SmsConfirmDelivery, _, _>(sms_confirm_delivery::run).on_dead(sms_confirm_delivery::dead))
        // Prices: checked every night, never changed.
        .kind(Kind::of::<PricingReconcile, _, _>(pricing_reconcile::run).on_dead(pricing_reconcile::dead))
        .kind(
            Kind::of::<PricingReconcileChunk, _, _>(pricing_reconcile_chunk::run)
                .on_dead(pricing_reconcile_chunk::dead),
        )
        // Housekeeping.
        .job::<ExceptionsWake, _, _>(exceptions_wake::run)
        .job::<RetentionSweep, _, _>(retention_sweep::run)
}
