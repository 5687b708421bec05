//! Booking calls: answered at once, placed once, ended once, whatever the telephone service does.

use std::time::Duration;

use nightshift::config::Settings;
use nightshift_db::Engine;
use nightshift_db::testing::each_engine;
use nightshift_domain::access::api_keys::Scope;
use nightshift_lab::simulator::{CallScript, StartScript};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::business;
use crate::support::nightshift::on_with;
use crate::support::{Answer, Caller, Nightshift, on};

each_engine! {
    the_answer_is_exact_immediate_and_the_request_is_booking_by_then,
    a_simulated_call_books_stores_and_texts_without_calling_anybody,
    a_request_that_waits_is_answered_with_the_outcome_of_the_call,
    with_a_test_phone_no_call_ever_reaches_a_provider,
    in_production_the_provider_is_called_and_the_result_is_stored,
    a_call_is_polled_every_five_seconds_and_given_up_after_sixty_polls,
    failed_polls_count_and_the_call_still_ends,
    an_analysis_that_never_comes_is_waited_for_and_then_done_without,
    a_call_without_an_appointment_lets_the_person_choose_again,
    a_call_without_an_appointment_leaves_its_time_and_its_words_with_the_provider,
    a_refused_call_fails_is_shown_and_may_be_tried_again,
    a_service_that_asks_to_wait_is_asked_again,
    a_start_whose_answer_was_lost_never_rings_twice,
    a_call_begun_in_one_mode_is_never_placed_in_another,
    a_failed_text_leaves_the_booking_as_it_is,
    a_double_click_is_one_call_and_another_provider_has_to_wait,
    an_invalid_request_for_a_call_is_refused_with_the_reason,
    a_report_and_a_poll_together_end_the_call_once_with_one_text,
    a_report_ends_the_wait_without_the_clock_moving,
    an_appointment_that_comes_to_light_late_is_not_lost,
    a_summary_is_not_the_data_and_both_places_of_the_data_are_read,
    a_report_without_the_data_ends_nothing_and_a_later_one_with_them_is_no_repetition,
    a_call_that_vapi_no_longer_has_fails_at_the_first_look,
    reports_can_be_proven_by_a_credential_stored_at_vapi,
    reports_are_taken_only_from_vapi,
    a_cancelled_call_is_not_placed_any_more,
    a_requests_link_opens_that_request_and_nothing_else,
    what_was_said_in_a_call_is_forgotten_after_180_days_and_what_came_of_it_is_not,
    a_preferred_date_in_the_past_is_called_for_and_said_in_warnings,
    an_appointment_in_the_past_that_a_real_call_reports_is_shown_to_people_and_texted_to_nobody,
}

const PROVIDER_PHONE: &str = "+14155550177";
const TEST_PHONE: &str = "+13105551234";

fn production(settings: &mut Settings) {
    settings.calls.live = true;
}

/// A front desk, whose number texts those who asked, and a request with two providers.
async fn request(nightshift: &Nightshift) -> Request {
    business::load(
        &nightshift.db,
        json!({"numbers": [{"id": "number-desk", "orgId": "org-paws", "e164": "+15550199003",
                            "numberClass": "front_desk", "provider": "twilio"}]}),
    )
    .await;
    another_request(nightshift).await
}

async fn another_request(nightshift: &Nightshift) -> Request {
    let body = json!({
        "title": "Teeth cleaning", "userPhone": "+14155550199", "contactName": "Anna", "location": "San Francisco",
        "providers": [
            {"name": "Bright Dental", "phone": PROVIDER_PHONE, "rating": 4.8, "rank": 1,
             "recommendation": "Close by", "earliestAvailability": "Tuesday"},
            {"name": "Other Dental", "phone": "+14155550178"},
        ],
    });
    let made = nightshift.post("/api/v1/service-requests", body).await.expect(201).json();
    assert_eq!((&made["success"], &made["data"]["status"]), (&json!(true), &json!("RECOMMENDED")));
    let id = made["data"]["id"].as_str().unwrap().to_owned();
    let shown = nightshift.get(&format!("/api/v1/service-requests/{id}")).await.expect(200).json();
    let provider = |at: usize| shown["data"]["providers"][at]["id"].as_str().unwrap().to_owned();
    Request { providers: [provider(0), provider(1)], id }
}

struct Request {
    id: String,
    providers: [String; 2],
}

impl Request {
    fn wish(&self) -> Value {
        json!({"serviceRequestId": self.id, "providerId": self.providers[0]})
    }

    async fn schedule(&self, nightshift: &Nightshift) -> Answer {
        nightshift.post("/api/v1/bookings/schedule-async", self.wish()).await
    }

    async fn show(&self, nightshift: &Nightshift) -> Value {
        nightshift.get(&format!("/api/v1/service-requests/{}", self.id)).await.expect(200).json()["data"].clone()
    }
}

async fn call_status(nightshift: &Nightshift) -> Vec<String> {
    nightshift.calls().all().await.into_iter().map(|call| call.status).collect()
}

