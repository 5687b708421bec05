//! Moves stored times into the past, for a process that has the machine's clock.

use std::time::Duration;

use nightshift_db::Clock;
use nightshift_queue::Queue;

use super::Probes;

impl Probes {
    /// Frees what a killed process held, as time would: leases of jobs after 30 s, idempotency keys after a minute.
    pub async fn leases_run_out(&self) {
        self.set_back("UPDATE idempotency_keys SET updated_at = $1 WHERE state = 'in_progress'").await;
        self.set_back("UPDATE jobs SET leased_until = $1 WHERE state = 'running'").await;
    }

    /// Lets the program ask the provider about unconfirmed texts and calls now, and not only after a minute.
    pub async fn run_look_ups_now(&self) {
        // The time of a request identifies it, so it stays as it is while a job may be about to settle the request.
        let asked = "UPDATE effects SET asked_at = $1 WHERE state IN ('asked', 'unknown') AND asked_at > $1
                     AND EXISTS (SELECT 1 FROM jobs WHERE jobs.state = 'queued'
                                 AND (jobs.once_key = 'call.start:' || effects.business_key
                                      OR jobs.dedup_key LIKE 'smsconf:' || effects.business_key || '%'))";
        self.set_back(asked).await;
        self.set_back("UPDATE job_steps SET finished_at = $1 WHERE step LIKE 'the provider did not list it%'").await;
        let waiting: Vec<(String,)> = self
            .rows(
                "SELECT id FROM jobs
                 WHERE kind IN ('sms.confirm_delivery', 'booking_call.start') AND state = 'queued' AND waiting",
            )
            .await;
        let queue = Queue::new(self.db.clone(), Clock::system());
        for (id,) in waiting {
            let mut tx = self.db.begin().await.expect("a transaction");
            // It may have started meanwhile.
            if queue.run_now(&mut tx, &id).await.is_ok() {
                tx.commit().await.expect("it is made due");
            }
        }
    }

    /// Runs a statement whose `$1` is a time so long ago that every timeout has passed.
    async fn set_back(&self, sql: &'static str) {
        let past = Clock::system().now() - Duration::from_secs(61);
        self.db.write(sql).bind(past).execute().await.expect("a time is set back");
    }
}
