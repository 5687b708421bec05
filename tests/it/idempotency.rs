//! `Idempotency-Key`: a request that is sent again is answered again, not done again.

use std::time::{Duration, Instant};

use nightshift_db::Engine;
use nightshift_domain::access::api_keys::Scope;
use reqwest::Method;
use serde_json::json;

use crate::support::business::{booking, booking_of};
use crate::support::nightshift::on_both_with;
use crate::support::{Answer, Caller, Nightshift, on_both};

const BOOKINGS: &str = "SELECT count(*) FROM bookings";

async fn book(nightshift: &Nightshift, caller: &Caller, key: &str, body: serde_json::Value) -> Answer {
    nightshift.send_with(Method::POST, "/api/bookings", caller, Some(body), &[("idempotency-key", key)]).await
}

#[tokio::test]
async fn f9_the_same_request_is_answered_the_same_and_done_once() {
    on_both(async |nightshift| {
        let first = book(&nightshift, &Caller::Nobody, "key-1", booking()).await.expect(201);
        let second = book(&nightshift, &Caller::Nobody, "key-1", booking()).await.expect(201);
        assert_eq!(first.json(), second.json());
        assert_eq!(second.header("idempotency-replayed"), Some("true"));
        assert_eq!(first.header("idempotency-replayed"), None);
        assert_eq!(nightshift.count(BOOKINGS).await, 1);
        book(&nightshift, &Caller::Nobody, "key-2", booking()).await.expect(201);
        assert_eq!(nightshift.count(BOOKINGS).await, 2);
    })
    .await;
}

#[tokio::test]
async fn f9_another_request_under_the_same_key_is_refused() {
    on_both(async |nightshift| {
        book(&nightshift, &Caller::Nobody, "key-1", booking()).await.expect(201);
        let other = book(&nightshift, &Caller::Nobody, "key-1", booking_of(1)).await.expect(422);
        assert_eq!(other.code(), "idempotency_mismatch");
        assert_eq!(nightshift.count(BOOKINGS).await, 1);
    })
    .await;
}

#[tokio::test]
async fn f9_the_same_request_at_the_same_time_is_done_once() {
    on_both(async |nightshift| {
        let requests = (0..12).map(|_| book(&nightshift, &Caller::Nobody, "key-1", booking()));
        let answers = futures_util::future::join_all(requests).await;
        for answer in &answers {
            assert!(matches!(answer.status, 201 | 409), "{}", answer.text);
            if answer.status == 409 {
                assert_eq!(answer.code(), "idempotency_in_progress");
            }
        }
        assert!(answers.iter().any(|answer| answer.status == 201));
        assert_eq!(nightshift.count(BOOKINGS).await, 1);
    })
    .await;
}

#[tokio::test]
async fn f9_a_request_that_failed_may_be_sent_again_corrected() {
    on_both(async |nightshift| {
        book(&nightshift, &Caller::Nobody, "key-1", json!({})).await.expect(422);
        book(&nightshift, &Caller::Nobody, "key-1", booking()).await.expect(201);
    })
    .await;
}

#[tokio::test]
async fn f9_a_client_that_hung_up_may_send_its_request_again() {
    on_both(async |nightshift| {
        // Nothing can be booked until this ends: SQLite has one writer, PostgreSQL locks the table.
        let mut tx = nightshift.db.begin().await.unwrap();
        if nightshift.db.engine() == Engine::Postgres {
            tx.query("LOCK TABLE bookings IN SHARE ROW EXCLUSIVE MODE").execute().await.unwrap();
        }
        let hung_up =
            tokio::time::timeout(Duration::from_millis(300), book(&nightshift, &Caller::Nobody, "key-1", booking()))
                .await;
        assert!(hung_up.is_err());
        tx.rollback().await.unwrap();
        let began = Instant::now();
        while book(&nightshift, &Caller::Nobody, "key-1", booking()).await.status != 201 {
            assert!(began.elapsed() < Duration::from_secs(20), "the key is still held");
        }
        assert_eq!(nightshift.count(BOOKINGS).await, 1);
    })
    .await;
}

#[tokio::test]
async fn f9_keys_of_different_callers_do_not_meet() {
    on_both_with(
        |settings| settings.auth.enabled = true,
        async |nightshift| {
            let (one, two) =
                (nightshift.key(&[Scope::BookingsWrite]).await, nightshift.key(&[Scope::BookingsWrite]).await);
            book(&nightshift, &one, "key-1", booking()).await.expect(201);
            book(&nightshift, &two, "key-1", booking_of(1)).await.expect(201);
            assert_eq!(nightshift.count(BOOKINGS).await, 2);
        },
    )
    .await;
}
