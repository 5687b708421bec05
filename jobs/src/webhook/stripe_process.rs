//! Acts on what Stripe told: a payment confirms its booking, a refund is noted, the rest is kept and left alone.
//!
//! Stripe delivers late, twice and in any order; the rules it calls take that. A payment may be told by the payment
//! itself, by the checkout it came through, or by both, of which only one may name the booking. Money that belongs to
//! nothing here is put in front of people, until a later event explains it.

use std::collections::BTreeSet;
use std::time::Duration;

use nightshift_db::{Timestamp, Tx};
use nightshift_domain::Error;
use nightshift_domain::actor::Actor;
use nightshift_domain::audit::{self, Entry};
use nightshift_domain::bookings::known_payments::{self, Known};
use nightshift_domain::bookings::{self, Payment, Refund};
use nightshift_domain::ids::{BookingId, InboxId, OrgId};
use nightshift_domain::inbox::{self, InboxStatus};
use nightshift_providers::stripe::{
    ChargeRefunded, Checkout, Event, InvoicePaid, PaymentFailed, PaymentStatus, PaymentSucceeded, StripeFact,
};
use nightshift_queue::{Handler, Job, JobContext, JobError, JobResult, Keys, OrFail, Outcome, Policy, Subject};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::decide::OrDecide;
use crate::follow::Follow;
use crate::money::{self, Told, Unplaced};
use crate::webhook::{ActsOnDelivery, DeliveryHooks, key};
use crate::{App, subject};

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

    /// Acted on, for no organisation.
    fn of_nobody(word: &'static str) -> Self {
        Self { status: InboxStatus::Processed, org: None, word }
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
        let told = Told {
            inbox_id: &self.inbox_id,
            by: &by,
            event_type: event.kind.as_deref().unwrap_or_default(),
            event_id: event.id.as_deref(),
            livemode: event.livemode,
        };
        let source = Source { ctx: &ctx, told, by: &by, now: ctx.now() };
        let verdict = match event.fact() {
            StripeFact::PaymentSucceeded(payment) => source.paid(&mut tx, payment).await?,
            StripeFact::Checkout(checkout) => source.checked_out(&mut tx, checkout).await?,
            StripeFact::PaymentFailed(failure) => source.payment_failed(&mut tx, failure).await?,
            StripeFact::ChargeRefunded(refund) => source.refunded(&mut tx, refund).await?,
            StripeFact::InvoicePaid(invoice) => source.invoice_paid(&mut tx, invoice).await?,
            StripeFact::InvoicePaymentFailed(_) | StripeFact::SubscriptionDeleted(_) | StripeFact::Other => {
                Verdict::ignored("not acted on")
            }
        };
        let now = source.now;
        inbox::settle(&mut tx, &self.inbox_id, verdict.status, verdict.org.as_ref(), &ctx.job.id, now)
            .await
            .or_decide()?;
        tx.commit().await?;
        Ok(Outcome::done_with(json!({"verdict": verdict.word})))
    }
}

/// The delivery that is being acted on.
struct Source<'a> {
    ctx: &'a JobContext<App>,
    told: Told<'a>,
    by: &'a Actor,
    now: Timestamp,
}

