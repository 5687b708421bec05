//! A booking is confirmed: by Stripe, by a person, twice, at once; and what the client, the sitter and the owner see.

use std::time::Duration;

use nightshift_db::testing::each_engine;
use nightshift_db::{Engine, Json, Timestamp};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::business::{self, booking, paid};
use crate::support::nightshift::on_with;
use crate::support::{Caller, Nightshift, on};

each_engine! {
    a_stripe_payment_confirms_its_booking,
    a_booking_is_made_confirmed_by_patch_and_confirmed_again,
    threads_windows_and_a_sitters_open_threads_are_listed,
    a_posted_text_leaves_from_the_threads_number,
    a_sitter_writes_only_inside_the_window,
    confirming_twice_by_api_and_by_webhook_makes_everything_once,
    one_event_delivered_three_times_is_one_confirmation,
    three_events_of_one_payment_are_one_confirmation,
    twenty_confirmations_at_once_make_everything_once,
    the_ledger_of_automations_shows_how_the_text_was_sent,
    without_a_number_the_text_waits_until_one_comes_into_service,
    a_number_that_appears_unannounced_is_found_within_the_retry_period,
    a_booking_without_its_client_is_given_up_with_the_reason,
    a_run_whose_thread_is_missing_falls_back_to_the_front_desk_and_says_so,
    every_action_is_in_the_audit_log,
    a_payment_of_another_amount_confirms_and_is_put_before_people,
    a_payment_for_an_unknown_booking_is_put_before_people,
    a_moved_booking_moves_its_window_and_its_reminder_and_tells_the_client,
    a_callers_name_is_asked_for_where_authentication_is_on,
}