async fn the_answer_is_exact_immediate_and_the_request_is_booking_by_then(engine: Engine) {
    on_with(engine, production, async |nightshift| {
        nightshift.simulator.vapi().script(CallScript { start: StartScript::HangBefore, ..CallScript::default() });
        let request = request(&nightshift).await;
        let started = std::time::Instant::now();
        let answer = request.schedule(&nightshift).await.expect(202);
        assert!(started.elapsed() < Duration::from_secs(5), "it waited for the call");
        assert_eq!(request.show(&nightshift).await["status"], "BOOKING");
        let body = answer.json();
        let execution = body["data"]["executionId"].as_str().unwrap().to_owned();
        assert_eq!(
            body,
            json!({"success": true, "data": {"bookingInitiated": true, "executionId": execution, "status": "accepted",
                   "message": "Booking call started. You will be notified when complete."}})
        );
        let parts: Vec<_> = execution.splitn(3, '-').collect();
        assert_eq!(parts[0], "booking");
        assert!(
            parts[1].bytes().all(|digit| digit.is_ascii_digit()) && (1..=8).contains(&parts[2].len()),
            "{execution}"
        );
        assert_eq!(answer.header("location"), Some(format!("/api/v1/bookings/executions/{execution}").as_str()));
    })
    .await;
}

async fn a_simulated_call_books_stores_and_texts_without_calling_anybody(engine: Engine) {
    on(engine, async |nightshift| {
        let request = request(&nightshift).await;
        let execution = request.schedule(&nightshift).await.expect(202).json()["data"]["executionId"].clone();
        nightshift.texts().sent().until(1).await;
        nightshift.quiet().await;
        let shown = request.show(&nightshift).await;
        assert_eq!(
            (&shown["status"], &shown["selectedProviderId"], &shown["finalOutcome"], &shown["activeCall"]),
            (
                &json!("COMPLETED"),
                &json!(request.providers[0]),
                &json!("Booked with Bright Dental on TBD at TBD"),
                &Value::Null
            )
        );
        let provider = &shown["providers"][0];
        assert_eq!((&provider["bookingConfirmed"], &provider["bookingDate"]), (&json!(true), &json!("TBD")));
        let number = provider["confirmationNumber"].as_str().unwrap();
        assert!(number.strip_prefix("SIM-").unwrap().bytes().all(|digit| digit.is_ascii_digit()), "{number}");
        let path = format!("/api/v1/bookings/executions/{}", execution.as_str().unwrap());
        let call = nightshift.get(&path).await.expect(200).json()["data"].clone();
        assert_eq!((&call["status"], &call["mode"]), (&json!("confirmed"), &json!("simulated")));
        assert_eq!(nightshift.simulator.vapi().requests().start, 0);
        let text = nightshift.simulator.twilio().ledger().messages()[0].clone();
        assert_eq!((text.to.as_str(), text.from.as_str()), ("+14155550199", "+15550199003"));
        assert_eq!(
            text.body,
            format!("Your appointment with Bright Dental is confirmed for TBD at TBD. Confirmation: {number}")
        );
    })
    .await;
}

#[tokio::test]
async fn only_the_exact_word_true_makes_calls_real() {
    for word in ["false", "", "TRUE", "True", "1", "yes", "true "] {
        let variables = [("LIVE_CALL_ENABLED".to_owned(), word.to_owned())].into();
        let sources = nightshift::config::Sources { variables, folder: None };
        assert!(!Settings::load(&sources).unwrap().calls.live, "{word:?}");
    }
    let variables = [
        ("LIVE_CALL_ENABLED".to_owned(), "true".to_owned()),
        ("ADMIN_TEST_PHONES".to_owned(), format!(" {TEST_PHONE} , ,+14155550000")),
        ("NEXT_PUBLIC_LIVE_CALL_ENABLED".to_owned(), "false".to_owned()),
    ];
    let settings = Settings::load(&nightshift::config::Sources { variables: variables.into(), folder: None }).unwrap();
    assert!(settings.calls.live, "c16: no other name is read");
    assert_eq!(settings.calls.test_phones[0].e164(), TEST_PHONE);
    assert!(settings.refusals().join("\n").contains("VAPI_API_KEY"), "real calls need an account");
}

async fn a_request_that_waits_is_answered_with_the_outcome_of_the_call(engine: Engine) {
    on(engine, async |nightshift| {
        let request = request(&nightshift).await;
        let answer = nightshift.post("/api/v1/bookings/schedule", request.wish()).await.expect(200).json();
        assert_eq!(
            answer,
            json!({"success": true, "data": {"bookingInitiated": true, "bookingStatus": "confirmed", "method": "simulated",
                   "message": "Simulated booking (LIVE_CALL_ENABLED=false)"}})
        );
    })
    .await;
}

