//! What the queue promises, seen from outside: each case with the real job kinds, through HTTP and the simulator.

use std::time::Duration;

use nightshift_db::Timestamp;
use nightshift_jobs::retention::sweep::RetentionSweep;
use nightshift_lab::simulator::{Fault, FaultRule, Match};
use nightshift_queue::NewJob;
use serde_json::json;

use crate::support::business::{booking_of, paid};
use crate::support::{Nightshift, on_both};

const CLIENT: &str = "+15551234567";

fn fault(fault: Fault, times: u32) -> FaultRule {
    FaultRule { matching: Match::default(), fault, times, retry_after: None, delay_ms: None, code: None }
}

async fn confirm(nightshift: &Nightshift, booking: &str) {
    nightshift.post(&format!("/api/bookings/{booking}/confirm"), json!({})).await.expect(200);
}

async fn send_job(nightshift: &Nightshift) -> (String, i64, Timestamp, Option<String>) {
    let jobs: Vec<(String, i64, Timestamp, Option<String>)> =
        nightshift.rows("SELECT state, attempts, run_at, last_error FROM jobs WHERE kind = 'sms.send'").await;
    jobs.into_iter().next().expect("a job that sends")
}

const TRIED: &str = "SELECT count(*) FROM jobs WHERE kind = 'sms.send' AND attempts > 0 AND state <> 'running'";

#[tokio::test]
async fn f2_the_same_work_twice_is_one_job_until_it_has_ended() {
    on_both(async |nightshift| {
        let mut tx = nightshift.db.begin().await.unwrap();
        nightshift.app.queue.pause(&mut tx, "bookings", "test", "so that jobs wait").await.unwrap();
        tx.commit().await.unwrap();
        let id = nightshift.book().await;
        let confirm = async || {
            let answer = nightshift.post(&format!("/api/bookings/{id}/confirm"), json!({})).await.expect(200).json();
            answer["jobId"].as_str().unwrap().to_owned()
        };
        let first = confirm().await;
        assert_eq!(confirm().await, first, "two wishes, one waiting job");
        assert_eq!(nightshift.count("SELECT count(*) FROM jobs WHERE kind = 'booking.confirm'").await, 1);
        let mut tx = nightshift.db.begin().await.unwrap();
        nightshift.app.queue.resume(&mut tx, "bookings").await.unwrap();
        tx.commit().await.unwrap();
        nightshift.until("SELECT count(*) FROM jobs WHERE kind = 'booking.confirm' AND state = 'succeeded'", 1).await;
    })
    .await;
}

#[tokio::test]
async fn f2_a_once_key_holds_after_the_job_has_ended() {
    on_both(async |nightshift| {
        let id = nightshift.book().await;
        for event in ["evt_1", "evt_1", "evt_1"] {
            nightshift.stripe(&paid(event, &id)).await.expect(200);
            nightshift
                .until("SELECT count(*) FROM jobs WHERE kind = 'webhook.stripe.process' AND state = 'succeeded'", 1)
                .await;
        }
        assert_eq!(nightshift.count("SELECT count(*) FROM jobs WHERE kind = 'webhook.stripe.process'").await, 1);
    })
    .await;
}

#[tokio::test]
async fn f3_a_failing_text_is_tried_again_later_and_later_and_then_put_before_people() {
    on_both(async |nightshift| {
        nightshift.simulator.twilio().inject(fault(Fault::RateLimit, 0));
        let id = nightshift.book().await;
        confirm(&nightshift, &id).await;
        nightshift.skip_waits_until("SELECT count(*) FROM jobs WHERE kind = 'sms.send' AND state = 'dead'", 1).await;
        let (_, attempts, _, error) = send_job(&nightshift).await;
        assert_eq!(attempts, 6);
        assert!(!error.unwrap().contains(CLIENT));
        let ended: Vec<(Timestamp,)> = nightshift.rows("SELECT ended_at FROM job_attempts WHERE job_id IN (SELECT id FROM jobs WHERE kind = 'sms.send') ORDER BY attempt").await;
        let waits: Vec<Duration> = ended.windows(2).map(|pair| pair[1].0.since(pair[0].0)).collect();
        assert!(waits.len() == 5 && waits[4] > waits[0] * 4, "{waits:?}");
        assert_eq!(nightshift.count("SELECT count(*) FROM exceptions WHERE type = 'job_dead' AND status = 'open'").await, 1);
        assert_eq!(nightshift.simulator.twilio().ledger().messages().len(), 0);
    })
    .await;
}