/// However the confirmation came about: everything is there, once.
async fn shows_one_of_everything(nightshift: &Nightshift, booking: &str) {
    nightshift.texts().sent().until(1).await;
    nightshift.quiet().await;
    let threads: Vec<(String, String, Option<String>, Option<String>)> =
        nightshift.rows(r#"SELECT "bookingId", scope, "messageNumberId", "numberClass" FROM "MessageThread""#).await;
    let number = (Some("number-pool".to_owned()), Some("pool".to_owned()));
    assert_eq!(threads, [(booking.to_owned(), "client_booking".to_owned(), number.0, number.1)]);
    let windows: Vec<(String, Timestamp, Timestamp)> =
        nightshift.rows(r#"SELECT "bookingId", "startsAt", "endsAt" FROM "AssignmentWindow""#).await;
    let (starts, ends) = ("2024-12-31T10:00:00Z".parse().unwrap(), "2024-12-31T12:00:00Z".parse().unwrap());
    assert_eq!(windows, [(booking.to_owned(), starts, ends)]);
    let run = nightshift.automation_runs("bookingConfirmation").one().await;
    assert_eq!(
        (run.recipient.as_str(), run.status.as_str(), run.from_number_id.as_deref()),
        ("client", "success", Some("number-pool"))
    );
    let texts = nightshift.simulator.twilio().ledger().messages().to_vec();
    assert_eq!(texts.len(), 1, "{texts:?}");
    assert_eq!((texts[0].from.as_str(), texts[0].to.as_str()), ("+15550199001", "+15551234567"));
    assert_eq!(
        texts[0].body,
        "Hi Test, your dog walking on Tue 31 Dec 2024 at 10:00 is confirmed. Reply to this number with any questions."
    );
    let processed: Vec<(String, Option<String>, Json<Value>)> = nightshift
        .rows(
            r#"SELECT status, "correlationId", metadata FROM "EventLog"
               WHERE "eventType" = 'booking.confirmed.processed'"#,
        )
        .await;
    assert!(!processed.is_empty());
    for (status, correlation, metadata) in processed {
        assert_eq!((status.as_str(), correlation.as_deref()), ("success", Some(booking)));
        assert_eq!(metadata.0["correlationId"], booking);
    }
    assert_eq!(nightshift.events("thread.created").count().await, 1);
}

async fn a_stripe_payment_confirms_its_booking(engine: Engine) {
    on_with(
        engine,
        |settings| settings.webhooks.validation = false,
        async |nightshift| {
            let booking = nightshift.book().await;
            let event = json!({"type": "payment_intent.succeeded", "data": {"object":
                {"id": "pi_test", "amount": 10000, "metadata": {"bookingId": booking}}}});
            let answer = nightshift.stripe_raw(event.to_string(), None).await.expect(200);
            assert_eq!(answer.json(), json!({"received": true, "duplicate": false}));
            shows_one_of_everything(&nightshift, &booking).await;
            let now = nightshift.get(&format!("/api/bookings/{booking}")).await.expect(200).json();
            assert_eq!(
                (&now["booking"]["status"], &now["booking"]["paymentStatus"]),
                (&json!("confirmed"), &json!("paid"))
            );
        },
    )
    .await;
}

async fn a_booking_is_made_confirmed_by_patch_and_confirmed_again(engine: Engine) {
    on(engine, async |nightshift| {
        let made = nightshift.post("/api/bookings", booking()).await.expect(201).json();
        assert_eq!(made["booking"]["status"], "pending");
        let id = made["booking"]["id"].as_str().unwrap();
        let patched =
            nightshift.patch(&format!("/api/bookings/{id}"), json!({"status": "confirmed"})).await.expect(200).json();
        assert_eq!(patched["booking"]["status"], "confirmed");
        let job = patched["jobId"].as_str().unwrap().to_owned();
        nightshift.post(&format!("/api/bookings/{id}/confirm"), json!({})).await.expect(200);
        shows_one_of_everything(&nightshift, id).await;
        let job = nightshift.get(&format!("/api/jobs/{job}")).await.expect(200).json();
        assert_eq!((&job["kind"], &job["state"]), (&json!("booking.confirm"), &json!("succeeded")));
    })
    .await;
}

async fn threads_windows_and_a_sitters_open_threads_are_listed(engine: Engine) {
    on_with(
        engine,
        |settings| settings.auth.enabled = true,
        async |nightshift| {
            let owner = nightshift.sign_in(business::OWNER).await;
            let sitter = nightshift.sign_in(business::SITTER).await;
            let mut body = booking();
            body["sitterId"] = json!("sitter-sam");
            let made = nightshift.send(Method::POST, "/api/bookings", &owner, Some(body)).await.expect(201).json();
            let booking = made["booking"]["id"].as_str().unwrap();
            nightshift
                .send(Method::POST, &format!("/api/bookings/{booking}/confirm"), &owner, Some(json!({})))
                .await
                .expect(200);
            nightshift.texts().sent().until(1).await;

            let threads = nightshift
                .send(Method::GET, "/api/messages/threads?mailbox=all", &owner, None)
                .await
                .expect(200)
                .json();
            let thread = &threads["threads"][0];
            assert_eq!(
                (&thread["bookingId"], &thread["messageNumberId"], &thread["numberClass"], &thread["mailbox"]),
                (&json!(booking), &json!("number-pool"), &json!("pool"), &json!("sitter"))
            );
            assert_eq!(threads["nextCursor"], Value::Null);
            let windows = nightshift
                .send(Method::GET, &format!("/api/assignments/windows?bookingId={booking}"), &owner, None)
                .await
                .expect(200)
                .json();
            let window = &windows["windows"][0];
            assert_eq!(
                (&window["startsAt"], &window["endsAt"], &window["status"]),
                (&json!("2024-12-31T10:00:00.000Z"), &json!("2024-12-31T12:00:00.000Z"), &json!("future"))
            );

            let before = nightshift.send(Method::GET, "/api/sitter/threads", &sitter, None).await.expect(200).json();
            assert_eq!(before["threads"], json!([]));
            nightshift.clock.set("2024-12-31T10:30:00Z".parse().unwrap());
            let sitter = nightshift.sign_in(business::SITTER).await;
            let during = nightshift.send(Method::GET, "/api/sitter/threads", &sitter, None).await.expect(200);
            assert_eq!(during.json()["threads"][0]["bookingId"], booking);
            assert!(!during.text.contains("5551234567"), "a sitter sees a client's number: {}", during.text);
        },
    )
    .await;
}

async fn a_posted_text_leaves_from_the_threads_number(engine: Engine) {
    on(engine, async |nightshift| {
        let booking = nightshift.book().await;
        nightshift.post(&format!("/api/bookings/{booking}/confirm"), json!({})).await.expect(200);
        nightshift.texts().sent().until(1).await;
        let thread = thread_of(&nightshift).await;
        let path = format!("/api/messages/threads/{thread}/messages");
        let posted =
            nightshift.post(&path, json!({"body": "See you at ten", "forceSend": false})).await.expect(200).json();
        assert_eq!(posted["message"]["status"], "queued");
        nightshift.texts().sent().until(2).await;
        let texts = nightshift.simulator.twilio().ledger().messages().to_vec();
        assert_eq!((texts[1].from.as_str(), texts[1].body.as_str()), ("+15550199001", "See you at ten"));
        let callback = texts[1].status_callback.clone().unwrap();
        assert!(callback.starts_with(&format!("{}/api/twilio/status", nightshift.app.url())), "{callback}");

        for (body, status, code) in [
            (json!({"body": ""}), 422, "invalid"),
            (json!({"body": "x".repeat(1601)}), 422, "invalid"),
            (json!({}), 422, "invalid"),
        ] {
            let refused = nightshift.post(&path, body).await.expect(status);
            assert_eq!(refused.code(), code);
            assert!(refused.json()["fields"]["body"].is_string(), "{}", refused.text);
        }
    })
    .await;
}

async fn thread_of(nightshift: &Nightshift) -> String {
    nightshift.threads().one().await.id
}

async fn a_sitter_writes_only_inside_the_window(engine: Engine) {
    on_with(
        engine,
        |settings| settings.auth.enabled = true,
        async |nightshift| {
            let owner = nightshift.sign_in(business::OWNER).await;
            let mut body = booking();
            body["sitterId"] = json!("sitter-sam");
            let made = nightshift.send(Method::POST, "/api/bookings", &owner, Some(body)).await.expect(201).json();
            let confirm = format!("/api/bookings/{}/confirm", made["booking"]["id"].as_str().unwrap());
            nightshift.send(Method::POST, &confirm, &owner, Some(json!({}))).await.expect(200);
            nightshift.texts().sent().until(1).await;
            let path = format!("/api/messages/threads/{}/messages", thread_of(&nightshift).await);
            for (moment, status) in [
                ("2024-12-31T09:59:59Z", 403),
                ("2024-12-31T10:00:00Z", 200),
                ("2024-12-31T11:59:59Z", 200),
                ("2024-12-31T12:00:01Z", 403),
            ] {
                // What is under way would lose its lease, and a reminder its point, while the clock jumps.
                nightshift.quiet().await;
                nightshift.clock.set(moment.parse().unwrap());
                nightshift.quiet().await;
                let sitter = nightshift.sign_in(business::SITTER).await;
                let body = Some(json!({"body": format!("On my way {moment}")}));
                let answer = nightshift.send(Method::POST, &path, &sitter, body).await;
                assert_eq!(answer.status, status, "{moment}: {}", answer.text);
                if status == 403 {
                    assert_eq!(answer.code(), "window_closed");
                }
            }
            // The confirmation, the reminder of the day before, and the two that were allowed.
            nightshift.texts().sent().until(4).await;
            nightshift.quiet().await;
            let ledger = nightshift.simulator.twilio().ledger();
            let by_sitter = ledger.messages().iter().filter(|text| text.body.starts_with("On my way")).count();
            assert_eq!((by_sitter, ledger.messages().len()), (2, 4));
        },
    )
    .await;
}

async fn confirming_twice_by_api_and_by_webhook_makes_everything_once(engine: Engine) {
    on(engine, async |nightshift| {
        let booking = nightshift.book().await;
        let confirm = format!("/api/bookings/{booking}/confirm");
        nightshift.post(&confirm, json!({})).await.expect(200);
        nightshift.stripe(&paid("evt_1", &booking)).await.expect(200);
        shows_one_of_everything(&nightshift, &booking).await;
        nightshift.stripe(&paid("evt_2", &booking)).await.expect(200);
        nightshift.post(&confirm, json!({})).await.expect(200);
        nightshift.quiet().await;
        shows_one_of_everything(&nightshift, &booking).await;
        assert_eq!(nightshift.status_changes().to("confirmed").count().await, 1);
        assert!(nightshift.events("booking.confirmed.processed").count().await >= 2, "repeats are on record");
    })
    .await;
}

async fn one_event_delivered_three_times_is_one_confirmation(engine: Engine) {
    on(engine, async |nightshift| {
        let booking = nightshift.book().await;
        for duplicate in [false, true, true] {
            let answer = nightshift.stripe(&paid("evt_same", &booking)).await.expect(200);
            assert_eq!(answer.json(), json!({"received": true, "duplicate": duplicate}));
        }
        shows_one_of_everything(&nightshift, &booking).await;
        let received = nightshift.events("webhook.stripe.received").all().await;
        let duplicates: Vec<_> = received.iter().map(|event| event.metadata["duplicate"].clone()).collect();
        assert_eq!(duplicates, [json!(false), json!(true), json!(true)]);
        assert_eq!(nightshift.webhooks("stripe").one().await.deliveries, 3);
        assert_eq!(nightshift.jobs("webhook.stripe.process").count().await, 1);
    })
    .await;
}

async fn three_events_of_one_payment_are_one_confirmation(engine: Engine) {
    on(engine, async |nightshift| {
        let booking = nightshift.book().await;
        for event in ["evt_a", "evt_b", "evt_c"] {
            nightshift.stripe(&paid(event, &booking)).await.expect(200);
        }
        shows_one_of_everything(&nightshift, &booking).await;
        assert_eq!(nightshift.events("webhook.stripe.received").count().await, 3);
    })
    .await;
}

async fn twenty_confirmations_at_once_make_everything_once(engine: Engine) {
    on(engine, async |nightshift| {
        let booking = nightshift.book().await;
        let confirm = format!("/api/bookings/{booking}/confirm");
        let requests = (0..20).map(async |number| {
            if number % 2 == 0 {
                nightshift.post(&confirm, json!({})).await.status
            } else {
                nightshift.stripe(&paid(&format!("evt_{number}"), &booking)).await.status
            }
        });
        let answers = futures_util::future::join_all(requests).await;
        assert!(answers.iter().all(|status| *status == 200), "{answers:?}");
        shows_one_of_everything(&nightshift, &booking).await;
    })
    .await;
}

async fn the_ledger_of_automations_shows_how_the_text_was_sent(engine: Engine) {
    on(engine, async |nightshift| {
        let booking = nightshift.book().await;
        nightshift.post(&format!("/api/bookings/{booking}/confirm"), json!({})).await.expect(200);
        nightshift.texts().sent().until(1).await;
        nightshift.quiet().await;
        let path = format!("/api/automations/ledger?bookingId={booking}&type=bookingConfirmation");
        let run = nightshift.get(&path).await.expect(200).json()["runs"][0].clone();
        let thread = thread_of(&nightshift).await;
        assert_eq!(
            (&run["status"], &run["usedThread"], &run["fromNumber"], &run["fromNumberE164"], &run["threadId"]),
            (&json!("success"), &json!(true), &json!("number-pool"), &json!("+15550199001"), &json!(thread))
        );
        let path = format!("/api/automations/ledger/{}", run["id"].as_str().unwrap());
        let detail = nightshift.get(&path).await.expect(200).json();
        let metadata = find(&detail, "metadata").unwrap();
        assert_eq!(metadata["executor"], "sendAutomationMessageViaThread");
        assert_eq!(metadata["usedThread"], true);
        assert_eq!(metadata["endpoint"], format!("/api/messages/threads/{thread}/messages"));
        assert_eq!(metadata["correlationId"], booking);
    })
    .await;
}

fn find<'a>(value: &'a Value, key: &str) -> Option<&'a Value> {
    match value {
        Value::Object(fields) => fields.get(key).or_else(|| fields.values().find_map(|inner| find(inner, key))),
        _ => None,
    }
}

