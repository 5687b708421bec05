//! Replies to texts: each leaves once, in the answer to the webhook or as a text, whatever happens to either.

use std::time::Duration;

use nightshift::config::Settings;
use nightshift_db::Engine;
use nightshift_db::failpoint::{self, Action};
use nightshift_db::testing::each_engine;
use serde_json::json;
use tokio::task::JoinSet;

use crate::support::business;
use crate::support::nightshift::on_with;
use crate::support::twilio::{InboundText, deliver};
use crate::support::{Answer, Nightshift};

each_engine! {
    a_reply_that_takes_too_long_to_take_leaves_as_one_text(flavor = "multi_thread"),
    a_repeated_delivery_gets_its_reply_although_no_more_may_wait(flavor = "multi_thread"),
    when_no_more_may_wait_each_reply_leaves_once(flavor = "multi_thread"),
    a_reply_whose_job_is_cancelled_fails_visibly_and_a_retry_sends_it(flavor = "multi_thread"),
}

const SAM: &str = "+15550100001";
const DESK: &str = "+15550199000";
const EMPTY: &str = "<Response/>";
const NONE: &str = "You have no open offers.";

/// Runs `test` on a business with a front desk.
async fn on(engine: Engine, configure: impl FnOnce(&mut Settings), test: impl AsyncFnOnce(Nightshift)) {
    on_with(engine, configure, async |nightshift| {
        let desk = json!({"id": "number-desk", "orgId": "org-paws", "e164": DESK, "numberClass": "front_desk",
                          "provider": "twilio"});
        business::load(&nightshift.db, json!({"numbers": [desk]})).await;
        test(nightshift).await;
    })
    .await;
}

/// A sitter's text that expects a reply. Returns the answer's TwiML.
async fn text(nightshift: &Nightshift, sid: &str) -> String {
    let text = InboundText { sid, from: SAM, to: DESK, body: "YES" };
    Answer::to(deliver(&nightshift.http, &nightshift.app.url(), text)).await.expect(200).text
}

fn one_waits(settings: &mut Settings) {
    settings.twilio.replies_awaited_max = 1;
}

/// The TwiML that carries the reply.
fn carried() -> String {
    format!("<Response><Message>{NONE}</Message></Response>")
}

/// How often the reply left as a text.
fn left(nightshift: &Nightshift) -> usize {
    nightshift.simulator.twilio().read(|ledger| ledger.to(SAM).filter(|text| text.body == NONE).count())
}

async fn a_reply_that_takes_too_long_to_take_leaves_as_one_text(engine: Engine) {
    let taken_soon = |settings: &mut Settings| {
        settings.twilio.reply_wait = Duration::from_secs(2);
        settings.twilio.reply_take = Duration::from_millis(50);
    };
    on(engine, taken_soon, async |nightshift| {
        failpoint::arm("twilio.reply.before_commit", Action::DelayMs(3_600_000), 1);
        assert_eq!(text(&nightshift, "SM1").await, EMPTY);
        nightshift.texts().posted().delivered().until(1).await;
        assert_eq!(left(&nightshift), 1);
        assert_eq!(text(&nightshift, "SM1").await, EMPTY);
    })
    .await;
}

async fn a_repeated_delivery_gets_its_reply_although_no_more_may_wait(engine: Engine) {
    on(engine, one_waits, async |nightshift| {
        assert_eq!(text(&nightshift, "SM1").await, carried());
        nightshift.pause("webhooks").await;
        let again = async {
            nightshift.all_webhooks().until(2).await;
            let again = text(&nightshift, "SM1").await;
            nightshift.resume("webhooks").await;
            again
        };
        let (waited, again) = tokio::join!(text(&nightshift, "SM2"), again);
        assert_eq!((waited, again), (carried(), carried()));
    })
    .await;
}

/// Several texts arrive while one request may wait. Whichever waits, its answer carries the reply; the replies to the
/// others leave as texts.
async fn when_no_more_may_wait_each_reply_leaves_once(engine: Engine) {
    const TEXTS: usize = 4;
    on(engine, one_waits, async |nightshift| {
        nightshift.pause("webhooks").await;
        let mut answers: JoinSet<String> = JoinSet::new();
        for number in 0..TEXTS {
            let (sid, url) = (format!("SM{number}"), nightshift.app.url());
            let request = deliver(&nightshift.http, &url, InboundText { sid: &sid, from: SAM, to: DESK, body: "YES" });
            answers.spawn(async { Answer::to(request).await.expect(200).text });
        }
        for _ in 1..TEXTS {
            assert_eq!(answers.join_next().await.unwrap().unwrap(), EMPTY, "it may not wait");
        }
        nightshift.resume("webhooks").await;
        assert_eq!(answers.join_next().await.unwrap().unwrap(), carried());
        nightshift.webhooks("twilio").handled().until(i64::try_from(TEXTS).unwrap()).await;
        nightshift.pass(Duration::from_secs(60)).await;
        assert_eq!(left(&nightshift), TEXTS - 1, "one for each answer that did not carry it");
        let channels = "SELECT count(*) FROM webhook_inbox WHERE reply_channel = 'twiml'";
        assert_eq!(nightshift.count(channels).await, 1);
        for number in 0..TEXTS {
            text(&nightshift, &format!("SM{number}")).await;
        }
        nightshift.pass(Duration::from_secs(60)).await;
        assert_eq!(left(&nightshift), TEXTS - 1);
    })
    .await;
}

async fn a_reply_whose_job_is_cancelled_fails_visibly_and_a_retry_sends_it(engine: Engine) {
    on(
        engine,
        |settings| settings.twilio.reply_wait = Duration::ZERO,
        async |nightshift| {
            nightshift.pause("webhooks").await;
            assert_eq!(text(&nightshift, "SM1").await, EMPTY);
            nightshift.resume("webhooks").await;
            nightshift.jobs("sms.reply_fallback").until_with_the_clock_standing(1).await;
            let job = nightshift.jobs("sms.reply_fallback").one().await.id;
            let (registry, queue) = (nightshift_jobs::registry(), &nightshift.app.queue);
            let mut tx = nightshift.db.begin().await.unwrap();
            registry.cancel(queue, &mut tx, &job).await.unwrap();
            tx.commit().await.unwrap();
            let failed = nightshift.texts().failed().one().await;
            assert_eq!(failed.error_code.as_deref(), Some("cancelled"));
            assert_eq!(nightshift.open_exceptions("sms_undelivered").count().await, 1);
            assert_eq!(text(&nightshift, "SM1").await, EMPTY, "it was given up");

            let mut tx = nightshift.db.begin().await.unwrap();
            registry.retry(queue, &mut tx, &job, None).await.unwrap();
            tx.commit().await.unwrap();
            nightshift.texts().posted().delivered().until(1).await;
            assert_eq!(left(&nightshift), 1);
            assert_eq!(nightshift.open_exceptions("sms_undelivered").count().await, 0);
        },
    )
    .await;
}
