//! Which offers can be made, and who may read and answer them.

use std::time::Duration;

use nightshift_db::Engine;
use nightshift_db::testing::each_engine;
use reqwest::Method;
use serde_json::{Value, json};

use super::{ANN, answer, offer, on};
use crate::support::business::{self, booking_of};
use crate::support::nightshift::on_with;
use crate::support::{Caller, Nightshift};

each_engine! {
    offers_that_cannot_be_made_are_refused,
    a_sitter_answers_for_nobody_else_and_another_organisation_sees_no_offers,
    every_read_shows_a_sitter_the_bookings_that_wait_for_their_answer,
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
