//! Stripe's events: every recorded sample, the smallest test payload, broken shapes, and anything at all.

use nightshift_providers::stripe::{
    ChargeRefunded, Checkout, Event, EventError, InvoicePaymentFailed, PaymentFailed, PaymentStatus, PaymentSucceeded,
    StripeFact, SubscriptionDeleted,
};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::data;

fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn fact(event: &Value) -> StripeFact {
    Event::from_value(event.clone()).unwrap().fact()
}

fn sample(kind: &str) -> Event {
    Event::parse(&data::sample(&format!("stripe-{kind}.json"))).unwrap()
}

#[test]
fn every_sample_is_read() {
    let names = data::sample_names("stripe-");
    assert_eq!(names.len(), 8);
    for name in names {
        let kind = name.trim_start_matches("stripe-").trim_end_matches(".json");
        let event = sample(kind);
        assert_eq!(event.kind.as_deref(), Some(kind));
        assert!(event.id.as_deref().is_some_and(|id| id.starts_with("evt_")));
        assert!(event.created.is_some());
        assert!(!event.livemode);
        let acted_on = !matches!(event.fact(), StripeFact::Other);
        assert_eq!(acted_on, kind != "customer.subscription.updated", "{kind}");
    }
}

#[test]
fn a_payment_is_read() {
    assert_eq!(
        sample("payment_intent.succeeded").fact(),
        StripeFact::PaymentSucceeded(PaymentSucceeded {
            payment_intent_id: text("pi_3SampleBooking0001"),
            booking_id: text("bk_sample_1"),
            amount_minor: Some(10000),
            currency: text("usd"),
            customer_id: text("cus_SampleAnna01"),
        })
    );
    assert_eq!(
        sample("payment_intent.payment_failed").fact(),
        StripeFact::PaymentFailed(PaymentFailed {
            payment_intent_id: text("pi_3SampleBooking0002"),
            booking_id: text("bk_sample_2"),
            amount_minor: Some(10000),
            currency: text("usd"),
            code: text("card_declined"),
            decline_code: text("insufficient_funds"),
            message: text("Your card has insufficient funds."),
        })
    );
    assert_eq!(
        sample("charge.refunded").fact(),
        StripeFact::ChargeRefunded(ChargeRefunded {
            charge_id: text("ch_3SampleBooking0001"),
            payment_intent_id: text("pi_3SampleBooking0001"),
            booking_id: text("bk_sample_1"),
            amount_minor: Some(10000),
            amount_refunded_minor: Some(4000),
            currency: text("usd"),
            fully_refunded: false,
        })
    );
}

#[test]
fn a_subscription_is_read() {
    assert_eq!(
        sample("checkout.session.completed").fact(),
        StripeFact::Checkout(Checkout {
            session_id: text("cs_test_sample0003"),
            client_id: text("client_sample_1"),
            booking_id: None,
            reference: text("client_sample_1"),
            mode: text("subscription"),
            payment_status: PaymentStatus::Paid,
            customer_id: text("cus_SampleShop01"),
            payment_intent_id: None,
            subscription_id: text("sub_1Sample0003"),
            amount_total_minor: Some(2900),
            currency: text("gbp"),
        })
    );
    let StripeFact::InvoicePaymentFailed(invoice) = sample("invoice.payment_failed").fact() else {
        panic!("not an invoice");
    };
    assert_eq!(
        invoice,
        InvoicePaymentFailed {
            invoice_id: text("in_1Sample0005"),
            customer_id: text("cus_SampleShop01"),
            subscription_id: text("sub_1Sample0003"),
            client_id: text("client_sample_1"),
            amount_due_minor: Some(2900),
            currency: text("gbp"),
            attempt_count: Some(1),
            next_attempt_at: chrono::DateTime::from_timestamp(1_795_428_000, 0),
        }
    );
    assert_eq!(
        sample("customer.subscription.deleted").fact(),
        StripeFact::SubscriptionDeleted(SubscriptionDeleted {
            subscription_id: text("sub_1Sample0003"),
            customer_id: text("cus_SampleShop01"),
            client_id: text("client_sample_1"),
            ended_at: chrono::DateTime::from_timestamp(1_795_168_800, 0),
        })
    );
}

