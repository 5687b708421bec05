//! Tests of the simulated Twilio: signed callbacks in every order, faults over HTTP, and thousands of texts.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use nightshift_lab::simulator::{Accounts, Fault, FaultRule, Simulator, StoredMessage, TwilioAccount};
use nightshift_providers::http_client;
use nightshift_providers::sms::SendMessage;
use nightshift_providers::twilio::signature::{self, Keys, Signed};
use nightshift_providers::twilio::{MessageStatus, StatusCallback};
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::support::{SID, account, client, simulator, text};

const PATIENCE: Duration = Duration::from_secs(10);

/// A webhook receiver that verifies and records the callbacks.
struct Receiver {
    url: String,
    seen: Arc<Mutex<Vec<StatusCallback>>>,
}

impl Receiver {
    /// Answers 503 to the first `refusals` callbacks.
    async fn start(refusals: usize) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/api/twilio/status", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let left = Arc::new(Mutex::new(refusals));
        let (kept, signed_url) = (seen.clone(), url.clone());
        let take = move |headers: HeaderMap, body: Bytes| async move {
            let header = headers.get(signature::HEADER).map(|value| value.as_bytes());
            let request = Signed { url: &signed_url, body: &body, signature: header, settings: None };
            signature::verify(&Keys::auth_tokens([SecretString::from("token")]), &request).unwrap();
            let mut left = left.lock().unwrap();
            if *left > 0 {
                *left -= 1;
                return StatusCode::SERVICE_UNAVAILABLE;
            }
            kept.lock().unwrap().push(StatusCallback::parse(&body).unwrap());
            StatusCode::OK
        };
        let router = axum::Router::new().route("/api/twilio/status", axum::routing::post(take));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, seen }
    }

    fn statuses(&self) -> Vec<&'static str> {
        self.seen.lock().unwrap().iter().map(|callback| callback.status.as_str()).collect()
    }

    fn text(&self) -> SendMessage {
        SendMessage { status_callback: Some(format!("{}#rc=3&rp=ct,rt,5xx", self.url)), ..text("hello") }
    }
}

/// Waits until `count` callbacks were sent for the only message.
async fn told(simulator: &Simulator, count: usize) -> StoredMessage {
    let done = simulator
        .twilio()
        .wait_until(PATIENCE, |ledger| ledger.messages().first().is_some_and(|m| m.callbacks.len() >= count))
        .await;
    assert!(done, "no {count} callbacks");
    simulator.twilio().ledger().messages()[0].clone()
}

#[tokio::test]
async fn callbacks_are_signed_and_in_order() {
    let (simulator, receiver) = (simulator().await, Receiver::start(0).await);
    let sent = client(&simulator).send(&receiver.text()).await.unwrap();
    let message = told(&simulator, 2).await;
    assert_eq!(receiver.statuses(), ["sent", "delivered"]);
    assert!(receiver.seen.lock().unwrap().iter().all(|callback| callback.message_sid == sent.sid));
    assert_eq!(message.status, MessageStatus::Delivered);
    assert!(message.callbacks.iter().all(|callback| callback.http_status == Some(200) && callback.tries == 1));
}

#[tokio::test]
async fn callbacks_come_doubled_swapped_and_failed() {
    for (fault, expected, last) in [
        (Fault::CallbacksDoubled, vec!["sent", "sent", "delivered", "delivered"], MessageStatus::Delivered),
        (Fault::CallbacksSwapped, vec!["delivered", "sent"], MessageStatus::Delivered),
        (Fault::Undelivered, vec!["sent", "undelivered"], MessageStatus::Undelivered),
        (Fault::Failed, vec!["failed"], MessageStatus::Failed),
    ] {
        let (simulator, receiver) = (simulator().await, Receiver::start(0).await);
        simulator.twilio().inject(FaultRule::new(fault));
        client(&simulator).send(&receiver.text()).await.unwrap();
        let message = told(&simulator, expected.len()).await;
        assert_eq!(receiver.statuses(), expected);
        assert_eq!(message.status, last);
    }
}

#[tokio::test]
async fn callbacks_come_before_the_answer() {
    let (simulator, receiver) = (simulator().await, Receiver::start(0).await);
    simulator.twilio().inject(FaultRule::new(Fault::CallbacksBeforeAnswer));
    client(&simulator).send(&receiver.text()).await.unwrap();
    assert_eq!(receiver.statuses(), ["sent", "delivered"]);
}

#[tokio::test]
async fn a_message_whose_callbacks_are_lost_can_still_be_looked_at() {
    let (simulator, receiver) = (simulator().await, Receiver::start(0).await);
    simulator.twilio().inject(FaultRule::new(Fault::CallbacksNone));
    let sent = client(&simulator).send(&receiver.text()).await.unwrap();
    let delivered = |m: &StoredMessage| m.status == MessageStatus::Delivered;
    assert!(simulator.twilio().wait_until(PATIENCE, |ledger| ledger.messages().iter().all(delivered)).await);
    assert!(receiver.statuses().is_empty());
    let url = format!("{}/2010-04-01/Accounts/{SID}/Messages/{}.json", simulator.base_url(), sent.sid);
    let http = http_client().unwrap();
    let answer = http.get(&url).basic_auth(SID, Some("token")).send().await.unwrap();
    assert_eq!(answer.json::<Value>().await.unwrap()["status"], "delivered");
    let unknown = url.replace(&sent.sid, "SM0");
    let answer = http.get(&unknown).basic_auth(SID, Some("token")).send().await.unwrap();
    assert_eq!(answer.json::<Value>().await.unwrap()["code"], 20404);
}

