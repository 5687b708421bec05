//! Rescues jobs whose lease has expired.
//!
//! Only an expired lease counts, never age, host or worker name. A job that loses its third lease is dead, because it
//! may be what kills its process. After an outage of the database, after a clock was set and after its start, the rescue
//! waits until live workers have had time to renew their leases. A clock that is set while it looks, and a lease that is
//! renewed after it has looked, keep it from taking anything back.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nightshift_db::{Clock, Db, Result, Timestamp, failpoint, sabotage};

use crate::handlers::end::write_dead;
use crate::handlers::registry::Registry;
use crate::job::{ErrorClass, JobError};
use crate::leases::renewal::{LEASE, RENEW_EVERY};
use crate::store::claim::Claimed;
use crate::store::finish::{Ended, write_attempts, write_rows};
use crate::store::lifecycle::{Event, apply};
use crate::store::wake::Wake;

const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Leases that expire too late are looked for in one of so many looks: they need a clock that was set back.
const FAR_EVERY: u64 = 3;
/// Longer than the renewal interval.
const PAUSE_AFTER_OUTAGE: Duration = Duration::from_secs(12);
/// What other processes need to notice that a server's clock was set, and to renew their leases by it: they renew them
/// at this interval, by a time that is not outdated.
const RENEWED_WITHIN: Duration = Duration::from_secs(Clock::OUTDATED_AFTER.as_secs() + RENEW_EVERY.as_secs());
/// Counted from when this process has noticed, which may be the first to do so.
const PAUSE_AFTER_STEP: Duration = Duration::from_secs(35);
const _: () = assert!(PAUSE_AFTER_STEP.as_secs() > RENEWED_WITHIN.as_secs());
/// Counted from when this process has first asked the server: it can't notice that the server's clock was set before.
/// Shorter than a lease, so that a process that starts in the place of a lost one rescues its jobs as soon as before.
const PAUSE_AFTER_START: Duration = Duration::from_secs(25);
const _: () = assert!(PAUSE_AFTER_START.as_secs() > RENEWED_WITHIN.as_secs());
const _: () = assert!(PAUSE_AFTER_START.as_secs() < LEASE.as_secs());
const BATCH_MAX: i64 = 100;

/// Reads the first entries of index jobs_leased.
const EXPIRED: &str = "
SELECT id, queue, kind, org_id, CAST(payload AS TEXT) AS payload, payload_version, priority, run_at, group_key, attempts,
  max_attempts, crashes, polls, poll_deadline, cancel_requested, mode, correlation_id, parent_job_id, traceparent,
  created_at, started_at, lease_id, leased_until
FROM jobs WHERE state = 'running' AND leased_until < $1 ORDER BY leased_until LIMIT $2";

/// Leases that expire later than any lease can: they were given before the clock was set back.
const FAR: &str = "SELECT id, lease_id, leased_until FROM jobs WHERE state = 'running' AND leased_until > $1 LIMIT $2";
/// Live workers renew such a lease when they notice that the clock was set. A lease that is not renewed has no owner.
const EXPIRE: &str = "
UPDATE jobs SET leased_until = $4 WHERE id = $1 AND lease_id = $2 AND leased_until = $3 AND state = 'running'";

/// Ids of the job and the lease, and the lease's expiry, as last read.
type SeenLease = (String, String, Timestamp);

/// A job whose lease has expired.
#[derive(sqlx::FromRow)]
pub(crate) struct Lost {
    #[sqlx(flatten)]
    pub claimed: Claimed,
    pub leased_until: Timestamp,
}

pub(crate) struct Rescue<S> {
    pub db: Db,
    pub clock: Clock,
    pub registry: Arc<Registry<S>>,
    pub wake: Arc<Wake>,
    /// Leases that expire too late, with the time when they were first seen.
    pub far: Mutex<HashMap<SeenLease, Timestamp>>,
    /// Number of looks so far.
    pub looks: AtomicU64,
}

