//! `Idempotency-Key`: a request that is sent again is answered again, not done again.

use std::time::{Duration, Instant};

use nightshift_db::Engine;
use nightshift_db::testing::{each_engine, migrated};
use nightshift_domain::access::api_keys::Scope;
use nightshift_domain::idempotency::{self, Holder, KeyState, RequestKey};
use nightshift_providers::http_client;
use reqwest::Method;
use serde_json::json;

use crate::support::business::{self, booking, booking_of};
use crate::support::checks::eventually;
use crate::support::nightshift::on_with;
use crate::support::process::World;
use crate::support::{Answer, Caller, Nightshift, on};

each_engine! {
    the_same_request_is_answered_the_same_and_done_once,
    another_request_under_the_same_key_is_refused,
    the_same_request_at_the_same_time_is_done_once,
    a_request_that_failed_may_be_sent_again_corrected,
    a_client_that_hung_up_may_send_its_request_again,
    keys_of_different_callers_do_not_collide,
    a_request_that_was_told_to_come_again_is_taken_at_once_by_the_process_that_told_it(flavor = "multi_thread"),
    a_key_of_a_killed_process_is_free_within_seconds(flavor = "multi_thread"),
    a_frozen_holder_loses_its_key_and_stores_nothing_when_it_wakes_up,
}

async fn book(nightshift: &Nightshift, caller: &Caller, key: &str, body: serde_json::Value) -> Answer {
    nightshift.send_with(Method::POST, "/api/bookings", caller, Some(body), &[("idempotency-key", key)]).await
}

async fn the_same_request_is_answered_the_same_and_done_once(engine: Engine) {
    on(engine, async |nightshift| {
        let first = book(&nightshift, &Caller::Nobody, "key-1", booking()).await.expect(201);
        let second = book(&nightshift, &Caller::Nobody, "key-1", booking()).await.expect(201);
        assert_eq!(first.json(), second.json());
        assert_eq!(second.header("idempotency-replayed"), Some("true"));
        assert_eq!(first.header("idempotency-replayed"), None);
        assert_eq!(nightshift.bookings().count().await, 1);
        book(&nightshift, &Caller::Nobody, "key-2", booking()).await.expect(201);
        assert_eq!(nightshift.bookings().count().await, 2);
    })
    .await;
}

async fn another_request_under_the_same_key_is_refused(engine: Engine) {
    on(engine, async |nightshift| {
        book(&nightshift, &Caller::Nobody, "key-1", booking()).await.expect(201);
        let other = book(&nightshift, &Caller::Nobody, "key-1", booking_of(1)).await.expect(422);
        assert_eq!(other.code(), "idempotency_mismatch");
        assert_eq!(nightshift.bookings().count().await, 1);
    })
    .await;
}

async fn the_same_request_at_the_same_time_is_done_once(engine: Engine) {
    on(engine, async |nightshift| {
        let requests = (0..12).map(|_| book(&nightshift, &Caller::Nobody, "key-1", booking()));
        let answers = futures_util::future::join_all(requests).await;
        for answer in &answers {
            assert!(matches!(answer.status, 201 | 409), "{}", answer.text);
            if answer.status == 409 {
                assert_eq!(answer.header("retry-after"), Some("1"));
                assert_eq!(answer.code(), "idempotency_in_progress");
            }
        }
        assert!(answers.iter().any(|answer| answer.status == 201));
        assert_eq!(nightshift.bookings().count().await, 1);
    })
    .await;
}

async fn a_request_that_failed_may_be_sent_again_corrected(engine: Engine) {
    on(engine, async |nightshift| {
        book(&nightshift, &Caller::Nobody, "key-1", json!({})).await.expect(422);
        book(&nightshift, &Caller::Nobody, "key-1", booking()).await.expect(201);
    })
    .await;
}

async fn a_client_that_hung_up_may_send_its_request_again(engine: Engine) {
    on(engine, async |nightshift| {
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
        assert_eq!(nightshift.bookings().count().await, 1);
    })
    .await;
}

