//! Tests of the simulated Stripe: signed deliveries, duplicates and retries.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use chrono::Utc;
use nightshift_lab::simulator::{DeliveryError, StripeSender, payment_succeeded};
use nightshift_providers::http_client;
use nightshift_providers::stripe::{Event, StripeFact, signature};
use secrecy::SecretString;

struct Delivery {
    id: String,
    signed: bool,
}

/// A webhook that answers 503 to the first `refusals` deliveries.
async fn receiver(refusals: usize) -> (String, Arc<Mutex<Vec<Delivery>>>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/api/webhooks/stripe", listener.local_addr().unwrap());
    let seen = Arc::new(Mutex::new(Vec::new()));
    let kept = seen.clone();
    let take = move |headers: HeaderMap, body: Bytes| async move {
        let header = headers.get(signature::HEADER).map(|value| value.as_bytes());
        let signed = signature::verify(header, &body, &[SecretString::from("whsec_a")], Utc::now()).is_ok();
        let event = Event::parse(&body).unwrap();
        assert!(matches!(event.fact(), StripeFact::PaymentSucceeded(_)));
        let mut kept = kept.lock().unwrap();
        kept.push(Delivery { id: event.id.unwrap(), signed });
        if kept.len() <= refusals { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK }
    };
    let router = axum::Router::new().route("/api/webhooks/stripe", axum::routing::post(take));
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, seen)
}

fn sender(url: &str) -> StripeSender {
    StripeSender::new(url, SecretString::from("whsec_a"), http_client().unwrap())
}

#[tokio::test]
async fn events_are_delivered_signed_twice_and_swapped() {
    let (url, seen) = receiver(0).await;
    let stripe = sender(&url);
    let [first, second] = ["evt_1", "evt_2"].map(|id| payment_succeeded(id, "pi_1", "b1", 10_000, "usd"));
    assert!(stripe.deliver(&first).await.unwrap().taken());
    assert!(stripe.deliver_twice(&first).await.unwrap().iter().all(|answer| answer.status == 200));
    stripe.deliver_swapped(&first, &second).await.unwrap();
    let seen = seen.lock().unwrap();
    assert!(seen.iter().all(|delivery| delivery.signed));
    assert_eq!(
        seen.iter().map(|delivery| delivery.id.as_str()).collect::<Vec<_>>(),
        ["evt_1", "evt_1", "evt_1", "evt_2", "evt_1"]
    );
}

#[tokio::test]
async fn a_refused_delivery_is_repeated_until_taken() {
    let (url, seen) = receiver(2).await;
    let event = payment_succeeded("evt_1", "pi_1", "b1", 10_000, "usd");
    let answer = sender(&url).deliver_until_taken(&event, Duration::from_secs(10)).await.unwrap();
    assert!(answer.taken());
    assert_eq!(seen.lock().unwrap().len(), 3);
}

#[tokio::test]
async fn what_stripe_would_never_send_can_be_sent() {
    let (url, seen) = receiver(0).await;
    let body = payment_succeeded("evt_1", "pi_1", "b1", 10_000, "usd").to_string().into_bytes();
    sender(&url).deliver_raw(body.clone(), None).await.unwrap();
    sender(&url).deliver_raw(body, Some("t=1,v1=00")).await.unwrap();
    assert!(seen.lock().unwrap().iter().all(|delivery| !delivery.signed));
}

#[tokio::test]
async fn patience_ends() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    let event = payment_succeeded("evt_1", "pi_1", "b1", 10_000, "usd");
    let error = sender(&url).deliver_until_taken(&event, Duration::from_millis(200)).await.unwrap_err();
    assert!(matches!(error, DeliveryError::NotTaken { .. }));
}
