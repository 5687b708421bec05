//! Money finds its booking, whichever report names it and in whichever order; what finds none is put before people.

use nightshift_db::Engine;
use nightshift_db::testing::each_engine;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::business::{self, paid};
use crate::support::nightshift::on_with;
use crate::support::{Nightshift, on};

each_engine! {
    a_checkout_that_names_the_booking_confirms_it_in_either_order_and_the_money_counts_once,
    a_checkout_whose_metadata_name_nothing_known_is_placed_by_its_reference,
    a_checkout_and_its_payment_at_the_same_moment_leave_no_alarm,
    a_checkout_that_is_not_paid_waits_for_its_payment,
    a_payment_for_a_cancelled_booking_is_put_before_people_until_it_is_refunded,
    a_second_payment_is_put_before_people_until_it_is_refunded,
    money_that_belongs_to_nothing_known_here_is_put_before_people,
    money_for_a_clients_own_matters_is_no_alarm,
    a_refund_that_came_before_the_booking_was_known_is_kept,
    another_currency_another_price_and_nothing_at_all_are_put_before_people,
    a_payment_that_went_back_never_pays_again,
    a_payment_that_went_back_before_its_booking_was_known_confirms_nothing_and_leaves_no_alarm,
    the_payment_that_is_kept_pays_when_the_first_one_goes_back,
    a_checkout_that_brought_no_money_leaves_a_payment_alone,
    a_one_off_invoice_pays_the_booking_it_names_and_explains_no_other_money,
    a_refund_told_before_its_payment_is_explained_with_it,
    a_checkouts_amount_gives_way_to_what_the_payment_says,
    what_people_typed_in_place_of_an_id_is_not_shown,
}

/// A payment that says nothing of a booking.
fn bare(event: &str, intent: &str, minor: i64) -> Value {
    let mut event = nightshift_lab::simulator::payment_succeeded(event, intent, "", minor, "usd");
    event["data"]["object"]["metadata"] = json!({});
    event
}

/// A checkout of that payment.
fn checkout(event: &str, intent: &str, status: &str, more: Value) -> Value {
    let mut session = json!({
        "id": format!("cs_{intent}"), "object": "checkout.session", "mode": "payment", "payment_status": status,
        "status": "complete", "amount_total": 10_000, "currency": "usd", "payment_intent": intent,
    });
    session.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({"id": event, "object": "event", "livemode": true, "type": "checkout.session.completed",
           "data": {"object": session}})
}

/// A paid invoice that names its payment, and what `more` says.
fn invoice(event: &str, intent: &str, more: Value) -> Value {
    let mut invoice = json!({
        "id": format!("in_{intent}"), "object": "invoice", "payment_intent": intent, "amount_paid": 10_000,
        "currency": "usd",
    });
    invoice.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({"id": event, "object": "event", "type": "invoice.paid", "data": {"object": invoice}})
}

fn refund(event: &str, intent: &str, minor: i64, complete: bool) -> Value {
    json!({"id": event, "object": "event", "type": "charge.refunded", "data": {"object": {
        "id": "ch_1", "payment_intent": intent, "amount": 10_000, "amount_refunded": minor, "refunded": complete,
        "currency": "usd"}}})
}

/// Delivers events one after the other, each when the one before has been acted on. Only Stripe's are counted: the
/// reports about a confirmation's text come at any time.
async fn deliver(nightshift: &Nightshift, events: &[Value]) {
    for event in events {
        let before = nightshift.webhooks("stripe").handled().count().await;
        nightshift.stripe(event).await.expect(200);
        nightshift.webhooks("stripe").handled().until(before + 1).await;
    }
    nightshift.quiet().await;
    assert_eq!(nightshift.all_jobs().dead().count().await, 0);
}

/// Type and details of what stands before people, oldest first.
async fn open(nightshift: &Nightshift) -> Vec<(String, Value)> {
    let open = nightshift.all_exceptions().open().all().await;
    open.into_iter().map(|exception| (exception.kind, exception.detail.0)).collect()
}

