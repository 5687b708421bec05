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
pub mod pricing;
pub mod promises;
pub mod retention;
pub mod schedules;
pub mod sms;
mod subject;
pub mod thread;
pub mod webhook;

use nightshift_queue::Registry;

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
        .job::<WebhookStripeProcess>()
        .job::<WebhookTwilioStatus>()
        .job::<WebhookVapiProcess>()
        // Bookings: what follows from their changes.
        .job::<BookingConfirm>()
        .job::<BookingStatusChanged>()
        .job::<BookingRescheduled>()
        .job::<ThreadAssignNumber>()
        .job::<ThreadClose>()
        // Appointments elsewhere: called for and waited for.
        .job::<BookingCallStart>()
        .job::<BookingCallPoll>()
        // Texts: written, sent, asked after.
        .job::<AutomationRun>()
        .job::<SmsSend>()
        .job::<SmsConfirmDelivery>()
        // Prices: checked every night, never changed.
        .job::<PricingReconcile>()
        .job::<PricingReconcileChunk>()
        // Housekeeping.
        .job::<ExceptionsWake>()
        .job::<RetentionSweep>()
}
