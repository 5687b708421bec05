//! OpenPhone as a carrier beside Twilio: each number sends through its own, and a text reaches its recipient once whatever
//! OpenPhone answers.

use std::time::Duration;

use nightshift::config::SmsProvider;
use nightshift_db::Engine;
use nightshift_db::failpoint::{self, Action};
use nightshift_db::testing::each_engine;
use nightshift_jobs::promises::broken;
use nightshift_lab::simulator::{Fault, FaultRule, OpenPhoneShape, OpenPhoneWebhook};
use serde_json::json;

use crate::support::nightshift::on_with;
use crate::support::process::World;
use crate::support::{Nightshift, business, on};

each_engine! {
    each_number_sends_through_its_own_carrier,
    a_text_with_an_unclear_outcome_is_found_and_not_sent_again,
    a_text_that_openphone_does_not_list_is_sent_again_once,
    a_text_whose_process_dies_after_the_intent_is_looked_up,
    what_openphone_refuses_fails_with_its_code_and_people_are_told,
    a_text_that_comes_too_fast_is_sent_later,
    no_second_has_more_texts_than_the_key_allows,
    without_a_key_the_texts_of_openphone_numbers_fail_and_people_are_told,
    a_delivery_moves_a_text_forward_whatever_the_order,
    the_mock_sends_the_texts_of_every_number,
    doctor_knows_openphone(flavor = "multi_thread"),
}

const OURS: &str = "+15550199003";
const CLIENT: &str = "+15551234567";

/// Gives the first organisation a number of OpenPhone's and takes the one of Twilio's out of service.
async fn openphone_only(nightshift: &Nightshift) {
    let number =
        json!({"id": "number-open", "orgId": "org-paws", "e164": OURS, "numberClass": "pool", "provider": "openphone"});
    business::load(&nightshift.db, json!({"numbers": [number]})).await;
    service(nightshift, "number-pool", "inactive").await;
}

/// Changes a number's status and nothing else.
async fn service(nightshift: &Nightshift, number: &str, status: &str) {
    let sql = "UPDATE message_numbers SET status = $2 WHERE id = $1";
    nightshift.db.write(sql).bind(number).bind(status).execute().await.unwrap();
}

/// A conversation over OpenPhone's number, whose confirmation has been sent.
async fn openphone_conversation(nightshift: &Nightshift) -> String {
    openphone_only(nightshift).await;
    let path = nightshift.conversation(business::booking()).await;
    assert_eq!(received(nightshift, ""), 1);
    path
}

/// Writes a text, and lets time pass until it is about to be sent: not at night, and a second after the one before.
async fn write(nightshift: &Nightshift, path: &str, body: &str) {
    nightshift.post(path, json!({"body": body})).await.expect(200);
    nightshift.texts().queued().skip_waits_until(0).await;
    nightshift.quiet().await;
}

fn inject(nightshift: &Nightshift, fault: Fault) {
    nightshift.simulator.openphone().inject(FaultRule::new(fault));
}

/// How many texts whose words contain `part` the client got through OpenPhone.
fn received(nightshift: &Nightshift, part: &str) -> usize {
    nightshift.simulator.openphone().read(|ledger| ledger.to(CLIENT).filter(|text| text.text.contains(part)).count())
}

/// The posted texts: status and reason.
async fn texts(nightshift: &Nightshift) -> Vec<(String, Option<String>)> {
    nightshift.texts().posted().all().await.into_iter().map(|text| (text.status, text.error_code)).collect()
}

async fn all_promises_hold(nightshift: &Nightshift) {
    nightshift.clock.advance(Duration::from_secs(120));
    nightshift.quiet().await;
    assert_eq!(broken(&nightshift.app.queue).await.unwrap(), []);
}

async fn each_number_sends_through_its_own_carrier(engine: Engine) {
    on(engine, async |nightshift| {
        let by_twilio = nightshift.conversation(business::booking()).await;
        openphone_only(&nightshift).await;
        let by_openphone = nightshift.conversation(business::booking_of(1)).await;
        service(&nightshift, "number-pool", "active").await;
        write(&nightshift, &by_twilio, "by Twilio").await;
        write(&nightshift, &by_openphone, "by OpenPhone").await;

        let (twilio, openphone) = (nightshift.simulator.twilio().ledger(), nightshift.simulator.openphone().ledger());
        assert_eq!(twilio.messages().len(), 2);
        assert_eq!(openphone.messages().len(), 2);
        assert!(twilio.messages().iter().all(|text| text.from == "+15550199001" && text.status_callback.is_some()));
        assert!(openphone.messages().iter().all(|text| text.from == OURS));
        assert_eq!(openphone.messages()[1].text, "by OpenPhone");
        assert_eq!(nightshift.effects("sms").in_state("confirmed").count().await, 4);
        all_promises_hold(&nightshift).await;
    })
    .await;
}

