//! The VAPI client against the simulator: what each failure tells about calling again, and the look-up after an unclear answer.

use std::time::Duration;

use chrono::Utc;
use nightshift_lab::simulator::{Accounts, CallScript, Simulator, StartScript};
use nightshift_providers::vapi::{
    AskError, Lookup, Progress, StartCall, StartError, VapiClient, Webhook, WebhookProof,
};
use nightshift_providers::{Timeouts, http_client_with};
use serde_json::json;

async fn simulator() -> Simulator {
    Simulator::start("127.0.0.1:0", Accounts::default()).await.unwrap()
}

fn client(simulator: &Simulator, key: &str) -> VapiClient {
    let account = Accounts::default().vapi;
    let timeouts = Timeouts { total: Duration::from_millis(500), ..Timeouts::default() };
    let http = http_client_with(timeouts).unwrap();
    VapiClient::new(&simulator.base_url(), key.into(), account.assistant_id, account.phone_number_id, http).unwrap()
}

fn good(simulator: &Simulator) -> VapiClient {
    client(simulator, "simulated-vapi-key")
}

fn call(name: &str) -> StartCall {
    StartCall {
        number: "+14155550177".to_owned(),
        name: name.to_owned(),
        booking_call_id: format!("id-of-{name}"),
        variables: json!({"providerName": "Bright Dental"}),
        webhook: None,
    }
}

fn lookup(name: &str) -> Lookup {
    Lookup { name: name.to_owned(), booking_call_id: format!("id-of-{name}"), since: Utc::now() }
}

#[tokio::test]
async fn a_call_is_started_and_looked_at_until_it_has_ended() {
    let simulator = simulator().await;
    simulator.vapi().script(CallScript { ends_at_poll: Some(3), analysis_after: 1, ..CallScript::default() });
    let client = good(&simulator);
    let started = client.start(&call("one")).await.unwrap();
    for _ in 0..2 {
        assert_eq!(client.get(&started.id).await.unwrap().progress(), Progress::Underway);
    }
    assert!(matches!(client.get(&started.id).await.unwrap().progress(), Progress::Analysing(_)));
    let Progress::Ended(outcome) = client.get(&started.id).await.unwrap().progress() else { panic!("it has ended") };
    assert_eq!(outcome.confirmation.unwrap().number.as_deref(), Some("BD441"));
    assert!(outcome.transcript.is_some());
    let placed = &simulator.vapi().calls()[0];
    assert_eq!((placed.number.as_str(), placed.name.as_str()), ("+14155550177", "one"));
    assert_eq!(placed.overrides["metadata"]["bookingCallId"], "id-of-one");
}

#[tokio::test]
async fn each_failed_start_says_whether_a_phone_may_ring() {
    let simulator = simulator().await;
    let client = good(&simulator);
    for (start, placed) in [
        (StartScript::Refused, 0),
        (StartScript::RateLimited, 0),
        (StartScript::ErrorBefore, 0),
        (StartScript::ErrorAfter, 1),
        (StartScript::HangBefore, 0),
        (StartScript::HangAfter, 1),
        (StartScript::CloseAfter, 1),
    ] {
        let before = simulator.vapi().placed();
        simulator.vapi().script(CallScript { start, times: 1, delay_ms: 2_000, ..CallScript::default() });
        let name = format!("{start:?}");
        let error = client.start(&call(&name)).await.unwrap_err();
        assert_eq!(simulator.vapi().placed() - before, placed, "{start:?}");
        match start {
            StartScript::Refused => {
                assert!(matches!(error, StartError::Refused { http_status: 400, .. }), "{error:?}");
            }
            StartScript::RateLimited => {
                assert_eq!(error, StartError::RateLimited { retry_after: Some(Duration::from_secs(1)) });
            }
            _ => assert!(matches!(error, StartError::Unclear { .. }), "{start:?}: {error}"),
        }
        // After an unclear answer, the list of calls decides.
        let found = client.find(&lookup(&name)).await.unwrap();
        assert_eq!(found.is_some(), placed == 1, "{start:?}");
    }
    let nobody =
        VapiClient::new("http://127.0.0.1:9", "key".into(), "a", "p", http_client_with(Timeouts::default()).unwrap());
    assert!(matches!(nobody.unwrap().start(&call("x")).await.unwrap_err(), StartError::NotSent { .. }));
}