async fn without_a_number_the_text_waits_until_one_comes_into_service(engine: Engine) {
    on(engine, async |nightshift| {
        nightshift.take_all_numbers_out_of_service().await;
        business::load(
            &nightshift.db,
            json!({"numbers": [{"id": "number-foreign", "orgId": "org-other", "e164": "+15550199777", "numberClass": "pool", "provider": "twilio"}]}),
        )
        .await;
        let booking = nightshift.book().await;
        nightshift.post(&format!("/api/bookings/{booking}/confirm"), json!({})).await.expect(200);
        nightshift.events("booking.confirmed.processed").until(1).await;
        nightshift.quiet().await;
        assert_eq!(nightshift.threads().count().await, 1);
        assert_eq!(nightshift.windows().count().await, 1);
        assert_eq!(nightshift.all_automation_runs().blocked().count().await, 1);
        let open = nightshift.get("/api/exceptions?type=no_number_available").await.expect(200).json();
        assert_eq!((&open["exceptions"][0]["severity"], &open["counts"]["high"]), (&json!("high"), &json!(1)));

        let added = json!({"e164": "+15550199002", "numberClass": "front_desk", "provider": "twilio"});
        nightshift.post("/api/messages/numbers", added).await.expect(201);
        nightshift.texts().sent().until(1).await;
        let texts = nightshift.simulator.twilio().ledger().messages().to_vec();
        assert_eq!((texts.len(), texts[0].from.as_str()), (1, "+15550199002"));
        nightshift.quiet().await;
        assert_eq!(nightshift.all_exceptions().unresolved().count().await, 0);
    })
    .await;
}

