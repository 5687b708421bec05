//! The receiver while its store is stuck: what still finds room waits, the rest is turned away and told why.

use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use http_body_util::BodyExt;
use nightshift::config::Settings;
use nightshift::telemetry;
use nightshift::web::receiver::{Receiver, Refusals};
use nightshift::web::{Failures, Hub, RateLimits, Running, Shared, Web, router};
use nightshift_db::testing::{each_engine, migrated};
use nightshift_db::{Clock, Db, DbOptions, Engine, GroupLimits};
use nightshift_queue::Queue;
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::support::business;

each_engine! {
    more_deliveries_than_may_wait_are_told_that_the_receiver_is_overloaded,
}

/// One delivery is being written, one waits.
const ONE_WAITS: GroupLimits = GroupLimits { batch_max: 1, waiting_max: 1, writers: 1 };
const DELIVERIES: usize = 8;

fn web(db: &Db, settings: Settings) -> Web {
    let clock = Clock::manual(business::start());
    let queue = Queue::new(db.clone(), clock.clone());
    Web::new(Shared {
        public_url: settings.public_url(),
        session_secret: "a secret for tests that is long enough".into(),
        in_flight: Semaphore::new(settings.http.requests_in_flight_max),
        replies_awaited: Semaphore::new(1),
        running: Running::of("test".to_owned()),
        rates: RateLimits::new(&settings.http),
        receiver: Receiver::start_within(queue.clone(), ONE_WAITS),
        refusals: Refusals::default(),
        failures: Failures::default(),
        db: db.clone(),
        clock,
        queue,
        dialing: settings.calls.dialing(),
        settings,
        metrics: telemetry::metrics().unwrap(),
        worker: None,
        hub: Hub::default(),
        closing: CancellationToken::new(),
    })
}

fn delivery(number: usize) -> Request<Body> {
    Request::post("/api/webhooks/stripe")
        .header("content-type", "application/json")
        .body(Body::from(format!(r#"{{"id": "evt_{number}", "type": "ping"}}"#)))
        .unwrap()
}

async fn more_deliveries_than_may_wait_are_told_that_the_receiver_is_overloaded(engine: Engine) {
    let database = migrated(engine).await;
    // The only connection is held, so the store waits for it.
    let options = DbOptions { connections_max: 1, acquire_timeout: Duration::from_secs(60), ..DbOptions::default() };
    let db = Db::connect(&database.url, &options).await.unwrap();
    let router = router(web(&db, Settings::built_in().unwrap()));
    let held = db.begin().await.unwrap();
    let mut answers = JoinSet::new();
    for number in 0..DELIVERIES {
        answers.spawn(router.clone().oneshot(delivery(number)));
    }
    let (mut stored, mut held) = (0, Some(held));
    for answered in 1..=DELIVERIES {
        let answer = answers.join_next().await.unwrap().unwrap().unwrap();
        let (head, body) = answer.into_parts();
        let body: Value = serde_json::from_slice(&body.collect().await.unwrap().to_bytes()).unwrap();
        if head.status == 200 {
            stored += 1;
        } else {
            assert_eq!((head.status.as_u16(), body["code"].as_str()), (503, Some("overloaded")), "{body}");
            assert_eq!(body["error"], "Too many deliveries are waiting; nothing was saved. Try again.");
            assert_eq!(head.headers["retry-after"], "5");
        }
        if answered == DELIVERIES - 2 {
            assert_eq!(stored, 0, "nothing is answered before it is stored");
            held.take().unwrap().rollback().await.unwrap();
        }
    }
    assert!((1..=2).contains(&stored), "{stored}");
    let rows: i64 = database.db.read("SELECT count(*) FROM webhook_inbox").scalar().await.unwrap();
    assert_eq!(rows, stored);
}
