//! Texts that a carrier refuses because of the hour at their recipient are sent at another hour.

use std::time::Duration;

use nightshift_db::Engine;
use nightshift_db::testing::each_engine;
use nightshift_lab::simulator::{Fault, FaultRule, TwilioAccount};
use nightshift_providers::twilio::signature::sign_form;
use serde_json::json;

use crate::support::{Nightshift, business, on};

each_engine! {
    a_text_that_is_refused_because_of_the_hour_is_sent_at_another_hour,
    a_text_that_is_given_back_because_of_the_hour_is_sent_again,
    a_text_that_was_given_back_is_not_taken_for_another_one,
    a_text_that_has_arrived_is_not_sent_again_whatever_the_code,
    a_job_that_runs_again_leaves_a_text_that_was_given_back_to_its_next_job,
    a_text_that_is_refused_at_every_hour_is_given_up,
    a_text_that_no_longer_waits_does_not_say_until_when,
    a_recipient_who_sues_senders_is_put_before_a_person,
    a_report_of_an_opt_out_is_an_opt_out,
    each_request_says_what_the_text_is_for,
}

const CLIENT: &str = "+15551234567";

/// Opens a conversation in which the confirmation has been delivered, and writes a text that meets this fault so often.
async fn write_into(nightshift: &Nightshift, fault: Fault, code: u32, times: u32) -> String {
    let path = nightshift.conversation(business::booking()).await;
    nightshift.texts().delivered().until(1).await;
    let rule = FaultRule::new(fault).body_contains("On my way").times(times);
    nightshift.simulator.twilio().inject(FaultRule { code: Some(code), ..rule });
    nightshift.post(&path, json!({"body": "On my way"})).await.expect(200);
    path
}

/// How often the client was sent the text.
fn received(nightshift: &Nightshift) -> usize {
    nightshift.simulator.twilio().read(|ledger| ledger.to(CLIENT).filter(|text| text.body == "On my way").count())
}

async fn a_text_that_is_refused_because_of_the_hour_is_sent_at_another_hour(engine: Engine) {
    on(engine, async |nightshift| {
        let path = write_into(&nightshift, Fault::Refuse, 30610, 1).await;
        nightshift.events("message.held").until(1).await;
        let waiting = nightshift.get(&path).await.expect(200).json()["messages"][1].clone();
        assert_eq!(waiting["holdReason"], "carrier_hours", "{waiting}");
        assert!(waiting["heldUntil"].is_string(), "{waiting}");
        assert_eq!((nightshift.texts().posted().queued().count().await, received(&nightshift)), (1, 0));
        nightshift.texts().delivered().skip_waits_until(2).await;
        assert_eq!(received(&nightshift), 1);
        assert_eq!(nightshift.all_exceptions().count().await, 0);
    })
    .await;
}

async fn a_text_that_is_given_back_because_of_the_hour_is_sent_again(engine: Engine) {
    on(engine, async |nightshift| {
        write_into(&nightshift, Fault::Undelivered, 30615, 1).await;
        nightshift.events("message.held").until(1).await;
        assert_eq!(received(&nightshift), 1);
        nightshift.texts().delivered().skip_waits_until(2).await;
        assert_eq!(received(&nightshift), 2, "the carrier did not deliver the first");
        assert_eq!(nightshift.all_exceptions().count().await, 0);
    })
    .await;
}

/// The carrier still lists what it gave back, between the same numbers.
async fn a_text_that_was_given_back_is_not_taken_for_another_one(engine: Engine) {
    on(engine, async |nightshift| {
        let path = write_into(&nightshift, Fault::Undelivered, 30615, 1).await;
        nightshift.events("message.held").until(1).await;
        nightshift.simulator.twilio().inject(FaultRule::new(Fault::ErrorBeforeStoring));
        nightshift.post(&path, json!({"body": "Here now"})).await.expect(200);
        nightshift.texts().unconfirmed().until(1).await;
        nightshift.texts().unsettled().skip_waits_until(0).await;
        assert_eq!(nightshift.texts().failed().count().await, 0);
        assert_eq!(received(&nightshift), 2);
        assert_eq!(nightshift.all_exceptions().count().await, 0);
    })
    .await;
}

