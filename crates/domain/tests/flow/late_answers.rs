//! Answers that are taken in after their offer has expired, and offers whose time is over when something else ends them.

use nightshift_db::testing::each_engine;
use nightshift_db::{Engine, Timestamp};
use nightshift_domain::Error;
use nightshift_domain::ids::{BookingId, SitterId};
use nightshift_domain::offers::{self, Answer, Expiry, Followed, Offer, Via};
use nightshift_domain::people::sitters;
use nightshift_domain::{bookings, confirmation};
use serde_json::json;

use crate::fixture::*;
use crate::offers::{begin, minutes, offer, patch, status, text};

each_engine! {
    an_answer_in_time_counts_although_its_offer_has_expired,
    an_answer_in_time_takes_the_booking_from_nobody,
    only_offers_that_can_be_answered_are_listed,
    an_offer_whose_time_is_over_expires_whatever_ends_it,
    a_sitter_leaves_while_they_are_offered_a_booking(flavor = "multi_thread"),
    an_assignment_that_is_being_told_with_its_new_time_is_not_told_again,
    who_loses_a_window_is_told_once_and_not_who_has_it,
}

const EXPIRED: &str = "That offer has expired.";
const ACCEPTED: &str = "Accepted: dog walking on Tue 31 Dec 2024 10:00.";

fn other() -> SitterId {
    SitterId::from("sitter-2")
}

async fn expire(business: &Business, offer: &Offer, now: Timestamp) -> Expiry {
    business.write(async |tx| offers::expire(tx, &offer.id, &job(), now).await.unwrap()).await
}

/// A booking whose offer, made at noon for an hour, has expired.
async fn expired(business: &Business) -> (BookingId, Offer) {
    let booking = business.book(|_| {}).await.booking.id;
    let made = offer(business, &booking, noon()).await;
    assert_eq!(expire(business, &made, noon() + minutes(60)).await, Expiry::Expired(sitter()));
    (booking, made)
}

async fn offered_to(business: &Business, booking: &BookingId, sitter: &SitterId, now: Timestamp) -> Offer {
    let draft = serde_json::from_value(json!({"sitterIds": [sitter], "expiresInMinutes": 300})).unwrap();
    let make =
        async |tx: &mut _| offers::create(tx, &org(), booking, &draft, minutes(60), &owner(), now).await.unwrap();
    business.write(make).await.offers.remove(0).0
}

/// An answer on the web, at once.
async fn answered(
    business: &Business,
    booking: &BookingId,
    sitter: &SitterId,
    accepts: bool,
    now: Timestamp,
) -> Result<Vec<SitterId>, Error> {
    let given = Answer { accepts, offer: None, via: Via::Web, reason: None, at: now };
    let answer = async |tx: &mut _| offers::answer(tx, &org(), sitter, booking, given, &owner(), now).await.unwrap();
    business.write(answer).await.map(|answered| answered.expired).map_err(Error::from)
}

async fn holder(business: &Business, booking: &BookingId) -> Option<String> {
    business.db.read("SELECT sitter_id FROM bookings WHERE id = $1").bind(booking).scalar().await.unwrap()
}

const UNFILLED: &str = "SELECT COUNT(*) FROM exceptions WHERE type = 'offer_unfilled' AND status <> 'resolved'";

async fn an_answer_in_time_counts_although_its_offer_has_expired(engine: Engine) {
    on(engine, async |business| {
        let (booking, made) = expired(&business).await;
        assert_eq!(business.count(UNFILLED).await, 1);
        // It was offered again meanwhile, to another sitter and to the same one.
        let again = offered_to(&business, &booking, &other(), noon() + minutes(61)).await;
        let mine = offered_to(&business, &booking, &sitter(), noon() + minutes(61)).await;
        let late = text(&business, "YES", noon() + minutes(60), noon() + minutes(60)).await;
        assert_eq!((late.text.as_str(), late.answered.is_some()), (EXPIRED, false));
        let reply = text(&business, "YES", noon() + minutes(59), noon() + minutes(70)).await;
        let answered = reply.answered.unwrap();
        assert_eq!((reply.text.as_str(), answered.changed, &answered.offer.id), (ACCEPTED, true, &made.id));
        assert_eq!(answered.offer.response_seconds, Some(59 * 60));
        assert_eq!(answered.runs.into_iter().count(), 1);
        assert_eq!(holder(&business, &booking).await.as_deref(), Some("sitter-1"));
        assert_eq!((status(&business, &made).await, status(&business, &again).await), both("accepted", "superseded"));
        assert_eq!((status(&business, &mine).await, business.count(UNFILLED).await), ("superseded".to_owned(), 0));
        let repeated = text(&business, "YES", noon() + minutes(59), noon() + minutes(71)).await;
        assert!(!repeated.answered.unwrap().changed);

        let (_, made) = expired(&business).await;
        let reply = text(&business, "NO", noon() + minutes(59), noon() + minutes(70)).await;
        assert!(reply.text.starts_with("Declined") && reply.answered.unwrap().changed);
        assert_eq!((status(&business, &made).await, business.count(UNFILLED).await), ("declined".to_owned(), 1));
    })
    .await;
}

