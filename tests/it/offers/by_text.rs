//! Sitters answer offers by text, and are told in the answer to the webhook or by a text.

use std::time::Duration;

use nightshift::config::Settings;
use nightshift_db::Engine;
use nightshift_db::testing::each_engine;
use serde_json::json;

use super::{
    ANN, DESK, EMPTY, EXPIRED, NONE, SAM, TAKEN, WALK, answer, carries, keeps_its_promises, offer, on, on_business,
    only_offer, replies, sent, sitter_of, text,
};
use crate::support::business::{self, booking_of};
use crate::support::twilio::{InboundText, deliver};
use crate::support::{Answer, Nightshift};

each_engine! {
    a_sitter_accepts_by_text_and_is_told_in_the_answer(flavor = "multi_thread"),
    a_sitter_declines_by_text(flavor = "multi_thread"),
    a_repeated_text_gets_the_same_confirmation_and_changes_nothing(flavor = "multi_thread"),
    several_offers_are_listed_and_told_apart_by_their_codes(flavor = "multi_thread"),
    who_answers_too_late_is_told_why(flavor = "multi_thread"),
    a_slow_job_leaves_the_reply_to_one_text(flavor = "multi_thread"),
    who_said_stop_gets_no_reply_and_has_the_booking_all_the_same(flavor = "multi_thread"),
    an_offer_is_told_from_the_sitters_own_number_while_they_have_one(flavor = "multi_thread"),
}

async fn a_sitter_accepts_by_text_and_is_told_in_the_answer(engine: Engine) {
    on(engine, async |nightshift| {
        let booking = nightshift.book().await;
        offer(&nightshift, &booking, &["sitter-sam"]).await;
        nightshift.events("offer.sent").until(1).await;
        nightshift.pass(Duration::from_secs(5)).await;
        assert_eq!(
            sent(&nightshift, SAM),
            ["New booking: dog walking, Tue 31 Dec 2024 10:00. Reply YES to accept or NO to decline. Offer 1, expires \
              Mon 30 Dec 2024 00:00."]
        );
        nightshift.clock.advance(Duration::from_secs(125));
        let asked_at = only_offer(&nightshift).await.expires_at - Duration::from_secs(7200);
        let accepted = text(&nightshift, SAM, "SM1", " yes! ").await;
        assert_eq!(accepted, carries(&format!("Accepted: {WALK}")));
        assert_eq!(sitter_of(&nightshift, &booking).await.as_deref(), Some("sitter-sam"));
        let offer = only_offer(&nightshift).await;
        assert_eq!((offer.status.as_str(), offer.answered_via.as_deref()), ("accepted", Some("sms")));
        let seconds = offer.accepted_at.unwrap().since(asked_at).as_secs();
        assert_eq!(offer.response_seconds, Some(i64::try_from(seconds).unwrap()));
        for event in ["offer.created", "offer.sent", "offer.accepted", "booking.updated"] {
            assert_eq!(nightshift.events(event).count().await, 1, "{event}");
        }
        // The reply stands in the conversation, and no text repeats it.
        nightshift.pass(Duration::from_secs(30)).await;
        assert_eq!(replies(&nightshift).await, [(format!("Accepted: {WALK}"), "sent".to_owned())]);
        assert_eq!(sent(&nightshift, SAM)[1..], ["You are assigned: dog walking, Tue 31 Dec 2024 10:00."]);
        assert_eq!(nightshift.jobs("sms.reply_fallback").succeeded().count().await, 1);
        keeps_its_promises(&nightshift).await;
    })
    .await;
}

async fn a_sitter_declines_by_text(engine: Engine) {
    on(engine, async |nightshift| {
        let booking = nightshift.book().await;
        offer(&nightshift, &booking, &["sitter-sam"]).await;
        assert_eq!(text(&nightshift, SAM, "SM1", "no.").await, carries(&format!("Declined: {WALK}")));
        assert_eq!(text(&nightshift, SAM, "SM2", "No").await, carries(&format!("Declined: {WALK}")), "once more");
        assert_eq!(text(&nightshift, SAM, "SM3", "Yes I can come").await, EMPTY, "an ordinary text");
        assert_eq!(text(&nightshift, SAM, "SM4", "yes").await, carries(NONE));
        let offer = only_offer(&nightshift).await;
        assert_eq!((offer.status.as_str(), offer.answered_via.as_deref()), ("declined", Some("sms")));
        assert!(offer.declined_at.is_some() && offer.accepted_at.is_none());
        assert_eq!(sitter_of(&nightshift, &booking).await, None);
        assert_eq!(nightshift.events("offer.declined").count().await, 1);
        let told = nightshift.open_exceptions("offer_unfilled").one().await;
        assert_eq!(told.booking_id.as_deref(), Some(booking.as_str()));
    })
    .await;
}