/// PostgreSQL is made to refuse to keep the answer twice, as it refuses a transaction that met another.
#[tokio::test]
async fn the_waiting_form_calls_once_also_when_keeping_its_answer_met_another_transaction() {
    on(Engine::Postgres, async |nightshift| {
        let request = request(&nightshift).await;
        for sql in [
            "CREATE SEQUENCE refused",
            "CREATE FUNCTION refuse_twice() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
               IF nextval('refused') <= 2 THEN RAISE EXCEPTION 'met another' USING ERRCODE = '40001'; END IF;
               RETURN NEW; END $$",
            "CREATE TRIGGER refuse_twice BEFORE UPDATE ON idempotency_keys FOR EACH ROW
               WHEN (NEW.state = 'done') EXECUTE FUNCTION refuse_twice()",
        ] {
            nightshift.given(sql).await;
        }
        let (path, key) = ("/api/v1/bookings/schedule", [("idempotency-key", "call-once")]);
        let wish = Some(request.wish());
        let answer = nightshift.send_with(Method::POST, path, &Caller::Nobody, wish, &key).await.expect(200).json();
        assert_eq!(answer["data"]["bookingStatus"], "confirmed");
        assert_eq!(nightshift.count("SELECT last_value FROM refused").await, 3);
        assert_eq!(nightshift.calls().count().await, 1);
    })
    .await;
}

async fn with_a_test_phone_no_call_ever_reaches_a_provider(engine: Engine) {
    let test = |settings: &mut Settings| {
        settings.calls.live = true;
        settings.calls.test_phones = vec![nightshift_domain::phone::PhoneNumber::stored(TEST_PHONE).unwrap()];
    };
    on_with(engine, test, async |nightshift| {
        let request = request(&nightshift).await;
        request.schedule(&nightshift).await.expect(202);
        nightshift.service_requests().completed().until(1).await;
        nightshift.texts().sent().until(1).await;
        let called: Vec<_> = nightshift.simulator.vapi().calls().iter().map(|call| call.number.clone()).collect();
        assert_eq!(called, [TEST_PHONE]);
        let call = nightshift.calls().one().await;
        assert_eq!(
            (call.mode.as_str(), call.original_phone.as_str(), call.phone_to_call.as_str()),
            ("test", PROVIDER_PHONE, TEST_PHONE)
        );
        let effect = nightshift.effects("booking_call").one().await;
        assert_eq!((effect.mode.as_str(), effect.state.as_str()), ("test", "confirmed"));
        let stamp = async |kind| nightshift.jobs(kind).one().await.mode;
        assert_eq!(stamp("booking_call.start").await.as_deref(), Some("test"));
        assert_eq!(stamp("booking_call.poll").await.as_deref(), Some("test"));
        assert_eq!(stamp("automation.run").await, None, "the text to the person is no part of the test call");
    })
    .await;
}

async fn in_production_the_provider_is_called_and_the_result_is_stored(engine: Engine) {
    on_with(engine, production, async |nightshift| {
        let request = request(&nightshift).await;
        request.schedule(&nightshift).await.expect(202);
        nightshift.service_requests().completed().until(1).await;
        nightshift.texts().sent().until(1).await;
        let call = nightshift.simulator.vapi().calls()[0].clone();
        assert_eq!(call.number, PROVIDER_PHONE);
        let told = &call.overrides["variableValues"];
        assert_eq!((&told["serviceDescription"], &told["customerName"]), (&json!("Teeth cleaning"), &json!("Anna")));
        let booked = nightshift.service_providers().booked().one().await;
        assert_eq!(
            (booked.booking_date.as_deref(), booked.booking_time.as_deref(), booked.confirmation_number.as_deref()),
            (Some(call.date.as_str()), Some("10:00"), Some("BD441"))
        );
        assert!(booked.last_call_at.is_some());
        assert!(call.date > call.created_at.date_naive().to_string(), "an appointment is to come");
        assert!(booked.call_transcript.unwrap().contains("appointment"));
        let shown = request.show(&nightshift).await;
        assert_eq!(shown["finalOutcome"], format!("Booked with Bright Dental on {} at 10:00", call.date));
        let texts = nightshift.simulator.twilio().ledger().messages().to_vec();
        assert_eq!(
            texts[0].body,
            format!("Your appointment with Bright Dental is confirmed for {} at 10:00. Confirmation: BD441", call.date)
        );
        assert_eq!(nightshift.events("booking_call.completed").one().await.metadata["mode"], "production");
    })
    .await;
}

async fn a_call_is_polled_every_five_seconds_and_given_up_after_sixty_polls(engine: Engine) {
    on_with(engine, production, async |nightshift| {
        nightshift.simulator.vapi().script(CallScript { ends_at_poll: None, ..CallScript::default() });
        let request = request(&nightshift).await;
        request.schedule(&nightshift).await.expect(202);
        nightshift.calls().in_status("timeout").skip_waits_until(1).await;
        assert_eq!(nightshift.simulator.vapi().requests().get, 60);
        let call = nightshift.calls().one().await;
        let (started, ended) = (call.started_at.unwrap(), call.ended_at.unwrap());
        assert_eq!((ended.since(started), call.poll_count), (Duration::from_secs(300), 60));
        assert_eq!(request.show(&nightshift).await["status"], "RECOMMENDED");
        assert_eq!(nightshift.open_exceptions("booking_call_failed").one().await.severity, "medium");
        assert_eq!(nightshift.simulator.twilio().ledger().messages().len(), 0);
    })
    .await;
}

