//! Several processes on one database, processes that end politely, and a database that goes away.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use nightshift_db::testing::{TestDb, each_engine, postgres};
use nightshift_db::{Db, DbOptions, Engine, migrate};
use nightshift_lab::simulator::{ReservedPort, StripeSender};
use nightshift_providers::http_client;
use serde_json::Value;

use crate::support::business::{self, paid};
use crate::support::checks::eventually;
use crate::support::nightshift::STRIPE_SECRET;
use crate::support::process::{Process, World, on};

each_engine! {
    a_process_that_is_asked_to_end_says_so_finishes_what_runs_and_loses_nothing,
    a_second_signal_ends_the_process_at_once,
    metrics_tell_requests_webhooks_and_jobs,
    a_request_tells_its_own_story_in_json_log_lines,
    a_confirmation_reaches_a_watcher_at_another_process_and_outlives_a_restart,
}

fn stripe(url: &str) -> StripeSender {
    StripeSender::new(format!("{url}/api/webhooks/stripe"), STRIPE_SECRET.into(), http_client().unwrap())
}

async fn status(process: &Process, path: &str) -> u16 {
    let answer = http_client().unwrap().get(format!("{}{path}", process.url)).send().await;
    answer.map_or(0, |answer| answer.status().as_u16())
}

#[tokio::test]
async fn two_workers_and_two_receivers_do_each_job_once_and_a_pause_holds_for_all() {
    let database = postgres().await;
    migrate(&database.db).await.unwrap();
    let mut world = World::new(database).await;
    world.set("PORT", "0");
    business::load_bookings(world.db(), 120).await;
    let webs = [world.serve_with(&["--role", "web"], &[]), world.serve_with(&["--role", "web"], &[])];
    let _workers = [world.serve_with(&["--role", "worker"], &[]), world.serve_with(&["--role", "worker"], &[])];
    let senders = webs.each_ref().map(|web| stripe(&web.url));
    for number in 0..100 {
        let event = paid(&format!("evt_{number}"), &format!("booking-{number}"));
        let (one, two) = tokio::join!(senders[0].deliver(&event), senders[1].deliver(&event));
        assert!(one.unwrap().taken() && two.unwrap().taken());
    }
    world.automation_runs("bookingConfirmation").succeeded().until(100).await;
    world.until_quiet().await;
    world.shows_each_booking_once(100).await;
    let workers: i64 = world.workers().count().await;
    assert!(workers >= 2, "{workers}");
    assert_eq!(world.failed_attempts().count().await, 0, "some job failed or was run twice");

    let paused = world.command(&["queues", "pause", "bookings", "--reason", "test"]).output().unwrap();
    assert!(paused.status.success());
    for number in 100..120 {
        let event = paid(&format!("evt_{number}"), &format!("booking-{number}"));
        assert!(senders[number % 2].deliver(&event).await.unwrap().taken());
    }
    world.jobs("booking.confirm").queued().until(20).await;
    // Other work goes on, so the workers look for more again and again.
    for number in 100..120 {
        let event = paid(&format!("evt_{number}_again"), &format!("booking-{number}"));
        assert!(senders[number % 2].deliver(&event).await.unwrap().taken());
    }
    world.webhooks("stripe").processed().until(140).await;
    assert_eq!(world.jobs("booking.confirm").queued().count().await, 20);
    assert!(world.command(&["queues", "resume", "bookings"]).output().unwrap().status.success());
    world.automation_runs("bookingConfirmation").succeeded().until(120).await;
    world.until_quiet().await;
    world.shows_each_booking_once(120).await;
    assert_eq!(world.events("queue.paused").count().await, 1);
    assert_eq!(world.events("queue.resumed").count().await, 1);
}

