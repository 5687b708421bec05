//! What an acceptance changes, and how offers end with their bookings.

use std::time::Duration;

use nightshift_db::testing::each_engine;
use nightshift_db::{Engine, Timestamp};
use serde_json::{Value, json};

use super::{
    ANN, NONE, SAM, TAKEN, WALK, answer, carries, keeps_its_promises, offer, on, only_offer, sent, sitter_of, text,
};
use crate::support::business::booking_of;

each_engine! {
    a_confirmed_booking_that_is_accepted_has_its_window_and_conversation_given_to_the_sitter,
    a_withdrawn_offer_stays_so_and_its_text_does_not_leave,
    offers_end_with_their_booking_and_move_with_it,
    an_offer_that_nobody_answers_expires_and_people_are_told,
    a_booking_whose_sitter_was_removed_can_be_offered_again(flavor = "multi_thread"),
}

async fn a_confirmed_booking_that_is_accepted_has_its_window_and_conversation_given_to_the_sitter(engine: Engine) {
    on(engine, async |nightshift| {
        let booking = nightshift.book().await;
        nightshift.post(&format!("/api/bookings/{booking}/confirm"), json!({})).await.expect(200);
        nightshift.texts().delivered().until(1).await;
        offer(&nightshift, &booking, &["sitter-sam", "sitter-ann"]).await;
        let accepted = answer(&nightshift, "sitter-ann", &booking, "accept").await.expect(200).json();
        assert_eq!(accepted["offer"]["status"], "accepted");
        assert_eq!(accepted["offer"]["service"], "dog_walking");
        assert_eq!(accepted["booking"]["sitterId"], "sitter-ann");
        let windows = nightshift.get(&format!("/api/assignments/windows?bookingId={booking}")).await.json();
        assert_eq!(windows["windows"][0]["sitterId"], "sitter-ann");
        let threads = nightshift.get(&format!("/api/messages/threads?bookingId={booking}&mailbox=all")).await.json();
        assert_eq!(
            (&threads["threads"][0]["assignedSitterId"], &threads["threads"][0]["mailbox"]),
            (&json!("sitter-ann"), &json!("sitter"))
        );
        let topics: Vec<(String, String)> = nightshift
            .rows("SELECT DISTINCT topic, event FROM stream_events WHERE event LIKE 'offer.%' ORDER BY topic, event")
            .await;
        let both = |topic: &str| ["offer.changed", "offer.new"].map(|event| (topic.to_owned(), event.to_owned()));
        let mut told = [both("sitter:sitter-ann"), both("sitter:sitter-sam")].concat();
        told.push(("windows".to_owned(), "offer.changed".to_owned()));
        assert_eq!(topics, told);
        let told: Vec<(i64,)> = nightshift
            .rows("SELECT count(*) FROM stream_events WHERE event = 'window.changed' AND topic = 'sitter:sitter-ann'")
            .await;
        assert_eq!(told, [(1,)]);
        nightshift.pass(Duration::from_secs(10)).await;
        assert_eq!(sent(&nightshift, ANN).last().unwrap(), "You are assigned: dog walking, Tue 31 Dec 2024 10:00.");
        assert_eq!(
            answer(&nightshift, "sitter-ann", &booking, "decline").await.expect(409).code(),
            "offer_not_pending"
        );
    })
    .await;
}

async fn a_withdrawn_offer_stays_so_and_its_text_does_not_leave(engine: Engine) {
    on(engine, async |nightshift| {
        nightshift.pause("sms").await;
        let booking = nightshift.book().await;
        let made = offer(&nightshift, &booking, &["sitter-sam", "sitter-ann"]).await;
        let path = |place: usize| format!("/api/offers/{}/withdraw", made[place]["id"].as_str().unwrap());
        for _ in 0..2 {
            let withdrawn = nightshift.post(&path(0), json!({})).await.expect(200).json();
            assert_eq!(withdrawn["offer"]["status"], "withdrawn");
        }
        assert_eq!(nightshift.events("offer.withdrawn").count().await, 1);
        nightshift.post("/api/offers/none/withdraw", json!({})).await.expect(404);
        nightshift.resume("sms").await;
        nightshift.pass(Duration::from_secs(10)).await;
        let told: usize = sent(&nightshift, SAM).len() + sent(&nightshift, ANN).len();
        assert_eq!(told, 1, "only the other sitter is told");
        let other = made[1]["sitterId"].as_str().unwrap();
        answer(&nightshift, other, &booking, "decline").await.expect(200);
        assert_eq!(nightshift.post(&path(1), json!({})).await.expect(409).code(), "offer_not_pending");
        keeps_its_promises(&nightshift).await;
    })
    .await;
}

