//! A server's clock that is set, and processes that have not noticed it yet, that start, or that were asleep.
//!
//! The server and the machine of the process have clocks that the test moves. The other process of each test is the
//! test itself, which writes what such a process would write.

use std::time::Duration;

use nightshift_db::testing::migrated;
use nightshift_db::{Clock, Db, DbOptions, Engine, Timestamp};
use nightshift_queue::lifecycle::State;

use crate::bed::{Act, Bed, START_MS, Scripted, eventually, in_steps};

const LEASE: Duration = Duration::from_secs(30);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);
/// Within this time every process notices that the server's clock was set, and renews its leases.
const RENEWED_WITHIN: u32 = 22;
const RESCUE_LOOK: Duration = Duration::from_secs(5);

/// Replaces the server's clock for all sessions that are opened from now on, and notes each lease with the server's
/// time at which it was given or renewed.
const SERVER_CLOCK: [&str; 6] = [
    "CREATE TABLE server_clock (shows TIMESTAMPTZ NOT NULL)",
    "CREATE FUNCTION public.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS 'SELECT shows FROM public.server_clock'",
    "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = public, pg_catalog', current_database()); END $$",
    "CREATE TABLE given (until TIMESTAMPTZ NOT NULL, at TIMESTAMPTZ NOT NULL)",
    "CREATE FUNCTION note_lease() RETURNS trigger LANGUAGE plpgsql AS
       'BEGIN INSERT INTO given SELECT NEW.leased_until, shows FROM server_clock; RETURN NULL; END'",
    "CREATE TRIGGER note_lease AFTER UPDATE OF leased_until ON jobs FOR EACH ROW
       WHEN (NEW.leased_until IS NOT NULL) EXECUTE FUNCTION note_lease()",
];

async fn execute(db: &Db, sql: &'static str) {
    db.write(sql).execute().await.unwrap();
}

/// A bed whose clock is that of a machine which follows the server's.
async fn bed() -> Bed {
    let database = migrated(Engine::Postgres).await;
    for sql in SERVER_CLOCK {
        execute(&database.db, sql).await;
    }
    let start = Timestamp::from_unix_ms(START_MS);
    database.db.write("INSERT INTO server_clock VALUES ($1)").bind(start).execute().await.unwrap();
    let db = Db::connect(&database.url, &DbOptions::default()).await.unwrap();
    Bed::with(database, db, Clock::simulated(start))
}

async fn server_time(bed: &Bed) -> Timestamp {
    bed.db.read("SELECT shows FROM server_clock").scalar().await.unwrap()
}

async fn set_server(bed: &Bed, to: Timestamp) {
    bed.db.write("UPDATE server_clock SET shows = $1").bind(to).execute().await.unwrap();
}

/// Lets a second pass everywhere: no more, so that a process that asks the server just now sees no step.
async fn pass_a_second(bed: &Bed) {
    set_server(bed, server_time(bed).await + Duration::from_secs(1)).await;
    bed.clock.advance(Duration::from_secs(1));
    tokio::time::sleep(Duration::from_millis(5)).await;
}

/// A job that runs in another process, under a lease until `until`.
async fn runs_elsewhere(bed: &Bed, name: &str, until: Timestamp) -> String {
    let mut tx = bed.tx().await;
    let id = bed.queue.enqueue(&mut tx, &Scripted::new(name, &[Act::Done])).await.unwrap().id().to_owned();
    let claim =
        "UPDATE jobs SET state = 'running', waiting = FALSE, lease_id = 'elsewhere', leased_until = $2 WHERE id = $1";
    tx.query(claim).bind(&id).bind(until).execute().await.unwrap();
    tx.commit().await.unwrap();
    id
}

async fn renew_elsewhere(bed: &Bed, id: &str, until: Timestamp) {
    let renew = "UPDATE jobs SET leased_until = $2 WHERE id = $1 AND lease_id = 'elsewhere'";
    bed.db.write(renew).bind(id).bind(until).execute().await.unwrap();
}