fn both(first: &str, second: &str) -> (String, String) {
    (first.to_owned(), second.to_owned())
}

async fn an_answer_in_time_takes_the_booking_from_nobody(engine: Engine) {
    on(engine, async |business| {
        let said = async |now: Timestamp| text(&business, "YES", noon() + minutes(59), now).await.text;
        let soon = noon() + minutes(70);
        // The owner has given it to somebody.
        let (booking, made) = expired(&business).await;
        patch(&business, &booking, json!({"sitterId": other()})).await;
        assert_eq!(said(soon).await, "That booking was already taken.");
        // They have lost it again, but then it is the owner who decides.
        patch(&business, &booking, json!({"sitterId": null})).await;
        offered_to(&business, &booking, &other(), noon() + minutes(61)).await;
        answered(&business, &booking, &other(), true, noon() + minutes(62)).await.unwrap();
        patch(&business, &booking, json!({"sitterId": null})).await;
        assert_eq!(said(soon).await, EXPIRED);
        assert_eq!(status(&business, &made).await, "expired");
        business.set("DELETE FROM offer_events").await;
        // It was cancelled, or has begun, whether or not the offer has been ended.
        let (booking, _) = expired(&business).await;
        business.write(async |tx| bookings::cancel(tx, &org(), &booking, None, &owner(), soon).await.unwrap()).await;
        assert_eq!(said(soon).await, EXPIRED);
        business.set("DELETE FROM offer_events").await;
        for is_ended in [true, false] {
            let booking = business.book(|_| {}).await.booking.id;
            let made = offer(&business, &booking, noon()).await;
            let start = at("2024-12-31T10:00:00Z");
            if is_ended {
                let _ = expire(&business, &made, start).await;
            }
            assert_eq!(said(start).await, EXPIRED, "{is_ended}");
            assert_eq!(holder(&business, &booking).await, None);
            business.set("DELETE FROM offer_events").await;
        }
    })
    .await;
}

async fn only_offers_that_can_be_answered_are_listed(engine: Engine) {
    on(engine, async |business| {
        let (_, made) = expired(&business).await;
        business.set("UPDATE offer_events SET offered_at = created_at").await;
        let booking = business.book(|_| {}).await.booking.id;
        let standing = offered_to(&business, &booking, &sitter(), noon()).await;
        business.db.write("UPDATE offer_events SET code = 2 WHERE id = $1").bind(&standing.id).execute().await.unwrap();
        let asked = text(&business, "YES", noon() + minutes(59), noon() + minutes(70)).await;
        assert_eq!(asked.text, "You have 1 offer: 2) dog walking on Tue 31 Dec 2024 10:00. Reply YES 2 or NO 2.");
        let reply = text(&business, "YES 1", noon() + minutes(59), noon() + minutes(70)).await;
        assert_eq!((reply.text.as_str(), reply.answered.unwrap().offer.id), (ACCEPTED, made.id));
        assert_eq!(status(&business, &standing).await, "pending");
    })
    .await;
}

async fn an_offer_whose_time_is_over_expires_whatever_ends_it(engine: Engine) {
    on(engine, async |business| {
        let late = noon() + minutes(61);
        let overdue = async || {
            let booking = business.book(|_| {}).await.booking.id;
            let made = offer(&business, &booking, noon()).await;
            (booking, made)
        };
        // Another sitter accepts.
        let (booking, made) = overdue().await;
        offered_to(&business, &booking, &other(), noon()).await;
        assert_eq!(answered(&business, &booking, &other(), true, late).await.unwrap(), [sitter()]);
        assert_eq!(status(&business, &made).await, "expired");
        // The owner takes it back.
        let (_, made) = overdue().await;
        let taken_back = business.write(async |tx| offers::withdraw(tx, &org(), &made.id, &owner(), late).await).await;
        assert!(matches!(taken_back, Err(Error::Conflict { code: "offer_not_pending", .. })), "{taken_back:?}");
        assert_eq!(expire(&business, &made, late).await, Expiry::Expired(sitter()), "by its own job");
        // The booking changes.
        for (change, becomes) in [
            (json!({"status": "cancelled"}), "expired"),
            (json!({"sitterId": "sitter-2"}), "expired"),
            (json!({"startAt": "2024-12-31T10:30:00Z"}), "pending"),
        ] {
            let (booking, made) = overdue().await;
            let change = serde_json::from_value(change).unwrap();
            let Followed { shortened, runs, expired } = business
                .write(async |tx| {
                    let changed = bookings::patch(tx, &org(), &booking, change, &owner(), late).await.unwrap().booking;
                    offers::booking_changed(tx, &changed, &owner(), late).await.unwrap()
                })
                .await;
            assert_eq!((shortened.len(), runs.into_iter().count()), (0, 0));
            assert_eq!(expired.len(), usize::from(becomes == "expired"));
            assert_eq!(status(&business, &made).await, becomes);
            let _ = expire(&business, &made, late).await;
        }
        // The sitter leaves.
        let (_, made) = overdue().await;
        business.write(async |tx| offers::sitter_left(tx, &org(), &sitter(), &owner(), late).await.unwrap()).await;
        assert_eq!(status(&business, &made).await, "expired");
    })
    .await;
}

