//! What a payment provider's reports do to a booking.

use nightshift_domain::Error;
use nightshift_domain::bookings::{self, Paid, Payment, PaymentStatus, Refund, Refunded, Status};
use nightshift_domain::ids::BookingId;

use crate::fixture::*;

fn payment(booking: &BookingId, intent: &str, minor: i64) -> Payment {
    Payment {
        booking_id: booking.clone(),
        payment_intent_id: Some(intent.to_owned()),
        received_minor: minor,
        currency: Some("usd".to_owned()),
    }
}

async fn pay(business: &Business, payment: Payment) -> Paid {
    business.write(async |tx| bookings::mark_paid(tx, &payment, &webhook(), noon()).await.unwrap()).await
}

async fn refund(business: &Business, refund: Refund) -> Refunded {
    business.write(async |tx| bookings::mark_refunded(tx, &refund, &webhook(), noon()).await.unwrap()).await
}

fn refund_of(intent: &str, minor: i64, complete: bool) -> Refund {
    Refund { payment_intent_id: Some(intent.to_owned()), booking_id: None, refunded_minor: minor, complete }
}

#[tokio::test]
async fn a_payment_confirms_a_pending_booking_once() {
    on_both(async |business| {
        let id = business.book(|_| {}).await.booking.id;
        let first = pay(&business, payment(&id, "pi_test", 10_000)).await;
        assert!(first.recorded && first.change.needs_confirm && first.change.history_id.is_some());
        assert_eq!(first.amount_mismatch, None);
        let booking = &first.change.booking;
        assert_eq!((booking.status, booking.payment_status), (Status::Confirmed, PaymentStatus::Paid));
        assert_eq!((booking.paid_minor, booking.stripe_payment_intent_id.as_deref()), (10_000, Some("pi_test")));

        let again = pay(&business, payment(&id, "pi_test", 10_000)).await;
        assert!(!again.recorded && again.change.needs_confirm && again.change.history_id.is_none());
        assert_eq!(again.change.booking.version, booking.version);
        assert_eq!(business.count("SELECT COUNT(*) FROM booking_status_history").await, 2);
        let webhooks =
            "SELECT COUNT(*) FROM booking_status_history WHERE actor_type = 'webhook' AND source_ref = 'inbox-1'";
        assert_eq!(business.count(webhooks).await, 1);
    })
    .await;
}

#[tokio::test]
async fn twenty_concurrent_payments_confirm_once() {
    on_both(async |business| {
        let id = business.book(|_| {}).await.booking.id;
        let tasks: Vec<_> = (0..20)
            .map(|_| {
                let (db, payment) = (business.db.clone(), payment(&id, "pi_test", 10_000));
                tokio::spawn(async move {
                    let mut tx = db.begin().await.unwrap();
                    let paid = bookings::mark_paid(&mut tx, &payment, &webhook(), noon()).await.unwrap();
                    tx.commit().await.unwrap();
                    i32::from(paid.recorded)
                })
            })
            .collect();
        let mut recorded = 0;
        for task in tasks {
            recorded += task.await.unwrap();
        }
        assert_eq!(recorded, 1);
        assert_eq!(business.count("SELECT COUNT(*) FROM booking_status_history").await, 2);
    })
    .await;
}

#[tokio::test]
async fn another_amount_than_the_price_is_told_and_still_confirms() {
    on_both(async |business| {
        let id = business.book(|_| {}).await.booking.id;
        business.set("UPDATE bookings SET total_minor = 9000, currency = 'USD'").await;
        let paid = pay(&business, payment(&id, "pi_1", 10_000)).await;
        let mismatch = paid.amount_mismatch.expect("a mismatch");
        assert_eq!((mismatch.expected_minor, mismatch.received_minor), (9000, 10_000));
        assert_eq!(paid.change.booking.status, Status::Confirmed);
        business.set("UPDATE bookings SET total_minor = 10000").await;
        assert_eq!(pay(&business, payment(&id, "pi_1", 10_000)).await.amount_mismatch, None);
    })
    .await;
}

#[tokio::test]
async fn an_unknown_booking_is_not_found() {
    on_both(async |business| {
        let payment = payment(&BookingId::from("nobody".to_owned()), "pi_1", 1);
        let unknown = business.write(async |tx| bookings::mark_paid(tx, &payment, &webhook(), noon()).await).await;
        assert!(matches!(unknown, Err(Error::NotFound)));
        let refund = refund_of("pi_none", 1, true);
        let unknown = business.write(async |tx| bookings::mark_refunded(tx, &refund, &webhook(), noon()).await).await;
        assert!(matches!(unknown, Err(Error::NotFound)));
    })
    .await;
}

