//! Acts on what Stripe told: a payment confirms its booking, a refund is noted, the rest is kept and left alone.
//!
//! Stripe delivers late, twice and in any order; the rules it calls take that. An event that belongs to nothing here
//! is put in front of people, because money has moved.

use std::time::Duration;

use nightshift_db::{Timestamp, Tx};
use nightshift_domain::Error;
use nightshift_domain::actor::Actor;
use nightshift_domain::audit::{self, Entry};
use nightshift_domain::bookings::{self, Booking, Paid, Payment, Refund};
use nightshift_domain::exceptions::{self, Problem, Severity};
use nightshift_domain::ids::{BookingId, InboxId, OrgId};
use nightshift_domain::inbox::{self, InboxStatus};
use nightshift_providers::stripe::{ChargeRefunded, Event, PaymentFailed, PaymentSucceeded, StripeFact};
use nightshift_queue::{Job, JobContext, JobError, JobResult, Keys, OrFail, Outcome, Policy};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::App;
use crate::decide::OrDecide;
use crate::follow::Follow;

/// A stored Stripe event.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WebhookStripeProcess {
    /// Its row in the inbox.
    pub inbox_id: InboxId,
}

impl Job for WebhookStripeProcess {
    const KIND: &'static str = "webhook.stripe.process";
    const QUEUE: &'static str = "webhooks";

    fn keys(&self) -> Keys {
        Keys::once(format!("inbox:{}", self.inbox_id))
    }

    fn policy() -> Policy {
        Policy::standard(8).timeout(Duration::from_secs(30))
    }
}

/// What an event led to.
struct Verdict {
    status: InboxStatus,
    org: Option<OrgId>,
    word: &'static str,
}

impl Verdict {
    fn processed(org: &OrgId, word: &'static str) -> Self {
        Self { status: InboxStatus::Processed, org: Some(org.clone()), word }
    }

    fn ignored(word: &'static str) -> Self {
        Self { status: InboxStatus::Ignored, org: None, word }
    }

    const UNMATCHED: Self = Self { status: InboxStatus::Processed, org: None, word: "unmatched" };
}

/// Acts on the event and notes what became of it, in one transaction.
///
/// # Errors
/// The database's; an event that can't be read.
pub async fn run(job: WebhookStripeProcess, ctx: JobContext<App>) -> JobResult {
    let mut tx = ctx.begin().await?;
    let received = inbox::load(&mut tx, &job.inbox_id).await.or_decide()?;
    let Some(body) = received.payload else {
        return Err(JobError::fail("the event's body is no longer kept"));
    };
    let fact = Event::parse(body.as_bytes()).and_then(|event| event.fact()).or_fail()?;
    let delivery = Source { ctx: &ctx, inbox_id: &job.inbox_id, by: Actor::Webhook { inbox_id: job.inbox_id.clone() } };
    let now = ctx.now();
    let verdict = match fact {
        StripeFact::PaymentSucceeded(payment) => delivery.paid(&mut tx, payment, now).await?,
        StripeFact::PaymentFailed(failure) => delivery.payment_failed(&mut tx, failure, now).await?,
        StripeFact::ChargeRefunded(refund) => delivery.refunded(&mut tx, refund, now).await?,
        StripeFact::CheckoutCompleted(_)
        | StripeFact::InvoicePaymentFailed(_)
        | StripeFact::SubscriptionDeleted(_)
        | StripeFact::Other { .. } => Verdict::ignored("not acted on"),
    };
    inbox::settle(&mut tx, &job.inbox_id, verdict.status, verdict.org.as_ref(), &ctx.job.id, now).await.or_decide()?;
    tx.commit().await?;
    Ok(Outcome::done_with(json!({"verdict": verdict.word})))
}

/// The delivery that is being acted on.
struct Source<'a> {
    ctx: &'a JobContext<App>,
    inbox_id: &'a InboxId,
    by: Actor,
}

