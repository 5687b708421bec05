//! One odd field never costs a message: every field of every sample is replaced by every kind of value, one at a time.
//!
//! A reading is what we need of a message, each with the fields it comes from. Whatever is done to other fields, the
//! message is read and the reading is the same.

use std::sync::{Arc, Mutex};

use nightshift_providers::http_client;
use nightshift_providers::json;
use nightshift_providers::openphone;
use nightshift_providers::sms::{Intent, Lookup, SendMessage};
use nightshift_providers::stripe::{Event, StripeFact};
use nightshift_providers::twilio::{StatusCallback, TwilioClient, read_inbound};
use nightshift_providers::vapi::{Call, Progress, Report};
use serde_json::Value;

use crate::data;

/// One thing that is read: the fields it may come from, and what came out.
type Reading = (Vec<String>, String);
/// Reads a whole message; none when it is refused.
type Reader<'a> = &'a dyn Fn(&[u8]) -> Option<Vec<Reading>>;

fn reading(fields: &[&str], value: impl std::fmt::Debug) -> Reading {
    (fields.iter().map(|field| (*field).to_owned()).collect(), format!("{value:?}"))
}

/// The values that a field is replaced by, as they stand in a document.
fn odd_values() -> Vec<String> {
    let mut values: Vec<String> = [
        "null",
        "true",
        "false",
        "0",
        "-1",
        "7.5",
        "1e400",
        "-1e400",
        "\"\"",
        "\" \"",
        "\"7\"",
        "\"\\ud83d\"",
        "\"Rex \\udc36 x\"",
        "\"a\\u0000b\"",
        "\"\\\\u0000\"",
        "\"\\q\"",
        "[]",
        "{}",
        "[[{\"a\": [1]}]]",
        "{\"id\": 7, \"id\": {}}",
        "{\"\\ud83d\": \"\\u0000\"}",
        "NaN",
    ]
    .map(str::to_owned)
    .to_vec();
    values.push("9".repeat(400));
    values.push(format!("\"{}\"", "x".repeat(2_000)));
    values.push(format!("{}{}", "[".repeat(500), "]".repeat(500)));
    values.push(format!("{}7{}", "{\"a\":".repeat(500), "}".repeat(500)));
    values
}

/// The dotted paths of all fields below `value`.
fn paths(value: &Value, base: &str, found: &mut Vec<String>) {
    let children: Vec<(String, &Value)> = match value {
        Value::Object(map) => map.iter().map(|(name, inner)| (name.clone(), inner)).collect(),
        Value::Array(list) => list.iter().enumerate().map(|(at, inner)| (at.to_string(), inner)).collect(),
        _ => return,
    };
    for (name, inner) in children {
        let path = if base.is_empty() { name } else { format!("{base}.{name}") };
        paths(inner, &path, found);
        found.push(path);
    }
}

/// The document with `raw` in place of the field at `path`.
fn with(value: &Value, path: &str, raw: &[u8]) -> Vec<u8> {
    const MARK: &str = "@@here@@";
    let mut marked = value.clone();
    *marked.pointer_mut(&format!("/{}", path.replace('.', "/"))).unwrap() = Value::from(MARK);
    let text = marked.to_string();
    let (before, after) = text.split_once(&format!("\"{MARK}\"")).unwrap();
    [before.as_bytes(), raw, after.as_bytes()].concat()
}

/// Whether one of them lies within the other.
fn related(one: &str, other: &str) -> bool {
    let within = |inner: &str, outer: &str| {
        inner == outer || inner.strip_prefix(outer).is_some_and(|rest| rest.starts_with('.'))
    };
    within(one, other) || within(other, one)
}

/// How much was tried.
#[derive(Default)]
struct Figures {
    samples: usize,
    fields: usize,
    tried: usize,
}

