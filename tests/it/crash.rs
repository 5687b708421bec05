//! The real program, killed at every point: what was acknowledged happens, and happens once.

use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use nightshift_db::Engine;
use nightshift_db::testing::{each_engine, empty};
use nightshift_lab::simulator::StripeSender;
use nightshift_providers::http_client;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::support::business::{self, booking, paid};
use crate::support::nightshift::STRIPE_SECRET;
use crate::support::probes::LOOK_EVERY;
use crate::support::process::{Process, World, on, program};

each_engine! {
    killed_while_a_lost_job_is_taken_back,
    killed_when_the_grace_time_is_over,
    killed_while_the_schema_is_made(flavor = "multi_thread"),
    confirmed_once_when_killed_before_the_first_step,
    confirmed_once_when_killed_after_the_thread,
    confirmed_once_when_killed_after_the_number,
    confirmed_once_when_killed_after_the_window,
    confirmed_once_when_killed_after_the_automation,
    confirmed_once_when_killed_after_the_audit,
    confirmed_once_when_killed_before_the_text_leaves,
    confirmed_once_when_killed_after_the_text_has_left,
    an_acknowledged_webhook_is_processed_after_a_kill,
    a_job_that_kills_its_process_three_times_is_put_before_people_and_others_go_on,
    a_job_that_panics_is_tried_again_and_takes_nobody_with_it,
    nothing_is_lost_and_nothing_done_twice_when_the_process_is_killed_fifty_times,
    called_once_when_killed_before_the_call_leaves,
    called_once_when_killed_after_the_call_was_placed,
    called_once_when_killed_while_the_result_is_stored,
    called_once_when_killed_a_hundred_times,
}

async fn book(process: &Process) -> String {
    let answer = http_client()
        .unwrap()
        .post(format!("{}/api/bookings", process.url))
        .json(&booking())
        .send()
        .await
        .unwrap()
        .json::<Value>()
        .await
        .unwrap();
    answer["booking"]["id"].as_str().unwrap().to_owned()
}

fn stripe(url: &str) -> StripeSender {
    StripeSender::new(format!("{url}/api/webhooks/stripe"), STRIPE_SECRET.into(), http_client().unwrap())
}

/// Starts the program once more, and looks at the one booking.
async fn goes_on(world: &World) {
    world.leases_run_out().await;
    let _again = world.serve();
    world.texts().sent().until(1).await;
    world.until_quiet().await;
    world.shows_each_booking_once(1).await;
}

/// Kills the program at `point`, starts it again, and looks at the outcome.
async fn killed_at(engine: Engine, point: &str) {
    on(engine, async |world| {
        let mut process = world.serve_with(&[], &[("NIGHTSHIFT_FAILPOINTS", &format!("{point}=abort"))]);
        let id = book(&process).await;
        stripe(&process.url).deliver(&paid("evt_1", &id)).await.unwrap();
        let status = process.wait().await;
        assert!(!status.success(), "{point} was not reached");
        goes_on(&world).await;
    })
    .await;
}

/// What a dead process left behind is taken back, also when the process that does so dies over it.
async fn killed_while_a_lost_job_is_taken_back(engine: Engine) {
    on(engine, async |world| {
        let dies_at = |point: &str| world.serve_with(&[], &[("NIGHTSHIFT_FAILPOINTS", &format!("{point}=abort"))]);
        let mut first = dies_at("booking.confirm.after_number");
        let id = book(&first).await;
        stripe(&first.url).deliver(&paid("evt_1", &id)).await.unwrap();
        assert!(!first.wait().await.success());
        world.leases_run_out().await;
        assert!(!dies_at("rescue.before_commit").wait().await.success());
        goes_on(&world).await;
        let most = world.all_jobs().all().await.iter().map(|job| job.crashes).max();
        assert_eq!(most, Some(1), "a taking back that failed counts nothing");
    })
    .await;
}