async fn a_process_that_is_asked_to_end_says_so_finishes_what_runs_and_loses_nothing(engine: Engine) {
    on(engine, async |world| {
        business::load_bookings(world.db(), 40).await;
        // Each confirmation takes a while, so that some run when the signal comes.
        let slow = [("NIGHTSHIFT_FAILPOINTS", "booking.confirm.after_thread=delay:700")];
        let mut process = world.serve_with(&[], &slow);
        assert_eq!((status(&process, "/healthz").await, status(&process, "/readyz").await), (200, 200));
        let sender = stripe(&process.url);
        for number in 0..40 {
            let event = paid(&format!("evt_{number}"), &format!("booking-{number}"));
            assert!(sender.deliver(&event).await.unwrap().taken());
        }
        world.jobs("booking.confirm").until(40).await;
        process.terminate();
        eventually("it says that it is not ready", async || status(&process, "/readyz").await == 503).await;
        assert!(process.wait().await.success());
        assert_eq!(world.all_jobs().running().count().await, 0);
        let _again = world.serve();
        world.automation_runs("bookingConfirmation").succeeded().until(40).await;
        world.until_quiet().await;
        world.shows_each_booking_once(40).await;
        assert_eq!(world.all_jobs().that_lost_a_lease().count().await, 0);
        world.logs_are_discreet();
    })
    .await;
}

async fn a_second_signal_ends_the_process_at_once(engine: Engine) {
    on(engine, async |world| {
        business::load_bookings(world.db(), 1).await;
        let stuck = [("NIGHTSHIFT_FAILPOINTS", "booking.confirm.after_thread=delay:60000")];
        let mut process = world.serve_with(&[], &stuck);
        stripe(&process.url).deliver(&paid("evt_1", "booking-0")).await.unwrap();
        world.jobs("booking.confirm").running().until(1).await;
        process.terminate();
        eventually("it says that it is not ready", async || status(&process, "/readyz").await == 503).await;
        process.terminate();
        assert_eq!(process.wait().await.code(), Some(1));
    })
    .await;
}

/// A PostgreSQL server of the test's own, to be stopped and started.
struct Server {
    folder: tempfile::TempDir,
    script: String,
}

impl Server {
    fn new() -> (Self, String) {
        let script = format!("{}/scripts/postgres", env!("CARGO_MANIFEST_DIR"));
        let server = Self { folder: tempfile::tempdir().unwrap(), script };
        // A server that runs as another user must be able to reach the folder.
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(server.folder.path(), open).unwrap();
        let url = server.run(&["start", &server.data()]);
        (server, url)
    }

    fn data(&self) -> String {
        Path::new(self.folder.path()).join("pg").display().to_string()
    }