async fn a_repeated_text_gets_the_same_confirmation_and_changes_nothing(engine: Engine) {
    on(engine, async |nightshift| {
        let booking = nightshift.book().await;
        offer(&nightshift, &booking, &["sitter-sam"]).await;
        let confirmation = carries(&format!("Accepted: {WALK}"));
        assert_eq!(text(&nightshift, SAM, "SM1", "YES").await, confirmation);
        let accepted_at = only_offer(&nightshift).await.accepted_at;
        for _ in 0..2 {
            assert_eq!(text(&nightshift, SAM, "SM1", "YES").await, confirmation, "the same delivery");
        }
        nightshift.clock.advance(Duration::from_secs(60));
        assert_eq!(text(&nightshift, SAM, "SM2", "yes").await, confirmation, "another text");
        answer(&nightshift, "sitter-sam", &booking, "accept").await.expect(200);
        assert_eq!(only_offer(&nightshift).await.accepted_at, accepted_at);
        assert_eq!(nightshift.events("offer.accepted").count().await, 1);
        let shown = nightshift.get(&format!("/api/bookings/{booking}")).await.json();
        assert_eq!(shown["booking"]["version"], 2);
        assert_eq!(replies(&nightshift).await.len(), 2);
        nightshift.pass(Duration::from_secs(30)).await;
        assert_eq!(nightshift.automation_runs("sitterAssignment").count().await, 1);
        // Two texts were about the offer and the assignment; no reply left as a text.
        assert!(!sent(&nightshift, SAM).iter().any(|text| text.starts_with("Accepted")));
        assert_eq!(text(&nightshift, SAM, "SM1", "YES").await, confirmation, "the fallback has nothing to do");
    })
    .await;
}

async fn several_offers_are_listed_and_told_apart_by_their_codes(engine: Engine) {
    on(engine, async |nightshift| {
        let mut bookings = Vec::new();
        for number in 0..3 {
            let mut body = booking_of(number);
            body["startAt"] = json!(format!("2024-12-31T1{number}:00:00Z"));
            body["endAt"] = json!(format!("2024-12-31T1{number}:30:00Z"));
            bookings.push(nightshift.book_as(body).await);
        }
        for booking in &bookings[..2] {
            offer(&nightshift, booking, &["sitter-sam"]).await;
        }
        let list = "You have 2 offers: 1) dog walking on Tue 31 Dec 2024 10:00. 2) dog walking on Tue 31 Dec 2024 \
                    11:00. Reply YES 1 or NO 1.";
        assert_eq!(text(&nightshift, SAM, "SM1", "yes").await, carries(list));
        let reply = text(&nightshift, SAM, "SM2", "yes 7").await;
        assert_eq!(reply, carries(&format!("There is no open offer 7. {list}")));
        assert_eq!(text(&nightshift, SAM, "SM3", "NO#1").await, carries(&format!("Declined: {WALK}")));
        // The code is free again.
        let made = offer(&nightshift, &bookings[2], &["sitter-sam"]).await;
        assert_eq!(made[0]["code"], 1);
        let second = carries("Accepted: dog walking on Tue 31 Dec 2024 11:00.");
        assert_eq!(text(&nightshift, SAM, "SM4", "Yes 2").await, second);
        assert_eq!(text(&nightshift, SAM, "SM5", "Yes 2").await, second, "once more");
        let third = carries("Accepted: dog walking on Tue 31 Dec 2024 12:00.");
        assert_eq!(text(&nightshift, SAM, "SM6", "accept").await, third);
        assert_eq!(text(&nightshift, SAM, "SM7", "yes 9").await, carries(&format!("There is no open offer 9. {NONE}")));
        let holders = [None, Some("sitter-sam"), Some("sitter-sam")];
        for (booking, holder) in bookings.iter().zip(holders) {
            assert_eq!(sitter_of(&nightshift, booking).await.as_deref(), holder);
        }
    })
    .await;
}

async fn who_answers_too_late_is_told_why(engine: Engine) {
    on(engine, async |nightshift| {
        assert_eq!(text(&nightshift, SAM, "SM0", "yes").await, carries(NONE));
        let booking = nightshift.book().await;
        offer(&nightshift, &booking, &["sitter-sam", "sitter-ann"]).await;
        assert_eq!(text(&nightshift, ANN, "SM1", "YES").await, carries(&format!("Accepted: {WALK}")));
        assert_eq!(text(&nightshift, SAM, "SM2", "YES").await, carries(TAKEN));
        assert_eq!(text(&nightshift, SAM, "SM3", "NO").await, carries(TAKEN));
        assert_eq!(answer(&nightshift, "sitter-sam", &booking, "accept").await.expect(409).code(), "booking_taken");

        let body = json!({"sitterIds": ["sitter-sam"], "expiresInMinutes": 1});
        let other = nightshift.book_as(booking_of(1)).await;
        nightshift.post(&format!("/api/bookings/{other}/offers"), body).await.expect(201);
        // Nobody has ended it yet, and yet its time is over.
        nightshift.pause("bookings").await;
        nightshift.clock.advance(Duration::from_secs(61));
        assert_eq!(text(&nightshift, SAM, "SM4", "YES").await, carries(EXPIRED));
        let late = answer(&nightshift, "sitter-sam", &other, "accept").await.expect(409);
        assert_eq!(late.code(), "offer_not_pending");
        nightshift.resume("bookings").await;
        nightshift.offers().in_status("expired").until(1).await;
        assert_eq!(text(&nightshift, SAM, "SM5", "YES 1").await, carries(EXPIRED));
        nightshift.clock.advance(Duration::from_secs(7 * 24 * 3600));
        assert_eq!(text(&nightshift, SAM, "SM6", "YES").await, carries(NONE), "a week later it is forgotten");
        assert_eq!(sitter_of(&nightshift, &other).await, None);
    })
    .await;
}

