//! Acts on what Stripe told: a payment confirms its booking, a refund is noted, the rest is kept and left alone.
//!
//! Stripe delivers late, twice and in any order; the rules it calls take that. A payment may be told by the payment
//! itself, by the checkout it came through, or by both, of which only one may name the booking. Money that belongs to
//! nothing here is put in front of people, until a later event explains it.

use std::time::Duration;

use nightshift_db::{Timestamp, Tx};
use nightshift_domain::actor::Actor;
use nightshift_domain::bookings::payments::{
    Handled, Refusal, Report, ReportedCheckout, ReportedInvoice, ReportedPayment, ReportedRefund,
};
use nightshift_domain::ids::InboxId;
use nightshift_domain::inbox;
use nightshift_providers::stripe::{Checkout, Event, PaymentStatus, StripeFact};
use nightshift_queue::{Handler, Job, JobContext, JobError, JobResult, Keys, OrFail, Outcome, Policy, Subject};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::decide::OrDecide;
use crate::enqueuer::Enqueuer;
use crate::webhook::{ActsOnDelivery, DeliveryHooks, key};
use crate::{App, booking, subject};

/// A stored Stripe event.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WebhookStripeProcess {
    /// Its row in the inbox.
    pub inbox_id: InboxId,
}

impl WebhookStripeProcess {
    /// Acts on the event stored under `inbox_id`.
    #[must_use]
    pub fn new(inbox_id: InboxId) -> Self {
        Self { inbox_id }
    }
}

impl Job for WebhookStripeProcess {
    const KIND: &'static str = "webhook.stripe.process";
    const QUEUE: &'static str = "webhooks";

    fn keys(&self) -> Keys {
        Keys::once(key(&self.inbox_id))
    }

    fn subject(&self) -> Option<Subject> {
        subject::delivery(&self.inbox_id)
    }

    fn policy() -> Policy {
        Policy::standard(8).timeout(Duration::from_secs(30))
    }
}

impl ActsOnDelivery for WebhookStripeProcess {
    fn inbox_id(&self) -> &InboxId {
        &self.inbox_id
    }
}

impl Handler<App> for WebhookStripeProcess {
    type Hooks = DeliveryHooks;

    /// Acts on the event and notes what became of it, in one transaction.
    async fn run(self, ctx: JobContext<App>) -> JobResult {
        let mut tx = ctx.begin().await?;
        let received = inbox::load(&mut tx, &self.inbox_id).await.or_decide()?;
        let Some(body) = received.payload else {
            return Err(JobError::fail("the event's body is no longer kept"));
        };
        let event = Event::parse(body.as_bytes()).or_fail()?;
        let by = Actor::Webhook { inbox_id: self.inbox_id.clone() };
        let report = Report {
            inbox_id: &self.inbox_id,
            by: &by,
            event_type: event.kind.as_deref().unwrap_or_default(),
            event_id: event.id.as_deref(),
            livemode: event.livemode,
        };
        let now = ctx.now();
        let handled = act(&report, &mut tx, event.fact(), now).await.or_decide()?;
        booking::follow_payment(&Enqueuer::of(&ctx), &mut tx, &handled, &by).await?;
        inbox::settle(&mut tx, &self.inbox_id, handled.status, handled.org.as_ref(), &ctx.job.id, now)
            .await
            .or_decide()?;
        tx.commit().await?;
        Ok(Outcome::done_with(json!({"verdict": handled.word})))
    }
}

/// Reports the event's fact to the domain.
async fn act(report: &Report<'_>, tx: &mut Tx, fact: StripeFact, now: Timestamp) -> nightshift_domain::Result<Handled> {
    match fact {
        StripeFact::PaymentSucceeded(paid) => {
            let payment = ReportedPayment {
                payment_intent_id: paid.payment_intent_id.as_deref(),
                booking_id: paid.booking_id.as_deref(),
                amount_minor: paid.amount_minor,
                currency: paid.currency.as_deref(),
            };
            report.payment_succeeded(tx, payment, now).await
        }
        StripeFact::Checkout(checkout) => match no_money(&checkout) {
            Some(reason) => Ok(Handled::ignored(reason)),
            None => report.checkout_paid(tx, reported(&checkout), now).await,
        },
        StripeFact::PaymentFailed(failed) => {
            let payment = ReportedPayment {
                payment_intent_id: failed.payment_intent_id.as_deref(),
                booking_id: failed.booking_id.as_deref(),
                amount_minor: failed.amount_minor,
                currency: failed.currency.as_deref(),
            };
            let refusal = Refusal { code: failed.code.as_deref(), decline_code: failed.decline_code.as_deref() };
            report.payment_failed(tx, payment, refusal, now).await
        }
        StripeFact::ChargeRefunded(refunded) => {
            let refund = ReportedRefund {
                payment_intent_id: refunded.payment_intent_id.as_deref(),
                booking_id: refunded.booking_id.as_deref(),
                amount_minor: refunded.amount_minor,
                refunded_minor: refunded.amount_refunded_minor,
                complete: refunded.fully_refunded,
                currency: refunded.currency.as_deref(),
            };
            report.refunded(tx, refund, now).await
        }
        StripeFact::InvoicePaid(invoice) => {
            let invoice = ReportedInvoice {
                payment_intent_ids: &invoice.payment_intent_ids,
                booking_id: invoice.booking_id.as_deref(),
                of_subscription: invoice.of_subscription,
                amount_minor: invoice.amount_paid_minor,
                currency: invoice.currency.as_deref(),
            };
            report.invoice_paid(tx, invoice, now).await
        }
        StripeFact::InvoicePaymentFailed(_) | StripeFact::SubscriptionDeleted(_) | StripeFact::Other => {
            Ok(Handled::ignored("not acted on"))
        }
    }
}

/// Why a checkout tells of no payment, when it does not.
fn no_money(checkout: &Checkout) -> Option<&'static str> {
    match checkout.payment_status {
        // A slow payment method pays later, by an event of its own.
        PaymentStatus::Unpaid => Some("not paid yet"),
        PaymentStatus::Unknown => Some("does not say that it was paid"),
        PaymentStatus::Paid | PaymentStatus::NoPaymentRequired => {
            (checkout.mode.as_deref() == Some("setup")).then_some("keeps a way to pay and moves no money")
        }
    }
}

fn reported(checkout: &Checkout) -> ReportedCheckout<'_> {
    ReportedCheckout {
        session_id: checkout.session_id.as_deref(),
        payment_intent_id: checkout.payment_intent_id.as_deref(),
        booking_id: checkout.booking_id.as_deref(),
        reference: checkout.reference.as_deref(),
        // Subscriptions, and checkouts that say whose they are, are matters of a client.
        of_client: checkout.client_id.is_some() || checkout.mode.as_deref() == Some("subscription"),
        amount_minor: checkout.amount_total_minor,
        currency: checkout.currency.as_deref(),
    }
}