async fn a_text_with_an_unclear_outcome_is_found_and_not_sent_again(engine: Engine) {
    on(engine, async |nightshift| {
        let path = openphone_conversation(&nightshift).await;
        let shown = [None, Some(Fault::LineEndsChanged), Some(Fault::ListLags), Some(Fault::StaysQueued)];
        for (number, fault) in shown.into_iter().enumerate() {
            if let Some(fault) = fault {
                inject(&nightshift, fault);
            }
            inject(&nightshift, Fault::CallbacksNone);
            inject(&nightshift, Fault::ErrorAfterStoring);
            write(&nightshift, &path, &format!("On my way.\nThis is number {number}")).await;
            nightshift.texts().unconfirmed().until(1).await;
            nightshift.texts().unsettled().skip_waits_until(0).await;
            assert_eq!(received(&nightshift, &format!("number {number}")), 1, "{fault:?}");
        }
        assert_eq!(nightshift.texts().failed().count().await, 0);
        assert_eq!(nightshift.texts().without_a_sid().count().await, 0);
        all_promises_hold(&nightshift).await;
    })
    .await;
}

async fn a_text_that_openphone_does_not_list_is_sent_again_once(engine: Engine) {
    on(engine, async |nightshift| {
        let path = openphone_conversation(&nightshift).await;
        inject(&nightshift, Fault::ErrorBeforeStoring);
        write(&nightshift, &path, "On my way").await;
        nightshift.texts().unconfirmed().until(1).await;
        nightshift.pass(Duration::from_secs(150)).await;
        assert_eq!(received(&nightshift, "On my way"), 0, "one look is not enough: lists lag");
        nightshift.texts().unsettled().skip_waits_until(0).await;
        nightshift.quiet().await;
        assert_eq!(received(&nightshift, "On my way"), 1);
        assert_eq!(nightshift.simulator.openphone().ledger().requests().list, 2);
        all_promises_hold(&nightshift).await;
    })
    .await;
}

async fn a_text_whose_process_dies_after_the_intent_is_looked_up(engine: Engine) {
    on(engine, async |nightshift| {
        let path = openphone_conversation(&nightshift).await;
        failpoint::arm("sms.send.after_ask", Action::Error, 1);
        write(&nightshift, &path, "On my way").await;
        failpoint::disarm_all();
        nightshift.texts().unsettled().skip_waits_until(0).await;
        nightshift.quiet().await;
        assert_eq!(received(&nightshift, "On my way"), 1);
        assert!(nightshift.simulator.openphone().ledger().requests().list >= 2);
        all_promises_hold(&nightshift).await;
    })
    .await;
}

async fn what_openphone_refuses_fails_with_its_code_and_people_are_told(engine: Engine) {
    on(engine, async |nightshift| {
        let path = openphone_conversation(&nightshift).await;
        let codes = [(206_400, "0206400"), (200_401, "0200401"), (201_402, "0201402")];
        for (number, (code, text_code)) in codes.into_iter().enumerate() {
            nightshift.simulator.openphone().inject(FaultRule::new(Fault::Refuse).code(code));
            write(&nightshift, &path, "On my way").await;
            let failed = ("failed".to_owned(), Some(text_code.to_owned()));
            assert_eq!(texts(&nightshift).await[number], failed);
        }
        assert_eq!(received(&nightshift, "On my way"), 0);
        assert_eq!(nightshift.jobs("sms.send").dead().count().await, 3);
        assert_eq!(nightshift.open_exceptions("sms_undelivered").count().await, 3);
    })
    .await;
}

async fn a_text_that_comes_too_fast_is_sent_later(engine: Engine) {
    on(engine, async |nightshift| {
        let path = openphone_conversation(&nightshift).await;
        nightshift.simulator.openphone().inject(FaultRule::new(Fault::RateLimit).times(2));
        write(&nightshift, &path, "On my way").await;
        nightshift.texts().unsettled().skip_waits_until(0).await;
        assert_eq!(received(&nightshift, "On my way"), 1);
        assert_eq!(nightshift.simulator.openphone().ledger().requests().list, 0, "nothing was unclear");
        all_promises_hold(&nightshift).await;
    })
    .await;
}

async fn no_second_has_more_texts_than_the_key_allows(engine: Engine) {
    on(engine, async |nightshift| {
        business::load_bookings(&nightshift.db, 24).await;
        service(&nightshift, "number-pool", "inactive").await;
        nightshift.db.write("UPDATE message_numbers SET provider = 'openphone'").execute().await.unwrap();
        for number in 0..24 {
            nightshift.post(&format!("/api/bookings/booking-{number}/confirm"), json!({})).await.expect(200);
        }
        let sent = || nightshift.simulator.openphone().ledger().messages().len();
        nightshift.quiet().await;
        assert_eq!(sent(), 8, "two of ten requests are left for look-ups");
        nightshift.clock.advance(Duration::from_secs(1));
        nightshift.quiet().await;
        assert_eq!(sent(), 16);
        nightshift.texts().unsettled().skip_waits_until(0).await;
        assert_eq!(sent(), 24);
        assert_eq!(nightshift.failed_attempts().count().await, 0);
    })
    .await;
}