async fn failed_polls_count_and_the_call_still_ends(engine: Engine) {
    on_with(engine, production, async |nightshift| {
        let script = CallScript { ends_at_poll: Some(5), failing_polls: 3, analysis_after: 2, ..CallScript::default() };
        nightshift.simulator.vapi().script(script);
        let request = request(&nightshift).await;
        request.schedule(&nightshift).await.expect(202);
        nightshift.service_requests().completed().skip_waits_until(1).await;
        assert_eq!(nightshift.calls().one().await.poll_count, 7);
    })
    .await;
}

async fn an_analysis_that_never_comes_is_waited_for_and_then_done_without(engine: Engine) {
    on_with(engine, production, async |nightshift| {
        nightshift.simulator.vapi().script(CallScript { analysis_after: 1_000, ..CallScript::default() });
        let request = request(&nightshift).await;
        request.schedule(&nightshift).await.expect(202);
        nightshift.service_requests().recommended().skip_waits_until(1).await;
        assert_eq!(call_status(&nightshift).await, ["not_confirmed"]);
        assert_eq!(nightshift.calls().one().await.poll_count, 8);
    })
    .await;
}

async fn a_call_without_an_appointment_lets_the_person_choose_again(engine: Engine) {
    on_with(engine, production, async |nightshift| {
        nightshift.simulator.vapi().script(CallScript { confirmed: false, times: 1, ..CallScript::default() });
        let request = request(&nightshift).await;
        request.schedule(&nightshift).await.expect(202);
        nightshift.service_requests().recommended().until(1).await;
        assert_eq!(call_status(&nightshift).await, ["not_confirmed"]);
        request.schedule(&nightshift).await.expect(202);
        nightshift.service_requests().completed().until(1).await;
        assert_eq!(nightshift.simulator.vapi().placed(), 2);
    })
    .await;
}

async fn a_call_without_an_appointment_leaves_its_time_and_its_words_with_the_provider(engine: Engine) {
    on_with(engine, production, async |nightshift| {
        nightshift.simulator.vapi().script(CallScript { confirmed: false, ..CallScript::default() });
        let request = request(&nightshift).await;
        request.schedule(&nightshift).await.expect(202);
        nightshift.service_requests().recommended().until(1).await;
        let call = nightshift.calls().in_status("not_confirmed").one().await;
        assert!(call.ended_at.is_some());
        assert!(call.transcript.as_deref().unwrap().contains("appointment"), "{call:?}");
        let called = nightshift.service_providers().called().one().await;
        assert_eq!(
            (&called.id, called.last_call_at, called.call_transcript, called.booking_confirmed),
            (&request.providers[0], call.ended_at, call.transcript, false)
        );
    })
    .await;
}

async fn a_refused_call_fails_is_shown_and_may_be_tried_again(engine: Engine) {
    on_with(engine, production, async |nightshift| {
        nightshift.simulator.vapi().script(CallScript {
            start: StartScript::Refused,
            times: 1,
            ..CallScript::default()
        });
        let request = request(&nightshift).await;
        request.schedule(&nightshift).await.expect(202);
        nightshift.service_requests().recommended().until(1).await;
        assert_eq!(call_status(&nightshift).await, ["failed"]);
        assert_eq!(nightshift.open_exceptions("booking_call_failed").count().await, 1);
        assert_eq!(
            nightshift.calls().one().await.failure_reason.as_deref(),
            Some("VAPI refused the call (HTTP 400): property secret should not exist")
        );
        let second = request.schedule(&nightshift).await.expect(202).json();
        nightshift.service_requests().completed().until(1).await;
        assert_eq!(call_status(&nightshift).await, ["failed", "confirmed"]);
        assert!(second["data"]["executionId"].is_string());
    })
    .await;
}

async fn a_service_that_asks_to_wait_is_asked_again(engine: Engine) {
    on_with(engine, production, async |nightshift| {
        nightshift.simulator.vapi().script(CallScript {
            start: StartScript::RateLimited,
            times: 2,
            ..CallScript::default()
        });
        let request = request(&nightshift).await;
        request.schedule(&nightshift).await.expect(202);
        nightshift.service_requests().completed().until(1).await;
        assert_eq!(nightshift.simulator.vapi().placed(), 1);
    })
    .await;
}

async fn a_start_whose_answer_was_lost_never_rings_twice(engine: Engine) {
    for start in [StartScript::ErrorAfter, StartScript::CloseAfter, StartScript::ErrorBefore] {
        on_with(engine, production, async |nightshift| {
            nightshift.simulator.vapi().script(CallScript { start, times: 1, ..CallScript::default() });
            let request = request(&nightshift).await;
            request.schedule(&nightshift).await.expect(202);
            nightshift.service_requests().completed().until(1).await;
            assert_eq!(nightshift.simulator.vapi().placed(), 1, "{start:?}");
            assert!(nightshift.simulator.vapi().requests().list >= 1, "{start:?} was not looked up");
        })
        .await;
    }
}

