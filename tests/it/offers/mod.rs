//! Offers of bookings to sitters, answered by API and by text.

mod at_once;
mod by_text;
mod life;
mod rights;

use std::time::Duration;

use nightshift::config::Settings;
use nightshift_db::Engine;
use serde_json::{Value, json};

use crate::support::business;
use crate::support::nightshift::on_with;
use crate::support::probes::offers::Offer;
use crate::support::twilio::{InboundText, deliver};
use crate::support::{Answer, Nightshift};

const SAM: &str = "+15550100001";
const ANN: &str = "+15550100003";
const DESK: &str = "+15550199000";
const TAKEN: &str = "That booking was already taken.";
const NONE: &str = "You have no open offers.";
const EXPIRED: &str = "That offer has expired.";
const WALK: &str = "dog walking on Tue 31 Dec 2024 10:00.";

/// Runs `test` on a business with a front desk and two sitters.
async fn on(engine: Engine, test: impl AsyncFnOnce(Nightshift)) {
    on_business(engine, |_| {}, test).await;
}

/// As [`on`], with other settings.
async fn on_business(engine: Engine, configure: impl FnOnce(&mut Settings), test: impl AsyncFnOnce(Nightshift)) {
    on_with(engine, configure, async |nightshift| {
        business::load(
            &nightshift.db,
            json!({
                "sitters": [{"id": "sitter-ann", "orgId": "org-paws", "name": "Ann", "phone": ANN}],
                "numbers": [{"id": "number-desk", "orgId": "org-paws", "e164": DESK, "numberClass": "front_desk",
                             "provider": "twilio"}],
            }),
        )
        .await;
        test(nightshift).await;
    })
    .await;
}

async fn offer(nightshift: &Nightshift, booking: &str, sitters: &[&str]) -> Vec<Value> {
    let made = nightshift.post(&format!("/api/bookings/{booking}/offers"), json!({"sitterIds": sitters})).await;
    made.expect(201).json()["offers"].as_array().unwrap().clone()
}

async fn answer(nightshift: &Nightshift, sitter: &str, booking: &str, answer: &str) -> Answer {
    nightshift.post(&format!("/api/sitter/{sitter}/bookings/{booking}/{answer}"), json!({})).await
}

/// A text to the front desk, as Twilio delivers it. Returns the answer's TwiML.
async fn text(nightshift: &Nightshift, from: &str, sid: &str, body: &str) -> String {
    let text = InboundText { sid, from, to: DESK, body };
    let request = deliver(&nightshift.http, &nightshift.app.url(), text);
    Answer::to(request).await.expect(200).text
}

/// The TwiML that carries a reply.
fn carries(reply: &str) -> String {
    format!("<Response><Message>{reply}</Message></Response>")
}

const EMPTY: &str = "<Response/>";

/// The texts that left for a phone, oldest first.
fn sent(nightshift: &Nightshift, to: &str) -> Vec<String> {
    let ledger = nightshift.simulator.twilio().ledger();
    ledger.messages().iter().filter(|text| text.to == to).map(|text| text.body.clone()).collect()
}

/// What was stored of replies: their words, and their status.
async fn replies(nightshift: &Nightshift) -> Vec<(String, String)> {
    nightshift.rows("SELECT body, status FROM message_events WHERE actor_type = 'system' ORDER BY id").await
}

async fn sitter_of(nightshift: &Nightshift, booking: &str) -> Option<String> {
    let shown = nightshift.get(&format!("/api/bookings/{booking}")).await.expect(200).json();
    shown["booking"]["sitterId"].as_str().map(str::to_owned)
}

async fn only_offer(nightshift: &Nightshift) -> Offer {
    nightshift.offers().one().await
}

async fn keeps_its_promises(nightshift: &Nightshift) {
    nightshift.quiet().await;
    let broken = nightshift_jobs::promises::broken_for(&nightshift.app.queue, Duration::ZERO).await.unwrap();
    assert!(broken.is_empty(), "{broken:?}");
}