async fn a_number_that_appears_unannounced_is_found_within_the_retry_period(engine: Engine) {
    on(engine, async |nightshift| {
        nightshift.take_all_numbers_out_of_service().await;
        let booking = nightshift.book().await;
        nightshift.post(&format!("/api/bookings/{booking}/confirm"), json!({})).await.expect(200);
        nightshift.events("booking.confirmed.processed").until(1).await;
        nightshift.quiet().await;
        nightshift.put_all_numbers_into_service().await;
        nightshift.pass(Duration::from_secs(13 * 60)).await;
        nightshift.texts().sent().until(1).await;
    })
    .await;
}

async fn a_booking_without_its_client_is_given_up_with_the_reason(engine: Engine) {
    on(engine, async |nightshift| {
        let booking = nightshift.book().await;
        // A client that belongs to another organisation is no client of this booking.
        nightshift.move_all_clients_to("org-other").await;
        nightshift.post(&format!("/api/bookings/{booking}/confirm"), json!({})).await.expect(200);
        nightshift.jobs("booking.confirm").dead().until(1).await;
        let log =
            nightshift.get(&format!("/api/event-log?eventType=booking.confirmed.failed&bookingId={booking}")).await;
        let entry = log.expect(200).json()["events"][0].clone();
        assert_eq!((&entry["status"], &entry["metadata"]["correlationId"]), (&json!("failed"), &json!(booking)));
        assert!(entry["metadata"]["reason"].as_str().unwrap().contains("client"), "{entry}");
        assert_eq!(nightshift.open_exceptions("job_dead").count().await, 1);
        assert_eq!(nightshift.events("job.dead").count().await, 1);
    })
    .await;
}

