//! The leases this process holds.
//!
//! A [`Hold`] is one of them. Its lease is renewed as long as it lives and not a moment longer: whoever works on the job
//! carries it, and when that ends, in whatever way, the hold is dropped and the lease runs out at the latest 30 s later.
//! Nothing here talks to the database; the keeper renews what is held and tells here what it learns.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::handlers::signal::Signal;
use crate::store::claim::Claimed;

/// One claim: the job and the lease it was claimed under. A process may lose a job and claim it anew while the first
/// run still goes on, so the job's id alone does not name what it holds.
pub(crate) type Holding = (String, String);

struct HeldJob {
    signal: watch::Sender<Signal>,
    /// Its end is being written; a missing row then means that it has been.
    finishing: bool,
}

/// All holds of this process.
#[derive(Default)]
pub(crate) struct Held(Mutex<HashMap<Holding, HeldJob>>);

/// A claim whose lease is renewed until this is dropped.
pub(crate) struct Hold {
    held: Arc<Held>,
    holding: Holding,
}

/// What the database says about a lease that was asked about: it is still ours.
#[derive(sqlx::FromRow)]
pub(crate) struct StillHeld {
    pub id: String,
    pub lease_id: String,
    pub cancel_requested: bool,
}

impl Hold {
    /// Holds the lease of `claimed`, which the database has just given.
    pub(crate) fn of(held: &Arc<Held>, claimed: &Claimed) -> Self {
        let holding = (claimed.id.clone(), claimed.lease_id.clone());
        let signal = watch::Sender::new(if claimed.cancel_requested { Signal::Cancel } else { Signal::Run });
        held.jobs().insert(holding.clone(), HeldJob { signal, finishing: false });
        Self { held: held.clone(), holding }
    }

    /// What is said to the job from outside.
    pub(crate) fn signal(&self) -> watch::Receiver<Signal> {
        let lost = || watch::Sender::new(Signal::Lost).subscribe();
        self.held.jobs().get(&self.holding).map_or_else(lost, |job| job.signal.subscribe())
    }

    pub(crate) fn is_cancel_requested(&self) -> bool {
        self.held.jobs().get(&self.holding).is_some_and(|job| *job.signal.borrow() == Signal::Cancel)
    }

    /// From now on the row may be gone because its end was written.
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

    /// Jobs whose handler still runs.
    pub(crate) fn running(&self) -> usize {
        self.jobs().values().filter(|job| !job.finishing).count()
    }

    /// The grace time is over: everything that still runs is given back.
    pub(crate) fn give_all_back(&self) {
        for job in self.jobs().values() {
            job.signal.send_replace(Signal::GiveBack);
        }
    }

    pub(crate) fn holdings(&self) -> Vec<Holding> {
        self.jobs().keys().cloned().collect()
    }

    /// Stops what is lost or to be cancelled, after the database was asked about `asked`.
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
    /// Sends `signal` unless the last one must stand; whether it was sent.
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
