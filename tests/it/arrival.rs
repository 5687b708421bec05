//! When a webhook arrived, however late it is stored: its time, and how long its answer may still take.

use std::time::Duration;

use nightshift_db::failpoint::{self, Action};
use nightshift_db::testing::each_engine;
use nightshift_db::{Engine, Timestamp};
use serde_json::json;

use crate::support::nightshift::on_with;
use crate::support::twilio::{InboundText, deliver};
use crate::support::{Answer, Nightshift, business, on};

each_engine! {
    a_text_that_waits_to_be_stored_came_when_it_arrived(flavor = "multi_thread"),
    a_text_that_was_stored_late_has_less_time_for_its_reply(flavor = "multi_thread"),
}

const SAM: &str = "+15550100001";
const DESK: &str = "+15550199000";
const STORED_LATE: Action = Action::DelayMs(500);

async fn desk(nightshift: &Nightshift) {
    let desk = json!({"id": "number-desk", "orgId": "org-paws", "e164": DESK, "numberClass": "front_desk",
                      "provider": "twilio"});
    business::load(&nightshift.db, json!({"numbers": [desk]})).await;
}

async fn text(nightshift: &Nightshift, body: &str) -> String {
    let text = InboundText { sid: "SM1", from: SAM, to: DESK, body };
    Answer::to(deliver(&nightshift.http, &nightshift.app.url(), text)).await.expect(200).text
}

async fn a_text_that_waits_to_be_stored_came_when_it_arrived(engine: Engine) {
    on(engine, async |nightshift| {
        desk(&nightshift).await;
        failpoint::arm("twilio", STORED_LATE, 1);
        // Time passes all along.
        let passing = async {
            loop {
                nightshift.clock.advance(Duration::from_secs(1));
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::select! {
            _ = text(&nightshift, "Hello") => {}
            () = passing => {}
        }
        nightshift.all_webhooks().processed().until(1).await;
        let times: Vec<(Timestamp, Timestamp, Timestamp)> = nightshift
            .rows(
                "SELECT m.provider_at, w.received_at, w.created_at FROM webhook_inbox w
                 JOIN message_events m ON m.id = w.id",
            )
            .await;
        let (sent, received, stored) = times[0];
        assert_eq!(sent, received);
        assert!(received < stored, "received {received}, stored {stored}");
    })
    .await;
}

async fn a_text_that_was_stored_late_has_less_time_for_its_reply(engine: Engine) {
    let soon = |settings: &mut nightshift::config::Settings| settings.twilio.reply_wait = Duration::from_millis(400);
    on_with(engine, soon, async |nightshift| {
        desk(&nightshift).await;
        failpoint::arm("twilio", STORED_LATE, 1);
        assert_eq!(text(&nightshift, "YES").await, "<Response/>");
        nightshift.texts().posted().delivered().until(1).await;
    })
    .await;
}