async fn a_call_begun_in_one_mode_is_never_placed_in_another(engine: Engine) {
    on_with(engine, production, async |nightshift| {
        let request = request(&nightshift).await;
        nightshift.pause("calls").await;
        request.schedule(&nightshift).await.expect(202);
        // As a program whose calls are made up, or go to a test phone, would have begun it.
        nightshift.given("UPDATE booking_calls SET status = 'starting', mode = 'test'").await;
        nightshift.resume("calls").await;
        nightshift.service_requests().recommended().until(1).await;
        assert_eq!(nightshift.simulator.vapi().placed(), 0);
        assert_eq!(call_status(&nightshift).await, ["failed"]);
    })
    .await;
}

async fn a_failed_text_leaves_the_booking_as_it_is(engine: Engine) {
    on(engine, async |nightshift| {
        // A person has left a word in the template that no text can be made of.
        let template = "UPDATE automations SET template = 'Hi {nobody}' WHERE type = 'providerBookingConfirmed'";
        let request = request(&nightshift).await;
        nightshift.given(template).await;
        request.schedule(&nightshift).await.expect(202);
        nightshift.all_automation_runs().failed().until(1).await;
        assert_eq!(nightshift.open_exceptions("automation_failed").count().await, 1);
        nightshift.quiet().await;
        assert_eq!(request.show(&nightshift).await["status"], "COMPLETED");
    })
    .await;
}

async fn a_double_click_is_one_call_and_another_provider_has_to_wait(engine: Engine) {
    on_with(engine, production, async |nightshift| {
        nightshift.simulator.vapi().script(CallScript { ends_at_poll: None, ..CallScript::default() });
        let request = request(&nightshift).await;
        let clicks = (0..6).map(|_| request.schedule(&nightshift));
        let answers = futures_util::future::join_all(clicks).await;
        let first = answers[0].clone().expect(202).json();
        for answer in answers {
            assert_eq!(answer.expect(202).json(), first);
        }
        let other = json!({"serviceRequestId": request.id, "providerId": request.providers[1]});
        let refused = nightshift.post("/api/v1/bookings/schedule-async", other).await.expect(409);
        assert_eq!(refused.code(), "booking_in_progress");
        nightshift.simulator.vapi().wait_for_calls(1, Duration::from_secs(10)).await;
        nightshift.quiet().await;
        assert_eq!(nightshift.simulator.vapi().placed(), 1);
    })
    .await;
}

async fn an_invalid_request_for_a_call_is_refused_with_the_reason(engine: Engine) {
    on(engine, async |nightshift| {
        let request = request(&nightshift).await;
        let path = "/api/v1/bookings/schedule-async";
        let missing = nightshift.post(path, json!({})).await.expect(422).json();
        assert!(missing["fields"]["serviceRequestId"].is_string() && missing["fields"]["providerId"].is_string());
        let mut foreign = request.wish();
        foreign["providerPhone"] = json!("+19005550000");
        let foreign = nightshift.post(path, foreign).await.expect(422).json();
        assert!(foreign["fields"]["providerPhone"].is_string(), "{foreign}");
        let mut same = request.wish();
        same["providerPhone"] = json!("+1 (415) 555-0177");
        for (field, id) in [("serviceRequestId", "none"), ("providerId", "none")] {
            let mut unknown = request.wish();
            unknown[field] = json!(id);
            nightshift.post(path, unknown).await.expect(404);
        }
        let pending = nightshift
            .post("/api/v1/service-requests", json!({"title": "Haircut", "userPhone": "+14155550199"}))
            .await
            .expect(201)
            .json();
        assert_eq!(pending["data"]["status"], "PENDING");
        let id = pending["data"]["id"].as_str().unwrap();
        let providers = format!("/api/v1/service-requests/{id}/providers");
        nightshift.post(&providers, json!({"name": "Cut", "phone": "+14155550180"})).await.expect(201);
        nightshift.post(&providers, json!({"name": "", "phone": "x"})).await.expect(422);
        nightshift.post(path, same).await.expect(202);
        nightshift.service_requests().completed().until(1).await;
        let over = nightshift.post(path, request.wish()).await.expect(409);
        assert_eq!(over.code(), "invalid_transition");
        nightshift.post(&format!("/api/v1/service-requests/{id}/cancel"), json!({})).await.expect(200);
        nightshift.post(&format!("/api/v1/service-requests/{}/cancel", request.id), json!({})).await.expect(409);
    })
    .await;
}

