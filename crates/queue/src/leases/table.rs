//! The leases that this process holds.
//!
//! A [`Lease`] is one of them. It is renewed for as long as the value lives. The task that works on the job owns
//! it, so when that task ends, in whatever way, the value is dropped and the lease expires at most 30 s later. This
//! module does not access the database; the renewal thread renews the leases and reports the results here.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::handlers::signal::Signal;
use crate::store::claim::Claimed;

/// The ids of a job and of the lease under which it was claimed. The job's id alone is not enough: a process may lose a
/// job and claim it again while the first run is still going on.
pub(crate) type LeaseKey = (String, String);

struct LeasedJob {
    signal: watch::Sender<Signal>,
    /// Whether its outcome is being written. A row that no longer has the lease then means that the outcome was
    /// written.
    finishing: bool,
}

/// All leases that this process holds.
#[derive(Default)]
pub(crate) struct Leases(Mutex<HashMap<LeaseKey, LeasedJob>>);

/// A claim whose lease is renewed until this value is dropped.
pub(crate) struct Lease {
    leases: Arc<Leases>,
    key: LeaseKey,
}

/// A row of a renewal: the lease is still held.
#[derive(sqlx::FromRow)]
pub(crate) struct StillHeld {
    pub id: String,
    pub lease_id: String,
    pub cancel_requested: bool,
}

impl Lease {
    /// Holds the lease of a job that has just been claimed.
    pub(crate) fn of(leases: &Arc<Leases>, claimed: &Claimed) -> Self {
        let key = (claimed.id.clone(), claimed.lease_id.clone());
        let signal = watch::Sender::new(if claimed.cancel_requested { Signal::Cancel } else { Signal::Run });
        leases.jobs().insert(key.clone(), LeasedJob { signal, finishing: false });
        Self { leases: leases.clone(), key }
    }

    /// Returns the signals for this job's run.
    pub(crate) fn signal(&self) -> watch::Receiver<Signal> {
        let lost = || watch::Sender::new(Signal::Lost).subscribe();
        self.leases.jobs().get(&self.key).map_or_else(lost, |job| job.signal.subscribe())
    }

    pub(crate) fn is_cancel_requested(&self) -> bool {
        self.leases.jobs().get(&self.key).is_some_and(|job| *job.signal.borrow() == Signal::Cancel)
    }

    /// Marks the outcome as being written, after which the row may no longer have the lease.
    pub(crate) fn finishing(&self) {
        if let Some(job) = self.leases.jobs().get_mut(&self.key) {
            job.finishing = true;
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.leases.jobs().remove(&self.key);
    }
}

impl Leases {
    fn jobs(&self) -> MutexGuard<'_, HashMap<LeaseKey, LeasedJob>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn count(&self) -> usize {
        self.jobs().len()
    }

    /// Returns the number of jobs whose handler is still running.
    pub(crate) fn running(&self) -> usize {
        self.jobs().values().filter(|job| !job.finishing).count()
    }

    /// Signals all running jobs to return themselves to the queue, because the grace period of a shutdown is over.
    pub(crate) fn give_all_back(&self) {
        for job in self.jobs().values() {
            job.signal.send_replace(Signal::GiveBack);
        }
    }

    pub(crate) fn keys(&self) -> Vec<LeaseKey> {
        self.jobs().keys().cloned().collect()
    }

    /// Signals the jobs whose lease is lost or that must be cancelled, according to `answers`, the database's answer
    /// about `asked`.
    pub(crate) fn learn(&self, asked: Vec<LeaseKey>, answers: &[StillHeld]) {
        let still_held: HashMap<(&str, &str), bool> =
            answers.iter().map(|held| ((held.id.as_str(), held.lease_id.as_str()), held.cancel_requested)).collect();
        let mut jobs = self.jobs();
        for key in asked {
            let Some(job) = jobs.get_mut(&key).filter(|job| !job.finishing) else { continue };
            match still_held.get(&(key.0.as_str(), key.1.as_str())) {
                None if job.tell(Signal::Lost, |now| now != Signal::Lost) => {
                    metrics::counter!("nightshift_leases_lost_total").increment(1);
                }
                Some(true) => {
                    job.tell(Signal::Cancel, |now| now == Signal::Run);
                }
                None | Some(false) => {}
            }
        }
    }
}

impl LeasedJob {
    /// Sends `signal` if `over` accepts the current signal. Returns whether it was sent.
    fn tell(&self, signal: Signal, over: impl Fn(Signal) -> bool) -> bool {
        self.signal.send_if_modified(|now| {
            let sent = over(*now);
            if sent {
                *now = signal;
            }
            sent
        })
    }
}
