//! What the queue promises, seen from outside: each case with the real job kinds, through HTTP and the simulator.

use std::time::Duration;

use nightshift_db::Engine;
use nightshift_db::testing::each_engine;
use nightshift_jobs::retention::sweep::RetentionSweep;
use nightshift_lab::simulator::{Fault, FaultRule, Match};
use nightshift_queue::NewJob;
use serde_json::json;

use crate::support::business::{booking_of, paid};
use crate::support::{Nightshift, on};

each_engine! {
    the_same_work_twice_is_one_job_until_it_has_ended,
    a_once_key_holds_after_the_job_has_ended,
    a_failing_text_is_retried_with_backoff_and_then_put_before_people,
    what_can_never_succeed_is_given_up_at_the_first_attempt,
    a_provider_that_asks_to_wait_is_given_its_time,
    a_text_whose_answer_was_lost_is_looked_up_and_not_sent_again,
    a_paused_queue_takes_jobs_and_runs_none,
    texts_of_one_thread_leave_in_the_order_they_were_written,
    a_job_of_another_organisation_is_not_found,
}

const CLIENT: &str = "+15551234567";

fn fault(fault: Fault, times: u32) -> FaultRule {
    FaultRule { matching: Match::default(), fault, times, retry_after: None, delay_ms: None, code: None }
}

async fn confirm(nightshift: &Nightshift, booking: &str) {
    nightshift.post(&format!("/api/bookings/{booking}/confirm"), json!({})).await.expect(200);
}

async fn the_same_work_twice_is_one_job_until_it_has_ended(engine: Engine) {
    on(engine, async |nightshift| {
        nightshift.pause("bookings").await;
        let id = nightshift.book().await;
        let confirm = async || {
            let answer = nightshift.post(&format!("/api/bookings/{id}/confirm"), json!({})).await.expect(200).json();
            answer["jobId"].as_str().unwrap().to_owned()
        };
        let first = confirm().await;
        assert_eq!(confirm().await, first, "two wishes, one waiting job");
        assert_eq!(nightshift.jobs("booking.confirm").count().await, 1);
        nightshift.resume("bookings").await;
        nightshift.jobs("booking.confirm").succeeded().until(1).await;
    })
    .await;
}

async fn a_once_key_holds_after_the_job_has_ended(engine: Engine) {
    on(engine, async |nightshift| {
        let id = nightshift.book().await;
        for event in ["evt_1", "evt_1", "evt_1"] {
            nightshift.stripe(&paid(event, &id)).await.expect(200);
            nightshift.jobs("webhook.stripe.process").succeeded().until(1).await;
        }
        assert_eq!(nightshift.jobs("webhook.stripe.process").count().await, 1);
    })
    .await;
}

async fn a_failing_text_is_retried_with_backoff_and_then_put_before_people(engine: Engine) {
    on(engine, async |nightshift| {
        nightshift.simulator.twilio().inject(fault(Fault::RateLimit, 0));
        let id = nightshift.book().await;
        confirm(&nightshift, &id).await;
        nightshift.jobs("sms.send").dead().skip_waits_until(1).await;
        let job = nightshift.jobs("sms.send").one().await;
        assert_eq!(job.attempts, 6);
        assert!(!job.last_error.unwrap().contains(CLIENT));
        let attempts = nightshift.failed_attempts().of_kind("sms.send").all().await;
        let waits: Vec<Duration> = attempts.windows(2).map(|pair| pair[1].ended_at.since(pair[0].ended_at)).collect();
        assert!(waits.len() == 5 && waits[4] > waits[0] * 4, "{waits:?}");
        assert_eq!(nightshift.open_exceptions("job_dead").count().await, 1);
        assert_eq!(nightshift.simulator.twilio().ledger().messages().len(), 0);
    })
    .await;
}

async fn what_can_never_succeed_is_given_up_at_the_first_attempt(engine: Engine) {
    on(engine, async |nightshift| {
        nightshift.simulator.twilio().inject(FaultRule { code: Some(21211), ..fault(Fault::Refuse, 0) });
        let id = nightshift.book().await;
        confirm(&nightshift, &id).await;
        nightshift.texts().failed().until(1).await;
        nightshift.quiet().await;
        assert_eq!(nightshift.simulator.twilio().ledger().requests().send, 1);
        assert_eq!(nightshift.automation_runs("bookingConfirmation").one().await.status, "failed");
    })
    .await;
}

