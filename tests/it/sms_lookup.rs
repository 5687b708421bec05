//! The answer to a send is lost: the text is looked up at the provider and reaches its recipient once, however the
//! provider shows it. Where that can't be told, nothing is sent and people are shown it.

use std::time::Duration;

use nightshift_db::Engine;
use nightshift_db::failpoint::{self, Action};
use nightshift_db::testing::each_engine;
use nightshift_lab::simulator::{Direction, Fault, FaultRule, InboundSpec};
use nightshift_providers::http_client;
use nightshift_providers::sms::{Intent, SendMessage};
use nightshift_providers::twilio::TwilioClient;
use serde_json::json;

use crate::support::business::{self, booking_of};
use crate::support::nightshift::fast_account;
use crate::support::{Nightshift, on};

each_engine! {
    a_text_that_the_provider_shows_otherwise_is_not_sent_again,
    of_texts_with_the_same_words_each_is_told_from_the_other,
    a_text_is_found_behind_many_later_ones,
    where_a_text_may_have_left_nothing_is_sent_and_people_see_it,
    a_text_that_is_not_in_the_list_is_sent_again_once,
    a_list_from_a_time_when_the_text_might_still_leave_does_not_count,
    a_list_about_an_earlier_attempt_does_not_count,
    a_text_that_is_found_brings_along_what_became_of_it,
    a_text_that_a_slow_attempt_puts_back_while_another_finds_out_is_sent,
    a_text_whose_resend_is_unclear_before_the_look_up_is_stored_is_looked_up_again,
    a_reply_in_an_answer_to_a_webhook_is_not_taken_for_an_unclear_text(flavor = "multi_thread"),
}

const CLIENT: &str = "+15551234567";
const OURS: &str = "+15550199001";

/// A conversation in which the confirmation has been delivered; the path of its messages.
async fn conversation(nightshift: &Nightshift) -> String {
    let path = nightshift.conversation(business::booking()).await;
    nightshift.texts().delivered().until(1).await;
    path
}

async fn write(nightshift: &Nightshift, path: &str, body: &str) {
    nightshift.post(path, json!({"body": body})).await.expect(200);
}

fn inject(nightshift: &Nightshift, fault: Fault) {
    nightshift.simulator.twilio().inject(FaultRule::new(fault));
}

/// How many texts whose words contain `part` the client got.
fn received(nightshift: &Nightshift, part: &str) -> usize {
    nightshift.simulator.twilio().read(|ledger| ledger.to(CLIENT).filter(|text| text.body.contains(part)).count())
}

/// All texts but the confirmation: status and reason.
async fn texts(nightshift: &Nightshift) -> Vec<(String, Option<String>)> {
    nightshift.texts().posted().all().await.into_iter().map(|text| (text.status, text.error_code)).collect()
}

/// Texts of somebody else between the same numbers, of which this program knows nothing; their SIDs.
async fn strange_texts(nightshift: &Nightshift, count: usize) -> Vec<String> {
    let account = fast_account();
    let (base_url, http) = (nightshift.simulator.base_url(), http_client().unwrap());
    let client = TwilioClient::new(&base_url, account.account_sid, account.auth_token, http).unwrap();
    let mut sids = Vec::new();
    for number in 0..count {
        let body = format!("strange text {number}");
        let message = SendMessage {
            from: OURS.into(),
            to: CLIENT.into(),
            body,
            status_callback: None,
            intent: Intent::Notification,
        };
        sids.push(client.send(&message).await.unwrap().sid);
    }
    sids
}

async fn a_text_that_the_provider_shows_otherwise_is_not_sent_again(engine: Engine) {
    on(engine, async |nightshift| {
        let path = conversation(&nightshift).await;
        let shown = [Fault::StaysQueued, Fault::TrialPrefix, Fault::LineEndsChanged, Fault::ListLags];
        for (number, fault) in shown.into_iter().enumerate() {
            inject(&nightshift, fault);
            // Reports about a text whose SID is not known yet are asked after again and again, which takes long.
            inject(&nightshift, Fault::CallbacksNone);
            inject(&nightshift, Fault::ErrorAfterStoring);
            write(&nightshift, &path, &format!("On my way.\nThis is number {number}")).await;
            nightshift.texts().unconfirmed().until(1).await;
            nightshift.texts().unsettled().skip_waits_until(0).await;
            assert_eq!(received(&nightshift, &format!("number {number}")), 1, "{fault:?}");
            let (status, code) = &texts(&nightshift).await[number];
            assert!(["sent", "delivered"].contains(&status.as_str()), "{fault:?}: {status} {code:?}");
        }
    })
    .await;
}

