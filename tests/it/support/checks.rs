//! What must hold in the end, whatever happened on the way.

use std::time::{Duration, Instant};

use nightshift_db::{Clock, Db};
use nightshift_queue::Queue;

use super::process::World;

/// Longer than a lease and a rescue on the busiest machine.
const PATIENCE: Duration = Duration::from_secs(90);

/// Between two looks at a condition that is waited for.
pub const LOOK_EVERY: Duration = Duration::from_millis(30);

/// Waits until `condition` holds.
pub async fn eventually(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let started = Instant::now();
    while !condition().await {
        assert!(started.elapsed() < PATIENCE, "waited in vain for: {what}");
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Lets the time pass after which the provider is asked about a text or a call of unknown fate.
pub async fn hasten_doubts(db: &Db) {
    let asked = "UPDATE effects SET asked_at = $1 WHERE kind = 'booking_call' AND state IN ('asked', 'unknown')";
    set_back(db, asked).await;
    set_back(db, "UPDATE job_steps SET finished_at = $1 WHERE step = 'the provider did not list it'").await;
    let waiting = "SELECT id FROM jobs
                   WHERE kind IN ('sms.confirm_delivery', 'booking_call.start') AND state = 'queued' AND waiting";
    let waiting: Vec<(String,)> = db.read(waiting).all().await.expect("rows");
    let queue = Queue::new(db.clone(), Clock::system());
    for (id,) in waiting {
        let mut tx = db.begin().await.expect("a transaction");
        // It may have started meanwhile.
        if queue.hasten(&mut tx, &id).await.is_ok() {
            tx.commit().await.expect("it is hastened");
        }
    }
}

/// Sets a time to longer ago than anything is waited for.
async fn set_back(db: &Db, sql: &'static str) {
    let past = Clock::system().now() - Duration::from_secs(61);
    db.write(sql).bind(past).execute().await.expect("a time is set back");
}

impl World {
    pub fn db(&self) -> &Db {
        &self.database.db
    }

    /// Waits until nothing is due any more.
    pub async fn until_quiet(&self) {
        let unfinished = "SELECT count(*) FROM jobs WHERE state = 'running' OR (state IN ('queued', 'retrying') AND kind <> 'automation.run' AND kind <> 'thread.close')";
        self.until(unfinished, 0).await;
    }

    /// Lets what a killed process held be free, as it is 30 s later (leases of jobs) and a minute later (keys of requests).
    pub async fn leases_run_out(&self) {
        set_back(self.db(), "UPDATE idempotency_keys SET updated_at = $1 WHERE state = 'in_progress'").await;
        set_back(self.db(), "UPDATE jobs SET leased_until = $1 WHERE state = 'running'").await;
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