#[test]
fn the_smallest_test_payload_is_a_payment() {
    let body = br#"{"type":"payment_intent.succeeded","data":{"object":{"id":"pi_test","amount":10000,"metadata":{"bookingId":"b1"}}}}"#;
    let event = Event::parse(body).unwrap();
    assert_eq!(event.id, None);
    assert_eq!(
        event.fact(),
        StripeFact::PaymentSucceeded(PaymentSucceeded {
            payment_intent_id: text("pi_test"),
            booking_id: text("b1"),
            amount_minor: Some(10000),
            currency: None,
            customer_id: None,
        })
    );
}

#[test]
fn what_was_received_counts_not_what_was_asked() {
    let object = json!({"id": "pi_1", "amount": 500, "amount_received": 200});
    let event = json!({"id": "evt_1", "type": "payment_intent.succeeded", "data": {"object": object}});
    let StripeFact::PaymentSucceeded(payment) = fact(&event) else { panic!("not a payment") };
    assert_eq!(payment.amount_minor, Some(200));
    assert_eq!(payment.booking_id, None);
}

#[test]
fn older_and_expanded_shapes_are_read() {
    let object = json!({"id": "in_1", "subscription": "sub_1", "customer": {"id": "cus_1", "object": "customer"},
        "subscription_details": {"metadata": {"clientId": "c1"}}, "next_payment_attempt": null});
    let event = json!({"type": "invoice.payment_failed", "data": {"object": object}});
    let StripeFact::InvoicePaymentFailed(invoice) = fact(&event) else { panic!("not an invoice") };
    assert_eq!(invoice.subscription_id, text("sub_1"));
    assert_eq!(invoice.customer_id, text("cus_1"));
    assert_eq!(invoice.client_id, text("c1"));
    assert_eq!(invoice.next_attempt_at, None);
    let object =
        json!({"id": "cs_1", "client_reference_id": "c2", "metadata": {"clientId": " "}, "payment_status": "unpaid"});
    let event = json!({"type": "checkout.session.completed", "data": {"object": object}});
    let StripeFact::Checkout(checkout) = fact(&event) else { panic!("not a checkout") };
    assert_eq!((checkout.client_id, checkout.reference), (None, text("c2")));
    assert_eq!(checkout.payment_status, PaymentStatus::Unpaid);
}

#[test]
fn an_invoice_names_its_payments_in_two_places() {
    let object = json!({"id": "in_1", "payment_intent": {"id": "pi_1"}, "payments": {"data": [
        {"payment": {"type": "payment_intent", "payment_intent": "pi_2"}}, {"payment": {"type": "charge"}}, 7,
    ]}});
    let StripeFact::InvoicePaid(invoice) = fact(&json!({"type": "invoice.paid", "data": {"object": object}})) else {
        panic!("not an invoice");
    };
    assert_eq!(invoice.payment_intent_ids, ["pi_1", "pi_2"]);
}

#[test]
fn what_makes_no_sense_is_absent() {
    let paid = |object: Value| match fact(&json!({"type": "payment_intent.succeeded", "data": {"object": object}})) {
        StripeFact::PaymentSucceeded(payment) => payment,
        other => panic!("not a payment: {other:?}"),
    };
    assert_eq!(paid(json!({"amount": 1})).payment_intent_id, None);
    for amount in [json!(-1), json!(1.5), json!(u64::MAX), json!([1]), json!(null), json!("many")] {
        assert_eq!(paid(json!({"id": "pi", "amount": amount})).amount_minor, None, "{amount}");
    }
    for amount in [json!("100"), json!(100.0)] {
        assert_eq!(paid(json!({"id": "pi", "amount": amount})).amount_minor, Some(100), "{amount}");
    }
    for booking in ["b\0", "\u{fffd}", "b\n1", ""] {
        assert_eq!(paid(json!({"id": "pi", "metadata": {"bookingId": booking}})).booking_id, None, "{booking:?}");
    }
    let odd = paid(json!({"id": "pi", "amount": 1, "metadata": "x", "customer": {"name": "Anna"}}));
    assert_eq!((odd.booking_id, odd.customer_id, odd.amount_minor), (None, None, Some(1)));
}