#[tokio::test]
async fn wrong_credentials_are_no_proof_of_anything() {
    let simulator = simulator().await;
    let client = client(&simulator, "wrong");
    let refused = client.start(&call("one")).await.unwrap_err();
    assert!(matches!(refused, StartError::Refused { http_status: 401, cause: Some(_) }), "{refused:?}");
    assert_eq!(client.find(&lookup("one")).await.unwrap_err(), AskError::Refused { http_status: 401 });
    assert_eq!(client.check().await.unwrap_err(), AskError::Refused { http_status: 401 });
    good(&simulator).check().await.unwrap();
    assert_eq!(good(&simulator).get("none").await.unwrap_err(), AskError::NotFound);
}

#[tokio::test]
async fn a_look_that_fails_is_one_that_may_be_repeated() {
    let simulator = simulator().await;
    simulator.vapi().script(CallScript { failing_polls: 1, ..CallScript::default() });
    let client = good(&simulator);
    let started = client.start(&call("one")).await.unwrap();
    assert!(matches!(client.get(&started.id).await.unwrap_err(), AskError::Unavailable { http_status: 500, .. }));
    client.get(&started.id).await.unwrap();
}

#[tokio::test]
async fn a_start_holds_no_name_that_the_published_api_lacks() {
    let simulator = simulator().await;
    let client = good(&simulator);
    let credential = Accounts::default().vapi.credential_id;
    for proof in [WebhookProof::Secret("shown".into()), WebhookProof::Credential(credential.clone())] {
        let webhook = Some(Webhook { url: "http://127.0.0.1:9/vapi".to_owned(), proof });
        client.start(&StartCall { webhook, ..call("one") }).await.unwrap();
    }
    let servers: Vec<_> = simulator.vapi().calls().iter().map(|call| call.overrides["server"].clone()).collect();
    assert_eq!(servers[0]["headers"], json!({"X-Vapi-Secret": "shown"}));
    assert_eq!((&servers[1]["credentialId"], &servers[1]["headers"]), (&json!(credential), &json!(null)));
}

#[tokio::test]
async fn a_refusal_names_the_field_and_quotes_nothing() {
    let simulator = simulator().await;
    let client = good(&simulator);
    let unknown = WebhookProof::Credential("none".to_owned());
    let webhook = Some(Webhook { url: "http://127.0.0.1:9/vapi".to_owned(), proof: unknown });
    let number = "4155550177".to_owned();
    let error = client.start(&StartCall { webhook, number, ..call("one") }).await.unwrap_err().to_string();
    assert_eq!(
        error,
        "VAPI refused the call (HTTP 400): customer.number must be a valid phone number in the E.164 format not …; \
         there is no such credential"
    );
}

#[tokio::test]
async fn the_list_is_filtered_as_asked_and_refuses_what_it_does_not_know() {
    let simulator = simulator().await;
    let client = good(&simulator);
    let ids = [client.start(&call("one")).await.unwrap().id, client.start(&call("two")).await.unwrap().id];
    let account = Accounts::default().vapi;
    let http = http_client_with(Timeouts::default()).unwrap();
    let list = async |query: &str| {
        let url = format!("{}/call?{query}", simulator.base_url());
        let answer = http.get(url).bearer_auth("simulated-vapi-key").send().await.unwrap();
        let status = answer.status().as_u16();
        let calls: serde_json::Value = answer.json().await.unwrap();
        let found = calls.as_array().map(|calls| calls.iter().map(|call| call["id"].clone()).collect::<Vec<_>>());
        (status, found.unwrap_or_default())
    };
    let both = vec![json!(ids[1]), json!(ids[0])];
    assert_eq!(list("").await, (200, both.clone()));
    assert_eq!(list("limit=1").await, (200, vec![json!(ids[1])]));
    assert_eq!(list(&format!("id={}", ids[0])).await, (200, vec![json!(ids[0])]));
    let ours = format!("assistantId={}&phoneNumberId={}", account.assistant_id, account.phone_number_id);
    assert_eq!(list(&ours).await, (200, both.clone()));
    assert_eq!(list("assistantId=other").await, (200, vec![]));
    let at = simulator.vapi().calls()[0].created_at.to_rfc3339().replace('+', "%2B");
    for (bound, first) in [("Ge", true), ("Le", true), ("Gt", false), ("Lt", false)] {
        let (_, found) = list(&format!("createdAt{bound}={at}")).await;
        assert_eq!(found.contains(&json!(ids[0])), first, "{bound}");
    }
    for bad in ["createdAtGe=yesterday", "limit=1001", "name=one"] {
        assert_eq!(list(bad).await.0, 400, "{bad}");
    }
}
