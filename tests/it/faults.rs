//! The database fails at the n-th statement of the program, for many n: before it is carried out, after it was, and by
//! not answering. And the program fails at each of its named places: it dies, panics, gets an error, or is slow. A
//! booking is made, paid and confirmed all the same, once.
//!
//! A run tries some of them, others each time. With `NIGHTSHIFT_TEST_FAULTS=all` it tries them all, which takes half an
//! hour.

use std::time::{Duration, Instant};

use nightshift_db::testing::each_engine;
use nightshift_db::{Clock, Engine};
use nightshift_lab::simulator::StripeSender;
use nightshift_providers::http_client;
use nightshift_queue::Queue;
use nightshift_queue::admin::Filter;
use nightshift_queue::lifecycle::State;

use crate::support::business::{booking_of, paid};
use crate::support::nightshift::STRIPE_SECRET;
use crate::support::probes::LOOK_EVERY;
use crate::support::process::{Process, World};

each_engine! {
    whichever_statement_fails_a_paid_booking_is_confirmed_once(flavor = "multi_thread"),
    wherever_the_program_fails_a_paid_booking_is_confirmed_once(flavor = "multi_thread"),
    whichever_answer_of_the_database_is_lost_a_booking_can_be_sent_again_soon(flavor = "multi_thread"),
}

/// A start, a booking, its payment and its text are done after fewer statements.
const STATEMENTS: usize = 240;
const WAYS: [&str; 3] = ["before", "after", "hang"];

/// Where the program passes from its start until a paid booking is confirmed.
const PLACES: [&str; 16] = [
    "webhook.before_commit",
    "webhook.after_commit",
    "workers.run",
    "claim.after_commit",
    "run.begun",
    "run.handled",
    "booking.confirm.after_load",
    "booking.confirm.after_thread",
    "booking.confirm.after_number",
    "booking.confirm.after_window",
    "booking.confirm.after_automation",
    "booking.confirm.after_audit",
    "sms.send.after_ask",
    "sms.send.after_answer",
    "finish.before_commit",
    "finish.after_commit",
];
const ACTIONS: [&str; 4] = ["abort", "panic", "error", "delay:300"];

const PATIENCE: Duration = Duration::from_secs(60);

/// What goes wrong: a variable of the process, and its value.
type Fault = (&'static str, String);

fn everything() -> bool {
    std::env::var("NIGHTSHIFT_TEST_FAULTS").is_ok_and(|which| which == "all")
}

fn failing_statement(n: usize, way: &str) -> Fault {
    ("NIGHTSHIFT_FAIL_STATEMENT", format!("{n}={way}"))
}

fn failing_statements() -> Vec<Fault> {
    if everything() {
        return (1..=STATEMENTS).flat_map(|n| WAYS.map(|way| failing_statement(n, way))).collect();
    }
    // A few in each stretch.
    (0..STATEMENTS)
        .step_by(8)
        .map(|start| failing_statement(start + fastrand::usize(1..=8), WAYS[fastrand::usize(..WAYS.len())]))
        .collect()
}

fn failing_places() -> Vec<Fault> {
    let failing = |place: &str, action: &str| ("NIGHTSHIFT_FAILPOINTS", format!("{place}={action}"));
    if everything() {
        return PLACES.iter().flat_map(|place| ACTIONS.map(|action| failing(place, action))).collect();
    }
    let first = fastrand::usize(..ACTIONS.len());
    PLACES.iter().enumerate().map(|(at, place)| failing(place, ACTIONS[(first + at) % ACTIONS.len()])).collect()
}

/// One fault in one process.
struct Round<'a> {
    world: &'a World,
    fault: &'a str,
    process: Process,
    began: Instant,
}

impl<'a> Round<'a> {
    fn of(world: &'a World, fault: &'a Fault) -> Self {
        let process = world.serve_with(&[], &[(fault.0, &fault.1)]);
        Self { world, fault: &fault.1, process, began: Instant::now() }
    }