/// Lets time pass until a job that really was lost has been rescued and run. From second `from` on, another process
/// renews its lease of `living`.
async fn until_the_lost_is_rescued(bed: &Bed, lost: &str, living: &str, from: u32) {
    let mut second = 0;
    eventually("the lost job is rescued and run", async || {
        second += 1;
        if second >= from {
            renew_elsewhere(bed, living, server_time(bed).await + LEASE).await;
        }
        pass_a_second(bed).await;
        bed.state(lost).await == State::Succeeded
    })
    .await;
    is_left_alone(bed, living).await;
}

async fn is_left_alone(bed: &Bed, living: &str) {
    let job = bed.queue.job(living).await.unwrap().unwrap();
    assert_eq!((job.state, job.crashes), (State::Running, 0), "the living job was taken away");
}

/// The owner of a lease has noticed that the server's clock was set back, and has renewed its lease by the new time.
#[tokio::test]
async fn a_rescue_that_has_not_noticed_that_the_clock_was_set_back_takes_no_renewed_lease() {
    let bed = bed().await;
    let worker = bed.worker();
    let past = server_time(&bed).await - HOUR;
    let living = runs_elsewhere(&bed, "living", server_time(&bed).await + LEASE).await;
    let lost = runs_elsewhere(&bed, "lost", past).await;
    until_the_lost_is_rescued(&bed, &lost, &living, 0).await;
    // The rescue looks by now, and asks for the time only because it finds something.
    bed.db.agree_on_time(&bed.clock).await.unwrap();
    let back = server_time(&bed).await - MINUTE;
    set_server(&bed, back).await;
    renew_elsewhere(&bed, &living, back + LEASE).await;
    let lost = runs_elsewhere(&bed, "lost too", past).await;
    until_the_lost_is_rescued(&bed, &lost, &living, 0).await;
    drop(worker);
}

/// The lease of a living job had expired when the rescue looked. Its owner, which was slow, renews it before the rescue
/// writes; and as the clock was set back meanwhile, the renewed lease would have expired by the time of the look, too.
#[tokio::test]
async fn a_lease_that_is_renewed_between_the_look_and_the_write_is_not_taken() {
    let bed = Bed::on(migrated(Engine::Postgres).await);
    let now = bed.clock.now();
    let living = runs_elsewhere(&bed, "living", now - Duration::from_secs(2)).await;
    // It comes after the other one, in the same look.
    let lost = runs_elsewhere(&bed, "lost", now - Duration::from_secs(1)).await;
    let mut owner = bed.tx().await;
    let renew = "UPDATE jobs SET leased_until = $2 WHERE id = $1";
    owner.query(renew).bind(&living).bind(now - MINUTE + LEASE).execute().await.unwrap();
    let worker = bed.worker();
    let rescue_waits = async || {
        let waiting = "SELECT count(*) FROM pg_stat_activity
                       WHERE datname = current_database() AND wait_event_type = 'Lock'";
        bed.db.read(waiting).scalar::<i64>().await.unwrap() > 0
    };
    in_steps(&bed.clock, &[RESCUE_LOOK; 3], "the rescue writes", rescue_waits).await;
    owner.commit().await.unwrap();
    bed.until_state(&lost, State::Succeeded).await;
    is_left_alone(&bed, &living).await;
    drop(worker);
}

/// The clock of a process that starts is right, so it can't notice that others still use the time of before.
#[tokio::test]
async fn a_process_that_starts_waits_until_others_have_noticed_that_the_clock_was_set() {
    let bed = bed().await;
    let living = runs_elsewhere(&bed, "living", server_time(&bed).await + LEASE).await;
    let forward = server_time(&bed).await + HOUR;
    set_server(&bed, forward).await;
    let lost = runs_elsewhere(&bed, "lost", forward - HOUR).await;
    let worker = bed.worker();
    let marker = bed.enqueue(&Scripted::new("marker", &[Act::Done])).await;
    bed.until_state(&marker, State::Succeeded).await;
    until_the_lost_is_rescued(&bed, &lost, &living, RENEWED_WITHIN).await;
    drop(worker);
}

