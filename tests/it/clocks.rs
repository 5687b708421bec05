//! Clocks of machines that are wrong, and clocks that are set while jobs run.

use nightshift_db::Engine;
use nightshift_db::testing::{each_engine, migrated};
use nightshift_lab::simulator::StripeSender;
use nightshift_providers::http_client;

use crate::support::business::{self, paid};
use crate::support::nightshift::STRIPE_SECRET;
use crate::support::process::World;

each_engine! {
    a_minute_on_the_clock_takes_no_live_job_away(flavor = "multi_thread"),
    rows_carry_the_time_of_the_database(flavor = "multi_thread"),
}

/// The job outlasts the other process's first look at lost leases, which is five seconds after its start.
const SLOW: (&str, &str) = ("NIGHTSHIFT_FAILPOINTS", "booking.confirm.after_thread=delay:14000");

/// On PostgreSQL the second process is on a machine whose clock is a minute ahead. On SQLite all share a machine, whose
/// clock is set a minute forward while the job runs.
async fn a_minute_on_the_clock_takes_no_live_job_away(engine: Engine) {
    let mut world = World::on(engine).await;
    let (first, second) = match engine {
        Engine::Postgres => (("NIGHTSHIFT_CLOCK_STEP", ""), ("NIGHTSHIFT_CLOCK_SKEW_MS", "60000")),
        Engine::Sqlite => (("NIGHTSHIFT_CLOCK_STEP", "9000=60000"), ("NIGHTSHIFT_CLOCK_STEP", "3000=60000")),
    };
    business::load_bookings(world.db(), 1).await;
    let _holder = world.serve_with(&["--role", "all"], &[SLOW, first]);
    let sender =
        StripeSender::new(format!("{}/api/webhooks/stripe", world.url()), STRIPE_SECRET.into(), http_client().unwrap());
    assert!(sender.deliver(&paid("evt_1", "booking-0")).await.unwrap().taken());
    world.jobs("booking.confirm").running().until(1).await;
    world.set("PORT", "0");
    let _other = world.serve_with(&["--role", "worker"], &[second]);
    world.texts().sent().until(1).await;
    world.until_quiet().await;
    assert_eq!(world.all_jobs().that_lost_a_lease().count().await, 0, "{engine:?}\n{}", world.logged());
    assert_eq!(world.failed_attempts().count().await, 0, "{engine:?}");
    if engine == Engine::Postgres {
        assert!(world.logged().contains("this machine's clock is wrong"), "{}", world.logged());
    }
}

/// What a process stamps is the database's time, however wrong its own clock is.
async fn rows_carry_the_time_of_the_database(engine: Engine) {
    let database = migrated(engine).await;
    let (engine, world) = (database.engine(), World::new(database).await);
    // SQLite's time is the machine's, which is right.
    let skew = if engine == Engine::Postgres { "-3600000" } else { "0" };
    let process = world.serve_with(&["--role", "web"], &[("NIGHTSHIFT_CLOCK_SKEW_MS", skew)]);
    let request = http_client().unwrap().post(format!("{}/api/bookings", process.url));
    let before = world.db().server_time().await.unwrap();
    assert_eq!(request.json(&business::booking()).send().await.unwrap().status(), 201);
    let stamped = world.bookings().one().await.created_at;
    let apart = stamped.since(before).max(before.since(stamped));
    assert!(apart < std::time::Duration::from_secs(60), "{engine:?}: {apart:?} apart");
}