impl Figures {
    fn json(&mut self, name: &str, sample: &Value, read: Reader<'_>) {
        let whole = read(sample.to_string().as_bytes()).unwrap_or_else(|| panic!("{name} is not read"));
        let mut fields = Vec::new();
        paths(sample, "", &mut fields);
        let mut values: Vec<Vec<u8>> = odd_values().into_iter().map(String::into_bytes).collect();
        values.push(b"\"\xff\xc3\"".to_vec());
        values.push(b"\"\0\x01\n\"".to_vec());
        for field in &fields {
            for value in &values {
                let odd = read(&with(sample, field, value));
                let shown = String::from_utf8_lossy(&value[..value.len().min(40)]);
                let odd = odd.unwrap_or_else(|| panic!("{name} with {field} = {shown} is refused"));
                same_besides(name, field, &shown, &whole, &odd);
                self.tried += 1;
            }
        }
        self.samples += 1;
        self.fields += fields.len();
    }

    fn form(&mut self, name: &str, sample: &[u8], needed: &[&str], read: Reader<'_>) {
        let pairs: Vec<(String, String)> = form_urlencoded::parse(sample).into_owned().collect();
        let whole = read(sample).unwrap_or_else(|| panic!("{name} is not read"));
        let values = ["", "+", "7", "-1", "1e400", "%00", "%ff%c3", "%ed%a0%bd", "a%00b", "%zz", "%", "[]", "{}"];
        let values: Vec<String> =
            values.into_iter().map(str::to_owned).chain(["9".repeat(400), "x".repeat(2_000)]).collect();
        for (at, (field, _)) in pairs.iter().enumerate() {
            for value in &values {
                let body: Vec<String> = pairs
                    .iter()
                    .enumerate()
                    .map(|(n, (name, own))| {
                        let own: String = form_urlencoded::byte_serialize(own.as_bytes()).collect();
                        format!("{name}={}", if n == at { value } else { &own })
                    })
                    .collect();
                self.tried += 1;
                match read(body.join("&").as_bytes()) {
                    Some(odd) => same_besides(name, field, value, &whole, &odd),
                    None => assert!(needed.contains(&field.as_str()), "{name} with {field}={value} is refused"),
                }
            }
        }
        self.samples += 1;
        self.fields += pairs.len();
    }

    fn tell(&self, provider: &str, refused: &str) {
        println!(
            "{provider}: {} samples, {} fields, {} messages tried; {refused}",
            self.samples, self.fields, self.tried
        );
    }
}

fn same_besides(name: &str, field: &str, value: &str, whole: &[Reading], odd: &[Reading]) {
    for (fields, expected) in whole {
        if fields.iter().any(|needed| related(needed, field)) {
            continue;
        }
        let found = odd.iter().find(|(others, _)| others == fields).map(|(_, found)| found);
        assert_eq!(found, Some(expected), "{name} with {field} = {value}: {fields:?}");
    }
}

const NONE_REFUSED: &str = "refused for what we don't need: 0";

fn stripe(body: &[u8]) -> Option<Vec<Reading>> {
    let event = Event::parse(body).ok()?;
    let mut readings = vec![reading(&["id"], &event.id), reading(&["type"], &event.kind)];
    let mut of = |paths: &[&str], value: &dyn std::fmt::Debug| {
        let paths: Vec<String> = paths.iter().map(|path| format!("data.object.{path}")).collect();
        readings.push(([paths, vec!["type".to_owned()]].concat(), format!("{value:?}")));
    };
    match event.fact() {
        StripeFact::PaymentSucceeded(paid) => {
            of(&["id"], &paid.payment_intent_id);
            of(&["metadata.bookingId"], &paid.booking_id);
            of(&["amount_received", "amount"], &paid.amount_minor);
            of(&["currency"], &paid.currency);
            of(&["customer"], &paid.customer_id);
        }
        StripeFact::PaymentFailed(failed) => {
            of(&["id", "payment_intent"], &failed.payment_intent_id);
            of(&["metadata.bookingId"], &failed.booking_id);
            of(&["last_payment_error.code"], &failed.code);
            of(&["last_payment_error.decline_code"], &failed.decline_code);
        }
        StripeFact::ChargeRefunded(refund) => {
            of(&["id"], &refund.charge_id);
            of(&["payment_intent"], &refund.payment_intent_id);
            of(&["metadata.bookingId"], &refund.booking_id);
            of(&["amount_refunded"], &refund.amount_refunded_minor);
            of(&["refunded"], &refund.fully_refunded);
        }
        StripeFact::Checkout(checkout) => {
            of(&["id"], &checkout.session_id);
            of(&["metadata.bookingId"], &checkout.booking_id);
            of(&["metadata.clientId"], &checkout.client_id);
            of(&["client_reference_id"], &checkout.reference);
            of(&["payment_status"], &checkout.payment_status);
            of(&["payment_intent"], &checkout.payment_intent_id);
            of(&["amount_total"], &checkout.amount_total_minor);
        }
        StripeFact::InvoicePaymentFailed(invoice) => {
            of(&["id"], &invoice.invoice_id);
            of(&["parent.subscription_details.metadata", "subscription_details", "metadata"], &invoice.client_id);
            of(&["next_payment_attempt"], &invoice.next_attempt_at);
        }
        StripeFact::SubscriptionDeleted(ended) => {
            of(&["id"], &ended.subscription_id);
            of(&["metadata.clientId"], &ended.client_id);
        }
        _ => {}
    }
    Some(readings)
}

