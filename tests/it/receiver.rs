//! Webhooks are taken when they are proven, refused when they are not, and stored before they are answered.

use nightshift::config::Settings;
use nightshift_db::testing::each_engine;
use nightshift_db::{Engine, Timestamp};
use nightshift_providers::stripe::signature;
use serde_json::{Value, json};

use crate::support::business::paid;
use crate::support::nightshift::{STRIPE_SECRET, on_with};
use crate::support::{Answer, Nightshift, on};

each_engine! {
    without_validation_an_unsigned_event_is_taken_and_marked,
    with_validation_a_valid_signature_is_taken_under_any_of_the_secrets,
    with_validation_anything_else_is_refused_recorded_and_not_enqueued,
    without_validation_a_wrong_signature_is_refused_all_the_same,
    a_storm_of_refusals_fills_no_table_and_calls_people_once,
    what_is_no_webhook_is_refused_with_the_reason_and_not_stored,
    an_odd_field_never_costs_a_webhook,
    what_is_no_event_that_matters_is_stored_and_ignored,
    more_unverified_webhooks_than_allowed_per_minute_are_told_to_wait,
    more_requests_at_once_than_allowed_are_told_to_come_again,
    a_client_that_sends_its_head_drop_by_drop_is_cut_off,
    a_client_that_never_sends_its_body_is_told_so,
    every_answer_carries_the_request_id,
    twilio_reports_are_taken_only_under_its_signature,
    a_twilio_report_that_names_no_text_is_stored_and_ignored,
}

fn signed(secret: &str, at: Timestamp, body: &str) -> String {
    signature::sign(&secret.into(), at.unix_seconds(), body.as_bytes())
}

async fn nothing_is_stored(nightshift: &Nightshift) {
    assert_eq!((nightshift.all_webhooks().count().await, nightshift.webhook_jobs().count().await), (0, 0));
}

async fn without_validation_an_unsigned_event_is_taken_and_marked(engine: Engine) {
    on_with(
        engine,
        |settings| settings.webhooks.validation = false,
        async |nightshift| {
            let answer = nightshift.stripe_raw(paid("evt_1", "b").to_string(), None).await.expect(200);
            assert_eq!(answer.json(), json!({"received": true, "duplicate": false}));
            let stored = nightshift.all_webhooks().one().await;
            assert_eq!((stored.verified, stored.event_key.as_str()), (false, "evt_1"));
            assert_eq!(nightshift.events("webhook.unverified").count().await, 1);
        },
    )
    .await;
}

async fn with_validation_a_valid_signature_is_taken_under_any_of_the_secrets(engine: Engine) {
    let two_secrets = |settings: &mut Settings| settings.webhooks.stripe_secrets.push("whsec_new".into());
    on_with(engine, two_secrets, async |nightshift| {
        for (event, secret) in [("evt_1", STRIPE_SECRET), ("evt_2", "whsec_new")] {
            let body = paid(event, "b").to_string();
            let signature = signed(secret, nightshift.clock.now(), &body);
            nightshift.stripe_raw(body, Some(&signature)).await.expect(200);
        }
        assert_eq!(nightshift.all_webhooks().verified().count().await, 2);
        assert_eq!(nightshift.webhook_jobs().count().await, 2);
    })
    .await;
}

async fn with_validation_anything_else_is_refused_recorded_and_not_enqueued(engine: Engine) {
    on(engine, async |nightshift| {
        let (now, body) = (nightshift.clock.now(), paid("evt_1", "b").to_string());
        let old = now - std::time::Duration::from_secs(301);
        let good = signed(STRIPE_SECRET, now, &body);
        let refused = [
            (None, "missing"),
            (Some(signed("whsec_wrong", now, &body)), "no_match"),
            (Some(signed(STRIPE_SECRET, old, &body)), "too_old"),
            (Some(signed(STRIPE_SECRET, now, "another body")), "no_match"),
            (Some("t=,v1=".to_owned()), "malformed"),
            (Some(good.replace("v1=", "v0=")), "malformed"),
        ];
        for (signature, reason) in &refused {
            let answer = nightshift.stripe_raw(body.clone(), signature.as_deref()).await;
            assert_eq!(answer.status, 401, "{reason}: {}", answer.text);
            assert!(answer.json()["error"].is_string() && answer.json()["requestId"].is_string(), "{}", answer.text);
        }
        nothing_is_stored(&nightshift).await;
        let logged = nightshift.events("webhook.validation.failed").all().await;
        let reasons: Vec<_> = logged.iter().map(|event| event.metadata["reason"].as_str().unwrap()).collect();
        assert_eq!(reasons, refused.iter().map(|(_, reason)| *reason).collect::<Vec<_>>());
        let text = format!("{logged:?}");
        assert!(!text.contains("pi_b") && !text.contains(STRIPE_SECRET) && !text.contains("v1="), "{text}");
        // 300 seconds are allowed.
        let edge = signed(STRIPE_SECRET, now - std::time::Duration::from_secs(300), &body);
        nightshift.stripe_raw(body, Some(&edge)).await.expect(200);
    })
    .await;
}

