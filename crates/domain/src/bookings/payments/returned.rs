//! Reports of failed payments and of refunds.

use nightshift_db::{Timestamp, Tx};
use serde_json::json;

use super::doubts::given_back;
use super::received::{NO_SUCH, ReportedPayment};
use super::report::{Handled, PaymentReport, hold};
use super::unplaced::{Unplaced, explained};
use super::{Refund, mark_refunded};
use crate::audit::{self, Entry, Event};
use crate::bookings::lock;
use crate::ids::BookingId;
use crate::{Error, Result};

/// Why a payment failed, in the provider's words.
#[derive(Debug, Clone, Copy)]
pub struct Refusal<'a> {
    /// The kind of failure.
    pub code: Option<&'a str>,
    /// The reason why a card was declined.
    pub decline_code: Option<&'a str>,
}

/// A refund as the provider reports it, in part or in full.
#[derive(Debug, Clone, Copy)]
pub struct ReportedRefund<'a> {
    pub payment_intent_id: Option<&'a str>,
    /// The booking that the report names.
    pub booking_id: Option<&'a str>,
    /// Amount of the payment, in minor units.
    pub amount_minor: Option<i64>,
    /// Refunded so far, in minor units. This is the running total.
    pub refunded_minor: Option<i64>,
    /// Whether the whole payment was refunded.
    pub complete: bool,
    pub currency: Option<&'a str>,
}

impl PaymentReport<'_> {
    /// Records a failed payment in the audit log. The booking stays unchanged: the same payment may still succeed, or
    /// already has.
    pub async fn payment_failed(
        &self,
        tx: &mut Tx,
        failed: ReportedPayment<'_>,
        refusal: Refusal<'_>,
        now: Timestamp,
    ) -> Result<Handled> {
        let Some(booking_id) = failed.booking_id.map(BookingId::from) else {
            return Ok(Handled::ignored("names no booking"));
        };
        match lock(tx, &booking_id).await {
            Ok(booking) => {
                let entry = Entry::new(Event::BookingPaymentFailed, "warning", self.by)
                    .org(&booking.org_id)
                    .booking(&booking.id)
                    .correlation(booking.id.as_str())
                    .metadata(json!({
                        "paymentIntentId": failed.payment_intent_id,
                        "code": refusal.code, "declineCode": refusal.decline_code,
                    }));
                audit::record(tx, entry, now).await?;
                Ok(Handled::of(&booking.org_id, "payment failed"))
            }
            Err(Error::NotFound) => {
                let money = Unplaced {
                    reason: NO_SUCH,
                    payment_intent_id: failed.payment_intent_id,
                    session_id: None,
                    names: failed.booking_id,
                    amount_minor: failed.amount_minor,
                    currency: failed.currency,
                };
                self.unknown(tx, money, now).await
            }
            Err(error) => Err(error),
        }
    }

    /// Records a refund and resolves the exceptions that it settles.
    pub async fn refunded(&self, tx: &mut Tx, refunded: ReportedRefund<'_>, now: Timestamp) -> Result<Handled> {
        let known = hold(tx, refunded.payment_intent_id, now).await?;
        let all = refunded.amount_minor.filter(|_| refunded.complete);
        let money = Unplaced {
            reason: "a refund whose payment is not known here",
            payment_intent_id: refunded.payment_intent_id,
            session_id: None,
            names: refunded.booking_id,
            amount_minor: refunded.refunded_minor,
            currency: refunded.currency,
        };
        let Some(refunded_minor) = refunded.refunded_minor.or(all) else {
            return self.unknown(tx, Unplaced { reason: "its amount can't be read", ..money }, now).await;
        };
        let refund = Refund {
            payment_intent_id: refunded.payment_intent_id.map(str::to_owned),
            booking_id: refunded.booking_id.map(BookingId::from),
            refunded_minor,
            complete: refunded.complete,
        };
        let marked = match mark_refunded(tx, &refund, self.by, now).await {
            Ok(marked) => Some(marked),
            Err(Error::NotFound) => None,
            Err(error) => return Err(error),
        };
        let gone = refunded.payment_intent_id.filter(|_| refunded.complete);
        if let Some(id) = gone {
            given_back(tx, id, marked.as_ref().map(|marked| &marked.booking.id), now).await?;
        }
        match marked {
            Some(marked) => {
                if let Some(id) = refunded.payment_intent_id {
                    explained(tx, id, "its booking was found", now).await?;
                }
                if let Some(instead) = &marked.instead {
                    self.pays(tx, &marked.booking, instead, marked.amount_mismatch.as_ref(), now).await?;
                }
                Ok(Handled::of(&marked.booking.org_id, "refunded"))
            }
            // An exception about this payment is open already, unless it was fully refunded.
            None if known.received_minor.is_some() || known.of_client => {
                if let Some(id) = gone {
                    explained(tx, id, "the payment was refunded", now).await?;
                }
                Ok(Handled::of_nobody("refunded"))
            }
            None => self.unknown(tx, money, now).await,
        }
    }
}