async fn a_report_and_a_poll_together_end_the_call_once_with_one_text(engine: Engine) {
    for (doubled, swapped) in [(false, false), (true, false), (true, true)] {
        on_with(engine, production, async |nightshift| {
            nightshift.simulator.vapi().script(CallScript {
                ends_at_poll: Some(1),
                report_after_ms: Some(20),
                reports_doubled: doubled,
                reports_swapped: swapped,
                ..CallScript::default()
            });
            let request = request(&nightshift).await;
            request.schedule(&nightshift).await.expect(202);
            nightshift.texts().sent().until(1).await;
            nightshift.webhooks("vapi").processed().until(2).await;
            nightshift.quiet().await;
            nightshift.pass(Duration::from_secs(30)).await;
            assert_eq!(call_status(&nightshift).await, ["confirmed"]);
            assert_eq!(nightshift.simulator.twilio().ledger().messages().len(), 1);
            assert_eq!(nightshift.events("booking_call.completed").count().await, 1);
        })
        .await;
    }
}

async fn a_report_ends_the_wait_without_the_clock_moving(engine: Engine) {
    on_with(engine, production, async |nightshift| {
        let script = CallScript { ends_at_poll: None, report_after_ms: Some(50), ..CallScript::default() };
        nightshift.simulator.vapi().script(script);
        let request = request(&nightshift).await;
        request.schedule(&nightshift).await.expect(202);
        nightshift.service_requests().completed().until_with_the_clock_standing(1).await;
        assert_eq!(request.show(&nightshift).await["status"], "COMPLETED");
    })
    .await;
}

async fn an_appointment_that_comes_to_light_late_is_not_lost(engine: Engine) {
    on_with(engine, production, async |nightshift| {
        nightshift.simulator.vapi().script(CallScript { ends_at_poll: None, ..CallScript::default() });
        let request = request(&nightshift).await;
        request.schedule(&nightshift).await.expect(202);
        nightshift.calls().in_status("timeout").skip_waits_until(1).await;
        report(&nightshift, &nightshift.simulator.vapi().calls()[0].id).await;
        nightshift.service_requests().completed().until(1).await;
        nightshift.texts().sent().until(1).await;
        assert_eq!(nightshift.all_exceptions().open().count().await, 0);

        // With a newer call under way it can't be taken: somebody must see it.
        let request = another_request(&nightshift).await;
        request.schedule(&nightshift).await.expect(202);
        nightshift.calls().in_status("timeout").skip_waits_until(1).await;
        let late = nightshift.simulator.vapi().calls()[1].id.clone();
        request.schedule(&nightshift).await.expect(202);
        report(&nightshift, &late).await;
        nightshift.exceptions("late_booking_confirmation").of_high_severity().until(1).await;
        assert_eq!(request.show(&nightshift).await["status"], "BOOKING");
    })
    .await;
}

async fn a_summary_is_not_the_data_and_both_places_of_the_data_are_read(engine: Engine) {
    for (summary_first, structured_outputs) in [(true, false), (false, true), (true, true)] {
        on_with(engine, production, async |nightshift| {
            let script = CallScript { summary_first, structured_outputs, analysis_after: 6, ..CallScript::default() };
            nightshift.simulator.vapi().script(script);
            let request = request(&nightshift).await;
            request.schedule(&nightshift).await.expect(202);
            nightshift.service_requests().completed().skip_waits_until(1).await;
            assert_eq!(nightshift.calls().one().await.poll_count, 8);
        })
        .await;
    }
}

async fn a_report_without_the_data_ends_nothing_and_a_later_one_with_them_is_no_repetition(engine: Engine) {
    on_with(engine, production, async |nightshift| {
        nightshift.simulator.vapi().script(CallScript { ends_at_poll: None, ..CallScript::default() });
        let request = request(&nightshift).await;
        request.schedule(&nightshift).await.expect(202);
        nightshift.calls().in_status("in_progress").until(1).await;
        let call = nightshift.simulator.vapi().calls()[0].id.clone();
        let early = json!({"message": {"type": "end-of-call-report", "call": {"id": call},
                           "endedReason": "customer-ended-call", "analysis": {"summary": "They agreed."}}});
        tell(&nightshift, &early).await;
        tell(&nightshift, &early).await;
        nightshift.all_webhooks().processed().delivered_times(2).until(1).await;
        assert_eq!(call_status(&nightshift).await, ["in_progress"]);
        report(&nightshift, &call).await;
        nightshift.service_requests().completed().until(1).await;
        assert_eq!(nightshift.all_webhooks().count().await, 2);
    })
    .await;
}

async fn a_call_that_vapi_no_longer_has_fails_at_the_first_look(engine: Engine) {
    for status in ["not-found", "deletion-failed"] {
        on_with(engine, production, async |nightshift| {
            let script = CallScript { status: Some(status.to_owned()), ends_at_poll: None, ..CallScript::default() };
            nightshift.simulator.vapi().script(script);
            let request = request(&nightshift).await;
            request.schedule(&nightshift).await.expect(202);
            nightshift.service_requests().recommended().skip_waits_until(1).await;
            let call = nightshift.calls().one().await;
            let reason = format!("VAPI lists the call as {status}");
            assert_eq!((call.status.as_str(), call.failure_reason, call.poll_count), ("failed", Some(reason), 1));
        })
        .await;
    }
}

