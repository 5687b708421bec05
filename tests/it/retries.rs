//! What an operator's retry does. Every registered kind is brought to its death and started anew: either its work is
//! done, or the retry is refused with the reason. "Retried" is never said of a job that then does nothing.

use std::collections::BTreeSet;
use std::time::Duration;

use nightshift::config::Settings;
use nightshift_db::testing::each_engine;
use nightshift_db::{Engine, Timestamp};
use nightshift_jobs::exceptions::wake::ExceptionsWake;
use nightshift_jobs::metrics::nightly::MetricsNightly;
use nightshift_jobs::metrics::sitter_window::MetricsSitterWindow;
use nightshift_jobs::response_links::expire::ResponseLinksExpire;
use nightshift_jobs::retention::sweep::RetentionSweep;
use nightshift_lab::simulator::{Fault, FaultRule, Match};
use nightshift_queue::NewJob;
use serde_json::json;

use crate::routing::text;
use crate::support::business;
use crate::support::nightshift::on_with;
use crate::support::probes::{Probes, Rows};
use crate::support::twilio::{self, InboundText};
use crate::support::{Nightshift, on};

each_engine! {
    every_kind_of_job_that_dies_is_recovered_by_a_retry_or_the_retry_says_why_not,
    a_dead_text_is_sent_by_a_retry_whatever_ended_it,
    a_dead_text_to_somebody_who_has_said_stop_since_is_left_as_it_is,
    a_dead_text_that_may_have_left_is_asked_after_before_it_is_sent_again,
    what_a_cancelled_job_was_about_hears_of_it_and_a_retry_brings_it_back,
    people_are_told_of_a_cancelled_job_that_cannot_be_read,
}