async fn of_texts_with_the_same_words_each_is_told_from_the_other(engine: Engine) {
    use Fault::{ErrorAfterStoring, ErrorBeforeStoring};
    on(engine, async |nightshift| {
        let path = conversation(&nightshift).await;
        // What becomes of the first and of the second; how many went out before anybody asks.
        for (faults, at_first) in [
            ([Some(ErrorAfterStoring), Some(ErrorAfterStoring)], 2),
            ([Some(ErrorAfterStoring), Some(ErrorBeforeStoring)], 1),
            ([Some(ErrorBeforeStoring), Some(ErrorAfterStoring)], 1),
            ([None, Some(ErrorBeforeStoring)], 1),
        ] {
            let body = format!("On my way, {faults:?}");
            for fault in faults {
                if let Some(fault) = fault {
                    inject(&nightshift, fault);
                }
                if fault == Some(ErrorAfterStoring) {
                    inject(&nightshift, Fault::CallbacksNone);
                }
                write(&nightshift, &path, &body).await;
                nightshift.texts().being_sent().until(0).await;
            }
            assert_eq!(received(&nightshift, &body), at_first, "{faults:?}");
            nightshift.texts().unsettled().skip_waits_until(0).await;
            assert_eq!(received(&nightshift, &body), 2, "{faults:?}");
        }
        assert_eq!(nightshift.texts().failed().count().await, 0);
        assert_eq!(nightshift.texts().without_a_sid().count().await, 0);
    })
    .await;
}

async fn a_text_is_found_behind_many_later_ones(engine: Engine) {
    on(engine, async |nightshift| {
        let path = conversation(&nightshift).await;
        inject(&nightshift, Fault::ErrorAfterStoring);
        write(&nightshift, &path, "On my way").await;
        nightshift.texts().unconfirmed().until(1).await;
        let thread = nightshift.threads().one().await.id;
        let mut tx = nightshift.db.begin().await.unwrap();
        for sid in strange_texts(&nightshift, 250).await {
            tx.query(
                "INSERT INTO message_events (id, org_id, thread_id, direction, actor_type, body, status, provider_message_sid)
                 VALUES ($1, 'org-paws', $2, 'outbound', 'owner', 'x', 'sent', $3)",
            )
            .bind(format!("known-{sid}"))
            .bind(&thread)
            .bind(sid)
            .execute()
            .await
            .unwrap();
        }
        tx.commit().await.unwrap();
        nightshift.jobs("sms.confirm_delivery").succeeded().skip_waits_until(1).await;
        nightshift.quiet().await;
        assert_eq!(received(&nightshift, "On my way"), 1);
        assert_eq!(nightshift.simulator.twilio().read(|ledger| ledger.requests().list), 2);
        assert_eq!(nightshift.texts().failed().count().await, 0);
    })
    .await;
}

async fn where_a_text_may_have_left_nothing_is_sent_and_people_see_it(engine: Engine) {
    on(engine, async |nightshift| {
        let path = conversation(&nightshift).await;
        inject(&nightshift, Fault::ErrorBeforeStoring);
        write(&nightshift, &path, "On my way").await;
        nightshift.texts().unconfirmed().until(1).await;
        strange_texts(&nightshift, 1).await;
        nightshift.jobs("sms.confirm_delivery").succeeded().skip_waits_until(1).await;
        nightshift.quiet().await;
        assert_eq!(received(&nightshift, "On my way"), 0);
        assert_eq!(texts(&nightshift).await, [("failed".to_owned(), Some("possibly_sent".to_owned()))]);
        let shown = nightshift.get("/api/exceptions?type=sms_undelivered").await.expect(200).json();
        assert_eq!(shown["exceptions"][0]["detail"]["errorCode"], "possibly_sent", "{shown}");
    })
    .await;
}