    fn run(&self, arguments: &[&str]) -> String {
        let output = Command::new(&self.script).args(arguments).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Statements in its log.
    fn statements(&self) -> usize {
        let log = std::fs::read_to_string(Path::new(&self.data()).join("data/server.log")).unwrap();
        log.lines().filter(|line| line.contains("LOG:  statement:") || line.contains("LOG:  execute ")).count()
    }

    /// As a crash would. Its port is kept for it.
    fn stop(&self) -> ReservedPort {
        self.run(&["stop", &self.data(), "immediate"]);
        let url = reqwest::Url::parse(&self.run(&["url", &self.data()])).unwrap();
        ReservedPort::bind(url.port().unwrap()).unwrap()
    }

    fn start(&self) {
        self.run(&["start", &self.data()]);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Also after a failed assertion, when it may be stopped already.
        let _ = Command::new(&self.script).args(["stop", &self.data(), "immediate"]).output();
    }
}

#[tokio::test]
async fn while_the_database_is_away_webhooks_get_503_and_afterwards_everything_goes_on_by_itself() {
    const AWAY: Duration = Duration::from_secs(20);
    let (server, url) = Server::new();
    let db = Db::connect(&url, &DbOptions::default()).await.unwrap();
    migrate(&db).await.unwrap();
    let world = World::new(TestDb::existing(db, url)).await;
    business::load_bookings(world.db(), 150).await;
    let mut process = world.serve();
    let sender = stripe(&process.url);
    let deliver = async |number: usize| {
        let event = paid(&format!("evt_{number}"), &format!("booking-{number}"));
        sender.deliver(&event).await.unwrap()
    };
    // Under load: jobs run while the server crashes.
    for number in 0..50 {
        assert!(deliver(number).await.taken());
    }
    let _port = server.stop();
    let stopped = Instant::now();
    let (mut refused, mut number) = (0, 50);
    while stopped.elapsed() < AWAY {
        let answer = deliver(number).await;
        assert_eq!(answer.status, 503, "{}", answer.body);
        let body: Value = serde_json::from_str(&answer.body).unwrap();
        assert!(body["error"].is_string(), "{body}");
        refused += 1;
        number = 50 + refused % 50;
        assert_eq!((status(&process, "/healthz").await, status(&process, "/readyz").await), (200, 503));
    }
    assert!(refused > 1, "{refused}");
    assert!(!process.has_ended());
    server.start();
    for number in 50..100 {
        let event = paid(&format!("evt_{number}"), &format!("booking-{number}"));
        sender.deliver_until_taken(&event, Duration::from_secs(30)).await.unwrap();
    }
    world.automation_runs("bookingConfirmation").succeeded().until(100).await;
    world.until_quiet().await;
    world.shows_each_booking_once(100).await;
    assert_eq!(status(&process, "/readyz").await, 200);
    assert_eq!(world.all_jobs().dead().count().await, 0);
    world.logs_are_discreet();
    drop(process);
    world.db().close().await;
}

#[tokio::test]
async fn a_process_starts_before_its_database_and_works_when_it_is_there() {
    let (server, url) = Server::new();
    let db = Db::connect(&url, &DbOptions::default()).await.unwrap();
    migrate(&db).await.unwrap();
    let world = World::new(TestDb::existing(db, url)).await;
    business::load_bookings(world.db(), 1).await;
    let _port = server.stop();
    let process = world.serve();
    assert_eq!((status(&process, "/healthz").await, status(&process, "/readyz").await), (200, 503));
    server.start();
    let event = paid("evt_1", "booking-0");
    stripe(&process.url).deliver_until_taken(&event, Duration::from_secs(30)).await.unwrap();
    world.automation_runs("bookingConfirmation").succeeded().until(1).await;
    world.db().close().await;
}

#[tokio::test]
async fn an_idle_process_makes_at_most_one_statement_a_second() {
    let (server, url) = Server::new();
    let db = Db::connect(&url, &DbOptions::default()).await.unwrap();
    migrate(&db).await.unwrap();
    db.write("ALTER SYSTEM SET log_statement = 'all'").execute().await.unwrap();
    db.write("SELECT pg_reload_conf()").execute().await.unwrap();
    let world = World::new(TestDb::existing(db, url)).await;
    let _process = world.serve();
    // Worker and scheduler have begun; what a start needs is done when nothing was asked for two seconds.
    world.workers().until(1).await;
    world.until("SELECT count(*) FROM (SELECT 1 FROM schedules LIMIT 1) AS known", 1).await;
    // An occurrence of a schedule that falls into the measurement is work, so it is measured again.
    loop {
        let jobs = world.all_jobs().count().await;
        let took = twenty_idle_statements(&server).await;
        if world.all_jobs().count().await == jobs {
            assert!(took >= Duration::from_secs(20), "twenty statements in {took:?}");
            break;
        }
    }
    world.db().close().await;
}

/// How long twenty statements take, once none came for two seconds.
async fn twenty_idle_statements(server: &Server) -> Duration {
    let (mut before, mut since) = (0, Instant::now());
    eventually("it has nothing to do", async || {
        let asked = server.statements();
        if asked != before {
            (before, since) = (asked, Instant::now());
        }
        since.elapsed() > Duration::from_secs(2)
    })
    .await;
    let idle = Instant::now();
    eventually("twenty statements", async || server.statements() >= before + 20).await;
    idle.elapsed()
}

async fn metrics_tell_requests_webhooks_and_jobs(engine: Engine) {
    on(engine, async |world| {
        business::load_bookings(world.db(), 1).await;
        let process = world.serve();
        stripe(&process.url).deliver(&paid("evt_1", "booking-0")).await.unwrap();
        stripe(&process.url).deliver_raw(b"{}".to_vec(), None).await.unwrap();
        world.automation_runs("bookingConfirmation").succeeded().until(1).await;
        world.until_quiet().await;
        let text =
            http_client().unwrap().get(format!("{}/metrics", process.url)).send().await.unwrap().text().await.unwrap();
        for needed in [
            "nightshift_http_requests_total{",
            "nightshift_http_request_seconds_bucket{",
            "nightshift_webhooks_received_total{provider=\"stripe\",verdict=\"accepted\"} 1",
            "nightshift_webhooks_received_total{provider=\"stripe\",verdict=\"refused\"} 1",
            "kind=\"booking.confirm\",state=\"succeeded\"",
            "nightshift_provider_calls_total{",
        ] {
            assert!(text.contains(needed), "{needed} is missing in\n{text}");
        }
        assert!(!text.contains("+1555"), "{text}");
    })
    .await;
}

async fn a_request_tells_its_own_story_in_json_log_lines(engine: Engine) {
    on(engine, async |world| {
        business::load_bookings(world.db(), 1).await;
        let process = world.serve();
        stripe(&process.url).deliver(&paid("evt_1", "booking-0")).await.unwrap();
        world.automation_runs("bookingConfirmation").succeeded().until(1).await;
        world.until_quiet().await;
        for line in world.logged().lines() {
            let line: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
            assert!(line["level"].is_string() && line["message"].is_string(), "{line}");
        }
        world.logs_are_discreet();
    })
    .await;
}

async fn a_confirmation_reaches_a_watcher_at_another_process_and_outlives_a_restart(engine: Engine) {
    on(engine, async |mut world| {
        world.set("PORT", "0");
        let web = world.serve_with(&["--role", "web"], &[]);
        let _worker = world.serve_with(&["--role", "worker"], &[]);
        let http = http_client().unwrap();
        let body = serde_json::json!({"title": "Teeth", "userPhone": "+14155550199",
                                      "providers": [{"name": "Bright Dental", "phone": "+14155550177"}]});
        let made: Value = send(http.post(format!("{}/api/v1/service-requests", web.url)).json(&body)).await;
        let id = made["data"]["id"].as_str().unwrap().to_owned();
        let path = format!("/api/v1/service-requests/{id}");
        let shown: Value = send(http.get(format!("{}{path}", web.url))).await;
        // A client without the time limits of ours: this answer does not end.
        let watcher = reqwest::Client::new();
        let stream = format!("{}/api/events/stream?topics=request:{id}", web.url);
        let mut stream = watcher.get(stream).send().await.unwrap();
        let wish = serde_json::json!({"serviceRequestId": id, "providerId": shown["data"]["providers"][0]["id"]});
        send(http.post(format!("{}/api/v1/bookings/schedule-async", web.url)).json(&wish)).await;
        let mut read = String::new();
        while !read.contains("event: booking.confirmed") {
            let chunk = tokio::time::timeout(Duration::from_secs(10), stream.chunk()).await;
            read.push_str(std::str::from_utf8(&chunk.expect("an event in time").unwrap().unwrap()).unwrap());
        }
        drop(web);
        let again = world.serve_with(&["--role", "web"], &[]);
        let shown: Value = send(http.get(format!("{}{path}", again.url))).await;
        assert_eq!(shown["data"]["status"], "COMPLETED");
        world.logs_are_discreet();
    })
    .await;
}

async fn send(request: reqwest::RequestBuilder) -> Value {
    let answer = request.send().await.unwrap();
    assert!(answer.status().is_success(), "{}", answer.status());
    answer.json().await.unwrap()
}
