//! The leases that this process holds.
//!
//! A [`Hold`] is one of them. Its lease is renewed for as long as the value lives. The task that works on the job owns
//! it, so when that task ends, in whatever way, the hold is dropped and the lease expires at most 30 s later. This
//! module does not access the database; the keeper renews the leases and reports the results here.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::handlers::signal::Signal;
use crate::store::claim::Claimed;

/// The ids of a job and of the lease under which it was claimed. The job's id alone is not enough: a process may lose a
/// job and claim it again while the first run is still going on.
pub(crate) type Holding = (String, String);

struct HeldJob {
    signal: watch::Sender<Signal>,
    /// Whether its outcome is being written. A row that no longer has the lease then means that the outcome was
    /// written.
    finishing: bool,
}

/// All leases that this process holds.
#[derive(Default)]
pub(crate) struct Held(Mutex<HashMap<Holding, HeldJob>>);

/// A claim whose lease is renewed until this value is dropped.
pub(crate) struct Hold {
    held: Arc<Held>,
    holding: Holding,
}

/// A row of a renewal: the lease is still held.
#[derive(sqlx::FromRow)]
pub(crate) struct StillHeld {
    pub id: String,
    pub lease_id: String,
    pub cancel_requested: bool,
}

impl Hold {
    /// Holds the lease of a job that has just been claimed.
    pub(crate) fn of(held: &Arc<Held>, claimed: &Claimed) -> Self {
        let holding = (claimed.id.clone(), claimed.lease_id.clone());
        let signal = watch::Sender::new(if claimed.cancel_requested { Signal::Cancel } else { Signal::Run });
        held.jobs().insert(holding.clone(), HeldJob { signal, finishing: false });
        Self { held: held.clone(), holding }
    }

    /// Returns the signals for this job's run.
    pub(crate) fn signal(&self) -> watch::Receiver<Signal> {
        let lost = || watch::Sender::new(Signal::Lost).subscribe();
        self.held.jobs().get(&self.holding).map_or_else(lost, |job| job.signal.subscribe())
    }

    pub(crate) fn is_cancel_requested(&self) -> bool {
        self.held.jobs().get(&self.holding).is_some_and(|job| *job.signal.borrow() == Signal::Cancel)
    }

    /// Marks the outcome as being written, after which the row may no longer have the lease.
    pub(crate) fn finishing(&self) {
        if let Some(job) = self.held.jobs().get_mut(&self.holding) {
            job.finishing = true;
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.held.jobs().remove(&self.holding);
    }
}

impl Held {
    fn jobs(&self) -> MutexGuard<'_, HashMap<Holding, HeldJob>> {
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

    pub(crate) fn holdings(&self) -> Vec<Holding> {
        self.jobs().keys().cloned().collect()
    }

    /// Signals the jobs whose lease is lost or that must be cancelled, according to `answers`, the database's answer
    /// about `asked`.
    pub(crate) fn learn(&self, asked: Vec<Holding>, answers: &[StillHeld]) {
        let still_held: HashMap<(&str, &str), bool> =
            answers.iter().map(|held| ((held.id.as_str(), held.lease_id.as_str()), held.cancel_requested)).collect();
        let mut jobs = self.jobs();
        for holding in asked {
            let Some(job) = jobs.get_mut(&holding).filter(|job| !job.finishing) else { continue };
            match still_held.get(&(holding.0.as_str(), holding.1.as_str())) {
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

impl HeldJob {
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