async fn a_text_that_is_not_in_the_list_is_sent_again_once(engine: Engine) {
    on(engine, async |nightshift| {
        let path = conversation(&nightshift).await;
        inject(&nightshift, Fault::ErrorBeforeStoring);
        write(&nightshift, &path, "On my way").await;
        nightshift.texts().unconfirmed().until(1).await;
        nightshift.pass(Duration::from_secs(150)).await;
        assert_eq!(received(&nightshift, "On my way"), 0, "one look is not enough: lists lag");
        nightshift.texts().unsettled().skip_waits_until(0).await;
        nightshift.quiet().await;
        assert_eq!(received(&nightshift, "On my way"), 1);
    })
    .await;
}

/// Makes the job due that asks the provider, before its time.
async fn ask_now(nightshift: &Nightshift) {
    let queue = &nightshift.app.queue;
    let job = nightshift.jobs("sms.confirm_delivery").queued().one().await.id;
    let mut tx = nightshift.db.begin().await.unwrap();
    queue.run_now(&mut tx, &job).await.unwrap();
    tx.commit().await.unwrap();
    nightshift.quiet().await;
}

async fn a_list_from_a_time_when_the_text_might_still_leave_does_not_count(engine: Engine) {
    on(engine, async |nightshift| {
        let path = conversation(&nightshift).await;
        inject(&nightshift, Fault::ErrorBeforeStoring);
        write(&nightshift, &path, "On my way").await;
        nightshift.texts().unconfirmed().until(1).await;
        ask_now(&nightshift).await;
        nightshift.pass(Duration::from_secs(61)).await;
        assert_eq!(nightshift.simulator.twilio().read(|ledger| ledger.requests().list), 2);
        assert_eq!(received(&nightshift, "On my way"), 0, "the first list proves nothing");
        nightshift.pass(Duration::from_secs(61)).await;
        assert_eq!(received(&nightshift, "On my way"), 1);
    })
    .await;
}

/// A text is sent again and its outcome is unknown again, while the job that asks about it has not ended.
async fn a_list_about_an_earlier_attempt_does_not_count(engine: Engine) {
    on(engine, async |nightshift| {
        let path = conversation(&nightshift).await;
        inject(&nightshift, Fault::ErrorBeforeStoring);
        write(&nightshift, &path, "On my way").await;
        nightshift.texts().unconfirmed().until(1).await;
        nightshift.pass(Duration::from_secs(125)).await;
        let lists = || nightshift.simulator.twilio().read(|ledger| ledger.requests().list);
        assert_eq!(lists(), 1, "of two");
        nightshift.clock.advance(Duration::from_millis(1));
        let later = "UPDATE effects SET asked_at = $1 WHERE state = 'unknown'";
        nightshift.db.write(later).bind(nightshift.clock.now()).execute().await.unwrap();
        nightshift.pass(Duration::from_secs(125)).await;
        assert!(lists() >= 3, "{}", lists());
        assert_eq!(received(&nightshift, "On my way"), 0, "one list about the later attempt is not enough");
        nightshift.pass(Duration::from_secs(61)).await;
        assert_eq!(received(&nightshift, "On my way"), 1);
    })
    .await;
}

async fn a_text_that_is_found_brings_along_what_became_of_it(engine: Engine) {
    on(engine, async |nightshift| {
        let path = conversation(&nightshift).await;
        inject(&nightshift, Fault::Failed);
        inject(&nightshift, Fault::ErrorAfterStoring);
        write(&nightshift, &path, "On my way").await;
        nightshift.jobs("sms.confirm_delivery").succeeded().skip_waits_until(1).await;
        nightshift.quiet().await;
        assert_eq!(texts(&nightshift).await, [("failed".to_owned(), Some("30007".to_owned()))]);
        assert_eq!(received(&nightshift, "On my way"), 1);
    })
    .await;
}