async fn a_provider_that_asks_to_wait_is_given_its_time(engine: Engine) {
    on(engine, async |nightshift| {
        nightshift.simulator.twilio().inject(FaultRule { retry_after: Some(120), ..fault(Fault::RateLimit, 1) });
        let id = nightshift.book().await;
        confirm(&nightshift, &id).await;
        nightshift.quiet().await;
        nightshift.jobs("sms.send").tried().until(1).await;
        let job = nightshift.jobs("sms.send").one().await;
        assert_eq!(job.state, "retrying");
        let wait = job.run_at.since(nightshift.clock.now());
        assert!(wait > Duration::from_secs(100) && wait <= Duration::from_secs(150), "{wait:?}");
        nightshift.texts().delivered().until(1).await;
        assert_eq!(nightshift.simulator.twilio().ledger().messages().len(), 1);
    })
    .await;
}

async fn a_text_whose_answer_was_lost_is_looked_up_and_not_sent_again(engine: Engine) {
    on(engine, async |nightshift| {
        for lost in [Fault::CloseAfterStoring, Fault::ErrorAfterStoring] {
            nightshift.simulator.twilio().inject(fault(lost, 1));
        }
        let ids = [nightshift.book().await, nightshift.book_as(booking_of(1)).await];
        for id in &ids {
            confirm(&nightshift, id).await;
        }
        nightshift.texts().sent().until(2).await;
        nightshift.quiet().await;
        let ledger = nightshift.simulator.twilio().ledger();
        assert_eq!((ledger.messages().len(), ledger.requests().send), (2, 2));
        assert!(ledger.requests().list >= 2);
    })
    .await;
}

async fn a_paused_queue_takes_jobs_and_runs_none(engine: Engine) {
    on(engine, async |nightshift| {
        nightshift.pause("sms").await;
        let id = nightshift.book().await;
        confirm(&nightshift, &id).await;
        nightshift.all_jobs().in_queue("sms").queued().due().until(1).await;
        nightshift.clock.advance(Duration::from_secs(600));
        // Other work goes on, so the worker looks for more.
        let other = nightshift.book().await;
        confirm(&nightshift, &other).await;
        nightshift.all_jobs().in_queue("sms").queued().due().until(2).await;
        assert_eq!(nightshift.simulator.twilio().ledger().requests().send, 0);
        nightshift.resume("sms").await;
        nightshift.texts().delivered().until(2).await;
    })
    .await;
}

async fn texts_of_one_thread_leave_in_the_order_they_were_written(engine: Engine) {
    on(engine, async |nightshift| {
        let id = nightshift.book().await;
        confirm(&nightshift, &id).await;
        nightshift.texts().delivered().until(1).await;
        let thread = nightshift.threads().one().await.id;
        let path = format!("/api/messages/threads/{thread}/messages");
        let bodies: Vec<String> = (1..=8).map(|number| format!("number {number}")).collect();
        for body in &bodies {
            nightshift.post(&path, json!({"body": body})).await.expect(200);
        }
        nightshift.texts().delivered().until(9).await;
        let sent: Vec<String> =
            nightshift.simulator.twilio().ledger().messages()[1..].iter().map(|text| text.body.clone()).collect();
        assert_eq!(sent, bodies);
    })
    .await;
}

async fn a_job_of_another_organisation_is_not_found(engine: Engine) {
    on(engine, async |nightshift| {
        nightshift.get("/api/jobs/none").await.expect(404);
        let sweep = RetentionSweep::of_day(nightshift.clock.now());
        let theirs = NewJob::of(&sweep).unwrap().org("org-other");
        let theirs = nightshift.app.queue.submit(theirs).await.unwrap().id().to_owned();
        nightshift.get(&format!("/api/jobs/{theirs}")).await.expect(404);
    })
    .await;
}
