//! Tests of people who text: signed webhooks with Twilio's parameters, retried, doubled, late and out of order; replies
//! in TwiML; opt-outs; pictures; scripts.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::Utc;
use nightshift_lab::simulator::{
    Direction, InboundSpec, OpenPhoneShape, OpenPhoneWebhook, Person, Reaction, Simulator,
};
use nightshift_providers::http_client;
use nightshift_providers::twilio::read_inbound;
use nightshift_providers::twilio::signature::{self, Keys, Signed};
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::support::{SID, client, simulator, text};

const PATIENCE: Duration = Duration::from_secs(10);
const PERSON: &str = "+14155550199";
const NUMBER: &str = "+14155550142";

/// What the receiver answers to one request.
#[derive(Clone, Copy)]
enum Answer {
    Status(u16),
    Twiml(&'static str),
}

const NOTHING: Answer = Answer::Twiml("<Response/>");

/// A receiver that verifies and records the forms. It gives the answers in turn, the last one again and again.
struct Receiver {
    url: String,
    forms: Arc<Mutex<Vec<BTreeMap<String, String>>>>,
    tokens: Arc<Mutex<Vec<String>>>,
}

impl Receiver {
    async fn start(answers: &'static [Answer]) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/api/twilio/inbound", listener.local_addr().unwrap());
        let (forms, tokens) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(Vec::new())));
        let (kept_forms, kept_tokens, signed_url) = (forms.clone(), tokens.clone(), url.clone());
        let take = move |headers: HeaderMap, body: Bytes| async move {
            let signature = headers.get(signature::HEADER).map(|value| value.as_bytes());
            let request = Signed { url: &signed_url, body: &body, signature, settings: None };
            signature::verify(&Keys::auth_tokens([SecretString::from("token")]), &request).unwrap();
            read_inbound(&body).unwrap();
            let token = headers["i-twilio-idempotency-token"].to_str().unwrap().to_owned();
            kept_tokens.lock().unwrap().push(token);
            let seen = {
                let mut forms = kept_forms.lock().unwrap();
                forms.push(form_urlencoded::parse(&body).into_owned().collect());
                forms.len()
            };
            answer(answers[(seen - 1).min(answers.len() - 1)])
        };
        let router = axum::Router::new().route("/api/twilio/inbound", axum::routing::post(take));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, forms, tokens }
    }

    /// Returns a simulator that delivers to this receiver, and retries.
    async fn simulator(&self) -> Simulator {
        let simulator = simulator().await;
        simulator.twilio().set_inbound_url(format!("{}#rc=3&rp=ct,rt,5xx", self.url));
        simulator
    }

    fn all(&self, name: &str) -> Vec<String> {
        self.forms.lock().unwrap().iter().map(|form| form[name].clone()).collect()
    }
}

fn answer(answer: Answer) -> Response {
    match answer {
        Answer::Status(code) => StatusCode::from_u16(code).unwrap().into_response(),
        Answer::Twiml(body) => ([(header::CONTENT_TYPE, "text/xml")], body).into_response(),
    }
}

fn inbound(body: &str) -> InboundSpec {
    InboundSpec::new(PERSON, NUMBER, body)
}