async fn a_slow_job_leaves_the_reply_to_one_text(engine: Engine) {
    let waits_for_none = |settings: &mut Settings| settings.twilio.reply_wait = Duration::ZERO;
    on_business(engine, waits_for_none, async |nightshift| {
        let booking = nightshift.book().await;
        offer(&nightshift, &booking, &["sitter-sam"]).await;
        nightshift.pass(Duration::from_secs(5)).await;
        nightshift.pause("webhooks").await;
        assert_eq!(text(&nightshift, SAM, "SM1", "YES").await, EMPTY);
        nightshift.resume("webhooks").await;
        nightshift.offers().in_status("accepted").until_with_the_clock_standing(1).await;
        nightshift.quiet().await;
        let reply = format!("Accepted: {WALK}");
        let left = |nightshift: &Nightshift| sent(nightshift, SAM).iter().filter(|text| **text == reply).count();
        assert_eq!(left(&nightshift), 0, "the answer to a repeated delivery may still carry it");
        nightshift.pass(Duration::from_secs(30)).await;
        assert_eq!(left(&nightshift), 1);
        assert_eq!(text(&nightshift, SAM, "SM1", "YES").await, EMPTY, "it has left as a text");
        nightshift.pass(Duration::from_secs(30)).await;
        assert_eq!(left(&nightshift), 1);
        assert_eq!(replies(&nightshift).await, [(reply.clone(), "delivered".to_owned())]);
        keeps_its_promises(&nightshift).await;
    })
    .await;
}

async fn who_said_stop_gets_no_reply_and_has_the_booking_all_the_same(engine: Engine) {
    on(engine, async |nightshift| {
        let booking = nightshift.book().await;
        offer(&nightshift, &booking, &["sitter-sam"]).await;
        nightshift.pass(Duration::from_secs(5)).await;
        assert_eq!(text(&nightshift, SAM, "SM1", "STOP").await, EMPTY);
        nightshift.quiet().await;
        let before = sent(&nightshift, SAM).len();
        assert_eq!(text(&nightshift, SAM, "SM2", "YES").await, EMPTY);
        nightshift.pass(Duration::from_secs(30)).await;
        assert_eq!(sitter_of(&nightshift, &booking).await.as_deref(), Some("sitter-sam"));
        assert_eq!(sent(&nightshift, SAM).len(), before);
        let stored = replies(&nightshift).await;
        assert_eq!(stored, [(format!("Accepted: {WALK}"), "failed".to_owned())]);
        keeps_its_promises(&nightshift).await;
    })
    .await;
}

async fn an_offer_is_told_from_the_sitters_own_number_while_they_have_one(engine: Engine) {
    const OWN: &str = "+15550199002";
    on(engine, async |nightshift| {
        let told = async |number: usize| {
            let booking = nightshift.book_as(booking_of(number)).await;
            offer(&nightshift, &booking, &["sitter-sam"]).await;
            nightshift.events("offer.sent").until(i64::try_from(number).unwrap()).await;
            nightshift.pass(Duration::from_secs(5)).await;
            let ledger = nightshift.simulator.twilio().ledger();
            let text = ledger.messages().iter().rfind(|text| text.to == SAM).unwrap();
            assert!(text.body.starts_with("New booking"), "{}", text.body);
            text.from.clone()
        };
        assert_eq!(told(1).await, DESK);
        let own = json!({"id": "number-sam", "orgId": "org-paws", "e164": OWN, "numberClass": "sitter",
                         "assignedSitterId": "sitter-sam", "provider": "twilio"});
        business::load(&nightshift.db, json!({"numbers": [own]})).await;
        assert_eq!(told(2).await, OWN);
        // It is answered there.
        let yes = InboundText { sid: "SM1", from: SAM, to: OWN, body: "YES 2" };
        let answer = Answer::to(deliver(&nightshift.http, &nightshift.app.url(), yes)).await.expect(200);
        assert_eq!(answer.text, carries(&format!("Accepted: {WALK}")));
        nightshift.pass(Duration::from_secs(5)).await;
        // The number becomes another sitter's.
        nightshift.given("UPDATE message_numbers SET assigned_sitter_id = 'sitter-ann' WHERE id = 'number-sam'").await;
        assert_eq!(told(3).await, DESK);
        assert_eq!(nightshift.all_exceptions().count().await, 0);
    })
    .await;
}
