//! Waiting for a number of rows: with a clock that the test moves, or for a process that has the machine's clock.

use std::path::Path;
use std::time::{Duration, Instant};

use nightshift_db::{Clock, Timestamp};

use super::{Probes, Rows, Time};

/// Longer than any wait takes in this process, on the busiest machine.
pub const PATIENCE: Duration = Duration::from_secs(15);
/// Longer than a lease and a rescue on the busiest machine.
const PATIENCE_WITH_PROCESSES: Duration = Duration::from_secs(90);
/// The time between two checks of a condition.
pub const LOOK_EVERY: Duration = Duration::from_millis(30);

impl<T> Rows<'_, T> {
    /// Waits until there are so many rows. A clock of the test is moved meanwhile, so that waits pass.
    pub async fn until(&self, wanted: i64) {
        match &self.probes.time {
            Time::Manual(clock) => self.until_moving(clock, wanted, Duration::from_millis(500)).await,
            Time::Real { log } => self.until_it_comes_about(log, wanted).await,
        }
    }

    /// As [`until`](Self::until), but does not move the clock.
    pub async fn until_with_the_clock_standing(&self, wanted: i64) {
        self.until_moving(self.probes.clock(), wanted, Duration::ZERO).await;
    }

    /// As [`until`](Self::until), but moves the clock to whatever is due next, however far that is.
    pub async fn skip_waits_until(&self, wanted: i64) {
        let clock = self.probes.clock();
        for _ in 0..200 {
            self.probes.quiet().await;
            if self.count().await == wanted {
                return;
            }
            let next = "SELECT min(run_at) FROM jobs WHERE state IN ('queued', 'retrying')";
            let next: Option<Timestamp> = self.probes.db.read(next).scalar().await.expect("a time");
            clock.set(next.expect("nothing is due any more, and it did not come about").max(clock.now()));
        }
        let unfinished = self.probes.unfinished().await;
        panic!("{self:?} gives {}, not {wanted}: {unfinished:#?}", self.count().await);
    }

    async fn until_moving(&self, clock: &Clock, wanted: i64, step: Duration) {
        let running = "SELECT count(*) FROM jobs WHERE state = 'running'";
        let (started, mut moved) = (Instant::now(), Instant::now());
        let mut last = -1;
        while started.elapsed() < PATIENCE {
            last = self.count().await;
            if last == wanted {
                return;
            }
            // While a job runs the clock stands, or a slow machine would make it late for its lease. One that waits for
            // the clock itself is helped along.
            if self.probes.count(running).await == 0 || moved.elapsed() > Duration::from_millis(200) {
                clock.advance(step);
                moved = Instant::now();
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let jobs: Vec<(String, String, Option<String>, Timestamp)> =
            self.probes.rows("SELECT kind, state, last_error, run_at FROM jobs ORDER BY id").await;
        panic!("{self:?} gives {last}, not {wanted}; at {} the jobs are {jobs:#?}", clock.now());
    }

    async fn until_it_comes_about(&self, log: &Path, wanted: i64) {
        let started = Instant::now();
        let mut last = -1;
        while started.elapsed() < PATIENCE_WITH_PROCESSES {
            last = self.count().await;
            if last == wanted {
                return;
            }
            self.probes.run_look_ups_now().await;
            tokio::time::sleep(LOOK_EVERY).await;
        }
        let jobs: Vec<(String, String, Option<String>)> = self
            .probes
            .rows("SELECT kind, state, last_error FROM jobs WHERE finished_at IS NULL OR state = 'dead' LIMIT 20")
            .await;
        let logged = std::fs::read_to_string(log).unwrap_or_default();
        panic!("{self:?} gives {last}, not {wanted}; some unfinished jobs: {jobs:#?}\n{logged}");
    }
}

impl Probes {
    /// Waits until no job is due any more; those that wait for a later time stay.
    pub async fn quiet(&self) {
        let sql =
            "SELECT count(*) FROM jobs WHERE state = 'running' OR (state IN ('queued', 'retrying') AND run_at <= $1)";
        let clock = self.clock();
        let started = Instant::now();
        let mut quiet = 0;
        while quiet < 3 {
            assert!(started.elapsed() < PATIENCE, "jobs still run: {:#?}", self.unfinished().await);
            let due: i64 = self.db.read(sql).bind(clock.now()).scalar().await.expect("a count");
            quiet = if due == 0 { quiet + 1 } else { 0 };
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Kind, state and last error of each unfinished job.
    pub async fn unfinished(&self) -> Vec<(String, String, Option<String>)> {
        self.rows("SELECT kind, state, last_error FROM jobs WHERE finished_at IS NULL ORDER BY id").await
    }

    fn clock(&self) -> &Clock {
        match &self.time {
            Time::Manual(clock) => clock,
            Time::Real { .. } => panic!("a process has the machine's clock, which a test can't move"),
        }
    }
}
