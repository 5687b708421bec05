//! The Twilio client against the simulator: what each failure tells about sending again, and the look-up after an unclear answer.

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use nightshift_lab::simulator::{Accounts, Fault, FaultRule, Simulator, TwilioAccount};
use nightshift_providers::sms::{
    Delivery, Intent, Lookup, LookupError, Refusal, SendError, SendMessage, Service, UnclearCause,
};
use nightshift_providers::twilio::{TwilioClient, explain};
use nightshift_providers::{ClientError, Timeouts, http_client, http_client_with};
use secrecy::SecretString;

use crate::data;

pub const SID: &str = "AC0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a";
const FROM: &str = "+14155550142";
const TO: &str = "+14155550199";

pub fn account() -> TwilioAccount {
    TwilioAccount {
        account_sid: SID.into(),
        auth_token: SecretString::from("token"),
        callback_delay: Duration::from_millis(1),
        ..TwilioAccount::default()
    }
}

pub async fn simulator() -> Simulator {
    Simulator::start("127.0.0.1:0", Accounts { twilio: account(), ..Accounts::default() }).await.unwrap()
}

pub fn client(simulator: &Simulator) -> TwilioClient {
    TwilioClient::new(&simulator.base_url(), SID, SecretString::from("token"), http_client().unwrap()).unwrap()
}

/// A client that gives up soon, for faults that hang.
fn impatient(simulator: &Simulator) -> TwilioClient {
    let timeouts = Timeouts { total: Duration::from_secs(1), ..Timeouts::default() };
    let http = http_client_with(timeouts).unwrap();
    TwilioClient::new(&simulator.base_url(), SID, SecretString::from("token"), http).unwrap()
}

pub fn text(body: &str) -> SendMessage {
    SendMessage {
        from: FROM.into(),
        to: TO.into(),
        body: body.into(),
        status_callback: None,
        intent: Intent::Notification,
    }
}

fn lookup(body: &str) -> Lookup {
    Lookup { from: FROM.into(), to: TO.into(), body: body.into(), since: Utc::now() }
}

fn stored(simulator: &Simulator) -> usize {
    simulator.twilio().read(|ledger| ledger.messages().len())
}

#[tokio::test]
async fn a_text_is_sent_and_found_again() {
    let simulator = simulator().await;
    let client = client(&simulator);
    let since = lookup("Zoë, see you at 10:00 & bring +1 🐕");
    let sent = client.send(&text(&since.body)).await.unwrap();
    assert!(sent.sid.starts_with("SM") && sent.sid.len() == 34);
    assert_eq!(sent.delivery, Delivery::Pending);

    let ledger = simulator.twilio().ledger();
    assert_eq!(ledger.messages().len(), 1);
    assert_eq!(ledger.messages()[0].body, since.body);
    assert_eq!((ledger.messages()[0].from.as_str(), ledger.messages()[0].to.as_str()), (FROM, TO));
    assert_eq!(client.find(&since).await.unwrap().map(|found| found.sid), Some(sent.sid));
}

#[tokio::test]
async fn a_refusal_is_permanent_and_says_why() {
    let simulator = simulator().await;
    let client = client(&simulator);
    for (code, refusal) in [
        (21610, Refusal::OptedOut),
        (21211, Refusal::Recipient),
        (21606, Refusal::Sender),
        (21408, Refusal::NotPermitted),
        (21617, Refusal::Body),
        (29999, Refusal::Other),
    ] {
        simulator.twilio().inject(FaultRule::new(Fault::Refuse).code(code).to(TO));
        let error = client.send(&text("hello")).await.unwrap_err();
        assert_eq!(
            (error.refusal(), error.code(), error.class()),
            (Some(refusal), Some(code.to_string().as_str()), "refused")
        );
        assert_eq!(error.opted_out(), code == 21610);
    }
    assert_eq!(client.send(&text(&"x".repeat(1601))).await.unwrap_err().code(), Some("21617"));
    assert_eq!(stored(&simulator), 0);
}

#[tokio::test]
async fn wrong_credentials_are_refused() {
    let simulator = simulator().await;
    let wrong =
        TwilioClient::new(&simulator.base_url(), SID, SecretString::from("other"), http_client().unwrap()).unwrap();
    let error = wrong.send(&text("hello")).await.unwrap_err();
    assert_eq!((error.refusal(), error.code()), (Some(Refusal::Account), Some("20003")));
    let error = wrong.find(&lookup("hello")).await.unwrap_err();
    assert_eq!(
        error,
        LookupError::Refused {
            by: Service::Twilio,
            http_status: 401,
            code: Some("20003".to_owned()),
            message: explain(20003),
        }
    );
    assert!(error.is_permanent());
    assert_eq!(simulator.twilio().read(|ledger| ledger.requests().unauthorized), 2);
}