async fn a_run_whose_thread_is_missing_falls_back_to_the_front_desk_and_says_so(engine: Engine) {
    on(engine, async |nightshift| {
        business::load(
            &nightshift.db,
            json!({"numbers": [{"id": "number-desk", "orgId": "org-paws", "e164": "+15550199003", "numberClass": "front_desk", "provider": "twilio"}]}),
        )
        .await;
        // A pending booking has no thread; its cancellation after a confirmation that lost its thread is forced here.
        let booking = nightshift.book().await;
        nightshift.quiet().await;
        let forced = "INSERT INTO automation_runs (id, org_id, type, recipient, trigger_ref, booking_id, client_id, status)
                 SELECT 'run-forced', org_id, 'bookingCancelled', 'client', 'forced', id, client_id, 'pending' FROM bookings";
        nightshift.given(forced).await;
        let run = nightshift_jobs::automation::run::RunAutomation { automation_run_id: "run-forced".into() };
        let job = nightshift_queue::NewJob::of(&run).unwrap().org("org-paws");
        nightshift.app.queue.submit(job).await.unwrap();
        nightshift.texts().sent().until(1).await;
        let texts = nightshift.simulator.twilio().ledger().messages().to_vec();
        assert_eq!(texts[0].from, "+15550199003");
        let log = nightshift.get(&format!("/api/event-log?eventType=automation.thread_fallback&bookingId={booking}")).await;
        assert_eq!(log.expect(200).json()["events"][0]["status"], "warning");
    })
    .await;
}

