//! Converts Stripe's facts about payments into reports for the rules of payments.

use nightshift_db::{Timestamp, Tx};
use nightshift_domain::bookings::payments::{
    Handled, PaymentReport, Refusal, ReportedCheckout, ReportedInvoice, ReportedPayment, ReportedRefund,
};
use nightshift_providers::stripe::{Checkout, PaymentStatus, StripeFact};

/// Reports a fact to the domain.
pub(super) async fn tell(
    report: &PaymentReport<'_>,
    tx: &mut Tx,
    fact: StripeFact,
    now: Timestamp,
) -> nightshift_domain::Result<Handled> {
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

/// Returns why a checkout reports no payment, if it does not.
fn no_money(checkout: &Checkout) -> Option<&'static str> {
    match checkout.payment_status {
        // A slow payment method pays later, with an event of its own.
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
        // Subscriptions, and checkouts that name a client, belong to a client and not to a booking.
        of_client: checkout.client_id.is_some() || checkout.mode.as_deref() == Some("subscription"),
        amount_minor: checkout.amount_total_minor,
        currency: checkout.currency.as_deref(),
    }
}
