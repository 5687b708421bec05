//! Every job of the business, one file each: payload, keys, policy and handler.
//!
//! The folder is the first word of the kind and the file is the rest: `sms.send` is `sms/send.rs`. [`registry`] lists
//! them all. A handler calls rules of the domain, and services through the providers. Every handler may run twice, so
//! each of its steps checks what exists before it acts. The `mod.rs` of a folder holds the operations of its area: each
//! makes a change and enqueues the jobs that follow in one transaction. Requests, commands and handlers call
//! operations; only the receiver of webhooks and the clock ([`schedules`]) enqueue jobs themselves.
//!
//! **Invariant:** no business rule and no SQL in this crate.

mod app;
pub mod automation;
pub mod booking;
pub mod booking_call;
mod carriers;
mod dead;
mod dialer;
mod enqueuer;
mod error;
pub mod exceptions;
mod job_error;
pub mod metrics;
pub mod offer;
mod pace;
pub mod pricing;
pub mod promises;
mod proof;
mod provider_calls;
pub mod response_links;
pub mod retention;
pub mod schedules;
mod seed;
pub mod sms;
mod subject;
pub mod thread;
pub mod webhook;

use nightshift_queue::Registry;

pub use app::{App, Calls, Reconciliation};
pub use carriers::{Carriers, NoCarrier, OpenPhone};
pub use dialer::{Dialer, ProductionLine, TestLine};
pub use enqueuer::Enqueuer;
pub use error::Error;
pub use seed::load_seed;

/// Returns the registry of every job that a worker of this program can run.
#[must_use]
pub fn registry() -> Registry<App> {
    Registry::new()
        .on_any_dead(dead::any)
        .on_any_retry(dead::any_retried)
        // Webhooks: a provider's report becomes a change of ours.
        .job::<webhook::stripe_process::WebhookStripeProcess>()
        .job::<webhook::openphone_process::WebhookOpenphoneProcess>()
        .job::<webhook::twilio_inbound::WebhookTwilioInbound>()
        .job::<webhook::twilio_status::WebhookTwilioStatus>()
        .job::<webhook::vapi_process::WebhookVapiProcess>()
        // Bookings: the consequences of their changes.
        .job::<booking::confirm::BookingConfirm>()
        .job::<booking::status_changed::BookingStatusChanged>()
        .job::<booking::rescheduled::BookingRescheduled>()
        .job::<thread::assign_number::ThreadAssignNumber>()
        .job::<thread::close::ThreadClose>()
        // Offers to sitters: told, and ended when nobody answers.
        .job::<offer::send::OfferSend>()
        .job::<offer::expire::OfferExpire>()
        // Appointments with service providers: calls placed and polled.
        .job::<booking_call::start::BookingCallStart>()
        .job::<booking_call::poll::BookingCallPoll>()
        // Texts: written, sent, and checked when their outcome is unknown.
        .job::<automation::run::RunAutomation>()
        .job::<sms::send::SmsSend>()
        .job::<sms::confirm_delivery::SmsConfirmDelivery>()
        .job::<sms::reply_fallback::SmsReplyFallback>()
        // Prices: checked every night, never changed.
        .job::<pricing::reconcile::PricingReconcile>()
        .job::<pricing::reconcile_chunk::PricingReconcileChunk>()
        // Sitters: how fast they answer.
        .job::<metrics::sitter_window::MetricsSitterWindow>()
        .job::<metrics::nightly::MetricsNightly>()
        .job::<response_links::expire::ResponseLinksExpire>()
        .job::<exceptions::wake::ExceptionsWake>()
        .job::<retention::sweep::RetentionSweep>()
}