async fn reports_can_be_proven_by_a_credential_stored_at_vapi(engine: Engine) {
    let stored = |settings: &mut Settings| {
        production(settings);
        settings.vapi.credential_id = Some(nightshift_lab::simulator::VapiAccount::default().credential_id);
        settings.webhooks.vapi_secrets = vec!["simulated".into()];
    };
    on_with(engine, stored, async |nightshift| {
        let script = CallScript { ends_at_poll: None, report_after_ms: Some(20), ..CallScript::default() };
        nightshift.simulator.vapi().script(script);
        let request = request(&nightshift).await;
        request.schedule(&nightshift).await.expect(202);
        nightshift.service_requests().completed().until_with_the_clock_standing(1).await;
        assert_eq!(nightshift.all_webhooks().verified().count().await, 2);
    })
    .await;
}

/// VAPI tells that a call ended with an appointment.
async fn report(nightshift: &Nightshift, call: &str) {
    let body = json!({"message": {"type": "end-of-call-report", "call": {"id": call}, "analysis": {"structuredData":
        {"booking_confirmed": true, "confirmed_date": "Tuesday", "confirmed_time": "noon"}}}});
    tell(nightshift, &body).await;
}

async fn tell(nightshift: &Nightshift, body: &Value) {
    let url = format!("{}/api/webhooks/vapi", nightshift.app.url());
    Answer::to(nightshift.http.post(url).header("x-vapi-secret", "vapi-test-secret").json(body)).await.expect(200);
}

async fn reports_are_taken_only_from_vapi(engine: Engine) {
    on_with(engine, production, async |nightshift| {
        let body = json!({"message": {"type": "status-update", "status": "ended", "call": {"id": "c1"}}});
        let send = async |header: Option<(&'static str, &'static str)>| {
            let request = nightshift.http.post(format!("{}/api/webhooks/vapi", nightshift.app.url())).json(&body);
            let request = match header {
                Some((name, value)) => request.header(name, value),
                None => request,
            };
            Answer::to(request).await.status
        };
        assert_eq!(send(None).await, 401);
        assert_eq!(send(Some(("x-vapi-secret", "guessed"))).await, 401);
        assert_eq!(send(Some(("x-signature", "00"))).await, 401);
        assert_eq!(nightshift.all_webhooks().count().await, 0);
        assert_eq!(send(Some(("authorization", "Bearer vapi-test-secret"))).await, 200);
        assert_eq!(send(Some(("x-vapi-secret", "vapi-test-secret"))).await, 200);
        assert_eq!(nightshift.all_webhooks().one().await.deliveries, 2);
    })
    .await;
}

async fn a_cancelled_call_is_not_placed_any_more(engine: Engine) {
    on_with(engine, production, async |nightshift| {
        nightshift.simulator.vapi().script(CallScript { ends_at_poll: None, ..CallScript::default() });
        let request = request(&nightshift).await;
        let answer = request.schedule(&nightshift).await.expect(202).json();
        let path = format!("/api/v1/bookings/executions/{}/cancel", answer["data"]["executionId"].as_str().unwrap());
        nightshift.post(&path, json!({})).await.expect(202);
        assert_eq!(request.show(&nightshift).await["status"], "RECOMMENDED");
        assert_eq!(call_status(&nightshift).await, ["cancelled"]);
        nightshift.post(&path, json!({})).await.expect(202);
        nightshift.pass(Duration::from_secs(20)).await;
        assert_eq!(call_status(&nightshift).await, ["cancelled"]);
        let looks = nightshift.simulator.vapi().requests().get;
        nightshift.pass(Duration::from_secs(60)).await;
        assert!(nightshift.simulator.vapi().requests().get <= looks + 1, "it is still looked at");
    })
    .await;
}