fn rate_limited(retry_after: Option<Duration>, code: u32) -> SendError {
    SendError::RateLimited { by: Service::Twilio, retry_after, code: Some(code.to_string()), message: explain(code) }
}

#[tokio::test]
async fn too_many_requests_may_be_sent_again_after_the_time_asked_for() {
    let simulator = simulator().await;
    let client = client(&simulator);
    simulator.twilio().inject(FaultRule::new(Fault::RateLimit).retry_after(7));
    simulator.twilio().inject(FaultRule::new(Fault::RateLimit));
    simulator.twilio().inject(FaultRule::new(Fault::QueueFull));
    let error = client.send(&text("hello")).await.unwrap_err();
    assert_eq!(error, rate_limited(Some(Duration::from_secs(7)), 20429));
    let error = client.send(&text("hello")).await.unwrap_err();
    assert_eq!(error, rate_limited(None, 20429));
    let error = client.send(&text("hello")).await.unwrap_err();
    assert_eq!(error, rate_limited(None, 21611));
    assert_eq!(stored(&simulator), 0);
    client.send(&text("hello")).await.unwrap();
    assert_eq!(stored(&simulator), 1);
}

#[tokio::test]
async fn a_server_error_leaves_doubt_whether_it_was_sent_or_not() {
    let simulator = simulator().await;
    let client = client(&simulator);
    let error_500 = |code: u32| SendError::Unclear {
        by: Service::Twilio,
        cause: UnclearCause::ServerError { http_status: 500, code: Some(code.to_string()) },
        retry_after: None,
    };
    simulator.twilio().inject(FaultRule::new(Fault::ErrorBeforeStoring));
    assert_eq!(client.send(&text("lost")).await.unwrap_err(), error_500(20500));
    assert_eq!(client.find(&lookup("lost")).await.unwrap(), None);

    simulator.twilio().inject(FaultRule::new(Fault::ErrorAfterStoring));
    assert_eq!(client.send(&text("taken")).await.unwrap_err(), error_500(20500));
    assert!(client.find(&lookup("taken")).await.unwrap().is_some());

    simulator.twilio().inject(FaultRule::new(Fault::UnavailableBeforeStoring).retry_after(30));
    let error = client.send(&text("busy")).await.unwrap_err();
    assert_eq!((error.code(), error.retry_after()), (Some("20503"), Some(Duration::from_secs(30))));
    assert_eq!(error.class(), "ambiguous");
}

#[tokio::test]
async fn silence_and_broken_connections_leave_doubt() {
    let simulator = simulator().await;
    let (client, impatient) = (client(&simulator), impatient(&simulator));
    for (fault, sender, sent) in [
        (Fault::HangBeforeStoring, &impatient, false),
        (Fault::TimeoutAfterStoring, &impatient, true),
        (Fault::SlowBodyAfterStoring, &impatient, true),
        (Fault::CloseBeforeStoring, &client, false),
        (Fault::CloseAfterStoring, &client, true),
        (Fault::GarbledAfterStoring, &client, true),
    ] {
        let body = format!("{fault:?}");
        simulator.twilio().inject(FaultRule::new(fault).body_contains(&body));
        let error = sender.send(&text(&body)).await.unwrap_err();
        let SendError::Unclear { cause, .. } = &error else { panic!("{fault:?}: {error:?}") };
        match fault {
            Fault::CloseBeforeStoring | Fault::CloseAfterStoring => {
                assert!(matches!(cause, UnclearCause::ConnectionLost(_)), "{fault:?}: {cause:?}");
            }
            Fault::GarbledAfterStoring => assert_eq!(*cause, UnclearCause::Unreadable { http_status: 201 }),
            _ => assert_eq!(*cause, UnclearCause::Timeout, "{fault:?}"),
        }
        assert_eq!(client.find(&lookup(&body)).await.unwrap().is_some(), sent, "{fault:?}");
    }
}

#[tokio::test]
async fn a_slow_answer_is_waited_for() {
    let simulator = simulator().await;
    simulator.twilio().inject(FaultRule::new(Fault::SlowAnswer).delay(Duration::from_millis(50)));
    client(&simulator).send(&text("hello")).await.unwrap();
}