#[tokio::test]
async fn f3_what_never_can_succeed_is_given_up_at_the_first_attempt() {
    on_both(async |nightshift| {
        nightshift.simulator.twilio().inject(FaultRule { code: Some(21211), ..fault(Fault::Refuse, 0) });
        let id = nightshift.book().await;
        confirm(&nightshift, &id).await;
        nightshift.until("SELECT count(*) FROM message_events WHERE status = 'failed'", 1).await;
        nightshift.quiet().await;
        assert_eq!(nightshift.simulator.twilio().ledger().requests().send, 1);
        let run: Vec<(String,)> =
            nightshift.rows("SELECT status FROM automation_runs WHERE type = 'bookingConfirmation'").await;
        assert_eq!(run[0].0, "failed");
    })
    .await;
}

#[tokio::test]
async fn f3_a_provider_that_asks_to_wait_is_given_its_time() {
    on_both(async |nightshift| {
        nightshift.simulator.twilio().inject(FaultRule { retry_after: Some(120), ..fault(Fault::RateLimit, 1) });
        let id = nightshift.book().await;
        confirm(&nightshift, &id).await;
        nightshift.quiet().await;
        nightshift.until(TRIED, 1).await;
        let (state, _, run_at, _) = send_job(&nightshift).await;
        assert_eq!(state, "retrying");
        let wait = run_at.since(nightshift.clock.now());
        assert!(wait > Duration::from_secs(100) && wait <= Duration::from_secs(150), "{wait:?}");
        nightshift.until("SELECT count(*) FROM message_events WHERE status = 'delivered'", 1).await;
        assert_eq!(nightshift.simulator.twilio().ledger().messages().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_text_whose_answer_was_lost_is_looked_up_and_not_sent_again() {
    on_both(async |nightshift| {
        for lost in [Fault::CloseAfterStoring, Fault::ErrorAfterStoring] {
            nightshift.simulator.twilio().inject(fault(lost, 1));
        }
        let ids = [nightshift.book().await, nightshift.book_as(booking_of(1)).await];
        for id in &ids {
            confirm(&nightshift, id).await;
        }
        nightshift.until("SELECT count(*) FROM message_events WHERE status IN ('sent', 'delivered')", 2).await;
        nightshift.quiet().await;
        let ledger = nightshift.simulator.twilio().ledger();
        assert_eq!((ledger.messages().len(), ledger.requests().send), (2, 2));
        assert!(ledger.requests().list >= 2);
    })
    .await;
}

#[tokio::test]
async fn f5_a_paused_queue_takes_jobs_and_runs_none() {
    on_both(async |nightshift| {
        let mut tx = nightshift.db.begin().await.unwrap();
        nightshift.app.queue.pause(&mut tx, "sms", "test", "the provider is down").await.unwrap();
        tx.commit().await.unwrap();
        let id = nightshift.book().await;
        confirm(&nightshift, &id).await;
        let held = "SELECT count(*) FROM jobs WHERE queue = 'sms' AND state = 'queued' AND NOT waiting";
        nightshift.until(held, 1).await;
        nightshift.clock.advance(Duration::from_secs(600));
        // Other work goes on, so the worker looks for more.
        let other = nightshift.book().await;
        confirm(&nightshift, &other).await;
        nightshift.until(held, 2).await;
        assert_eq!(nightshift.simulator.twilio().ledger().requests().send, 0);
        let mut tx = nightshift.db.begin().await.unwrap();
        nightshift.app.queue.resume(&mut tx, "sms").await.unwrap();
        tx.commit().await.unwrap();
        nightshift.until("SELECT count(*) FROM message_events WHERE status = 'delivered'", 2).await;
    })
    .await;
}

#[tokio::test]
async fn f6_texts_of_one_thread_leave_in_the_order_they_were_written() {
    on_both(async |nightshift| {
        let id = nightshift.book().await;
        confirm(&nightshift, &id).await;
        nightshift.until("SELECT count(*) FROM message_events WHERE status = 'delivered'", 1).await;
        let thread = nightshift.rows::<(String,)>("SELECT id FROM message_threads").await[0].0.clone();
        let path = format!("/api/messages/threads/{thread}/messages");
        let bodies: Vec<String> = (1..=8).map(|number| format!("number {number}")).collect();
        for body in &bodies {
            nightshift.post(&path, json!({"body": body})).await.expect(200);
        }
        nightshift.until("SELECT count(*) FROM message_events WHERE status = 'delivered'", 9).await;
        let sent: Vec<String> =
            nightshift.simulator.twilio().ledger().messages()[1..].iter().map(|text| text.body.clone()).collect();
        assert_eq!(sent, bodies);
    })
    .await;
}

#[tokio::test]
async fn f8_a_job_of_another_organisation_is_not_there() {
    on_both(async |nightshift| {
        nightshift.get("/api/jobs/none").await.expect(404);
        let sweep = RetentionSweep::of_day(nightshift.clock.now());
        let theirs = NewJob::of(&sweep).unwrap().org("org-other");
        let theirs = nightshift.app.queue.submit(theirs).await.unwrap().id().to_owned();
        nightshift.get(&format!("/api/jobs/{theirs}")).await.expect(404);
    })
    .await;
}