async fn booking(nightshift: &Nightshift, id: &str) -> (String, String) {
    let shown = nightshift.get(&format!("/api/bookings/{id}")).await.expect(200).json()["booking"].clone();
    (shown["status"].as_str().unwrap().to_owned(), shown["paymentStatus"].as_str().unwrap().to_owned())
}

fn is(status: &str, payment: &str) -> (String, String) {
    (status.to_owned(), payment.to_owned())
}

async fn a_checkout_that_names_the_booking_confirms_it_in_either_order_and_the_money_counts_once(engine: Engine) {
    on(engine, async |nightshift| {
        for (n, session_first) in [false, true].into_iter().enumerate() {
            let id = nightshift.book_as(business::booking_of(n)).await;
            let intent = format!("pi_{n}");
            let named =
                if session_first { json!({"client_reference_id": id}) } else { json!({"metadata": {"bookingId": id}}) };
            let payment = bare(&format!("evt_pi_{n}"), &intent, 10_000);
            let session = checkout(&format!("evt_cs_{n}"), &intent, "paid", named);
            if session_first {
                deliver(&nightshift, &[session, payment]).await;
            } else {
                deliver(&nightshift, std::slice::from_ref(&payment)).await;
                let raised = open(&nightshift).await;
                assert_eq!((raised.len(), raised[0].0.as_str()), (1, "payment_unmatched"));
                assert_eq!((&raised[0].1["amountMinor"], &raised[0].1["currency"]), (&json!(10_000), &json!("usd")));
                assert_eq!(
                    (&raised[0].1["paymentIntentId"], &raised[0].1["eventId"]),
                    (&json!(intent), &json!("evt_pi_0"))
                );
                deliver(&nightshift, &[session]).await;
            }
            assert_eq!(booking(&nightshift, &id).await, is("confirmed", "paid"));
        }
        assert_eq!(open(&nightshift).await, []);
        let bookings = nightshift.bookings().all().await;
        let amounts: Vec<_> =
            bookings.iter().map(|booking| (booking.paid_minor, booking.stripe_payment_intent_id.as_deref())).collect();
        assert_eq!(amounts, [(10_000, Some("pi_0")), (10_000, Some("pi_1"))]);
        assert_eq!(nightshift.events("booking.payment.changed").count().await, 2);
    })
    .await;
}

async fn a_checkout_whose_metadata_name_nothing_known_is_placed_by_its_reference(engine: Engine) {
    on(engine, async |nightshift| {
        let id = nightshift.book().await;
        let named = json!({"metadata": {"bookingId": "mistyped"}, "client_reference_id": id});
        deliver(&nightshift, &[checkout("evt_1", "pi_1", "paid", named)]).await;
        assert_eq!(booking(&nightshift, &id).await, is("confirmed", "paid"));
        // The payment itself is mistyped alike, and was placed before.
        let mut payment = bare("evt_2", "pi_1", 10_000);
        payment["data"]["object"]["metadata"] = json!({"bookingId": "mistyped"});
        deliver(&nightshift, &[payment]).await;
        assert_eq!(open(&nightshift).await, []);
    })
    .await;
}

async fn a_checkout_and_its_payment_at_the_same_moment_leave_no_alarm(engine: Engine) {
    on(engine, async |nightshift| {
        let mut events = Vec::new();
        for n in 0..8 {
            let id = nightshift.book_as(business::booking_of(n)).await;
            events.push(bare(&format!("evt_pi_{n}"), &format!("pi_{n}"), 10_000));
            let named = json!({"metadata": {"bookingId": id}});
            events.push(checkout(&format!("evt_cs_{n}"), &format!("pi_{n}"), "paid", named));
        }
        for answer in futures_util::future::join_all(events.iter().map(|event| nightshift.stripe(event))).await {
            answer.expect(200);
        }
        nightshift.webhooks("stripe").handled().until(16).await;
        assert_eq!(open(&nightshift).await, []);
        assert_eq!(nightshift.bookings().confirmed().that_received(10_000).count().await, 8);
    })
    .await;
}

