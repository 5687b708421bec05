//! The webhooks of texts: which are taken, under which secret, and what is stored of them.

use std::time::Duration;

use nightshift::config::Settings;
use nightshift_db::testing::each_engine;
use nightshift_db::{Engine, Timestamp};
use nightshift_providers::openphone::signature::{Key, sign};
use nightshift_providers::twilio::signature::sign_form;
use nightshift_providers::{stripe, vapi};
use serde_json::{Value, json};

use crate::support::business::paid;
use crate::support::nightshift::{STRIPE_SECRET, on_with};
use crate::support::{Answer, Nightshift, on};

each_engine! {
    unsigned_texts_are_taken_and_marked_while_validation_is_off,
    texts_with_a_wrong_signature_are_refused_even_while_validation_is_off,
    with_validation_only_signed_texts_are_taken,
    a_text_of_twilio_without_its_id_or_a_number_is_refused_by_field,
    a_repeated_text_is_counted_and_not_routed_again,
    openphones_events_are_told_apart_by_their_id_else_by_the_delivery,
    a_signature_by_a_retired_secret_is_refused_and_explained,
}

const CURRENT: &str = "whsec_GQrmq+cIqMD3yn/VSA/vPMH8pViKf/2ScWm317oTQT8=";
const LEGACY: &str = "KE4XHEUuuKLu/OyJ0EwnWyL8yzgRLs43FY3eG/DYADE=";
const OTHER: &str = "whsec_52qUGAfC0ACkHu8xM47UW44vKNnv/LtwU28Jmk342g4=";
const TWILIO_TOKEN: &str = "simulated-auth-token";
const FORM: &str = "MessageSid=SM1&From=%2B15551234567&To=%2B15550199001&Body=Hello&NumMedia=0";
const FORM_TYPE: &str = "application/x-www-form-urlencoded";

fn key(text: &str) -> Key {
    Key::read(text).unwrap()
}

fn with_secrets(settings: &mut Settings) {
    settings.webhooks.openphone_secrets = vec![key(CURRENT), key(LEGACY)];
}

fn without_validation(settings: &mut Settings) {
    with_secrets(settings);
    settings.webhooks.validation = false;
}

/// A text by OpenPhone, as the event `id`.
fn event(id: &str) -> String {
    json!({"id": id, "object": "event", "apiVersion": "v4", "createdAt": "2024-12-29T22:00:00.557Z",
           "type": "message.received",
           "data": {"object": {"id": "AC1", "object": "message", "from": "+15551234567", "to": ["+15550199001"],
                               "direction": "incoming", "text": "Hello", "createdAt": "2024-12-29T22:00:00.420Z"}}})
    .to_string()
}