impl<S: Send + Sync + 'static> Rescue<S> {
    /// Rescues jobs periodically; never returns.
    pub(crate) async fn run(self: Arc<Self>) -> Result<()> {
        let mut steps = self.begin().await;
        let look_every = if failpoint::skips("rescue.look_every") { Duration::from_millis(100) } else { LOOK_EVERY };
        loop {
            self.clock.sleep(look_every).await;
            match self.look(steps).await {
                Ok(now) if now == steps => {}
                Ok(now) => {
                    steps = now;
                    tracing::info!("the clock was set; lost leases are looked for once the living have renewed theirs");
                    self.clock.sleep(PAUSE_AFTER_STEP).await;
                }
                Err(error) => {
                    tracing::warn!(%error, "lost leases could not be looked for; trying again later");
                    // Counted from when the database is back, not from the look that failed.
                    while self.db.agree_on_time(&self.clock).await.is_err() {
                        self.clock.sleep(LOOK_EVERY).await;
                    }
                    self.clock.sleep(PAUSE_AFTER_OUTAGE).await;
                }
            }
        }
    }

    /// Agrees with the server on the time, and waits until other processes have done so too. Returns the number of
    /// steps of the clock before the wait.
    async fn begin(&self) -> u64 {
        let steps = loop {
            match self.db.agreed_time(&self.clock).await {
                Ok(reading) => break reading.steps,
                Err(error) => {
                    tracing::debug!(%error, "the time is not known yet");
                    self.clock.sleep(LOOK_EVERY).await;
                }
            }
        };
        if self.db.is_followed_by(&self.clock) && !failpoint::skips("rescue.pause_after_start") {
            self.clock.sleep(PAUSE_AFTER_START - LOOK_EVERY).await;
        }
        steps
    }

    /// Takes back the lost jobs, unless the clock has made another number of steps than `steps`. Returns its number of
    /// steps.
    async fn look(&self, steps: u64) -> Result<u64, JobError> {
        let reading = self.db.agreed_time(&self.clock).await?;
        if reading.steps != steps {
            return Ok(reading.steps);
        }
        let now = compared_with(reading.at);
        if self.looks.fetch_add(1, Ordering::Relaxed).is_multiple_of(FAR_EVERY) {
            self.expire_far(now).await?;
        }
        let lost = self.lost(now).await?;
        if lost.is_empty() {
            return Ok(steps);
        }
        // The clock may have been set, or this process frozen, since the time was read. Then these leases may have been
        // renewed by another time. If it was set only after they were read, a renewal changes what `take_back` expects.
        if !self.db.confirms(&self.clock, reading).await? {
            return Ok(self.clock.steps());
        }
        let mut rescued = false;
        for lost in lost {
            let id = lost.claimed.id.clone();
            match self.take_back(lost, now).await {
                Ok(taken_back) => rescued |= taken_back,
                Err(error) if error.may_retry() => return Err(error),
                // The other jobs must not wait for this one.
                Err(error) => tracing::error!(job.id = id, %error, "a lost job could not be taken back"),
            }
        }
        if rescued {
            self.wake.look_everywhere();
        }
        Ok(steps)
    }

    /// Returns jobs whose lease has expired.
    pub(crate) async fn lost(&self, now: Timestamp) -> Result<Vec<Lost>> {
        self.db.read(EXPIRED).bind(now).bind(BATCH_MAX).all().await
    }

    /// Lets a lease expire that was given before the clock was set back, if it has been seen without a renewal for
    /// longer than live workers need.
    pub(crate) async fn expire_far(&self, now: Timestamp) -> Result<()> {
        let far: Vec<SeenLease> = self.db.read(FAR).bind(now + 2 * LEASE).bind(BATCH_MAX).all().await?;
        let abandoned: Vec<SeenLease> = {
            let mut seen = self.far.lock().unwrap_or_else(PoisonError::into_inner);
            *seen = far.into_iter().map(|lease| (lease.clone(), seen.get(&lease).copied().unwrap_or(now))).collect();
            seen.iter()
                .filter(|(_, first)| now.since(**first) >= PAUSE_AFTER_STEP)
                .map(|(lease, _)| lease.clone())
                .collect()
        };
        for (id, lease_id, until) in abandoned {
            self.db.write(EXPIRE).bind(&id).bind(&lease_id).bind(until).bind(now).execute().await?;
        }
        Ok(())
    }

    /// Returns the job to the queue, or makes it dead. Returns false if the lease had been renewed before the row was
    /// locked.
    pub(crate) async fn take_back(&self, lost: Lost, now: Timestamp) -> Result<bool, JobError> {
        let Lost { claimed, leased_until } = lost;
        let Ok(change) = apply(&claimed.life(), &Event::LeaseLost, now) else { return Ok(false) };
        let started_at = claimed.started_at.unwrap_or(claimed.run_at);
        let error = Some((ErrorClass::LeaseLost, "the process that ran it stopped renewing its lease".to_owned()));
        let ended = Ended {
            claimed: Arc::new(claimed),
            change,
            result: None,
            error,
            notes: String::new(),
            started_at,
            ended_at: now,
        };
        // Both write only if the lease was not renewed in the meantime.
        let written = if ended.change.ended_without_success() {
            write_dead(&self.db, &ended, Some(leased_until), now, &self.registry).await?
        } else {
            let batch = std::slice::from_ref(&ended);
            let mut tx = self.db.begin().await?;
            let written = write_rows(&mut tx, batch, Some(leased_until), now).await?;
            write_attempts(&mut tx, batch, &written).await?;
            failpoint::hit("rescue.before_commit").await?;
            tx.commit().await?;
            written
        };
        if !written.is_empty() {
            metrics::counter!("nightshift_leases_lost_total").increment(1);
            tracing::warn!(job.id = %ended.claimed.id, job.kind = %ended.claimed.kind,
                job.state = ended.change.life.state.as_str(), job.crashes = ended.change.life.crashes,
                "a lost job was taken back");
        }
        Ok(!written.is_empty())
    }
}

/// Returns the time with which leases are compared at the time `now`.
pub(crate) fn compared_with(now: Timestamp) -> Timestamp {
    if sabotage::is("the_living_are_rescued") { now + Duration::from_secs(3600) } else { now }
}
