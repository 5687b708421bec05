//! The effect of the payment provider's reports on a booking.

use nightshift_db::Engine;
use nightshift_db::testing::each_engine;
use nightshift_domain::Error;
use nightshift_domain::bookings::{self, Paid, Payment, PaymentStatus, Refund, Refunded, Status};
use nightshift_domain::ids::BookingId;

use crate::fixture::*;

each_engine! {
    a_payment_confirms_a_pending_booking_once,
    twenty_concurrent_payments_confirm_once,
    another_amount_than_the_price_is_told_and_still_confirms,
    an_unknown_booking_is_not_found,
    a_cancelled_booking_keeps_its_status_but_remembers_the_money,
    refunds_are_totals_and_only_a_complete_one_refunds_the_booking,
    a_refund_that_overtakes_its_payment_is_kept,
    a_second_payment_is_told_and_changes_nothing,
    when_the_first_payment_goes_back_the_second_one_pays,
    a_booking_paid_before_payments_were_kept_keeps_its_payment,
    a_report_without_a_payments_id_neither_hides_nor_doubles_money,
    the_reports_of_two_payments_come_to_the_same_in_any_order,
    one_payment_may_name_several_bookings_in_turn,
    one_payment_may_name_several_bookings_at_the_same_moment,
}

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

async fn a_payment_confirms_a_pending_booking_once(engine: Engine) {
    on(engine, async |business| {
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

async fn twenty_concurrent_payments_confirm_once(engine: Engine) {
    on(engine, async |business| {
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

async fn another_amount_than_the_price_is_told_and_still_confirms(engine: Engine) {
    on(engine, async |business| {
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

async fn an_unknown_booking_is_not_found(engine: Engine) {
    on(engine, async |business| {
        let payment = payment(&BookingId::from("nobody".to_owned()), "pi_1", 1);
        let unknown = business.write(async |tx| bookings::mark_paid(tx, &payment, &webhook(), noon()).await).await;
        assert!(matches!(unknown, Err(Error::NotFound)));
        let refund = refund_of("pi_none", 1, true);
        let unknown = business.write(async |tx| bookings::mark_refunded(tx, &refund, &webhook(), noon()).await).await;
        assert!(matches!(unknown, Err(Error::NotFound)));
    })
    .await;
}

async fn a_cancelled_booking_keeps_its_status_but_remembers_the_money(engine: Engine) {
    on(engine, async |business| {
        let id = business.book(|_| {}).await.booking.id;
        business.write(async |tx| bookings::cancel(tx, &org(), &id, None, &owner(), noon()).await.unwrap()).await;
        let paid = pay(&business, payment(&id, "pi_1", 500)).await;
        assert!(paid.recorded && !paid.change.needs_confirm && paid.after_cancellation);
        let booking = paid.change.booking;
        assert_eq!((booking.status, booking.payment_status), (Status::Cancelled, PaymentStatus::Paid));
        // A report of the same payment changes nothing; another payment counts again.
        assert!(!pay(&business, payment(&id, "pi_1", 500)).await.after_cancellation);
        assert!(pay(&business, payment(&id, "pi_2", 500)).await.after_cancellation);
    })
    .await;
}

async fn refunds_are_totals_and_only_a_complete_one_refunds_the_booking(engine: Engine) {
    on(engine, async |business| {
        let id = business.book(|_| {}).await.booking.id;
        pay(&business, payment(&id, "pi_1", 10_000)).await;
        let part = refund(&business, refund_of("pi_1", 4000, false)).await;
        assert_eq!((part.booking.payment_status, part.booking.refunded_minor), (PaymentStatus::Paid, 4000));
        let all = refund(&business, refund_of("pi_1", 10_000, true)).await;
        assert_eq!((all.booking.payment_status, all.booking.refunded_minor), (PaymentStatus::Refunded, 10_000));
        assert_eq!(all.booking.status, Status::Confirmed);
        // The partial report arrives again late, and the complete one is repeated.
        assert!(!refund(&business, refund_of("pi_1", 4000, false)).await.recorded);
        assert!(!refund(&business, refund_of("pi_1", 10_000, true)).await.recorded);
        // The payment's own report is repeated after the refund.
        let late = pay(&business, payment(&id, "pi_1", 10_000)).await;
        assert_eq!(late.change.booking.payment_status, PaymentStatus::Refunded);
        assert!(!late.recorded && !late.change.needs_confirm);
    })
    .await;
}

async fn a_refund_that_overtakes_its_payment_is_kept(engine: Engine) {
    on(engine, async |business| {
        let id = business.book(|_| {}).await.booking.id;
        let early = Refund { booking_id: Some(id.clone()), ..refund_of("pi_1", 10_000, true) };
        assert!(refund(&business, early).await.recorded);
        let paid = pay(&business, payment(&id, "pi_1", 10_000)).await;
        assert_eq!(paid.change.booking.payment_status, PaymentStatus::Refunded);
        assert_eq!((paid.change.booking.status, paid.change.booking.paid_minor), (Status::Pending, 10_000));
        // Another payment pays the booking again.
        let paid = pay(&business, payment(&id, "pi_2", 10_000)).await;
        assert_eq!(paid.change.booking.payment_status, PaymentStatus::Paid);
        assert_eq!((paid.change.booking.status, paid.change.booking.refunded_minor), (Status::Confirmed, 0));
    })
    .await;
}

async fn a_second_payment_is_told_and_changes_nothing(engine: Engine) {
    on(engine, async |business| {
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

async fn when_the_first_payment_goes_back_the_second_one_pays(engine: Engine) {
    on(engine, async |business| {
        let id = business.book(|_| {}).await.booking.id;
        pay(&business, payment(&id, "pi_1", 10_000)).await;
        pay(&business, payment(&id, "pi_2", 9_000)).await;
        let back = refund(&business, refund_of("pi_1", 10_000, true)).await;
        assert_eq!(back.instead.and_then(|payment| payment.payment_intent_id).as_deref(), Some("pi_2"));
        let booking = back.booking;
        assert_eq!((booking.payment_status, booking.paid_minor), (PaymentStatus::Paid, 9_000));
        assert_eq!((booking.refunded_minor, booking.stripe_payment_intent_id.as_deref()), (0, Some("pi_2")));
        let back = refund(&business, refund_of("pi_2", 9_000, true)).await;
        assert!(back.instead.is_none());
        assert_eq!((back.booking.payment_status, back.booking.refunded_minor), (PaymentStatus::Refunded, 9_000));
        // The reports of both payments are repeated late.
        for intent in ["pi_1", "pi_2"] {
            let late = pay(&business, payment(&id, intent, 10_000)).await;
            assert!(!late.second_payment && !late.pays && !late.change.needs_confirm);
            assert_eq!(late.change.booking.payment_status, PaymentStatus::Refunded);
        }
    })
    .await;
}

async fn a_booking_paid_before_payments_were_kept_keeps_its_payment(engine: Engine) {
    on(engine, async |business| {
        let paid_long_ago = "UPDATE bookings SET status = 'confirmed', payment_status = 'paid', paid_minor = 10000,
                             refunded_minor = 1000, stripe_payment_intent_id = 'pi_old'";
        let id = business.book(|_| {}).await.booking.id;
        business.set(paid_long_ago).await;
        let second = pay(&business, payment(&id, "pi_new", 10_000)).await;
        assert!(second.second_payment && !second.recorded);
        let part = refund(&business, refund_of("pi_old", 2_000, false)).await.booking;
        assert_eq!((part.payment_status, part.paid_minor, part.refunded_minor), (PaymentStatus::Paid, 10_000, 2_000));
        let all = refund(&business, refund_of("pi_old", 10_000, true)).await.booking;
        assert_eq!(
            (all.payment_status, all.stripe_payment_intent_id.as_deref()),
            (PaymentStatus::Paid, Some("pi_new"))
        );
    })
    .await;
}

async fn a_report_without_a_payments_id_neither_hides_nor_doubles_money(engine: Engine) {
    on(engine, async |business| {
        let id = business.book(|_| {}).await.booking.id;
        let nameless = |minor| Payment { payment_intent_id: None, ..payment(&id, "", minor) };
        // A free checkout comes first, and the real payment replaces it.
        assert!(pay(&business, nameless(0)).await.pays);
        assert!(pay(&business, payment(&id, "pi_1", 10_000)).await.pays);
        for (minor, second) in [(0, false), (10_000, false), (5_000, true)] {
            let paid = pay(&business, nameless(minor)).await;
            assert_eq!((paid.recorded, paid.pays, paid.second_payment), (false, false, second), "{minor}");
            assert_eq!(paid.change.booking.paid_minor, 10_000);
        }
        let nameless_refund =
            Refund { payment_intent_id: None, booking_id: Some(id.clone()), ..refund_of("", 10_000, true) };
        assert_eq!(refund(&business, nameless_refund).await.booking.payment_status, PaymentStatus::Refunded);
        assert_eq!(
            pay(&business, payment(&id, "pi_1", 10_000)).await.change.booking.payment_status,
            PaymentStatus::Refunded
        );

        // The payment has no id, but its refund has one.
        let id = business.book(|_| {}).await.booking.id;
        pay(&business, Payment { payment_intent_id: None, ..payment(&id, "", 10_000) }).await;
        for (minor, complete, status) in [(4_000, false, PaymentStatus::Paid), (10_000, true, PaymentStatus::Refunded)]
        {
            let told = Refund { booking_id: Some(id.clone()), ..refund_of("pi_2", minor, complete) };
            let booking = refund(&business, told).await.booking;
            assert_eq!((booking.payment_status, booking.paid_minor, booking.refunded_minor), (status, 10_000, minor));
        }
    })
    .await;
}

/// A report: a payment arrived, or an amount of it was refunded in total.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Told {
    Paid(&'static str),
    Refunded(&'static str, i64),
}

/// Returns every distinct order of `events`.
fn orders(events: &[Told]) -> Vec<Vec<Told>> {
    if events.is_empty() {
        return vec![Vec::new()];
    }
    let mut first = events.to_vec();
    first.sort_unstable();
    first.dedup();
    let mut all = Vec::new();
    for one in first {
        let mut rest = events.to_vec();
        rest.remove(events.iter().position(|other| *other == one).unwrap());
        all.extend(orders(&rest).into_iter().map(|order| [vec![one], order].concat()));
    }
    all
}

async fn the_reports_of_two_payments_come_to_the_same_in_any_order(engine: Engine) {
    use Told::{Paid, Refunded};
    const ALL: i64 = 10_000;
    let (once, twice) = ([Paid("pi_1"), Paid("pi_2")], [Paid("pi_1"), Paid("pi_1"), Paid("pi_2"), Paid("pi_2")]);
    // The reports, and what the booking shows in the end: its payment status, the refunded amount of its payment, and
    // which payment that is.
    let cases = [
        ([&twice[..], &[Refunded("pi_1", ALL), Refunded("pi_2", ALL)]].concat(), PaymentStatus::Refunded, ALL, None),
        ([&twice[..], &[Refunded("pi_1", ALL)]].concat(), PaymentStatus::Paid, 0, Some("pi_2")),
        (
            [&once[..], &[Refunded("pi_1", 300), Refunded("pi_1", 500), Refunded("pi_2", ALL)]].concat(),
            PaymentStatus::Paid,
            500,
            Some("pi_1"),
        ),
    ];
    on(engine, async |business| {
        for (events, status, back, carries) in &cases {
            for order in orders(events) {
                let id = business.book(|_| {}).await.booking.id;
                // A payment belongs to one booking only, so each order gets its own ids.
                let own = |intent: &str| format!("{intent}:{id}");
                business
                    .write(async |tx| {
                        for told in &order {
                            match told {
                                Paid(intent) => {
                                    let payment = payment(&id, &own(intent), ALL);
                                    bookings::mark_paid(tx, &payment, &webhook(), noon()).await.unwrap();
                                }
                                // While the payment is unknown, the refund finds no booking.
                                Refunded(intent, minor) => {
                                    let refund = refund_of(&own(intent), *minor, *minor == ALL);
                                    match bookings::mark_refunded(tx, &refund, &webhook(), noon()).await {
                                        Ok(_) | Err(Error::NotFound) => {}
                                        Err(error) => panic!("{error}"),
                                    }
                                }
                            }
                        }
                    })
                    .await;
                let shown = business.write(async |tx| bookings::lock(tx, &id).await.unwrap()).await;
                let amounts = (shown.payment_status, shown.paid_minor, shown.refunded_minor);
                assert_eq!(amounts, (*status, ALL, *back), "{order:?}");
                if let Some(carries) = carries {
                    assert_eq!(shown.stripe_payment_intent_id, Some(own(carries)), "{order:?}");
                }
            }
        }
    })
    .await;
}

async fn one_payment_may_name_several_bookings_in_turn(engine: Engine) {
    on(engine, async |business| {
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

async fn one_payment_may_name_several_bookings_at_the_same_moment(engine: Engine) {
    on(engine, async |business| {
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