#[tokio::test]
async fn a_cancelled_booking_keeps_its_status_but_remembers_the_money() {
    on_both(async |business| {
        let id = business.book(|_| {}).await.booking.id;
        business.write(async |tx| bookings::cancel(tx, &org(), &id, None, &owner(), noon()).await.unwrap()).await;
        let paid = pay(&business, payment(&id, "pi_1", 500)).await;
        assert!(paid.recorded && !paid.change.needs_confirm && paid.after_cancellation);
        let booking = paid.change.booking;
        assert_eq!((booking.status, booking.payment_status), (Status::Cancelled, PaymentStatus::Paid));
        // The same payment once more is no news; another one is.
        assert!(!pay(&business, payment(&id, "pi_1", 500)).await.after_cancellation);
        assert!(pay(&business, payment(&id, "pi_2", 500)).await.after_cancellation);
    })
    .await;
}

#[tokio::test]
async fn refunds_are_totals_and_only_a_complete_one_refunds_the_booking() {
    on_both(async |business| {
        let id = business.book(|_| {}).await.booking.id;
        pay(&business, payment(&id, "pi_1", 10_000)).await;
        let part = refund(&business, refund_of("pi_1", 4000, false)).await;
        assert_eq!((part.booking.payment_status, part.booking.refunded_minor), (PaymentStatus::Paid, 4000));
        let all = refund(&business, refund_of("pi_1", 10_000, true)).await;
        assert_eq!((all.booking.payment_status, all.booking.refunded_minor), (PaymentStatus::Refunded, 10_000));
        assert_eq!(all.booking.status, Status::Confirmed);
        // The partial report again, late, and the complete one again.
        assert!(!refund(&business, refund_of("pi_1", 4000, false)).await.recorded);
        assert!(!refund(&business, refund_of("pi_1", 10_000, true)).await.recorded);
        // The payment's own report once more, after all.
        let late = pay(&business, payment(&id, "pi_1", 10_000)).await;
        assert_eq!(late.change.booking.payment_status, PaymentStatus::Refunded);
        assert!(!late.recorded && !late.change.needs_confirm);
    })
    .await;
}

#[tokio::test]
async fn a_refund_that_overtakes_its_payment_is_kept() {
    on_both(async |business| {
        let id = business.book(|_| {}).await.booking.id;
        let early = Refund { booking_id: Some(id.clone()), ..refund_of("pi_1", 10_000, true) };
        assert!(refund(&business, early).await.recorded);
        let paid = pay(&business, payment(&id, "pi_1", 10_000)).await;
        assert_eq!(paid.change.booking.payment_status, PaymentStatus::Refunded);
        assert_eq!((paid.change.booking.status, paid.change.booking.paid_minor), (Status::Pending, 10_000));
        // Paid once more, by another payment.
        let paid = pay(&business, payment(&id, "pi_2", 10_000)).await;
        assert_eq!(paid.change.booking.payment_status, PaymentStatus::Paid);
        assert_eq!((paid.change.booking.status, paid.change.booking.refunded_minor), (Status::Confirmed, 0));
    })
    .await;
}

#[tokio::test]
async fn a_second_payment_is_told_and_changes_nothing() {
    on_both(async |business| {
        let id = business.book(|_| {}).await.booking.id;
        pay(&business, payment(&id, "pi_1", 10_000)).await;
        let second = pay(&business, payment(&id, "pi_2", 10_000)).await;
        assert!(second.second_payment && !second.recorded);
        assert_eq!(second.change.booking.stripe_payment_intent_id.as_deref(), Some("pi_1"));
        let other = Refund { booking_id: Some(id), ..refund_of("pi_2", 10_000, true) };
        assert!(!refund(&business, other).await.recorded);
    })
    .await;
}

#[tokio::test]
async fn one_payment_may_name_several_bookings_in_turn() {
    on_both(async |business| {
        for _ in 0..2 {
            let id = business.book(|_| {}).await.booking.id;
            let paid = pay(&business, payment(&id, "pi_test", 10_000)).await;
            assert_eq!(paid.change.booking.status, Status::Confirmed);
        }
        let carried = "SELECT COUNT(*) FROM bookings WHERE stripe_payment_intent_id = 'pi_test'";
        assert_eq!(business.count(carried).await, 1);
    })
    .await;
}

#[tokio::test]
async fn one_payment_may_name_several_bookings_at_the_same_moment() {
    on_both(async |business| {
        let mut ids = Vec::new();
        for _ in 0..8 {
            ids.push(business.book(|_| {}).await.booking.id);
        }
        let tasks: Vec<_> = ids
            .iter()
            .map(|id| {
                let (db, payment) = (business.db.clone(), payment(id, "pi_test", 10_000));
                tokio::spawn(async move {
                    let mut tx = db.begin().await.unwrap();
                    bookings::mark_paid(&mut tx, &payment, &webhook(), noon()).await.unwrap();
                    tx.commit().await.unwrap();
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(business.count("SELECT COUNT(*) FROM bookings WHERE status = 'confirmed'").await, 8);
        let carried = "SELECT COUNT(*) FROM bookings WHERE stripe_payment_intent_id = 'pi_test'";
        assert_eq!(business.count(carried).await, 1);
    })
    .await;
}