async fn a_checkout_that_is_not_paid_waits_for_its_payment(engine: Engine) {
    on(engine, async |nightshift| {
        let id = nightshift.book().await;
        let named = json!({"metadata": {"bookingId": id}});
        deliver(&nightshift, &[checkout("evt_1", "pi_1", "unpaid", named.clone())]).await;
        assert_eq!(booking(&nightshift, &id).await, is("pending", "unpaid"));
        let mut failed = checkout("evt_2", "pi_1", "unpaid", named.clone());
        failed["type"] = json!("checkout.session.async_payment_failed");
        deliver(&nightshift, &[failed]).await;
        assert_eq!(nightshift.events("booking.payment.failed").count().await, 1);
        let mut arrived = checkout("evt_3", "pi_1", "paid", named);
        arrived["type"] = json!("checkout.session.async_payment_succeeded");
        deliver(&nightshift, &[arrived]).await;
        assert_eq!(booking(&nightshift, &id).await, is("confirmed", "paid"));
        assert_eq!(open(&nightshift).await, []);
    })
    .await;
}

async fn a_payment_for_a_cancelled_booking_is_put_before_people_until_it_is_refunded(engine: Engine) {
    on(engine, async |nightshift| {
        let id = nightshift.book().await;
        nightshift.post(&format!("/api/bookings/{id}/cancel"), json!({"reason": "changed her mind"})).await.expect(200);
        deliver(&nightshift, &[paid("evt_1", &id)]).await;
        assert_eq!(booking(&nightshift, &id).await, is("cancelled", "paid"));
        let raised = open(&nightshift).await;
        assert_eq!((raised.len(), raised[0].0.as_str()), (1, "payment_after_cancellation"));
        assert_eq!((&raised[0].1["receivedMinor"], &raised[0].1["receivedCurrency"]), (&json!(10_000), &json!("usd")));
        // The same payment again is no news.
        deliver(&nightshift, &[paid("evt_2", &id), refund("evt_3", &format!("pi_{id}"), 4_000, false)]).await;
        assert_eq!(nightshift.all_exceptions().open().one().await.occurrences, 1);
        deliver(&nightshift, &[refund("evt_4", &format!("pi_{id}"), 10_000, true)]).await;
        assert_eq!(booking(&nightshift, &id).await, is("cancelled", "refunded"));
        assert_eq!(open(&nightshift).await, []);
    })
    .await;
}

async fn a_second_payment_is_put_before_people_until_it_is_refunded(engine: Engine) {
    on(engine, async |nightshift| {
        let id = nightshift.book().await;
        let named = json!({"metadata": {"bookingId": id}});
        deliver(
            &nightshift,
            &[paid("evt_1", &id), checkout("evt_2", "pi_2", "paid", named), bare("evt_3", "pi_2", 10_000)],
        )
        .await;
        let raised = open(&nightshift).await;
        assert!(raised.iter().all(|(kind, _)| kind == "payment_amount_mismatch"), "{raised:?}");
        assert_eq!(raised[0].1["secondPaymentIntentId"], "pi_2");
        deliver(&nightshift, &[refund("evt_4", "pi_2", 10_000, true)]).await;
        assert_eq!(open(&nightshift).await, []);
        assert_eq!(booking(&nightshift, &id).await, is("confirmed", "paid"));
    })
    .await;
}

