//! Offers of bookings to sitters, answered by API and by text.

use std::time::Duration;

use nightshift::config::Settings;
use nightshift_db::testing::each_engine;
use nightshift_db::{Engine, Timestamp};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::business::{self, booking_of};
use crate::support::nightshift::on_with;
use crate::support::probes::offers::Offer;
use crate::support::twilio::{InboundText, deliver};
use crate::support::{Answer, Caller, Nightshift};

each_engine! {
    a_sitter_accepts_by_text_and_is_told_in_the_answer(flavor = "multi_thread"),
    a_sitter_declines_by_text(flavor = "multi_thread"),
    a_repeated_text_gets_the_same_confirmation_and_changes_nothing(flavor = "multi_thread"),
    several_offers_are_listed_and_told_apart_by_their_codes(flavor = "multi_thread"),
    who_answers_too_late_is_told_why(flavor = "multi_thread"),
    a_slow_job_leaves_the_reply_to_one_text(flavor = "multi_thread"),
    of_two_sitters_who_text_yes_at_once_one_gets_the_booking(flavor = "multi_thread"),
    of_two_requests_that_accept_at_once_one_gets_the_booking(flavor = "multi_thread"),
    an_answer_on_the_web_and_one_by_text_leave_the_same_records(flavor = "multi_thread"),
    a_confirmed_booking_that_is_accepted_has_its_window_and_conversation_given_to_the_sitter,
    offers_that_cannot_be_made_are_refused,
    a_sitter_answers_for_nobody_else_and_another_organisation_sees_no_offers,
    a_withdrawn_offer_stays_so_and_its_text_does_not_leave,
    offers_end_with_their_booking_and_move_with_it,
    an_offer_that_nobody_answers_expires_and_people_are_told,
    who_said_stop_gets_no_reply_and_has_the_booking_all_the_same(flavor = "multi_thread"),
    a_booking_whose_sitter_was_removed_can_be_offered_again(flavor = "multi_thread"),
    an_offer_is_told_from_the_sitters_own_number_while_they_have_one(flavor = "multi_thread"),
    every_read_shows_a_sitter_the_bookings_that_wait_for_their_answer,
}

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

async fn pause(nightshift: &Nightshift, queue: &str) {
    let mut tx = nightshift.db.begin().await.unwrap();
    nightshift.app.queue.pause(&mut tx, queue, "test", "so that jobs wait").await.unwrap();
    tx.commit().await.unwrap();
}