async fn killed_when_the_grace_time_is_over(engine: Engine) {
    on(engine, async |mut world| {
        world.set("NIGHTSHIFT__WORKER__SHUTDOWN_GRACE_SECONDS", "1");
        let points = "booking.confirm.after_number=delay:60000,shutdown.grace_over=abort";
        let mut process = world.serve_with(&[], &[("NIGHTSHIFT_FAILPOINTS", points)]);
        let id = book(&process).await;
        stripe(&process.url).deliver(&paid("evt_1", &id)).await.unwrap();
        world.jobs("booking.confirm").running().until(1).await;
        process.terminate();
        assert_eq!(process.wait().await.code(), None, "it was killed and did not end");
        goes_on(&world).await;
    })
    .await;
}

/// Whenever the first start is killed, the next one finds a schema that it can bring to its end.
async fn killed_while_the_schema_is_made(engine: Engine) {
    let database = empty(engine).await;
    let migrate = || {
        let mut command = program();
        command.arg("migrate").env("DATABASE_URL", &database.url).stdout(Stdio::null()).stderr(Stdio::null());
        command
    };
    for _ in 0..12 {
        let mut process = migrate().spawn().unwrap();
        tokio::time::sleep(Duration::from_millis(fastrand::u64(5..60))).await;
        process.kill().unwrap();
        process.wait().unwrap();
    }
    assert!(migrate().status().unwrap().success());
    assert!(nightshift_db::migration_state(&database.db).await.unwrap().is_current());
}

async fn confirmed_once_when_killed_before_the_first_step(engine: Engine) {
    killed_at(engine, "booking.confirm.after_load").await;
}

async fn confirmed_once_when_killed_after_the_thread(engine: Engine) {
    killed_at(engine, "booking.confirm.after_thread").await;
}

async fn confirmed_once_when_killed_after_the_number(engine: Engine) {
    killed_at(engine, "booking.confirm.after_number").await;
}

async fn confirmed_once_when_killed_after_the_window(engine: Engine) {
    killed_at(engine, "booking.confirm.after_window").await;
}

async fn confirmed_once_when_killed_after_the_automation(engine: Engine) {
    killed_at(engine, "booking.confirm.after_automation").await;
}

async fn confirmed_once_when_killed_after_the_audit(engine: Engine) {
    killed_at(engine, "booking.confirm.after_audit").await;
}

async fn confirmed_once_when_killed_before_the_text_leaves(engine: Engine) {
    killed_at(engine, "sms.send.after_ask").await;
}

async fn confirmed_once_when_killed_after_the_text_has_left(engine: Engine) {
    killed_at(engine, "sms.send.after_answer").await;
}

async fn an_acknowledged_webhook_is_processed_after_a_kill(engine: Engine) {
    on(engine, async |world| {
        // Nobody runs jobs: all that is left of the webhook when the process dies is what is on disk.
        let mut web = world.serve_with(&["--role", "web"], &[]);
        let id = book(&web).await;
        let answer = stripe(&web.url).deliver(&paid("evt_1", &id)).await.unwrap();
        assert!(answer.taken());
        web.kill();
        assert_eq!(world.bookings().confirmed().count().await, 0);
        let _worker = world.serve_with(&["--role", "worker"], &[]);
        world.texts().sent().until(1).await;
        world.until_quiet().await;
        world.shows_each_booking_once(1).await;
    })
    .await;
}

async fn a_job_that_kills_its_process_three_times_is_put_before_people_and_others_go_on(engine: Engine) {
    on(engine, async |world| {
        let deadly = [("NIGHTSHIFT_FAILPOINTS", "booking.confirm.after_load=abort")];
        let mut process = world.serve_with(&[], &deadly);
        let id = book(&process).await;
        stripe(&process.url).deliver(&paid("evt_1", &id)).await.unwrap();
        process.wait().await;
        for _ in 0..2 {
            world.leases_run_out().await;
            world.serve_with(&[], &deadly).wait().await;
        }
        world.leases_run_out().await;
        let process = world.serve_with(&[], &deadly);
        world.jobs("booking.confirm").dead().until(1).await;
        let dead = world.jobs("booking.confirm").one().await;
        assert_eq!((dead.crashes, dead.attempts, dead.last_error_class.as_deref()), (3, 0, Some("lease_lost")));
        assert_eq!(world.open_exceptions("job_dead").count().await, 1);
        // The process lives and does other work.
        stripe(&process.url).deliver(&paid("evt_2", "no-such-booking")).await.unwrap();
        world.all_webhooks().processed().with_key("evt_2").until(1).await;
    })
    .await;
}

