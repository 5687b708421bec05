//! The OpenPhone client against the simulator: what each failure tells about sending again, and the look-up after an
//! unclear answer.

use std::sync::Arc;
use std::time::Duration;

use chrono::{TimeDelta, Utc};
use nightshift_lab::simulator::{Accounts, Fault, FaultRule, OpenPhoneAccount, Simulator};
use nightshift_providers::openphone::OpenPhoneClient;
use nightshift_providers::sms::{
    Delivery, Lookup, LookupError, Refusal, SendError, SendMessage, Service, UnclearCause,
};
use nightshift_providers::{Timeouts, http_client, http_client_with};

use crate::data;
use crate::twilio_client::{recorded, text};

const FROM: &str = "+14155550142";
const TO: &str = "+14155550199";

fn account() -> OpenPhoneAccount {
    OpenPhoneAccount {
        delivery_delay: Duration::from_millis(1),
        requests_per_second_max: usize::MAX,
        ..OpenPhoneAccount::default()
    }
}

async fn simulator() -> Simulator {
    with(account()).await
}

async fn with(openphone: OpenPhoneAccount) -> Simulator {
    Simulator::start("127.0.0.1:0", Accounts { openphone, ..Accounts::default() }).await.unwrap()
}

pub fn client(simulator: &Simulator) -> OpenPhoneClient {
    let key = OpenPhoneAccount::default().api_key;
    OpenPhoneClient::new(&simulator.base_url(), key, http_client().unwrap()).unwrap()
}

/// A client that gives up soon, for faults that hang.
fn impatient(simulator: &Simulator) -> OpenPhoneClient {
    let timeouts = Timeouts { total: Duration::from_secs(1), ..Timeouts::default() };
    let key = OpenPhoneAccount::default().api_key;
    OpenPhoneClient::new(&simulator.base_url(), key, http_client_with(timeouts).unwrap()).unwrap()
}

fn lookup(body: &str) -> Lookup {
    Lookup { from: FROM.into(), to: TO.into(), body: body.into(), since: Utc::now() }
}

/// The ids of the messages that may be the text, and whether each has the same words.
async fn found(client: &OpenPhoneClient, lookup: &Lookup) -> Vec<(String, bool)> {
    let found = client.candidates(lookup).await.unwrap();
    found.into_iter().map(|found| (found.message.sid, found.same_text)).collect()
}

#[tokio::test]
async fn a_text_is_sent_and_found_again() {
    let simulator = simulator().await;
    let client = client(&simulator);
    let wanted = lookup("Zoë, see you at 10:00 & bring +1 🐕");
    let sent = client.send(&text(&wanted.body)).await.unwrap();
    assert!(sent.sid.starts_with("AC"));
    assert_eq!(sent.delivery, Delivery::Pending);
    let ledger = simulator.openphone().ledger();
    assert_eq!(ledger.messages().len(), 1);
    assert_eq!(ledger.messages()[0].text, wanted.body);
    assert_eq!((ledger.messages()[0].from.as_str(), ledger.messages()[0].to.as_str()), (FROM, TO));
    assert_eq!(found(&client, &wanted).await, [(sent.sid, true)]);
}

#[tokio::test]
async fn a_refusal_is_permanent_and_says_why() {
    let simulator = simulator().await;
    let client = client(&simulator);
    for (code, text_code, http_status, refusal) in [
        (206_400, "0206400", 400, Refusal::Sender),
        (200_400, "0200400", 400, Refusal::Other),
        (200_401, "0200401", 401, Refusal::Account),
        (201_402, "0201402", 402, Refusal::Account),
        (202_403, "0202403", 403, Refusal::Sender),
        (200_404, "0200404", 404, Refusal::Sender),
    ] {
        simulator.openphone().inject(FaultRule::new(Fault::Refuse).code(code));
        let error = client.send(&text("hello")).await.unwrap_err();
        assert_eq!((error.refusal(), error.code(), error.class()), (Some(refusal), Some(text_code), "refused"));
        let SendError::Refused { http_status: told, .. } = error else { panic!("{error:?}") };
        assert_eq!(told, http_status);
    }
    assert!(client.send(&text(" \n")).await.is_err(), "a text without a visible character");
    assert_eq!(simulator.openphone().ledger().messages().len(), 0);
}