async fn without_validation_a_wrong_signature_is_refused_all_the_same(engine: Engine) {
    on_with(
        engine,
        |settings| settings.webhooks.validation = false,
        async |nightshift| {
            let body = paid("evt_1", "b").to_string();
            let wrong = signed("whsec_wrong", nightshift.clock.now(), &body);
            nightshift.stripe_raw(body.clone(), Some(&wrong)).await.expect(400);
            nothing_is_stored(&nightshift).await;
            assert_eq!(nightshift.events("webhook.validation.failed").count().await, 1);
            let right = signed(STRIPE_SECRET, nightshift.clock.now(), &body);
            nightshift.stripe_raw(body, Some(&right)).await.expect(200);
        },
    )
    .await;
}

async fn a_storm_of_refusals_fills_no_table_and_calls_people_once(engine: Engine) {
    on(engine, async |nightshift| {
        for _ in 0..75 {
            nightshift.stripe_raw(paid("evt_1", "b").to_string(), None).await.expect(401);
        }
        assert_eq!(nightshift.events("webhook.validation.failed").count().await, 60);
        let shown = nightshift.exceptions("webhook_signature_invalid").one().await;
        assert_eq!((shown.severity.as_str(), shown.occurrences), ("high", 51), "from the tenth within an hour on");
        nothing_is_stored(&nightshift).await;
    })
    .await;
}

async fn what_is_no_webhook_is_refused_with_the_reason_and_not_stored(engine: Engine) {
    on(engine, async |nightshift| {
        let too_large = format!("{{\"type\":\"x\",\"pad\":\"{}\"}}", "x".repeat(262_144));
        for (body, status, code) in [
            (too_large, 413, "body_too_large"),
            ("{".to_owned(), 400, "bad_body"),
            ("[]".to_owned(), 400, "bad_body"),
            (String::new(), 400, "bad_body"),
        ] {
            let signature = signed(STRIPE_SECRET, nightshift.clock.now(), &body);
            let answer = nightshift.stripe_raw(body, Some(&signature)).await;
            assert_eq!((answer.status, answer.code()), (status, code.to_owned()), "{}", answer.text);
        }
        let url = format!("{}/api/webhooks/stripe", nightshift.app.url());
        let form = nightshift.http.post(&url).header("content-type", "text/plain").body("x").send().await.unwrap();
        assert_eq!(form.status(), 415);
        let read = nightshift.http.get(&url).send().await.unwrap();
        assert_eq!((read.status().as_u16(), read.headers()["allow"].to_str().unwrap()), (405, "POST"));
        nothing_is_stored(&nightshift).await;
    })
    .await;
}

/// Bodies that are odd in what nobody needs: each is taken, stored and acted on as far as it can be.
async fn an_odd_field_never_costs_a_webhook(engine: Engine) {
    on(engine, async |nightshift| {
        let id = nightshift.book().await;
        nightshift.quiet().await;
        let deep = format!("{}1{}", "[".repeat(20_000), "]".repeat(20_000));
        let odd: [&[u8]; 10] = [
            br#""Walk for Rex \ud83d""#,
            br#""\udc36 half""#,
            br#""\ud83dx""#,
            b"\"\xff\xc3\"",
            b"\"a\0b\"",
            br#""a\u0000b""#,
            b"1e400",
            &[b'9'; 400],
            deep.as_bytes(),
            b"[{}, null, NaN]",
        ];
        for (n, value) in odd.iter().enumerate() {
            let mut event = paid(&format!("evt_{n}"), &id);
            event["data"]["object"]["description"] = json!("@@");
            let text = event.to_string();
            let (before, after) = text.split_once("\"@@\"").unwrap();
            let body = [before.as_bytes(), value, after.as_bytes(), b"\n\0"].concat();
            let signature = signature::sign(&STRIPE_SECRET.into(), nightshift.clock.now().unix_seconds(), &body);
            let answer = nightshift.stripe_raw(body, Some(&signature)).await.expect(200);
            assert_eq!(answer.json(), json!({"received": true, "duplicate": false}), "{n}");
        }
        // Twilio reports what becomes of the confirmation.
        nightshift.webhooks("stripe").processed().until(10).await;
        let shown = nightshift.get(&format!("/api/bookings/{id}")).await.expect(200).json();
        assert_eq!(shown["booking"]["status"], "confirmed");
    })
    .await;
}