#[tokio::test]
async fn nobody_there_means_that_nothing_was_sent() {
    let simulator = simulator().await;
    let client = client(&simulator);
    simulator.stop().await;
    let error = client.send(&text("hello")).await.unwrap_err();
    assert!(matches!(error, SendError::NotSent { .. }), "{error:?}");
    assert!(matches!(client.find(&lookup("hello")).await.unwrap_err(), LookupError::Unreachable { .. }));
}

#[tokio::test]
async fn no_name_and_no_tls_mean_that_nothing_was_sent() {
    let simulator = simulator().await;
    let at_port = |host: &str| format!("{host}:{}", simulator.addr().port());
    for base_url in ["https://nightshift.invalid".to_owned(), at_port("https://127.0.0.1")] {
        let http = http_client().unwrap();
        let client = TwilioClient::new(&base_url, SID, SecretString::from("token"), http).unwrap();
        let error = client.send(&text("hello")).await.unwrap_err();
        assert!(matches!(error, SendError::NotSent { .. }), "{base_url}: {error:?}");
    }
}

#[tokio::test]
async fn a_connection_that_takes_too_long_means_that_nothing_was_sent() {
    // Takes the connection and never answers the TLS greeting.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base_url = format!("https://{}", listener.local_addr().unwrap());
    let timeouts = Timeouts { connect: Duration::from_millis(100), total: Duration::from_secs(10) };
    let http = http_client_with(timeouts).unwrap();
    let client = TwilioClient::new(&base_url, SID, SecretString::from("token"), http).unwrap();
    let error = client.send(&text("hello")).await.unwrap_err();
    assert!(matches!(error, SendError::NotSent { .. }), "{error:?}");
}

#[tokio::test]
async fn an_address_that_is_none_is_refused_at_the_start() {
    for base_url in ["", "api.twilio.com", "file:///etc/hosts"] {
        let made = TwilioClient::new(base_url, SID, SecretString::from("token"), http_client().unwrap());
        assert!(matches!(made, Err(ClientError::Address(_))), "{base_url}");
    }
}

#[tokio::test]
async fn a_look_up_tells_texts_apart() {
    let simulator = simulator().await;
    let client = client(&simulator);
    let first = client.send(&text("same words")).await.unwrap();
    let second = client.send(&text("same words")).await.unwrap();
    let other = client.send(&text("other words")).await.unwrap();
    client.send(&SendMessage { to: "+14155550198".into(), ..text("same words") }).await.unwrap();
    client.send(&SendMessage { from: "+14155550143".into(), ..text("same words") }).await.unwrap();

    let found = client.candidates(&lookup("same words")).await.unwrap();
    let sids: Vec<_> = found.iter().map(|found| (found.message.sid.as_str(), found.same_text)).collect();
    assert_eq!(sids, [(first.sid.as_str(), true), (second.sid.as_str(), true), (other.sid.as_str(), false)]);
    assert_eq!(client.find(&lookup("same words")).await.unwrap().map(|found| found.sid), Some(first.sid));
    assert_eq!(client.find(&lookup("same")).await.unwrap(), None);
    // What was made before sending began is another text.
    let later = Lookup { since: Utc::now() + TimeDelta::minutes(6), ..lookup("same words") };
    assert_eq!(client.find(&later).await.unwrap(), None);
}

#[tokio::test]
async fn a_look_up_reads_every_page() {
    let simulator = simulator().await;
    let client = client(&simulator);
    let wanted = lookup("wanted");
    let sent = client.send(&text("wanted")).await.unwrap();
    for n in 0..1_000 {
        client.send(&text(&format!("text {n}"))).await.unwrap();
    }
    assert_eq!(client.find(&wanted).await.unwrap().map(|found| found.sid), Some(sent.sid));
    assert_eq!(simulator.twilio().read(|ledger| ledger.requests().list), 6);
    // What lies further back than the attempt is not read.
    let later = Lookup { since: Utc::now() + TimeDelta::minutes(6), ..wanted };
    assert_eq!(client.find(&later).await.unwrap(), None);
    assert_eq!(simulator.twilio().read(|ledger| ledger.requests().list), 7);
}

#[tokio::test]
async fn a_text_is_found_however_twilio_shows_it() {
    let simulator = simulator().await;
    let client = client(&simulator);
    for fault in [Fault::StaysQueued, Fault::TrialPrefix, Fault::LineEndsChanged] {
        simulator.twilio().inject(FaultRule::new(fault));
        let body = format!("Zoë,\n{fault:?}");
        let sent = client.send(&text(&body)).await.unwrap();
        assert_eq!(client.find(&lookup(&body)).await.unwrap().map(|found| found.sid), Some(sent.sid), "{fault:?}");
    }
}