#[tokio::test]
async fn a_wrong_key_and_a_foreign_number_are_refused() {
    let simulator = with(OpenPhoneAccount { numbers: vec!["+14155550143".to_owned()], ..account() }).await;
    let error = client(&simulator).send(&text("hello")).await.unwrap_err();
    assert_eq!((error.refusal(), error.code()), (Some(Refusal::Sender), Some("0202403")));
    assert_eq!(client(&simulator).numbers().await.unwrap(), ["+14155550143"]);

    let wrong = OpenPhoneClient::new(&simulator.base_url(), "other".into(), http_client().unwrap()).unwrap();
    let error = wrong.send(&text("hello")).await.unwrap_err();
    assert_eq!(error.refusal(), Some(Refusal::Account));
    assert!(error.to_string().contains("an operator must set OPENPHONE_API_KEY"), "{error}");
    for error in [wrong.check().await.unwrap_err(), wrong.candidates(&lookup("hello")).await.unwrap_err()] {
        assert!(matches!(error, LookupError::Refused { http_status: 401, .. }) && error.is_permanent(), "{error:?}");
    }
    assert_eq!(simulator.openphone().ledger().requests().unauthorized, 3);
}

#[tokio::test]
async fn more_than_ten_a_second_may_be_sent_again_later() {
    let simulator = with(OpenPhoneAccount { requests_per_second_max: 10, ..account() }).await;
    let client = client(&simulator);
    let texts: Vec<_> = (0..20).map(|number| text(&format!("text {number}"))).collect();
    let mut refused = 0;
    for text in &texts {
        match client.send(text).await {
            Ok(_) => {}
            Err(error) => {
                assert_eq!((error.class(), error.retry_after()), ("rate_limited", None));
                refused += 1;
            }
        }
    }
    assert!(refused > 0);
    assert_eq!(simulator.openphone().ledger().messages().len(), texts.len() - refused);
    simulator.openphone().inject(FaultRule::new(Fault::RateLimit).retry_after(7).times(0));
    loop {
        let error = client.send(&text("hello")).await.unwrap_err();
        if error.retry_after() == Some(Duration::from_secs(7)) {
            break;
        }
    }
}

#[tokio::test]
async fn what_was_not_answered_leaves_doubt() {
    let simulator = simulator().await;
    let (client, impatient) = (client(&simulator), impatient(&simulator));
    for (fault, sender, sent) in [
        (Fault::ErrorBeforeStoring, &client, false),
        (Fault::ErrorAfterStoring, &client, true),
        (Fault::HangBeforeStoring, &impatient, false),
        (Fault::TimeoutAfterStoring, &impatient, true),
        (Fault::SlowBodyAfterStoring, &impatient, true),
        (Fault::CloseBeforeStoring, &client, false),
        (Fault::CloseAfterStoring, &client, true),
        (Fault::GarbledAfterStoring, &client, true),
    ] {
        let body = format!("{fault:?}");
        simulator.openphone().inject(FaultRule::new(fault).body_contains(&body));
        let error = sender.send(&text(&body)).await.unwrap_err();
        let SendError::Unclear { by: Service::OpenPhone, cause, .. } = &error else { panic!("{fault:?}: {error:?}") };
        match fault {
            Fault::ErrorBeforeStoring | Fault::ErrorAfterStoring => {
                assert_eq!(*cause, UnclearCause::ServerError { http_status: 500, code: Some("0201500".to_owned()) });
            }
            Fault::CloseBeforeStoring | Fault::CloseAfterStoring => {
                assert!(matches!(cause, UnclearCause::ConnectionLost(_)), "{fault:?}: {cause:?}");
            }
            Fault::GarbledAfterStoring => assert_eq!(*cause, UnclearCause::Unreadable { http_status: 202 }),
            _ => assert_eq!(*cause, UnclearCause::Timeout, "{fault:?}"),
        }
        let same = found(&client, &lookup(&body)).await.into_iter().filter(|(_, same)| *same).count();
        assert_eq!(same, usize::from(sent), "{fault:?}");
    }
}

#[tokio::test]
async fn nobody_there_means_that_nothing_was_sent() {
    let simulator = simulator().await;
    let client = client(&simulator);
    simulator.stop().await;
    let error = client.send(&text("hello")).await.unwrap_err();
    assert!(matches!(error, SendError::NotSent { .. }), "{error:?}");
    assert!(matches!(client.candidates(&lookup("hello")).await.unwrap_err(), LookupError::Unreachable { .. }));
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
    simulator.openphone().receive_unreported(TO, FROM, "same words", &[]);

    let expected = [(first.sid, true), (second.sid, true), (other.sid, false)];
    assert_eq!(found(&client, &lookup("same words")).await, expected);
    // A client that does not know the number's id yet asks for it.
    assert_eq!(found(&self::client(&simulator), &lookup("same words")).await, expected);
    // What was made before sending began is another text.
    let later = Lookup { since: Utc::now() + TimeDelta::minutes(6), ..lookup("same words") };
    assert_eq!(found(&client, &later).await, []);
}