async fn offers_end_with_their_booking_and_move_with_it(engine: Engine) {
    on(engine, async |nightshift| {
        let cancelled = nightshift.book_as(booking_of(1)).await;
        offer(&nightshift, &cancelled, &["sitter-sam"]).await;
        nightshift.post(&format!("/api/bookings/{cancelled}/cancel"), json!({})).await.expect(200);
        assert_eq!(nightshift.offers().in_status("withdrawn").count().await, 1, "at once");
        assert_eq!(
            answer(&nightshift, "sitter-sam", &cancelled, "accept").await.expect(409).code(),
            "offer_not_pending"
        );
        let completed = nightshift.book_as(booking_of(4)).await;
        nightshift.post(&format!("/api/bookings/{completed}/confirm"), json!({})).await.expect(200);
        offer(&nightshift, &completed, &["sitter-sam"]).await;
        nightshift.patch(&format!("/api/bookings/{completed}"), json!({"status": "completed"})).await.expect(200);
        assert_eq!(nightshift.offers().in_status("withdrawn").count().await, 2, "at once");

        let assigned = nightshift.book_as(booking_of(2)).await;
        offer(&nightshift, &assigned, &["sitter-sam"]).await;
        nightshift.patch(&format!("/api/bookings/{assigned}"), json!({"sitterId": "sitter-ann"})).await.expect(200);
        assert_eq!(answer(&nightshift, "sitter-sam", &assigned, "accept").await.expect(409).code(), "booking_taken");
        assert_eq!(nightshift.offers().in_status("superseded").count().await, 1);

        let moved = nightshift.book_as(booking_of(3)).await;
        offer(&nightshift, &moved, &["sitter-sam"]).await;
        let start: Timestamp = nightshift.clock.now() + Duration::from_secs(1800);
        let times = json!({"startAt": start, "endAt": start + Duration::from_secs(1800)});
        nightshift.patch(&format!("/api/bookings/{moved}"), times).await.expect(200);
        let shortened = nightshift.offers().in_status("pending").one().await;
        assert_eq!(shortened.expires_at, start);
        nightshift.pass(Duration::from_secs(1801)).await;
        assert_eq!(nightshift.offers().in_status("expired").count().await, 1, "without anybody asking");
        keeps_its_promises(&nightshift).await;
    })
    .await;
}

async fn an_offer_that_nobody_answers_expires_and_people_are_told(engine: Engine) {
    on(engine, async |nightshift| {
        let booking = nightshift.book().await;
        offer(&nightshift, &booking, &["sitter-sam"]).await;
        let body = json!({"sitterIds": ["sitter-ann"], "expiresInMinutes": 5});
        nightshift.post(&format!("/api/bookings/{booking}/offers"), body).await.expect(201);
        nightshift.offers().in_status("expired").skip_waits_until(1).await;
        assert_eq!(nightshift.open_exceptions("offer_unfilled").count().await, 0, "one is still open");
        nightshift.offers().in_status("expired").skip_waits_until(2).await;
        let told = nightshift.open_exceptions("offer_unfilled").one().await;
        assert_eq!(told.booking_id.as_deref(), Some(booking.as_str()));
        assert_eq!(nightshift.events("offer.expired").count().await, 2);
        // Offered again, and accepted.
        offer(&nightshift, &booking, &["sitter-ann"]).await;
        assert_eq!(nightshift.open_exceptions("offer_unfilled").count().await, 0);
        answer(&nightshift, "sitter-ann", &booking, "accept").await.expect(200);
        keeps_its_promises(&nightshift).await;
    })
    .await;
}

async fn a_booking_whose_sitter_was_removed_can_be_offered_again(engine: Engine) {
    on(engine, async |nightshift| {
        let booking = nightshift.book().await;
        nightshift.post(&format!("/api/bookings/{booking}/confirm"), json!({})).await.expect(200);
        nightshift.jobs("booking.confirm").succeeded().until(1).await;
        let holders = async || {
            let window = nightshift.get(&format!("/api/assignments/windows?bookingId={booking}")).await.json();
            let threads =
                nightshift.get(&format!("/api/messages/threads?bookingId={booking}&mailbox=all")).await.json();
            [window["windows"][0]["sitterId"].clone(), threads["threads"][0]["assignedSitterId"].clone()]
        };
        let accepted = carries(&format!("Accepted: {WALK}"));
        offer(&nightshift, &booking, &["sitter-sam"]).await;
        nightshift.clock.advance(Duration::from_secs(30));
        assert_eq!(text(&nightshift, SAM, "SM1", "YES").await, accepted);
        let first = only_offer(&nightshift).await;
        nightshift.patch(&format!("/api/bookings/{booking}"), json!({"sitterId": null})).await.expect(200);
        assert_eq!(text(&nightshift, SAM, "SM2", "YES").await, carries(NONE), "it is theirs no longer");

        offer(&nightshift, &booking, &["sitter-sam", "sitter-ann"]).await;
        assert_eq!(nightshift.offers().in_status("accepted").count().await, 0);
        let released = nightshift.offers().in_status("withdrawn").one().await;
        assert_eq!((released.accepted_at, released.response_seconds), (first.accepted_at, first.response_seconds));
        assert_eq!(text(&nightshift, ANN, "SM3", "YES").await, accepted);
        assert_eq!(text(&nightshift, SAM, "SM4", "YES").await, carries(TAKEN));
        assert_eq!(holders().await, ["sitter-ann", "sitter-ann"]);
        let offers = format!("/api/bookings/{booking}/offers");
        let again = async || nightshift.post(&offers, json!({"sitterIds": ["sitter-sam"]})).await;
        assert_eq!(again().await.expect(409).code(), "booking_taken");

        // Who is no longer active keeps the booking until it is offered to somebody else.
        nightshift.patch("/api/sitters/sitter-ann", json!({"active": false})).await.expect(200);
        assert_eq!(sitter_of(&nightshift, &booking).await.as_deref(), Some("sitter-ann"));
        again().await.expect(201);
        assert_eq!((sitter_of(&nightshift, &booking).await, holders().await), (None, [Value::Null, Value::Null]));
        assert_eq!(text(&nightshift, SAM, "SM5", "YES").await, accepted);
        assert_eq!(sitter_of(&nightshift, &booking).await.as_deref(), Some("sitter-sam"));
        assert_eq!(holders().await, ["sitter-sam", "sitter-sam"]);
        nightshift.pass(Duration::from_secs(120)).await;
        let figures = nightshift.get("/api/sitters/sitter-sam/metrics?days=28").await.expect(200).json();
        let figures = &figures["metrics"];
        assert_eq!(
            (&figures["offersReceived"], &figures["offerAcceptRate"]),
            (&json!(2), &json!(1.0)),
            "both acceptances count: {figures}"
        );
        keeps_its_promises(&nightshift).await;
    })
    .await;
}