async fn a_text_that_has_arrived_is_not_sent_again_whatever_the_code(engine: Engine) {
    on(engine, async |nightshift| {
        write_into(&nightshift, Fault::CallbacksNone, 0, 1).await;
        nightshift.texts().posted().sent().until(1).await;
        let sid = "SELECT provider_message_sid FROM message_events WHERE status = 'sent'";
        let sid: String = nightshift.db.read(sid).scalar().await.unwrap();
        let url = format!("{}/api/twilio/status", nightshift.app.url());
        let form = format!("MessageSid={sid}&MessageStatus=delivered&ErrorCode=30610");
        let signature = sign_form(&TwilioAccount::default().auth_token, &url, form.as_bytes());
        let report = nightshift.http.post(url).header("content-type", "application/x-www-form-urlencoded");
        let report = report.header("x-twilio-signature", signature).body(form).send().await.unwrap();
        assert!(report.status().is_success());
        nightshift.texts().unsettled().skip_waits_until(0).await;
        nightshift.texts().delivered().skip_waits_until(2).await;
        assert_eq!(received(&nightshift), 1);
        assert_eq!(nightshift.events("message.held").count().await, 0);
    })
    .await;
}

/// The process was killed after the carrier had accepted the text, and before the job was stored as done.
async fn a_job_that_runs_again_leaves_a_text_that_was_given_back_to_its_next_job(engine: Engine) {
    on(engine, async |nightshift| {
        write_into(&nightshift, Fault::Undelivered, 30615, 1).await;
        nightshift.events("message.held").until(1).await;
        nightshift.quiet().await;
        let again = "UPDATE jobs SET state = 'queued', finished_at = NULL
                     WHERE once_key = (SELECT 'sms:' || id FROM message_events WHERE given_back = 1)";
        nightshift.db.write(again).execute().await.unwrap();
        nightshift.pass(Duration::from_secs(5)).await;
        let state = "SELECT state FROM jobs
                     WHERE once_key = (SELECT 'sms:' || id FROM message_events WHERE given_back = 1)";
        let state: String = nightshift.db.read(state).scalar().await.unwrap();
        assert_eq!(state, "succeeded", "it does not wait for the next turn");
        nightshift.texts().delivered().skip_waits_until(2).await;
        assert_eq!(received(&nightshift), 2);
        assert_eq!(nightshift.effects("sms").count().await, 3, "one for each acceptance");
    })
    .await;
}

async fn a_text_that_is_refused_at_every_hour_is_given_up(engine: Engine) {
    on(engine, async |nightshift| {
        write_into(&nightshift, Fault::Refuse, 30610, 0).await;
        nightshift.texts().failed().skip_waits_until(1).await;
        // The reminder, which becomes due meanwhile, is held as well.
        let holds = "SELECT carrier_holds FROM message_events WHERE status = 'failed'";
        assert_eq!(nightshift.count(holds).await, 3);
        assert_eq!(nightshift.exceptions("sms_undelivered").count().await, 1);
        assert_eq!(received(&nightshift), 0);
    })
    .await;
}

async fn a_text_that_no_longer_waits_does_not_say_until_when(engine: Engine) {
    on(engine, async |nightshift| {
        let path = write_into(&nightshift, Fault::Refuse, 30610, 1).await;
        nightshift.events("message.held").until(1).await;
        nightshift.quiet().await;
        let job = nightshift.jobs("sms.send").queued().one().await.id;
        let mut tx = nightshift.db.begin().await.unwrap();
        nightshift_jobs::registry().cancel(&nightshift.app.queue, &mut tx, &job).await.unwrap();
        tx.commit().await.unwrap();
        let given_up = nightshift.get(&path).await.expect(200).json()["messages"][1].clone();
        assert_eq!(given_up["status"], "failed", "{given_up}");
        assert!(given_up["heldUntil"].is_null() && given_up["holdReason"].is_null(), "{given_up}");
    })
    .await;
}

async fn a_recipient_who_sues_senders_is_put_before_a_person(engine: Engine) {
    on(engine, async |nightshift| {
        write_into(&nightshift, Fault::Refuse, 30640, 1).await;
        nightshift.texts().failed().until(1).await;
        assert_eq!(nightshift.exceptions("recipient_litigator").count().await, 1);
    })
    .await;
}

async fn a_report_of_an_opt_out_is_an_opt_out(engine: Engine) {
    on(engine, async |nightshift| {
        let path = write_into(&nightshift, Fault::Undelivered, 21610, 1).await;
        nightshift.events("recipient.opted_out").until(1).await;
        let refused = nightshift.post(&path, json!({"body": "Are you there?"})).await.expect(409);
        assert_eq!(refused.json()["code"], "opted_out");
    })
    .await;
}

async fn each_request_says_what_the_text_is_for(engine: Engine) {
    on(engine, async |nightshift| {
        write_into(&nightshift, Fault::SlowAnswer, 0, 1).await;
        nightshift.texts().delivered().until(2).await;
        let intents: Vec<Option<String>> = nightshift
            .simulator
            .twilio()
            .read(|ledger| ledger.to(CLIENT).map(|text| text.message_intent.clone()).collect());
        assert_eq!(intents, [Some("notifications".to_owned()), Some("customercare".to_owned())]);
    })
    .await;
}