async fn keys_of_different_callers_do_not_collide(engine: Engine) {
    on_with(
        engine,
        |settings| settings.auth.enabled = true,
        async |nightshift| {
            let (one, two) =
                (nightshift.key(&[Scope::BookingsWrite]).await, nightshift.key(&[Scope::BookingsWrite]).await);
            book(&nightshift, &one, "key-1", booking()).await.expect(201);
            book(&nightshift, &two, "key-1", booking_of(1)).await.expect(201);
            assert_eq!(nightshift.bookings().count().await, 2);
        },
    )
    .await;
}

/// The database goes away between the taking of a key and the answer, and is still away when the key is to be given back.
async fn a_request_that_was_told_to_come_again_is_taken_at_once_by_the_process_that_told_it(engine: Engine) {
    let world = World::on(engine).await;
    let away = "idempotency.after_take=error,idempotency.before_abandon=error";
    let _process = world.serve_with(&[], &[("NIGHTSHIFT_FAILPOINTS", away)]);
    assert_eq!(send(&world, "key-1").await.0, 503);
    assert_eq!(world.idempotency_keys_in_progress().count().await, 1);
    assert_eq!(send(&world, "key-1").await.0, 201);
    assert_eq!(world.bookings().count().await, 1);
}

async fn a_key_of_a_killed_process_is_free_within_seconds(engine: Engine) {
    let world = World::on(engine).await;
    let mut process = world.serve_with(&[], &[("NIGHTSHIFT_FAILPOINTS", "idempotency.after_take=abort")]);
    assert_eq!(send(&world, "key-1").await.0, 0, "no answer");
    process.wait().await;
    let _next = world.serve();
    eventually("the key is free", async || match send(&world, "key-1").await {
        (201, _) => true,
        (409, wait) => {
            assert_eq!(wait.as_deref(), Some("1"));
            false
        }
        (status, _) => panic!("{status}"),
    })
    .await;
    assert_eq!(world.bookings().count().await, 1);
}

/// Status and `Retry-After`; 0 without an answer.
async fn send(world: &World, key: &str) -> (u16, Option<String>) {
    let request = http_client().unwrap().post(format!("{}/api/bookings", world.url())).header("idempotency-key", key);
    let Ok(answer) = request.json(&booking()).send().await else { return (0, None) };
    let wait = answer.headers().get("retry-after").map(|value| value.to_str().unwrap().to_owned());
    (answer.status().as_u16(), wait)
}

/// A process that is frozen is not asked whether it still runs: it loses its keys, and stores nothing when it wakes up.
async fn a_frozen_holder_loses_its_key_and_stores_nothing_when_it_wakes_up(engine: Engine) {
    let database = migrated(engine).await;
    let (db, start) = (&database.db, business::start());
    let key = |process: &str| RequestKey {
        principal: "nobody".to_owned(),
        method: "POST".to_owned(),
        path: "/api/bookings".to_owned(),
        key: "key-1".to_owned(),
        holder: Holder { process: process.to_owned(), request: "1".to_owned() },
    };
    let (frozen, other) = (key("frozen"), key("other"));
    let begin = async |key: &RequestKey, now| idempotency::begin(db, key, b"{}", None, now).await.unwrap();
    assert_eq!(begin(&frozen, start).await, KeyState::Fresh);
    // As long as it renews, it keeps it.
    idempotency::renew(db, &frozen, start + Duration::from_secs(2)).await.unwrap();
    let held = KeyState::InProgress { by: Some(frozen.holder.clone()) };
    assert_eq!(begin(&other, start + Duration::from_secs(6)).await, held);
    assert_eq!(begin(&other, start + Duration::from_secs(7)).await, KeyState::Fresh);
    let now = start + Duration::from_secs(8);
    idempotency::renew(db, &frozen, now).await.unwrap();
    let mut tx = db.begin().await.unwrap();
    assert!(!idempotency::finish(&mut tx, &frozen, 201, "{}", now).await.unwrap());
    assert!(idempotency::finish(&mut tx, &other, 201, "{}", now).await.unwrap());
    tx.commit().await.unwrap();
    let replayed = KeyState::Replay { status: 201, body: "{}".to_owned() };
    assert_eq!(begin(&frozen, now).await, replayed);
}
