//! The real program, killed at every step of an acceptance by text: one acceptance and one reply.

use nightshift_db::Engine;
use nightshift_db::testing::each_engine;
use nightshift_providers::http_client;
use serde_json::{Value, json};

use crate::support::business;
use crate::support::process::{Process, on};
use crate::support::twilio::{self, InboundText};

each_engine! {
    accepted_once_when_killed_before_the_text_is_stored,
    accepted_once_when_killed_after_the_text_was_stored,
    accepted_once_when_killed_before_the_acceptance_is_committed,
    accepted_once_when_killed_after_the_acceptance,
    accepted_once_when_killed_before_the_answer_has_the_reply,
    accepted_once_when_killed_after_the_answer_took_the_reply,
}

const SAM: &str = "+15550100001";
const DESK: &str = "+15550199000";
const REPLY: &str = "Accepted: dog walking on Sun 31 Dec 2034 10:00.";

/// Jobs of an acceptance that have not ended. What waits for hours or for the figures of a day is not among them.
const UNFINISHED: &str = "SELECT count(*) FROM jobs WHERE finished_at IS NULL
    AND kind IN ('webhook.twilio.inbound', 'sms.reply_fallback', 'sms.send', 'sms.confirm_delivery', 'automation.run')";

async fn post(process: &Process, path: &str, body: Value) -> Value {
    let request = http_client().unwrap().post(format!("{}{path}", process.url)).json(&body);
    request.send().await.unwrap().json().await.unwrap()
}

/// Twilio's delivery of the sitter's text. Returns the TwiML, or nothing if the process died over it.
async fn deliver(process: &Process) -> Option<String> {
    let text = InboundText { sid: "SM1", from: SAM, to: DESK, body: "Yes." };
    let request = twilio::deliver(&http_client().unwrap(), &process.url, text);
    request.send().await.ok()?.error_for_status().ok()?.text().await.ok()
}

async fn killed_at(engine: Engine, point: &str) {
    on(engine, async |world| {
        let desk = json!({"id": "number-desk", "orgId": "org-paws", "e164": DESK, "numberClass": "front_desk",
                          "provider": "twilio"});
        business::load(world.db(), json!({"numbers": [desk]})).await;
        let mut booking = business::booking();
        (booking["startAt"], booking["endAt"]) = (json!("2034-12-31T10:00:00Z"), json!("2034-12-31T11:00:00Z"));
        let prepared = world.serve();
        let made = post(&prepared, "/api/bookings", booking).await;
        let booking = made["booking"]["id"].as_str().unwrap();
        post(&prepared, &format!("/api/bookings/{booking}/offers"), json!({"sitterIds": ["sitter-sam"]})).await;
        world.texts().sent().until(1).await;
        world.until(UNFINISHED, 0).await;
        drop(prepared);

        let mut process = world.serve_with(&[], &[("NIGHTSHIFT_FAILPOINTS", &format!("{point}=abort"))]);
        let first = deliver(&process).await;
        assert!(!process.wait().await.success(), "{point} was not reached");
        world.leases_run_out().await;
        let again = world.serve();
        let second = deliver(&again).await.unwrap();
        world.offers().in_status("accepted").until(1).await;
        world.given("UPDATE jobs SET run_at = created_at WHERE kind = 'sms.reply_fallback'").await;
        world.until(UNFINISHED, 0).await;

        assert_eq!(world.events("offer.accepted").count().await, 1);
        assert_eq!(world.all_webhooks().with_key("SM1").count().await, 1);
        let in_answers = [first.unwrap_or_default(), second].iter().filter(|twiml| twiml.contains(REPLY)).count();
        let ledger = world.simulator.twilio().ledger();
        let as_texts = ledger.messages().iter().filter(|text| text.to == SAM && text.body == REPLY).count();
        assert_eq!(in_answers + as_texts, 1, "{in_answers} in answers, {as_texts} as texts");
        world.logs_are_discreet();
    })
    .await;
}

async fn accepted_once_when_killed_before_the_text_is_stored(engine: Engine) {
    killed_at(engine, "webhook.before_commit").await;
}

async fn accepted_once_when_killed_after_the_text_was_stored(engine: Engine) {
    killed_at(engine, "webhook.after_commit").await;
}

async fn accepted_once_when_killed_before_the_acceptance_is_committed(engine: Engine) {
    killed_at(engine, "inbound.before_commit").await;
}

async fn accepted_once_when_killed_after_the_acceptance(engine: Engine) {
    killed_at(engine, "inbound.after_commit").await;
}

async fn accepted_once_when_killed_before_the_answer_has_the_reply(engine: Engine) {
    killed_at(engine, "twilio.reply.before_commit").await;
}

async fn accepted_once_when_killed_after_the_answer_took_the_reply(engine: Engine) {
    killed_at(engine, "twilio.reply.after_commit").await;
}