impl Source<'_> {
    async fn paid(&self, tx: &mut Tx, paid: PaymentSucceeded, now: Timestamp) -> Result<Verdict, JobError> {
        // Payments of other kinds, such as subscriptions, name no booking.
        let Some(booking_id) = paid.booking_id.map(BookingId::from) else {
            return Ok(Verdict::ignored("names no booking"));
        };
        let payment = Payment {
            booking_id: booking_id.clone(),
            payment_intent_id: Some(paid.payment_intent_id),
            received_minor: paid.amount_minor,
            currency: paid.currency,
        };
        match bookings::mark_paid(tx, &payment, &self.by, now).await {
            Ok(paid) => {
                self.doubt_amount(tx, &paid, &payment, now).await?;
                Follow::of_job(self.ctx).changed(tx, &paid.change, "stripe", &self.by).await?;
                Ok(Verdict::processed(&paid.change.booking.org_id, "paid"))
            }
            Err(Error::NotFound) => self.unmatched(tx, "payment_intent.succeeded", Some(&booking_id), now).await,
            Err(error) => Err(error).or_decide(),
        }
    }

    /// The booking is confirmed all the same; a person should look at the money.
    async fn doubt_amount(&self, tx: &mut Tx, paid: &Paid, payment: &Payment, now: Timestamp) -> Result<(), JobError> {
        let booking = &paid.change.booking;
        if let Some(mismatch) = &paid.amount_mismatch {
            let problem = self
                .payment_problem(booking, format!("payment_amount_mismatch:{}", booking.id))
                .title("A payment differs from its booking's price")
                .detail(json!({
                    "expectedMinor": mismatch.expected_minor, "expectedCurrency": mismatch.expected_currency,
                    "receivedMinor": mismatch.received_minor, "receivedCurrency": mismatch.received_currency,
                    "paymentIntentId": payment.payment_intent_id,
                }));
            exceptions::raise(tx, &problem, now).await.or_decide()?;
        }
        if paid.second_payment {
            let problem = self
                .payment_problem(booking, format!("payment_amount_mismatch:{}:second", booking.id))
                .title("A booking was paid twice")
                .detail(json!({
                    "firstPaymentIntentId": booking.stripe_payment_intent_id,
                    "secondPaymentIntentId": payment.payment_intent_id,
                    "receivedMinor": payment.received_minor,
                }));
            exceptions::raise(tx, &problem, now).await.or_decide()?;
        }
        Ok(())
    }

    fn payment_problem(&self, booking: &Booking, fingerprint: String) -> Problem {
        Problem::new("payment_amount_mismatch", Severity::Medium, fingerprint)
            .org(&booking.org_id)
            .booking(&booking.id)
            .client(&booking.client_id)
            .inbox(self.inbox_id)
    }

    /// Not final: the same payment may still succeed, and may already have. It is on record and changes nothing.
    async fn payment_failed(&self, tx: &mut Tx, failed: PaymentFailed, now: Timestamp) -> Result<Verdict, JobError> {
        let Some(booking_id) = failed.booking_id.map(BookingId::from) else {
            return Ok(Verdict::ignored("names no booking"));
        };
        match bookings::lock(tx, &booking_id).await {
            Ok(booking) => {
                let entry = Entry::new("booking.payment.failed", "warning", &self.by)
                    .org(&booking.org_id)
                    .booking(&booking.id)
                    .correlation(booking.id.as_str())
                    .metadata(json!({
                        "paymentIntentId": failed.payment_intent_id,
                        "code": failed.code, "declineCode": failed.decline_code,
                    }));
                audit::record(tx, entry, now).await.or_decide()?;
                Ok(Verdict::processed(&booking.org_id, "payment failed"))
            }
            Err(Error::NotFound) => self.unmatched(tx, "payment_intent.payment_failed", Some(&booking_id), now).await,
            Err(error) => Err(error).or_decide(),
        }
    }

    async fn refunded(&self, tx: &mut Tx, refunded: ChargeRefunded, now: Timestamp) -> Result<Verdict, JobError> {
        let booking_id = refunded.booking_id.map(BookingId::from);
        let refund = Refund {
            payment_intent_id: refunded.payment_intent_id,
            booking_id: booking_id.clone(),
            refunded_minor: refunded.amount_refunded_minor,
            complete: refunded.fully_refunded,
        };
        match bookings::mark_refunded(tx, &refund, &self.by, now).await {
            Ok(refunded) => Ok(Verdict::processed(&refunded.booking.org_id, "refunded")),
            Err(Error::NotFound) => self.unmatched(tx, "charge.refunded", booking_id.as_ref(), now).await,
            Err(error) => Err(error).or_decide(),
        }
    }

    async fn unmatched(
        &self,
        tx: &mut Tx,
        event_type: &'static str,
        booking: Option<&BookingId>,
        now: Timestamp,
    ) -> Result<Verdict, JobError> {
        let facts = json!({"eventType": event_type, "bookingId": booking});
        let entry = Entry::new("webhook.unmatched", "warning", &self.by).metadata(facts.clone());
        audit::record(tx, entry, now).await.or_decide()?;
        let problem =
            Problem::new("webhook_unmatched", Severity::Medium, format!("webhook_unmatched:{}", self.inbox_id))
                .title("Money moved for a booking that does not exist here")
                .detail(facts)
                .inbox(self.inbox_id);
        exceptions::raise(tx, &problem, now).await.or_decide()?;
        Ok(Verdict::UNMATCHED)
    }
}