async fn money_that_belongs_to_nothing_known_here_is_put_before_people(engine: Engine) {
    on_with(
        engine,
        |settings| settings.auth.enabled = true,
        async |nightshift| {
            let mut unreadable = bare("evt_3", "pi_3", 1);
            unreadable["data"]["object"]["amount"] = json!({"much": true});
            unreadable["data"]["object"]["amount_received"] = json!([]);
            let mut no_id = bare("evt_4", "pi_4", 700);
            no_id["data"]["object"]["id"] = json!(7.5);
            deliver(
                &nightshift,
                &[
                    paid("evt_1", "no-such-booking"),
                    checkout("evt_2", "pi_2", "paid", json!({"client_reference_id": "nobody"})),
                    unreadable,
                    no_id,
                    paid("evt_5", "b\0"),
                    refund("evt_6", "pi_6", 300, false),
                ],
            )
            .await;
            let raised = open(&nightshift).await;
            let told: Vec<(&str, &Value, &Value)> = raised
                .iter()
                .map(|(kind, detail)| (kind.as_str(), &detail["eventId"], &detail["amountMinor"]))
                .collect();
            let unmatched = "payment_unmatched";
            assert_eq!(
                told,
                [
                    (unmatched, &json!("evt_1"), &json!(10_000)),
                    (unmatched, &json!("evt_2"), &json!(10_000)),
                    (unmatched, &json!("evt_3"), &Value::Null),
                    (unmatched, &json!("evt_4"), &json!(700)),
                    (unmatched, &json!("evt_5"), &json!(10_000)),
                    ("webhook_unmatched", &json!("evt_6"), &json!(300)),
                ]
            );
            assert_eq!(raised[4].1["reason"], "names no booking");
            // They are of none of the two organisations: operators see them.
            let ops = nightshift.sign_in(business::OPS).await;
            let shown =
                nightshift.send(Method::GET, "/api/exceptions?type=payment_unmatched", &ops, None).await.expect(200);
            assert_eq!(shown.json()["exceptions"].as_array().unwrap().len(), 5);
            // Given back, nobody has to look for what it was for.
            deliver(&nightshift, &[refund("evt_7", "pi_2", 10_000, true)]).await;
            assert_eq!(open(&nightshift).await.len(), 5);
        },
    )
    .await;
}

async fn money_for_a_clients_own_matters_is_no_alarm(engine: Engine) {
    on(engine, async |nightshift| {
        let client = checkout("evt_5", "pi_3", "paid", json!({"metadata": {"clientId": "client-1"}}));
        let subscription = checkout("evt_6", "", "paid", json!({"mode": "subscription", "payment_intent": null}));
        deliver(
            &nightshift,
            &[
                bare("evt_1", "pi_1", 2_900),
                invoice("evt_2", "pi_1", json!({"billing_reason": "subscription_cycle"})),
                invoice("evt_3", "pi_2", json!({"subscription": "sub_1"})),
                bare("evt_4", "pi_2", 2_900),
                bare("evt_9", "pi_4", 2_900),
                invoice("evt_10", "pi_4", json!({"parent": {"subscription_details": {"subscription": "sub_1"}}})),
                // Given back, also when the payment itself was never told.
                invoice("evt_11", "pi_6", json!({"billing_reason": "subscription_create"})),
                refund("evt_12", "pi_6", 2_900, true),
                // The same payment once more, by a checkout that says nothing.
                checkout("evt_8", "pi_2", "paid", json!({})),
                client,
                bare("evt_7", "pi_3", 2_900),
                subscription,
            ],
        )
        .await;
        assert_eq!(open(&nightshift).await, []);
    })
    .await;
}

async fn a_refund_that_came_before_the_booking_was_known_is_kept(engine: Engine) {
    on(engine, async |nightshift| {
        let id = nightshift.book().await;
        deliver(&nightshift, &[bare("evt_1", "pi_1", 10_000), refund("evt_2", "pi_1", 4_000, false)]).await;
        assert_eq!(open(&nightshift).await.len(), 1);
        deliver(&nightshift, &[checkout("evt_3", "pi_1", "paid", json!({"metadata": {"bookingId": id}}))]).await;
        assert_eq!(booking(&nightshift, &id).await, is("confirmed", "paid"));
        assert_eq!(nightshift.bookings().one().await.refunded_minor, 4_000);
        assert_eq!(open(&nightshift).await, []);
    })
    .await;
}