/// Asserts that all leases were given and renewed for half a minute by the server's clock, give or take the seconds that
/// pass here meanwhile.
async fn leases_are_right(bed: &Bed) {
    let given: Vec<(Timestamp, Timestamp)> = bed.db.read("SELECT at, until FROM given").all().await.unwrap();
    let apart = |(at, until): &(Timestamp, Timestamp)| (until.unix_ms() - at.unix_ms() - 30_000).abs();
    assert!(given.iter().all(|lease| apart(lease) <= 10_000), "{given:?}");
}

async fn renewals_by(bed: &Bed, time: Timestamp) -> i64 {
    bed.db.read("SELECT count(*) FROM given WHERE at >= $1").bind(time).scalar().await.unwrap()
}

/// What happened to a process while it did nothing.
#[derive(Debug, Clone, Copy)]
enum Stopped {
    /// The machine was asleep for an hour, and its monotonic clock with it.
    Asleep,
    /// The process was frozen for a minute. The server's clock was set an hour forward meanwhile.
    Frozen,
}

impl Stopped {
    async fn happens_to(self, bed: &Bed) -> Timestamp {
        let later = match self {
            Self::Asleep => server_time(bed).await + HOUR,
            Self::Frozen => server_time(bed).await + HOUR + MINUTE,
        };
        set_server(bed, later).await;
        match self {
            Self::Asleep => bed.clock.advance_wall(HOUR),
            Self::Frozen => bed.clock.advance(MINUTE),
        }
        later
    }
}

async fn a_job_is_claimed_by_the_time_of_the_server_after(stopped: Stopped) {
    let bed = bed().await;
    let worker = bed.worker();
    let first = bed.enqueue(&Scripted::new("first", &[Act::Done])).await;
    bed.until_state(&first, State::Succeeded).await;
    stopped.happens_to(&bed).await;
    let second = bed.enqueue(&Scripted::new("second", &[Act::Done])).await;
    bed.until_state(&second, State::Succeeded).await;
    leases_are_right(&bed).await;
    drop(worker);
}

#[tokio::test]
async fn a_process_whose_machine_was_asleep_claims_by_the_time_of_the_server() {
    a_job_is_claimed_by_the_time_of_the_server_after(Stopped::Asleep).await;
}

#[tokio::test]
async fn a_process_that_was_frozen_claims_by_the_time_of_the_server() {
    a_job_is_claimed_by_the_time_of_the_server_after(Stopped::Frozen).await;
}

async fn leases_are_renewed_by_the_time_of_the_server_after(stopped: Stopped) {
    let bed = bed().await;
    // With its only slot taken the worker does not claim, so it is the renewal that has to ask.
    let worker = bed.worker_with(&[("main", 1), ("side", 1)]);
    let job = bed.enqueue(&Scripted::new("a", &[Act::Gate])).await;
    bed.until_runs("a", 1).await;
    let later = stopped.happens_to(&bed).await;
    eventually("the lease is renewed", async || {
        pass_a_second(&bed).await;
        renewals_by(&bed, later).await > 0
    })
    .await;
    leases_are_right(&bed).await;
    bed.app.open("a");
    bed.until_state(&job, State::Succeeded).await;
    drop(worker);
}

#[tokio::test]
async fn a_process_whose_machine_was_asleep_renews_by_the_time_of_the_server() {
    leases_are_renewed_by_the_time_of_the_server_after(Stopped::Asleep).await;
}

#[tokio::test]
async fn a_process_that_was_frozen_renews_by_the_time_of_the_server() {
    leases_are_renewed_by_the_time_of_the_server_after(Stopped::Frozen).await;
}