/// The first attempt lost its lease while it waited for the provider. The second has just found that it may have sent the
/// text when the first proves that nothing left, and puts the text back to be sent.
async fn a_text_that_a_slow_attempt_puts_back_while_another_finds_out_is_sent(engine: Engine) {
    on(engine, async |nightshift| {
        let path = conversation(&nightshift).await;
        let db = &nightshift.db;
        nightshift.pause("sms").await;
        write(&nightshift, &path, "On my way").await;
        db.write(
            "INSERT INTO effects (id, kind, business_key, mode, state)
             SELECT 'first', 'sms', id, 'live', 'asked' FROM message_events WHERE status = 'queued'",
        )
        .execute()
        .await
        .unwrap();
        // Stands for the first attempt, whose change comes between two transactions of the second.
        let put_back: &[&str] = match db.engine() {
            Engine::Sqlite => {
                &["CREATE TRIGGER put_back AFTER UPDATE OF status ON message_events WHEN new.status = 'sending'
                 BEGIN UPDATE message_events SET status = 'queued' WHERE id = new.id; END"]
            }
            Engine::Postgres => &[
                "CREATE FUNCTION put_back() RETURNS trigger LANGUAGE plpgsql AS
                 $$ BEGIN new.status := 'queued'; RETURN new; END $$",
                "CREATE TRIGGER put_back BEFORE UPDATE OF status ON message_events FOR EACH ROW
                 WHEN (new.status = 'sending') EXECUTE FUNCTION put_back()",
            ],
        };
        for statement in put_back {
            db.write(statement).execute().await.unwrap();
        }
        nightshift.resume("sms").await;
        nightshift.effects("sms").in_state("unknown").until(1).await;
        assert_eq!(nightshift.effects("sms").in_state("unknown").one().await.id, "first");
        let drop = match db.engine() {
            Engine::Sqlite => "DROP TRIGGER put_back",
            Engine::Postgres => "DROP TRIGGER put_back ON message_events",
        };
        db.write(drop).execute().await.unwrap();
        db.write("UPDATE effects SET state = 'reserved' WHERE id = 'first'").execute().await.unwrap();
        nightshift.texts().unsettled().skip_waits_until(0).await;
        nightshift.quiet().await;
        assert_eq!(received(&nightshift, "On my way"), 1);
    })
    .await;
}

/// The job that has the text sent again has committed that, but its own result is not stored yet when the answer to the
/// resend is lost.
async fn a_text_whose_resend_is_unclear_before_the_look_up_is_stored_is_looked_up_again(engine: Engine) {
    on(engine, async |nightshift| {
        let path = conversation(&nightshift).await;
        inject(&nightshift, Fault::ErrorBeforeStoring);
        write(&nightshift, &path, "On my way").await;
        nightshift.texts().unconfirmed().until(1).await;
        nightshift.pass(Duration::from_secs(125)).await;
        inject(&nightshift, Fault::CallbacksNone);
        inject(&nightshift, Fault::ErrorAfterStoring);
        failpoint::arm("finish.before_commit", Action::Error, u32::MAX);
        nightshift.clock.advance(Duration::from_secs(61));
        let again = "SELECT count(*) FROM message_events WHERE status = 'unconfirmed' AND resends = 1";
        nightshift.until(again, 1).await;
        failpoint::disarm_all();
        assert_eq!(received(&nightshift, "On my way"), 1);
        nightshift.texts().unsettled().skip_waits_until(0).await;
        assert_eq!(received(&nightshift, "On my way"), 1);
        assert_eq!(nightshift.texts().failed().count().await, 0);
    })
    .await;
}

/// Twilio lists the reply between the numbers of the offer's text.
async fn a_reply_in_an_answer_to_a_webhook_is_not_taken_for_an_unclear_text(engine: Engine) {
    const SAM: &str = "+15550100001";
    const DESK: &str = "+15550199000";
    on(engine, async |nightshift| {
        let desk = json!({"id": "number-desk", "orgId": "org-paws", "e164": DESK, "numberClass": "front_desk",
                          "provider": "twilio"});
        business::load(&nightshift.db, json!({"numbers": [desk]})).await;
        let twilio = nightshift.simulator.twilio();
        twilio.set_inbound_url(format!("{}/api/twilio/inbound", nightshift.app.url()));
        twilio.receive(InboundSpec::new(SAM, DESK, "YES")).await;
        let replies = twilio.read(|ledger| {
            ledger.to(SAM).filter(|text| text.direction == Direction::OutboundReply && text.from == DESK).count()
        });
        assert_eq!(replies, 1);
        inject(&nightshift, Fault::ErrorBeforeStoring);
        let booking = nightshift.book_as(booking_of(1)).await;
        let body = json!({"sitterIds": ["sitter-sam"]});
        nightshift.post(&format!("/api/bookings/{booking}/offers"), body).await.expect(201);
        nightshift.texts().unconfirmed().until(1).await;
        nightshift.texts().unsettled().skip_waits_until(0).await;
        assert_eq!(nightshift.texts().failed().count().await, 0);
        let offers = twilio.read(|ledger| ledger.to(SAM).filter(|text| text.body.starts_with("New booking")).count());
        assert_eq!(offers, 1);
    })
    .await;
}