async fn another_currency_another_price_and_nothing_at_all_are_put_before_people(engine: Engine) {
    on(engine, async |nightshift| {
        let mut booked = Vec::new();
        for n in 0..3 {
            booked.push(nightshift.book_as(business::booking_of(n)).await);
        }
        nightshift.price_all_bookings(10_000).await;
        let mut euro = paid("evt_1", &booked[0]);
        euro["data"]["object"]["currency"] = json!("eur");
        deliver(&nightshift, &[euro]).await;
        nightshift.price_booking(&booked[1], 12_000).await;
        deliver(&nightshift, &[paid("evt_2", &booked[1])]).await;
        nightshift.given("UPDATE bookings SET total_minor = NULL, currency = NULL WHERE status = 'pending'").await;
        let free = json!({"metadata": {"bookingId": booked[2]}, "amount_total": 0, "payment_intent": null});
        deliver(&nightshift, &[checkout("evt_3", "pi_3", "no_payment_required", free)]).await;
        let raised = open(&nightshift).await;
        assert!(raised.iter().all(|(kind, _)| kind == "payment_amount_mismatch"), "{raised:?}");
        let received: Vec<_> =
            raised.iter().map(|(_, detail)| (&detail["receivedMinor"], &detail["receivedCurrency"])).collect();
        let (usd, eur) = (json!("usd"), json!("eur"));
        assert_eq!(received, [(&json!(10_000), &eur), (&json!(10_000), &usd), (&json!(0), &usd)]);
        assert_eq!(raised[1].1["expectedMinor"], 12_000);
    })
    .await;
}

async fn a_payment_that_went_back_never_pays_again(engine: Engine) {
    on(engine, async |nightshift| {
        let paid_by = |event: &str, intent: &str, id: &str| {
            checkout(event, intent, "paid", json!({"metadata": {"bookingId": id}}))
        };
        let one = nightshift.book_as(business::booking_of(0)).await;
        deliver(
            &nightshift,
            &[
                paid_by("evt_1", "pi_1", &one),
                paid_by("evt_2", "pi_2", &one),
                refund("evt_3", "pi_2", 10_000, true),
                refund("evt_4", "pi_1", 10_000, true),
                paid_by("evt_5", "pi_2", &one),
            ],
        )
        .await;
        assert_eq!(booking(&nightshift, &one).await, is("confirmed", "refunded"));
        let other = nightshift.book_as(business::booking_of(1)).await;
        deliver(
            &nightshift,
            &[
                paid_by("evt_6", "pi_3", &other),
                refund("evt_7", "pi_3", 10_000, true),
                paid_by("evt_8", "pi_4", &other),
                refund("evt_9", "pi_4", 10_000, true),
                paid_by("evt_10", "pi_3", &other),
            ],
        )
        .await;
        assert_eq!(booking(&nightshift, &other).await, is("confirmed", "refunded"));
        assert_eq!(nightshift.bookings().that_received(10_000).that_refunded(10_000).count().await, 2);
        assert_eq!(open(&nightshift).await, []);
    })
    .await;
}

async fn a_payment_that_went_back_before_its_booking_was_known_confirms_nothing_and_leaves_no_alarm(engine: Engine) {
    on(engine, async |nightshift| {
        let mut booked = Vec::new();
        for n in 0..3 {
            booked.push(nightshift.book_as(business::booking_of(n)).await);
        }
        let cancelled = format!("/api/bookings/{}/cancel", booked[1]);
        nightshift.post(&cancelled, json!({"reason": "changed her mind"})).await.expect(200);
        deliver(&nightshift, &[paid("evt_paid", &booked[2])]).await;
        let confirmed = nightshift.jobs("booking.confirm").count().await;
        for (n, id) in booked.iter().enumerate() {
            let intent = format!("pi_{n}");
            let named = json!({"metadata": {"bookingId": id}});
            deliver(
                &nightshift,
                &[
                    bare(&format!("evt_{n}_1"), &intent, 10_000),
                    refund(&format!("evt_{n}_2"), &intent, 10_000, true),
                    checkout(&format!("evt_{n}_3"), &intent, "paid", named),
                ],
            )
            .await;
        }
        assert_eq!(booking(&nightshift, &booked[0]).await, is("pending", "refunded"));
        assert_eq!(booking(&nightshift, &booked[1]).await, is("cancelled", "refunded"));
        assert_eq!(booking(&nightshift, &booked[2]).await, is("confirmed", "paid"));
        assert_eq!(nightshift.jobs("booking.confirm").count().await, confirmed);
        assert_eq!(open(&nightshift).await, []);
    })
    .await;
}