#[tokio::test]
async fn a_number_that_the_workspace_does_not_list_is_looked_up_in_all_its_messages() {
    let simulator = simulator().await;
    let sent = client(&simulator).send(&text("hello")).await.unwrap();
    client(&simulator).send(&SendMessage { from: "+14155550143".into(), ..text("hello") }).await.unwrap();
    simulator.openphone().receive_unreported(TO, FROM, "hello", &[]);
    simulator.openphone().forget_numbers();
    assert_eq!(found(&client(&simulator), &lookup("hello")).await, [(sent.sid, true)]);
}

#[tokio::test]
async fn a_look_up_reads_every_page() {
    let simulator = simulator().await;
    let client = client(&simulator);
    let wanted = lookup("wanted");
    let sent = client.send(&text("wanted")).await.unwrap();
    for n in 0..149 {
        client.send(&text(&format!("text {n}"))).await.unwrap();
    }
    let all = found(&client, &wanted).await;
    assert_eq!((all.len(), &all[0]), (150, &(sent.sid.clone(), true)));
    assert_eq!(simulator.openphone().ledger().requests().list, 3);
    simulator.openphone().forget_numbers();
    let all = found(&self::client(&simulator), &wanted).await;
    assert_eq!((all.len(), &all[0]), (150, &(sent.sid, true)));
}

#[tokio::test]
async fn a_look_up_that_fails_proves_nothing() {
    let simulator = simulator().await;
    let client = client(&simulator);
    client.send(&text("hello")).await.unwrap();
    simulator.openphone().inject(FaultRule::new(Fault::ListError).to(TO));
    let error = client.candidates(&lookup("hello")).await.unwrap_err();
    assert_eq!(error, LookupError::Unavailable { by: Service::OpenPhone, http_status: 500, retry_after: None });
    assert!(!error.is_permanent());
    simulator.openphone().inject(FaultRule::new(Fault::ListRateLimit).retry_after(3));
    let error = client.candidates(&lookup("hello")).await.unwrap_err();
    assert_eq!(error.retry_after(), Some(Duration::from_secs(3)));
    simulator.openphone().inject(FaultRule::new(Fault::ListLags));
    assert_eq!(found(&client, &lookup("hello")).await, []);
    assert_eq!(found(&client, &lookup("hello")).await.len(), 1);
}

#[tokio::test]
async fn a_list_that_lags_shows_a_text_later() {
    let now = Arc::new(std::sync::Mutex::new(Utc::now()));
    let clock = now.clone();
    let account = OpenPhoneAccount {
        list_lag: Duration::from_secs(30),
        now: Arc::new(move || *clock.lock().unwrap()),
        ..account()
    };
    let simulator = with(account).await;
    let client = client(&simulator);
    client.send(&text("hello")).await.unwrap();
    assert_eq!(found(&client, &lookup("hello")).await, []);
    *now.lock().unwrap() += TimeDelta::seconds(30);
    assert_eq!(found(&client, &lookup("hello")).await.len(), 1);
}

#[tokio::test]
async fn every_recorded_answer_is_read() {
    let ask = async |status, name: &str| {
        let addr = recorded(status, data::sample(name)).await;
        OpenPhoneClient::new(&format!("http://{addr}/"), "key".into(), http_client().unwrap()).unwrap()
    };
    let sent = ask(202, "openphone-send-202.json").await.send(&text("x")).await.unwrap();
    assert_eq!((sent.sid.as_str(), sent.delivery), ("AC00000000000000000000000000000003", Delivery::Pending));
    for (status, name, code, class) in [
        (400, "openphone-error-400-a2p.json", "0206400", "refused"),
        (401, "openphone-error-401.json", "0200401", "refused"),
        (402, "openphone-error-402.json", "0201402", "refused"),
        (500, "openphone-error-500.json", "0201500", "ambiguous"),
    ] {
        let error = ask(status, name).await.send(&text("x")).await.unwrap_err();
        assert_eq!((error.code(), error.class()), (Some(code), class), "{name}");
    }
    let error = ask(200, "openphone-send-202.json").await.candidates(&lookup("x")).await.unwrap_err();
    assert_eq!(error, LookupError::Unreadable { by: Service::OpenPhone });
}

#[test]
fn nothing_printed_holds_the_key() {
    nightshift_providers::tls::install();
    let http = http_client().unwrap();
    let client = OpenPhoneClient::new("https://user:word@api.example", "secret key".into(), http).unwrap();
    let printed = format!("{client:?}");
    assert!(!printed.contains("secret key") && !printed.contains("word@"), "{printed}");
}
