//! What must hold in the end, whatever happened on the way.

use std::time::{Duration, Instant};

use nightshift_db::Clock;
use nightshift_queue::Queue;

use super::probes::LOOK_EVERY;
use super::process::World;

/// Longer than a lease and a rescue on the busiest machine.
const PATIENCE: Duration = Duration::from_secs(90);

/// Waits until `condition` holds.
pub async fn eventually(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let started = Instant::now();
    while !condition().await {
        assert!(started.elapsed() < PATIENCE, "waited in vain for: {what}");
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

impl World {
    /// Waits until nothing is due any more.
    pub async fn until_quiet(&self) {
        let unfinished = "SELECT count(*) FROM jobs WHERE state = 'running' OR (state IN ('queued', 'retrying') AND kind <> 'automation.run' AND kind <> 'thread.close')";
        self.until(unfinished, 0).await;
    }

    /// One thread, one window, one run and one text for each of so many bookings, no job was given up, and every
    /// promise holds.
    pub async fn shows_each_booking_once(&self, bookings: usize) {
        let bookings = i64::try_from(bookings).expect("few");
        let runs = || self.automation_runs("bookingConfirmation");
        for (what, rows) in [
            ("confirmed bookings", self.bookings().confirmed().counted()),
            ("threads", self.threads().counted()),
            ("bookings with a thread", self.bookings().with_a_thread().counted()),
            ("threads with a number", self.threads().with_a_number().counted()),
            ("windows", self.windows().counted()),
            ("bookings with a window", self.bookings().with_a_window().counted()),
            ("runs", runs().counted()),
            ("successful runs", runs().succeeded().counted()),
            ("thread.created", self.events("thread.created").counted()),
            ("confirmations in the history", self.status_changes().to("confirmed").counted()),
        ] {
            assert_eq!(rows.count().await, bookings, "{what}");
        }
        let dead = self.all_jobs().dead().all().await;
        assert!(dead.is_empty(), "{dead:#?}");
        let ledger = self.simulator.twilio().ledger();
        let mut clients: Vec<_> = ledger.messages().iter().map(|text| text.to.as_str()).collect();
        assert_eq!(i64::try_from(clients.len()).expect("few"), bookings, "texts");
        clients.sort_unstable();
        clients.dedup();
        assert_eq!(i64::try_from(clients.len()).expect("few"), bookings, "clients with a text");
        self.keeps_its_promises().await;
    }

    /// Every promise holds, also for what has waited for no time at all.
    pub async fn keeps_its_promises(&self) {
        let queue = Queue::new(self.db().clone(), Clock::system());
        let broken = nightshift_jobs::promises::broken_for(&queue, Duration::ZERO).await.expect("the database answers");
        assert_eq!(broken, []);
    }

    /// Nothing that was logged tells who the clients are, what was written to them, or a secret.
    pub fn logs_are_discreet(&self) {
        let logged = self.logged();
        for secret in [
            "+1555",
            "+1415555",
            "555123",
            "5552000",
            "Hi Test",
            "is confirmed. Reply",
            super::nightshift::STRIPE_SECRET,
            "simulated-auth-token",
        ] {
            if let Some(at) = logged.find(secret) {
                let line = logged[..at].rfind('\n').map_or(0, |line| line + 1);
                panic!("{secret} is logged: {}", logged[line..].lines().next().unwrap_or_default());
            }
        }
    }
}
