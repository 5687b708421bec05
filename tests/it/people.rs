//! People who text, as the simulated carriers deliver their texts: doubled, late, out of order, and in answer to ours.

use std::time::Duration;

use nightshift_db::Engine;
use nightshift_db::testing::each_engine;
use nightshift_lab::simulator::{Direction, InboundSpec, Person, Reaction};
use serde_json::json;

use crate::support::{Nightshift, business, on};

each_engine! {
    texts_that_come_doubled_late_and_out_of_order_are_each_stored_once(flavor = "multi_thread"),
    a_sitter_answers_an_offer_through_the_carrier_that_brought_it(flavor = "multi_thread"),
}

const CLIENT: &str = "+15550177001";
const POOL: &str = "+15550199001";
const DESK: &str = "+15550199000";
const SITTER: &str = "+15550100001";
const PATIENCE: Duration = Duration::from_secs(30);

/// Has the simulated Twilio deliver texts to the program.
fn connect(nightshift: &Nightshift) {
    let url = format!("{}/api/twilio/inbound#rc=3&rp=ct,rt,5xx", nightshift.app.url());
    nightshift.simulator.twilio().set_inbound_url(url);
}

async fn texts_that_come_doubled_late_and_out_of_order_are_each_stored_once(engine: Engine) {
    on(engine, async |nightshift| {
        connect(&nightshift);
        let twilio = nightshift.simulator.twilio();
        let text = |body: &str| InboundSpec::new(CLIENT, POOL, body);
        let [second, _] = twilio.receive_swapped(text("two"), text("three")).await;
        let report =
            twilio.receive(text("one, four times at once").media_url("https://a.example/1.jpg").at_once(4)).await;
        assert!(report.deliveries.iter().all(|delivery| delivery.answer == "<Response/>"), "{report:?}");
        let late = twilio.receive(text("STOP").opt_out_type("STOP").late(Duration::from_millis(20)).copies(2));
        let (_, again) = tokio::join!(late, twilio.redeliver(&second.id));
        assert!(again.unwrap().taken());
        nightshift.all_webhooks().processed().until(4).await;
        nightshift.quiet().await;
        let stored: Vec<(String, i64)> = nightshift
            .rows(
                "SELECT m.body, CAST(w.deliveries AS BIGINT) FROM message_events m JOIN webhook_inbox w ON w.id = m.id
                 WHERE m.direction = 'inbound' ORDER BY m.body",
            )
            .await;
        let expected = [("STOP", 2), ("one, four times at once", 4), ("three", 1), ("two", 2)];
        assert_eq!(stored, expected.map(|(body, deliveries)| (body.to_owned(), deliveries)));
        assert_eq!(nightshift.threads().count().await, 1);
        assert_eq!(nightshift.count("SELECT count(*) FROM routing_traces").await, 4);
        assert!(twilio.read(|ledger| ledger.blocks(POOL, CLIENT) && ledger.messages().is_empty()));
    })
    .await;
}

async fn a_sitter_answers_an_offer_through_the_carrier_that_brought_it(engine: Engine) {
    for carrier in ["twilio", "openphone"] {
        on(engine, async |nightshift| {
            connect(&nightshift);
            let desk = json!({"numbers": [{"id": "number-desk", "orgId": "org-paws", "e164": DESK,
                                           "numberClass": "front_desk", "provider": carrier}]});
            business::load(&nightshift.db, desk).await;
            let answers = Person::new(SITTER).with(Reaction::say("Yes!").to_texts_with("Reply YES"));
            nightshift.simulator.people().add(answers);
            let booking = nightshift.book().await;
            let path = format!("/api/bookings/{booking}/offers");
            nightshift.post(&path, json!({"sitterIds": ["sitter-sam"]})).await.expect(201);
            nightshift.events("offer.accepted").until(1).await;

            let (twilio, openphone) = (nightshift.simulator.twilio(), nightshift.simulator.openphone());
            if carrier == "twilio" {
                let told = |text: &nightshift_lab::simulator::StoredMessage| text.direction == Direction::OutboundReply;
                assert!(twilio.wait_until(PATIENCE, |ledger| ledger.to(SITTER).any(told)).await, "no reply in TwiML");
            } else {
                let told = |text: &nightshift_lab::simulator::OpenPhoneMessage| text.text.starts_with("Accepted: ");
                nightshift.texts().sent().until(2).await;
                assert!(openphone.wait_until(PATIENCE, |ledger| ledger.to(SITTER).any(told)).await, "no reply");
                assert_eq!(twilio.read(|ledger| ledger.to(SITTER).count()), 0);
            }
            nightshift.pass(Duration::from_secs(10)).await;
            let confirmations = twilio
                .read(|ledger| ledger.to(SITTER).filter(|text| text.body.starts_with("Accepted")).count())
                + openphone.read(|ledger| ledger.to(SITTER).filter(|text| text.text.starts_with("Accepted")).count());
            assert_eq!(confirmations, 1);
        })
        .await;
    }
}