#[test]
fn stripe_events_are_read_whatever_else_they_hold() {
    let mut figures = Figures::default();
    for name in data::sample_names("stripe-") {
        figures.json(&name, &json::read(&data::sample(&name)).unwrap(), &stripe);
    }
    let mut checkout = json::read(&data::sample("stripe-checkout.session.completed.json")).unwrap();
    checkout["data"]["object"]["payment_intent"] = Value::from("pi_1");
    checkout["data"]["object"]["metadata"]["bookingId"] = Value::from("b_1");
    figures.json("a checkout for a booking", &checkout, &stripe);
    figures.tell("stripe events", NONE_REFUSED);
}

fn vapi_findings(progress: &Progress, base: &str, readings: &mut Vec<Reading>) {
    let (Progress::Ended(outcome) | Progress::Analysing(outcome)) = progress else { return };
    let at = |paths: &[&str]| -> Vec<String> { paths.iter().map(|path| format!("{base}{path}")).collect() };
    let data = at(&["status", "type", "analysis.structuredData", "artifact.structuredOutputs"]);
    readings.push((data, format!("{:?}", outcome.confirmation)));
    let ends = at(&["status", "type", "endedReason", "call.endedReason"]);
    readings.push((ends, format!("{:?}", outcome.ended_reason)));
    let said = at(&["status", "type", "artifact.transcript", "call.artifact", "transcript"]);
    readings.push((said, format!("{:?}", outcome.transcript)));
}

fn vapi_call(body: &[u8]) -> Option<Vec<Reading>> {
    let body = json::read(body).ok()?;
    // Without its id nothing is known of a call; the client then asks again.
    let Some(call) = Call::read(&body) else { return Some(Vec::new()) };
    let mut readings =
        vec![reading(&["id"], &call.id), reading(&["assistantOverrides", "metadata", "id"], call.booking_call_id())];
    vapi_findings(&call.progress(), "", &mut readings);
    readings.iter_mut().for_each(|(fields, _)| fields.push("id".to_owned()));
    Some(readings)
}

fn vapi_report(body: &[u8]) -> Option<Vec<Reading>> {
    let report = Report::parse(body).ok()?;
    let mut readings = vec![reading(&["message.type"], &report.kind)];
    let ours = report.call.as_ref().map(|call| (&call.id, call.booking_call_id()));
    readings.push(reading(&["message.call.id", "message.call.assistantOverrides.metadata.bookingCallId"], ours));
    vapi_findings(&report.progress(), "message.", &mut readings);
    Some(readings)
}