async fn the_payment_that_is_kept_pays_when_the_first_one_goes_back(engine: Engine) {
    on(engine, async |nightshift| {
        let id = nightshift.book().await;
        nightshift.price_all_bookings(10_000).await;
        let named = json!({"metadata": {"bookingId": id}, "amount_total": 9_000});
        deliver(&nightshift, &[paid("evt_1", &id), checkout("evt_2", "pi_2", "paid", named)]).await;
        assert_eq!(open(&nightshift).await[0].1["secondPaymentIntentId"], "pi_2");
        deliver(&nightshift, &[refund("evt_3", &format!("pi_{id}"), 10_000, true)]).await;
        assert_eq!(booking(&nightshift, &id).await, is("confirmed", "paid"));
        let paid = nightshift.bookings().one().await;
        assert_eq!(
            (paid.paid_minor, paid.refunded_minor, paid.stripe_payment_intent_id.as_deref()),
            (9_000, 0, Some("pi_2"))
        );
        // It is no second payment any longer, and now its amount counts.
        let raised = open(&nightshift).await;
        assert_eq!((raised.len(), &raised[0].1["expectedMinor"]), (1, &json!(10_000)));
        assert_eq!(raised[0].1["receivedMinor"], 9_000);
        deliver(&nightshift, &[refund("evt_4", "pi_2", 9_000, true)]).await;
        assert_eq!(booking(&nightshift, &id).await, is("confirmed", "refunded"));
    })
    .await;
}

async fn a_checkout_that_brought_no_money_leaves_a_payment_alone(engine: Engine) {
    on(engine, async |nightshift| {
        let id = nightshift.book().await;
        let free = json!({"metadata": {"bookingId": id}, "amount_total": 0, "payment_intent": null});
        let keeps_a_card =
            json!({"metadata": {"bookingId": id}, "mode": "setup", "amount_total": null, "payment_intent": null});
        deliver(&nightshift, &[checkout("evt_1", "a", "no_payment_required", keeps_a_card.clone())]).await;
        assert_eq!(booking(&nightshift, &id).await, is("pending", "unpaid"));
        let free = |event: &str| checkout(event, "b", "no_payment_required", free.clone());
        deliver(&nightshift, &[paid("evt_2", &id), free("evt_3")]).await;
        assert_eq!(booking(&nightshift, &id).await, is("confirmed", "paid"));
        assert_eq!(nightshift.bookings().one().await.paid_minor, 10_000);
        assert_eq!(open(&nightshift).await, []);
        deliver(&nightshift, &[refund("evt_4", &format!("pi_{id}"), 10_000, true), free("evt_5")]).await;
        assert_eq!(booking(&nightshift, &id).await, is("confirmed", "refunded"));
        assert_eq!(open(&nightshift).await, []);
    })
    .await;
}

async fn a_one_off_invoice_pays_the_booking_it_names_and_explains_no_other_money(engine: Engine) {
    on(engine, async |nightshift| {
        let mut booked = Vec::new();
        for n in 0..3 {
            booked.push(nightshift.book_as(business::booking_of(n)).await);
        }
        let named = |n: usize| json!({"billing_reason": "manual", "metadata": {"bookingId": booked[n]}});
        let mut of_two = invoice("evt_6", "pi_3", named(2));
        of_two["data"]["object"]["payments"] =
            json!({"data": [{"payment": {"type": "payment_intent", "payment_intent": "pi_4"}}]});
        deliver(
            &nightshift,
            &[
                bare("evt_1", "pi_1", 10_000),
                invoice("evt_2", "pi_1", named(0)),
                invoice("evt_3", "pi_2", named(1)),
                bare("evt_4", "pi_2", 10_000),
                // What each of several payments came to, they tell themselves.
                of_two,
                bare("evt_7", "pi_3", 10_000),
            ],
        )
        .await;
        for id in &booked {
            assert_eq!(booking(&nightshift, id).await, is("confirmed", "paid"));
        }
        assert_eq!(open(&nightshift).await, []);
        deliver(
            &nightshift,
            &[bare("evt_8", "pi_5", 700), invoice("evt_9", "pi_5", json!({"billing_reason": "manual"}))],
        )
        .await;
        let raised = open(&nightshift).await;
        assert_eq!((raised.len(), raised[0].0.as_str()), (1, "payment_unmatched"));
        assert_eq!(raised[0].1["paymentIntentId"], "pi_5");
    })
    .await;
}