async fn every_action_is_in_the_audit_log(engine: Engine) {
    on(engine, async |nightshift| {
        let booking = nightshift.book().await;
        nightshift.stripe(&paid("evt_1", &booking)).await.expect(200);
        nightshift.texts().delivered().until(1).await;
        let thread = thread_of(&nightshift).await;
        nightshift
            .post(&format!("/api/messages/threads/{thread}/messages"), json!({"body": "See you"}))
            .await
            .expect(200);
        nightshift.texts().delivered().until(2).await;
        nightshift.post(&format!("/api/bookings/{booking}/cancel"), json!({"reason": "rain"})).await.expect(200);
        nightshift.texts().delivered().until(3).await;
        nightshift.quiet().await;
        let events = nightshift.all_events().all().await;
        let types: Vec<_> = events.iter().map(|event| event.event_type.as_str()).collect();
        let told = |event: &str| types.iter().filter(|name| **name == event).count();
        for (event, times) in [
            ("booking.created", 1),
            ("webhook.stripe.received", 1),
            ("booking.status.changed", 2),
            ("thread.created", 1),
            ("thread.number.assigned", 1),
            ("window.created", 1),
            ("window.updated", 1),
            ("booking.confirmed.processed", 1),
            ("message.sent", 3),
            ("automation.executed", 3),
        ] {
            assert_eq!(told(event), times, "{event}: {types:?}");
        }
        assert!(told("webhook.twilio.received") >= 3, "{types:?}");
    })
    .await;
}

async fn a_payment_of_another_amount_confirms_and_is_put_before_people(engine: Engine) {
    on(engine, async |nightshift| {
        let booking = nightshift.book().await;
        nightshift.quiet().await;
        nightshift.price_all_bookings(12_000).await;
        nightshift.stripe(&paid("evt_1", &booking)).await.expect(200);
        shows_one_of_everything(&nightshift, &booking).await;
        let open = nightshift.get("/api/exceptions?type=payment_amount_mismatch").await.expect(200).json();
        assert_eq!(open["exceptions"][0]["severity"], "medium");
    })
    .await;
}

async fn a_payment_for_an_unknown_booking_is_put_before_people(engine: Engine) {
    on(engine, async |nightshift| {
        nightshift.stripe(&paid("evt_1", "no-such-booking")).await.expect(200);
        nightshift.all_webhooks().processed().until(1).await;
        assert_eq!(nightshift.open_exceptions("payment_unmatched").count().await, 1);
        assert_eq!(nightshift.events("webhook.unmatched").count().await, 1);
    })
    .await;
}

async fn a_moved_booking_moves_its_window_and_its_reminder_and_tells_the_client(engine: Engine) {
    on(engine, async |nightshift| {
        let booking = nightshift.book().await;
        let path = format!("/api/bookings/{booking}");
        nightshift.patch(&path, json!({"status": "confirmed"})).await.expect(200);
        nightshift.texts().sent().until(1).await;
        let times = json!({"startAt": "2025-01-03T10:00:00Z", "endAt": "2025-01-03T11:30:00Z"});
        nightshift.patch(&path, times).await.expect(200);
        nightshift.texts().sent().until(2).await;
        assert_eq!(nightshift.windows().one().await.ends_at, "2025-01-03T12:30:00Z".parse().unwrap());
        // The reminder of the old time never goes out; that of the new one does, a day before.
        nightshift.clock.set("2025-01-02T09:59:00Z".parse().unwrap());
        nightshift.quiet().await;
        assert_eq!(nightshift.simulator.twilio().ledger().messages().len(), 2);
        nightshift.clock.set("2025-01-02T10:00:01Z".parse().unwrap());
        nightshift.texts().sent().until(3).await;
        let bodies: Vec<_> =
            nightshift.simulator.twilio().ledger().messages().iter().map(|text| text.body.clone()).collect();
        assert_eq!(bodies[1], "Your dog walking has moved to Fri 3 Jan 2025 at 10:00.");
        assert!(bodies[2].starts_with("Reminder: your dog walking is tomorrow"), "{bodies:?}");
    })
    .await;
}

async fn a_callers_name_is_asked_for_where_authentication_is_on(engine: Engine) {
    on_with(
        engine,
        |settings| settings.auth.enabled = true,
        async |nightshift| {
            let answer = nightshift.send(Method::POST, "/api/bookings", &Caller::Nobody, Some(booking())).await;
            assert_eq!(answer.status, 401, "{}", answer.text);
        },
    )
    .await;
}
