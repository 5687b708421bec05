//! The database fails at the n-th statement of the program, for many n: before it is carried out, after it was, and by
//! not answering. A booking is made, paid and confirmed all the same, once.
//!
//! With `NIGHTSHIFT_TEST_FAULTS=all` every n is tried in every way, which takes an hour.

use std::time::{Duration, Instant};

use nightshift_db::Clock;
use nightshift_db::testing::{TestDb, engines};
use nightshift_providers::http_client;
use nightshift_providers::simulator::StripeSender;
use nightshift_queue::Queue;
use nightshift_queue::admin::Filter;
use nightshift_queue::lifecycle::State;

use crate::support::business::{booking_of, paid};
use crate::support::nightshift::STRIPE_SECRET;
use crate::support::process::World;

/// A start, a booking, its payment and its text are done after fewer statements.
const STATEMENTS: usize = 240;
const WAYS: [&str; 3] = ["before", "after", "hang"];
const PATIENCE: Duration = Duration::from_secs(60);

fn faults() -> Vec<(usize, &'static str)> {
    if std::env::var("NIGHTSHIFT_TEST_FAULTS").is_ok_and(|which| which == "all") {
        return (1..=STATEMENTS).flat_map(|n| WAYS.map(|way| (n, way))).collect();
    }
    // Others in each run, a few in each stretch.
    (0..STATEMENTS).step_by(8).map(|n| (n + fastrand::usize(1..=8), WAYS[fastrand::usize(..3)])).collect()
}

/// Lets jobs that wait for their next attempt have it, and leases of claims whose answer was lost run out, without
/// waiting as long as they do.
async fn hasten(world: &World, queue: &Queue) {
    world.hasten_doubts().await;
    let retrying = Filter { state: Some(State::Retrying), ..Filter::default() };
    for job in queue.list(&retrying, None, 100).await.unwrap().jobs {
        let mut tx = world.db().begin().await.unwrap();
        // It may have started meanwhile.
        if queue.hasten(&mut tx, &job.id).await.is_ok() {
            tx.commit().await.unwrap();
        }
    }
    let now = Clock::system().now();
    world
        .db()
        .write("UPDATE jobs SET leased_until = $1 WHERE state = 'running' AND started_at < $2 AND leased_until > $2")
        .bind(now - Duration::from_secs(60))
        .bind(now - Duration::from_secs(3))
        .execute()
        .await
        .unwrap();
}

/// Sends the same request until it is taken.
async fn book(world: &World, number: usize, fault: &str, patience: Duration) -> String {
    let began = Instant::now();
    let http = http_client().unwrap();
    let url = format!("{}/api/bookings", world.url());
    loop {
        assert!(began.elapsed() < patience, "{fault}: no booking could be made\n{}", world.logged());
        let request = http.post(&url).header("idempotency-key", format!("booking-{number}"));
        if let Ok(answer) = request.json(&booking_of(number)).send().await
            && answer.status() == 201
        {
            let made: serde_json::Value = answer.json().await.unwrap();
            return made["booking"]["id"].as_str().unwrap().to_owned();
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A request that is sent again is answered soon, not after the minute in which its key is held by somebody who died.
#[tokio::test(flavor = "multi_thread")]
async fn whichever_answer_of_the_database_is_lost_a_booking_can_be_sent_again_soon() {
    let worlds = engines().await.into_iter().map(async |database: TestDb| {
        let world = World::new(database).await;
        for n in 1..=20 {
            let fault = format!("{n}=after");
            let _process = world.serve_with(&[], &[("NIGHTSHIFT_FAIL_STATEMENT", &fault)]);
            book(&world, n, &fault, Duration::from_secs(30)).await;
        }
        assert_eq!(world.count("SELECT count(*) FROM bookings").await, 20);
    });
    futures_util::future::join_all(worlds).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whichever_statement_fails_a_paid_booking_is_confirmed_once() {
    let worlds = engines().await.into_iter().map(async |database: TestDb| {
        let world = World::new(database).await;
        let queue = Queue::new(world.db().clone(), Clock::system());
        let url = world.url();
        let stripe =
            StripeSender::new(format!("{url}/api/webhooks/stripe"), STRIPE_SECRET.into(), http_client().unwrap());
        let faults = faults();
        for (number, (n, way)) in faults.iter().enumerate() {
            let fault = format!("{n}={way}");
            let mut process = world.serve_with(&[], &[("NIGHTSHIFT_FAIL_STATEMENT", &fault)]);
            let id = book(&world, number, &fault, PATIENCE).await;
            stripe.deliver_until_taken(&paid(&format!("evt_{number}"), &id), PATIENCE).await.unwrap();
            let began = Instant::now();
            let done = "SELECT count(*) FROM automation_runs AS r JOIN message_events AS e ON e.id = r.message_event_id
                        WHERE r.type = 'bookingConfirmation' AND r.status = 'success' AND e.status IN ('sent', 'delivered')";
            while world.count(done).await < i64::try_from(number).unwrap() + 1 {
                assert!(began.elapsed() < PATIENCE, "{fault}: the booking was not confirmed\n{}", world.logged());
                hasten(&world, &queue).await;
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            // Asked to end and not killed: a job that is killed three times is given up, and there are many rounds.
            process.terminate();
            process.wait().await;
        }
        let _last = world.serve();
        world.leases_run_out().await;
        world.until_quiet().await;
        world.shows_each_booking_once(faults.len()).await;
        let broken = nightshift_jobs::promises::broken(&queue).await.unwrap();
        assert_eq!(broken, []);
    });
    futures_util::future::join_all(worlds).await;
}