async fn a_refund_told_before_its_payment_is_explained_with_it(engine: Engine) {
    on(engine, async |nightshift| {
        let id = nightshift.book().await;
        deliver(
            &nightshift,
            &[
                refund("evt_1", "pi_1", 3_000, false),
                refund("evt_2", "pi_1", 4_000, false),
                refund("evt_3", "pi_2", 10_000, true),
                refund("evt_6", "pi_3", 2_000, false),
            ],
        )
        .await;
        let raised = open(&nightshift).await;
        assert_eq!(raised.iter().map(|(kind, _)| kind.as_str()).collect::<Vec<_>>(), ["webhook_unmatched"; 3]);
        // Nobody names this one, and all of it goes back.
        deliver(&nightshift, &[bare("evt_7", "pi_3", 10_000), refund("evt_8", "pi_3", 10_000, true)]).await;
        let named = json!({"metadata": {"bookingId": id}});
        deliver(&nightshift, &[checkout("evt_4", "pi_1", "paid", named), bare("evt_5", "pi_2", 10_000)]).await;
        assert_eq!(booking(&nightshift, &id).await, is("confirmed", "paid"));
        assert_eq!(nightshift.bookings().one().await.refunded_minor, 4_000);
        assert_eq!(open(&nightshift).await, []);
    })
    .await;
}

async fn a_checkouts_amount_gives_way_to_what_the_payment_says(engine: Engine) {
    on(engine, async |nightshift| {
        let id = nightshift.book().await;
        nightshift.price_all_bookings(10_000).await;
        let named = json!({"metadata": {"bookingId": id}, "amount_total": 12_000});
        deliver(&nightshift, &[checkout("evt_1", "pi_1", "paid", named)]).await;
        assert_eq!(open(&nightshift).await[0].0, "payment_amount_mismatch");
        deliver(&nightshift, &[bare("evt_2", "pi_1", 10_000)]).await;
        assert_eq!(nightshift.bookings().one().await.paid_minor, 10_000);
        assert_eq!(open(&nightshift).await, []);
    })
    .await;
}

async fn what_people_typed_in_place_of_an_id_is_not_shown(engine: Engine) {
    on(engine, async |nightshift| {
        let typed = ["anna@example.com", "+15557654321", "555-765-4321", "Anna Smith"];
        for (n, text) in typed.into_iter().enumerate() {
            let (one, other) = (format!("pi_{n}_a"), format!("pi_{n}_b"));
            let reference = checkout(&format!("evt_{n}_1"), &one, "paid", json!({"client_reference_id": text}));
            let mut failed = paid(&format!("evt_{n}_2"), text);
            failed["data"]["object"]["id"] = json!(other);
            failed["type"] = json!("payment_intent.payment_failed");
            deliver(&nightshift, &[reference, failed]).await;
        }
        let raised = open(&nightshift).await;
        assert_eq!(raised.len(), 8);
        for (_, detail) in &raised {
            assert_eq!((&detail["bookingId"], &detail["namesNoId"]), (&Value::Null, &json!(true)));
        }
        let told = nightshift.events("webhook.unmatched").all().await;
        assert_eq!(told.len(), 8);
        for text in typed {
            assert!(
                !format!("{raised:?}{:?}", told.iter().map(|event| &event.metadata.0).collect::<Vec<_>>())
                    .contains(text)
            );
        }
    })
    .await;
}