async fn a_job_that_panics_is_tried_again_and_takes_nobody_with_it(engine: Engine) {
    on(engine, async |mut world| {
        world.set("NIGHTSHIFT_FAILPOINTS", "booking.confirm.after_window=panic");
        let mut process = world.serve();
        let id = book(&process).await;
        stripe(&process.url).deliver(&paid("evt_1", &id)).await.unwrap();
        world.texts().sent().until(1).await;
        world.until_quiet().await;
        world.shows_each_booking_once(1).await;
        assert!(!process.has_ended());
        assert_eq!(world.failed_attempts().one().await.outcome, "panic");
        world.logs_are_discreet();
    })
    .await;
}

/// The promise of the whole system, with the real program: 500 signed webhooks for 200 bookings come in while it is
/// killed 50 times.
async fn nothing_is_lost_and_nothing_done_twice_when_the_process_is_killed_fifty_times(engine: Engine) {
    on(engine, async |world| {
        const BOOKINGS: usize = 200;
        const WEBHOOKS: usize = 500;
        const KILLS: usize = 50;
        business::load_bookings(world.db(), BOOKINGS).await;
        let url = world.url();
        let (stripe, next) = (Arc::new(stripe(&url)), Arc::new(AtomicUsize::new(0)));
        let taken = Arc::new(AtomicUsize::new(0));
        let killed = watch::Sender::new(0);
        let senders: Vec<_> = (0..8)
            .map(|_| {
                let (stripe, next, taken) = (stripe.clone(), next.clone(), taken.clone());
                let mut kills = killed.subscribe();
                tokio::spawn(async move {
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        if number >= WEBHOOKS {
                            return;
                        }
                        // Spread over the killing.
                        kills.wait_for(|kills| kills * WEBHOOKS >= number * KILLS).await.unwrap();
                        let event = paid(&format!("evt_{number}"), &format!("booking-{}", number % BOOKINGS));
                        stripe.deliver_until_taken(&event, Duration::from_secs(120)).await.unwrap();
                        taken.fetch_add(1, Ordering::Relaxed);
                    }
                })
            })
            .collect();
        for _ in 0..KILLS {
            let mut process = world.serve();
            tokio::time::sleep(Duration::from_millis(fastrand::u64(20..500))).await;
            process.kill();
            killed.send_modify(|kills| *kills += 1);
        }
        let _last = world.serve();
        for sender in senders {
            sender.await.unwrap();
        }
        assert_eq!(taken.load(Ordering::Relaxed), WEBHOOKS);
        world.leases_run_out().await;
        world.webhooks("stripe").processed().until(500).await;
        world.automation_runs("bookingConfirmation").succeeded().until(200).await;
        world.until_quiet().await;
        world.shows_each_booking_once(BOOKINGS).await;
        world.logs_are_discreet();
    })
    .await;
}

/// A world whose calls are real, as far as the simulator is.
async fn calling(mut world: World) -> World {
    world.set("LIVE_CALL_ENABLED", "true");
    world.set("NIGHTSHIFT__CALLS__POLL_INTERVAL_MS", "200");
    world
}

