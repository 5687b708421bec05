//! OpenPhone's webhooks: every recorded shape, what is no text, and anything at all.

use chrono::{DateTime, Utc};
use nightshift_providers::inbound::InboundText;
use nightshift_providers::openphone::{Event, Fact, received_event};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::data;

fn parse(event: &Value) -> Event {
    Event::parse(event.to_string().as_bytes()).unwrap()
}

#[track_caller]
fn received(event: &Event) -> &InboundText {
    match &event.fact {
        Fact::Received(text) => text,
        Fact::Delivery { .. } | Fact::Other => panic!("it is a received text"),
    }
}

fn sample(name: &str) -> Value {
    serde_json::from_slice(&data::sample(name)).unwrap()
}

fn at(text: &str) -> Option<DateTime<Utc>> {
    Some(text.parse().unwrap())
}

#[test]
fn every_shape_of_a_received_text_is_read() {
    for (name, event_id, sid, media) in [
        ("openphone-app.json", "EV01", "AC01", 1),
        ("openphone-api.json", "EV02", "AC02", 0),
        ("openphone-current.json", "EV03", "AC03", 0),
    ] {
        let event = parse(&sample(name));
        assert_eq!((event.id.as_deref(), event.kind.as_deref()), (Some(event_id), Some("message.received")), "{name}");
        let text = received(&event);
        assert_eq!((text.sid.as_str(), text.from.as_str(), text.to.as_str()), (sid, "+14155550199", "+14155550142"));
        assert_eq!((text.body.as_str(), text.media.len(), text.keyword), ("YES", media, None), "{name}");
        assert_eq!(text.sent_at, at("2026-11-20T10:00:00.420Z"), "{name}");
    }
}

#[test]
fn a_delivery_update_names_the_text_and_its_status() {
    let event = parse(&sample("openphone-api-message.delivered.json"));
    let Fact::Delivery { sid, status } = event.fact else { panic!("it is a delivery update") };
    assert_eq!((sid.as_str(), status.as_str()), ("AC00000000000000000000000000000003", "delivered"));
    for word in ["delivered", "failed", "undelivered"] {
        let kind = format!("message.{word}");
        let current =
            json!({"type": kind, "data": {"resource": {"id": "AC1", "direction": "outgoing", "status": "?"}}});
        let Fact::Delivery { sid, status } = parse(&current).fact else { panic!("it is a delivery update") };
        assert_eq!((sid.as_str(), status.as_str()), ("AC1", word));
    }
}

#[test]
fn what_is_no_text_and_no_delivery_is_something_else() {
    let text = |direction: &str, kind: &str| json!({"type": kind, "data": {"object": {"id": "AC1", "direction": direction, "from": "+1", "to": "+2"}}});
    for other in [
        sample("openphone-api-call.completed.json"),
        text("outgoing", "message.received"),
        text("incoming", "message.delivered"),
        text("incoming", "callSummary"),
        text("incoming", "message.deleted"),
        json!({"type": "message.received", "data": {"object": {"id": "AC1", "to": "+2", "text": "no sender"}}}),
        json!({"type": "message.received", "data": {"object": {"id": "AC1", "from": "+1", "to": []}}}),
        json!({"type": "message.received", "data": {"object": {"from": "+1", "to": "+2", "text": "no id at all"}}}),
        json!({"type": "message.failed", "data": {"object": {"direction": "outgoing"}}}),
        json!({"type": ["message.received"]}),
        json!({}),
    ] {
        assert!(parse(&other).fact == Fact::Other, "{other}");
    }
    for body in [&b"{"[..], b"[]", b"7", b""] {
        assert!(Event::parse(body).is_err());
    }
}

#[test]
fn texts_are_kept_as_they_were_written() {
    let event = br#"{"id": "EV1", "type": "message.received", "createdAt": "2026-11-20T10:00:00.557Z", "data": {"object": {
        "id": 7, "from": "INFO", "to": [null, "+14155550142", "+14155550143"], "direction": "incoming",
        "body": "  caf\u00e9\u0000 \ud83d ", "text": "",
        "media": ["https://media.example/1.jpg", {"url": "http://media.example/2.jpg"}, {"url": "javascript:alert(1)"}, 7, {}]}}}"#;
    let event = Event::parse(event).unwrap();
    let text = received(&event);
    assert_eq!((text.sid.as_str(), text.from.as_str(), text.to.as_str()), ("7", "INFO", "+14155550142"));
    assert_eq!(text.body, "  café\u{fffd} \u{fffd} ");
    assert_eq!(text.media, ["https://media.example/1.jpg", "http://media.example/2.jpg"]);
    assert_eq!(text.sent_at, at("2026-11-20T10:00:00.557Z"), "the event's time, for want of the message's");
    // Without an id of the message, the event's tells it from others.
    let nameless = json!({"id": "EV2", "type": "message.received", "data": {"object": {"from": "+1", "to": "+2"}}});
    assert_eq!(received(&parse(&nameless)).sid, "EV2");
}

fn text() -> impl Strategy<Value = InboundText> {
    let url = "https://media\\.example/[a-z]{1,9}";
    (
        "[A-Z0-9]{1,34}",
        "\\+[0-9]{7,15}",
        "\\+[0-9]{7,15}",
        any::<String>(),
        proptest::collection::vec(url, 0..4),
        0_i64..4_000_000_000_000,
    )
        .prop_map(|(sid, from, to, body, media, at)| InboundText {
            sid,
            from,
            to,
            body: body.replace('\0', "\u{fffd}"),
            media,
            lacks_media: false,
            keyword: None,
            sent_at: DateTime::from_timestamp_millis(at),
        })
}

proptest! {
    #[test]
    fn a_text_from_a_list_is_read_as_its_webhook(text in text()) {
        let event = Event::parse(received_event(&text).as_bytes()).unwrap();
        prop_assert!(event.fact == Fact::Received(text));
        prop_assert_eq!(event.id, None);
    }

    #[test]
    fn a_text_from_twilios_list_is_read_as_its_webhook(text in text()) {
        let form = nightshift_providers::twilio::inbound_form(&text);
        let read = nightshift_providers::twilio::read_inbound(form.as_bytes()).unwrap();
        prop_assert_eq!(read, text);
    }

    #[test]
    fn any_bytes_are_read_or_refused(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Event::parse(&body).map(|event| event.id);
    }
}