async fn resume(nightshift: &Nightshift, queue: &str) {
    let mut tx = nightshift.db.begin().await.unwrap();
    nightshift.app.queue.resume(&mut tx, queue).await.unwrap();
    tx.commit().await.unwrap();
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
        pause(&nightshift, "bookings").await;
        nightshift.clock.advance(Duration::from_secs(61));
        assert_eq!(text(&nightshift, SAM, "SM4", "YES").await, carries(EXPIRED));
        let late = answer(&nightshift, "sitter-sam", &other, "accept").await.expect(409);
        assert_eq!(late.code(), "offer_not_pending");
        resume(&nightshift, "bookings").await;
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
        pause(&nightshift, "webhooks").await;
        assert_eq!(text(&nightshift, SAM, "SM1", "YES").await, EMPTY);
        resume(&nightshift, "webhooks").await;
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

/// How often two sitters compete in a test.
fn rounds() -> usize {
    std::env::var("NIGHTSHIFT_TEST_OFFER_ROUNDS").map_or(20, |text| text.parse().unwrap())
}

async fn of_two_sitters_who_text_yes_at_once_one_gets_the_booking(engine: Engine) {
    on(engine, async |nightshift| {
        // Their texts need not leave.
        pause(&nightshift, "sms").await;
        for round in 0..rounds() {
            let booking = nightshift.book_as(booking_of(round)).await;
            offer(&nightshift, &booking, &["sitter-sam", "sitter-ann"]).await;
            let (sam, ann) = (format!("SMsam{round}"), format!("SMann{round}"));
            let (sam, ann) = tokio::join!(text(&nightshift, SAM, &sam, "YES"), text(&nightshift, ANN, &ann, "YES"));
            let (won, lost) = (carries(&format!("Accepted: {WALK}")), carries(TAKEN));
            let winner = if sam == won { "sitter-sam" } else { "sitter-ann" };
            assert!((sam == won && ann == lost) || (sam == lost && ann == won), "round {round}: {sam} and {ann}");
            assert_eq!(sitter_of(&nightshift, &booking).await.as_deref(), Some(winner));
        }
        let count = i64::try_from(rounds()).unwrap();
        assert_eq!(nightshift.offers().in_status("accepted").count().await, count);
        assert_eq!(nightshift.offers().in_status("superseded").count().await, count);
        assert_eq!(nightshift.events("offer.accepted").count().await, count);
    })
    .await;
}

async fn of_two_requests_that_accept_at_once_one_gets_the_booking(engine: Engine) {
    on(engine, async |nightshift| {
        pause(&nightshift, "sms").await;
        for round in 0..rounds() {
            let booking = nightshift.book_as(booking_of(round)).await;
            offer(&nightshift, &booking, &["sitter-sam", "sitter-ann"]).await;
            let (sam, ann) = tokio::join!(
                answer(&nightshift, "sitter-sam", &booking, "accept"),
                answer(&nightshift, "sitter-ann", &booking, "accept")
            );
            let (won, lost) = if sam.status == 200 { (sam, ann) } else { (ann, sam) };
            assert_eq!((won.status, lost.status), (200, 409), "round {round}: {} {}", won.text, lost.text);
            assert_eq!(lost.code(), "booking_taken");
            let holder = won.json()["booking"]["sitterId"].as_str().map(str::to_owned);
            assert_eq!(sitter_of(&nightshift, &booking).await, holder);
        }
        let count = i64::try_from(rounds()).unwrap();
        assert_eq!(nightshift.offers().in_status("accepted").count().await, count);
    })
    .await;
}

/// What an answer leaves, without ids and times.
async fn left_by(nightshift: &Nightshift, booking: &str) -> Vec<String> {
    let db = &nightshift.db;
    let mut left: Vec<(String,)> = Vec::new();
    for sql in [
        "SELECT event_type || ' ' || status FROM event_log
         WHERE booking_id = $1 AND event_type NOT LIKE 'message.%' AND event_type NOT LIKE 'automation.%'",
        "SELECT sitter_id || ' ' || status || ' ' || CAST(response_seconds AS TEXT) FROM offer_events
         WHERE booking_id = $1",
        "SELECT type || ' ' || recipient || ' ' || status FROM automation_runs WHERE booking_id = $1",
        "SELECT COALESCE(sitter_id, 'nobody') || ' ' || status || ' ' || CAST(version AS TEXT) FROM bookings WHERE id = $1",
        "SELECT 'window of ' || COALESCE(sitter_id, 'nobody') FROM assignment_windows WHERE booking_id = $1",
        "SELECT 'conversation with ' || COALESCE(assigned_sitter_id, 'the owner') || ' ' || status FROM message_threads
         WHERE booking_id = $1",
        "SELECT type || ' ' || status FROM exceptions WHERE booking_id = $1",
    ] {
        left.extend(db.read(sql).bind(booking).all::<(String,)>().await.unwrap());
    }
    let mut left: Vec<String> = left.into_iter().map(|(line,)| line).collect();
    left.sort();
    left
}

/// The unfinished jobs that compute a sitter's figures: when they are due, in milliseconds from now.
async fn figures_due(nightshift: &Nightshift) -> Vec<i64> {
    let due: Vec<(Timestamp,)> =
        nightshift.rows("SELECT run_at FROM jobs WHERE kind = 'metrics.sitter_window' AND finished_at IS NULL").await;
    let now = nightshift.clock.now().unix_ms();
    due.into_iter().map(|(at,)| at.unix_ms() - now).collect()
}

async fn an_answer_on_the_web_and_one_by_text_leave_the_same_records(engine: Engine) {
    on(engine, async |nightshift| {
        pause(&nightshift, "sms").await;
        for (number, (word, path, holder)) in
            [("YES", "accept", "sitter-sam"), ("NO", "decline", "nobody")].into_iter().enumerate()
        {
            let mut left = Vec::new();
            for by_text in [false, true] {
                let booking = nightshift.book_as(booking_of(2 * number + usize::from(by_text))).await;
                nightshift.post(&format!("/api/bookings/{booking}/confirm"), json!({})).await.expect(200);
                let confirmed = i64::try_from(2 * number + usize::from(by_text) + 1).unwrap();
                nightshift.jobs("booking.confirm").succeeded().until(confirmed).await;
                offer(&nightshift, &booking, &["sitter-sam"]).await;
                // What an earlier answer has changed is computed.
                nightshift.pass(Duration::from_secs(70)).await;
                assert_eq!(figures_due(&nightshift).await, Vec::<i64>::new());
                if by_text {
                    text(&nightshift, SAM, &format!("SM{number}"), word).await;
                } else {
                    answer(&nightshift, "sitter-sam", &booking, path).await.expect(200);
                }
                left.push((left_by(&nightshift, &booking).await, figures_due(&nightshift).await));
            }
            assert_eq!(left[0], left[1]);
            let (lines, figures) = &left[0];
            assert!(lines.contains(&format!("window of {holder}")), "{lines:#?}");
            let mailbox = if holder == "nobody" { "the owner" } else { holder };
            assert!(lines.contains(&format!("conversation with {mailbox} open")), "{lines:#?}");
            assert_eq!(figures, &[60_000]);
        }
    })
    .await;
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

async fn offers_that_cannot_be_made_are_refused(engine: Engine) {
    on(engine, async |nightshift| {
        let booking = nightshift.book().await;
        let path = format!("/api/bookings/{booking}/offers");
        for (body, field) in [
            (json!({"sitterIds": []}), "sitterIds"),
            (json!({"sitterIds": ["nobody"]}), "sitterIds"),
            (json!({"sitterIds": ["sitter-kim"]}), "sitterIds"),
            (json!({"sitterIds": ["sitter-sam"], "expiresInMinutes": 0}), "expiresInMinutes"),
            (json!({"sitterIds": ["sitter-sam"], "expiresInMinutes": 10_081}), "expiresInMinutes"),
        ] {
            let refused = nightshift.post(&path, body).await.expect(422).json();
            assert!(refused["fields"][field].is_string(), "{refused}");
        }
        nightshift.given("UPDATE sitters SET active = FALSE WHERE id = 'sitter-ann'").await;
        nightshift.post(&path, json!({"sitterIds": ["sitter-sam", "sitter-ann"]})).await.expect(422);
        assert_eq!(nightshift.offers().count().await, 0);
        answer(&nightshift, "sitter-sam", &booking, "accept").await.expect(404);
        answer(&nightshift, "sitter-sam", "no-booking", "decline").await.expect(404);

        // Who has an offer keeps it.
        let first = offer(&nightshift, &booking, &["sitter-sam", "sitter-sam"]).await;
        let again = offer(&nightshift, &booking, &["sitter-sam"]).await;
        assert_eq!((first.len(), &first), (1, &again));
        assert_eq!(nightshift.jobs("offer.send").count().await, 1);
        // It ends when the booking starts.
        let soon = nightshift.clock.now() + Duration::from_secs(600);
        let mut early = booking_of(1);
        (early["startAt"], early["endAt"]) = (json!(soon), json!(soon + Duration::from_secs(600)));
        let early = nightshift.book_as(early).await;
        assert_eq!(offer(&nightshift, &early, &["sitter-sam"]).await[0]["expiresAt"], json!(soon));

        answer(&nightshift, "sitter-sam", &booking, "accept").await.expect(200);
        let code =
            async |path: &str| nightshift.post(path, json!({"sitterIds": ["sitter-sam"]})).await.expect(409).code();
        assert_eq!(code(&path).await, "booking_taken");
        nightshift.clock.advance(Duration::from_secs(601));
        let early_path = format!("/api/bookings/{early}/offers");
        assert_eq!(code(&early_path).await, "booking_started");
        nightshift.post(&format!("/api/bookings/{early}/cancel"), json!({})).await.expect(200);
        assert_eq!(code(&early_path).await, "invalid_transition");
    })
    .await;
}

async fn a_sitter_answers_for_nobody_else_and_another_organisation_sees_no_offers(engine: Engine) {
    on_with(
        engine,
        |settings| settings.auth.enabled = true,
        async |nightshift| {
            let owner = nightshift.sign_in(business::OWNER).await;
            let sam = nightshift.sign_in(business::SITTER).await;
            let stranger = nightshift.sign_in(business::STRANGER).await;
            let ann = json!({"id": "sitter-ann", "orgId": "org-paws", "name": "Ann", "phone": ANN});
            business::load(&nightshift.db, json!({"sitters": [ann]})).await;
            let post = async |caller: &Caller, path: &str, body: Value| {
                nightshift.send(Method::POST, path, caller, Some(body)).await
            };
            let made = post(&owner, "/api/bookings", business::booking()).await.expect(201).json();
            let booking = made["booking"]["id"].as_str().unwrap();
            let offers = format!("/api/bookings/{booking}/offers");
            let both = json!({"sitterIds": ["sitter-sam", "sitter-ann"]});
            post(&sam, &offers, both.clone()).await.expect(403);
            post(&stranger, &offers, json!({"sitterIds": ["sitter-kim"]})).await.expect(404);
            let made = post(&owner, &offers, both).await.expect(201).json();
            let offer = made["offers"][0]["id"].as_str().unwrap();

            let list = async |caller: &Caller, query: &str| {
                let listed = nightshift.send(Method::GET, &format!("/api/offers{query}"), caller, None).await;
                listed.expect(200).json()["offers"].as_array().unwrap().len()
            };
            assert_eq!([list(&owner, "").await, list(&sam, "").await, list(&stranger, "").await], [2, 1, 0]);
            let query = format!("?bookingId={booking}&status=pending");
            assert_eq!((list(&owner, &query).await, list(&owner, "?status=declined").await), (2, 0));

            let of = |sitter: &str, word: &str| format!("/api/sitter/{sitter}/bookings/{booking}/{word}");
            for word in ["accept", "decline"] {
                post(&sam, &of("sitter-ann", word), json!({})).await.expect(404);
                post(&stranger, &of("sitter-sam", word), json!({})).await.expect(404);
            }
            post(&stranger, &format!("/api/offers/{offer}/withdraw"), json!({})).await.expect(404);
            let reason = json!({"reason": "I am away"});
            post(&owner, &of("sitter-ann", "decline"), json!({"reason": "x".repeat(4001)})).await.expect(422);
            let declined = post(&owner, &of("sitter-ann", "decline"), reason).await.expect(200).json();
            assert_eq!(
                (&declined["offer"]["status"], &declined["offer"]["declineReason"]),
                (&json!("declined"), &json!("I am away"))
            );
            let accepted = post(&sam, &of("sitter-sam", "accept"), json!({})).await.expect(200).json();
            assert_eq!(
                (&accepted["offer"]["answeredVia"], &accepted["booking"]["sitterId"]),
                (&json!("web"), &json!("sitter-sam"))
            );
            assert!(!accepted.to_string().contains("5551234567"), "a sitter sees no client's number");
            post(&sam, &of("sitter-sam", "accept"), json!({})).await.expect(200);
            assert_eq!(
                post(&owner, &of("sitter-ann", "accept"), json!({})).await.expect(409).code(),
                "offer_not_pending"
            );
        },
    )
    .await;
}

async fn a_withdrawn_offer_stays_so_and_its_text_does_not_leave(engine: Engine) {
    on(engine, async |nightshift| {
        pause(&nightshift, "sms").await;
        let booking = nightshift.book().await;
        let made = offer(&nightshift, &booking, &["sitter-sam", "sitter-ann"]).await;
        let path = |place: usize| format!("/api/offers/{}/withdraw", made[place]["id"].as_str().unwrap());
        for _ in 0..2 {
            let withdrawn = nightshift.post(&path(0), json!({})).await.expect(200).json();
            assert_eq!(withdrawn["offer"]["status"], "withdrawn");
        }
        assert_eq!(nightshift.events("offer.withdrawn").count().await, 1);
        nightshift.post("/api/offers/none/withdraw", json!({})).await.expect(404);
        resume(&nightshift, "sms").await;
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

/// How many of the reads that sitters have show a booking, of how many.
async fn reads(nightshift: &Nightshift, sitter: &Caller, booking: &str) -> (usize, usize) {
    let get = async |path: &str| nightshift.send(Method::GET, path, sitter, None).await;
    let listed = get("/api/bookings").await.expect(200);
    let mut shown = vec![listed.json()["bookings"].as_array().unwrap().iter().any(|row| row["id"] == booking)];
    for path in [format!("/api/bookings/{booking}"), format!("/api/bookings/{booking}/status-history")] {
        let answer = get(&path).await;
        assert!([200, 404].contains(&answer.status), "{path}: {}", answer.text);
        assert!(!answer.text.contains("5551234567"), "a sitter sees no client's number");
        shown.push(answer.status == 200);
    }
    (shown.iter().filter(|shown| **shown).count(), shown.len())
}

async fn every_read_shows_a_sitter_the_bookings_that_wait_for_their_answer(engine: Engine) {
    on_with(
        engine,
        |settings| settings.auth.enabled = true,
        async |nightshift| {
            let owner = nightshift.sign_in(business::OWNER).await;
            let sam = nightshift.sign_in(business::SITTER).await;
            let post = async |caller: &Caller, path: &str, body: Value| {
                nightshift.send(Method::POST, path, caller, Some(body)).await
            };
            let made = post(&owner, "/api/bookings", business::booking()).await.expect(201).json();
            let booking = made["booking"]["id"].as_str().unwrap();
            assert_eq!(reads(&nightshift, &sam, booking).await, (0, 3), "not offered");
            for (word, after) in [("decline", 0), ("accept", 3)] {
                let body = json!({"sitterIds": ["sitter-sam"]});
                post(&owner, &format!("/api/bookings/{booking}/offers"), body).await.expect(201);
                assert_eq!(reads(&nightshift, &sam, booking).await, (3, 3), "offered");
                let path = format!("/api/sitter/sitter-sam/bookings/{booking}/{word}");
                post(&sam, &path, json!({})).await.expect(200);
                assert_eq!(reads(&nightshift, &sam, booking).await, (after, 3), "{word}");
            }
            let body = json!({"sitterId": null});
            nightshift.send(Method::PATCH, &format!("/api/bookings/{booking}"), &owner, Some(body)).await.expect(200);
            assert_eq!(reads(&nightshift, &sam, booking).await, (0, 3), "taken off");
        },
    )
    .await;
}
