//! Keeping leases alive.
//!
//! A thread of its own with a runtime and a connection of its own renews all leases of the process in one statement
//! every ten seconds, so handlers that block every other thread can't make the process look dead. The same statement
//! tells which jobs are to be cancelled, and which leases are lost: those are stopped.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nightshift_db::{Clock, Db, Result, Timestamp};
use serde_json::json;
use tokio::sync::watch;

use crate::claim::Claimed;
use crate::runner::Signal;
use crate::wake::Wake;

/// How long a claim holds without renewal.
pub(crate) const LEASE: Duration = Duration::from_secs(30);
/// Between renewals: two may fail before a lease runs out.
const RENEW_EVERY: Duration = Duration::from_secs(10);
/// Between tries while the database does not answer.
const RETRY_EVERY: Duration = Duration::from_secs(1);

struct HeldJob {
    lease_id: String,
    signal: watch::Sender<Signal>,
    /// Its end is being written; a missing row then means that it has been.
    finishing: bool,
}

/// The jobs this process holds a lease on.
#[derive(Default)]
pub(crate) struct Held(Mutex<HashMap<String, HeldJob>>);

impl Held {
    fn jobs(&self) -> MutexGuard<'_, HashMap<String, HeldJob>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn add(&self, claimed: &[Claimed]) {
        let mut jobs = self.jobs();
        for job in claimed {
            let signal = if job.cancel_requested { Signal::Cancel } else { Signal::Run };
            let signal = watch::Sender::new(signal);
            jobs.insert(job.id.clone(), HeldJob { lease_id: job.lease_id.clone(), signal, finishing: false });
        }
    }

    pub(crate) fn signal_of(&self, id: &str) -> watch::Receiver<Signal> {
        self.jobs().get(id).map_or_else(|| watch::Sender::new(Signal::Lost).subscribe(), |job| job.signal.subscribe())
    }

    pub(crate) fn is_cancel_requested(&self, id: &str) -> bool {
        self.jobs().get(id).is_some_and(|job| *job.signal.borrow() == Signal::Cancel)
    }

    pub(crate) fn finishing(&self, id: &str) {
        if let Some(job) = self.jobs().get_mut(id) {
            job.finishing = true;
        }
    }

    pub(crate) fn drop_job(&self, id: &str) {
        self.jobs().remove(id);
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

    fn leases(&self) -> (Vec<String>, Vec<String>) {
        self.jobs().iter().map(|(id, job)| (id.clone(), job.lease_id.clone())).unzip()
    }

    fn renewed(&self, asked: &[String], still_held: &[Renewed]) {
        let mut jobs = self.jobs();
        for id in asked {
            let Some(job) = jobs.get_mut(id).filter(|job| !job.finishing) else { continue };
            match still_held.iter().find(|renewed| renewed.id == *id) {
                None => {
                    metrics::counter!("nightshift_leases_lost_total").increment(1);
                    job.signal.send_replace(Signal::Lost);
                }
                Some(renewed) if renewed.cancel_requested => {
                    job.signal.send_if_modified(|signal| {
                        let first = *signal == Signal::Run;
                        if first {
                            *signal = Signal::Cancel;
                        }
                        first
                    });
                }
                Some(_) => {}
            }
        }
    }
}

#[derive(sqlx::FromRow)]
struct Renewed {
    id: String,
    cancel_requested: bool,
}

/// One probe of the primary key per held job; whoever no longer holds the lease is left out.
const RENEW_POSTGRES: &str = "
UPDATE jobs SET leased_until = $3
FROM unnest($1::text[], $2::text[]) AS held (id, lease_id)
WHERE jobs.id = held.id AND jobs.lease_id = held.lease_id AND jobs.state = 'running'
RETURNING jobs.id, jobs.cancel_requested";

const RENEW_SQLITE: &str = "
UPDATE jobs SET leased_until = $2
FROM json_each($1) AS held
WHERE jobs.id = held.value->>0 AND jobs.lease_id = held.value->>1 AND jobs.state = 'running'
RETURNING jobs.id, jobs.cancel_requested";

async fn renew(db: &Db, held: &Held, now: Timestamp) -> Result<()> {
    let (ids, leases) = held.leases();
    if ids.is_empty() {
        return Ok(());
    }
    let until = now + LEASE;
    let renewed: Vec<Renewed> = if let Some(pool) = db.as_postgres() {
        sqlx::query_as(RENEW_POSTGRES).bind(&ids).bind(&leases).bind(until).fetch_all(pool).await?
    } else {
        let pairs: Vec<_> = ids.iter().zip(&leases).collect();
        db.write(RENEW_SQLITE).bind(json!(pairs).to_string()).bind(until).all().await?
    };
    held.renewed(&ids, &renewed);
    Ok(())
}

/// Runs the renewal on a thread of its own until `stop` is set or dropped.
pub(crate) fn start(
    db: &Db,
    clock: Clock,
    held: Arc<Held>,
    wake: Arc<Wake>,
    stop: watch::Receiver<bool>,
) -> std::io::Result<std::thread::JoinHandle<()>> {
    let db = db.clone();
    std::thread::Builder::new().name("lease-keeper".to_owned()).spawn(move || {
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => return tracing::error!(%error, "no runtime for the lease keeper; leases will run out"),
        };
        // The sibling is made in here: a connection belongs to the runtime that opened it.
        runtime.block_on(async { keep(&db.sibling(1, &[]), &clock, &held, &wake, stop).await });
    })
}

async fn keep(db: &Db, clock: &Clock, held: &Held, wake: &Wake, mut stop: watch::Receiver<bool>) {
    let mut pause = RENEW_EVERY;
    loop {
        tokio::select! {
            () = clock.sleep(pause) => {}
            () = wake.cancelled() => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
        pause = match renew(db, held, clock.now()).await {
            Ok(()) => RENEW_EVERY,
            Err(error) => {
                tracing::warn!(%error, jobs = held.count(), "the leases could not be renewed; trying again");
                RETRY_EVERY
            }
        };
    }
}