#[test]
fn a_slow_payment_of_a_checkout_is_told_by_events_of_its_own() {
    let object = json!({"id": "cs_1", "payment_intent": "pi_1", "amount_total": 4000, "metadata": {"bookingId": "b1"}});
    let of = |kind: &str| fact(&json!({"type": kind, "data": {"object": object}}));
    let StripeFact::Checkout(paid) = of("checkout.session.async_payment_succeeded") else { panic!("not a checkout") };
    assert_eq!((paid.payment_status, paid.booking_id), (PaymentStatus::Paid, text("b1")));
    let StripeFact::PaymentFailed(failed) = of("checkout.session.async_payment_failed") else { panic!("no failure") };
    assert_eq!((failed.payment_intent_id, failed.booking_id), (text("pi_1"), text("b1")));
    let StripeFact::Checkout(unknown) = of("checkout.session.completed") else { panic!("not a checkout") };
    assert_eq!(unknown.payment_status, PaymentStatus::Unknown);
}

#[test]
fn any_object_is_an_event_and_nothing_else_is() {
    for body in [&b"{"[..], b"\xff\xfe", b""] {
        assert!(matches!(Event::parse(body), Err(EventError::NotJson(_))));
    }
    for body in [&b"[]"[..], b"null", b"7", b"\"{}\""] {
        assert_eq!(Event::parse(body), Err(EventError::NotAnObject));
    }
    for body in [
        "{}",
        r#"{"type":7,"data":{"object":{}}}"#,
        r#"{"id":"evt_1","object":"v2.core.event","type":"v2.core.event_destination.ping"}"#,
        r#"{"object":"v2.core.event","type":"v1.billing.meter.error","data":{"developer_message_summary":"x"}}"#,
        r#"{"type":"product.created","data":[]}"#,
    ] {
        assert_eq!(Event::parse(body.as_bytes()).unwrap().fact(), StripeFact::Other, "{body}");
    }
    let bare = Event::parse(br#"{"type":"charge.refunded","data":{"object":[]}}"#).unwrap();
    let StripeFact::ChargeRefunded(refund) = bare.fact() else { panic!("not a refund") };
    assert_eq!((refund.charge_id, refund.amount_refunded_minor), (None, None));
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[ -~é]{0,12}".prop_map(Value::from),
    ];
    let name = prop_oneof![
        Just("id".to_owned()),
        Just("amount".to_owned()),
        Just("metadata".to_owned()),
        Just("bookingId".to_owned()),
        Just("parent".to_owned()),
        Just("subscription_details".to_owned()),
        Just("customer".to_owned()),
        Just("ended_at".to_owned()),
        Just("amount_refunded".to_owned()),
        "[a-z_]{1,8}",
    ];
    leaf.prop_recursive(4, 40, 6, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map(name.clone(), inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_panic(body in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = Event::parse(&body);
    }

    #[test]
    fn any_object_is_read_without_panic(
        kind in prop_oneof![
            Just("payment_intent.succeeded"),
            Just("payment_intent.payment_failed"),
            Just("charge.refunded"),
            Just("checkout.session.completed"),
            Just("invoice.payment_failed"),
            Just("customer.subscription.deleted"),
        ],
        object in any_json(),
    ) {
        let body = json!({"type": kind, "data": {"object": object}}).to_string();
        if let Ok(event) = Event::parse(body.as_bytes()) {
            let _ = event.fact();
        }
    }
}