type Headers = Vec<(&'static str, String)>;

async fn post(nightshift: &Nightshift, path: &str, media: &str, body: &str, headers: &Headers) -> Answer {
    let mut request = nightshift.http.post(format!("{}{path}", nightshift.app.url())).header("content-type", media);
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    Answer::to(request.body(body.to_owned())).await
}

async fn openphone(nightshift: &Nightshift, body: &str, headers: &Headers) -> Answer {
    post(nightshift, "/api/webhooks/sms", "application/json", body, headers).await
}

async fn twilio(nightshift: &Nightshift, body: &str, signature: Option<String>) -> Answer {
    let headers = signature.map(|signature| ("x-twilio-signature", signature)).into_iter().collect();
    post(nightshift, "/api/twilio/inbound", FORM_TYPE, body, &headers).await
}

fn twilio_signature(nightshift: &Nightshift, token: &str, body: &str) -> String {
    sign_form(&token.into(), &format!("{}/api/twilio/inbound", nightshift.app.url()), body.as_bytes())
}

fn openphone_signature(secret: &str, at: Timestamp, body: &str) -> Headers {
    sign(&key(secret), "msg_1", at.unix_seconds(), body.as_bytes())
}

async fn failures(nightshift: &Nightshift) -> Vec<Value> {
    nightshift.events("webhook.validation.failed").all().await.into_iter().map(|event| event.metadata.0).collect()
}

async fn unsigned_texts_are_taken_and_marked_while_validation_is_off(engine: Engine) {
    on_with(engine, without_validation, async |nightshift| {
        let answer = openphone(&nightshift, &event("EV1"), &Vec::new()).await.expect(200);
        assert_eq!(answer.json(), json!({"received": true}));
        let answer = twilio(&nightshift, FORM, None).await.expect(200);
        assert_eq!((answer.header("content-type"), answer.text.as_str()), (Some("text/xml"), "<Response/>"));
        let stored = nightshift.all_webhooks().all().await;
        assert_eq!(stored.iter().map(|row| row.verified).collect::<Vec<_>>(), [false, false]);
        assert_eq!(nightshift.events("webhook.unverified").count().await, 2);
        assert_eq!(nightshift.webhook_jobs().count().await, 2);
        // What is signed rightly is verified all the same.
        let body = event("EV2");
        let headers = openphone_signature(LEGACY, nightshift.clock.now(), &body);
        openphone(&nightshift, &body, &headers).await.expect(200);
        let form = FORM.replace("SM1", "SM2");
        twilio(&nightshift, &form, Some(twilio_signature(&nightshift, TWILIO_TOKEN, &form))).await.expect(200);
        assert_eq!(nightshift.all_webhooks().verified().count().await, 2);
    })
    .await;
}

async fn texts_with_a_wrong_signature_are_refused_even_while_validation_is_off(engine: Engine) {
    on_with(engine, without_validation, async |nightshift| {
        let (body, now) = (event("EV1"), nightshift.clock.now());
        let old = now - Duration::from_secs(301);
        for headers in [
            openphone_signature(OTHER, now, &body),
            openphone_signature(CURRENT, old, &body),
            openphone_signature(LEGACY, now, "another body"),
            vec![("openphone-signature", "no signature".to_owned())],
            vec![("webhook-signature", "v1,AAAA".to_owned())],
        ] {
            let answer = openphone(&nightshift, &body, &headers).await.expect(400);
            assert_eq!(answer.code(), "bad_signature");
        }
        for signature in [twilio_signature(&nightshift, "guessed", FORM), "AAAA".to_owned()] {
            assert_eq!(twilio(&nightshift, FORM, Some(signature)).await.expect(400).code(), "bad_signature");
        }
        assert_eq!((nightshift.all_webhooks().count().await, nightshift.webhook_jobs().count().await), (0, 0));
        assert_eq!(failures(&nightshift).await.len(), 7);
    })
    .await;
}

async fn with_validation_only_signed_texts_are_taken(engine: Engine) {
    on_with(engine, with_secrets, async |nightshift| {
        let (body, now) = (event("EV1"), nightshift.clock.now());
        let (old, ahead) = (now - Duration::from_secs(301), now + Duration::from_secs(301));
        let refused = [
            (Vec::new(), "missing"),
            (openphone_signature(OTHER, now, &body), "no_match"),
            (openphone_signature(CURRENT, now, &body.replace("Hello", "STOP")), "no_match"),
            (openphone_signature(CURRENT, old, &body), "too_old"),
            (openphone_signature(LEGACY, ahead, &body), "too_old"),
            (vec![("openphone-signature", "hmac;2;1;x".to_owned())], "malformed"),
        ];
        for (headers, reason) in &refused {
            let answer = openphone(&nightshift, &body, headers).await;
            assert_eq!(answer.status, 401, "{reason}: {}", answer.text);
        }
        let other_form = twilio_signature(&nightshift, TWILIO_TOKEN, &FORM.replace("Hello", "STOP"));
        for (signature, _) in [(None, "missing"), (Some(other_form), "no_match"), (Some(String::new()), "missing")] {
            twilio(&nightshift, FORM, signature).await.expect(401);
        }
        assert_eq!((nightshift.all_webhooks().count().await, nightshift.webhook_jobs().count().await), (0, 0));
        let failures = failures(&nightshift).await;
        let reasons: Vec<_> = failures.iter().map(|failure| failure["reason"].as_str().unwrap()).collect();
        let expected: Vec<_> =
            refused.iter().map(|(_, reason)| *reason).chain(["missing", "no_match", "missing"]).collect();
        assert_eq!(reasons, expected);
        let shown = format!("{failures:?}");
        assert!(!shown.contains("Hello") && !shown.contains("5551234567") && !shown.contains("whsec_"), "{shown}");

        for (id, secret) in [("EV1", CURRENT), ("EV2", LEGACY)] {
            for at in [now, now - Duration::from_secs(300), now + Duration::from_secs(300)] {
                let body = event(id);
                openphone(&nightshift, &body, &openphone_signature(secret, at, &body)).await.expect(200);
            }
        }
        let signature = twilio_signature(&nightshift, TWILIO_TOKEN, FORM);
        twilio(&nightshift, FORM, Some(signature)).await.expect(200);
        assert_eq!(nightshift.all_webhooks().verified().count().await, 3);
    })
    .await;
}

async fn a_text_of_twilio_without_its_id_or_a_number_is_refused_by_field(engine: Engine) {
    on(engine, async |nightshift| {
        for (form, field) in [
            ("From=%2B15551234567&To=%2B15550199001&Body=x", "MessageSid"),
            ("MessageSid=SM1&From=&To=%2B15550199001&Body=x", "From"),
            ("MessageSid=SM1&From=%2B15551234567&Body=x", "To"),
        ] {
            let answer = twilio(&nightshift, form, Some(twilio_signature(&nightshift, TWILIO_TOKEN, form))).await;
            assert_eq!(answer.status, 422, "{}", answer.text);
            let fields = answer.json()["fields"].clone();
            assert_eq!(fields.as_object().unwrap().keys().collect::<Vec<_>>(), [field], "{fields}");
        }
        assert_eq!(nightshift.all_webhooks().count().await, 0);
        let json = post(&nightshift, "/api/twilio/inbound", "application/json", "{}", &Vec::new()).await;
        assert_eq!(json.status, 415, "{}", json.text);
        let form = post(&nightshift, "/api/webhooks/sms", FORM_TYPE, FORM, &Vec::new()).await;
        assert_eq!(form.status, 415, "{}", form.text);
    })
    .await;
}

async fn a_repeated_text_is_counted_and_not_routed_again(engine: Engine) {
    on_with(engine, with_secrets, async |nightshift| {
        let body = event("EV1");
        let headers = openphone_signature(CURRENT, nightshift.clock.now(), &body);
        for _ in 0..3 {
            let signature = twilio_signature(&nightshift, TWILIO_TOKEN, FORM);
            let answer = twilio(&nightshift, FORM, Some(signature)).await.expect(200);
            assert_eq!((answer.header("content-type"), answer.text.as_str()), (Some("text/xml"), "<Response/>"));
            openphone(&nightshift, &body, &headers).await.expect(200);
        }
        let sql = "SELECT deliveries FROM webhook_inbox ORDER BY provider";
        let deliveries: Vec<(i64,)> = nightshift.db.read(sql).all().await.unwrap();
        assert_eq!(deliveries, [(3,), (3,)]);
        assert_eq!(nightshift.webhook_jobs().count().await, 2);
        for received in ["webhook.sms.received", "webhook.twilio.received"] {
            let events = nightshift.events(received).all().await;
            let repeated = events.iter().filter(|event| event.metadata["duplicate"] == true).count();
            assert_eq!((events.len(), repeated), (3, 2), "{received}");
        }
    })
    .await;
}

async fn openphones_events_are_told_apart_by_their_id_else_by_the_delivery(engine: Engine) {
    on_with(engine, without_validation, async |nightshift| {
        let keys = async || -> Vec<String> {
            let rows: Vec<(String,)> =
                nightshift.db.read("SELECT event_key FROM webhook_inbox ORDER BY received_at, id").all().await.unwrap();
            rows.into_iter().map(|(key,)| key).collect()
        };
        let id = |id: &str| vec![("webhook-id", id.to_owned())];
        openphone(&nightshift, &event("EV1"), &id("msg_1")).await.expect(200);
        openphone(&nightshift, &event("EV1"), &id("msg_2")).await.expect(200);
        let nameless = event("EV1").replace(r#""id":"EV1","#, "");
        assert!(!nameless.contains("EV1"));
        for _ in 0..2 {
            openphone(&nightshift, &nameless, &id("msg_3")).await.expect(200);
        }
        openphone(&nightshift, &nameless, &Vec::new()).await.expect(200);
        let found = keys().await;
        assert_eq!(found.len(), 3, "{found:?}");
        assert!(found.contains(&"EV1".to_owned()) && found.contains(&"msg_3".to_owned()), "{found:?}");
        assert!(found.iter().any(|key| key.starts_with("sha256:")), "{found:?}");
    })
    .await;
}

async fn a_signature_by_a_retired_secret_is_refused_and_explained(engine: Engine) {
    let retire = |settings: &mut Settings| {
        with_secrets(settings);
        let retired = &mut settings.webhooks.retired_secrets;
        retired.stripe = vec!["whsec_former".into()];
        retired.openphone = vec![key(OTHER)];
        retired.twilio = vec!["former-token".into()];
        retired.vapi = vec!["former".into()];
    };
    on_with(engine, retire, async |nightshift| {
        let (now, body) = (nightshift.clock.now(), event("EV1"));
        let former = stripe::signature::sign(&"whsec_former".into(), now.unix_seconds(), b"{}");
        nightshift.stripe_raw("{}", Some(&former)).await.expect(401);
        openphone(&nightshift, &body, &openphone_signature(OTHER, now, &body)).await.expect(401);
        let answer = twilio(&nightshift, FORM, Some(twilio_signature(&nightshift, "former-token", FORM))).await;
        assert_eq!(answer.status, 401);
        assert!(!answer.text.contains("previous"), "the sender is not told: {}", answer.text);
        let (report, at) = (r#"{"message": {}}"#, now.unix_seconds());
        let headers = vec![
            (vapi::signature::SIGNATURE_HEADER, vapi::signature::sign(&"former".into(), at, report.as_bytes())),
            (vapi::signature::TIMESTAMP_HEADER, at.to_string()),
        ];
        post(&nightshift, "/api/webhooks/vapi", "application/json", report, &headers).await.expect(401);
        // A secret that was never in use, and one in use whose signature is too old, are told as such.
        twilio(&nightshift, FORM, Some(twilio_signature(&nightshift, "guessed", FORM))).await.expect(401);
        let old = stripe::signature::sign(&STRIPE_SECRET.into(), now.unix_seconds() - 301, b"{}");
        nightshift.stripe_raw("{}", Some(&old)).await.expect(401);
        let failures = failures(&nightshift).await;
        let told: Vec<_> = failures
            .iter()
            .map(|told| (&told["provider"], &told["reason"]))
            .map(|(provider, reason)| (provider.as_str().unwrap(), reason.as_str().unwrap()))
            .collect();
        assert_eq!(
            told,
            [
                ("stripe", "previous_secret"),
                ("openphone", "previous_secret"),
                ("twilio", "previous_secret"),
                ("vapi", "previous_secret"),
                ("twilio", "no_match"),
                ("stripe", "too_old"),
            ]
        );
        assert_eq!(nightshift.all_webhooks().count().await, 0);
        // The secret in use is accepted.
        nightshift.stripe(&paid("evt_1", "b")).await.expect(200);
    })
    .await;
}