impl Source<'_> {
    /// The payment tells of itself. A checkout may have named its booking before, or may do so later.
    async fn paid(&self, tx: &mut Tx, paid: PaymentSucceeded) -> Result<Verdict, JobError> {
        let known = self.hold(tx, paid.payment_intent_id.as_deref()).await?;
        let (payment_intent_id, currency) = (paid.payment_intent_id.as_deref(), paid.currency.as_deref());
        if let (Some(id), Some(minor)) = (payment_intent_id, paid.amount_minor) {
            known_payments::received(tx, id, minor, currency).await.or_decide()?;
        }
        let unplaced = Unplaced {
            reason: "names no booking",
            payment_intent_id,
            session_id: None,
            names: paid.booking_id.as_deref(),
            amount_minor: paid.amount_minor,
            currency,
        };
        let Some(booking_id) = paid.booking_id.clone().map(BookingId::from).or_else(|| known.booking_id.clone()) else {
            if known.of_client || known.fully_refunded {
                if let Some(id) = payment_intent_id {
                    money::explained(tx, id, "what it was is known", self.now).await?;
                }
                return Ok(Verdict::ignored("names no booking, and what it was is known"));
            }
            return self.unplaced(tx, unplaced).await;
        };
        let Some(received_minor) = paid.amount_minor else {
            return self.unplaced(tx, Unplaced { reason: "its amount can't be read", ..unplaced }).await;
        };
        let payment = Payment {
            booking_id,
            payment_intent_id: paid.payment_intent_id.clone(),
            received_minor,
            currency: paid.currency.clone(),
        };
        self.place(tx, payment, &known, unplaced).await
    }

    /// A checkout tells which booking its payment is for. A slow payment method pays later, by an event of its own.
    async fn checked_out(&self, tx: &mut Tx, checkout: Checkout) -> Result<Verdict, JobError> {
        match checkout.payment_status {
            PaymentStatus::Paid | PaymentStatus::NoPaymentRequired => {}
            PaymentStatus::Unpaid => return Ok(Verdict::ignored("not paid yet")),
            PaymentStatus::Unknown => return Ok(Verdict::ignored("does not say that it was paid")),
        }
        if checkout.mode.as_deref() == Some("setup") {
            return Ok(Verdict::ignored("keeps a way to pay and moves no money"));
        }
        // The payment is held before any booking, by whoever acts on either.
        let known = self.hold(tx, checkout.payment_intent_id.as_deref()).await?;
        let booking_id = self.named(tx, &checkout).await?;
        let booking_id = booking_id.or_else(|| known.booking_id.clone());
        if booking_id.is_none() && (known.of_client || of_a_client(&checkout)) {
            if let Some(id) = &checkout.payment_intent_id {
                known_payments::is_of_client(tx, id).await.or_decide()?;
                money::explained(tx, id, "a client's checkout, not for a booking", self.now).await?;
            }
            return Ok(Verdict::ignored("names a client and no booking"));
        }
        // The payment's own report is the better witness of what came in.
        let received_minor = known.received_minor.or(checkout.amount_total_minor);
        let currency = known.currency.clone().or_else(|| checkout.currency.clone());
        if let (Some(id), None, Some(minor)) = (&checkout.payment_intent_id, known.received_minor, received_minor) {
            known_payments::received(tx, id, minor, currency.as_deref()).await.or_decide()?;
        }
        let unplaced = Unplaced {
            reason: "names no booking",
            payment_intent_id: checkout.payment_intent_id.as_deref(),
            session_id: checkout.session_id.as_deref(),
            names: checkout.booking_id.as_deref().or(checkout.reference.as_deref()),
            amount_minor: received_minor,
            currency: currency.as_deref(),
        };
        let (Some(booking_id), Some(received_minor)) = (booking_id.clone(), received_minor) else {
            let nothing = received_minor == Some(0) || known.fully_refunded;
            if let (Some(id), true) = (&checkout.payment_intent_id, known.fully_refunded) {
                money::explained(tx, id, "the payment was refunded", self.now).await?;
            }
            return match booking_id {
                None if nothing => Ok(Verdict::ignored("names no booking and brought no money")),
                None => self.unplaced(tx, unplaced).await,
                Some(_) => self.unplaced(tx, Unplaced { reason: "its amount can't be read", ..unplaced }).await,
            };
        };
        let payment = Payment {
            booking_id,
            payment_intent_id: checkout.payment_intent_id.clone(),
            received_minor,
            currency: currency.clone(),
        };
        self.place(tx, payment, &known, unplaced).await
    }

    /// The payment goes to its booking, which may be paid by it already.
    async fn place(
        &self,
        tx: &mut Tx,
        mut payment: Payment,
        known: &Known,
        unplaced: Unplaced<'_>,
    ) -> Result<Verdict, JobError> {
        let mut paid = bookings::mark_paid(tx, &payment, self.by, self.now).await;
        if let (Err(Error::NotFound), Some(placed)) = (&paid, &known.booking_id) {
            payment.booking_id = placed.clone();
            paid = bookings::mark_paid(tx, &payment, self.by, self.now).await;
        }
        if let Err(Error::NotFound) = paid {
            let reason = "names a booking that does not exist here";
            return self.unplaced(tx, Unplaced { reason, ..unplaced }).await;
        }
        let paid = paid.or_decide()?;
        if let Some(id) = &payment.payment_intent_id {
            money::explained(tx, id, "its booking was found", self.now).await?;
        }
        self.told.doubts(tx, &paid, &payment, self.now).await?;
        Follow::of_job(self.ctx).changed(tx, &paid.change, "stripe", self.by).await?;
        Ok(Verdict::processed(&paid.change.booking.org_id, "paid"))
    }

    /// Not final: the same payment may still succeed, and may already have. It is on record and changes nothing.
    async fn payment_failed(&self, tx: &mut Tx, failed: PaymentFailed) -> Result<Verdict, JobError> {
        let Some(booking_id) = failed.booking_id.clone().map(BookingId::from) else {
            return Ok(Verdict::ignored("names no booking"));
        };
        match bookings::lock(tx, &booking_id).await {
            Ok(booking) => {
                let entry = Entry::new(audit::Event::BookingPaymentFailed, "warning", self.by)
                    .org(&booking.org_id)
                    .booking(&booking.id)
                    .correlation(booking.id.as_str())
                    .metadata(json!({
                        "paymentIntentId": failed.payment_intent_id,
                        "code": failed.code, "declineCode": failed.decline_code,
                    }));
                audit::record(tx, entry, self.now).await.or_decide()?;
                Ok(Verdict::processed(&booking.org_id, "payment failed"))
            }
            Err(Error::NotFound) => {
                let unknown = Unplaced {
                    reason: "names a booking that does not exist here",
                    payment_intent_id: failed.payment_intent_id.as_deref(),
                    session_id: None,
                    names: failed.booking_id.as_deref(),
                    amount_minor: failed.amount_minor,
                    currency: failed.currency.as_deref(),
                };
                self.told.unknown(tx, &unknown, self.now).await?;
                Ok(Verdict::of_nobody("unmatched"))
            }
            Err(error) => Err(error).or_decide(),
        }
    }

    async fn refunded(&self, tx: &mut Tx, refunded: ChargeRefunded) -> Result<Verdict, JobError> {
        let known = self.hold(tx, refunded.payment_intent_id.as_deref()).await?;
        let all = refunded.amount_minor.filter(|_| refunded.fully_refunded);
        let unknown = Unplaced {
            reason: "a refund whose payment is not known here",
            payment_intent_id: refunded.payment_intent_id.as_deref(),
            session_id: None,
            names: refunded.booking_id.as_deref(),
            amount_minor: refunded.amount_refunded_minor,
            currency: refunded.currency.as_deref(),
        };
        let Some(refunded_minor) = refunded.amount_refunded_minor.or(all) else {
            let unreadable = Unplaced { reason: "its amount can't be read", ..unknown };
            self.told.unknown(tx, &unreadable, self.now).await?;
            return Ok(Verdict::of_nobody("unmatched"));
        };
        let complete = refunded.fully_refunded;
        let refund = Refund {
            payment_intent_id: refunded.payment_intent_id.clone(),
            booking_id: refunded.booking_id.clone().map(BookingId::from),
            refunded_minor,
            complete,
        };
        let marked = match bookings::mark_refunded(tx, &refund, self.by, self.now).await {
            Ok(marked) => Some(marked),
            Err(Error::NotFound) => None,
            Err(error) => return Err(error).or_decide(),
        };
        if let (Some(id), true) = (&refunded.payment_intent_id, complete) {
            let booking = marked.as_ref().map(|marked| &marked.booking.id);
            money::given_back(tx, id, booking, self.now).await?;
        }
        match marked {
            Some(marked) => {
                if let Some(id) = &refunded.payment_intent_id {
                    money::explained(tx, id, "its booking was found", self.now).await?;
                }
                if let Some(instead) = &marked.instead {
                    let differs = marked.amount_mismatch.as_ref();
                    self.told.pays(tx, &marked.booking, instead, differs, self.now).await?;
                }
                Ok(Verdict::processed(&marked.booking.org_id, "refunded"))
            }
            // People look for what this payment was for already, unless all of it is gone.
            None if known.received_minor.is_some() || known.of_client => {
                if let (Some(id), true) = (&refunded.payment_intent_id, complete) {
                    money::explained(tx, id, "the payment was refunded", self.now).await?;
                }
                Ok(Verdict::of_nobody("refunded"))
            }
            None => {
                self.told.unknown(tx, &unknown, self.now).await?;
                Ok(Verdict::of_nobody("unmatched"))
            }
        }
    }

    /// An invoice may name the booking that its payment is for. The payment of a subscription's is for none.
    async fn invoice_paid(&self, tx: &mut Tx, invoice: InvoicePaid) -> Result<Verdict, JobError> {
        let mut verdict = Verdict::ignored("not acted on");
        // All payments are held before any booking, and always in the same order.
        let payments: BTreeSet<&str> = invoice.payment_intent_ids.iter().map(String::as_str).collect();
        for id in &payments {
            self.hold(tx, Some(id)).await?;
        }
        for id in payments {
            if let Some(booking) = &invoice.booking_id {
                verdict = self.invoiced(tx, &invoice, id, booking).await?;
            } else if invoice.of_subscription {
                known_payments::is_of_client(tx, id).await.or_decide()?;
                money::explained(tx, id, "it paid a subscription", self.now).await?;
            }
        }
        Ok(verdict)
    }

    /// The invoice tells which booking this payment of it is for.
    async fn invoiced(
        &self,
        tx: &mut Tx,
        invoice: &InvoicePaid,
        payment: &str,
        booking: &str,
    ) -> Result<Verdict, JobError> {
        let known = self.hold(tx, Some(payment)).await?;
        // The payment's own report is the better witness, and an invoice tells only what all of its payments came to.
        let only = invoice.amount_paid_minor.filter(|_| invoice.payment_intent_ids.iter().all(|id| id == payment));
        let received_minor = known.received_minor.or(only);
        let currency = known.currency.clone().or_else(|| invoice.currency.clone());
        let unplaced = Unplaced {
            reason: "names no booking",
            payment_intent_id: Some(payment),
            session_id: None,
            names: Some(booking),
            amount_minor: received_minor,
            currency: currency.as_deref(),
        };
        let booking_id = BookingId::from(booking);
        let Some(received_minor) = received_minor else {
            // The payment's own report, which is still to come, finds the booking here.
            return match bookings::lock(tx, &booking_id).await {
                Ok(booking) => {
                    known_payments::place(tx, payment, &booking.id).await.or_decide()?;
                    Ok(Verdict::processed(&booking.org_id, "its payment is still to be told"))
                }
                Err(Error::NotFound) => {
                    let reason = "names a booking that does not exist here";
                    self.unplaced(tx, Unplaced { reason, ..unplaced }).await
                }
                Err(error) => Err(error).or_decide(),
            };
        };
        let payment = Payment {
            booking_id,
            payment_intent_id: Some(payment.to_owned()),
            received_minor,
            currency: currency.clone(),
        };
        self.place(tx, payment, &known, unplaced).await
    }

    async fn unplaced(&self, tx: &mut Tx, money: Unplaced<'_>) -> Result<Verdict, JobError> {
        self.told.unplaced(tx, &money, self.now).await?;
        Ok(Verdict::of_nobody(if money.names.is_none() { "names no booking" } else { "unmatched" }))
    }

    async fn hold(&self, tx: &mut Tx, payment: Option<&str>) -> Result<Known, JobError> {
        match payment {
            Some(id) => known_payments::hold(tx, id, self.now).await.or_decide(),
            None => Ok(Known::default()),
        }
    }

    /// The booking that a checkout names. Its reference counts only when it is one: it may be a client's id as well.
    async fn named(&self, tx: &mut Tx, checkout: &Checkout) -> Result<Option<BookingId>, JobError> {
        for id in [&checkout.booking_id, &checkout.reference].into_iter().flatten() {
            match bookings::lock(tx, &BookingId::from(id.as_str())).await {
                Ok(booking) => return Ok(Some(booking.id)),
                Err(Error::NotFound) => {}
                Err(error) => return Err(error).or_decide(),
            }
        }
        Ok(checkout.booking_id.clone().map(BookingId::from))
    }
}

/// Subscriptions, and checkouts that say whose they are, are matters of a client.
fn of_a_client(checkout: &Checkout) -> bool {
    checkout.client_id.is_some() || matches!(checkout.mode.as_deref(), Some("subscription" | "setup"))
}
