//! Answers that come at the same time, or in two ways.

use std::time::Duration;

use nightshift_db::testing::each_engine;
use nightshift_db::{Engine, Timestamp};
use serde_json::json;

use super::{ANN, SAM, TAKEN, WALK, answer, carries, offer, on, sitter_of, text};
use crate::support::Nightshift;
use crate::support::business::booking_of;

each_engine! {
    of_two_sitters_who_text_yes_at_once_one_gets_the_booking(flavor = "multi_thread"),
    of_two_requests_that_accept_at_once_one_gets_the_booking(flavor = "multi_thread"),
    an_answer_on_the_web_and_one_by_text_leave_the_same_records(flavor = "multi_thread"),
}

/// How often two sitters compete in a test.
fn rounds() -> usize {
    std::env::var("NIGHTSHIFT_TEST_OFFER_ROUNDS").map_or(20, |text| text.parse().unwrap())
}

async fn of_two_sitters_who_text_yes_at_once_one_gets_the_booking(engine: Engine) {
    on(engine, async |nightshift| {
        // Their texts need not leave.
        nightshift.pause("sms").await;
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
        nightshift.pause("sms").await;
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
                // So that the texts that follow have left.
                nightshift.pass(Duration::from_secs(10)).await;
                left.push((left_by(&nightshift, &booking).await, figures_due(&nightshift).await));
            }
            assert_eq!(left[0], left[1]);
            let (lines, figures) = &left[0];
            assert!(lines.contains(&format!("window of {holder}")), "{lines:#?}");
            let mailbox = if holder == "nobody" { "the owner" } else { holder };
            assert!(lines.contains(&format!("conversation with {mailbox} open")), "{lines:#?}");
            assert_eq!(figures, &[50_000], "a minute after the answer");
        }
    })
    .await;
}
