//! Stripe's events: every recorded sample, the smallest test payload, broken shapes, and anything at all.

use nightshift_providers::stripe::{
    ChargeRefunded, CheckoutCompleted, Event, EventError, InvoicePaymentFailed, PaymentFailed, PaymentStatus,
    PaymentSucceeded, StripeFact, SubscriptionDeleted,
};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::data;

fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn fact(event: &Value) -> Result<StripeFact, EventError> {
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
        assert_eq!(event.kind, kind);
        assert!(event.id.as_deref().is_some_and(|id| id.starts_with("evt_")));
        assert!(event.created.is_some());
        assert!(!event.livemode);
        let acted_on = !matches!(event.fact().unwrap(), StripeFact::Other { .. });
        assert_eq!(acted_on, !matches!(kind, "invoice.paid" | "customer.subscription.updated"), "{kind}");
    }
}

#[test]
fn a_payment_is_read() {
    assert_eq!(
        sample("payment_intent.succeeded").fact().unwrap(),
        StripeFact::PaymentSucceeded(PaymentSucceeded {
            payment_intent_id: "pi_3SampleBooking0001".into(),
            booking_id: text("bk_sample_1"),
            amount_minor: 10000,
            currency: text("usd"),
            customer_id: text("cus_SampleAnna01"),
        })
    );
    assert_eq!(
        sample("payment_intent.payment_failed").fact().unwrap(),
        StripeFact::PaymentFailed(PaymentFailed {
            payment_intent_id: "pi_3SampleBooking0002".into(),
            booking_id: text("bk_sample_2"),
            amount_minor: Some(10000),
            currency: text("usd"),
            code: text("card_declined"),
            decline_code: text("insufficient_funds"),
            message: text("Your card has insufficient funds."),
        })
    );
    assert_eq!(
        sample("charge.refunded").fact().unwrap(),
        StripeFact::ChargeRefunded(ChargeRefunded {
            charge_id: "ch_3SampleBooking0001".into(),
            payment_intent_id: text("pi_3SampleBooking0001"),
            booking_id: text("bk_sample_1"),
            amount_minor: Some(10000),
            amount_refunded_minor: 4000,
            currency: text("usd"),
            fully_refunded: false,
        })
    );
}

#[test]
fn a_subscription_is_read() {
    assert_eq!(
        sample("checkout.session.completed").fact().unwrap(),
        StripeFact::CheckoutCompleted(CheckoutCompleted {
            session_id: "cs_test_sample0003".into(),
            client_id: text("client_sample_1"),
            booking_id: None,
            mode: text("subscription"),
            payment_status: PaymentStatus::Paid,
            customer_id: text("cus_SampleShop01"),
            payment_intent_id: None,
            subscription_id: text("sub_1Sample0003"),
            amount_total_minor: Some(2900),
            currency: text("gbp"),
        })
    );
    let StripeFact::InvoicePaymentFailed(invoice) = sample("invoice.payment_failed").fact().unwrap() else {
        panic!("not an invoice");
    };
    assert_eq!(
        invoice,
        InvoicePaymentFailed {
            invoice_id: "in_1Sample0005".into(),
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
        sample("customer.subscription.deleted").fact().unwrap(),
        StripeFact::SubscriptionDeleted(SubscriptionDeleted {
            subscription_id: "sub_1Sample0003".into(),
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
    assert!(event.key(body).starts_with("sha256:"));
    assert_ne!(event.key(body), event.key(b"other bytes"));
    assert_eq!(
        event.fact().unwrap(),
        StripeFact::PaymentSucceeded(PaymentSucceeded {
            payment_intent_id: "pi_test".into(),
            booking_id: text("b1"),
            amount_minor: 10000,
            currency: None,
            customer_id: None,
        })
    );
}

#[test]
fn what_was_received_counts_not_what_was_asked() {
    let object = json!({"id": "pi_1", "amount": 500, "amount_received": 200});
    let event = json!({"id": "evt_1", "type": "payment_intent.succeeded", "data": {"object": object}});
    let StripeFact::PaymentSucceeded(payment) = fact(&event).unwrap() else { panic!("not a payment") };
    assert_eq!(payment.amount_minor, 200);
    assert_eq!(payment.booking_id, None);
}

#[test]
fn older_and_expanded_shapes_are_read() {
    let object = json!({"id": "in_1", "subscription": "sub_1", "customer": {"id": "cus_1", "object": "customer"},
        "subscription_details": {"metadata": {"clientId": "c1"}}, "next_payment_attempt": null});
    let event = json!({"type": "invoice.payment_failed", "data": {"object": object}});
    let StripeFact::InvoicePaymentFailed(invoice) = fact(&event).unwrap() else { panic!("not an invoice") };
    assert_eq!(invoice.subscription_id, text("sub_1"));
    assert_eq!(invoice.customer_id, text("cus_1"));
    assert_eq!(invoice.client_id, text("c1"));
    assert_eq!(invoice.next_attempt_at, None);
    let object =
        json!({"id": "cs_1", "client_reference_id": "c2", "metadata": {"clientId": " "}, "payment_status": "unpaid"});
    let event = json!({"type": "checkout.session.completed", "data": {"object": object}});
    let StripeFact::CheckoutCompleted(checkout) = fact(&event).unwrap() else { panic!("not a checkout") };
    assert_eq!(checkout.client_id, text("c2"));
    assert_eq!(checkout.payment_status, PaymentStatus::Unpaid);
}

#[test]
fn broken_shapes_are_errors_that_name_the_field() {
    let acted_on = |object: Value| fact(&json!({"type": "payment_intent.succeeded", "data": {"object": object}}));
    let kind = "payment_intent.succeeded";
    assert_eq!(acted_on(json!({"amount": 1})), Err(EventError::MissingField { kind, field: "id" }));
    assert_eq!(acted_on(json!({"id": "pi"})), Err(EventError::MissingField { kind, field: "amount" }));
    for amount in [json!("100"), json!(-1), json!(1.5), json!(u64::MAX), json!([1])] {
        assert_eq!(
            acted_on(json!({"id": "pi", "amount": amount})),
            Err(EventError::WrongType { kind, field: "amount" })
        );
    }
    assert_eq!(
        acted_on(json!({"id": "pi", "amount": 1, "metadata": "x"})),
        Err(EventError::WrongType { kind, field: "metadata.bookingId" })
    );
    assert_eq!(
        acted_on(json!({"id": "pi", "amount": 1, "customer": {"name": "Anna"}})),
        Err(EventError::WrongType { kind, field: "customer" })
    );
}

#[test]
fn what_is_no_event_is_refused() {
    assert!(matches!(Event::parse(b"{"), Err(EventError::NotJson { line: 1, column: 1 })));
    assert!(matches!(Event::parse(b"\xff\xfe"), Err(EventError::NotJson { .. })));
    for body in [
        "[]",
        "null",
        "{}",
        r#"{"type":7,"data":{"object":{}}}"#,
        r#"{"type":"charge.refunded"}"#,
        r#"{"type":"charge.refunded","data":{"object":[]}}"#,
        r#"{"object":"v2.core.event","type":"v1.billing.meter.error","data":{"object":{}}}"#,
    ] {
        assert!(matches!(Event::parse(body.as_bytes()), Err(EventError::NotAnEvent { .. })), "{body}");
    }
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