/// Returns the sample form of Twilio's documentation, whose parameters the simulator sends too.
fn names_of(form: &str) -> Vec<String> {
    let mut names: Vec<_> = form_urlencoded::parse(form.as_bytes()).map(|(name, _)| name.into_owned()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_text_arrives_signed_with_every_parameter_of_twilio() {
    let receiver = Receiver::start(&[NOTHING]).await;
    let simulator = receiver.simulator().await;
    let report = simulator.twilio().receive(inbound("Zoë is late & <soon>").opt_out_type("HELP")).await;
    let [delivery] = &report.deliveries[..] else { panic!("{report:?}") };
    assert_eq!((delivery.tries, delivery.http_status, delivery.warning), (1, Some(200), None));
    let forms = receiver.forms.lock().unwrap().clone();
    let names: Vec<_> = forms[0].keys().cloned().collect();
    let documented = "ToCountry&ToState&SmsMessageSid&NumMedia&ToCity&FromZip&SmsSid&FromState&SmsStatus&FromCity&Body&\
                      FromCountry&To&ToZip&NumSegments&MessageSid&AccountSid&From&ApiVersion&MessagingServiceSid&OptOutType";
    assert_eq!(names, names_of(documented));
    let expected = [
        ("MessageSid", report.id.as_str()),
        ("SmsSid", &report.id),
        ("Body", "Zoë is late & <soon>"),
        ("From", PERSON),
        ("To", NUMBER),
        ("SmsStatus", "received"),
        ("NumMedia", "0"),
        ("NumSegments", "1"),
        ("OptOutType", "HELP"),
        ("AccountSid", SID),
    ];
    for (name, value) in expected {
        assert_eq!(forms[0][name], value, "{name}");
    }
    assert_eq!((report.id.len(), &report.id[..2]), (34, "SM"));
    assert!(simulator.twilio().ledger().messages().is_empty(), "a text from a person is none to a person");
}

#[tokio::test]
async fn a_webhook_is_tried_again_as_its_url_asks() {
    let receiver = Receiver::start(&[Answer::Status(503), Answer::Status(500), NOTHING]).await;
    let simulator = receiver.simulator().await;
    let delivery = simulator.twilio().receive(inbound("hello")).await.deliveries.remove(0);
    assert_eq!((delivery.tries, delivery.http_status), (3, Some(200)));
    let tokens = receiver.tokens.lock().unwrap().clone();
    assert!(tokens.len() == 3 && tokens.iter().all(|token| *token == tokens[0]), "{tokens:?}");

    // Without a policy, an answer with an error is the last one.
    let receiver = Receiver::start(&[Answer::Status(503)]).await;
    let simulator = simulator_for(&receiver.url).await;
    let report = simulator.twilio().receive(inbound("hello")).await;
    assert_eq!((report.deliveries[0].tries, report.deliveries[0].warning), (1, Some(11200)));
    assert_eq!((report.answer(), simulator.twilio().ledger().received().len()), (None, 1));
}

async fn simulator_for(url: &str) -> Simulator {
    let simulator = simulator().await;
    simulator.twilio().set_inbound_url(url);
    simulator
}

#[tokio::test]
async fn twilio_gives_up_and_the_text_is_only_in_its_list() {
    let closed = {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        format!("http://{}/#rc=5&rp=all", listener.local_addr().unwrap())
    };
    let simulator = simulator_for(&closed).await;
    let report = simulator.twilio().receive(inbound("anybody there?")).await;
    assert_eq!((report.deliveries[0].tries, report.deliveries[0].http_status), (6, None));
    let unreported = simulator.twilio().receive_unreported(inbound("nor now"));
    client(&simulator).send(&text("to a person")).await.unwrap();

    let listed = get(&simulator, &format!("Messages.json?To={}", NUMBER.replace('+', "%2B"))).await;
    let listed: Vec<_> = listed["messages"].as_array().unwrap().iter().map(|m| (&m["sid"], &m["direction"])).collect();
    let inbound = json!("inbound");
    assert_eq!(listed, [(&json!(unreported), &inbound), (&json!(report.id), &inbound)], "newest first");
    let all = get(&simulator, "Messages.json").await;
    assert_eq!(all["messages"][0]["direction"], "outbound-api");
    let one = get(&simulator, &format!("Messages/{unreported}.json")).await;
    assert_eq!((&one["status"], &one["body"]), (&json!("received"), &json!("nor now")));
}

async fn get(simulator: &Simulator, path: &str) -> Value {
    let url = format!("{}/2010-04-01/Accounts/{SID}/{path}", simulator.base_url());
    let answer = http_client().unwrap().get(url).basic_auth(SID, Some("token")).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    answer.json().await.unwrap()
}

#[tokio::test]
async fn texts_come_doubled_late_and_out_of_order() {
    let receiver = Receiver::start(&[NOTHING]).await;
    let simulator = receiver.simulator().await;
    let twilio = simulator.twilio();
    let twice = twilio.receive(inbound("twice").copies(2)).await;
    let at_once = twilio.receive(inbound("at once").at_once(3)).await;
    assert_eq!((twice.deliveries.len(), at_once.deliveries.len()), (2, 3));
    assert_eq!(receiver.all("MessageSid")[..2], [twice.id.clone(), twice.id.clone()]);
    assert_eq!(receiver.all("Body")[2..], ["at once", "at once", "at once"]);

    let [first, second] = twilio.receive_swapped(inbound("first"), inbound("second")).await;
    assert_eq!(receiver.all("MessageSid")[5..], [second.id.clone(), first.id.clone()]);
    let late = inbound("late").late(Duration::from_millis(300));
    let (late, _) = tokio::join!(twilio.receive(late), twilio.receive(inbound("in time")));
    assert_eq!(receiver.all("Body")[7..], ["in time", "late"]);
    twilio.redeliver(&late.id).await.unwrap();
    assert_eq!(receiver.all("MessageSid")[9..], [late.id]);
    let bodies: Vec<_> = twilio.ledger().received().iter().map(|text| text.message.body.clone()).collect();
    assert_eq!(bodies, ["twice", "at once", "first", "second", "late", "in time"], "each is listed once");
}

#[tokio::test]
async fn a_reply_in_twiml_is_a_text_to_the_person() {
    let receiver =
        Receiver::start(&[Answer::Twiml("<Response><Message>Accepted: Tom &amp; Co</Message></Response>")]).await;
    let simulator = receiver.simulator().await;
    let report = simulator.twilio().receive(inbound("YES").at_once(2)).await;
    assert!(report.answer().unwrap().contains("Accepted"));
    let ledger = simulator.twilio().ledger();
    let [reply] = ledger.messages() else { panic!("{:?}", ledger.messages()) };
    assert_eq!((reply.direction, reply.body.as_str()), (Direction::OutboundReply, "Accepted: Tom & Co"));
    assert_eq!((reply.from.as_str(), reply.to.as_str()), (NUMBER, PERSON));

    let receiver = Receiver::start(&[Answer::Twiml("<Response><Message>a & b</Message></Response>")]).await;
    let simulator = receiver.simulator().await;
    let report = simulator.twilio().receive(inbound("YES")).await;
    assert_eq!(report.deliveries[0].warning, Some(12100));
    assert!(simulator.twilio().ledger().messages().is_empty());
}

#[tokio::test]
async fn who_says_stop_gets_twilios_word_and_nothing_else() {
    let receiver = Receiver::start(&[Answer::Twiml("<Response><Message>bye</Message></Response>")]).await;
    let simulator = receiver.simulator().await;
    let (twilio, client) = (simulator.twilio(), client(&simulator));
    let stopped = twilio.receive(inbound("stop").opt_out_type("STOP")).await;
    assert_eq!(receiver.all("OptOutType"), ["STOP"], "the webhook comes all the same");
    assert_eq!(stopped.deliveries[0].warning, Some(21610), "a reply is blocked too");
    assert!(client.send(&text("hello")).await.unwrap_err().opted_out());
    let elsewhere = nightshift_providers::sms::SendMessage { from: "+14155550143".into(), ..text("hello") };
    client.send(&elsewhere).await.unwrap();
    twilio.receive(inbound("START")).await;
    client.send(&text("hello again")).await.unwrap();
    let ledger = twilio.ledger();
    let confirmed: Vec<_> = ledger.confirmations().iter().map(|own| (own.from.as_str(), own.to.as_str())).collect();
    assert_eq!(confirmed, [(NUMBER, PERSON), (NUMBER, PERSON)]);
    let sent: Vec<_> = ledger.messages().iter().map(|text| text.body.as_str()).collect();
    assert_eq!(sent, ["hello", "bye", "hello again"]);
}

#[tokio::test]
async fn pictures_are_served_and_listed() {
    let receiver = Receiver::start(&[NOTHING]).await;
    let simulator = receiver.simulator().await;
    let spec = inbound("the key").media_url("https://example.com/a.jpg").picture("image/png", *b"not really");
    let report = simulator.twilio().receive(spec).await;
    assert_eq!(&report.id[..2], "MM");
    assert_eq!(receiver.all("NumMedia"), ["2"]);
    assert_eq!(receiver.all("MediaUrl0"), ["https://example.com/a.jpg"]);
    let http = http_client().unwrap();
    let picture = http.get(&receiver.all("MediaUrl1")[0]).send().await.unwrap();
    assert_eq!(picture.headers()["content-type"], "image/png");
    assert_eq!(picture.bytes().await.unwrap(), b"not really"[..]);

    let listed = get(&simulator, &format!("Messages/{}/Media.json", report.id)).await;
    let listed = listed["media_list"].as_array().unwrap();
    let types: Vec<_> = listed.iter().map(|media| media["content_type"].as_str().unwrap()).collect();
    assert_eq!(types, ["image/jpeg", "image/png"]);
    let uri = |media: &Value| media["uri"].as_str().unwrap().trim_end_matches(".json").to_owned();
    let moved = http.get(format!("{}{}", simulator.base_url(), uri(&listed[0]))).send().await.unwrap();
    assert_eq!(moved.status(), 307);
    assert_eq!(moved.headers()["location"], "https://example.com/a.jpg");
    let served = http.get(format!("{}{}", simulator.base_url(), uri(&listed[1]))).send().await.unwrap();
    assert_eq!(served.bytes().await.unwrap(), b"not really"[..]);
}

#[tokio::test]
async fn people_answer_as_their_scripts_say() {
    let receiver = Receiver::start(&[NOTHING]).await;
    let simulator = receiver.simulator().await;
    let client = client(&simulator);
    let person = Person::new(PERSON)
        .with(Reaction::say("YES").to_texts_with("Reply YES"))
        .with(Reaction::say("STOP").to_text_number(2));
    simulator.people().add(person);
    for (body, said) in [("New booking. Reply YES or NO.", 1), ("See you on Monday.", 1), ("Reply YES or NO.", 2)] {
        client.send(&text(body)).await.unwrap();
        let reached = |ledger: &nightshift_lab::simulator::Ledger| {
            ledger.received().iter().filter(|text| !text.deliveries.is_empty()).count() >= said
        };
        assert!(simulator.twilio().wait_until(PATIENCE, reached).await, "no answer to {body}");
    }
    assert_eq!(receiver.all("Body"), ["YES", "STOP"]);
    assert_eq!(receiver.all("To"), [NUMBER, NUMBER], "the number that the texts came from");
}

#[tokio::test]
async fn people_text_through_openphone_too() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/api/webhooks/sms", listener.local_addr().unwrap());
    let seen = Arc::new(Mutex::new(Vec::new()));
    let kept = seen.clone();
    let take = move |headers: HeaderMap, body: Bytes| async move {
        assert!(headers.contains_key("webhook-signature"), "{headers:?}");
        kept.lock().unwrap().push(serde_json::from_slice::<Value>(&body).unwrap());
        if kept.lock().unwrap().len() == 1 { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK }
    };
    let router = axum::Router::new().route("/api/webhooks/sms", axum::routing::post(take));
    tokio::spawn(async move { axum::serve(listener, router).await });

    let simulator = simulator().await;
    let text = |body: &str| InboundSpec::new(PERSON, NUMBER, body);
    let silent = simulator.people().text("openphone", text("anybody?")).unwrap().await;
    assert!(silent.deliveries.is_empty(), "no webhook is set: {silent:?}");
    simulator.openphone().deliver_to(OpenPhoneWebhook { url, shape: OpenPhoneShape::Current });
    let report = simulator.people().text("openphone", text("hello").copies(2)).unwrap().await;
    let tries: Vec<_> = report.deliveries.iter().map(|delivery| delivery.tries).collect();
    assert_eq!(tries, [2, 1]);
    let seen = seen.lock().unwrap();
    assert!(seen.len() == 3 && seen.iter().all(|event| event["id"] == seen[0]["id"]), "{seen:?}");
    let listed = simulator.openphone().read(|ledger| ledger.message(&report.id).map(|text| text.text.clone()));
    assert_eq!(listed.as_deref(), Some("hello"));
}

#[tokio::test]
async fn people_and_their_texts_are_set_over_http() {
    let receiver = Receiver::start(&[NOTHING]).await;
    let simulator = simulator().await;
    let http = http_client().unwrap();
    let control = |path: &str| format!("{}/_control/{path}", simulator.base_url());
    let to = json!({"url": receiver.url});
    assert_eq!(http.put(control("twilio/inbound")).json(&to).send().await.unwrap().status(), 204);

    let spec = json!({"carrier": "twilio", "from": PERSON, "to": NUMBER, "body": "hi", "mediaUrls": ["https://a.example/b"],
                      "optOutType": "START", "copies": 2, "atOnce": true, "delayMs": 5});
    let report: Value = http.post(control("texts")).json(&spec).send().await.unwrap().json().await.unwrap();
    let answers: Vec<_> = report["deliveries"].as_array().unwrap().iter().map(|d| d["answer"].as_str()).collect();
    assert_eq!(answers, [Some("<Response/>"), Some("<Response/>")], "{report}");
    assert_eq!(receiver.all("MessageSid"), [report["id"].as_str().unwrap(), report["id"].as_str().unwrap()]);
    for wrong in
        [json!({"carrier": "pigeon", "from": PERSON, "to": NUMBER}), json!({"from": PERSON, "to": NUMBER, "txt": 1})]
    {
        assert_eq!(http.post(control("texts")).json(&wrong).send().await.unwrap().status(), 422, "{wrong}");
    }

    let people = json!([{"phone": PERSON, "script": [{"contains": "hello", "say": "hi", "afterMs": 1}]}]);
    assert_eq!(http.post(control("people")).json(&people).send().await.unwrap().status(), 204);
    let shown: Value = http.get(control("people")).send().await.unwrap().json().await.unwrap();
    assert_eq!(shown[0]["script"][0]["times"], 1, "{shown}");
    client(&simulator).send(&text("hello")).await.unwrap();
    let told = simulator.twilio().wait_until(PATIENCE, |ledger| ledger.received().len() == 2).await;
    assert!(told);
    let ledger: Value = http.get(control("ledger")).send().await.unwrap().json().await.unwrap();
    assert_eq!(
        (&ledger["received"][1]["body"], &ledger["received"][1]["direction"]),
        (&json!("hi"), &json!("inbound"))
    );
    http.delete(control("people")).send().await.unwrap();
    assert!(simulator.people().all().is_empty());
}

#[tokio::test]
async fn a_text_keeps_the_time_at_which_twilio_received_it() {
    let simulator = simulator().await;
    let yesterday = Utc::now() - chrono::TimeDelta::days(1);
    simulator.twilio().receive_unreported(inbound("old").at(yesterday));
    let today = Utc::now().date_naive();
    assert_eq!(get(&simulator, &format!("Messages.json?DateSent>={today}")).await["messages"], json!([]));
    let day = yesterday.date_naive();
    assert_eq!(get(&simulator, &format!("Messages.json?DateSent={day}")).await["messages"][0]["body"], "old");
}