async fn what_is_no_event_that_matters_is_stored_and_ignored(engine: Engine) {
    on(engine, async |nightshift| {
        let long = json!({"id": "e".repeat(10_000), "type": "x".repeat(10_000)}).to_string();
        for body in [
            "{}",
            r#"{"id": "evt_1"}"#,
            r#"{"id": 7, "type": ["x"], "data": "x"}"#,
            r#"{"id": "evt_t1", "object": "v2.core.event", "type": "v2.core.event_destination.ping",
                "created": "2026-11-26T12:00:00.000Z", "related_object": {"id": "ed_1"}}"#,
            r#"{"id": "evt_t2", "object": "v2.core.event", "type": "v1.billing.meter.no_meter_found", "data": {"x": 1}}"#,
            r#"{"id": "evt\u0000", "type": "x\u0000", "data": {"object": {}}}"#,
            r#"{"id": "evt_2", "type": "payment_intent.payment_failed", "data": {"object": null}}"#,
            &long,
        ] {
            let signature = signed(STRIPE_SECRET, nightshift.clock.now(), body);
            nightshift.stripe_raw(body.to_owned(), Some(&signature)).await.expect(200);
        }
        let url = format!("{}/api/webhooks/vapi", nightshift.app.url());
        for body in [
            r#"{"message": {"type": "end-of-call-report", "artifact": {"transcript": "see you \ud83d"}}}"#,
            r#"{"message": {"type": "call.artifact.upload"}}"#,
            r#"{"message": {"type": 7, "call": {"id": ["c"]}}}"#,
            r#"{"message": 7}"#,
        ] {
            let request = nightshift.http.post(&url).header("x-vapi-secret", "vapi-test-secret");
            Answer::to(request.header("content-type", "application/json").body(body)).await.expect(200);
        }
        nightshift.all_webhooks().ignored().until(12).await;
        assert_eq!(nightshift.all_exceptions().count().await, 0);
    })
    .await;
}

async fn more_unverified_webhooks_than_allowed_per_minute_are_told_to_wait(engine: Engine) {
    on_with(
        engine,
        |settings| settings.http.webhook_rate_limit_per_minute = 3,
        async |nightshift| {
            let unsigned = async || nightshift.stripe_raw(paid("evt_1", "b").to_string(), None).await;
            for _ in 0..3 {
                unsigned().await.expect(401);
            }
            let answer = unsigned().await.expect(429);
            let seconds: u64 = answer.header("retry-after").unwrap().parse().unwrap();
            assert!((1..=60).contains(&seconds), "{seconds}");
            // Strangers crowd out nobody who is verified.
            for event in ["evt_1", "evt_2", "evt_3", "evt_4"] {
                nightshift.stripe(&paid(event, "b")).await.expect(200);
            }
            unsigned().await.expect(429);
            // What is refused before its signature is looked at counts too.
            let url = format!("{}/api/webhooks/stripe", nightshift.app.url());
            let stranger = async |media: &str, bytes: usize| {
                let request = nightshift.http.post(&url).header("content-type", media).body("x".repeat(bytes));
                Answer::to(request).await
            };
            stranger("text/plain", 2).await.expect(429);
            stranger("application/json", 300_000).await.expect(429);
            assert_eq!(nightshift.all_webhooks().count().await, 4);
            nightshift.clock.advance(std::time::Duration::from_secs(60));
            stranger("text/plain", 2).await.expect(415);
            stranger("application/json", 300_000).await.expect(413);
            unsigned().await.expect(401);
            unsigned().await.expect(429);
        },
    )
    .await;
}

async fn more_requests_at_once_than_allowed_are_told_to_come_again(engine: Engine) {
    on_with(
        engine,
        |settings| settings.http.requests_in_flight_max = 1,
        async |nightshift| {
            // One request occupies the only place: its body never comes.
            let mut slow = tokio::net::TcpStream::connect(nightshift.app.addr.unwrap()).await.unwrap();
            let head = "POST /api/webhooks/stripe HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
                        content-length: 10\r\n\r\n";
            tokio::io::AsyncWriteExt::write_all(&mut slow, head.as_bytes()).await.unwrap();
            let mut answer = nightshift.stripe(&paid("evt_1", "b")).await;
            for _ in 0..200 {
                if answer.status == 503 {
                    break;
                }
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
                answer = nightshift.stripe(&paid("evt_1", "b")).await;
            }
            assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")));
            // Health is looked at even then.
            nightshift.get("/healthz").await.expect(200);
        },
    )
    .await;
}