/// Whoever offers a booking waits for the sitter before it holds the booking.
async fn a_sitter_leaves_while_they_are_offered_a_booking(engine: Engine) {
    on(engine, async |business| {
        let booking = business.book(|_| {}).await.booking.id;
        let made = offer(&business, &booking, noon()).await;
        let (by, leaves) = (owner(), serde_json::from_value(json!({"active": false})).unwrap());
        let mut leaving = business.db.begin().await.unwrap();
        let patched = sitters::patch(&mut leaving, &org(), &sitter(), leaves, &by, noon()).await.unwrap();
        assert!(patched.deactivated);
        let (db, of) = (business.db.clone(), booking.clone());
        let offering = tokio::spawn(async move {
            let draft = serde_json::from_value(json!({"sitterIds": [sitter()]})).unwrap();
            let mut tx = db.begin().await.unwrap();
            let made = offers::create(&mut tx, &org(), &of, &draft, minutes(60), &owner(), noon()).await;
            made.map(|made| made.offers.len())
        });
        let waits =
            "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
        while engine == Engine::Postgres && business.count(waits).await == 0 {
            tokio::task::yield_now().await;
        }
        offers::sitter_left(&mut leaving, &org(), &sitter(), &by, noon()).await.unwrap();
        leaving.commit().await.unwrap();
        let refused = offering.await.unwrap();
        assert!(matches!(refused, Err(Error::Invalid { .. })), "{refused:?}");
        assert_eq!(status(&business, &made).await, "withdrawn");
    })
    .await;
}

async fn an_assignment_that_is_being_told_with_its_new_time_is_not_told_again(engine: Engine) {
    on(engine, async |business| {
        business.add_number("desk", "front_desk", "org-1").await;
        let booking = business.book(|_| {}).await.booking.id;
        offer(&business, &booking, noon()).await;
        let runs = text(&business, "YES", noon(), noon()).await.answered.unwrap().runs;
        let version = patch(&business, &booking, json!({"startAt": "2024-12-31T10:30:00Z"})).await;
        // It is written after the move, and being sent when the job about the move runs.
        let text = crate::offers::written(&business, runs, noon()).await;
        assert_eq!(begin(&business, &text, noon()).await, "You are assigned: dog walking, Tue 31 Dec 2024 10:30.");
        let by = job();
        let again = business
            .write(async |tx| confirmation::rescheduled(tx, &booking, version, GRACE, &by, noon()).await.unwrap())
            .await;
        assert_eq!(again.into_iter().count(), 0);
    })
    .await;
}

async fn who_loses_a_window_is_told_once_and_not_who_has_it(engine: Engine) {
    on(engine, async |business| {
        business.add_number("pool-1", "pool", "org-1").await;
        let booking = business.confirmed(|draft| draft.sitter_id = Some(sitter())).await.id;
        business.run_confirmation(&booking, noon()).await;
        let told = async |who: &str| business.streamed(&format!("sitter:{who}"), "window.changed").await;
        assert_eq!((told("sitter-1").await, told("sitter-2").await), (1, 0));
        let change = json!({"sitterId": "sitter-2", "startAt": "2024-12-31T10:30:00Z"});
        let version = patch(&business, &booking, change).await;
        assert_eq!((told("sitter-1").await, told("sitter-2").await), (2, 1), "at once");
        business.run_confirmation(&booking, noon()).await;
        let by = job();
        let _ = business
            .write(async |tx| confirmation::rescheduled(tx, &booking, version, GRACE, &by, noon()).await.unwrap())
            .await;
        assert_eq!((told("sitter-1").await, told("sitter-2").await), (2, 2), "the other one's window has moved");
        let named = "SELECT COUNT(*) FROM stream_events WHERE topic = 'sitter:sitter-1' AND event = 'window.changed'
                     AND CAST(data AS TEXT) LIKE '%sitter-2%'";
        assert_eq!(business.count(named).await, 0);
    })
    .await;
}