#[tokio::test]
async fn a_refused_callback_is_tried_again_as_the_fragment_asks() {
    let (simulator, receiver) = (simulator().await, Receiver::start(2).await);
    client(&simulator).send(&receiver.text()).await.unwrap();
    let message = told(&simulator, 2).await;
    assert_eq!(receiver.statuses(), ["sent", "delivered"]);
    assert_eq!(message.callbacks[0].tries, 3);
}

#[tokio::test]
async fn without_a_fragment_a_refused_callback_is_lost() {
    let (simulator, receiver) = (simulator().await, Receiver::start(1).await);
    let plain = SendMessage { status_callback: Some(receiver.url.clone()), ..text("hello") };
    client(&simulator).send(&plain).await.unwrap();
    let message = told(&simulator, 2).await;
    assert_eq!(receiver.statuses(), ["delivered"]);
    assert_eq!((message.callbacks[0].tries, message.callbacks[0].http_status), (1, Some(503)));
}

#[tokio::test]
async fn faults_and_ledger_are_reached_over_http() {
    let simulator = simulator().await;
    let http = http_client().unwrap();
    let control = |path: &str| format!("{}/_control/{path}", simulator.base_url());
    let rules = json!([
        {"match": {"to": "+14155550199", "bodyContains": "two"}, "fault": "rate_limit_429", "retryAfter": 2, "times": 2},
        {"fault": "refuse_21610", "times": 0},
    ]);
    let answer = http.post(control("faults")).json(&rules).send().await.unwrap();
    assert_eq!(answer.status(), 204);
    let wrong = json!([{"fault": "set_on_fire"}]);
    assert_eq!(http.post(control("faults")).json(&wrong).send().await.unwrap().status(), 422);

    let client = client(&simulator);
    assert_eq!(client.send(&text("number two")).await.unwrap_err().class(), "rate_limited");
    assert_eq!(client.send(&text("number two")).await.unwrap_err().class(), "rate_limited");
    assert!(client.send(&text("number two")).await.unwrap_err().opted_out());
    assert!(client.send(&text("number one")).await.unwrap_err().opted_out());
    let left: Value = http.get(control("faults")).send().await.unwrap().json().await.unwrap();
    assert_eq!(left, json!([{"match": {}, "fault": "refuse_21610", "times": 0}]));
    http.delete(control("faults")).send().await.unwrap();
    client.send(&text("number two")).await.unwrap();

    let ledger: Value = http.get(control("ledger")).send().await.unwrap().json().await.unwrap();
    assert_eq!(ledger["messages"].as_array().unwrap().len(), 1);
    assert_eq!(ledger["messages"][0]["body"], "number two");
    assert_eq!(ledger["requests"]["send"], 5);
    http.delete(control("ledger")).send().await.unwrap();
    assert!(simulator.twilio().ledger().messages().is_empty());
}

#[tokio::test]
async fn more_requests_at_once_than_allowed_are_turned_away() {
    let twilio = TwilioAccount { requests_at_once_max: 1, ..account() };
    let accounts = Accounts { twilio, ..Accounts::default() };
    let simulator = Simulator::start("127.0.0.1:0", accounts).await.unwrap();
    simulator.twilio().inject(FaultRule::new(Fault::TimeoutAfterStoring));
    let client = client(&simulator);
    let hangs = tokio::spawn({
        let client = client.clone();
        async move { client.send(&text("hangs")).await }
    });
    assert!(simulator.twilio().wait_until(PATIENCE, |ledger| !ledger.messages().is_empty()).await);
    assert_eq!(client.send(&text("one more")).await.unwrap_err().class(), "rate_limited");
    assert_eq!(simulator.twilio().read(|ledger| ledger.requests().too_many), 1);
    hangs.abort();
}

#[tokio::test]
async fn thousands_of_texts_are_counted() {
    let (simulator, receiver) = (simulator().await, Receiver::start(0).await);
    let client = client(&simulator);
    let senders = (0..20).map(|n| {
        let (client, message) = (client.clone(), receiver.text());
        tokio::spawn(async move {
            for m in 0..100 {
                client.send(&SendMessage { to: format!("+1415{n:03}{m:04}"), ..message.clone() }).await.unwrap();
            }
        })
    });
    for sender in senders.collect::<Vec<_>>() {
        sender.await.unwrap();
    }
    let all_told = simulator
        .twilio()
        .wait_until(Duration::from_secs(60), |ledger| ledger.messages().iter().all(|m| m.callbacks.len() == 2))
        .await;
    assert!(all_told);
    assert_eq!(receiver.seen.lock().unwrap().len(), 4_000);
    let ledger = simulator.twilio().ledger();
    assert_eq!(ledger.messages().len(), 2_000);
    assert_eq!(ledger.to("+14150070042").count(), 1);
}