async fn a_client_that_sends_its_head_drop_by_drop_is_cut_off(engine: Engine) {
    on_with(
        engine,
        |settings| settings.http.header_timeout = std::time::Duration::from_millis(200),
        async |nightshift| {
            use tokio::io::{AsyncReadExt, AsyncWriteExt};
            let mut slow = tokio::net::TcpStream::connect(nightshift.app.addr.unwrap()).await.unwrap();
            slow.write_all(b"POST /api/webhooks/stripe HTTP/1.1\r\nhost: x\r\n").await.unwrap();
            let mut answer = Vec::new();
            let read = tokio::time::timeout(std::time::Duration::from_secs(10), slow.read_to_end(&mut answer)).await;
            assert!(read.is_ok(), "the connection is still open");
            nightshift.get("/healthz").await.expect(200);
        },
    )
    .await;
}

async fn a_client_that_never_sends_its_body_is_told_so(engine: Engine) {
    on_with(
        engine,
        |settings| settings.http.request_timeout = std::time::Duration::from_millis(200),
        async |nightshift| {
            use tokio::io::{AsyncReadExt, AsyncWriteExt};
            let mut slow = tokio::net::TcpStream::connect(nightshift.app.addr.unwrap()).await.unwrap();
            slow.write_all(
                b"POST /api/webhooks/stripe HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{",
            )
            .await
            .unwrap();
            let mut answer = [0; 12];
            let read = tokio::time::timeout(std::time::Duration::from_secs(10), slow.read_exact(&mut answer)).await;
            read.expect("an answer in time").expect("an answer");
            assert_eq!(std::str::from_utf8(&answer).unwrap(), "HTTP/1.1 408");
            nothing_is_stored(&nightshift).await;
        },
    )
    .await;
}

async fn every_answer_carries_the_request_id(engine: Engine) {
    on(engine, async |nightshift| {
        let given = nightshift
            .http
            .get(format!("{}/api/bookings/none", nightshift.app.url()))
            .header("x-request-id", "given-by-the-caller")
            .send()
            .await
            .unwrap();
        assert_eq!(given.headers()["x-request-id"], "given-by-the-caller");
        let body: Value = given.json().await.unwrap();
        assert_eq!((&body["code"], &body["requestId"]), (&json!("not_found"), &json!("given-by-the-caller")));
        let made = nightshift.get("/api/no-such-route").await.expect(404);
        assert_eq!(made.header("x-request-id").unwrap(), made.json()["requestId"].as_str().unwrap());
    })
    .await;
}

async fn twilio_reports_are_taken_only_under_its_signature(engine: Engine) {
    use base64::Engine;
    use nightshift_providers::mac::hmac_sha1;
    on(engine, async |nightshift| {
        let url = format!("{}/api/twilio/status", nightshift.app.url());
        let form = [("MessageSid", "SM0123"), ("MessageStatus", "delivered"), ("AccountSid", "AC1")];
        let post = async |signature: Option<String>| {
            let mut request = nightshift.http.post(&url).form(&form);
            if let Some(signature) = signature {
                request = request.header("x-twilio-signature", signature);
            }
            Answer::to(request).await.status
        };
        let sign = |token: &str| {
            // Twilio's scheme: the address and the parameters, sorted by name, under HMAC-SHA1.
            let signed = format!("{url}AccountSidAC1MessageSidSM0123MessageStatusdelivered");
            base64::engine::general_purpose::STANDARD.encode(hmac_sha1(&token.into(), &[signed.as_bytes()]))
        };
        assert_eq!(post(None).await, 401);
        assert_eq!(post(Some(sign("guessed"))).await, 401);
        nothing_is_stored(&nightshift).await;
        assert!((200..300).contains(&post(Some(sign("simulated-auth-token"))).await));
        assert_eq!(nightshift.all_webhooks().count().await, 1);
    })
    .await;
}

async fn a_twilio_report_that_names_no_text_is_stored_and_ignored(engine: Engine) {
    let unsigned = |settings: &mut Settings| settings.webhooks.validation = false;
    on_with(engine, unsigned, async |nightshift| {
        let url = format!("{}/api/twilio/status", nightshift.app.url());
        let long = format!("MessageSid=SM{}&MessageStatus=sent", "1".repeat(10_000));
        for form in ["MessageStatus=sent", "MessageSid=SM1", "MessageSid=SM1&MessageStatus=%00", "x", long.as_str()] {
            let request = nightshift.http.post(&url).header("content-type", "application/x-www-form-urlencoded");
            Answer::to(request.body(form.to_owned())).await.expect(200);
        }
        nightshift.all_webhooks().ignored().skip_waits_until(5).await;
    })
    .await;
}
