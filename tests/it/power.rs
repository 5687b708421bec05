//! The power fails while SQLite is written to. PostgreSQL is a server of its own, whose disk is its own care.

use std::path::Path;
use std::time::Duration;

use futures_util::StreamExt;
use nightshift_db::testing::TestDb;
use nightshift_db::{Clock, Db, DbOptions, migrate};
use nightshift_jobs::promises::broken;
use nightshift_lab::simulator::StripeSender;
use nightshift_providers::http_client;
use nightshift_queue::Queue;

use crate::support::business::{load_bookings, paid};
use crate::support::disk::{Event, Recorder, Unsynced, after_power_failure};
use crate::support::nightshift::STRIPE_SECRET;
use crate::support::process::World;

/// Enough for the write-ahead log to be carried over into the database a few times.
const BOOKINGS: usize = 240;
/// Moments at which the power fails; many more with NIGHTSHIFT_TEST_POWER_FAILURES.
const FAILURES: usize = 40;

async fn open(path: &Path) -> (Db, String) {
    let url = format!("sqlite://{}", path.display());
    (Db::connect(&url, &DbOptions::default()).await.unwrap(), url)
}

/// The database is whole, knows everything that somebody was told, and keeps its promises.
async fn holds(path: &Path, before: &[Event], clock: &Clock) {
    let (db, _) = open(path).await;
    let whole: String = db.read("PRAGMA integrity_check").scalar().await.unwrap();
    assert_eq!(whole, "ok");
    let stored: Vec<(String,)> = db.read("SELECT event_key FROM webhook_inbox").all().await.unwrap();
    for told in before.iter().filter_map(Event::told) {
        assert!(stored.iter().any(|(key,)| key == told), "{told} was acknowledged and is gone");
    }
    assert_eq!(broken(&Queue::new(db.clone(), clock.clone())).await.unwrap(), []);
    db.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whenever_the_power_fails_what_was_acknowledged_is_there_and_happens_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("nightshift.db");
    let (db, url) = open(&path).await;
    migrate(&db).await.unwrap();
    let mut world = World::new(TestDb::existing(db, url)).await;
    load_bookings(world.db(), BOOKINGS).await;
    // Nobody but the program has the file open while it is recorded.
    world.db().close().await;
    let base = std::fs::read(&path).unwrap();
    let recorder = Recorder::new(folder.path(), &path);

    let mut process = world.serve_with(&[], &recorder.environment());
    let stripe =
        StripeSender::new(format!("{}/api/webhooks/stripe", process.url), STRIPE_SECRET.into(), http_client().unwrap());
    let deliveries = futures_util::stream::iter(0..BOOKINGS).for_each_concurrent(8, async |n| {
        let event = format!("evt_{n}");
        let answer = stripe.deliver(&paid(&event, &format!("booking-{n}"))).await.unwrap();
        assert!(answer.taken());
        recorder.told(&event);
    });
    deliveries.await;
    let twilio = world.simulator.twilio();
    assert!(twilio.wait_until(Duration::from_secs(60), |ledger| ledger.messages().len() >= BOOKINGS / 2).await);
    process.kill();
    // What work leaves behind for a moment is not overdue only because looking at it takes long.
    let clock = Clock::manual(Clock::system().now());

    let events = recorder.record();
    let checkpoints = events.iter().filter(|event| event.is_checkpoint()).count();
    assert!(checkpoints > 100, "the record has only {checkpoints} writes of checkpoints");
    let failures = std::env::var("NIGHTSHIFT_TEST_POWER_FAILURES").map_or(FAILURES, |n| n.parse().unwrap());
    let syncs: Vec<usize> = (0..events.len()).filter(|n| events[*n].is_sync()).collect();
    for n in 0..failures {
        let seed = fastrand::u64(..);
        let mut chance = fastrand::Rng::with_seed(seed);
        // Around a sync is where most can go wrong.
        let at = if n % 2 == 0 {
            chance.usize(..events.len())
        } else {
            syncs[chance.usize(..syncs.len())] + chance.usize(..3)
        };
        let before = &events[..at.min(events.len())];
        let unsynced = if n % 4 < 2 { Unsynced::Lost } else { Unsynced::Mixed };
        eprintln!("failure after event {at} of {}, unsynced writes {unsynced:?}, seed {seed}", events.len());
        let left = tempfile::tempdir().unwrap();
        let path = left.path().join("nightshift.db");
        after_power_failure(&base, before, unsynced, &mut chance, &path);
        holds(&path, before, &clock).await;
    }

    // The moment of the kill is the one whose outside world is still there: from it the program goes on.
    let path = folder.path().join("again.db");
    after_power_failure(&base, &events, Unsynced::Lost, &mut fastrand::Rng::new(), &path);
    let (db, url) = open(&path).await;
    world.use_database(TestDb::existing(db, url));
    world.leases_run_out().await;
    let _again = world.serve();
    world.texts().sent().until(BOOKINGS as i64).await;
    world.until_quiet().await;
    world.shows_each_booking_once(BOOKINGS).await;
}