#[tokio::test]
async fn an_api_key_is_as_good_as_the_auth_token() {
    let simulator = simulator().await;
    let (key, secret) = account().api_key;
    let other = TwilioClient::new(&simulator.base_url(), SID, "other".into(), http_client().unwrap()).unwrap();
    let keyed = other.with_api_key(key.as_str(), secret);
    keyed.send(&text("hello")).await.unwrap();
    keyed.check().await.unwrap();
    assert!(keyed.with_api_key(key, "other".into()).check().await.unwrap_err().is_permanent());
}

#[tokio::test]
async fn a_look_up_that_fails_proves_nothing() {
    let simulator = simulator().await;
    let client = client(&simulator);
    client.send(&text("hello")).await.unwrap();
    simulator.twilio().inject(FaultRule::new(Fault::ListError).to(TO));
    let error = client.find(&lookup("hello")).await.unwrap_err();
    assert_eq!(error, LookupError::Unavailable { by: Service::Twilio, http_status: 500, retry_after: None });
    assert!(!error.is_permanent());
    simulator.twilio().inject(FaultRule::new(Fault::ListRateLimit).retry_after(3));
    let error = client.find(&lookup("hello")).await.unwrap_err();
    assert_eq!(error.retry_after(), Some(Duration::from_secs(3)));
    // A list that lags shows nothing the first time.
    simulator.twilio().inject(FaultRule::new(Fault::ListLags));
    assert_eq!(client.find(&lookup("hello")).await.unwrap(), None);
    assert!(client.find(&lookup("hello")).await.unwrap().is_some());
}

#[test]
fn nothing_printed_holds_a_number_a_text_or_the_token() {
    nightshift_providers::tls::install();
    let http = http_client().unwrap();
    let client = TwilioClient::new("https://user:word@api.example", SID, SecretString::from("token"), http).unwrap();
    let printed = format!("{client:?} {:?} {:?}", text("secret words"), lookup("secret words"));
    for hidden in ["4155550", "secret words", "token", "word@"] {
        assert!(!printed.contains(hidden), "{printed}");
    }
}

/// Answers every request with one recorded body.
pub async fn recorded(status: u16, body: Vec<u8>) -> std::net::SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let status = axum::http::StatusCode::from_u16(status).unwrap();
    let router = axum::Router::new().fallback(move || async move { (status, body) });
    tokio::spawn(async move { axum::serve(listener, router).await });
    addr
}

#[tokio::test]
async fn every_recorded_answer_is_read() {
    let ask = async |status, name: &str| {
        let addr = recorded(status, data::sample(name)).await;
        let http = http_client().unwrap();
        TwilioClient::new(&format!("http://{addr}/"), SID, SecretString::from("token"), http).unwrap()
    };
    let sent = ask(201, "twilio-message-created-201.json").await.send(&text("x")).await.unwrap();
    assert_eq!((sent.sid.as_str(), sent.delivery), ("SM000000000000000000000000005a0014", Delivery::Pending));

    let since = "2026-11-20T10:00:00.9Z".parse().unwrap();
    let listed = Lookup { since, ..lookup("Your booking is confirmed.") };
    let found = ask(200, "twilio-messages-list-200.json").await.find(&listed).await.unwrap().unwrap();
    assert_eq!((found.sid.as_str(), found.delivery), ("SM000000000000000000000000005a0014", Delivery::Delivered));
    let error = ask(200, "twilio-message-created-201.json").await.find(&listed).await.unwrap_err();
    assert_eq!(error, LookupError::Unreadable { by: Service::Twilio });

    for (status, code, class) in [
        (400, 21211, "refused"),
        (400, 21610, "refused"),
        (401, 20003, "refused"),
        (404, 20404, "refused"),
        (429, 20429, "rate_limited"),
        (503, 20503, "ambiguous"),
    ] {
        let error =
            ask(status, &format!("twilio-error-{status}-{code}.json")).await.send(&text("x")).await.unwrap_err();
        assert_eq!((error.code(), error.class()), (Some(code.to_string().as_str()), class));
        assert!(!error.to_string().contains("+1415"), "{error}");
    }
}

#[tokio::test]
async fn a_check_tells_good_credentials_from_wrong_ones() {
    let simulator = simulator().await;
    client(&simulator).check().await.unwrap();
    let wrong = TwilioClient::new(&simulator.base_url(), SID, "other".into(), http_client().unwrap()).unwrap();
    assert!(wrong.check().await.unwrap_err().is_permanent());
    assert_eq!(simulator.twilio().ledger().messages(), []);
}