fn vapi_list(body: &[u8]) -> Option<Vec<Reading>> {
    let body = json::read(body).ok()?;
    let calls = body.as_array()?;
    let id = |at: usize| {
        calls.get(at).and_then(Call::read).map(|call| (call.id.clone(), call.booking_call_id().map(str::to_owned)))
    };
    let of = |at: usize| {
        let fields = ["id", "assistantOverrides.metadata.bookingCallId"].map(|field| format!("{at}.{field}"));
        (fields.to_vec(), format!("{:?}", id(at)))
    };
    Some(vec![of(0), of(1)])
}

#[test]
fn vapi_answers_and_reports_are_read_whatever_else_they_hold() {
    let mut figures = Figures::default();
    let readers: [(&str, Reader<'_>); 3] =
        [("vapi-call-", &vapi_call), ("vapi-report-", &vapi_report), ("vapi-calls", &vapi_list)];
    for (prefix, read) in readers {
        for name in data::sample_names(prefix) {
            figures.json(&name, &json::read(&data::sample(&name)).unwrap(), read);
        }
    }
    figures.tell("vapi answers and reports", NONE_REFUSED);
}

fn status(body: &[u8]) -> Option<Vec<Reading>> {
    let report = StatusCallback::parse(body).ok()?;
    Some(vec![
        reading(&["MessageSid"], &report.message_sid),
        reading(&["MessageStatus"], report.status),
        reading(&["ErrorCode"], report.error_code),
    ])
}

fn inbound(body: &[u8]) -> Option<Vec<Reading>> {
    let text = read_inbound(body).ok()?;
    Some(vec![
        reading(&["MessageSid"], &text.sid),
        reading(&["From"], &text.from),
        reading(&["To"], &text.to),
        reading(&["Body"], &text.body),
        reading(&["OptOutType"], text.keyword),
    ])
}

#[test]
fn twilio_forms_are_read_whatever_else_they_hold() {
    let mut figures = Figures::default();
    for name in data::sample_names("twilio-status-") {
        figures.form(&name, &data::form(&name), &["MessageSid", "MessageStatus"], &status);
    }
    for name in data::sample_names("twilio-inbound-") {
        figures.form(&name, &data::form(&name), &["MessageSid", "From", "To"], &inbound);
    }
    figures.tell("twilio forms", NONE_REFUSED);
}

/// A server that answers every request with the body it was last given, and a client of it.
struct Twilio {
    runtime: tokio::runtime::Runtime,
    answer: Arc<Mutex<(u16, Vec<u8>)>>,
    client: TwilioClient,
}

impl Twilio {
    fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let answer = Arc::new(Mutex::new((200, Vec::new())));
        let told = answer.clone();
        let answering = move || {
            let (status, body) = told.lock().unwrap().clone();
            std::future::ready((axum::http::StatusCode::from_u16(status).unwrap(), body))
        };
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        runtime.spawn(async { axum::serve(listener, axum::Router::new().fallback(answering)).await });
        let client = TwilioClient::new(&url, "AC1", "token".into(), http_client().unwrap()).unwrap();
        Self { runtime, answer, client }
    }

    fn answers(&self, status: u16, body: &[u8]) {
        *self.answer.lock().unwrap() = (status, body.to_vec());
    }

    fn taken(&self, body: &[u8]) -> Option<Vec<Reading>> {
        self.answers(201, body);
        let message = SendMessage {
            from: "+1".into(),
            to: "+2".into(),
            body: "x".into(),
            status_callback: None,
            intent: Intent::Notification,
        };
        let sent = self.runtime.block_on(self.client.send(&message));
        // Without its SID nothing is known of a text, and its fate is looked up.
        let Ok(sent) = sent else { return Some(Vec::new()) };
        Some(vec![reading(&["sid"], &sent.sid), reading(&["status", "sid"], sent.delivery)])
    }

    fn refused(&self, status: u16, body: &[u8]) -> Option<Vec<Reading>> {
        self.answers(status, body);
        let message = SendMessage {
            from: "+1".into(),
            to: "+2".into(),
            body: "x".into(),
            status_callback: None,
            intent: Intent::Notification,
        };
        let error = self.runtime.block_on(self.client.send(&message)).unwrap_err();
        Some(vec![reading(&["code"], error)])
    }

    fn listed(&self, first: &Value, body: &[u8]) -> Option<Vec<Reading>> {
        self.answers(200, body);
        let text = |name: &str| first[name].as_str().unwrap().to_owned();
        let since = chrono::DateTime::parse_from_rfc2822(&text("date_created")).unwrap().to_utc();
        let lookup = Lookup { from: text("from"), to: text("to"), body: text("body"), since };
        let found = self.runtime.block_on(self.client.candidates(&lookup));
        let needed: Vec<String> = (0..2)
            .flat_map(|at| {
                ["sid", "from", "to", "body", "date_created", "status", "error_code"]
                    .map(|name| format!("messages.{at}.{name}"))
            })
            .chain(["next_page_uri".to_owned()])
            .collect();
        Some(vec![(needed, format!("{found:?}"))])
    }
}

#[test]
fn twilio_answers_are_read_whatever_else_they_hold() {
    let (mut figures, twilio) = (Figures::default(), Twilio::start());
    let sample = |name: &str| json::read(&data::sample(name)).unwrap();
    figures.json("a text taken", &sample("twilio-message-created-201.json"), &|body| twilio.taken(body));
    for name in data::sample_names("twilio-error-") {
        let status = name.split('-').nth(2).unwrap().parse().unwrap();
        figures.json(&name, &sample(&name), &|body| twilio.refused(status, body));
    }
    let list = sample("twilio-messages-list-200.json");
    figures.json("a list", &list, &|body| twilio.listed(&list["messages"][0], body));
    figures.tell("twilio answers", NONE_REFUSED);
    twilio.runtime.shutdown_background();
}

/// What can't be read and may be ours proves nothing: taken for absent, the text would be sent again.
#[test]
fn a_list_that_may_hide_our_text_is_no_proof_that_it_was_not_sent() {
    let twilio = Twilio::start();
    let list = json::read(&data::sample("twilio-messages-list-200.json")).unwrap();
    for field in
        ["messages.0.sid", "messages.0.body", "messages.0.to", "messages.0.date_created", "next_page_uri", "messages"]
    {
        let odd = twilio.listed(&list["messages"][0], &with(&list, field, b"{\"a\": 1}")).unwrap();
        assert_eq!(odd[0].1, "Err(Unreadable { by: Twilio })", "{field}");
    }
    twilio.runtime.shutdown_background();
}

fn openphone(body: &[u8]) -> Option<Vec<Reading>> {
    let event = openphone::Event::parse(body).ok()?;
    let mut readings = vec![reading(&["id"], &event.id), reading(&["type"], &event.kind)];
    // Every reading of a message depends on what makes it one.
    let mut of = |paths: &[&str], value: &dyn std::fmt::Debug| {
        let common = ["type", "data.object.direction", "data.resource.direction"];
        let (ids, ends) = (["id", "data.object.id", "data.resource.id"], ["from", "to"]);
        let ends = ends.iter().map(|end| format!("data.object.{end}"));
        let context = ["data.context.senderIdentifier", "data.context.recipientIdentifiers"];
        let paths = paths.iter().chain(&common).chain(&ids).chain(&context).map(|path| (*path).to_owned());
        readings.push((paths.chain(ends).collect(), format!("{value:?}")));
    };
    match event.fact {
        openphone::Fact::Received(text) => {
            of(&[], &(text.sid, text.from, text.to));
            of(&["data.object.body", "data.object.text", "data.resource.text"], &text.body);
            of(&["data.object.media", "data.resource.media"], &text.media);
            of(&["data.object.createdAt", "data.resource.createdAt", "createdAt"], &text.sent_at);
        }
        openphone::Fact::Delivery { sid, status } => of(&[], &(sid, status)),
        openphone::Fact::Other => {}
    }
    Some(readings)
}

#[test]
fn openphone_events_are_read_whatever_else_they_hold() {
    let mut figures = Figures::default();
    for name in data::sample_names("openphone-") {
        figures.json(&name, &json::read(&data::sample(&name)).unwrap(), &openphone);
    }
    figures.tell("openphone events", NONE_REFUSED);
}
