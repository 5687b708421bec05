//! Offers answered by texts that arrive late or twice.

use std::time::Duration;

use nightshift_db::testing::each_engine;
use nightshift_db::{Engine, Timestamp};
use nightshift_domain::Error;
use nightshift_domain::bookings;
use nightshift_domain::ids::BookingId;
use nightshift_domain::offers::{self, Answer, Offer, Reply, Via, command};
use serde_json::json;

use crate::fixture::*;

each_engine! {
    a_text_of_before_an_offer_does_not_answer_it,
    a_text_in_time_answers_although_it_is_taken_in_after_the_end,
    a_repeated_no_does_not_answer_another_offer_of_the_same_booking,
    the_acceptance_of_a_booking_that_was_cancelled_is_not_confirmed_again,
}

const HOUR: Duration = Duration::from_secs(3600);
const NONE: &str = "You have no open offers.";

async fn offer(business: &Business, booking: &BookingId, now: Timestamp) -> Offer {
    let draft = serde_json::from_value(json!({"sitterIds": [sitter()]})).unwrap();
    let make = async |tx: &mut _| offers::create(tx, &org(), booking, &draft, HOUR, &owner(), now).await.unwrap();
    business.write(make).await.offers.remove(0).0
}

/// The reply to a text that the sitter sent `at`, and that is taken in `now`.
async fn text(business: &Business, body: &str, at: Timestamp, now: Timestamp) -> Reply {
    let command = command(body).unwrap();
    business
        .write(async |tx| offers::reply_to(tx, &org(), &sitter(), command, at, &webhook(), now).await.unwrap())
        .await
}

async fn status(business: &Business, offer: &Offer) -> String {
    business.db.read("SELECT status FROM offer_events WHERE id = $1").bind(&offer.id).scalar().await.unwrap()
}

fn minutes(minutes: u64) -> Duration {
    Duration::from_secs(minutes * 60)
}

async fn a_text_of_before_an_offer_does_not_answer_it(engine: Engine) {
    on(engine, async |business| {
        let booking = business.book(|_| {}).await.booking.id;
        let made = offer(&business, &booking, noon()).await;
        for (body, says) in
            [("YES", NONE), ("NO", NONE), ("YES 1", "There is no open offer 1. You have no open offers.")]
        {
            let reply = text(&business, body, noon() - HOUR, noon() + minutes(5)).await;
            assert_eq!((reply.text.as_str(), reply.answered.is_some()), (says, false), "{body}");
        }
        assert_eq!(status(&business, &made).await, "pending");
        assert!(text(&business, "YES", noon(), noon() + minutes(5)).await.answered.unwrap().changed);
        assert_eq!(status(&business, &made).await, "accepted");
    })
    .await;
}

async fn a_text_in_time_answers_although_it_is_taken_in_after_the_end(engine: Engine) {
    on(engine, async |business| {
        let booking = business.book(|_| {}).await.booking.id;
        let made = offer(&business, &booking, noon()).await;
        let reply = text(&business, "YES", noon() + minutes(59), noon() + minutes(61)).await;
        assert!(reply.answered.unwrap().changed);
        assert_eq!(status(&business, &made).await, "accepted");
    })
    .await;
}

async fn a_repeated_no_does_not_answer_another_offer_of_the_same_booking(engine: Engine) {
    on(engine, async |business| {
        let other = business.book(|_| {}).await.booking.id;
        let first = offer(&business, &other, noon()).await;
        let booking = business.book(|_| {}).await.booking.id;
        let declined = offer(&business, &booking, noon()).await;
        assert_eq!((first.code, declined.code), (1, 2));
        let said = text(&business, "NO 2", noon() + minutes(1), noon() + minutes(1)).await.text;
        assert!(text(&business, "NO 1", noon() + minutes(2), noon() + minutes(2)).await.answered.unwrap().changed);
        let again = offer(&business, &booking, noon() + minutes(3)).await;
        assert_eq!(again.code, 1);
        let reply = text(&business, "NO 2", noon() + minutes(4), noon() + minutes(4)).await;
        let answered = reply.answered.unwrap();
        assert_eq!((reply.text, answered.changed, answered.offer.id), (said, false, declined.id));
        assert_eq!(status(&business, &again).await, "pending");
    })
    .await;
}

async fn the_acceptance_of_a_booking_that_was_cancelled_is_not_confirmed_again(engine: Engine) {
    on(engine, async |business| {
        let booking = business.book(|_| {}).await.booking.id;
        offer(&business, &booking, noon()).await;
        let by_api = async || {
            let given = Answer { accepts: true, offer: None, via: Via::Web, reason: None, at: noon() };
            let answer = async |tx: &mut _| {
                offers::answer(tx, &org(), &sitter(), &booking, given, &owner(), noon()).await.unwrap()
            };
            business.write(answer).await.map(|answered| answered.changed).map_err(Error::from)
        };
        assert!(by_api().await.unwrap());
        assert!(!by_api().await.unwrap(), "once more");
        business.write(async |tx| bookings::cancel(tx, &org(), &booking, None, &owner(), noon()).await.unwrap()).await;
        let refused = by_api().await;
        assert!(matches!(&refused, Err(Error::Conflict { code: "offer_not_pending", .. })), "{refused:?}");
        assert_eq!(text(&business, "YES", noon(), noon()).await.text, NONE);
    })
    .await;
}