async fn want_call(http: &reqwest::Client, url: &str, number: usize) -> Option<()> {
    let body = json!({"title": "Teeth", "userPhone": format!("+1415555{number:04}"),
                      "providers": [{"name": "Bright Dental", "phone": format!("+1415556{number:04}")}]});
    let made: Value = http
        .post(format!("{url}/api/v1/service-requests"))
        .header("idempotency-key", format!("request-{number}"))
        .json(&body)
        .send()
        .await
        .ok()?
        .json()
        .await
        .ok()?;
    let id = made["data"]["id"].as_str()?;
    let shown: Value = http.get(format!("{url}/api/v1/service-requests/{id}")).send().await.ok()?.json().await.ok()?;
    let wish = json!({"serviceRequestId": id, "providerId": shown["data"]["providers"][0]["id"]});
    let answer = http.post(format!("{url}/api/v1/bookings/schedule-async")).json(&wish).send().await.ok()?;
    // 409: an earlier try was answered to nobody, and its call is over already.
    matches!(answer.status().as_u16(), 202 | 409).then_some(())
}

async fn call_killed_at(engine: Engine, point: &str) {
    on(engine, async |world| {
        let world = calling(world).await;
        let mut process = world.serve_with(&[], &[("NIGHTSHIFT_FAILPOINTS", &format!("{point}=abort"))]);
        // The process may die before it has answered.
        let _ = want_call(&http_client().unwrap(), &process.url, 1).await;
        assert!(!process.wait().await.success(), "{point} was not reached");
        world.leases_run_out().await;
        let _again = world.serve();
        world.service_requests().completed().until(1).await;
        assert_eq!(world.simulator.vapi().placed(), 1, "{point}");
        world.keeps_its_promises().await;
    })
    .await;
}

async fn called_once_when_killed_before_the_call_leaves(engine: Engine) {
    call_killed_at(engine, "booking_call.start.after_ask").await;
}

async fn called_once_when_killed_after_the_call_was_placed(engine: Engine) {
    call_killed_at(engine, "booking_call.start.after_answer").await;
}

async fn called_once_when_killed_while_the_result_is_stored(engine: Engine) {
    call_killed_at(engine, "booking_call.complete.before_commit").await;
}

/// Killed a hundred times at random while calls are placed: no phone rings twice, and every call that was accepted ends.
async fn called_once_when_killed_a_hundred_times(engine: Engine) {
    on(engine, async |world| {
        const CALLS: usize = 60;
        const KILLS: usize = 100;
        let world = Arc::new(calling(world).await);
        let url = world.url();
        let next = Arc::new(AtomicUsize::new(0));
        let killed = watch::Sender::new(0);
        let callers: Vec<_> = (0..4)
            .map(|_| {
                let (next, url, http) = (next.clone(), url.clone(), http_client().unwrap());
                let mut kills = killed.subscribe();
                tokio::spawn(async move {
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        if number >= CALLS {
                            return;
                        }
                        kills.wait_for(|kills| kills * CALLS >= number * KILLS).await.unwrap();
                        while want_call(&http, &url, number).await.is_none() {
                            tokio::time::sleep(LOOK_EVERY).await;
                        }
                    }
                })
            })
            .collect();
        // The answer of VAPI takes a while, so that many of the kills fall between request and answer.
        let slow = [("NIGHTSHIFT_FAILPOINTS", "booking_call.start.after_answer=delay:40")];
        for _ in 0..KILLS {
            let mut process = world.serve_with(&[], &slow);
            tokio::time::sleep(Duration::from_millis(fastrand::u64(10..200))).await;
            process.kill();
            killed.send_modify(|kills| *kills += 1);
        }
        let _last = world.serve();
        for caller in callers {
            caller.await.unwrap();
        }
        world.leases_run_out().await;
        world.service_requests().completed().until(i64::try_from(CALLS).unwrap()).await;
        let calls = world.simulator.vapi().calls();
        let mut numbers: Vec<_> = calls.iter().map(|call| call.number.as_str()).collect();
        numbers.sort_unstable();
        let rang = numbers.len();
        numbers.dedup();
        assert_eq!((rang, numbers.len()), (CALLS, CALLS), "phones that rang, and phones");
        world.keeps_its_promises().await;
        world.logs_are_discreet();
    })
    .await;
}