async fn without_a_key_the_texts_of_openphone_numbers_fail_and_people_are_told(engine: Engine) {
    let no_key = |settings: &mut nightshift::config::Settings| settings.openphone.api_key = None;
    on_with(engine, no_key, async |nightshift| {
        let by_twilio = nightshift.conversation(business::booking()).await;
        openphone_only(&nightshift).await;
        nightshift.conversation(business::booking_of(1)).await;
        let failed = nightshift.texts().failed().one().await;
        assert_eq!(failed.error_code.as_deref(), Some("no_openphone_key"));
        let shown = nightshift.get("/api/exceptions?type=sms_undelivered").await.expect(200).json();
        assert_eq!(shown["exceptions"][0]["detail"]["errorCode"], "no_openphone_key", "{shown}");
        let error = "SELECT error FROM job_attempts WHERE error LIKE '%OPENPHONE_API_KEY%'";
        assert!(nightshift.db.read(error).optional::<(String,)>().await.unwrap().is_some());

        service(&nightshift, "number-pool", "active").await;
        write(&nightshift, &by_twilio, "by Twilio").await;
        assert_eq!(nightshift.simulator.twilio().ledger().messages().len(), 2);
        assert_eq!(nightshift.simulator.openphone().ledger().messages(), []);
    })
    .await;
}

/// Every shape of webhook says that a text was delivered; twice, before the answer to the send, and after a later status.
async fn a_delivery_moves_a_text_forward_whatever_the_order(engine: Engine) {
    on(engine, async |nightshift| {
        openphone_only(&nightshift).await;
        let path = nightshift.conversation(business::booking()).await;
        let mut delivered = 1;
        nightshift.texts().delivered().until(delivered).await;
        let url = format!("{}/api/webhooks/sms", nightshift.app.url());
        for (shape, fault) in OpenPhoneShape::ALL.into_iter().zip([
            Fault::CallbacksDoubled,
            Fault::CallbacksBeforeAnswer,
            Fault::CallbacksDoubled,
        ]) {
            nightshift.simulator.openphone().deliver_to(OpenPhoneWebhook { url: url.clone(), shape });
            inject(&nightshift, fault);
            write(&nightshift, &path, &format!("On my way, {shape:?}")).await;
            delivered += 1;
            nightshift.texts().delivered().skip_waits_until(delivered).await;
        }
        inject(&nightshift, Fault::Undelivered);
        write(&nightshift, &path, "On my way, in vain").await;
        nightshift.texts().in_status("undelivered").skip_waits_until(1).await;
        let id = nightshift.simulator.openphone().read(|ledger| ledger.to(CLIENT).last().unwrap().id.clone());
        let late = nightshift.simulator.openphone().event(&id, "message.delivered").unwrap();
        assert_eq!(nightshift.simulator.openphone().deliver(&late).await.unwrap().status, 200);
        nightshift.quiet().await;
        assert_eq!(nightshift.texts().in_status("undelivered").count().await, 1, "a final status stays");
        assert_eq!(nightshift.open_exceptions("sms_undelivered").count().await, 1);
    })
    .await;
}

async fn the_mock_sends_the_texts_of_every_number(engine: Engine) {
    let mock = |settings: &mut nightshift::config::Settings| settings.messaging.sms_provider = SmsProvider::Mock;
    on_with(engine, mock, async |nightshift| {
        openphone_only(&nightshift).await;
        nightshift.conversation(business::booking()).await;
        nightshift.texts().delivered().skip_waits_until(1).await;
        assert_eq!(nightshift.simulator.openphone().ledger().messages(), []);
        assert_eq!(nightshift.simulator.twilio().ledger().messages(), []);
    })
    .await;
}

async fn doctor_knows_openphone(engine: Engine) {
    let world = World::on(engine).await;
    let number =
        json!({"id": "number-open", "orgId": "org-paws", "e164": OURS, "numberClass": "pool", "provider": "openphone"});
    business::load(world.db(), json!({"numbers": [number]})).await;
    let said = |doctor: &std::process::Output, start: &str, words: &str| {
        let out = String::from_utf8_lossy(&doctor.stdout).into_owned();
        assert!(out.lines().any(|line| line.starts_with(start) && line.contains(words)), "{start} {words}: {out}");
    };
    let doctor = world.command(&["doctor"]).output().unwrap();
    said(&doctor, "ok", "accepts the key");
    said(&doctor, "WRONG", "OpenPhone does not know the numbers number-open");
    let doctor = world.command(&["doctor"]).env("OPENPHONE_API_KEY", "other").output().unwrap();
    said(&doctor, "WRONG", "an operator must set OPENPHONE_API_KEY");
    let doctor = world.command(&["doctor"]).env("OPENPHONE_API_KEY", "").output().unwrap();
    said(&doctor, "WRONG", "OPENPHONE_API_KEY is not set: texts of 1 OpenPhone numbers fail");
}