    /// Waits a little for `what`, and starts the program again when it has died.
    async fn wait_for(&mut self, what: &str, patience: Duration) {
        if self.began.elapsed() > patience {
            let left = self.world.all_jobs().unfinished().all().await.into_iter();
            let left: Vec<_> = left.map(|job| (job.kind, job.state, job.last_error)).collect();
            panic!("{}: {what} in vain; unfinished: {left:?}\n{}", self.fault, self.world.logged());
        }
        if self.process.has_ended() {
            self.process = self.world.serve();
            self.world.leases_run_out().await;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }

    /// Sends the same request until it is taken.
    async fn book(&mut self, number: usize, patience: Duration) -> String {
        let http = http_client().unwrap();
        let url = format!("{}/api/bookings", self.world.url());
        loop {
            let request = http.post(&url).header("idempotency-key", format!("booking-{number}"));
            if let Ok(answer) = request.json(&booking_of(number)).send().await
                && answer.status() == 201
            {
                let made: serde_json::Value = answer.json().await.unwrap();
                return made["booking"]["id"].as_str().unwrap().to_owned();
            }
            self.wait_for("a booking was made", patience).await;
        }
    }

    async fn pay(&mut self, number: usize, booking: &str) {
        let url = format!("{}/api/webhooks/stripe", self.world.url());
        let stripe = StripeSender::new(url, STRIPE_SECRET.into(), http_client().unwrap());
        let event = paid(&format!("evt_{number}"), booking);
        while !stripe.deliver(&event).await.is_ok_and(|answer| answer.taken()) {
            self.wait_for("a payment was reported", PATIENCE).await;
        }
    }

    async fn until_confirmed(&mut self, queue: &Queue, bookings: i64) {
        let confirmations = self.world.automation_runs("bookingConfirmation").succeeded().with_a_sent_text();
        while confirmations.count().await < bookings {
            run_now(self.world, queue).await;
            self.wait_for("a confirmation was waited for", PATIENCE).await;
        }
    }

    /// The process is asked to end and not killed: a job that is killed three times is given up, and there are many
    /// rounds.
    async fn end(mut self) {
        if !self.process.has_ended() {
            self.process.terminate();
            self.process.wait().await;
        }
    }
}

/// Lets jobs that wait for their next attempt have it, and leases of claims whose answer was lost run out, without
/// waiting as long as they do.
async fn run_now(world: &World, queue: &Queue) {
    world.run_look_ups_now().await;
    let retrying = Filter { state: Some(State::Retrying), ..Filter::default() };
    for job in queue.list(&retrying, None, 100).await.unwrap().jobs {
        let mut tx = world.db().begin().await.unwrap();
        // It may have started meanwhile.
        if queue.run_now(&mut tx, &job.id).await.is_ok() {
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

async fn a_booking_is_confirmed_once_in_spite_of(engine: Engine, faults: &[Fault]) {
    let world = World::on(engine).await;
    let queue = Queue::new(world.db().clone(), Clock::system());
    for (number, fault) in faults.iter().enumerate() {
        let mut round = Round::of(&world, fault);
        let booking = round.book(number, PATIENCE).await;
        round.pay(number, &booking).await;
        round.until_confirmed(&queue, i64::try_from(number).unwrap() + 1).await;
        round.end().await;
    }
    let _last = world.serve();
    world.leases_run_out().await;
    world.until_quiet().await;
    world.shows_each_booking_once(faults.len()).await;
}

async fn whichever_statement_fails_a_paid_booking_is_confirmed_once(engine: Engine) {
    a_booking_is_confirmed_once_in_spite_of(engine, &failing_statements()).await;
}

async fn wherever_the_program_fails_a_paid_booking_is_confirmed_once(engine: Engine) {
    a_booking_is_confirmed_once_in_spite_of(engine, &failing_places()).await;
}

/// A request that is sent again is answered soon, not after the minute in which its key is held by somebody who died.
async fn whichever_answer_of_the_database_is_lost_a_booking_can_be_sent_again_soon(engine: Engine) {
    let world = World::on(engine).await;
    for n in 1..=20 {
        let fault = failing_statement(n, "after");
        Round::of(&world, &fault).book(n, Duration::from_secs(30)).await;
    }
    assert_eq!(world.bookings().count().await, 20);
}