async fn a_requests_link_opens_that_request_and_nothing_else(engine: Engine) {
    on_with(
        engine,
        |settings| settings.auth.enabled = true,
        async |nightshift| {
            let key = nightshift.key(&[Scope::RequestsWrite]).await;
            let make = async |name: &str| {
                let body = json!({"title": name, "userPhone": "+14155550199",
                                  "providers": [{"name": "Bright Dental", "phone": PROVIDER_PHONE}]});
                let made =
                    nightshift.send(Method::POST, "/api/v1/service-requests", &key, Some(body)).await.expect(201);
                let data = made.json()["data"].clone();
                let url = data["requestUrl"].as_str().unwrap().to_owned();
                (data["id"].as_str().unwrap().to_owned(), url.split("?t=").nth(1).unwrap().to_owned())
            };
            let ((one, token), (two, _)) = (make("one").await, make("two").await);
            let with_token = async |method: Method, path: String, body: Option<Value>| {
                let headers = [("x-request-token", token.as_str())];
                nightshift.send_with(method, &path, &Caller::Nobody, body, &headers).await
            };
            let shown = with_token(Method::GET, format!("/api/v1/service-requests/{one}"), None).await.expect(200);
            assert!(!shown.text.contains("5550177") && !shown.text.contains("5550199"), "{}", shown.text);
            let provider = shown.json()["data"]["providers"][0]["id"].as_str().unwrap().to_owned();
            with_token(Method::GET, format!("/api/v1/service-requests/{two}"), None).await.expect(404);
            with_token(Method::GET, "/api/v1/service-requests".to_owned(), None).await.expect(401);
            with_token(Method::GET, "/api/bookings".to_owned(), None).await.expect(401);
            let wish = |id: &str| Some(json!({"serviceRequestId": id, "providerId": provider}));
            let path = || "/api/v1/bookings/schedule-async".to_owned();
            with_token(Method::POST, path(), wish(&two)).await.expect(404);
            let booked = with_token(Method::POST, path(), wish(&one)).await.expect(202).json();
            let execution = booked["data"]["executionId"].as_str().unwrap().to_owned();
            with_token(Method::GET, format!("/api/v1/bookings/executions/{execution}"), None).await.expect(200);
            let nobody = nightshift.get(&format!("/api/v1/service-requests/{one}")).await;
            assert_eq!(nobody.status, 401);
            // Another organisation's owner sees neither.
            let stranger = nightshift.sign_in(business::STRANGER).await;
            for path in [format!("/api/v1/service-requests/{one}"), format!("/api/v1/bookings/executions/{execution}")]
            {
                nightshift.send(Method::GET, &path, &stranger, None).await.expect(404);
            }
        },
    )
    .await;
}

async fn what_was_said_in_a_call_is_forgotten_after_180_days_and_what_came_of_it_is_not(engine: Engine) {
    on_with(engine, production, async |nightshift| {
        let transcripts = async || {
            let (calls, providers) =
                (nightshift.calls().with_a_transcript(), nightshift.service_providers().with_a_transcript());
            (calls.count().await, providers.count().await)
        };
        nightshift.simulator.vapi().script(CallScript { ends_at_poll: Some(1), ..CallScript::default() });
        let request = request(&nightshift).await;
        request.schedule(&nightshift).await.expect(202);
        nightshift.service_requests().completed().until(1).await;
        nightshift.quiet().await;
        assert_eq!(transcripts().await, (1, 1));
        let ended = nightshift.clock.now();
        for (days, left) in [(179, (1, 1)), (182, (0, 0))] {
            nightshift.clock.set(ended + Duration::from_secs(days * 24 * 3600));
            nightshift.swept().await;
            assert_eq!(transcripts().await, left, "after {days} days");
        }
        assert_eq!(nightshift.calls().with_a_result().count().await, 1);
    })
    .await;
}

async fn a_preferred_date_in_the_past_is_called_for_and_said_in_warnings(engine: Engine) {
    on(engine, async |nightshift| {
        let request = request(&nightshift).await;
        let mut wish = request.wish();
        wish["preferredDate"] = json!("2024-12-28");
        // The second answer is that of a repetition, so the call must not be over by then.
        nightshift.pause("calls").await;
        for _ in 0..2 {
            let body = nightshift.post("/api/v1/bookings/schedule-async", wish.clone()).await.expect(202).json();
            assert_eq!(body["data"]["status"], "accepted");
            assert_eq!(
                body["warnings"],
                json!([{"field": "preferredDate", "code": "preferred_date_in_past",
                        "message": "preferredDate is in the past"}])
            );
        }
        nightshift.resume("calls").await;
        // Made up as it is, it goes on as any other: the text tells what was asked for.
        nightshift.texts().sent().until(1).await;
        let texts = nightshift.simulator.twilio().ledger().messages().to_vec();
        assert!(texts[0].body.contains("confirmed for 2024-12-28 at TBD"), "{}", texts[0].body);
        assert_eq!(nightshift.all_exceptions().count().await, 0);
    })
    .await;
}

async fn an_appointment_in_the_past_that_a_real_call_reports_is_shown_to_people_and_texted_to_nobody(engine: Engine) {
    for test_line in [false, true] {
        let mode = move |settings: &mut Settings| {
            settings.calls.live = true;
            let own = nightshift_domain::phone::PhoneNumber::stored(TEST_PHONE).unwrap();
            settings.calls.test_phones.extend(test_line.then_some(own));
        };
        on_with(engine, mode, async |nightshift| {
            let data = json!({"booking_confirmed": true, "confirmed_date": "2024-11-24", "confirmed_time": "10:00",
                              "confirmation_number": "BD441"});
            nightshift.simulator.vapi().script(CallScript { data: Some(data), ..CallScript::default() });
            let request = request(&nightshift).await;
            request.schedule(&nightshift).await.expect(202);
            nightshift.service_requests().completed().until(1).await;
            nightshift.quiet().await;
            assert_eq!(nightshift.open_exceptions("appointment_in_past").of_high_severity().count().await, 1);
            assert_eq!(nightshift.all_automation_runs().count().await, 0);
            assert_eq!(nightshift.texts().count().await, 0);
            let shown = request.show(&nightshift).await;
            assert_eq!(shown["finalOutcome"], "Booked with Bright Dental on 2024-11-24 at 10:00");
        })
        .await;
    }
}