/// How a retry of a kind ends.
enum Expected {
    /// There is one of what the work leaves.
    Done(fn(&Probes) -> Rows<'_, ()>),
    /// The retry is refused, and the reason says this.
    Refused(&'static str),
}

/// How each kind is recovered. What is not named here fails the test.
fn expected(kind: &str) -> Expected {
    use Expected::{Done, Refused};
    match kind {
        "webhook.stripe.process" => Done(|all| all.bookings().paid().counted()),
        "webhook.twilio.inbound" => Done(|all| all.texts().in_status("received").counted()),
        "webhook.openphone.process" => Done(|all| all.webhooks("openphone").ignored().counted()),
        "webhook.twilio.status" => Done(|all| all.texts().delivered().counted()),
        "webhook.vapi.process" => Done(|all| all.webhooks("vapi").ignored().counted()),
        "booking.confirm" => Done(|all| all.threads().counted()),
        "booking.status_changed" => Done(|all| all.jobs("booking.status_changed").succeeded().counted()),
        "booking.rescheduled" => Done(|all| all.windows().starting_at("2024-12-31T15:00:00Z").counted()),
        "thread.assign_number" => Done(|all| all.threads().with_a_number().counted()),
        "thread.close" => Done(|all| all.threads().closed().counted()),
        "offer.send" => Done(|all| all.automation_runs("offerNotification").counted()),
        "sms.reply_fallback" => Done(|all| all.texts().posted().sent().counted()),
        "offer.expire" => Done(|all| all.offers().in_status("expired").counted()),
        "booking_call.start" | "booking_call.poll" => {
            Refused("the call has ended (failed); start a new call from its service request")
        }
        "automation.run" | "sms.send" => Done(|all| all.texts().delivered().counted()),
        "sms.confirm_delivery" => Done(|all| all.texts().sent().counted()),
        "pricing.reconcile" | "pricing.reconcile.chunk" => Done(|all| all.reconciliation_runs().completed().counted()),
        "metrics.sitter_window" => Done(|all| all.jobs("metrics.sitter_window").succeeded().counted()),
        "metrics.nightly" => Done(|all| all.jobs("metrics.nightly").succeeded().counted()),
        "response_links.expire" => {
            Done(|all| all.jobs("response_links.expire").succeeded().with_a_failed_attempt().counted())
        }
        "exceptions.wake" => Done(|all| all.jobs("exceptions.wake").succeeded().with_a_failed_attempt().counted()),
        "retention.sweep" => Done(|all| all.jobs("retention.sweep").succeeded().counted()),
        other => panic!("how is a dead {other} recovered?"),
    }
}

/// The field of the payload that tells what jobs of a kind are about; none when one is about nothing but itself.
fn subject(kind: &str) -> Option<&'static str> {
    match kind {
        "webhook.stripe.process"
        | "webhook.twilio.inbound"
        | "webhook.openphone.process"
        | "webhook.twilio.status"
        | "webhook.vapi.process" => Some("inboxId"),
        "booking.confirm" | "booking.status_changed" | "booking.rescheduled" => Some("bookingId"),
        "thread.assign_number" | "thread.close" => Some("threadId"),
        "booking_call.start" | "booking_call.poll" => Some("bookingCallId"),
        "offer.send" | "offer.expire" => Some("offerId"),
        "sms.reply_fallback" => Some("inboxId"),
        "automation.run" => Some("automationRunId"),
        "sms.send" | "sms.confirm_delivery" => Some("messageEventId"),
        "metrics.sitter_window" => Some("sitterId"),
        "pricing.reconcile" | "pricing.reconcile.chunk" | "metrics.nightly" => None,
        "response_links.expire" | "exceptions.wake" | "retention.sweep" => None,
        other => panic!("what is a {other} about?"),
    }
}

/// Dead jobs about the same thing are one exception, whose fingerprint is stored: it names the thing, now and in future
/// versions. Exceptions about a booking or a delivery link to it.
async fn assert_told_by_subject(nightshift: &Nightshift, kind: &str) {
    let jobs = nightshift.all_jobs().dead().all().await;
    let expected: BTreeSet<(String, Option<String>, Option<String>)> = jobs
        .into_iter()
        .map(|job| {
            let field = subject(kind);
            let about = field.map_or(job.id, |field| job.payload[field].as_str().unwrap().to_owned());
            let link = |name: &str| (field == Some(name)).then(|| about.clone());
            (format!("job:{kind}:lease_lost:{about}"), link("bookingId"), link("inboxId"))
        })
        .collect();
    let told = nightshift.exceptions("job_dead").all().await;
    let told = told.into_iter().map(|exception| (exception.fingerprint, exception.booking_id, exception.inbox_id));
    assert_eq!(told.collect::<BTreeSet<_>>(), expected);
}

/// Brings about a job of the kind that waits, its queue being paused.
async fn bring_about(nightshift: &Nightshift, kind: &str) {
    let confirmed = async || {
        // It begins so soon that there is no reminder, whose job would be another one.
        let mut booking = business::booking();
        (booking["startAt"], booking["endAt"]) = (json!("2024-12-30T10:00:00Z"), json!("2024-12-30T11:00:00Z"));
        let id = nightshift.book_as(booking).await;
        nightshift.post(&format!("/api/bookings/{id}/confirm"), json!({})).await.expect(200);
        id
    };
    match kind {
        "webhook.stripe.process" => {
            let id = nightshift.book().await;
            nightshift.pause("webhooks").await;
            nightshift.stripe(&business::paid("evt_1", &id)).await.expect(200);
        }
        "webhook.twilio.inbound" => {
            nightshift.pause("webhooks").await;
            text(nightshift, "SM1", "+15551234567", "+15550199001", "Hello").await.expect(200);
        }
        "webhook.openphone.process" => {
            nightshift.pause("webhooks").await;
            let sent = nightshift
                .http
                .post(format!("{}/api/webhooks/sms", nightshift.app.url()))
                .json(&json!({"id": "EV1", "type": "contact.updated", "data": {}}))
                .send();
            assert_eq!(sent.await.unwrap().status(), 200);
        }
        "webhook.twilio.status" => {
            nightshift.pause("webhooks").await;
            confirmed().await;
            nightshift.webhooks("twilio_status").until(2).await;
        }
        "webhook.vapi.process" => {
            nightshift.pause("webhooks").await;
            let report = json!({"message": {"type": "status-update", "status": "ringing", "call": {"id": "unknown"}}});
            let sent = nightshift
                .http
                .post(format!("{}/api/webhooks/vapi", nightshift.app.url()))
                .header("x-vapi-secret", "vapi-test-secret")
                .json(&report)
                .send();
            assert_eq!(sent.await.unwrap().status(), 200);
        }
        "booking.confirm" => {
            nightshift.pause("bookings").await;
            confirmed().await;
        }
        "booking.status_changed" => {
            nightshift.pause("bookings").await;
            nightshift.book().await;
        }
        "booking.rescheduled" => {
            let id = confirmed().await;
            nightshift.texts().delivered().until(1).await;
            nightshift.pause("bookings").await;
            let moved = json!({"startAt": "2024-12-31T15:00:00Z", "endAt": "2024-12-31T16:00:00Z"});
            nightshift.patch(&format!("/api/bookings/{id}"), moved).await.expect(200);
        }
        "thread.assign_number" => {
            nightshift.take_all_numbers_out_of_service().await;
            confirmed().await;
            nightshift.jobs("thread.assign_number").retrying().until(1).await;
            nightshift.pause("bookings").await;
        }
        "thread.close" => {
            let id = confirmed().await;
            nightshift.texts().delivered().until(1).await;
            nightshift.patch(&format!("/api/bookings/{id}"), json!({"status": "completed"})).await.expect(200);
            nightshift.jobs("thread.close").until(1).await;
            nightshift.pause("bookings").await;
        }
        "offer.send" => {
            let id = nightshift.book().await;
            nightshift.pause("sms").await;
            let offers = json!({"sitterIds": ["sitter-sam"]});
            nightshift.post(&format!("/api/bookings/{id}/offers"), offers).await.expect(201);
        }
        "offer.expire" => {
            let id = nightshift.book().await;
            nightshift.quiet().await;
            nightshift.pause("bookings").await;
            let offers = json!({"sitterIds": ["sitter-sam"], "expiresInMinutes": 1});
            nightshift.post(&format!("/api/bookings/{id}/offers"), offers).await.expect(201);
            nightshift.quiet().await;
            nightshift.clock.advance(Duration::from_secs(61));
        }
        "sms.reply_fallback" => {
            // The answer to the webhook does not wait for the job, and has no reply.
            nightshift.pause("webhooks").await;
            let text = InboundText { sid: "SM1", from: "+15550100001", to: "+15550199001", body: "yes" };
            let answer = twilio::deliver(&nightshift.http, &nightshift.app.url(), text).send().await.unwrap();
            assert_eq!(answer.text().await.unwrap(), "<Response/>");
            nightshift.pause("sms").await;
            nightshift.resume("webhooks").await;
            nightshift.jobs("sms.reply_fallback").until(1).await;
        }
        "booking_call.start" => {
            nightshift.pause("calls").await;
            nightshift.ask_for_call().await;
        }
        "booking_call.poll" => {
            nightshift.ask_for_call().await;
            nightshift.jobs("booking_call.poll").queued().until(1).await;
            nightshift.pause("calls").await;
        }
        "automation.run" => {
            nightshift.pause("sms").await;
            confirmed().await;
            nightshift.automation_runs("bookingConfirmation").pending().until(1).await;
        }
        "sms.send" => {
            nightshift.simulator.twilio().inject(fault(Fault::RateLimit, 1));
            confirmed().await;
            nightshift.jobs("sms.send").retrying().until(1).await;
            nightshift.pause("sms").await;
        }
        "sms.confirm_delivery" => {
            nightshift.simulator.twilio().inject(fault(Fault::ErrorAfterStoring, 1));
            confirmed().await;
            nightshift.texts().unconfirmed().until(1).await;
            nightshift.quiet().await;
            nightshift.pause("sms").await;
        }
        "pricing.reconcile" => {
            nightshift.pause("reconciliation").await;
            nightshift.post("/api/reconciliation/runs", json!({})).await.expect(202);
        }
        "pricing.reconcile.chunk" => {
            nightshift.pause("reconciliation").await;
            begin_chunk(nightshift).await;
        }
        "exceptions.wake" => {
            // The program starts at the time of an occurrence, whose job must not come once this one is dead. Later ones
            // find this one unfinished.
            nightshift.jobs("exceptions.wake").succeeded().until(1).await;
            let later = nightshift.clock.now() + Duration::from_secs(3600);
            enqueue(nightshift, NewJob::of(&ExceptionsWake {}).unwrap().run_at(later)).await;
        }
        "metrics.sitter_window" => {
            nightshift.pause("metrics").await;
            enqueue(nightshift, NewJob::of(&MetricsSitterWindow { sitter_id: "sitter-sam".into() }).unwrap()).await;
        }
        "metrics.nightly" => {
            nightshift.pause("metrics").await;
            let nightly = MetricsNightly { org_id: "org-paws".into(), local_date: "2024-01-01".to_owned() };
            enqueue(nightshift, NewJob::of(&nightly).unwrap()).await;
        }
        "response_links.expire" => {
            // As `exceptions.wake`.
            nightshift.jobs("response_links.expire").succeeded().until(1).await;
            let later = nightshift.clock.now() + Duration::from_secs(3600);
            enqueue(nightshift, NewJob::of(&ResponseLinksExpire {}).unwrap().run_at(later)).await;
        }
        "retention.sweep" => {
            nightshift.pause("maintenance").await;
            enqueue(nightshift, NewJob::of(&RetentionSweep { utc_date: "2024-01-01".to_owned() }).unwrap()).await;
        }
        other => panic!("how does a {other} come about?"),
    }
}

/// What the job that begins a price check leaves.
async fn begin_chunk(nightshift: &Nightshift) {
    use nightshift_domain::reconciliation::{self, Trigger};
    use nightshift_jobs::pricing::reconcile_chunk::PricingReconcileChunk;
    let now = nightshift.clock.now();
    let mut tx = nightshift.db.begin().await.unwrap();
    let begun =
        reconciliation::begin(&mut tx, &"org-paws".into(), "2024-12-29", Trigger::Manual, 1, false, now).await.unwrap();
    let chunk = NewJob::of(&PricingReconcileChunk::next_of(&begun.run)).unwrap();
    let chunk = nightshift.app.queue.enqueue_new(&mut tx, chunk).await.unwrap();
    reconciliation::hand_over(&mut tx, &begun.run.id, chunk.id(), now).await.unwrap();
    tx.commit().await.unwrap();
}

async fn enqueue(nightshift: &Nightshift, new: NewJob) {
    let mut tx = nightshift.db.begin().await.unwrap();
    nightshift.app.queue.enqueue_new(&mut tx, new).await.unwrap();
    tx.commit().await.unwrap();
}

fn fault(fault: Fault, times: u32) -> FaultRule {
    FaultRule { matching: Match::default(), fault, times, retry_after: None, delay_ms: None, code: None }
}

async fn resume_all(nightshift: &Nightshift) {
    for queue in nightshift_jobs::registry().queues() {
        nightshift.resume(queue).await;
    }
}

/// The waiting jobs of the kind lose their third lease, one after the other.
async fn kill(nightshift: &Nightshift, kind: &str) {
    let waiting = nightshift.jobs(kind).unclaimed().all().await;
    assert!(!waiting.is_empty(), "no {kind} waits");
    for job in waiting {
        nightshift
            .db
            .write(
                "UPDATE jobs SET state = 'running', waiting = FALSE, crashes = 2, lease_id = 'gone',
                        leased_until = $2, started_at = created_at WHERE id = $1",
            )
            .bind(job.id)
            .bind(Timestamp::from_unix_ms(0))
            .execute()
            .await
            .unwrap();
        // The rescue looks every five seconds.
        nightshift.clock.advance(Duration::from_secs(6));
        nightshift.all_jobs().running().until(0).await;
    }
}

async fn dead(nightshift: &Nightshift) -> Vec<String> {
    nightshift.all_jobs().dead().all().await.into_iter().map(|job| job.id).collect()
}

async fn retry(nightshift: &Nightshift, id: &str) -> Result<(), String> {
    let mut tx = nightshift.db.begin().await.unwrap();
    let retried = nightshift_jobs::registry().retry(&nightshift.app.queue, &mut tx, id, None).await;
    tx.commit().await.unwrap();
    retried.map(|_| ()).map_err(|error| error.to_string())
}

async fn every_kind_of_job_that_dies_is_recovered_by_a_retry_or_the_retry_says_why_not(engine: Engine) {
    for kind in nightshift_jobs::registry().names() {
        on_with(
            engine,
            |settings: &mut Settings| {
                settings.calls.live = kind == "booking_call.poll";
                if kind == "sms.reply_fallback" {
                    settings.twilio.reply_wait = Duration::ZERO;
                }
                // OpenPhone's webhook is sent without a signature.
                settings.webhooks.validation = kind != "webhook.openphone.process";
            },
            async |nightshift| {
                bring_about(&nightshift, kind).await;
                kill(&nightshift, kind).await;
                let dead = dead(&nightshift).await;
                assert!(!dead.is_empty(), "{kind} did not die");
                assert!(nightshift.open_exceptions("job_dead").count().await > 0, "{kind}: nobody is told");
                assert_told_by_subject(&nightshift, kind).await;
                match expected(kind) {
                    Expected::Refused(why) => {
                        let refused = retry(&nightshift, &dead[0]).await.unwrap_err();
                        assert!(refused.contains(why), "{kind}: {refused}");
                        assert_eq!(nightshift.all_jobs().dead().count().await, 1);
                    }
                    Expected::Done(work) => {
                        assert_eq!(work(&nightshift).count().await, 0, "{kind}: it is done already");
                        nightshift.put_all_numbers_into_service().await;
                        for id in &dead {
                            retry(&nightshift, id).await.unwrap_or_else(|error| panic!("{kind}: {error}"));
                        }
                        assert_eq!(
                            nightshift.open_exceptions("job_dead").count().await,
                            0,
                            "{kind}: people are still told of its death"
                        );
                        resume_all(&nightshift).await;
                        work(&nightshift).until(1).await;
                        for id in &dead {
                            let left = nightshift.app.queue.detail(id).await.unwrap().unwrap();
                            assert!(!left.explanation.starts_with("skipped"), "{kind}: {}", left.explanation);
                        }
                    }
                }
            },
        )
        .await;
    }
}

/// However a text came to its end without having left, its retry sends it, once.
async fn a_dead_text_is_sent_by_a_retry_whatever_ended_it(engine: Engine) {
    for (ended_by, times) in [(Fault::Refuse, 1), (Fault::RefuseCredentials, 1), (Fault::RateLimit, 6)] {
        on(engine, async |nightshift| {
            nightshift.simulator.twilio().inject(fault(ended_by, times));
            let id = nightshift.book().await;
            nightshift.post(&format!("/api/bookings/{id}/confirm"), json!({})).await.expect(200);
            nightshift.jobs("sms.send").dead().skip_waits_until(1).await;
            assert_eq!(nightshift.texts().failed().count().await, 1);

            let job = dead(&nightshift).await.remove(0);
            retry(&nightshift, &job).await.unwrap();
            assert_eq!(
                nightshift.all_exceptions().unresolved().count().await,
                0,
                "people are still told of what is being mended"
            );
            nightshift.texts().delivered().until(1).await;
            assert_eq!(nightshift.simulator.twilio().ledger().messages().len(), 1);
            assert_eq!(nightshift.automation_runs("bookingConfirmation").succeeded().count().await, 1);
            assert!(retry(&nightshift, &job).await.unwrap_err().contains("succeeded"));
        })
        .await;
    }
}

/// Nobody is told that a text was retried which its recipient does not want, and the exception about it stays.
async fn a_dead_text_to_somebody_who_has_said_stop_since_is_left_as_it_is(engine: Engine) {
    on(engine, async |nightshift| {
        nightshift.simulator.twilio().inject(fault(Fault::Refuse, 1));
        let id = nightshift.book().await;
        nightshift.post(&format!("/api/bookings/{id}/confirm"), json!({})).await.expect(200);
        nightshift.jobs("sms.send").dead().skip_waits_until(1).await;
        let job = dead(&nightshift).await.remove(0);

        text(&nightshift, "SM1", "+15551234567", "+15550199001", "STOP").await.expect(200);
        nightshift.events("recipient.opted_out").until(1).await;
        let refused = retry(&nightshift, &job).await.unwrap_err();
        assert!(refused.contains("the recipient asked to get no more messages"), "{refused}");
        assert_eq!(nightshift.texts().failed().count().await, 1);
        assert_eq!(nightshift.exceptions("sms_undelivered").unresolved().count().await, 1);

        text(&nightshift, "SM2", "+15551234567", "+15550199001", "START").await.expect(200);
        nightshift.events("recipient.opted_in").until(1).await;
        retry(&nightshift, &job).await.unwrap();
        nightshift.texts().delivered().until(1).await;
    })
    .await;
}

/// A text may have left and not be known of: it is asked after before anything is sent again.
async fn a_dead_text_that_may_have_left_is_asked_after_before_it_is_sent_again(engine: Engine) {
    on(engine, async |nightshift| {
        nightshift.simulator.twilio().inject(fault(Fault::ErrorAfterStoring, 1));
        let id = nightshift.book().await;
        nightshift.post(&format!("/api/bookings/{id}/confirm"), json!({})).await.expect(200);
        nightshift.texts().unconfirmed().until(1).await;
        nightshift.quiet().await;
        // The provider can't be asked until somebody gives up.
        nightshift.pause("sms").await;
        kill(&nightshift, "sms.confirm_delivery").await;
        assert_eq!(nightshift.texts().failed().count().await, 1);
        retry(&nightshift, &dead(&nightshift).await[0]).await.unwrap();
        resume_all(&nightshift).await;
        nightshift.texts().sent().until(1).await;
        assert_eq!(nightshift.simulator.twilio().ledger().messages().len(), 1);
        assert_eq!(nightshift.all_exceptions().unresolved().count().await, 0);
    })
    .await;
}

/// A cancelled job leaves nothing that waits for ever, and its retry brings it back.
async fn what_a_cancelled_job_was_about_hears_of_it_and_a_retry_brings_it_back(engine: Engine) {
    for kind in ["webhook.stripe.process", "automation.run", "sms.send", "booking_call.start"] {
        on(engine, async |nightshift| {
            bring_about(&nightshift, kind).await;
            let job = nightshift.jobs(kind).unclaimed().one().await.id;
            cancel(&nightshift, &job).await;
            nightshift.clock.advance(Duration::from_secs(120));
            let broken = nightshift_jobs::promises::broken(&nightshift.app.queue).await.unwrap();
            assert_eq!(broken, [], "{kind}");
            match expected(kind) {
                Expected::Refused(_) => {
                    let refused = retry(&nightshift, &job).await.unwrap_err();
                    assert!(refused.contains("the call has ended (cancelled)"), "{refused}");
                    assert_eq!(nightshift.service_requests().recommended().count().await, 1);
                }
                Expected::Done(work) => {
                    retry(&nightshift, &job).await.unwrap();
                    resume_all(&nightshift).await;
                    work(&nightshift).until(1).await;
                }
            }
        })
        .await;
    }
}

async fn cancel(nightshift: &Nightshift, job: &str) {
    let mut tx = nightshift.db.begin().await.unwrap();
    nightshift_jobs::registry().cancel(&nightshift.app.queue, &mut tx, job).await.unwrap();
    tx.commit().await.unwrap();
}

/// Its kind's hook can't run, so the text stays as it is. That must not go unseen, although a person ended the job.
async fn people_are_told_of_a_cancelled_job_that_cannot_be_read(engine: Engine) {
    on(engine, async |nightshift| {
        nightshift.pause("sms").await;
        bring_about(&nightshift, "automation.run").await;
        let job = &nightshift.jobs("automation.run").one().await.id;
        nightshift.db.write("UPDATE jobs SET payload = '{}' WHERE id = $1").bind(job).execute().await.unwrap();
        let told = async || {
            let told = nightshift.exceptions("job_dead").all().await.into_iter();
            told.map(|exception| (exception.title, exception.occurrences)).collect::<Vec<_>>()
        };
        let title = |kind: &str| format!("A cancelled {kind} job could not be read; its subject was not updated");

        cancel(&nightshift, job).await;
        assert_eq!(told().await, [(title("automation.run"), 1)]);
        assert_eq!(nightshift.all_automation_runs().pending().count().await, 1);

        // Another one does not fill the list.
        let waits = "UPDATE jobs SET state = 'queued', finished_at = NULL WHERE id = $1";
        nightshift.db.write(waits).bind(job).execute().await.unwrap();
        cancel(&nightshift, job).await;
        assert_eq!(told().await, [(title("automation.run"), 2)]);

        // One of a kind that this program does not know is told too.
        nightshift.db.write(waits).bind(job).execute().await.unwrap();
        let rename = "UPDATE jobs SET kind = $2 WHERE id = $1";
        nightshift.db.write(rename).bind(job).bind("automation.old").execute().await.unwrap();
        cancel(&nightshift, job).await;
        let both = [(title("automation.run"), 2), (title("automation.old"), 1)];
        assert_eq!(told().await, both);
        // Who cancelled them is on record; they were not given up.
        assert_eq!(nightshift.events("job.dead").count().await, 0);

        nightshift.db.write(rename).bind(job).bind("automation.run").execute().await.unwrap();
        let refused = retry(&nightshift, job).await.unwrap_err();
        assert!(refused.contains("a retry would do nothing: the payload can't be read"), "{refused}");
    })
    .await;
}
